# SPDX-License-Identifier: BSD-2-Clause
"""ucx_perftest as a peer: tag matching over TCP, and within one process.

tag_lat prints half of a round trip. With -l both halves are the same process, so that what it prints is half of what one
message (one send, one receive) costs there.
"""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from program import Failed, instructions_of, output_of

PROGRAM = "ucx_perftest"
COLUMNS = ("iterations", "p50_us", "mean_us", "overall_us", "mean_mb", "overall_mb", "mean_rate", "overall_rate")
PATIENCE = 20


def version():
    try:
        return re.search(r"ersion (\S+)", output_of(["ucx_info", "-v"])).group(1)
    except (Failed, AttributeError):
        return None


def needed():
    if shutil.which(PROGRAM) is None:
        raise Failed(f"{PROGRAM} is not installed (package ucx-utils)")


def environment(transport):
    return {**os.environ, "UCX_TLS": transport, "UCX_NET_DEVICES": "lo", "UCX_LOG_LEVEL": "error"}


def parse(text):
    for line in reversed(text.splitlines()):
        fields = line.split(",")
        if len(fields) == len(COLUMNS) and re.fullmatch(r"[\d.]+", fields[0]):
            return dict(zip(COLUMNS, map(float, fields)))
    raise Failed("ucx_perftest printed no figures")


def own_command(count):
    return [PROGRAM, "-l", "-c", "0", "-t", "tag_lat", "-s", "64", "-n", str(count), "-f", "-v"]


def in_one_process(count):
    return {"ns": 2e9 / parse(output_of(own_command(count), env=environment("self")))["overall_rate"]}


def count_instructions(count):
    """Of one message: each iteration sends one and receives it."""
    needed()
    return instructions_of(own_command, count, env=environment("self"))


def listening(port):
    """Whether somebody listens at the port, in this network namespace."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return True
    return False


def over_tcp(test, size, count, blocking=False):
    """Spinning, one process a core; or both asleep on one core while there is nothing to do."""
    port = 31000 + os.getpid() % 1000
    settings = environment("tcp")
    common = [PROGRAM, "-p", str(port), "-E", "sleep" if blocking else "poll"]
    server = subprocess.Popen([*common, "-c", "0" if blocking else "1"], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while not listening(port):
            if server.poll() is not None or time.monotonic() > end:
                raise Failed("the server of ucx_perftest does not listen")
            time.sleep(0.01)
        command = [*common, "-c", "0", "-t", test, "-s", str(size), "-n", str(count), "-f", "-v", "127.0.0.1"]
        return parse(output_of(command, env=settings))
    finally:
        server.kill()
        server.wait()


def measure(run, count):
    needed()
    if run.measurement == "self":
        return in_one_process(count)
    if run.measurement == "tcp_latency":
        return {"p50_ns": 2e3 * over_tcp("tag_lat", 64, count, run.options["wait"] == "block")["p50_us"]}
    size = 1 << 20 if run.measurement == "tcp_bulk" else 64
    rate = over_tcp("tag_bw", size, count)["overall_rate"]
    return {"per_second": rate, "bytes_per_second": rate * size}
