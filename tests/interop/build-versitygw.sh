#!/bin/sh
# Build versitygw, an S3 server over a folder, as $BUILD/interop/versitygw. Does nothing where it is
# already there as pinned here.
set -eu

version=v1.8.0

cd "$(dirname "$0")/../.."
mkdir -p "${BUILD:-build}/interop"
cd "${BUILD:-build}/interop"
if [ -x versitygw ] && [ "$(cat versitygw.version 2>/dev/null)" = "$version" ]; then
    exit 0
fi

echo "build-versitygw: building versitygw $version (a minute or two, once)" >&2
rm -f versitygw versitygw.version
GOBIN=$PWD CGO_ENABLED=0 GOFLAGS="$(go env GOFLAGS) -buildvcs=false"
export GOBIN CGO_ENABLED GOFLAGS
go install -trimpath -ldflags="-s -w" "github.com/versity/versitygw/cmd/versitygw@$version"
printf '%s\n' "$version" >versitygw.version
