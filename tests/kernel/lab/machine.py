# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU process: a kernel, the host's file system read-only, a share for jobs, a control port and perhaps a network card."""
import os
import re
import socket
import subprocess

from . import initramfs, kernels
from .errors import LabError, Unavailable

KERNEL_PARAMETERS = ("console=ttyS0 quiet panic=-1 oops=panic mitigations=off nowatchdog tsc=reliable no_timer_check "
                     "random.trust_cpu=on net.ifnames=0 8250.nr_uarts=1 audit=0 cryptomgr.notests")

CRASH = re.compile(r"BUG:|Oops|Kernel panic|sysrq: Trigger|general protection|^lab: ")
EVIDENCE_LINES = 15


class Machine:
    """`control` is the host's end of the guest's control port; end of file on it means that the guest is gone."""

    def __init__(self, kernel, directory, *, smp=1, memory=512, accel="tcg", network=None, terminal=False, rds=False):
        initramfs.build(kernel, directory / "initramfs.cpio")
        self.directory = directory
        self.control, guest_control = socket.socketpair()
        self.terminal, guest_terminal = socket.socketpair() if terminal else (None, None)
        share = directory / "share"
        arguments = [
            qemu(), "-name", "rdsco-lab", "-M", "pc", *processor(accel),
            "-smp", str(smp), "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", str(kernel.image), "-initrd", "initramfs.cpio",
            "-append", parameters(kernel, rds, network),
            "-chardev", "file,id=console,path=console.log", "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=control,fd={guest_control.fileno()}",
            "-device", "virtserialport,chardev=control,name=rdsco.control",
            "-fsdev", "local,id=host,path=/,readonly=on,security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
            "-fsdev", f"local,id=share,path={share},security_model=none",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
        ]
        descriptors = [guest_control.fileno()]
        if terminal:
            arguments += ["-chardev", f"socket,id=terminal,fd={guest_terminal.fileno()}",
                          "-device", "virtconsole,chardev=terminal"]
            descriptors.append(guest_terminal.fileno())
        if network:
            arguments += ["-netdev", network.netdev, "-device", f"virtio-net-pci,netdev=wire,mac={network.mac},romfile="]
            arguments = network.wrap(arguments)
            descriptors += network.descriptors
        with open(directory / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(dying_with_parent(arguments), cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=descriptors)
        for end in (guest_control, guest_terminal):
            if end:
                end.close()

    def stop(self):
        # Nothing to save: the guest's disk is the host's, read-only, and the share is written through.
        self.process.kill()
        self.process.wait()
        self.control.close()
        if self.terminal:
            self.terminal.close()

    def evidence(self):
        """What the guest's console and QEMU said last, or from the first sign of a crash on."""
        text = ""
        for name in ("console.log", "qemu.log"):
            path = self.directory / name
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            crash = next((index for index, line in enumerate(lines) if CRASH.search(line)), len(lines) - EVIDENCE_LINES)
            text += "".join(f"\n  {name}: {line}" for line in lines[max(0, crash):][:EVIDENCE_LINES])
        return text.lstrip("\n")


def parameters(kernel, rds, network):
    words = [KERNEL_PARAMETERS, f"lab.modules={kernel.modules}"]
    if rds:
        words.append("lab.rds=1")
    if network:
        words.append(f"lab.network={','.join(network.guest_addresses)}")
    return " ".join(words)


def qemu():
    path = kernels.program_path("qemu-system-x86_64")
    if path is None:
        raise Unavailable("qemu-system-x86_64 is missing: run scripts/kernel-lab setup")
    return path


def processor(accel):
    if accel == "tcg":
        return ["-accel", "tcg", "-cpu", "max"]
    if accel != "kvm":
        raise LabError(f"no accelerator '{accel}': choose tcg or kvm")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise Unavailable("/dev/kvm cannot be opened")
    return ["-accel", "kvm", "-cpu", "host"]


def dying_with_parent(arguments):
    """A command that the kernel kills when the thread that started it ends, however it ends."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *arguments]
