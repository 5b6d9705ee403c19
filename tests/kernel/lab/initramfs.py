# SPDX-License-Identifier: BSD-2-Clause
"""The first file system of a guest: static busybox, the boot modules and guest_init.sh, as an uncompressed newc cpio."""
from pathlib import Path

from . import kernels
from .errors import Unavailable

HERE = Path(__file__).resolve().parent
DIRECTORIES = ("bin", "dev", "proc", "sys", "host", "upper", "root", "modules")


def build(kernel, target):
    busybox = kernels.program_path("busybox")
    if busybox is None:
        raise Unavailable("busybox is missing: run scripts/kernel-lab setup")
    with open(target, "wb") as archive:
        numbers = iter(range(1, 1 << 20))
        for name in DIRECTORIES:
            add(archive, next(numbers), name, 0o040755, b"")
        add(archive, next(numbers), "bin/busybox", 0o100755, Path(busybox).read_bytes())
        add(archive, next(numbers), "init", 0o100755, (HERE / "guest_init.sh").read_bytes())
        add(archive, next(numbers), "agent", 0o100755, (HERE / "guest_agent.sh").read_bytes())
        for index, module in enumerate(kernel.boot_modules):
            # The shell expands modules/* in this order, which is the load order.
            add(archive, next(numbers), f"modules/{index:02}-{module.name}", 0o100644, module.read_bytes())
        add(archive, 0, "TRAILER!!!", 0, b"")


def add(archive, inode, name, mode, data):
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    archive.write(header + padding(len(header)))
    archive.write(data + padding(len(data)))


def padding(length):
    return b"\0" * (-length % 4)
