#!/bin/sh
# Usage: fuzz.sh TARGET.c SECONDS LIB.c... -- build one target with libFuzzer, ASan and UBSan, and run
# it for so long on a copy of its corpus. A finding fails, and its input stays in $BUILD/fuzz/TARGET/
# as crash-..., to be added to tests/fuzz/corpus/. Called by `make fuzz`, which sets CPPFLAGS, LIBS.
set -eu

target=$1
seconds=$2
shift 2
name=$(basename "$target" _fuzz.c)
corpus=tests/fuzz/corpus/$name
work=${BUILD:-build}/fuzz/$name
CLANG=${CLANG:-clang}

[ -d "$corpus" ] || {
    echo "fuzz: $name: no corpus: make $corpus with an input or more" >&2
    exit 1
}
rm -rf "$work/corpus"
mkdir -p "$work/corpus"
cp -R "$corpus/." "$work/corpus/"

# CPPFLAGS and LIBS are words; the version's quotes do not survive them.
# shellcheck disable=SC2086
$CLANG $CPPFLAGS -UOTLPULL_VERSION '-DOTLPULL_VERSION="fuzz"' -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
    -fno-sanitize-recover=all "$target" "$@" $LIBS -o "$work/$name"

code=0
ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
    "$work/$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" >"$work/log" 2>&1 || code=$?
if [ "$code" -ne 0 ]; then
    tail -n 60 "$work/log"
    echo "fuzz: $name: FAILED; see $work" >&2
    exit 1
fi
executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
echo "fuzz: $name: $executions executions in $seconds s, clean"
