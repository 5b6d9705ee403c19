// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: the check passes for code that compiles.
// How the test forces it: this file always compiles; the check must say so.
int fine() { return 0; }
