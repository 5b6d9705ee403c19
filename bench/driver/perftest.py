# SPDX-License-Identifier: BSD-2-Clause
"""The perftest programs as peers: what an adapter does for a program that does nothing else. Both ends run in the guest, a processor each.

ib_send_lat prints half of a round trip, and what it calls MB are MiB.
"""
import shlex
import shutil

from program import Failed

PATIENCE = 300
SERVER = "10.1.0.1"
PORT = 18515
# The client comes when the server listens, and is the one whose figures count.
BOTH_ENDS = """
taskset -c 1 {command} >/run/perftest 2>&1 &
for attempt in $(seq 200); do ss -H -l -t -n 'sport = :{port}' | grep -q . && break; sleep 0.1; done
taskset -c 0 {command} {server} || {{ status=$?; cat /run/perftest >&2; kill %1; exit $status; }}
wait %1
"""


def command_of(run, count):
    words = [run.measurement, "-d", "rxe0", "-F", "-p", str(PORT), "-s", str(run.options["bytes"]), "-n", str(count)]
    return words + (["-e"] if run.options.get("wait") == "block" else [])


def numbers(text):
    """Those of the line below the head of the table."""
    lines = text.splitlines()
    for above, line in zip(lines, lines[1:]):
        if above.lstrip().startswith("#bytes"):
            return [float(word) for word in line.split()]
    raise Failed(f"no table in what perftest printed: {text.strip()[-200:]}")


def measure(program, run, count):
    if shutil.which(run.measurement) is None:
        raise Failed(f"{run.measurement} is not installed (package perftest)")
    script = BOTH_ENDS.format(command=shlex.join(command_of(run, count)), port=PORT, server=SERVER)
    found = numbers(program.shell(script, PATIENCE))
    if run.measurement.endswith("_lat"):
        _, _, _, _, typical, *_ = found
        return {"p50_ns": 2e3 * typical}
    _, _, _, average, millions = found
    return {"bytes_per_second": average * (1 << 20), "per_second": millions * 1e6}
