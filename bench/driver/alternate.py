# SPDX-License-Identifier: BSD-2-Clause
"""Runs the sides of a case in turns, so that what disturbs the machine disturbs them all."""
import sys

import perftest
import ucx
from program import Failed

EXACT_ROUNDS = 2


class Alternator:
    def __init__(self, program, rounds, quick):
        self.program, self.rounds, self.quick = program, rounds, quick
        self.failures = {}

    def measure(self, case):
        """For each round the figures of each run."""
        rounds = []
        most = EXACT_ROUNDS if case.exact else case.rounds or self.rounds
        for number in range(min(self.rounds, most)):
            # There and back again: nobody always comes first.
            names = list(case.runs) if number % 2 == 0 else list(reversed(case.runs))
            rounds.append({name: self.once(case, name) for name in names})
            progress(f"{case.name}: round {number + 1}")
        progress("")
        return rounds

    def once(self, case, name):
        run = case.runs[name]
        count = run.quick if self.quick else run.count
        label = f"{case.name}, {name}"
        if label in self.failures:
            return {}
        try:
            if run.tool == "ucx":
                return ucx.measure(run, count)
            if run.tool == "perftest":
                return perftest.measure(self.program, run, count)
            if run.tool == "ucx_callgrind":
                return ucx.count_instructions(count)
            if run.tool == "callgrind":
                return self.program.count_instructions(run, count)
            return self.program.measure(run, count)
        except Failed as why:
            self.failures[label] = str(why)
            return {}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
