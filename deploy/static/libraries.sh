#!/bin/sh
# Usage: libraries.sh ARCH FOLDER -- build the libraries that the static otlpull is linked with, from
# Debian's source packages, into FOLDER/ARCH/{lib,include,licenses}. The sources are fetched once, to
# FOLDER/src, with Debian's patches in them; the system's package lists stay as they are.
# ARCH is x86_64 or arm64; the one that this machine is not needs Debian's cross compiler.
#
# What is left out is what otlpull never asks for: TLS 1.2 and 1.3 stay, HTTP/1.1 and proxies.
# Names are looked up by c-ares: the C library's own lookup, linked statically, loads whatever
# modules the machine's /etc/nsswitch.conf names, which are made for another C library.
set -eu

arch=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
prefix=$folder/$arch
sources=$folder/src
work=$prefix/work
packages="zlib libzstd json-c libyaml c-ares openssl curl"
jobs=$(nproc)

case $arch in
x86_64) triplet=x86_64-linux-gnu openssl_target=linux-x86_64 ;;
arm64) triplet=aarch64-linux-gnu openssl_target=linux-aarch64 ;;
*)
    echo "static: no such ARCH: $arch (x86_64, arm64)" >&2
    exit 64
    ;;
esac
export CC="$triplet-gcc" AR="$triplet-ar" RANLIB="$triplet-ranlib" LDFLAGS="" PKG_CONFIG=false
unset MAKEFLAGS MFLAGS # of the make that calls this: its BUILD, its CFLAGS
export CFLAGS="-O2 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections"

# Run a step with its output kept aside, to be shown where it fails.
step() { # NAME COMMAND...
    name=$1
    shift
    began=$(date +%s)
    set +e # in a condition, the step itself would run on past its first error
    (
        set -e
        "$@"
    ) >"$work/$name.log" 2>&1
    code=$?
    set -e
    if [ "$code" -ne 0 ]; then
        tail -n 40 "$work/$name.log" >&2
        echo "static: $name for $arch failed: all of it is in $work/$name.log" >&2
        exit 1
    fi
    printf '  %-5s %s %s, %d s\n' LIB "$arch" "$name" "$(($(date +%s) - began))"
}

# The mirror of this machine's own packages; nothing where apt has no list of them.
where_packages_come_from() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$VERSION_CODENAME" '$2 == suite && $3 == "main" { print $1; exit }'
}

# By a package list of our own, from the archive that this system's packages come from; not from the
# security archive, which keeps no source of a version once the next is there.
fetch() {
    mkdir -p "$sources/apt/lists/partial" "$sources/apt/cache/archives/partial" "$sources/apt/parts"
    cd "$sources"
    # shellcheck disable=SC1091
    . /etc/os-release
    uri=$(where_packages_come_from)
    if [ -z "$uri" ]; then
        apt-get -q update
        uri=$(where_packages_come_from)
    fi
    if [ -z "$uri" ]; then
        echo "libraries: apt knows no place of $VERSION_CODENAME's packages: see /etc/apt/sources.list" >&2
        exit 1
    fi
    cat >apt/parts/source.sources <<END
Types: deb-src
URIs: $uri
Suites: $VERSION_CODENAME
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    set -- -q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$sources/apt/parts" \
        -o "Dir::State::Lists=$sources/apt/lists" -o "Dir::Cache=$sources/apt/cache" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::Retries=3
    apt-get "$@" update
    # shellcheck disable=SC2086
    apt-get "$@" source $packages
    for package in $packages; do
        mv "$package"-[0-9]*/ "$package"
    done
}

unpack() { # NAME: a fresh tree to build in, and its licence
    cp -a "$sources/$1" "$work/$1"
    cp "$work/$1/debian/copyright" "$prefix/licenses/$1"
    cd "$work/$1"
}

build_zlib() {
    unpack zlib
    CFLAGS="$CFLAGS -O3" ./configure --static
    make -j"$jobs" libz.a
    cp libz.a "$prefix/lib"
    cp zlib.h zconf.h "$prefix/include"
}

