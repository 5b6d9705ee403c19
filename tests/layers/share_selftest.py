#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What could go wrong: code of one add-on counts as shared, or shared code as nobody's, and the share looks better than it is.
How the test forces it: a tree whose every line is known, and in it one piece of code at a time whose owner is known, or that hides one."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import share

SPDX = "// SPDX-License-Identifier: BSD-2-Clause\n"
FABRIC = "#pragma once\nstruct fabric {{ static constexpr auto capabilities = [] {{\n  {}\n}}(); }};\n"
TREE = {
    "src/node/path.hpp": SPDX + "#pragma once\n\nint path; // a comment\n/* none\n   none */\n",
    "src/protocol/header.cpp": SPDX + 'char const* at = "// a literal is code";\n',
    "src/verbs/api.hpp": SPDX + "#pragma once\n" + "int api;\n" * 98,
    "transports/verbs/fabric.hpp": "struct fabric_capabilities {\n  bool credits = false;\n  bool first = false;\n  bool wakes = true;\n};\n",
    "transports/ib/fabric.hpp": FABRIC.format("can.node = 1;"),
    "transports/iwarp/fabric.hpp": FABRIC.format("can.credits = true; can.first = true;"),
    "transports/iwarp/CMakeLists.txt": "not counted\n",
    "transports/tcp/link.hpp": "int tcp;\n",
    "include/rdsco/verbs/ib.hpp": "int one;\nint two;\n",
}
COMMON = 99 + 5
# Code of the verbs part; lines that are ib's, lines that are iwarp's.
PIECES = [
    ("int x;\n\n// a comment\n", 0, 0),
    ("if constexpr (can.credits) return 1;\nint x;\n", 0, 1),
    ("if constexpr (can.credits) {\n  f();\n\n  // a comment\n  g();\n}\nint x;\n", 0, 4),
    ("if constexpr (!can.credits) f(\n  1);\n", 2, 0),
    ("if constexpr (Fabric::capabilities.credits) {\n  f();\n} else {\n  g();\n  h();\n}\nint x;\n", 3, 3),
    ("if constexpr (can.first) {\n  if (a) return;\n  else return;\n}\n", 0, 4),
    ("if constexpr (can.first)\n  if (a)\n    f();\n  else\n    g();\nint x;\n", 0, 5),
    ("if constexpr (can.first)\n  for (;;)\n    f();\nint x;\n", 0, 3),
    ("if constexpr (can.wakes) f();\n", 0, 0),
    ("if constexpr (Rule == rule::none) f();\n", 0, 0),
    ("f(can.credits && x);\n", 0, 0),
    ("int x;  // only: can.credits\nint y;  // only: !can.credits\nint z;\n", 1, 1),
    ('char const* x = "if constexpr (can.credits) {";\n// if constexpr (can.credits) {\nint y;\n', 0, 0),
]
HIDDEN = [
    "if constexpr (can.credits && x) f();\n",
    "if constexpr (can.no_such) f();\n",
    "if constexpr (!can.wakes) f();\n",
    "void f() requires(can.credits);\n",
    "std::conditional_t<can.credits, int, char> x;\n",
    "int x;  // only: can.wakes\n",
    "int x;  // only: iwarp\n",
    "int a;\nint b;\nint c;\nint d;\n// only: can.credits\nint x;\n",
]
WHOLE = {"transports/verbs/credits.hpp": SPDX + "// only: can.credits\n#pragma once\nstruct credits {};\n"}
USED = '#include "transports/verbs/credits.hpp"  // only: can.credits\ncredits credits_;  // only: can.credits\nif constexpr (can.credits) credits_.f();\nint no_credits;\n'


class Planted(unittest.TestCase):
    def share(self, extra):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for path, text in {**TREE, **extra}.items():
            file = pathlib.Path(directory.name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.root = directory.name
        return share.Share(directory.name).report()

    def check(self, report, ib, iwarp, common):
        self.assertEqual(report["complaints"], [])
        self.assertEqual({name: one["lines"] for name, one in report["add_ons"].items()}, {"ib": 6 + ib, "iwarp": 4 + iwarp})
        self.assertEqual(report["verbs"], COMMON + common)

    def test_tree(self):
        report = self.share({})
        self.check(report, 0, 0, 0)
        self.assertEqual(report["core"], {"src/node": 2, "src/protocol": 1, "src/memory": 0, "src/loop": 0})
        ib = report["add_ons"]["ib"]
        self.assertEqual((ib["of_verbs"], ib["of_core_and_verbs"]), (round(6 / 104, 4), round(6 / 107, 4)))
        self.assertEqual((ib["a"], ib["b"]), (round(104 / 110, 3), round(6 / 110, 3)))

    def test_pieces(self):
        for text, ib, iwarp in PIECES:
            with self.subTest(text=text):
                lines = sum(bool(line.strip()) for line in share.blank(text).split("\n"))
                self.check(self.share({"transports/verbs/link.hpp": text}), ib, iwarp, lines - ib - iwarp)

    def test_hidden(self):
        for text in HIDDEN:
            with self.subTest(text=text):
                complaints = self.share({"transports/verbs/link.hpp": text})["complaints"]
                self.assertEqual(len(complaints), 1, complaints)
                self.assertIn("transports/verbs/link.hpp:", complaints[0])

    def test_whole_file(self):
        self.check(self.share({**WHOLE, "transports/verbs/link.hpp": USED}), 0, 5, 1)

    def test_whole_file_that_others_use(self):
        for line in range(3):
            used = "\n".join(each.split("  //")[0].replace("if constexpr (can.credits) ", "") if at == line else each
                             for at, each in enumerate(USED.split("\n")))
            with self.subTest(used=used):
                complaints = self.share({**WHOLE, "transports/verbs/link.hpp": used})["complaints"]
                self.assertEqual(len(complaints), 1, complaints)
                self.assertIn(f"link.hpp:{line + 1}: uses credits", complaints[0])

    def test_too_much(self):
        report = self.share({"transports/iwarp/more.cpp": "int x;\n" * 6})
        self.assertEqual(report["complaints"], [])
        report = self.share({"transports/iwarp/more.cpp": "int x;\n" * 7})
        self.assertEqual(len(report["complaints"]), 1)

    def test_entry(self):
        script = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts/share"
        def run(*arguments):
            return subprocess.run([sys.executable, "-B", script, *arguments, self.root], capture_output=True, text=True)
        self.share({})
        self.assertEqual(json.loads(run("--json").stdout)["verbs"], COMMON)
        self.assertEqual(run("--check").returncode, 0)
        self.share({"transports/iwarp/more.cpp": "int x;\n" * 7})
        self.assertEqual((run("--check").returncode, run().returncode), (1, 0))


if __name__ == "__main__":
    unittest.main()
