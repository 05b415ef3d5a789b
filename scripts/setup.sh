#!/usr/bin/env bash
# Installs from Debian 12 main what building and running Segments need; --test adds what its tests need.
# --run installs instead what a built program needs, without compilers.
# Safe to run again: does nothing where everything is there. Needs root or sudo only where something is missing.
set -euo pipefail

packages=(
  ca-certificates g++ cmake ninja-build pkg-config ccache
  libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libssl-dev zlib1g-dev libbz2-dev liblzma-dev libdeflate-dev libre2-dev libmimalloc-dev
  libavformat-dev libavcodec-dev libavutil-dev
  ffmpeg fonts-dejavu-core curl jq bsdextrautils
)
run=(
  ca-certificates libboost-json1.81.0 libsqlite3-0 libssl3 zlib1g libbz2-1.0 liblzma5 libdeflate0 libre2-9 libmimalloc2.0 libavformat59 libavcodec59 libavutil57 libstdc++6
  ffmpeg fonts-dejavu-core curl
)
engines=
for argument in "$@"; do
  case "$argument" in
    --test)
      packages+=(libgtest-dev python3 python3-pytest python3-pytest-xdist git openssl redis-server python3-celery python3-redis celery
        nodejs npm radosgw ceph-mon ceph-osd python3-rados python3-boto3)
      engines=yes
      ;;
    --run) packages=("${run[@]}") ;;
    --fuzz) packages+=(clang libclang-rt-14-dev) ;;
    --lint) packages+=(clang-format clang-tidy shellcheck) ;;
    --bench) packages+=(nginx-light curl sqlite3 python3 python3-venv python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-jwt python3-boto3) ;;
    *) echo "usage: $0 [--run] [--test] [--fuzz] [--lint] [--bench]" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  [ "$package" = npm ] && [ -x /usr/bin/npm ] && continue  # other makers' nodejs brings it along
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done

as_root=() no_daemons=/usr/sbin/policy-rc.d
install_missing() {
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  # The tests start servers of their own: none that a package brings is to start by itself.
  if [ ! -e "$no_daemons" ]; then
    trap '"${as_root[@]}" rm -f "$no_daemons"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$no_daemons" >/dev/null
    "${as_root[@]}" chmod 755 "$no_daemons"
  fi
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is installed"
else
  install_missing
fi
if [ -n "$engines" ]; then "$(dirname "$0")/fetch_engines.sh" >/dev/null; fi
