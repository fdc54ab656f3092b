#!/bin/sh
# Resolves setup.cfg anew into requirements.lock: every package with the digests of all its files,
# so that one lock serves CPython 3.11 to 3.13 on every machine.  pip-tools stays out of .venv.
set -eu
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/pip" --disable-pip-version-check install --quiet pip-tools

{
    echo "# Every package the gateway and its tests install, with the digests of its files."
    echo "# Made by \`make lock\`; versions change there and nowhere else."
} > "$tools/lock"
"$tools/bin/pip-compile" --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
    --extra dev --build-deps-for editable \
    --no-header --no-annotate --no-emit-options --no-emit-index-url --no-emit-trusted-host \
    --no-emit-find-links --output-file "$tools/resolved" setup.cfg
cat "$tools/lock" "$tools/resolved" > requirements.lock
