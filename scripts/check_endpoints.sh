#!/usr/bin/env bash
# Tries every route of a running Segments as a user of its own, and removes what it made.
# usage: scripts/check_endpoints.sh URL [--video FILE]      the token in SEGMENTS_TOKEN, its user in SEGMENTS_CHECK_USER
#        without --video: two seconds that ffmpeg makes
# Needs curl and jq. Ends with 1 where an answer was not what it should be.
set -uo pipefail

usage() { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }
base='' video=''
while [ $# -gt 0 ]; do
  case "$1" in
    --video) video=${2:-}; [ -r "$video" ] || { echo "cannot read the video '$video'" >&2; exit 2; }; shift ;;
    -*) usage ;;
    *) [ -z "$base" ] || usage; base=${1%/} ;;
  esac
  shift
done
if [ -z "$base" ] || [ -z "${SEGMENTS_TOKEN:-}" ]; then usage; fi
user=${SEGMENTS_CHECK_USER:-deploy-check}
patience=${SEGMENTS_CHECK_PATIENCE:-120} # seconds for what takes a worker or an index its time

scratch=$(mktemp -d)
stream=''
# shellcheck disable=SC2317 # the trap calls it
finish() {
  if [ -n "$stream" ]; then kill "$stream" 2>/dev/null; wait "$stream" 2>/dev/null; fi
  rm -rf "$scratch"
}
trap finish EXIT
# Not on the command line, where every user of the machine could read it.
printf 'header = "Authorization: Bearer %s"\n' "$SEGMENTS_TOKEN" >"$scratch/token"
chmod 600 "$scratch/token"

passed=0 failed=0
good() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }
bad() { failed=$((failed + 1)); printf 'FAIL  %s: %s\n' "$1" "$2"; }
section() { printf -- '-- %s\n' "$1"; }
header() { tr -d '\r' <"$scratch/headers" | sed -n "s/^$1: //Ip" | tail -1; } # header NAME: of the last answer

# request METHOD PATH [BODY [curl's arguments…]]: $status, $answer. PATH may be a whole URL; that gets no token.
request() {
  local method=$1 path=$2 body=${3:-} arguments
  arguments=(-sS --max-time 60 -X "$method" -D "$scratch/headers" -o "$scratch/answer" -w '%{http_code}')
  [ "$method" = HEAD ] && arguments+=(-I)
  case "$path" in
    http*) arguments+=("$path") ;;
    *) arguments+=(-K "$scratch/token" "$base$path") ;;
  esac
  [ -z "$body" ] || arguments+=(-H 'Content-Type: application/json' --data-binary "$body")
  [ $# -gt 3 ] && arguments+=("${@:4}")
  : >"$scratch/answer"
  status=$(curl "${arguments[@]}" 2>"$scratch/problem") || status="no answer ($(head -1 "$scratch/problem"))"
  answer=$(tr -d '\0' <"$scratch/answer")
}
# check NAME ROUTE WANTED METHOD PATH [BODY [JQ [curl's arguments…]]]: WANTED is statuses with | between, JQ has to be true.
# ROUTE is the path as the OpenAPI document has it; "-" where it is none of its own.
check() {
  local name=$1 route=$2 wanted=$3 method=$4 path=$5 body=${6:-} test=${7:-}
  [ "$route" = - ] || printf '%s %s\n' "${method,,}" "$route" >>"$scratch/called"
  request "$method" "$path" "$body" "${@:8}"
  if ! [[ "|$wanted|" == *"|$status|"* ]]; then bad "$name" "$method $path answered $status, not $wanted: $(head -c 300 <<<"$answer")"; return 1; fi
  if [ -n "$test" ] && ! jq -e "$test" >/dev/null 2>&1 <<<"$answer"; then bad "$name" "$method $path: not so: $test: $(head -c 500 <<<"$answer")"; return 1; fi
  good "$name"
}
# The same until it is so: an index or a worker takes its time.
check_until() {
  local end=$((SECONDS + patience)) before_passed=$passed before_failed=$failed
  while [ $SECONDS -lt $end ]; do
    check "$@" >"$scratch/told" && break
    passed=$before_passed failed=$before_failed
    sleep 0.3
  done
  [ "$passed" != "$before_passed" ] || check "$@" >"$scratch/told"
  cat "$scratch/told"
}
value() { jq -r "$1" <<<"$answer"; }

