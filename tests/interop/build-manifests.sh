#!/bin/sh
# Build kustomize and what checks its output (manifests/), as $BUILD/interop/kustomize and
# $BUILD/interop/manifests. Does nothing where they are already built from these very sources.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
mkdir -p "${BUILD:-build}/interop"
cd "${BUILD:-build}/interop"
out=$PWD
cat "$here"/manifests/go.mod "$here"/manifests/*.go >manifests.new
if [ -x kustomize ] && [ -x manifests ] && cmp -s manifests.new manifests.sources; then
    rm manifests.new
    exit 0
fi

echo "build-manifests: building kustomize and the check of its output (a minute, once)" >&2
rm -f kustomize manifests manifests.sources
CGO_ENABLED=0 GOFLAGS="$(go env GOFLAGS) -buildvcs=false -mod=readonly"
export CGO_ENABLED GOFLAGS
cd "$here/manifests"
go build -o "$out/kustomize" sigs.k8s.io/kustomize/kustomize/v5
go build -o "$out/manifests" .
mv "$out/manifests.new" "$out/manifests.sources"
