# SPDX-License-Identifier: BSD-2-Clause
"""Two guests on one virtual wire: for what cannot be in one kernel, such as the kernel's RDS over verbs and another RDS on its ports,
and for users who may not make a network namespace with a TAP."""
import shutil
import tempfile
from pathlib import Path

from . import kernels, network
from .guest import Guest
from .machine import Machine
from .service import PREFIX
from .session import TcpPeer

ADDRESSES = (("10.88.0.1/16", "fd88::1/64"), ("10.88.0.2/16", "fd88::2/64"))


class Cable:
    """One end of a wire between two QEMUs: the first listens at a socket of the file system, the second connects to it."""

    device = "eth0"
    descriptors = ()

    def __init__(self, path, number, addresses):
        self.guest_addresses = addresses
        self.netdev = f"stream,id=wire,server={'on' if number == 0 else 'off'},addr.type=unix,addr.path={path}"
        self.mac = f"52:54:00:88:00:0{number + 1}"

    def wrap(self, arguments):
        return arguments


class Pair:
    """`with Pair("6.1") as pair:` boots two guests; pair.guests[0] has the addresses addresses[0], pair.guests[1] the others. `rds` names
    those in which the kernel's RDS over TCP is loaded."""

    def __init__(self, kernel="6.1", *, smp=1, memory=512, accel="tcg", addresses=ADDRESSES, rds=()):
        unpacked = kernels.find(kernel)
        self.kernel = unpacked.release
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.machines = []
        self.guests = []
        try:
            for number in range(2):
                own = self.directory / str(number)
                (own / "share" / "jobs").mkdir(parents=True)
                self.machines.append(Machine(unpacked, own, smp=smp, memory=memory, accel=accel,
                                             network=Cable(self.directory / "wire", number, addresses[number]), rds=number in rds))
                self.guests.append(Guest(self.machines[-1]))
                self.guests[-1].wait_until_up()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        for machine in self.machines:
            machine.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class PairedSession(Pair, TcpPeer):
    """A Session for those who have no TAP: `native` is a guest as well, without RDS of its kernel's."""

    wire_device = Cable.device

    def __init__(self, kernel="6.1"):
        super().__init__(kernel, addresses=(network.NATIVE_ADDRESSES, network.GUEST_ADDRESSES), rds=(1,))
        self.native, self.guest = self.guests
