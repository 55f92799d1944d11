#!/bin/sh
# Usage: build.sh STATIC ARCH VERSION ARCHIVE -- make a container image of STATIC/otlpull, named
# otlpull:VERSION, as an OCI archive. Neither a daemon nor a kernel that nests containers is needed:
# nothing runs in it. As another user than root, buildah wants a range of ids in /etc/subuid.
set -eu

static=$(cd "$1" && pwd) arch=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
archive=$(cd "$(dirname "$4")" && pwd)/$(basename "$4")
context=$static/image

rm -rf "$context"
install -D -m 755 "$static/otlpull" "$context/root/usr/bin/otlpull"
install -D -m 644 /etc/ssl/certs/ca-certificates.crt \
    "$context/root/etc/ssl/certs/ca-certificates.crt"
install -d -m 755 "$context/root/etc/otlpull" "$context/root/var/lib" \
    "$context/root/usr/share/doc/otlpull"
cp -r "$static/licenses" "$here/../../LICENSE" "$context/root/usr/share/doc/otlpull/"
install -d -m 700 "$context/state/otlpull"

[ "$arch" = arm64 ] || arch=amd64
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
set -- --root "$static/image-store" --runroot "$static/image-run"
buildah "$@" build --quiet --arch "$arch" --timestamp 0 --tag "otlpull:$version" \
    --label org.opencontainers.image.title=otlpull \
    --label org.opencontainers.image.version="$version" \
    --label org.opencontainers.image.licenses=Apache-2.0 \
    --file "$here/Containerfile" "$context" >/dev/null
rm -f "$archive"
buildah "$@" push --quiet "otlpull:$version" "oci-archive:$archive:otlpull:$version"
buildah "$@" rmi --all --force >/dev/null
rm -rf "$static/image-store" "$static/image-run"
