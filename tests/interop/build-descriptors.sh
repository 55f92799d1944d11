#!/bin/sh
# Write opentelemetry-proto's definitions, from its Go module, as $BUILD/interop/opentelemetry-proto.binpb,
# which protoc reads. Does nothing where those are of the very versions in descriptors/go.mod.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

cd "$root"
mkdir -p "${BUILD:-build}/interop"
cd "${BUILD:-build}/interop"
out=$PWD/opentelemetry-proto.binpb
if [ -s "$out" ] && cmp -s "$here/descriptors/go.mod" "$out.go.mod"; then
    exit 0
fi
cd "$here/descriptors"
go run . >"$out.new"
mv "$out.new" "$out"
cp go.mod "$out.go.mod"
