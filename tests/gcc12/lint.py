#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Keeps co_await expressions that GCC 12 miscompiles out of the tree: lint.py ROOT.

Not a parser: it reads the expression after each co_await, bracket by bracket. What it forbids is pinned in traps_test.cpp.
"""
import pathlib
import re
import sys

AREAS = ("include", "src", "transports", "tools", "samples", "bench", "tests")
SKIPPED = ("tests/gcc12/",)
SUFFIXES = {".hpp", ".cpp", ".ipp"}

BLANKED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
LAMBDA_BODY = re.compile(r"(\)|\]|\bmutable|\bnoexcept|\bconstexpr|->\s*[\w:<>,&*\s]+)\s*$")


def blank(text):
    """Comments and literals become spaces; line numbers stay."""
    return BLANKED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def matching(text, start):
    """Position of the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
            if depth == 0:
                return at
    return len(text) - 1


def copies(captures):
    """Whether a capture list copies something with a destructor, as far as one can see."""
    for item in re.split(r",(?![^(<]*[)>])", captures):
        item = item.strip()
        if item and not item.startswith("&") and item not in ("this",):
            return True
    return False


def expression_complaints(text, start, in_tests):
    """Complaints about the operand that begins at `start`."""
    at, depth = start, 0
    while at < len(text):
        char, before = text[at], text[start:at].rstrip()
        if char == ";" or (char in ")]}" and depth == 0) or (char == "," and depth == 0):
            return
        if char == "[" and not re.search(r"[\w\])]$", before):
            end = matching(text, at)
            if copies(text[at + 1:end]):
                yield "a lambda that captures by copy: name it first"
            at = end
        elif char == "{":
            end = matching(text, at)
            # Bare {} is how tests write an empty payload, whose type has no destructor.
            empty_payload = in_tests and text[at + 1:end].strip() == "" and before.endswith(("(", ","))
            if not empty_payload and not LAMBDA_BODY.search(before):
                yield "a braced temporary: name it first, or give its class a constructor and use parentheses"
            at = end
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        at += 1


def in_branch(text, start):
    """Whether the co_await at `start` stands behind a ? of its own statement."""
    begin = max(text.rfind(mark, 0, start) for mark in ";{}")
    return "?" in text[begin + 1:start]


def conditions(text):
    """Start and end of each condition of an if, while or for."""
    for match in re.finditer(r"\b(if|while|for)\s*(?:constexpr\s*)?\(", text):
        yield match.end(), matching(text, match.end() - 1)


def condition_complaints(text):
    """Members of awaited results that a condition reads: GCC 12 loses the awaiter, and nothing resumes."""
    for begin, end in conditions(text):
        for match in re.finditer(r"\(\s*co_await\b", text[begin:end]):
            closing = matching(text, begin + match.start())
            if re.match(r"\s*(\.|->)", text[closing + 1:end]):
                yield text.count("\n", 0, begin + match.start()) + 1


def do_conditions(text):
    """Start and end of each condition of a do."""
    for match in re.finditer(r"\bdo\b\s*", text):
        # A loop in the body without braces is not followed; nobody writes that.
        if text[match.end():match.end() + 1] == "{":
            end = matching(text, match.end()) + 1
        else:
            end = text.find(";", match.end()) + 1
        condition = re.compile(r"\s*while\s*\(").match(text, end)
        if condition:
            yield condition.end(), matching(text, condition.end() - 1)


def do_complaints(text):
    """co_awaits in the condition of a do: GCC 12 evaluates them right of && and ||, whatever stands left, or loses the loop."""
    for begin, end in do_conditions(text):
        for match in re.finditer(r"\bco_await\b", text[begin:end]):
            yield text.count("\n", 0, begin + match.start()) + 1


def complaints(text, in_tests=False):
    text = blank(text)
    for line in do_complaints(text):
        yield line, "co_await in the condition of do: await it in the body"
    for line in condition_complaints(text):
        yield line, "a member of an awaited result in a condition: name the result first"
    for match in re.finditer(r"\bco_await\b", text):
        if re.search(r"\boperator\s*$", text[:match.start()]):
            continue
        line = text.count("\n", 0, match.start()) + 1
        for complaint in expression_complaints(text, match.end(), in_tests):
            yield line, complaint
        if in_branch(text, match.start()):
            yield line, "co_await in a branch of ?: use if"


def check(root):
    found, count = [], 0
    for area in AREAS:
        for file in sorted((root / area).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.suffix not in SUFFIXES or path.startswith(SKIPPED):
                continue
            count += 1
            text = file.read_text(encoding="utf-8", errors="replace")
            found += [f"{path}:{line}: {what}" for line, what in complaints(text, path.startswith("tests/"))]
    return found, count


def main():
    found, count = check(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found + [f"{count} files, {len(found)} expressions that GCC 12 miscompiles"]))
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
