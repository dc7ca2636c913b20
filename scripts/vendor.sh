#!/bin/sh
# Fetch the page's third-party files from npm, as web/vendor/manifest.json pins them.
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

fetch htm "$HTM"
fetch preact "$PREACT"
rm -f ./*
cp "$work/htm/preact/standalone.module.js" "htm-preact-$HTM.mjs"
cp "$work/htm/LICENSE" LICENSE.htm
cp "$work/preact/LICENSE" LICENSE.preact

hash() { sha256sum "$1" | cut -d' ' -f1; }
cat >manifest.json <<END
[
  {
    "package": "htm",
    "version": "$HTM",
    "source": "preact/standalone.module.js",
    "path": "htm-preact-$HTM.mjs",
    "sha256": "$(hash "htm-preact-$HTM.mjs")",
    "license": "Apache-2.0 (htm), MIT (Preact inside)"
  },
  {
    "package": "htm",
    "version": "$HTM",
    "source": "LICENSE",
    "path": "LICENSE.htm",
    "sha256": "$(hash LICENSE.htm)",
    "license": "Apache-2.0"
  },
  {
    "package": "preact",
    "version": "$PREACT",
    "source": "LICENSE",
    "path": "LICENSE.preact",
    "sha256": "$(hash LICENSE.preact)",
    "license": "MIT"
  }
]
END
echo "vendored into $(pwd):"
ls -l
