#!/bin/sh
# Prepares .venv with the pinned dependencies and this package.
# Does nothing when the last preparation still fits (see `wanted`), so every target may call it.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/.prepared

# What a preparation depends on: the pins, how the package is built, this script, and the place
# (a virtual environment does not survive being moved).
wanted=$(pwd; cat requirements.lock setup.cfg pyproject.toml tools/setup.sh | sha256sum)
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && [ -x "$VENV/bin/gateway" ]; then
    exit 0
fi

# Prints the first CPython 3.11 or newer; a name that does not run (a shim) is passed over.
find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys
sys.exit(sys.implementation.name != "cpython" or sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    sh tools/system_packages.sh "Without them there is no Python 3.11." python3.11 python3.11-venv
    python=$(find_python)
fi
if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null || echo "no python3")
    echo "The gateway needs CPython 3.11 or newer; found: $found." >&2
    echo "Install one (Debian 12: apt-get install python3 python3-venv;" >&2
    echo "Ubuntu 22.04: apt-get install python3.11 python3.11-venv)" >&2
    echo "or name it: make run PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    name=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    sh tools/system_packages.sh "Python cannot make a virtual environment without it." "$name"
    "$python" -c 'import ensurepip, venv' || exit 1
fi

sh tools/system_packages.sh \
    "The gateway goes on with the pure-Python GOST provider: a GOST signature on 20 KB takes about 0.15 s to check instead of 0.001 s." \
    libengine-gost-openssl

echo "Preparing $VENV with $("$python" --version)…" >&2
rm -rf "$VENV"
"$python" -m venv "$VENV"
pip="$VENV/bin/python -m pip --disable-pip-version-check install --quiet"
$pip --require-hashes --requirement requirements.lock
$pip --no-deps --no-build-isolation --no-index --editable .
printf '%s\n' "$wanted" > "$STAMP"
