# SPDX-License-Identifier: BSD-2-Clause
"""P11: rdsco against the kernel's own RDS, both between two network namespaces of one guest."""
import json
import shlex
import sys
from pathlib import Path

import verdict
import world
from cases import Case, Row, Run, at_least
from program import Failed, arguments_of

ROOT = Path(__file__).resolve().parent.parent.parent

HOSTS = """
set -e
ip netns add a
ip netns add b
ip link add west netns a type veth peer name east netns b
ip -n a addr add 10.1.0.1/24 dev west
ip -n b addr add 10.1.0.2/24 dev east
ip -n a link set west up
ip -n b link set east up
"""
# rds_tcp has RDS's own TCP port in every namespace.
PLACES = {"client-network": "a", "server-network": "b", "client-address": "10.1.0.1", "server-address": "10.1.0.2", "port": 17000}
PATIENCE = 900


def case(kernel):
    size = {"count": 40_000, "quick": 4_000}
    runs = {"rdsco": Run("one_way.rdsco", {"wait": "adaptive", **PLACES}, **size),
            "kernel RDS": Run("one_way.kernel_rds", PLACES, **size)}
    rows = (Row("P11", f"64 B, one way, two hosts in a guest with Linux {kernel}", "/s", ("rdsco", "per_second"), ("kernel RDS", "per_second"),
                at_least(5)),)
    return Case("kernel_rds", runs, rows)


def one_run(session, options, run):
    count = run.quick if options.quick else run.count
    words = [str(options.program.resolve()), *arguments_of(run, count)]
    status, output, errors = session.guest.run(shlex.join(words), timeout=PATIENCE)
    if status != 0:
        raise Failed(errors.decode(errors="replace").strip() or f"status {status}")
    return json.loads(output)


def guest_facts(session):
    _, output, _ = session.guest.run("uname -r; cat /proc/sys/net/ipv4/tcp_congestion_control", timeout=60)
    return output.decode().split()


def measure(options):
    sys.path.insert(0, str(ROOT / "tests" / "kernel"))
    import lab
    wanted = case(options.kernel)
    facts, rounds, failures = world.description(), [], {}
    try:
        with lab.Session(options.kernel, rds=True, smp=2) as session:
            status, _, errors = session.guest.run(HOSTS, timeout=60)
            if status != 0:
                raise Failed(errors.decode(errors="replace"))
            # What counts here is the guest's.
            facts["kernel"], facts["congestion_control"] = guest_facts(session)
            for number in range(options.rounds):
                names = sorted(wanted.runs, reverse=number % 2 == 1)
                rounds.append({name: one_run(session, options, wanted.runs[name]) for name in names})
    except lab.Unavailable as why:
        print(f"bench: no kernel lab here: {why}", file=sys.stderr)
        sys.exit(77)
    except Failed as why:
        failures["kernel_rds"] = str(why)
    return facts, [verdict.line_of(row, rounds) for row in wanted.rows], failures
