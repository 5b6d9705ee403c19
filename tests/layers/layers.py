#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks the direction of includes: layers.py ROOT. The rules are data, in rules.py."""
import pathlib
import re
import sys

import rules

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>]+)>|"([^"]+)")', re.MULTILINE)
AREAS = ("include", "src", "transports", "tools", "samples", "bench", "tests")
SUFFIXES = {".hpp", ".cpp", ".h", ".c", ".ipp"}


def public_group(name):
    """Group of include/rdsco/NAME."""
    for group, names in rules.PUBLIC_GROUPS.items():
        if name in names:
            return group
    return rules.PUBLIC_GROUP_OF_DIRECTORY.get(name.split("/")[0], rules.PUBLIC_GROUP_DEFAULT)


def group_of(path):
    """Group of a path relative to the root, or None where nothing is checked."""
    parts = path.split("/")
    if path.startswith("include/rdsco/"):
        return public_group("/".join(parts[2:]))
    if parts[0] in rules.UNCHECKED:
        return None
    if parts[0] in ("src", "transports") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def resolve(root, includer, name, quoted):
    """Path of an included file of ours relative to the root; None if it is not ours."""
    places = [root / includer.rpartition("/")[0]] if quoted else []
    places += [root / "include", root / "src", root]
    for place in places:
        candidate = (place / name).resolve()
        if candidate.is_file() and candidate.is_relative_to(root):
            return candidate.relative_to(root).as_posix()
    return None


def check_include(root, path, name, quoted):
    """The complaint about one include, or None."""
    target = resolve(root, path, name, quoted)
    if target is None:
        for pattern, owners in rules.FOREIGN.items():
            if re.match(pattern, name) and not path.startswith(owners):
                return f"<{name}> belongs to {', '.join(owners)}"
        for prefix, pattern in rules.STANDARD_FORBIDDEN.items():
            if path.startswith(prefix) and re.match(pattern, name):
                return f"{prefix} is pure and does without <{name}>"
        if quoted and not path.startswith(tuple(f"{area}/" for area in rules.UNCHECKED)):
            return f'"{name}" is not a file of ours'
        return None
    mine, theirs = group_of(path), group_of(target)
    if mine is None or mine == theirs:
        return None
    if mine not in rules.MAY_INCLUDE:
        return f"{mine} has no rule in rules.py"
    if theirs is None or theirs not in rules.MAY_INCLUDE[mine]:
        return f"{mine} must not know {theirs or target.split('/')[0]} ({target})"
    return None


def check(root):
    root = pathlib.Path(root).resolve()
    complaints, count = [], 0
    for area in AREAS:
        for file in sorted((root / area).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            count += 1
            path = file.relative_to(root).as_posix()
            text = file.read_text(encoding="utf-8", errors="replace")
            for match in INCLUDE.finditer(text):
                complaint = check_include(root, path, match[1] or match[2], match[2] is not None)
                if complaint:
                    line = text.count("\n", 0, match.start()) + 1
                    complaints.append(f"{path}:{line}: {complaint}")
    return complaints, count


def main():
    complaints, count = check(sys.argv[1])
    print("\n".join(complaints + [f"{count} files, {len(complaints)} includes in the wrong direction"]))
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