build_zstd() {
    unpack libzstd
    make -C lib -j"$jobs" libzstd.a CFLAGS="$CFLAGS -O3" ZSTD_LEGACY_SUPPORT=0 \
        ZSTD_LIB_DICTBUILDER=0 ZSTD_LIB_DEPRECATED=0
    cp lib/libzstd.a "$prefix/lib"
    cp lib/zstd.h lib/zstd_errors.h "$prefix/include"
}

by_cmake() { # NAME OPTION...
    unpack "$1"
    shift
    cmake -S . -B build -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$arch" \
        -DCMAKE_BUILD_TYPE=None -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib "$@"
    make -C build -j"$jobs" install
}

build_openssl() {
    unpack openssl
    ./Configure "$openssl_target" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
        no-shared no-module no-dso no-engine no-afalgeng no-tests no-legacy no-comp \
        no-secure-memory no-autoload-config no-ui-console no-dtls no-ssl3 no-tls1 no-tls1_1 \
        no-aria no-bf no-blake2 no-camellia no-cast no-cmp no-cms no-ct no-dsa no-ec2m no-gost \
        no-idea no-md4 no-mdc2 no-ocb no-ocsp no-psk no-rc2 no-rc4 no-rfc3779 no-rmd160 no-scrypt \
        no-seed no-siphash no-sm2 no-sm3 no-sm4 no-srp no-srtp no-ts no-whirlpool
    make -j"$jobs" build_libs
    make install_dev
}

build_curl() {
    unpack curl
    ./configure --host="$triplet" --prefix="$prefix" --disable-shared --enable-static \
        --with-openssl="$prefix" --with-zlib="$prefix" --enable-ares="$prefix" --enable-ipv6 \
        --disable-alt-svc --disable-cookies --disable-dict --disable-dnsshuffle --disable-doh \
        --disable-file --disable-ftp --disable-get-easy-options --disable-gopher --disable-hsts \
        --disable-imap --disable-ldap --disable-libcurl-option --disable-manual --disable-mime \
        --disable-mqtt --disable-netrc --disable-ntlm --disable-pop3 --disable-progress-meter \
        --disable-rtsp --disable-smb --disable-smtp --disable-telnet --disable-tftp \
        --disable-tls-srp --disable-unix-sockets \
        --without-brotli --without-ca-bundle --without-ca-path --without-libidn2 --without-libpsl \
        --without-librtmp --without-libssh2 --without-nghttp2 --without-zstd
    make -C lib -j"$jobs" install
    make -C include install
    # It goes on without a library that it cannot use, saying so only here.
    grep -qx '#define USE_ARES 1' lib/curl_config.h
    grep -qx '#define USE_OPENSSL 1' lib/curl_config.h
    grep -qx '#define HAVE_LIBZ 1' lib/curl_config.h
}

rm -rf "$prefix"
mkdir -p "$prefix/lib" "$prefix/include" "$prefix/licenses" "$work"
exec 9>"$folder/lock" # both kinds may be built at once
flock 9
if [ ! -e "$sources/fetched" ]; then
    rm -rf "$sources"
    step sources fetch
    touch "$sources/fetched"
fi
exec 9>&-
step zlib build_zlib
step zstd build_zstd
step json-c by_cmake json-c -DDISABLE_WERROR=ON
step libyaml by_cmake libyaml
step c-ares by_cmake c-ares -DCARES_STATIC=ON -DCARES_SHARED=OFF -DCARES_BUILD_TOOLS=OFF
step openssl build_openssl
step curl build_curl
cp /usr/include/xxhash.h "$prefix/include" # no library: a header
cp /usr/share/doc/libc6-dev/copyright "$prefix/licenses/libc6"
cp /usr/share/doc/libxxhash-dev/copyright "$prefix/licenses/xxhash"
rm -rf "$work"
