#!/usr/bin/env bash
# Measures the release build beside nginx answering the same bytes, in one run, and prints one table.
# usage: bench/run.sh [SEGMENTS=1000000]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --bench >&2
scripts/build.sh release >&2
exec /usr/bin/python3 bench/measure.py "${1:-1000000}"
