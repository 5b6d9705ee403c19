# SPDX-License-Identifier: BSD-2-Clause
"""From the rounds of a case to its rows: medians, ratios, and what may be said about a goal."""
from dataclasses import dataclass
from math import comb
from statistics import median

ENOUGH_ROUNDS = 5
SIGNIFICANT = 0.05

REACHED, MISSED, UNKNOWN, FEW, ABSENT = "reached", "NOT REACHED", "inconclusive", "too few rounds", "not measured"


@dataclass
class Line:
    """A row with its figures. Samples are one a round, and `ratios` pairs those of the same round."""
    row: object
    ours: list
    peer: list
    ratios: list
    verdict: str

    def spread(self):
        """Of what the goal is about, between the extreme rounds, as a part of the median."""
        values = self.ratios or self.ours
        middle = median(values) if values else 0
        return (max(values) - min(values)) / middle if middle else 0.0


def chance(hits, rounds):
    """Of so many hits or more if either outcome of a round were equally likely."""
    return sum(comb(rounds, k) for k in range(hits, rounds + 1)) / 2**rounds


def judge(row, values):
    if row.goal is None:
        return ""
    if not values:
        return ABSENT
    hits = sum(row.goal.holds(value) for value in values)
    if row.exact:
        return REACHED if hits == len(values) else MISSED if hits == 0 else UNKNOWN
    if len(values) < ENOUGH_ROUNDS:
        return FEW
    if chance(hits, len(values)) <= SIGNIFICANT:
        return REACHED
    return MISSED if chance(len(values) - hits, len(values)) <= SIGNIFICANT else UNKNOWN


def samples(rounds, source):
    run, figure = source
    return [each[run].get(figure) for each in rounds]


def line_of(row, rounds):
    """`rounds`: for each round the figures of each run, by name; those of a failed run are empty."""
    ours = samples(rounds, row.ours)
    peer = samples(rounds, row.peer) if row.peer else []
    ratios = [a / b for a, b in zip(ours, peer) if a is not None and b]
    ours, peer = [[value for value in side if value is not None] for side in (ours, peer)]
    return Line(row, ours, peer, ratios, judge(row, ratios if row.peer else ours))