section "it is up"
check "health" /health 200 GET /health '' '.status'
check "health, by its other name" /api/health 200 GET /api/health
check_until "ready" /ready 200 GET /ready '' '.status == "ready" and ([.checks[].ok] | all)'
check "metrics, or kept from the outside" /metrics '200|404' GET /metrics
check "the page to try it" /docs 200 GET /docs
check "the OpenAPI document" /openapi.json 200 GET /openapi.json '' '(.openapi | startswith("3.")) and (.paths | length > 20)'
cp "$scratch/answer" "$scratch/openapi.json"
echo "      version $(jq -r .info.version "$scratch/openapi.json")"

section "who may call"
check "without a token" - 401 GET "$base/api/segments" '' '.status == 401'
check "with a wrong token" - 401 GET "$base/api/segments" '' '' -H 'Authorization: Bearer wrong.wrong.wrong'
check "for another user" - 403 GET '/api/segments?user_id=somebody-else'
check "with the token" /api/segments 200 GET '/api/segments?limit=1' '' '.total_count >= 0'
check "a page of another origin may ask" - '200|204' OPTIONS "$base/api/segments" '' '' -H 'Origin: https://app.example.org' \
  -H 'Access-Control-Request-Method: POST' -H 'Access-Control-Request-Headers: content-type,authorization'

section "events"
check "a ticket for a stream" /api/stream-tickets 201 POST /api/stream-tickets '' '.ticket | length > 0'
ticket=$(value .ticket)
echo "get /api/events" >>"$scratch/called"
curl -sSN --max-time 600 "$base/api/events?ticket=$ticket" >"$scratch/events" 2>"$scratch/events.problem" &
stream=$!
heard() { # heard NAME TEXT: until the user's stream says so
  local end=$((SECONDS + patience))
  until grep -qsF "$2" "$scratch/events"; do
    if [ $SECONDS -ge $end ]; then bad "$1" "the stream did not say $2: $(tail -c 300 "$scratch/events") $(cat "$scratch/events.problem")"; return; fi
    sleep 0.1
  done
  good "$1"
}
heard "the stream is open" ':'

section "segments"
name=check-$RANDOM$RANDOM$RANDOM
record=$(jq -n --arg v "$name" '{video_id: $v, segment_type: "processed", segment_number: 1, s3_key: "processed/\($v)/segment_001.mp4",
  duration: 30, file_size: 1000, title: "Deployment check", tags: ["deploy", "check"]}')
check "create" /api/segments 201 POST /api/segments "$record" '.segment_id and .download_count == 0' -H "Idempotency-Key: $name"
id=$(value .segment_id)
check "create again with the same key" - 201 POST /api/segments "$record" ".segment_id == \"$id\"" -H "Idempotency-Key: $name"
heard "the stream tells of it" "$id"
check "every fault of a bad one" - 422 POST /api/segments '{"duration": -1}' '(.errors | length) >= 5'
check "get" '/api/segments/{segment_id}' 200 GET "/api/segments/$id" '' '.title == "Deployment check"'
tag=$(header ETag)
check "not modified" - 304 GET "/api/segments/$id" '' '' -H "If-None-Match: $tag"
check_until "list" /api/segments 200 GET "/api/segments?video_id=$name" '' ".total_count == 1 and .segments[0].segment_id == \"$id\""
check_until "list by filter and order" - 200 GET '/api/segments?tags=deploy,check&sort_by=duration&sort_order=asc&limit=5' '' '.total_count >= 1'
check "list of a video" '/api/videos/{video_id}/segments' 200 GET "/api/videos/$name/segments" '' '.segments | length == 1'
check "change" '/api/segments/{segment_id}' 200 PATCH "/api/segments/$id" '{"description": "changed"}' '.description == "changed" and .title' -H "If-Match: $tag"
check "change what has changed" - 412 PATCH "/api/segments/$id" '{"title": "late"}' '' -H "If-Match: $tag"
check "replace" '/api/segments/{segment_id}' 200 PUT "/api/segments/$id" '{"title": "Replaced"}' '.title == "Replaced"'
check "download" '/api/segments/{segment_id}/download' 200 GET "/api/segments/$id/download" '' '.download_count == 1 and .download_url'
check "download, the old way" '/api/segments/{segment_id}/download' 200 POST "/api/segments/$id/download" '' '.download_count == 2'
check "play" '/api/segments/{segment_id}/play' 200 GET "/api/segments/$id/play" '' '.play_url'

