#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How much code the transports on verbs share: scripts/share [--json] [--check] [ROOT].

Lines of C++ that are neither blank nor comment. Code of the common part that exactly one add-on instantiates counts as that add-on's:
  * what stands under `if constexpr (can.x)`, where one add-on alone has capability x, or under `!can.x` or `else` likewise;
  * a line that ends with `// only: can.x` (or `!can.x`);
  * a file among whose first lines stands `// only: can.x`; lines of the common part that use its type must be the add-on's as well.

a and b: an add-on and the verbs part that it shares are 1; the shared part is a, the add-on is b.

  --json    for programs, with every block
  --check   fails where an add-on is more than a tenth of the verbs part, or where a mark cannot be believed
"""
import argparse
import json
import pathlib
import re
import sys

CORE = ("src/node", "src/protocol", "src/memory", "src/loop")
VERBS = ("src/verbs", "transports/verbs")
CAPABILITIES = "transports/verbs/fabric.hpp"
SUFFIXES = {".hpp", ".cpp"}
LIMIT = 0.10
FIRST_LINES = 4

BLANKED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
MARK = re.compile(r"//\s*only:\s*(.*?)\s*$")
CONDITION = re.compile(r"^(!?)\s*(?:can|(?:\w+::)*capabilities)\s*\.\s*(\w+)$")
IF_CONSTEXPR = re.compile(r"\bif\s+constexpr\s*\(")
ELSE = re.compile(r"\s*else\b")
# Other ways for code to depend on a capability: only on lines that say whose they are.
NEEDS_MARK = re.compile(r"\b(requires|conditional_t|enable_if\w*)\b.*\b(can|capabilities)\s*\.")


def blank(text):
    """Comments become spaces, literals a letter and spaces; line numbers and positions stay."""
    def spaces(match):
        keep = "" if match[0].startswith("/") else "q"
        return keep + re.sub(r"[^\n]", " ", match[0])[len(keep):]
    return BLANKED.sub(spaces, text)


def matching(code, start):
    """Position of the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if depth == 0:
            return at
    return len(code) - 1


def statement_end(code, start):
    """Position of the last character of the statement at `start`: a block, a selection or loop, or one up to its semicolon."""
    at = start + len(code[start:]) - len(code[start:].lstrip())
    if code[at:at + 1] == "{":
        return matching(code, at)
    head = re.compile(r"(?:if(?:\s+constexpr)?|for|while|switch)\s*\(").match(code, at)
    if head:
        end = statement_end(code, matching(code, head.end() - 1) + 1)
        follow = ELSE.match(code, end + 1) if code.startswith("if", at) else None
        return statement_end(code, follow.end()) if follow else end
    while at < len(code) and code[at] != ";":
        at = matching(code, at) + 1 if code[at] in "([{" else at + 1
    return at


class Source:
    """One file of the common part: its lines of code, and whose they are."""

    def __init__(self, share, path, text):
        self.share, self.path = share, path
        self.text_lines, self.code = text.split("\n"), blank(text)
        self.code_lines = self.code.split("\n")
        self.lines = {number for number, line in enumerate(self.code_lines, 1) if line.strip()}
        self.owner = {}  # line -> add-on
        self.whole = None
        self.marks()
        self.blocks()
        self.unmarked()

    def number(self, at):
        return self.code.count("\n", 0, at) + 1

    def complain(self, number, what):
        self.share.complaints.append(f"{self.path}:{number}: {what}")

    def give(self, first, last, holders):
        """Lines that these add-ons alone instantiate; a line that has an owner keeps it."""
        if len(holders) == 1:
            for number in range(first, last + 1):
                if number in self.lines:
                    self.owner.setdefault(number, next(iter(holders)))

    def holders(self, number, condition):
        """Add-ons for which a condition holds, and the others; None where it is about something else."""
        match = CONDITION.match(condition.strip())
        if match is None:
            if re.search(r"\b(can|capabilities)\s*\.", condition):
                self.complain(number, f"a condition on capabilities that cannot be counted: {condition.strip()}")
            return None
        if match[2] not in self.share.having:
            self.complain(number, f"no capability {match[2]} in {CAPABILITIES}")
            return None
        having = self.share.having[match[2]]
        others = set(self.share.add_ons) - having
        return (others, having) if match[1] else (having, others)

    def marks(self):
        for number, line in enumerate(self.text_lines, 1):
            match = MARK.search(line)
            if not match:
                continue
            found = self.holders(number, match[1])
            if found is None or len(found[0]) != 1:
                self.complain(number, f"not the code of one add-on: {match[0].strip()}")
            elif line.strip().startswith("//"):
                if number > FIRST_LINES:
                    self.complain(number, "a mark for a file stands among its first lines, one for a line at its end")
                    continue
                self.whole = pathlib.PurePath(self.path).stem
                self.give(1, len(self.text_lines), found[0])
            else:
                self.give(number, number, found[0])

    def blocks(self):
        for match in IF_CONSTEXPR.finditer(self.code):
            first, close = self.number(match.start()), matching(self.code, match.end() - 1)
            found = self.holders(first, self.code[match.end():close])
            if found is None:
                continue
            if not found[0]:
                self.complain(first, "no add-on instantiates this")
            end = statement_end(self.code, close + 1)
            self.give(first, self.number(end), found[0])
            follow = ELSE.match(self.code, end + 1)
            if follow:
                self.give(self.number(follow.end() - 1) + 1, self.number(statement_end(self.code, follow.end())), found[1])

    def unmarked(self):
        for number in sorted(self.lines - set(self.owner)):
            if NEEDS_MARK.search(self.code_lines[number - 1]):
                self.complain(number, "depends on a capability: say whose it is (// only: can.x)")


