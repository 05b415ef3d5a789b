#!/usr/bin/env bash
# Brings Segments up and proves that it is: applies terraform/, checks the table, starts or updates the service, tries
# every endpoint, and says what came of each step. Ends with 1 where anything failed. Safe to run again.
#
# usage: scripts/deploy-segments-backend.sh [FLAGS]
#   --yes                 applies Terraform's plan without asking
#   --skip-terraform      changes nothing in the account; checks and tries what is there
#   --allow-destroy       takes a plan that destroys something other than what holds data
#   --var-file FILE       for Terraform, besides terraform/terraform.tfvars
#   --endpoint-url URL    stand-ins for AWS's services are there, with keys in AWS's variables; the service then runs on
#                         this machine. Where S3's is another one: AWS_ENDPOINT_URL_S3
#   --local               the service runs on this machine, as the environment configures it, for as long as this takes
#   --url URL             the API to try, where it is not Terraform's output api_url
#   --video FILE          uploaded in the trial; else ffmpeg makes two seconds
#   --binary FILE         segments; default build/release/segments, else the one in PATH
#   --no-aws-command      does not use the aws command, though it is installed
#
# Needs curl, jq, segments, and terraform unless that is skipped. The aws command is used where it is installed, to show
# whose account this is and to read the secret of the tokens; else give SEGMENTS_AUTH_SECRET, or SEGMENTS_TOKEN with a
# token of the user deploy-check.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

usage() { sed -n '/^# usage/,/^#   --no-aws/s/^# \{0,1\}//p' "$0"; }
yes='' skip_terraform='' allow_destroy='' var_files=() endpoint_url='' is_local='' url='' video=() binary='' aws_command=1
while [ $# -gt 0 ]; do
  case "$1" in
    --yes) yes=1 ;;
    --skip-terraform) skip_terraform=1 ;;
    --allow-destroy) allow_destroy=1 ;;
    --local) is_local=1 ;;
    --no-aws-command) aws_command='' ;;
    --help) usage; exit 0 ;;
    --var-file | --endpoint-url | --url | --video | --binary)
      if [ -z "${2:-}" ]; then echo "$1 needs a value" >&2; exit 2; fi
      case "$1" in
        --var-file) var_files+=("-var-file=$(realpath "$2")") ;;
        --endpoint-url) endpoint_url=$2 is_local=1 ;;
        --url) url=${2%/} ;;
        --video) video=(--video "$2") ;;
        --binary) binary=$2 ;;
      esac
      shift
      ;;
    *) echo "$1 is not understood" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ -n "$is_local" ] && [ -n "$url" ]; then echo "--url is for a service elsewhere; --local and --endpoint-url start one here" >&2; exit 2; fi
# What runs here needs nothing of an account.
[ -n "$is_local" ] && skip_terraform=1

