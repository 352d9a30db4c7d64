#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs those of the named Debian packages that are missing; needs root only if one is.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing Debian packages:$missing" >&2
if [ "$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null; then root=sudo; else
    echo "these packages are missing and only root can install them:$missing" >&2
    echo "run as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
$root apt-get update -q >&2
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=500 install -y -q --no-install-recommends $missing >&2
