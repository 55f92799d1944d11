#!/bin/sh
# Usage: build.sh VERSION FOLDER PACKAGE -- build the Debian package as dpkg-buildpackage does, in a
# copy of the sources below FOLDER where debian/ is, as it must be, at the top.
set -eu

version=$1 folder=$2 package=$3
tree=$folder/otlpull-$version
log=$folder/build.log

cd "$(dirname "$0")/../.."
listed=$(dpkg-parsechangelog -l deploy/debian/changelog -S Version)
if [ "${listed%-*}" != "$version" ]; then
    echo "deb: deploy/debian/changelog is at $listed, the Makefile at $version" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$tree"
cp -a CHANGELOG.md LICENSE Makefile cmd deploy otlp src "$tree/"
cp -a deploy/debian "$tree/debian"
rm "$tree/debian/build.sh"

if ! (cd "$tree" && DEB_BUILD_OPTIONS="noautodbgsym parallel=$(nproc)" MAKEFLAGS='' \
    dpkg-buildpackage --build=binary --no-sign) >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi
mv "$folder/$(basename "$package")" "$package"
