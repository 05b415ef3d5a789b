#!/usr/bin/env bash
# Installs from Debian 12 main what building and running Segments need; --test adds what its tests need.
# Safe to run again: does nothing where everything is there. Needs root or sudo only where something is missing.
set -euo pipefail

packages=(
  ca-certificates g++ cmake ninja-build pkg-config ccache
  libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libssl-dev zlib1g-dev libbz2-dev liblzma-dev libre2-dev
  libavformat-dev libavcodec-dev libavutil-dev
  ffmpeg fonts-dejavu-core curl jq bsdextrautils
)
for argument in "$@"; do
  case "$argument" in
    --test) packages+=(libgtest-dev python3 python3-pytest git openssl redis-server python3-celery python3-redis celery) ;;
    --fuzz) packages+=(clang libclang-rt-14-dev) ;;
    --lint) packages+=(clang-format clang-tidy) ;;
    --bench) packages+=(nginx-light wrk python3) ;;
    *) echo "usage: $0 [--test] [--fuzz] [--lint] [--bench]" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
