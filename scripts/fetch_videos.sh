#!/bin/bash
# Fetches the real videos that the tests cut, out of Debian 12 packages (which are downloaded, not installed).
# usage: fetch_videos.sh [OUTDIR]     prints OUTDIR last; what is there with the right sum is not fetched again.
set -euo pipefail
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/segments-test-videos}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# name  sha256  package  path in the package
videos=$(cat <<'LIST'
dog_phone_1080p.mp4 9b0710a436413f75cc3cd1c1048aa3c4d7c28f76f51ef6a25413d0018d22ec99 forensics-samples-files usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4
hello_speech_720p.mp4 68162af4e15b20fb61261e55de79e989f53d6295f6226b4bda1905b8c40e9676 forensics-samples-files usr/share/forensics-samples/original-files/movie2/movie-hello.mp4
wannaworktogether_180s.mp4 0659d8c895e01fd01490dc55d2ff9117fb8f3f19b3e1b8198856d8c0e3d612fb openboard-common usr/share/openboard/library/videos/wannaworktogether.mp4
lego_560x320.mp4 1d720916a831c45454925dea707d477bdd2368bc48f3715bb5464c2707ba9859 golang-github-gabriel-vasile-mimetype-dev usr/share/gocode/src/github.com/gabriel-vasile/mimetype/testdata/mp4.mp4
desk_motion.mov 56310ef94122124bd798f2fdbb4f3786ec399ca1793faaf6ebc099ed75212ca8 node-opencv usr/share/doc/node-opencv/examples/files/motion.mov
rocket_vp8_vorbis.webm 1a32f2934354c655d5687d1628269e24796dfd75d5a7847ae8d886bf38d0a992 renpy-demo usr/share/games/renpy/demo/game/oa4_launch.webm
LIST
)

is_right() { [ -f "$1" ] && echo "$2  $1" | sha256sum --status -c -; }

# Several tests may ask at once: the second waits and then finds everything there.
exec 9>"$out/.lock"
flock 9
scratch=$(mktemp -d "$out/.fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"  # apt's sandbox user reads here

while read -r name sum package path; do
  is_right "$out/$name" "$sum" && continue
  deb=$(find "$scratch" -name "${package}_*.deb" -print -quit)
  if [ -z "$deb" ]; then
    echo "fetching $package for $name" >&2
    if ! (cd "$scratch" && apt-get download -q -o APT::Sandbox::User=root "$package") >"$scratch/log" 2>&1; then
      cat "$scratch/log" >&2
      echo "The package $package could not be downloaded; try apt-get update." >&2
      exit 1
    fi
    deb=$(find "$scratch" -name "${package}_*.deb" -print -quit)
  fi
  dpkg-deb --fsys-tarfile "$deb" | tar xO "./$path" >"$scratch/$name"
  if ! is_right "$scratch/$name" "$sum"; then
    echo "$name out of $package is not the file that was expected." >&2
    exit 1
  fi
  mv "$scratch/$name" "$out/$name"
done <<<"$videos"
echo "$out"
