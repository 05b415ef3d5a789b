#!/usr/bin/env bash
# Measures the release build beside nginx, Python and ffmpeg, in one run, and prints one table.
# usage: bench/run.sh [measure.py's options, as --segments 100000 or --only get,list]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --bench >&2
scripts/fetch_videos.sh >&2
scripts/build.sh release >&2
cmake --build --preset release --target bench_load bench_streams bench_probe s3_bench >&2
exec /usr/bin/python3 bench/measure.py "$@"
