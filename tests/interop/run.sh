#!/bin/sh
# Drive $BUILD/otlpull from $BUILD/otlpull-sim into a real Collector; build that first where needed.
# Arguments go to pytest: run.sh -k gzip
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
export BUILD PYTHON

fail() {
    echo "interop: $*" >&2
    exit 1
}
for program in otlpull otlpull-sim; do
    [ -x "$BUILD/$program" ] || fail "$BUILD/$program is missing: run make"
done
command -v protoc >/dev/null || fail "protoc is missing: install protobuf-compiler"
command -v setpriv >/dev/null || fail "setpriv is missing: install util-linux"
"$PYTHON" -c 'import pytest' 2>/dev/null || fail "$PYTHON has no pytest: install python3-pytest"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || fail "$PYTHON has no ensurepip: install python3-venv"
"$here/build-collector.sh"
"$here/build-descriptors.sh"
"$here/build-manifests.sh"
"$here/build-moto.sh"
"$here/build-versitygw.sh"
"$here/build-lambda.sh"

export PYTHONDONTWRITEBYTECODE=1
exec "$PYTHON" -m pytest -q -p no:cacheprovider --basetemp "$BUILD/interop/tmp" "$@" "$here"
