#!/usr/bin/env bash
# Fetches the DynamoDB stand-in that tests/engines/package-lock.json pins, into a cache outside the tree; none of its
# packages' own scripts are run. Prints the folder last; does nothing where it is there.
set -euo pipefail
cd "$(dirname "$0")/../tests/engines"
pinned=$(sha256sum package-lock.json | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/segments-test-engines
out=$cache/$pinned
mkdir -p "$cache"
# Several set-ups may ask at once: the second waits and then finds everything there.
exec 9>"$cache/.lock"
flock 9
if [ ! -d "$out" ]; then
  scratch=$(mktemp -d "$cache/.fetch.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  cp package.json package-lock.json "$scratch"
  echo "fetching dynalite" >&2
  # Node brings its own list of authorities; the system's may hold one more, of the network's own.
  : "${NODE_EXTRA_CA_CERTS:=/etc/ssl/certs/ca-certificates.crt}"
  [ -r "$NODE_EXTRA_CA_CERTS" ] && export NODE_EXTRA_CA_CERTS
  if ! (cd "$scratch" && /usr/bin/node /usr/bin/npm ci --ignore-scripts --no-audit --no-fund) >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    exit 1
  fi
  chmod 755 "$scratch"
  mv "$scratch" "$out"
fi
echo "$out"
