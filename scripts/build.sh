#!/usr/bin/env bash
# Builds one preset (default: release) and prints the binary's path as its last line. Safe to run again.
# usage: scripts/build.sh [dev|release|asan|tsan|fuzz] [--with-tests]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/ccache.sh

preset=${1:-release}
tests=OFF
[ "${2:-}" = --with-tests ] && tests=ON
case "$preset" in dev | release | asan | tsan | fuzz) ;; *) echo "usage: $0 [dev|release|asan|tsan|fuzz] [--with-tests]" >&2; exit 2 ;; esac

# An earlier build of the preset with tests keeps them.
if [ "$tests" = OFF ] && [ "$preset" != fuzz ] && grep -qs '^SEGMENTS_TESTS:BOOL=ON' "build/$preset/CMakeCache.txt"; then tests=ON; fi
cmake --preset "$preset" -DSEGMENTS_TESTS="$tests" >&2
if [ "$tests" = ON ] || [ "$preset" = fuzz ]; then
  cmake --build --preset "$preset" >&2
else
  cmake --build --preset "$preset" --target segments >&2
fi
echo "$PWD/build/$preset/segments"
