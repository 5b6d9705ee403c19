#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures rdsco beside its peers: one table, and the same as JSON. Called by scripts/bench."""
import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True

import guests  # noqa: E402
import results_page  # noqa: E402
import table  # noqa: E402
import verdict  # noqa: E402
import world  # noqa: E402
from alternate import Alternator  # noqa: E402
from cases import all_cases  # noqa: E402
from program import Program  # noqa: E402
from results_page import Results  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_RUN = 77


def arguments():
    names = ", ".join(case.name for case in all_cases())
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, epilog=f"cases: {names}")
    parser.add_argument("--quick", action="store_true", help="two rounds of short runs: shows that everything works, and no more")
    parser.add_argument("--rounds", type=int, default=None, help="alternating rounds (5; fewer give no verdict)")
    parser.add_argument("--only", action="append", metavar="CASE", help="this case; may be repeated")
    parser.add_argument("--lab", action="store_true", help="the cases that run in guests of the kernel lab")
    parser.add_argument("--kernel", default="6.1", help="series of those guests' kernel")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--docs", type=Path, help="a Markdown file whose marked section takes the results; with --only, the rows of those cases alone")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "gcc-release" / "bench" / "rdsco_bench")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options, parser


def chosen(options, parser):
    cases = all_cases()
    unknown = set(options.only or ()) - {case.name for case in cases}
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; {parser.epilog}")
    wanted = set(options.only or (case.name for case in cases if case.place or not options.lab))
    return [case for case in cases if case.name in wanted]


def measured(options, case, alternator, lab, found):
    """The rounds of a case; `found` gets to know what there is to say about them."""
    if case.place is None:
        return alternator.measure(case)
    try:
        if not options.lab_alone:
            guests.must_be_here(options.kernel)
        rounds, failures = lab.measure(case)
    except guests.Unavailable as why:
        found.unavailable[case.name] = f"no kernel lab here: {why}"
        return []
    found.failures.update(failures)
    return rounds


@dataclass
class Found:
    about: list
    lines: list = field(default_factory=list)  # pairs of a case and a verdict.Line
    failures: dict = field(default_factory=dict)
    unavailable: dict = field(default_factory=dict)

    def not_measured(self):
        return {**self.failures, **self.unavailable}


def results(options, cases, facts):
    found = Found([f"{world.sentence(facts)} {options.rounds} rounds{', quick' if options.quick else ''}."])
    alternator = Alternator(Program(options.program), options.rounds, options.quick)
    found.failures = alternator.failures
    with guests.Guests(options) as lab:
        for case in cases:
            rounds = measured(options, case, alternator, lab, found)
            found.lines += [(case, verdict.line_of(row, rounds)) for row in case.rows]
        found.about += lab.about
    return found


def report(options, facts, cases, found):
    absent = [(name.partition(",")[0], f"{name[len(name.partition(',')[0]):]}: {why}") for name, why in found.not_measured().items()]
    page = Results(found.about, [table.cells(case, line) for case, line in found.lines], absent)
    print(page.text(), end="", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({
        "machine": facts, "about": found.about, "rounds": options.rounds, "quick": options.quick,
        "rows": [table.data(case, line) for case, line in found.lines], "not_measured": found.not_measured(),
    }, indent=1, ensure_ascii=False) + "\n")
    if options.docs:
        results_page.update(options.docs, page, [case.name for case in cases], [case.name for case in all_cases()])


def main():
    options, parser = arguments()
    cases = chosen(options, parser)
    # Guests have networks of their own, and their kernel may have to be downloaded.
    options.lab_alone = all(case.place for case in cases)
    if not options.lab_alone:
        world.enter()
    facts = world.description()
    found = results(options, cases, facts)
    report(options, facts, cases, found)
    if found.failures:
        return 1
    return NOT_RUN if options.lab_alone and found.unavailable else 0


if __name__ == "__main__":
    sys.exit(main())
