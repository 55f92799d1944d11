#!/bin/sh
# Usage: deps.sh FILE=PACKAGE... -- installs the Debian packages whose file is missing, saying which.
set -eu

missing=
for dep in "$@"; do
    [ -e "${dep%%=*}" ] || missing="$missing ${dep#*=}"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "deps: missing:$missing; no apt-get here: install them by your system's own means" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    command -v sudo >/dev/null || {
        echo "deps: missing:$missing; run as root, or install sudo" >&2
        exit 1
    }
fi
echo "deps: installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing \
    >/dev/null
for dep in "$@"; do
    [ -e "${dep%%=*}" ] || {
        echo "deps: ${dep%%=*} is still missing after installing ${dep#*=}" >&2
        exit 1
    }
done
