# SPDX-License-Identifier: BSD-2-Clause
"""Where everything is measured: a network namespace of our own, in which one congestion control holds for every program.

The system's own setting stays as it is. The namespace ends with the last program in it.
"""
import os
import platform
import subprocess
import sys
from pathlib import Path

import ucx

INSIDE = "RDSCO_BENCH_INSIDE"
CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
# The only one that every namespace may choose.
WANTED = "reno"


def enter():
    """Starts this program again inside. Returns only there, or where there are no namespaces to be had."""
    if os.environ.get(INSIDE):
        return prepare()
    ways = [["unshare", "--net", "--mount"], ["unshare", "--user", "--map-root-user", "--net", "--mount"]]
    for way in ways:
        try:
            allowed = subprocess.run([*way, "true"], capture_output=True).returncode == 0
        except OSError:
            allowed = False
        if allowed:
            os.environ[INSIDE] = "1"
            os.execvp(way[0], [*way, sys.executable, "-B", *sys.argv])
    print("bench: no network namespace of its own; peers run with the system's congestion control", file=sys.stderr)
    return None


def prepare():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    CONGESTION_CONTROL.write_text(WANTED)
    # Needed for counting system calls; without it they are not measured.
    subprocess.run(["mount", "-t", "tracefs", "none", "/sys/kernel/tracing"], capture_output=True)


def package(name):
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout or None


def first_line(path, key):
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return None


def description():
    return {
        "kernel": platform.release(), "processor": first_line("/proc/cpuinfo", "model name"), "processors": len(os.sched_getaffinity(0)),
        "congestion_control": CONGESTION_CONTROL.read_text().strip(), "load": os.getloadavg()[0],
        "versions": {"UCX": ucx.version(), "Asio": package("libasio-dev"), "liburing": package("liburing-dev"), "g++": package("g++"),
                     "valgrind": package("valgrind"), "perftest": package("perftest")},
    }


def sentence(facts):
    versions = ", ".join(f"{name} {value or 'absent'}" for name, value in facts["versions"].items())
    return (f"Linux {facts['kernel']}, {facts['processors']} × {facts['processor']}, TCP congestion control {facts['congestion_control']}, "
            f"load {facts['load']:.1f} before. {versions}.")
