#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What could go wrong: a check of the structure passes because it looks at nothing.
How the test forces it: plants one offender at a time in a clean tree; each must be caught, and the clean tree must not be."""
import pathlib
import tempfile
import unittest

import layers
import tidy

SPDX = "// SPDX-License-Identifier: BSD-2-Clause\n"
CLEAN = {
    "include/rdsco/error.hpp": SPDX + "#pragma once\n#include <string>\n",
    "include/rdsco/task.hpp": SPDX + "#pragma once\n#include <rdsco/error.hpp>\n",
    "include/rdsco/socket.hpp": SPDX + "#pragma once\n#include <rdsco/task.hpp>\n",
    "include/rdsco/sim/world.hpp": SPDX + "#pragma once\n#include <rdsco/socket.hpp>\n",
    "src/protocol/header.hpp": SPDX + "#pragma once\n#include <rdsco/error.hpp>\n",
    "src/loop/ring.hpp": SPDX + "#pragma once\n#include <rdsco/task.hpp>\n",
    "src/loop/ring.cpp": SPDX + '#include "loop/ring.hpp"\n#include <liburing.h>\n',
    "src/node/path.hpp": SPDX + '#pragma once\n#include "protocol/header.hpp"\n#include "loop/ring.hpp"\n',
    "transports/tcp/link.hpp": SPDX + '#pragma once\n#include "node/path.hpp"\n#include "frames.hpp"\n',
    "transports/tcp/frames.hpp": SPDX + '#pragma once\n#include "protocol/header.hpp"\n',
    "transports/loopback/link.hpp": SPDX + "#pragma once\n",
    "transports/verbs/link.hpp": SPDX + "#pragma once\n",
    "transports/iwarp/fabric.hpp": SPDX + '#pragma once\n#include "transports/verbs/link.hpp"\n',
    "tools/main.cpp": SPDX + '#include "transports/tcp/link.hpp"\n',
    "tests/node/path.cpp": SPDX + '#include "node/path.hpp"\n',
}
WRONG_INCLUDES = {
    "src/protocol/a.cpp": ['"loop/ring.hpp"', '"node/path.hpp"', "<rdsco/task.hpp>", "<rdsco/socket.hpp>", "<random>",
                           "<sys/socket.h>"],
    "src/loop/a.cpp": ['"protocol/header.hpp"', '"node/path.hpp"', "<rdsco/socket.hpp>", '"transports/tcp/link.hpp"'],
    "src/node/a.cpp": ['"transports/tcp/link.hpp"', '"../../transports/tcp/link.hpp"', "<rdsco/sim/world.hpp>",
                       "<liburing.h>", "<asio.hpp>", '"no/such/file.hpp"', '"tools/main.cpp"'],
    "transports/tcp/a.cpp": ['"loop/ring.hpp"', '"transports/loopback/link.hpp"', "<rdsco/sim/world.hpp>"],
    "transports/verbs/a.cpp": ['"transports/iwarp/fabric.hpp"'],
    "include/rdsco/result.hpp": ["<rdsco/task.hpp>", '"protocol/header.hpp"', "<nlohmann/json.hpp>",
                                 "<infiniband/verbs.h>", "<liburing.h>"],
    "include/rdsco/loop.hpp": ["<rdsco/socket.hpp>", "<asio.hpp>"],
    "samples/echo.cpp": ['"node/path.hpp"', '"transports/tcp/link.hpp"'],
    "src/attic/a.cpp": ["<rdsco/error.hpp>"],
}
UNTIDY = {
    "src/a.cpp": ["int x;\n", SPDX + "int x; \n", SPDX + "// TO" "DO later\n", SPDX + "// FIX" "ME\n", SPDX + "// see P" "§1\n",
                  SPDX + 'auto p = "/tmp/x";\n', SPDX + 'auto p = "/home/me";\n', SPDX + "int x;", SPDX + "int x;\r\n",
                  SPDX + "int x;\n" * 600, "\n" + SPDX],
    "src/a.hpp": [SPDX + "int x;\n"],
    "scripts/a": ["#!/bin/sh\necho\n", "#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n# /wo" "rk/main\n"],
    "CMakeLists.txt": ["project(x)\n"],
    "README.md": ["# x \n", "FIX" "ME\n"],
}
TIDY = {
    "src/a.cpp": [SPDX + "// Long because it is a table.\n" + "int x;\n" * 700, SPDX + 'auto p = "https://example.org/home/";\n'],
    "tests/a.cpp": [SPDX + 'auto p = "/tmp/x";\n'],
    "tests/data/a.json": ["{} "],
    "build/a.cpp": ["int x; "],
    "scripts/a": ["#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n"],
}


class Planted(unittest.TestCase):
    def tree(self, extra):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for path, text in {**CLEAN, **extra}.items():
            file = pathlib.Path(directory.name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        return directory.name

    def test_clean_tree(self):
        root = self.tree({})
        self.assertEqual(layers.check(root), ([], len(CLEAN)))
        self.assertEqual(tidy.check(root), ([], len(CLEAN)))

    def test_wrong_includes(self):
        for path, includes in WRONG_INCLUDES.items():
            for include in includes:
                with self.subTest(path=path, include=include):
                    complaints, _ = layers.check(self.tree({path: SPDX + f"#pragma once\n#include {include}\n"}))
                    self.assertEqual(len(complaints), 1, complaints)
                    self.assertIn(f"{path}:3:", complaints[0])

    def test_untidy(self):
        for path, texts in UNTIDY.items():
            for text in texts:
                with self.subTest(path=path, text=text[:80]):
                    complaints, _ = tidy.check(self.tree({path: text}))
                    self.assertTrue(complaints)
                    self.assertTrue(all(c.startswith(f"{path}:") for c in complaints), complaints)

    def test_one_name_for_two_types(self):
        type_of = SPDX + "#pragma once\nnamespace rdsco::detail {{\nclass {} {{\n}};\n}}  // namespace rdsco::detail\n"
        here, there = "src/loop/slots.hpp", "transports/tcp/slots.hpp"
        self.assertEqual(tidy.check(self.tree({here: type_of.format("slots"), there: type_of.format("other_slots")}))[0], [])
        complaints, _ = tidy.check(self.tree({here: type_of.format("slots"), there: type_of.format("slots")}))
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(here, complaints[0])

    def test_tidy(self):
        for path, texts in TIDY.items():
            for text in texts:
                with self.subTest(path=path):
                    self.assertEqual(tidy.check(self.tree({path: text}))[0], [])


if __name__ == "__main__":
    unittest.main()