section "social media"
check "link a post" '/api/segments/{segment_id}/social-media' '200|201|202' POST "/api/segments/$id/social-media?wait=true" \
  '{"platform": "tiktok", "post_id": "7300000000000000001"}' '.social_media_usage | length == 1'
check "report counts" '/api/segments/{segment_id}/social-media-usage' 200 POST "/api/segments/$id/social-media-usage" \
  "{\"segment_id\": \"$id\", \"platform\": \"instagram\", \"post_data\": {\"post_id\": \"CheckReel01\", \"views\": 100, \"likes\": 10, \"shares\": 1, \"comments\": 1}}" \
  '.social_media_usage | length == 2'
check "history" '/api/segments/{segment_id}/social-media/history' 200 GET "/api/segments/$id/social-media/history"
check "analytics" '/api/segments/{segment_id}/analytics' 200 GET "/api/segments/$id/analytics" '' '.total_views >= 100 and (.platform_breakdown | length == 2)'
check "unlink" '/api/segments/{segment_id}/social-media/{platform}' 200 DELETE "/api/segments/$id/social-media/instagram"
check "sync everything" /api/social-media/sync 202 POST /api/social-media/sync '{}' '.task_id'
task=$(value .task_id)
check_until "the sync's task" '/api/tasks/{task_id}' 200 GET "/api/tasks/$task" '' '(.state // .status) == "SUCCESS"'

section "upload"
if [ -z "$video" ]; then
  video=$scratch/check.mp4
  ffmpeg -nostdin -v error -f lavfi -i testsrc=size=160x120:rate=25:duration=2 -f lavfi -i sine=frequency=440:duration=2 -c:v libx264 -preset ultrafast \
    -g 25 -c:a aac -shortest "$video" 2>"$scratch/ffmpeg" || bad "a video to upload" "ffmpeg: $(head -c 300 "$scratch/ffmpeg"); give one with --video"
