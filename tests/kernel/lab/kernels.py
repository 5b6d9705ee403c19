# SPDX-License-Identifier: BSD-2-Clause
"""Debian kernel packages, unpacked into a cache so that QEMU can start them without an installation."""
import contextlib
import fcntl
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from .errors import LabError, Unavailable

SERIES = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}
# The guest cannot reach its modules before its root file system is mounted: these travel in the initramfs.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", "virtio_net", "rds_tcp")
# What the host needs, as (program, Debian package).
PROGRAMS = (("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"), ("modprobe", "kmod"),
            ("depmod", "kmod"), ("xz", "xz-utils"), ("zstd", "zstd"), ("ip", "iproute2"), ("nsenter", "util-linux"))


def cache_directory():
    own = os.environ.get("RDSCO_LAB_CACHE")
    if own:
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "rdsco" / "kernel-lab"


class Kernel:
    """An unpacked kernel: `image` for QEMU, `modules` for the guest, `boot_modules` (in load order) for the initramfs."""

    def __init__(self, directory):
        self.directory = directory
        self.release = (directory / "release").read_text().strip()
        self.image = directory / "vmlinux"
        self.modules = directory / "lib" / "modules"
        self.boot_modules = [directory / "boot-modules" / name
                             for name in (directory / "boot-modules" / "order").read_text().split()]


def find(series, say=lambda text: None):
    """The kernel of a series, downloaded and unpacked if the cache has none; `say` hears what takes long."""
    if series not in SERIES:
        raise LabError(f"no kernel series '{series}': choose one of {', '.join(SERIES)}")
    link = cache_directory() / series
    try:
        if not (link / "release").exists():
            set_up(series, say)
        return Kernel(link.resolve())
    except OSError as error:
        raise Unavailable(f"the kernel cache cannot be used, set RDSCO_LAB_CACHE to a directory of yours: {error}") from None


def set_up(series, say=lambda text: None):
    """Brings the newest package of a series into the cache, or answers what is there if there is no newer one to be had.
    Safe to run by several processes at once."""
    install_programs(say)
    with locked_cache() as cache:
        link = cache / series
        try:
            directory = newest_directory(series, cache, say)
        except Unavailable as reason:
            if not (link / "release").exists():
                raise
            cached = Kernel(link.resolve())
            say(f"{reason}; the cache has {cached.release}")
            return cached
        temporary = cache / f".{series}.{os.getpid()}"
        temporary.symlink_to(directory.name)
        temporary.rename(link)
        return Kernel(directory)


@contextlib.contextmanager
def locked_cache():
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def newest_directory(series, cache, say):
    package = newest_package(SERIES[series])
    if package is None:
        raise Unavailable(f"apt knows no package {SERIES[series]}: run apt-get update, or add the Debian 12 security archive")
    directory = cache / package
    if not (directory / "release").exists():
        say(f"downloading {package}")
        unpack(package, cache, directory)
    return directory


def install_programs(say, programs=PROGRAMS):
    missing = sorted({package for program, package in programs if program_path(program) is None})
    if not missing:
        return
    if os.geteuid() != 0:
        raise Unavailable(f"missing Debian packages, install them first: {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)} failed: {last_line(done.stderr)}")


def program_path(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def newest_package(meta_package):
    done = subprocess.run(["apt-cache", "depends", meta_package], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\d\S*)", done.stdout)
    return found.group(1) if found else None


def unpack(package, cache, directory):
    work = Path(tempfile.mkdtemp(prefix=".unpack.", dir=cache))
    try:
        done = subprocess.run(["apt-get", "download", package], cwd=work, capture_output=True)
        archives = list(work.glob("*.deb"))
        if done.returncode != 0 or not archives:
            raise Unavailable(f"apt-get download {package} failed: {last_line(done.stderr)}")
        subprocess.run(["dpkg", "-x", archives[0], work], check=True)
        archives[0].unlink()
        release = next((work / "lib" / "modules").iterdir()).name
        # The package makes its modules.dep when it is installed, which it is not here.
        subprocess.run([program_path("depmod"), "-b", work, release], check=True)
        (work / "vmlinux").write_bytes(extract_vmlinux((work / "boot" / f"vmlinuz-{release}").read_bytes()))
        take_boot_modules(work, release)
        shutil.rmtree(work / "usr", ignore_errors=True)
        (work / "release").write_text(release + "\n")
        work.chmod(0o755)
        shutil.rmtree(directory, ignore_errors=True)
        work.rename(directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def extract_vmlinux(image):
    """The ELF file inside a bzImage: started directly (PVH) it saves the guest decompressing itself, 3 s in emulation."""
    # Offsets: Documentation/arch/x86/boot.rst, "The real-mode kernel header".
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (setup_sectors + 1) * 512 + offset
    payload = image[begin:begin + length - 4]  # the last four bytes hold the unpacked size
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dcq"], input=payload, stdout=subprocess.PIPE, check=True).stdout
    raise LabError("the kernel image is packed neither with xz nor with zstd")


def take_boot_modules(work, release):
    target = work / "boot-modules"
    target.mkdir()
    order = []
    for module in BOOT_MODULES:
        listed = subprocess.run([program_path("modprobe"), "-d", work, "-S", release, "--show-depends", module],
                                capture_output=True, text=True, check=True)
        for path in re.findall(r"^insmod (\S+)", listed.stdout, re.MULTILINE):
            name = Path(path).name.removesuffix(".xz")
            if name in order:
                continue
            data = Path(path).read_bytes()
            (target / name).write_bytes(lzma.decompress(data) if path.endswith(".xz") else data)
            order.append(name)
    (target / "order").write_text("\n".join(order) + "\n")


def last_line(text):
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
