#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: a side that measures nothing, or a driver that loses it, looks like an infinitely fast peer.
# How the test forces it: a short run of a case of each kind must bring a table line and non-zero samples of every round for each side; nothing
# is said about time. What is not installed here is named, and the test says "not run" once all else holds.
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = {"round_trip_blocking": 4, "one_way": 6, "memory": 3, "loopback_instructions": 0}
NOT_RUN = 77
NOT_INSTALLED = "not installed"


def measure(program):
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory) / "bench.json"
        command = [sys.executable, "-B", here / "run.py", "--quick", "--program", program, "--json", result]
        for case in CASES:
            command += ["--only", case]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=280)
        print(done.stdout, done.stderr)
        return done.stdout, json.loads(result.read_text())


def check(row, shown, missing):
    assert row["what"] in shown, row
    # Zero is a count as good as any other, and calls are counted where the kernel allows it.
    if not row["unit"]:
        return
    if row["peer"] in missing:
        return
    assert len(row["ours"]) == 2 and all(row["ours"]), row
    assert row["peer"] is None or (len(row["peers"]) == 2 and all(row["peers"]) and all(row["ratios"])), row


def main():
    shown, found = measure(sys.argv[1])
    absent = {name: why for name, why in found["not_measured"].items() if NOT_INSTALLED in why}
    failed = {name: why for name, why in found["not_measured"].items() if name not in absent}
    assert not failed, failed
    missing = {name.partition(", ")[2] for name in absent}
    for row in found["rows"]:
        check(row, shown, missing)
    for case, least in CASES.items():
        with_figures = [row for row in found["rows"] if row["case"] == case and row["unit"] and row["ours"]]
        assert len(with_figures) >= least, (case, with_figures)
    counted = [row for row in found["rows"] if row["figure"] == "instructions" and row["ours"]]
    assert counted or any("valgrind" in why for why in absent.values()), "no instructions"
    if absent:
        print(f"not run: {'; '.join(f'{name}: {why}' for name, why in absent.items())}")
        sys.exit(NOT_RUN)
    print(f"{len(found['rows'])} rows")


if __name__ == "__main__":
    main()
