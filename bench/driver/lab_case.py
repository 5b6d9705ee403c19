# SPDX-License-Identifier: BSD-2-Clause
"""P11: rdsco against the kernel's own RDS, both between two network namespaces of one guest."""
import json
import shlex
import sys
from pathlib import Path

from alternate import Alternator
from program import Failed, arguments_of

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kernel"))

import lab  # noqa: E402
from lab import kernels  # noqa: E402

# The same congestion control as outside; namespaces begin with that of the first one.
HOSTS = """
set -e
echo reno >/proc/sys/net/ipv4/tcp_congestion_control
ip netns add a
ip netns add b
ip link add west netns a type veth peer name east netns b
ip -n a addr add 10.1.0.1/24 dev west
ip -n b addr add 10.1.0.2/24 dev east
ip -n a link set west up
ip -n b link set east up
"""
PATIENCE = 900
QUESTION_PATIENCE = 60

Unavailable = lab.Unavailable


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


def measure(case, options):
    """The rounds of a case, the failures, and a sentence about the guest.
    Errors: Unavailable where there is no kernel lab.
    """
    try:
        with lab.Session(options.kernel, rds=True, smp=2) as session:
            program = ProgramInGuest(session, options.program)
            program.shell(HOSTS)
            about = f"The guest of {case.name}: Linux {session.kernel}, TCP congestion control reno, two emulated processors."
            alternator = Alternator(program, options.rounds, options.quick)
            return alternator.measure(case), alternator.failures, about
    except Unavailable:
        raise
    except (Failed, lab.LabError) as why:
        return [], {case.name: str(why)}, ""
