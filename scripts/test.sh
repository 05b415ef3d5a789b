#!/usr/bin/env bash
# Sets up, builds, and runs every test: unit, contract and API tests as a release build and again under ASan+UBSan, the
# threaded parts under TSan, fuzz targets briefly, and the built program end to end. The tests of the interface and those
# of the program run on the embedded engines and again on DynamoDB, S3 and Redis. The closing line counts all of it.
# usage: scripts/test.sh [--quick]   --quick: the release build's tests and end-to-end tests alone
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/ccache.sh

quick=${1:-}
passed=0 failed=0 skipped=0
logs=$(mktemp -d)
stop_engines() { tests/engines/engines.py stop --dir "$logs/s3"; }
trap 'kill ${builder:-} 2>/dev/null; stop_engines >/dev/null; rm -rf "$logs"' EXIT
. scripts/failures.sh
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }
verdict() { # verdict NAME STATUS [LOG]: counts one check that is a whole command, whose output is in LOG
  if [ "$2" = 0 ]; then passed=$((passed + 1)); echo "ok    $1"; return; fi
  failed=$((failed + 1)); echo "FAIL  $1"
  essence "${3:-/dev/null}" | remember "$1"
}
count_ctest() { # reads ctest's summary out of $1; $2: ctest's status
  local total bad idle
  total=$(sed -n 's/^.*tests failed out of \([0-9]*\)$/\1/p' "$1" | tail -1)
  bad=$(sed -n 's/^.*tests passed, \([0-9]*\) tests failed out of.*$/\1/p' "$1" | tail -1)
  if [ -z "$total" ] || [ "$total" = 0 ]; then verdict "ctest ran" 1 "$1"; return; fi
  idle=$(grep -c ' (Skipped)$' "$1")
  passed=$((passed + total - bad - idle)); failed=$((failed + bad)); skipped=$((skipped + idle))
}
tell_skipped() { # tell_skipped PRESET: why its tests did not run, as they say it, and how many each time
  sed -n '/: Skipped$/{n;p}' "build/$1/Testing/Temporary/LastTest.log" | sort | uniq -c | sed 's/^/skipped/'
}
run_ctest() { # run_ctest PRESET [ctest arguments]
  local preset=$1; shift
  ctest --test-dir "build/$preset" -j 3 --output-on-failure --no-tests=error "$@" >"$logs/$preset.ctest" 2>&1
  local status=$?
  [ $status = 0 ] && tail -4 "$logs/$preset.ctest" || grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed' "$logs/$preset.ctest" | tail -400
  count_ctest "$logs/$preset.ctest" $status
  tell_skipped "$preset"
  [ $status = 0 ] || remember_ctest "$preset" "$logs/$preset.ctest"
}
run_pytest() { # run_pytest FOLDER [pytest arguments]: counts its tests
  local log=$logs/$(basename "$1") status summary bad
  COLUMNS=200 PYTHONPATH=tests timeout -s INT -k 60 2400 /usr/bin/python3 -m pytest -q -rsfE --tb=short --disable-warnings \
    -p no:cacheprovider -p failure_reports -o faulthandler_timeout=400 --durations=8 "$@" >"$log" 2>&1
  status=$?
  if [ $status = 0 ]; then tail -30 "$log"; else tail -400 "$log" | cut -c1-1000; fi
  summary=$(tail -1 "$log")
  number() { local n; n=$(sed -n "s/^.*[^0-9]\([0-9][0-9]*\) $1.*$/\1/p" <<<" $summary" | tail -1); echo "${n:-0}"; }
  bad=$(($(number failed) + $(number error)))
  passed=$((passed + $(number passed))); failed=$((failed + bad)); skipped=$((skipped + $(number skipped)))
  [ $status = 0 ] || [ $bad != 0 ] || verdict "the tests of $1 ran" 1 "$log"
}
finish() { tell_failures; printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; [ "$failed" = 0 ] && [ "$passed" != 0 ]; exit $?; }

