#!/bin/sh
# Installs Debian packages that are missing, where we may: as root, or by sudo without a password.
# Usage: system_packages.sh WHAT_IT_COSTS PACKAGE…   Where we may not, it names them and goes on.
set -eu

cost=$1
shift

missing=""
for package in "$@"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    as_root=none
elif [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi

# A machine without a mirror must not make anyone wait: one retry, 20 s each.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
        -o DPkg::Lock::Timeout=120 "$@" >/dev/null 2>&1
}

if [ "$as_root" != none ]; then
    echo "Installing system packages:$missing" >&2
    # shellcheck disable=SC2086  # a list of names, split on purpose
    if apt install -y --no-install-recommends $missing; then exit 0; fi
    # shellcheck disable=SC2086
    if apt update && apt install -y --no-install-recommends $missing; then exit 0; fi
fi
echo "Not installed:$missing. $cost" >&2
echo "To install:    sudo apt-get install$missing" >&2
