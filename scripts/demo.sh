#!/usr/bin/env bash
# From nothing to a cut video: sets up, builds, starts the server, uploads a video, cuts it with a progress bar, links
# posts, and prints the segments, their analytics and a link with a token. Safe to run again.
# usage: scripts/demo.sh [VIDEO] [--once]     without VIDEO: a real one out of a Debian package
#        --once ends after the tables; else the server goes on until Ctrl-C
set -euo pipefail
cd "$(dirname "$0")/.."

video='' once=''
for argument in "$@"; do
  case "$argument" in
    --once) once=yes ;;
    -*) echo "usage: $0 [VIDEO] [--once]" >&2; exit 2 ;;
    *) video=$argument ;;
  esac
done
if [ -n "$video" ] && [ ! -r "$video" ]; then echo "demo: cannot read $video" >&2; exit 1; fi

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
say "1. Set-up and build (a few minutes the first time)"
scripts/setup.sh
log=$(mktemp)
server=''
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT TERM
binary=$(scripts/build.sh release 2>"$log" | tail -1) || { tail -40 "$log" >&2; exit 1; }
echo "built $binary"

if [ -z "$video" ]; then
  say "2. A real video out of a Debian package"
  videos=${XDG_CACHE_HOME:-$HOME/.cache}/segments-test-videos
  scripts/fetch_videos.sh "$videos" wannaworktogether_180s.mp4
  video=$videos/wannaworktogether_180s.mp4
fi

say "3. The server"
data=${SEGMENTS_DATA_DIR:-$PWD/segments-data}
port=${PORT:-8000}
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
"$binary" serve --data-dir "$data" --port "$port" --log-file "$data.log" >"$log" 2>&1 &
server=$!
base=http://127.0.0.1:$port
for _ in $(seq 200); do
  curl -fsS "$base/ready" >/dev/null 2>&1 && break
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.05
done
token=$("$binary" token --user demo --data-dir "$data" --expires 30d)
call() { # call METHOD PATH [JSON]: prints the answer's body; a refusal is shown and ends the demo
  local answer status
  answer=$(curl -sS -X "$1" "$base$2" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' ${3:+-d "$3"} -w '\n%{http_code}')
  status=${answer##*$'\n'}
  if [ "$status" -ge 400 ]; then echo "demo: $1 $2 answered $status: ${answer%$'\n'*}" >&2; exit 1; fi
  printf '%s' "${answer%$'\n'*}"
}
echo "serves on $base, keeps everything in $data"

say "4. Upload of $(basename "$video") ($(du -h "$video" | cut -f1))"
name=$(basename "$video")
size=$(stat -c %s "$video")
type=$(case "${name,,}" in *.webm) echo video/webm ;; *.mov) echo video/quicktime ;; *) echo video/mp4 ;; esac)
upload=$(call POST /api/upload/initiate "$(jq -n --arg f "$name" --arg t "$type" --argjson s "$size" '{filename:$f, content_type:$t, file_size:$s}')")
job=$(jq -r .job_id <<<"$upload")
key=$(jq -r .s3_key <<<"$upload")
curl -fsS -T "$video" -H "Content-Type: $type" "$(jq -r .presigned_url <<<"$upload")" -o /dev/null
plan=$(call POST /api/video/analyze-duration "$(jq -n --arg k "$key" '{s3_key:$k, cutting_options:{type:"fixed", duration_seconds:30}}')")
length=$(jq .total_duration <<<"$plan")
cut=$(jq -n --argjson d "$length" 'if $d >= 60 then 30 else ([1, ($d / 3 | ceil)] | max) end')
echo "$(jq -r '.total_duration | tostring' <<<"$plan") s long; cutting it every $cut s"

say "5. Cutting"
call POST /api/upload/complete "$(jq -n --arg k "$key" --arg j "$job" --arg f "$name" --argjson s "$size" --argjson c "$cut" \
  '{s3_key:$k, job_id:$j, filename:$f, file_size:$s, title:($f | sub("\\.[^.]*$"; "")), cutting_options:{type:"fixed", duration_seconds:$c}}')" >/dev/null
curl -sSN "$base/api/job-progress/$job/stream" -H "Authorization: Bearer $token" | while IFS= read -r line; do
  case "$line" in data:*) ;; *) continue ;; esac
  data_line=${line#data:}
  percent=$(jq -r '.progress_percentage | floor' <<<"$data_line")
  filled=$((percent * 40 / 100))
  printf '\r[%-40s] %3d %%  %-60.60s' "$(printf '%*s' "$filled" '' | tr ' ' '#')" "$percent" "$(jq -r '.message' <<<"$data_line")"
done
echo
status=$(call GET "/api/jobs/$job/status")
if [ "$(jq -r .status <<<"$status")" != COMPLETED ]; then echo "demo: the job failed: $(jq -r .error_message <<<"$status")" >&2; exit 1; fi
expected=$(jq '.output_urls | length' <<<"$status")
for _ in $(seq 600); do
  segments=$(call GET "/api/videos/$job/segments")
  [ "$(jq '.segments | length' <<<"$segments")" -ge "$expected" ] && break
  sleep 0.1
done

say "6. The segments"
table() { column -t -s $'\t' 2>/dev/null || cat; }
{
  printf 'NR\tSECONDS\tBYTES\tTITLE\tSEGMENT ID\n'
  jq -r '.segments[] | [.segment_number, (.duration * 1000 | round / 1000), .file_size, .title, .segment_id] | @tsv' <<<"$segments"
} | table

say "7. Two posts of each, with counts made by the simulator (no platform account is configured)"
number=0
for id in $(jq -r '.segments[].segment_id' <<<"$segments"); do
  number=$((number + 1))
  for platform in tiktok instagram; do
    case "$platform" in tiktok) post=$((7300000000000000000 + number)) ;; *) post=$(printf 'DemoReel%03d' "$number") ;; esac
    call POST "/api/segments/$id/social-media?wait=true" "$(jq -n --arg p "$platform" --arg i "$post" '{platform:$p, post_id:$i, posted_at:(now - 259200 | todate)}')" >/dev/null
  done
done
{
  printf 'NR\tVIEWS\tLIKES\tSHARES\tCOMMENTS\tENGAGEMENT %%\tBEST PLATFORM\tSOURCE\n'
  number=0
  for id in $(jq -r '.segments[].segment_id' <<<"$segments"); do
    number=$((number + 1))
    call GET "/api/segments/$id/analytics" | jq -r --argjson n "$number" \
      '[$n, .total_views, .total_likes, .total_shares, .total_comments, ((.average_engagement_rate // 0) * 100 | round / 100), .top_performing_platform, ([.platform_breakdown[].sources[]] | unique | join(","))] | @tsv'
  done
} | table

first=$(jq -r '.segments[0].segment_id' <<<"$segments")
say "8. Yours now"
echo "API page with your token:  $base/docs#token=$token"
echo "Play the first segment:    $(call GET "/api/segments/$first/play" | jq -r .play_url)"
echo "From the shell:            curl -H 'Authorization: Bearer $token' '$base/api/segments?limit=5'"
if [ -n "$once" ]; then exit 0; fi
echo
echo "The server goes on; Ctrl-C ends it."
wait "$server"