step "set-up"
if [ "$quick" = --quick ]; then scripts/setup.sh --test; else scripts/setup.sh --test --fuzz; fi 2>&1 | tee "$logs/setup"
[ "${PIPESTATUS[0]}" = 0 ] || { verdict "set-up" 1 "$logs/setup"; finish; }
scripts/fetch_videos.sh >"$logs/videos" 2>&1; verdict "the real test videos are there" $? "$logs/videos"
grep -q . "$logs/videos" && tail -2 "$logs/videos"

step "house rules"
/usr/bin/python3 scripts/check_rooms.py >"$logs/rooms" 2>&1; status=$?
cat "$logs/rooms"
verdict "every include is one its room may make" $status "$logs/rooms"

step "test engines"
# One radosgw for all that follows: each test puts a gate of its own before it.
tests/engines/engines.py start s3 --dir "$logs/s3" --with $$ >"$logs/s3.log" 2>&1; started=$?
verdict "radosgw starts" $started "$logs/s3.log"
export SEGMENTS_TEST_S3=$logs/s3
run_pytest tests/engines

step "release build"
scripts/build.sh release --with-tests >"$logs/build" 2>&1; built=$?
[ $built = 0 ] || tail -60 "$logs/build"
verdict "release builds without a warning" $built "$logs/build"
[ $built = 0 ] || finish
run_ctest release

build_others() { # the sanitized and fuzzed builds, one after another; each one's status in a file of its preset
  local tsan_targets="base_test http_test sqlite_test embedded_queue_test net_test aws_test redis_test redis_events_test celery_test celery_control_test dynamodb_test s3_test move_test"
  scripts/build.sh asan --with-tests >"$logs/asan.build" 2>&1; echo $? >"$logs/asan.built"
  { cmake --preset tsan && cmake --build --preset tsan --target $tsan_targets; } >"$logs/tsan.build" 2>&1; echo $? >"$logs/tsan.built"
  scripts/fuzz.sh 0 >"$logs/fuzz.build" 2>&1; echo $? >"$logs/fuzz.built"
}
built_well() { # built_well PRESET: counts that build and gives its status
  local status; status=$(cat "$logs/$1.built")
  [ "$status" = 0 ] || tail -60 "$logs/$1.build"
  verdict "$1 builds" "$status" "$logs/$1.build"
  return "$status"
}

# The end-to-end tests wait more than they compute: two files of them at a time, and the other builds beside them.
builder=
if [ "$quick" != --quick ]; then build_others & builder=$!; renice -n 10 -p $builder >/dev/null; fi

step "end to end"
run_pytest tests/e2e -n 2 --dist loadfile

step "end to end, on DynamoDB, S3 and Redis"
SEGMENTS_TEST_ENGINES=cloud run_pytest tests/e2e -n 2 --dist loadfile

step "deployment"
run_pytest tests/cloud

if [ "$quick" != --quick ]; then
  step "AddressSanitizer and UndefinedBehaviorSanitizer"
  wait $builder
  # Not the interface on the cloud's engines once more: what it runs of ours, their rooms' own tests run here.
  built_well asan && run_ctest asan -LE cloud

  step "ThreadSanitizer, threaded parts"
  if built_well tsan; then
    # Two at a time: they wait for servers and clocks as much as they compute.
    printf '%s\n' build/tsan/src/*_test | xargs -P 2 -I{} sh -c 'name=$(basename {})
      {} --gtest_brief=1 --gtest_filter="-*Killed*:*Crash*:*Fork*:*Process*" >"$0/$name.tsan" 2>&1; echo $? >"$0/$name.status"' "$logs"
    for binary in build/tsan/src/*_test; do
      name=$(basename "$binary"); status=$(cat "$logs/$name.status")
      [ "$status" = 0 ] || tail -80 "$logs/$name.tsan"
      verdict "$name under ThreadSanitizer" "$status" "$logs/$name.tsan"
    done
  fi

  step "fuzz targets, briefly"
  if built_well fuzz; then
    scripts/fuzz.sh 8 >"$logs/fuzz" 2>&1; status=$?
    [ $status = 0 ] || tail -80 "$logs/fuzz"
    grep '^ok' "$logs/fuzz"
    verdict "every fuzz target runs clean" $status "$logs/fuzz"
  fi
fi
step "the engines end"
stop_engines; verdict "radosgw ends with all that it started" $?
finish
