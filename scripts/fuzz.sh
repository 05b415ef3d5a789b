#!/usr/bin/env bash
# Builds every fuzz target and runs each for the given seconds, two at a time; 0 seconds: builds alone.
# usage: scripts/fuzz.sh [SECONDS=60] [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/ccache.sh

seconds=${1:-60}
shift || true
cmake --preset fuzz >/dev/null
mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else find src -name '*_fuzz.cc' -printf '%f\n' | sed 's/\.cc$//' | sort; fi)
cmake --build --preset fuzz --target "${targets[@]}"
[ "$seconds" != 0 ] || exit 0

run_one() {
  local target=$1 seconds=$2 work
  work=$(mktemp -d)
  trap 'rm -rf "$work"' RETURN
  mkdir "$work/corpus"
  if "build/fuzz/src/$target" -max_total_time="$seconds" -rss_limit_mb=3000 -timeout=20 -artifact_prefix="build/fuzz/$target-" "$work/corpus" >"$work/log" 2>&1; then
    echo "ok    $target $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$work/log" || true)"
  else
    echo "FAIL  $target"
    tail -60 "$work/log"
    return 1
  fi
}
export -f run_one
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'run_one "$1" "$2"' _ {} "$seconds"
