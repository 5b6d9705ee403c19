#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: results of an earlier run are lost, doubled or mixed up when a later one measures a few cases anew.
# How the test forces it: it writes a page, replaces one case in it, then another, then all, and reads what stands there.
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import results_page  # noqa: E402
import table  # noqa: E402
from results_page import Results  # noqa: E402

NAMES = ["one", "one_way", "two", "three"]


def row(case, figure):
    return ["P1", case, f"what {case} is", figure, "", "", "", "≤ 1 ×", "reached", "0 %"]


def page(text, *replacements):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "page.md"
        path.write_text(text)
        for new, measured in replacements:
            results_page.update(path, new, measured, NAMES)
        return path.read_text()


EMPTY = f"before\n{results_page.MARKS[0]}\n\nNothing yet.\n\n{results_page.MARKS[1]}\nafter\n"
ALL = Results(["Machine A."], [row("one", "1"), row("two", "2"), row("two", "22"), row("three", "-")], [("three", ", UCX: absent"), ("one_way", ": why")])
TWO = Results(["Machine B."], [row("two", "5")])
THREE = Results(["Machine C."], [row("three", "7")])


def figures(text):
    return [(cells[table.CASE], cells[3]) for cells in table.parse(text)]


def main():
    first = page(EMPTY, (ALL, NAMES))
    assert first.startswith("before\n") and first.endswith("after\n") and "Nothing yet" not in first, first
    assert figures(first) == [("one", "1"), ("two", "2"), ("two", "22"), ("three", "-")], first
    second = page(first, (TWO, ["two"]))
    assert figures(second) == [("one", "1"), ("two", "5"), ("three", "-")], second
    assert "\nMachine A.\n" in second and "\nOnly two: Machine B.\n" in second, second
    assert "Not measured: three, UCX: absent\n" in second and "Not measured: one_way: why\n" in second, second
    third = page(second, (THREE, ["three"]), (TWO, ["two"]))
    assert figures(third) == [("one", "1"), ("two", "5"), ("three", "7")], third
    assert third.count("Only two: ") == 1 and "UCX" not in third and "one_way: why" in third, third
    assert page(third, (ALL, NAMES)) == first
    assert figures(page(EMPTY, (TWO, ["two"]))) == [("two", "5")]
    print("the page keeps what was not measured anew")


if __name__ == "__main__":
    main()
