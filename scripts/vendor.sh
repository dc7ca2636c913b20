#!/bin/sh
# Fetch the page's third-party files from npm, as pinned here, and write web/vendor/manifest.json.
# The result is committed: neither a build nor a user needs npm. A test checks the hashes offline.
set -eu

HTM=3.1.1
PREACT=10.5.15 # only for its licence text: htm carries a Preact 10 inside its standalone module

cd "$(dirname "$0")/../web/vendor"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # PACKAGE VERSION: unpack it into $work/PACKAGE
    tarball=$(cd "$work" && npm pack --silent "$1@$2")
    mkdir "$work/$1"
    tar -xzf "$work/$tarball" -C "$work/$1" --strip-components=1
}

entries=""
keep() { # PACKAGE VERSION SOURCE PATH LICENSE: copy the file and note it for the manifest
    cp "$work/$1/$3" "$4"
    hash=$(sha256sum "$4" | cut -d' ' -f1)
    entries="$entries${entries:+,}
  {
    \"package\": \"$1\",
    \"version\": \"$2\",
    \"source\": \"$3\",
    \"path\": \"$4\",
    \"sha256\": \"$hash\",
    \"license\": \"$5\"
  }"
}

fetch htm "$HTM"
fetch preact "$PREACT"
rm -f ./*
keep htm "$HTM" preact/standalone.module.js "htm-preact-$HTM.mjs" "Apache-2.0 (htm), MIT (Preact inside)"
keep htm "$HTM" LICENSE LICENSE.htm Apache-2.0
keep preact "$PREACT" LICENSE LICENSE.preact MIT
printf '[%s\n]\n' "$entries" >manifest.json
echo "vendored into $(pwd):"
ls -l
