# SPDX-License-Identifier: BSD-2-Clause
"""A session: one guest, and with a network the private namespace in which native programs talk to it."""
import json
import os
import shutil
import tempfile
from pathlib import Path

from . import kernels, network
from .errors import LabError
from .guest import Guest
from .job import PATIENCE
from .machine import Machine
from .native import Native
from .service import PREFIX, Service, own_sessions


class TcpPeer:
    """What a session can ask of the kernel's RDS over TCP in `self.guest`."""

    def restart_rds(self):
        """A kernel that has never heard of its peers: only unloading forgets sequence numbers and connections.

        Every AF_RDS socket of the guest must be closed first.
        """
        status, _, errors = self.guest.run("rmmod rds_tcp rds && modprobe rds_tcp", timeout=PATIENCE, directory="/")
        if status != 0:
            raise LabError(f"rds_tcp cannot be reloaded: {errors.decode(errors='replace').strip()}")

    def reset_tcp(self):
        """Resets (RST) the established connections of RDS over TCP in the guest; returns how many there were."""
        filter_ = "( sport = :16385 or dport = :16385 )"
        status, output, errors = self.guest.run(f"ss -H -K -n -t state established '{filter_}'", timeout=PATIENCE, directory="/")
        if status != 0:
            raise LabError(f"ss failed in the guest: {errors.decode(errors='replace').strip()}")
        return len(output.splitlines())


class Session(TcpPeer):
    """`with Session(kernel="6.1", tap=True) as lab:` boots; the end of the block removes everything.

    lab.guest.run / lab.guest.start   commands in the guest
    lab.native.run / lab.native.start the same for native commands in the namespace at the other end of the wire
    """

    wire_device = network.Network.device

    def __init__(self, kernel="6.1", *, tap=False, smp=1, memory=512, accel="tcg", terminal=False, rds=None, mtu=1500,
                 native_addresses=network.NATIVE_ADDRESSES, guest_addresses=network.GUEST_ADDRESSES):
        unpacked = kernels.find(kernel)
        self.kernel = unpacked.release
        self.network = network.Network(native_addresses, guest_addresses, mtu) if tap else None
        remove_leftovers()
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.native = Native(self.network, self.directory)
        self.machine = None
        self.service = None
        try:
            (self.directory / "share" / "jobs").mkdir(parents=True)
            self.machine = Machine(unpacked, self.directory, smp=smp, memory=memory, accel=accel, network=self.network,
                                   terminal=terminal, rds=tap if rds is None else rds)
            self.guest = Guest(self.machine)
            self.guest.wait_until_up()
            self.service = Service(self)
            self._register()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        if self.service:
            self.service.close()
            self.service = None
        if self.machine:
            self.machine.stop()
            self.machine = None
        if self.network:
            self.network.close()
            self.network = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _register(self):
        facts = {"pid": os.getpid(), "kernel": self.kernel,
                 "namespace": self.network.namespace if self.network else None}
        (self.directory / "session.json").write_text(json.dumps(facts))


def remove_leftovers():
    """Directories of sessions whose process was killed: nobody else will remove them."""
    for directory, facts in own_sessions():
        if not facts["alive"]:
            shutil.rmtree(directory, ignore_errors=True)
