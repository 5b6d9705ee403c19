# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the scripts beside it. The caller has set -euo pipefail.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The comment block at the top of the calling script is its help.
show_help() { awk 'NR > 2 && /^#/ { sub(/^# ?/, ""); print; next } NR > 2 { exit }' "$0"; }

jobs() { nproc 2>/dev/null || echo 2; }

# Not left to chance of an earlier configuration: the launcher is set, or unset, each time.
launcher() { command -v ccache || true; }

# ccache keeps nothing of what is compiled with precompiled headers; and so one of the two always compiles without them.
precompile() { if [[ -n $(launcher) ]]; then echo OFF; else echo ON; fi; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

can_be_root() { [[ $(id -u) == 0 ]] || command -v sudo >/dev/null; }

# Reports of sanitizers with names instead of addresses.
name_symbols() {
  local symbolizer=/usr/bin/llvm-symbolizer-19
  [[ -x $symbolizer ]] || return 0
  export ASAN_SYMBOLIZER_PATH=$symbolizer TSAN_OPTIONS="external_symbolizer_path=$symbolizer ${TSAN_OPTIONS-}"
}

configure() {  # preset, further arguments
  local preset=$1
  shift
  mkdir -p "$root/build"
  local log=$root/build/$preset.configure.log
  if ! (cd "$root" && cmake --preset "$preset" -DCMAKE_CXX_COMPILER_LAUNCHER="$(launcher)" -DRDSCO_PRECOMPILE="$(precompile)" "$@") >"$log" 2>&1; then
    cat "$log" >&2
    fail "configuring preset $preset failed (the words above are also in $log)"
  fi
}
