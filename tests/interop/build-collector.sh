#!/bin/sh
# Build the Collector that builder-config.yaml describes, with the Collector's own builder, as
# $BUILD/interop/otelcol. Does nothing where that is already built from this very manifest.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
manifest=$here/builder-config.yaml
need_go=1.26 # what the pinned release asks for in its go.mod

fail() {
    echo "build-collector: $*" >&2
    exit 1
}
needed="the Collector is built with Go $need_go or newer"
command -v go >/dev/null || fail "go is not on PATH: $needed"
have_go=$(go env GOVERSION)
have_go=${have_go#go}
[ "$(printf '%s\n' "$need_go" "$have_go" | sort -V | head -n 1)" = "$need_go" ] ||
    fail "go is $have_go: $needed"

cd "$root"
mkdir -p "${BUILD:-build}/interop"
cd "${BUILD:-build}/interop"
if [ -x otelcol ] && cmp -s "$manifest" otelcol.manifest; then
    exit 0
fi

version=$(sed -n 's/^  version: *//p' "$manifest")
echo "build-collector: building Collector $version (minutes, once)" >&2
rm -rf src otelcol otelcol.manifest
CGO_ENABLED=0 GOFLAGS="$(go env GOFLAGS) -buildvcs=false" # no git, no C compiler: same binary
export CGO_ENABLED GOFLAGS
go run "go.opentelemetry.io/collector/cmd/builder@v$version" --config "$manifest"
mv src/otelcol otelcol
cp "$manifest" otelcol.manifest
