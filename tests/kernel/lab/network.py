# SPDX-License-Identifier: BSD-2-Clause
"""The host's end of the wire: a network namespace without a name, with a TAP device that QEMU plugs the guest's card into."""
import ctypes
import os
import signal
import subprocess

from .errors import Unavailable

CLONE_NEWNET = 0x40000000
# One address of the guest between two of the host's: both address orders without a second boot.
NATIVE_ADDRESSES = ("10.77.0.1/16", "10.77.0.3/16", "fd77::1/64", "fd77::3/64")
GUEST_ADDRESSES = ("10.77.0.2/16", "fd77::2/64")


class Network:
    device = "tap0"
    netdev = f"tap,id=wire,ifname={device},script=no,downscript=no"
    mac = "52:54:00:12:34:56"

    def __init__(self, native_addresses=NATIVE_ADDRESSES, guest_addresses=GUEST_ADDRESSES, mtu=1500):
        self.native_addresses = native_addresses
        self.guest_addresses = guest_addresses
        # The namespace lives as long as this descriptor or a process inside: nothing to delete, nothing to leak.
        self.namespace = new_namespace()
        self.descriptors = [self.namespace]
        commands = [f"tuntap add dev {self.device} mode tap", "link set lo up", f"link set {self.device} mtu {mtu} up"]
        # Without nodad an IPv6 address cannot be bound during its first second.
        commands += [f"addr add {address} dev {self.device}{' nodad' if ':' in address else ''}" for address in native_addresses]
        done = subprocess.run(self.wrap(["ip", "-batch", "-"]), input="\n".join(commands), text=True, capture_output=True,
                              pass_fds=self.descriptors)
        if done.returncode != 0:
            raise Unavailable(f"cannot make a TAP device: {done.stderr.strip()}")

    def wrap(self, arguments):
        """A command line that runs `arguments` inside the namespace; needs `descriptors` passed on."""
        return ["nsenter", f"--net=/proc/self/fd/{self.namespace}", "--", *arguments]

    def close(self):
        # What a test driver left running would keep the namespace, and with it the device, alive.
        inside = os.fstat(self.namespace).st_ino
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat(f"/proc/{process}/ns/net").st_ino == inside:
                    os.kill(int(process), signal.SIGKILL)
            except OSError:
                pass  # it ended meanwhile, or belongs to somebody else
        os.close(self.namespace)


def new_namespace():
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Unavailable("/dev/net/tun cannot be opened: run as root, and load the tun module")
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.unshare(CLONE_NEWNET) != 0
        os.write(sending, os.strerror(ctypes.get_errno()).encode() if failed else b"ok")
        while True:
            signal.pause()  # the parent kills this process once it holds the namespace
    return adopt_namespace(child, receiving, sending)


def adopt_namespace(child, receiving, sending):
    try:
        answer = os.read(receiving, 256)
        if answer != b"ok":
            raise Unavailable(f"cannot make a network namespace: {answer.decode()}")
        return os.open(f"/proc/{child}/ns/net", os.O_RDONLY)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(receiving)
        os.close(sending)