class Share:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.complaints = []
        self.read_capabilities()
        self.core = {room: sum(len(self.lines_of(file)) for file in self.files(room)) for room in CORE}
        self.sources = [Source(self, self.name(file), self.text(file)) for room in VERBS for file in self.files(room)]
        self.check_whole_files()
        self.own = {add_on: self.lines_of_add_on(add_on) for add_on in self.add_ons}
        self.verbs = sum(len(source.lines) - len(source.owner) for source in self.sources)

    def text(self, file):
        return file.read_text(encoding="utf-8", errors="replace")

    def name(self, file):
        return file.relative_to(self.root).as_posix()

    def files(self, room):
        return [file for file in sorted((self.root / room).rglob("*")) if file.suffix in SUFFIXES]

    def lines_of(self, file):
        return [line for line in blank(self.text(file)).split("\n") if line.strip()]

    def read_capabilities(self):
        """Which add-ons have which capability."""
        defaults = dict(re.findall(r"\bbool (\w+) = (true|false);", blank(self.text(self.root / CAPABILITIES))))
        fabrics = sorted((self.root / "transports").glob("*/fabric.hpp"))
        self.add_ons = [file.parent.name for file in fabrics if self.name(file) != CAPABILITIES]
        self.having = {name: set() for name in defaults}
        for add_on in self.add_ons:
            code = blank(self.text(self.root / "transports" / add_on / "fabric.hpp"))
            for name, value in (defaults | dict(re.findall(r"\bcan\.(\w+) = (true|false);", code))).items():
                if name not in self.having:
                    self.complaints.append(f"transports/{add_on}/fabric.hpp:1: no capability {name} in {CAPABILITIES}")
                elif value == "true":
                    self.having[name].add(add_on)

    def check_whole_files(self):
        """Who uses the type of a file that is one add-on's is that add-on's too: otherwise others use it as well."""
        for name in {source.whole for source in self.sources if source.whole}:
            use, include = re.compile(rf"(?<![.\w]){name}_?\b"), re.compile(rf'#\s*include\s*"(.*/)?{name}\.hpp"')
            for source in self.sources:
                if source.path == CAPABILITIES:
                    continue
                for number in sorted(source.lines - set(source.owner)):
                    if use.search(source.code_lines[number - 1]) or include.search(source.text_lines[number - 1]):
                        source.complain(number, f"uses {name}, which is one add-on's, and is everybody's")

    def lines_of_add_on(self, add_on):
        files = self.files(f"transports/{add_on}")
        public = self.root / "include/rdsco/verbs" / f"{add_on}.hpp"
        files += [public] if public.is_file() else []
        own = {self.name(file): len(self.lines_of(file)) for file in files}
        for source in self.sources:
            count = sum(owner == add_on for owner in source.owner.values())
            if count:
                own[source.path] = count
        return own

    def report(self):
        made = {"limit": LIMIT, "core": self.core, "verbs": self.verbs, "add_ons": {}, "complaints": self.complaints}
        core = sum(self.core.values())
        for add_on, own in self.own.items():
            lines = sum(own.values())
            made["add_ons"][add_on] = {
                "lines": lines, "files": own, "of_core_and_verbs": round(lines / (core + self.verbs), 4),
                "of_verbs": round(lines / self.verbs, 4), "a": round(self.verbs / (self.verbs + lines), 3),
                "b": round(lines / (self.verbs + lines), 3)}
            if lines > LIMIT * self.verbs:
                self.complaints.append(f"{add_on}: {lines} lines, more than {LIMIT:.0%} of the {self.verbs} it shares in {' and '.join(VERBS)}")
        return made


def show(report):
    print("lines of code, without blank ones and comments")
    print(f"  {sum(report['core'].values()):6}  common core ({', '.join(CORE)})")
    print(f"  {report['verbs']:6}  verbs part that all share ({', '.join(VERBS)})")
    for name, one in report["add_ons"].items():
        print(f"  {one['lines']:6}  {name}: {one['of_core_and_verbs']:.1%} of core and verbs part, {one['of_verbs']:.1%} of the verbs part;"
              f" a = {one['a']}, b = {one['b']}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parent.parent.parent)
    options = parser.parse_args(arguments)
    report = Share(options.root).report()
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    print("".join(f"{each}\n" for each in report["complaints"]), end="", file=sys.stderr)
    return 1 if options.check and (report["complaints"] or not report["add_ons"]) else 0


if __name__ == "__main__":
    sys.exit(main())
