#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What could go wrong: faults that no longer fit into the code are reported as fitting, or a test that failed as one that passed.
How the test forces it: spoils the data in one way at a time, and runs programs that pass, fail, die and hang in place of tests."""
import copy
import io
import pathlib
import tempfile
import unittest
from unittest import mock

import run

FAILED = """
{line}
the name of a case, so long that it takes another line -
  fake_ib
{line}
some_test.cpp:7
{dots}

some_test.cpp:9: FAILED:
""".format(line="-" * 79, dots="." * 79)


class Data(unittest.TestCase):
    def test_as_it_is(self):
        self.assertEqual(list(run.complaints(run.load())), [])

    def test_spoiled(self):
        for change in ({"text": "is not there"}, {"text": "\n"}, {"file": "no/such/file"}, {"tests": []}, {"tests": ["verbs_no_such"]},
                       {"tests": ["verbs_pool"]}, {"replacement": run.load()[0]["text"]}):
            with self.subTest(change):
                faults = copy.deepcopy(run.load())
                faults[0].update(change)
                self.assertNotEqual(list(run.complaints(faults)), [])

    def test_too_few(self):
        self.assertNotEqual(list(run.complaints(run.load()[: run.FAULTS_MIN - 1])), [])

    def test_line(self):
        self.assertEqual(run.line_of({"text": "b\nc", "replacement": "b\nd"}, "a\nb\nc\n"), 3)
        self.assertEqual(run.line_of({"text": "  b\n", "replacement": ""}, "a\n  b\n"), 2)


class Outcome(unittest.TestCase):
    def outcome_of(self, words, seconds=60):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            program.write_text("#!/bin/sh\n" + words)
            program.chmod(0o755)
            with mock.patch.object(run, "program_of", lambda name: program), mock.patch.object(run, "BUILD", folder):
                return run.run_test("a_test", seconds, io.StringIO())

    def test_passes(self):
        self.assertIsNone(self.outcome_of("exit 0\n"))

    def test_fails(self):
        self.assertEqual(self.outcome_of(f"cat <<'END'\n{FAILED}END\nexit 1\n"), "a_test: the name of a case, so long that it takes another line - fake_ib")

    def test_dies(self):
        self.assertEqual(self.outcome_of("kill -9 $$\n"), "a_test: failed (ended by signal 9)")

    def test_hangs(self):
        self.assertEqual(self.outcome_of("exec sleep 600\n", 0.2), "a_test: hung, and was killed after 0.2 s")


if __name__ == "__main__":
    unittest.main()
