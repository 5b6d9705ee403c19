# SPDX-License-Identifier: BSD-2-Clause
"""Puts one-line faults into the code of verbs, one at a time, and says which test catches each.

The faults are in tests/mutations/faults.json: the file, what stands in it once, what takes its place, what that breaks, and the tests
that are to fail. They are put into a copy of the tree, build/mutations/tree, which is built in build/mutations/build with g++, or $CXX,
without optimisation, and with ccache where there is one. The tree itself is not touched. All of them take a quarter of an hour: this is run
by hand, and not by CI, which runs --check.

Exit status: 0 if all were caught, or all but one of twenty; else 1."""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "mutations"
TREE = WORK / "tree"
BUILD = WORK / "build"
FAULTS = pathlib.Path(__file__).resolve().parent / "faults.json"
FAULTS_MIN = 20
MISSED_MAX = 1  # of all; of a few, none
COPIED_NOT = re.compile(r"^(\.git|\.cache|build|build-.*|compile_commands\.json)$")
FAILED_CASE = re.compile(r"^-{79}\n((?:.+\n)+?)-{79}\n", re.MULTILINE)


def load():
    return json.loads(FAULTS.read_text())


def line_of(fault, text):
    """Where the replacement differs first."""
    same = os.path.commonprefix([fault["text"], fault["replacement"]])
    return text.count("\n", 0, text.index(fault["text"]) + len(same)) + 1


# --- the data ------------------------------------------------------------------------------------------------------------


def test_is_there(name):
    area, _, noun = name.partition("_")
    folder = ROOT / "tests" / area
    listed = (folder / "CMakeLists.txt").read_text() if folder.is_dir() else ""
    return (folder / f"{noun}_test.cpp").is_file() and re.search(rf"\b{noun}\b", listed) is not None


def complaints(faults):
    if len(faults) < FAULTS_MIN:
        yield f"{len(faults)} faults, and there should be {FAULTS_MIN}"
    for number, fault in enumerate(faults, 1):
        path = ROOT / fault["file"]
        count = path.read_text().count(fault["text"]) if path.is_file() else 0
        if count != 1:
            yield f"fault {number}: {fault['file']} has {count} times, instead of once: {fault['text'].strip()}"
        if fault["text"] == fault["replacement"]:
            yield f"fault {number}: nothing is changed"
        if not fault["tests"]:
            yield f"fault {number}: no test is named"
        for name in fault["tests"]:
            if not test_is_there(name):
                yield f"fault {number}: there is no test {name}"


def check(faults):
    found = list(complaints(faults))
    for each in found:
        print(each)
    return not found


# --- the copy ------------------------------------------------------------------------------------------------------------


def files_of(top):
    for folder, folders, names in os.walk(top):
        at_top = pathlib.Path(folder) == top
        folders[:] = [each for each in folders if each != "__pycache__" and not (at_top and COPIED_NOT.match(each))]
        for name in names:
            if not (at_top and COPIED_NOT.match(name)):
                yield (pathlib.Path(folder) / name).relative_to(top)


def copy_tree():
    """What is as it was keeps its time, so that only the rest is compiled."""
    TREE.mkdir(parents=True, exist_ok=True)
    wanted = set(files_of(ROOT))
    for path in set(files_of(TREE)) - wanted:
        (TREE / path).unlink()
    for path in wanted:
        to = TREE / path
        if to.is_file() and to.read_bytes() == (ROOT / path).read_bytes():
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, to)
        os.utime(to)


def configure():
    launcher = shutil.which("ccache") or ""
    command = ["cmake", "-S", TREE, "-B", BUILD, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={os.environ.get('CXX', 'g++')}",
               f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}", f"-DRDSCO_PRECOMPILE={'OFF' if launcher else 'ON'}",
               "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DRDSCO_BUILD_TESTS=ON", "-DRDSCO_BUILD_TOOLS=OFF",
               "-DRDSCO_BUILD_SAMPLES=OFF"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout)


# --- running -------------------------------------------------------------------------------------------------------------


def build(names, processes, log):
    command = ["cmake", "--build", BUILD, "-j", str(processes), "--target", *(f"test_{each}" for each in names)]
    return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode == 0


def program_of(name):
    return next((BUILD / "tests").rglob(f"test_{name}"))


def run_test(name, seconds, log):
    """How it failed; None: it did not."""
    try:
        done = subprocess.run([program_of(name), "--abort"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                              cwd=BUILD, encoding="utf-8", errors="replace")
    except subprocess.TimeoutExpired:
        return f"{name}: hung, and was killed after {seconds} s"
    log.write(done.stdout)
    if done.returncode == 0:
        return None
    case = FAILED_CASE.search(done.stdout)
    how = f" (ended by signal {-done.returncode})" if done.returncode < 0 else ""
    return f"{name}: {' '.join(case.group(1).split()) if case else 'failed'}{how}"


def try_fault(number, fault, options):
    """(caught, what is to be said of it). The copy is as it was again."""
    path = TREE / fault["file"]
    text = path.read_text()
    with open(WORK / f"{number}.log", "w") as log:
        try:
            path.write_text(text.replace(fault["text"], fault["replacement"]))
            for name in fault["tests"]:
                if not build([name], options.jobs, log):
                    return False, f"DOES NOT COMPILE: {WORK / f'{number}.log'}"
                if how := run_test(name, options.bound, log):
                    return True, how
            return False, f"NOT CAUGHT by {', '.join(fault['tests'])}"
        finally:
            path.write_text(text)


def passes_without(faults, options):
    names = sorted({name for _, fault in faults for name in fault["tests"]})
    with open(WORK / "without.log", "w") as log:
        if not build(names, options.jobs, log):
            print(f"the tests are not built: {WORK / 'without.log'}")
            return False
        failures = [how for name in names if (how := run_test(name, options.bound, log))]
    for each in failures:
        print(f"without any fault: {each}")
    return not failures


def report(number, fault, said):
    line = line_of(fault, (ROOT / fault["file"]).read_text())
    print(f"{number:2}  {fault['file']}:{line}\n    {fault['breaks']}\n    {said}", flush=True)


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/mutations", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, action="append", metavar="N", help="this fault, and others named so")
    parser.add_argument("--check", action="store_true", help="only that each fault fits into the code; needs no compiler")
    parser.add_argument("--bound", type=int, default=120, metavar="S", help="kill a test after so many seconds (120), which counts as caught")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), metavar="N", help="compile so many files at once")
    return parser.parse_args()


def main():
    options = read_arguments()
    faults = load()
    fits = check(faults)
    if options.check or not fits:
        return 0 if fits else 1
    chosen = [(number, fault) for number, fault in enumerate(faults, 1) if not options.only or number in options.only]
    copy_tree()
    configure()
    if not passes_without(chosen, options):
        return 1
    caught = 0
    for number, fault in chosen:
        found, said = try_fault(number, fault, options)
        caught += found
        report(number, fault, said)
    print(f"{caught} of {len(chosen)} caught")
    return 0 if len(chosen) - caught <= (MISSED_MAX if len(chosen) >= FAULTS_MIN else 0) else 1


if __name__ == "__main__":
    sys.exit(main())
