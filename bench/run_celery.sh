#!/usr/bin/env bash
# Measures our worker beside Python's on one Redis, in one run, and prints the tables.
# usage: bench/run_celery.sh [measure_celery.py's options, as --rounds 3]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --bench --test >&2
scripts/build.sh release >&2
cmake --build --preset release --target celery_worker_bench >&2
exec /usr/bin/python3 bench/measure_celery.py build/release "$@"
