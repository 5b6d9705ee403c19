// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a misspelt include makes every misuse "fail as expected".
// How the test forces it: this file never compiles; the check must blame the control.
#error "never compiles"
