# SPDX-License-Identifier: BSD-2-Clause
"""Runs one measurement of bench/main.cpp, plain or under callgrind."""
import json
import shutil
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


def instructions_of(command, count, **more):
    """Of a process in user space, for each of `count`: what a longer run executes more than a shorter one. `command(count)` runs it."""
    fewer, longer = (executed(command(times * count), **more) for times in (1, 3))
    return {"instructions": (longer - fewer) / (2 * count)}


def executed(command, **more):
    with tempfile.TemporaryDirectory() as directory:
        if shutil.which("valgrind") is None:
            raise Failed("valgrind is not installed")
        counted = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/%p", *map(str, command)]
        process = subprocess.Popen(counted, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        try:
            _, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed(f"no end within {PATIENCE} s: {counted}") from None
        if process.returncode != 0:
            raise Failed((errors.strip() or f"status {process.returncode}").splitlines()[-1])
        # A forked server has a file of its own.
        for line in (Path(directory) / str(process.pid)).read_text().splitlines():
            if line.startswith(("summary:", "totals:")):
                return int(line.split()[1])
    raise Failed("callgrind wrote no total")


class Program:
    """bench/main.cpp, on this machine."""

    def __init__(self, path):
        self.path = Path(path)

    def measure(self, run, count):
        return json.loads(output_of([self.path, *arguments_of(run, count)]))

    def count_instructions(self, run, count):
        return instructions_of(lambda times: [self.path, *arguments_of(run, times)], count)
