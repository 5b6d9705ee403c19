#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The lint finds what is planted, and leaves the rest alone."""
import pathlib
import tempfile
import unittest

import lint

PLANTED = (
    "co_await f([x] { return 1; });",
    "co_await f([x = std::move(y)] { return 1; });",
    "co_await f([=] { return 1; });",
    "co_await f([&, x] { return 1; });",
    "co_await f(1, [x]() mutable { return 1; });",
    "auto r = co_await f(options{1, 2});",
    "auto r = co_await f(options{});",
    "co_await f({.t = 1});",
    "co_await f(1, {a, b, c});",
    "co_await awaiter{1};",
    "co_await object.method({1});",
    "co_await f(\n    g(options{1}));",
    "auto x = c ? co_await a() : b;",
    "auto x = c ? b : std::string(co_await a());",
    "co_await f({}, 1);",
    "co_return co_await f({1});",
    "if ((co_await a()).ec) use();",
    "while (!(co_await sock.receive()).ec) ++n;",
    "for (; (co_await a())->ready;) use();",
    "do {} while (c && co_await a());",
    "do {} while (co_await a());",
    "do {} while (co_await a() && c);",
    "do {\n    if (x) { use(); }\n  } while (!c &&\n    (d || co_await a()));",
    "do use(); while (c || co_await a());",
    "do { do {} while (c && co_await a()); } while (d);",
    "do { while (d) {} } while (c and co_await a());",
)
CLEAN = (
    "co_await f([&] { return 1; });",
    "co_await f([&x] { return 1; });",
    "co_await f([this] { return 1; });",
    "co_await f([](int a) -> task<int> { options o{1}; co_return a; }(1));",
    "co_await f(values[i], values[j + 1]);",
    "co_await f(options(1));",
    "auto o = options{1}; co_await f(o);",
    "auto x = (co_await a()) ? 1 : 2;",
    "if (c) x = co_await a(); else x = b;",
    "// co_await f({1});",
    "/* co_await f({1}); */",
    'log("co_await f({1})");',
    "for (auto& each : co_await list()) { use(each); }",
    "if (auto r = co_await a(); r) { g({1}); }",
    "awaiter operator co_await() && noexcept { return awaiter{1}; }",
    "REQUIRE(co_await a() == 1);",
    "if (co_await a()) use();",
    "auto n = (co_await a()).size(); if (n) use();",
    "while (c && co_await a()) use();",
    "if (c && co_await a()) use();",
    "do { if (c && co_await a()) use(); } while (d && e);",
    "do { use(); } while (d); while (c && co_await a()) use();",
    "int undo = 1; redo {1}; while (c && co_await a()) use();",
    "int n = 1'000'000; co_await f(1'0); char c = '{';",
)


class Lint(unittest.TestCase):
    def test_planted(self):
        for text in PLANTED:
            with self.subTest(text):
                self.assertTrue(list(lint.complaints("task<> t() {\n  " + text + "\n}\n")))

    def test_clean(self):
        for text in CLEAN:
            with self.subTest(text):
                self.assertEqual([], list(lint.complaints("task<> t() {\n  " + text + "\n}\n")))

    def test_empty_payload(self):
        self.assertEqual([], list(lint.complaints("co_await f({}, 1); co_await f(1, {});", in_tests=True)))
        self.assertNotEqual([], list(lint.complaints("co_await f({1});", in_tests=True)))

    def test_tree(self):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "src" / "node").mkdir(parents=True)
            (root / "tests" / "gcc12").mkdir(parents=True)
            (root / "src" / "node" / "a.cpp").write_text("int a;\n\nauto t = c ? co_await a() : b;\n", encoding="utf-8")
            (root / "tests" / "gcc12" / "traps.cpp").write_text(PLANTED[0], encoding="utf-8")
            found, count = lint.check(root)
            self.assertEqual(count, 1)
            self.assertEqual(found, ["src/node/a.cpp:3: co_await in a branch of ?: use if"])


if __name__ == "__main__":
    unittest.main()
