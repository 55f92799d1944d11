#!/bin/sh
# Install moto, which plays AWS, with what its server needs into $BUILD/interop/moto, a virtual
# environment of its own. Does nothing where it is already there as pinned here.
set -eu

cd "$(dirname "$0")/../.."
packages="moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 werkzeug==3.1.9 PyYAML==6.0.3
    py-partiql-parser==0.6.3 boto3==1.44.5 botocore==1.44.5"
venv=${BUILD:-build}/interop/moto
if [ -x "$venv/bin/moto_server" ] && [ "$(cat "$venv/packages" 2>/dev/null)" = "$packages" ]; then
    exit 0
fi

echo "build-moto: installing moto (half a minute, once)" >&2
rm -rf "$venv"
"${PYTHON:-/usr/bin/python3}" -m venv "$venv"
# shellcheck disable=SC2086 # a word each
"$venv/bin/pip" install --quiet --disable-pip-version-check $packages
printf '%s\n' "$packages" >"$venv/packages"
