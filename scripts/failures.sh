# What failed, kept to be told again in a few lines at the end of a long log. Sourced; wants $logs, a folder.
export SEGMENTS_TEST_FAILURES=$logs/failures  # tests/failure_reports.py puts those of Python's tests there
mkdir -p "$SEGMENTS_TEST_FAILURES"

remember() { # remember NAME: one failure; its message is read from the input
  local file; file=$(mktemp "$SEGMENTS_TEST_FAILURES/$(date +%s)-XXXXXX")
  { echo "$1"; cut -c1-300; } >"$file"
}
essence() { # essence FILE: the lines that say what went wrong, else the last ones
  local found; found=$(grep -aE -A4 'Failure$|(ERROR|WARNING|SUMMARY): |runtime error: |: (fatal )?error: |^FAILED: |terminate called|Traceback|^FAIL ' "$1" | grep -v '^--$' | head -12)
  if [ -n "$found" ]; then echo "$found"; else tail -8 "$1"; fi
}
remember_ctest() { # remember_ctest PRESET LOG: each test that ctest says has failed, with what it printed
  local preset=$1 log=$2 name number
  sed -n '/^The following tests FAILED:/,$s/^[\t ]*\([0-9][0-9]*\) - \(.*\) (\(.*\))$/\1 \3 \2/p' "$log" | while read -r number how name; do
    awk -v number="$number" '/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / { inside = match($0, "#" number ":") } /^[0-9]+% tests passed/ { inside = 0 } / +Start +[0-9]+: / { next } inside' "$log" >"$logs/one.test"
    { [ "$how" = Failed ] || echo "$how"; essence "$logs/one.test"; } | remember "$preset: $name"
  done
}
tell_failures() { # the fewer they are the more of each; the names once more together where they are many
  local files; mapfile -t files < <(find "$SEGMENTS_TEST_FAILURES" -type f | sort)
  [ ${#files[@]} -gt 0 ] || return 0
  local each=$((30 / ${#files[@]}))
  printf '\n== what failed\n'
  for file in "${files[@]}"; do
    echo "FAIL  $(head -1 "$file")"
    [ "$each" -gt 1 ] && tail -n +2 "$file" | grep -v '^ *$' | head -n "$each" | sed 's/^/      /'
  done
}
