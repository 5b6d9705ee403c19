# SPDX-License-Identifier: BSD-2-Clause
"""Runs one measurement of bench/main.cpp, plain or under callgrind."""
import json
import subprocess
import tempfile
from pathlib import Path

PATIENCE = 600


class Failed(Exception):
    """A measurement that brought no figures; its text says why."""


def output_of(command, **more):
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE, **more)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end within {PATIENCE} s: {command}") from None
    except OSError as error:
        raise Failed(str(error)) from None
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1])
    return done.stdout


def arguments_of(run, count):
    words = [run.measurement, "--count", str(count)]
    for name, value in run.options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


class Program:
    def __init__(self, path):
        self.path = Path(path)

    def measure(self, run, count):
        figures = json.loads(output_of([self.path, *arguments_of(run, count)]))
        for side in ("sender", "receiver"):
            if f"{side}_turns" in figures:
                figures[f"{side}_waits_a_turn"] = figures[f"{side}_waits"] / max(figures[f"{side}_turns"], 1e-12)
        return figures

    def count_instructions(self, run, count):
        """Of the measuring process, in user space: what a longer run executes more than a shorter one."""
        fewer, more = (self._executed(run, times * count) for times in (1, 3))
        return {"instructions": (more - fewer) / (2 * count)}

    def _executed(self, run, count):
        with tempfile.TemporaryDirectory() as directory:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/%p", str(self.path), *arguments_of(run, count)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                _, errors = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise Failed(f"no end within {PATIENCE} s: {command}") from None
            if process.returncode != 0:
                raise Failed(errors.strip().splitlines()[-1])
            # The serving process is a fork and has a file of its own.
            for line in (Path(directory) / str(process.pid)).read_text().splitlines():
                if line.startswith(("summary:", "totals:")):
                    return int(line.split()[1])
        raise Failed("callgrind wrote no total")