fi
size=$(stat -c %s "$video" 2>/dev/null || echo 0)
about=$(jq -n --arg f check.mp4 --argjson s "$size" '{filename: $f, content_type: "video/mp4", file_size: $s}')
check "begin" /api/upload/initiate 200 POST /api/upload/initiate "$about" '.presigned_url and .s3_key and .job_id'
key=$(value .s3_key) job=$(value .job_id)
put_url=$(value .presigned_url)
case "$put_url" in "$base"/media/*) echo 'put /media/{key}' >>"$scratch/called" ;; esac
check "put it to its presigned URL" - 200 PUT "$put_url" '' '' -T "$video" -H 'Content-Type: video/mp4'
check "how it would be cut" /api/video/analyze-duration 200 POST /api/video/analyze-duration \
  "$(jq -n --arg k "$key" '{s3_key: $k, cutting_options: {type: "fixed", duration_seconds: 30}}')" '.num_segments == 1 or .num_segments > 1'
complete=$(jq -n --arg k "$key" --arg j "$job" --argjson s "$size" '{s3_key: $k, job_id: $j, filename: "check.mp4", file_size: $s, title: "Deployment check",
  cutting_options: {type: "fixed", duration_seconds: 30}}')
check "complete" /api/upload/complete '200|201|202' POST /api/upload/complete "$complete"
check "complete it twice" - '200|201|202' POST /api/upload/complete "$complete"
check_until "the job is done" '/api/jobs/{job_id}/status' 200 GET "/api/jobs/$job/status" '' '.status == "COMPLETED" and (.output_urls | length > 0)'
check "its progress, for a late reader" '/api/job-progress/{job_id}/stream' 200 GET "/api/job-progress/$job/stream"
if [[ "$answer" == *'"stage":"completed"'* ]]; then good "its progress ends with completed"; else bad "its progress ends with completed" "$(head -c 300 <<<"$answer")"; fi
check_until "its segments" - 200 GET "/api/videos/$job/segments" '' '(.segments | length > 0) and (.segments[0].duration > 0)'
piece=$(value '.segments[0].segment_id')
check "play a piece" - 200 GET "/api/segments/$piece/play" '' '.play_url'
play=$(value .play_url)
case "$play" in "$base"/media/*) echo 'get /media/{key}' >>"$scratch/called" ;; esac
# Ours may lead on to S3's, which signs the method: one for GET is for GET alone.
check "its first bytes" - 206 GET "$play" '' '' -L -H 'Range: bytes=0-15'
case "$play" in "$base"/*) check "its head" - 200 HEAD "$play" '' '' -L ;; esac
check "get the video" '/api/videos/{video_id}' 200 GET "/api/videos/$job" '' '.status == "COMPLETED"'
check_until "list videos" /api/videos 200 GET /api/videos '' "[(.videos? // .)[] | .video_id] | index(\"$job\")"
check "a URL of the video" /api/videos/url 200 POST /api/videos/url "$(jq -n --arg k "$key" '{bucket_location: $k}')" '(.url // .signedUrl)'
check "cancel what is done" '/api/jobs/{job_id}/cancel' '200|409' POST "/api/jobs/$job/cancel"

section "upload in parts"
check "begin" /api/upload/initiate-multipart 200 POST /api/upload/initiate-multipart "$about" '.upload_id and .s3_key and .job_id'
upload=$(value .upload_id) key=$(value .s3_key) parts_job=$(value .job_id)
check "a URL for a part" /api/upload/part 200 POST /api/upload/part "$(jq -n --arg u "$upload" --arg k "$key" '{upload_id: $u, s3_key: $k, part_number: 1, content_type: "video/mp4"}')" '.presigned_url'
check "put the part" - 200 PUT "$(value .presigned_url)" '' '' -T "$video"
part=$(header ETag | tr -d '"')
joined=$(jq -n --arg u "$upload" --arg k "$key" --arg j "$parts_job" --arg e "$part" --argjson s "$size" '{upload_id: $u, s3_key: $k, job_id: $j, filename: "check.mp4",
  file_size: $s, title: "Deployment check", content_type: "video/mp4", parts: [{PartNumber: 1, ETag: $e}], cutting_options: {type: "fixed", duration_seconds: 30}}')
check "join the parts" /api/upload/finalize-multipart 200 POST /api/upload/finalize-multipart "$(jq 'del(.cutting_options)' <<<"$joined")"
check "complete" /api/upload/complete-multipart '200|201|202' POST /api/upload/complete-multipart "$joined"
check_until "its job is done" '/api/jobs/{job_id}/status' 200 GET "/api/jobs/$parts_job/status" '' '.status == "COMPLETED"'
check "begin another" - 200 POST /api/upload/initiate-multipart "$about" '.upload_id'
check "abort it" /api/upload/abort-multipart 200 POST /api/upload/abort-multipart "$(jq '{upload_id, s3_key}' <<<"$answer")"

section "removal"
check "a segment" '/api/segments/{segment_id}' 200 DELETE "/api/segments/$id" '' '.message'
check "it is gone" - 404 GET "/api/segments/$id"
heard "the stream tells of it" segment.deleted
for one in "$job" "$parts_job"; do
  check_until "a video with all that it has" '/api/videos/{video_id}' 200 DELETE "/api/videos/$one"
  check_until "no segment of it is left" - '200|404' GET "/api/videos/$one/segments" '' '(.segments // []) | length == 0'
done

section "every other route of the OpenAPI document, with an id that nobody has"
while read -r method route; do
  grep -qxF "$method $route" "$scratch/called" && continue
  path=$(sed -E 's/\{platform\}/tiktok/; s/\{[a-z_]+\}/nobody-has-this/g' <<<"$route")
  documented=$(jq -r --arg r "$route" --arg m "$method" '.paths[$r][$m].responses | keys | map(select(. < "500")) | join("|")' "$scratch/openapi.json")
  body=$([ "$method" = get ] || [ "$method" = delete ] || echo '{}')
  check "$method $route" "$route" "$documented" "${method^^}" "$path" "$body"
done < <(jq -r '.paths | to_entries[] | .key as $route | .value | keys[] | select(. != "parameters") | "\(.) \($route)"' "$scratch/openapi.json")

printf '%d checks passed, %d failed, as user %s on %s\n' "$passed" "$failed" "$user" "$base"
[ "$failed" = 0 ]
