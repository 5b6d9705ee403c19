# SPDX-License-Identifier: BSD-2-Clause
"""Cases that need a kernel of their own, or an adapter: they run in guests of the kernel lab, one guest for each place."""
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from alternate import Alternator
from program import Failed, arguments_of

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kernel"))

import lab  # noqa: E402
from lab import kernels  # noqa: E402

PATIENCE = 900
QUESTION_PATIENCE = 60

Unavailable = lab.Unavailable


@dataclass(frozen=True)
class Place:
    """What makes a fresh guest into where a case is measured, and a sentence about it."""
    script: str
    about: str
    rds_over_tcp: bool = False
    memory: int = 512  # MiB


# The same congestion control as outside; namespaces begin with that of the first one.
TWO_HOSTS = Place(rds_over_tcp=True, about="TCP congestion control reno", script="""
set -e
echo reno >/proc/sys/net/ipv4/tcp_congestion_control
ip netns add a
ip netns add b
ip link add west netns a type veth peer name east netns b
ip -n a addr add 10.1.0.1/24 dev west
ip -n b addr add 10.1.0.2/24 dev east
ip -n a link set west up
ip -n b link set east up
""")
# Two addresses of one adapter, which carries what they send each other. Its packets take a whole fragment's payload.
ADAPTER = Place(memory=2600, about="soft-RoCE, MTU 4096, which loops its packets back", script="""
set -e
modprobe -a dummy ib_uverbs rdma_ucm rdma_rxe rds_rdma
ip link add d0 type dummy
ip link set d0 mtu 4200 up
ip addr add 10.1.0.1/24 dev d0
ip addr add 10.1.0.2/24 dev d0
rdma link add rxe0 type rxe netdev d0
""")
PLACES = {"two hosts": TWO_HOSTS, "adapter": ADAPTER}


class ProgramInGuest:
    """bench/main.cpp, in a guest that has this machine's files."""

    def __init__(self, session, path):
        self.session, self.path = session, Path(path).resolve()

    def measure(self, run, count):
        return json.loads(self.shell(shlex.join([str(self.path), *arguments_of(run, count)]), PATIENCE))

    def shell(self, command, patience=QUESTION_PATIENCE):
        status, output, errors = self.session.guest.run(command, timeout=patience)
        if status != 0:
            raise Failed(errors.decode(errors="replace").strip() or f"status {status}")
        return output.decode()


def must_be_here(series):
    """A benchmark of other things does not download kernels.
    Errors: Unavailable says what is missing.
    """
    missing = sorted({package for program, package in kernels.PROGRAMS if kernels.program_path(program) is None})
    if missing:
        raise Unavailable(f"missing Debian packages: {' '.join(missing)}")
    if not (kernels.cache_directory() / series / "release").exists():
        raise Unavailable(f"no Linux {series} in the kernel lab; `scripts/kernel-lab setup` brings it")


class Guests:
    """Boots a guest when the first case of its place comes. `with` ends the last one."""

    def __init__(self, options):
        self.options = options
        self.place = None
        self.session = None
        self.about = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()

    def end(self):
        if self.session:
            self.session.close()
        self.session = self.place = None

    def at(self, name):
        """The program in a guest of that place.
        Errors: Unavailable where there is no kernel lab.
        """
        if self.place != name:
            self.end()
            place = PLACES[name]
            self.session = lab.Session(self.options.kernel, rds=place.rds_over_tcp, smp=2, memory=place.memory)
            self.place = name
            self.program = ProgramInGuest(self.session, self.options.program)
            self.program.shell(place.script)
            self.about.append(f"Guest with {name}: Linux {self.session.kernel}, two emulated processors, {place.about}.")
        return self.program

    def measure(self, case):
        """The rounds of a case, and the failures.
        Errors: Unavailable where there is no kernel lab.
        """
        try:
            alternator = Alternator(self.at(case.place), self.options.rounds, self.options.quick)
            return alternator.measure(case), alternator.failures
        except Unavailable:
            raise
        except (Failed, lab.LabError) as why:
            self.end()
            return [], {case.name: str(why)}