scratch=$(mktemp -d)
server='' worker=''
# shellcheck disable=SC2317 # the trap calls it
finish() {
  for process in $worker $server; do kill "$process" 2>/dev/null; done
  for process in $worker $server; do wait "$process" 2>/dev/null; done
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

summary=() failed=0
step() { printf '\n== %s\n' "$1"; }
done_with() { summary+=("ok    $1"); printf 'ok    %s\n' "$1"; }
failed_at() { failed=$((failed + 1)); summary+=("FAIL  $1"); printf 'FAIL  %s\n' "$1" >&2; }
left_out() { summary+=("-     $1"); printf -- '-     %s\n' "$1"; }
conclude() {
  step "Summary"
  printf '%s\n' "${summary[@]}"
  if [ "$failed" = 0 ]; then echo "deployed: everything that was tried works"; exit 0; fi
  echo "$failed of ${#summary[@]} steps failed" >&2
  exit 1
}
give_up() { failed_at "$1"; conclude; }

has_aws_command() { [ -n "$aws_command" ] && command -v aws >/dev/null; }
region_of_calls() { echo "${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}"; } # older aws commands do not read AWS_REGION

step "Tools"
if [ -z "$binary" ]; then
  if [ -x "$root/build/release/segments" ]; then binary=$root/build/release/segments; else binary=$(command -v segments || true); fi
fi
missing=()
for tool in curl jq; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ -x "$binary" ] || missing+=("segments (scripts/build.sh makes it)")
[ -n "$skip_terraform" ] || command -v terraform >/dev/null || missing+=("terraform (or --skip-terraform)")
if [ ${#video[@]} = 0 ]; then command -v ffmpeg >/dev/null || missing+=("ffmpeg (or --video)"); fi
[ ${#missing[@]} = 0 ] || give_up "tools: missing: $(printf '%s; ' "${missing[@]}")"
done_with "tools: $("$binary" version)$([ -n "$skip_terraform" ] || terraform version -json 2>/dev/null | jq -r '", terraform \(.terraform_version)"')"

# Stand-ins and this machine's own engines take the environment as it is.
if [ -n "$endpoint_url" ]; then
  export AWS_ENDPOINT_URL=$endpoint_url SEGMENTS_STORE=${SEGMENTS_STORE:-dynamodb} SEGMENTS_OBJECTS=${SEGMENTS_OBJECTS:-s3} SEGMENTS_QUEUE=${SEGMENTS_QUEUE:-redis}
  # One for the server, the worker and the token, for as long as this takes.
  [ -n "${SEGMENTS_AUTH_SECRET:-}" ] || SEGMENTS_AUTH_SECRET=$(head -c 24 /dev/urandom | base64)
  export SEGMENTS_AUTH_SECRET
fi

step "Identity"
if [ -n "$is_local" ]; then
  left_out "identity: ${endpoint_url:+stand-ins at $endpoint_url, }this machine; no account"
elif has_aws_command; then
  who=$(aws --region "$(region_of_calls)" sts get-caller-identity --output json 2>"$scratch/problem") || give_up "identity: $(tail -1 "$scratch/problem")"
  done_with "identity: $(jq -r '"\(.Arn) in account \(.Account)"' <<<"$who")"
else
  left_out "identity: the aws command is not used; Terraform and segments find the keys, or say that there are none"
fi

terraform_in() { terraform -chdir="$root/terraform" "$@"; }
outputs='{}'
output_of() { jq -r --arg n "$1" '.[$n].value // empty | if type == "array" then join(" ") else . end' <<<"$outputs"; }

if [ -z "$skip_terraform" ]; then
  step "Terraform"
  terraform_in init -input=false >"$scratch/init" 2>&1 || { cat "$scratch/init" >&2; give_up "terraform init"; }
  terraform_in plan -input=false -detailed-exitcode -out="$scratch/plan" "${var_files[@]}"
  case $? in
    0) done_with "terraform: nothing to change" ;;
    2)
      terraform_in show -json "$scratch/plan" >"$scratch/plan.json" || give_up "terraform show"
      # New revisions of a task's definition are "destroyed" and made in Terraform's words; nothing is lost by that.
      destroyed=$(jq -r '.resource_changes[] | select(.change.actions | index("delete")) | select(.type != "aws_ecs_task_definition") | .address' "$scratch/plan.json")
      holds_data='^(aws_dynamodb_|aws_s3_|aws_elasticache_|aws_secretsmanager_|aws_cognito_|aws_kms_)'
      if grep -qE "$holds_data" <<<"$destroyed"; then
        give_up "terraform: the plan destroys what holds data, so it is not applied: $(grep -E "$holds_data" <<<"$destroyed" | tr '\n' ' ')"
      fi
      if [ -n "$destroyed" ] && [ -z "$allow_destroy" ]; then
        give_up "terraform: the plan destroys $(tr '\n' ' ' <<<"$destroyed"); --allow-destroy takes it"
      fi
      if [ -z "$yes" ]; then
        read -r -p "Apply this plan? Only \"yes\" is yes: " said || said=''
        [ "$said" = yes ] || give_up "terraform: the plan was not applied"
      fi
      terraform_in apply -input=false "$scratch/plan" || give_up "terraform apply"
      done_with "terraform: applied; API and workers are the new ones"
      ;;
    *) give_up "terraform plan" ;;
  esac
fi
if [ -z "$is_local" ] && command -v terraform >/dev/null; then outputs=$(terraform_in output -json 2>/dev/null) || outputs='{}'; fi
if [ -z "$is_local" ]; then
  [ -n "$(output_of table_name)" ] && export DYNAMODB_TABLE_NAME AWS_REGION && DYNAMODB_TABLE_NAME=$(output_of table_name) AWS_REGION=$(output_of aws_region)
  [ -n "$url" ] || url=$(output_of api_url)
  [ -n "$url" ] || give_up "Terraform has no output api_url: give --url"
fi

step "The table"
table() { "$binary" admin table "$1" >"$scratch/table" 2>&1; }
if [ -n "$is_local" ] && [ "${SEGMENTS_STORE:-sqlite}" != dynamodb ]; then
  left_out "table: records are kept in SQLite"
elif table verify; then
  done_with "table: ${DYNAMODB_TABLE_NAME:-its structure} is as it has to be"
elif [ -n "$endpoint_url" ]; then
  # Terraform makes it in an account; a stand-in has nobody else.
  cat "$scratch/table"
  table create || { cat "$scratch/table" >&2; give_up "table: it cannot be made: $(tail -1 "$scratch/table")"; }
  if table verify; then done_with "table: made, and as it has to be"; else cat "$scratch/table" >&2; give_up "table: it was made, and is not as it has to be"; fi
else
  cat "$scratch/table" >&2
  give_up "table: $(tail -1 "$scratch/table")"
fi

step "The service"
said_by() { tail -5 "$scratch/$1.log"; } # why a process of ours is not there
if [ -n "$is_local" ]; then
  export SEGMENTS_DATA_DIR=${SEGMENTS_DATA_DIR:-$scratch/data} HOST=127.0.0.1
  if [ -z "${PORT:-}" ]; then
    PORT=8000
    while (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do PORT=$((PORT + 1)); done
  fi
  export PORT
  unset SEGMENTS_PUBLIC_URL
  url=http://127.0.0.1:$PORT
  "$binary" serve --workers 0 >"$scratch/serve.log" 2>&1 &
  server=$!
  # The data folder is the server's to make.
  for _ in $(seq 600); do
    curl -fsS --max-time 5 -o /dev/null "$url/health" 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || { said_by serve >&2; give_up "service: segments serve ended: $(said_by serve | tail -1)"; }
    sleep 0.1
  done
  "$binary" worker --concurrency 2 --beat >"$scratch/worker.log" 2>&1 &
  worker=$!
fi
for _ in $(seq "${SEGMENTS_DEPLOY_PATIENCE:-300}"); do
  ready=$(curl -sS --max-time 10 "$url/ready" 2>"$scratch/problem") && jq -e '.status == "ready"' >/dev/null 2>&1 <<<"$ready" && break
  for process in $server $worker; do kill -0 "$process" 2>/dev/null || break 2; done
  ready='' && sleep 1
done
if [ -z "${ready:-}" ] || ! jq -e '.status == "ready"' >/dev/null 2>&1 <<<"$ready"; then
  curl -sS --max-time 10 "$url/ready" >&2
  if [ -n "$is_local" ]; then said_by serve >&2; said_by worker >&2; fi
  give_up "service: $url is not ready"
fi
done_with "service: $url is ready: $(jq -r '[.checks | keys[]] | join(", ")' <<<"$ready")"

step "The endpoints"
if [ -z "${SEGMENTS_TOKEN:-}" ]; then
  if [ -z "$is_local" ] && [ -z "${SEGMENTS_AUTH_SECRET:-}" ]; then
    has_aws_command || give_up "endpoints: no token: give SEGMENTS_AUTH_SECRET or SEGMENTS_TOKEN, or install the aws command"
    SEGMENTS_AUTH_SECRET=$(aws secretsmanager get-secret-value --region "$(output_of aws_region)" --secret-id "$(output_of auth_secret_arn)" --query SecretString --output text) ||
      give_up "endpoints: the secret $(output_of auth_secret_arn) cannot be read"
    export SEGMENTS_AUTH_SECRET
  fi
  SEGMENTS_TOKEN=$("$binary" token --user deploy-check --expires 1h) || give_up "endpoints: no token could be made"
fi
export SEGMENTS_TOKEN
if "$here/check_endpoints.sh" "$url" "${video[@]}" | tee "$scratch/endpoints"; then
  done_with "endpoints: $(tail -1 "$scratch/endpoints")"
else
  failed_at "endpoints: $(tail -1 "$scratch/endpoints"): $(grep '^FAIL' "$scratch/endpoints" | cut -c7-80 | tr '\n' ';')"
  if [ -n "$is_local" ]; then said_by serve >&2; said_by worker >&2; fi
fi

if [ -z "$is_local" ]; then
  echo "logs: $(output_of log_group_names); cluster: $(output_of cluster_name); the API's name has to point to $(output_of load_balancer_dns_name)"
fi
conclude
