#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: a side that measures nothing, or a driver that loses it, looks like an infinitely fast peer.
# How the test forces it: a short run of two cases must bring a table line and non-zero samples of every round for each side; nothing is said about time.
import json
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = {"round_trip_blocking": 4, "one_way": 3, "memory": 2}


def main():
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory) / "bench.json"
        command = [sys.executable, "-B", here / "run.py", "--quick", "--program", sys.argv[1], "--json", result]
        for case in CASES:
            command += ["--only", case]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=280)
        print(done.stdout, done.stderr)
        found = json.loads(result.read_text())
    # UCX may be absent where only the tests' packages are installed; nobody else may.
    absent = [name for name in found["not_measured"] if not name.endswith(", UCX")]
    assert not absent, absent
    rows = [row for row in found["rows"] if row["unit"] and row["peer"] != "UCX"]
    assert len(rows) >= sum(CASES.values()), rows
    for row in rows:
        assert row["case"] in done.stdout, row
        assert len(row["ours"]) == 2 and all(row["ours"]), row
        assert row["peer"] is None or (len(row["peers"]) == 2 and all(row["peers"]) and all(row["ratios"])), row
    print(f"{len(rows)} rows have figures")


if __name__ == "__main__":
    main()
