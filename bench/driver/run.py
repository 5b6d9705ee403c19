#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures rdsco beside its peers: one table, and the same as JSON. Called by scripts/bench."""
import argparse
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import lab_case  # noqa: E402
import table  # noqa: E402
import verdict  # noqa: E402
import world  # noqa: E402
from alternate import Alternator  # noqa: E402
from cases import all_cases  # noqa: E402
from program import Program  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
MARKS = ("<!-- results: begin -->", "<!-- results: end -->")


def arguments():
    names = ", ".join(case.name for case in all_cases())
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, epilog=f"cases: {names}")
    parser.add_argument("--quick", action="store_true", help="two rounds of short runs: shows that everything works, and no more")
    parser.add_argument("--rounds", type=int, default=None, help="alternating rounds (5; fewer give no verdict)")
    parser.add_argument("--only", action="append", metavar="CASE", help="this case; may be repeated")
    parser.add_argument("--lab", action="store_true", help="against the kernel's RDS instead, in a guest of the kernel lab")
    parser.add_argument("--kernel", default="6.1", help="series of that guest's kernel")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--docs", type=Path, help="a Markdown file whose marked section is replaced by the results")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "gcc-release" / "bench" / "rdsco_bench")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options, parser


def chosen(options, parser):
    cases = all_cases()
    unknown = set(options.only or ()) - {case.name for case in cases}
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; {parser.epilog}")
    return [case for case in cases if not options.only or case.name in options.only]


def results(options, cases):
    alternator = Alternator(Program(options.program), options.rounds, options.quick)
    lines = [verdict.line_of(row, rounds) for case, rounds in ((case, alternator.measure(case)) for case in cases) for row in case.rows]
    return lines, alternator.failures


def report(options, facts, lines, failures):
    body = f"{world.sentence(facts)} {options.rounds} rounds{', quick' if options.quick else ''}.\n\n{table.text(lines)}\n"
    body += "".join(f"\nNot measured: {name}: {why}\n" for name, why in failures.items())
    print(body, end="", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": facts, "rounds": options.rounds, "quick": options.quick, "rows": table.data(lines),
                                        "not_measured": failures}, indent=1, ensure_ascii=False) + "\n")
    if options.docs:
        before, _, rest = options.docs.read_text().partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        options.docs.write_text(f"{before}{MARKS[0]}\n\n{body}\n{MARKS[1]}{after}")


def main():
    options, parser = arguments()
    if options.lab:
        facts, lines, failures = lab_case.measure(options)
    else:
        cases = chosen(options, parser)
        world.enter()
        facts = world.description()
        lines, failures = results(options, cases)
    report(options, facts, lines, failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
