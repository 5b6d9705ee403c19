#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks what every file of the project has in common: tidy.py ROOT.

A file longer than LINES_MAX says why in its first lines: a comment with the words "Long because".
"""
import pathlib
import re
import sys

LINES_MAX = 600
FIRST_LINES = 8
SPDX = "SPDX-License-Identifier: BSD-2-Clause"
SKIPPED_DIRECTORIES = re.compile(r"^(\.git|\.cache|build|build-.*|__pycache__)$")
DATA = ("tests/data/", "tests/fuzz/corpus/", "tests/kernel/data/")
SOURCE_SUFFIXES = {".hpp", ".cpp", ".h", ".c", ".ipp", ".py", ".sh", ".cmake", ".in"}
TEXT_SUFFIXES = SOURCE_SUFFIXES | {".md", ".json", ".txt", ".yml", ".html", ".css", ".js"}
# Configured files whose format knows no comment that would survive.
NO_SPDX = {"cmake/rdsco.pc.in"}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# Words that tie the project to one machine. Tests and scripts may use a directory for temporary files.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(tmp|work|root|home)/")
MACHINE_PATHS_ALLOWED = ("tests/", "scripts/", "docs/", "README.md", ".ci/")
BANNED = re.compile(r"P§|/work/|artifact-registry|\.internal\b", re.IGNORECASE)
# Types of a namespace with a name: two of the same name are one to the linker, which takes whichever it meets.
LINKED = ("include/", "src/", "transports/", "tools/")
ANONYMOUS = re.compile(r"^namespace \{.*?^\}  // namespace$", re.DOTALL | re.MULTILINE)
NAMESPACE = re.compile(r"^namespace ([\w:]+) \{")
TYPE = re.compile(r"^(?:class|struct|enum class|union) (?:alignas\(.*?\) )?(\w+)(?: final)?\s*(?::[^:].*)?\{")
# The rules name what they forbid.
RULES = ("tests/layers/tidy.py", "tests/layers/selftest.py")


def has_shebang(text):
    return text.startswith("#!")


def is_source(path, text):
    name = path.rpartition("/")[2]
    return pathlib.PurePath(path).suffix in SOURCE_SUFFIXES or name == "CMakeLists.txt" or has_shebang(text)


def line_complaints(path, text):
    machine_paths_matter = not path.startswith(MACHINE_PATHS_ALLOWED)
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f"{path}:{number}: trailing white space"
        if path in RULES:
            continue
        if UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished work is named, not done: {line.strip()}"
        if BANNED.search(line) or (machine_paths_matter and MACHINE_PATHS.search(line)):
            yield f"{path}:{number}: ties the project to one machine or workplace: {line.strip()}"


def source_complaints(path, text):
    lines = text.split("\n")
    where = 1 if has_shebang(text) else 0
    if path not in NO_SPDX and SPDX not in (lines + [""])[where]:
        yield f"{path}:{where + 1}: first line is not {SPDX}"
    if path.endswith(".hpp") and "#pragma once" not in lines:
        yield f"{path}:1: no #pragma once"
    if len(lines) - 1 > LINES_MAX and "Long because" not in "\n".join(lines[:FIRST_LINES]):
        yield f"{path}:1: {len(lines) - 1} lines, more than {LINES_MAX}: divide it, or say \"Long because\" at its top"
    if "\r" in text:
        yield f"{path}:1: carriage returns"
    if not text.endswith("\n"):
        yield f"{path}:{len(lines)}: no newline at the end"


def file_complaints(path, text):
    complaints = list(line_complaints(path, text))
    if is_source(path, text):
        complaints += source_complaints(path, text)
    return complaints


def types_of(text):
    """(namespace, name) of each type that a file defines outside unnamed namespaces."""
    namespace = ""
    for line in ANONYMOUS.sub("", text).split("\n"):
        if opened := NAMESPACE.match(line):
            namespace = opened[1]
        if defined := TYPE.match(line):
            yield namespace, defined[1]


def files(root):
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if any(SKIPPED_DIRECTORIES.match(part) for part in path.parts[:-1]) or not file.is_file() or file.is_symlink():
            continue
        if path.as_posix().startswith(DATA):
            continue
        yield file, path.as_posix()


def check(root):
    root = pathlib.Path(root).resolve()
    complaints, count, homes = [], 0, {}
    for file, path in files(root):
        data = file.read_bytes()
        if b"\0" in data or not (file.suffix in TEXT_SUFFIXES or data.startswith(b"#!")):
            continue
        count += 1
        text = data.decode("utf-8", errors="replace")
        complaints += file_complaints(path, text)
        for name in types_of(text) if path.startswith(LINKED) and file.suffix in (".hpp", ".cpp") else ():
            if homes.setdefault(name, path) != path:
                complaints.append(f"{path}:1: {'::'.join(name)} is a type of {homes[name]} already")
    return complaints, count


def main():
    complaints, count = check(sys.argv[1])
    print("\n".join(complaints + [f"{count} files, {len(complaints)} complaints"]))
    return 1 if complaints or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
