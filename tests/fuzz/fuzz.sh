#!/bin/sh
# Usage: fuzz.sh TARGET SECONDS -- run one target, built with libFuzzer, ASan and UBSan, for so long on
# a copy of its corpus. A finding fails, and its input stays in $BUILD/fuzz/TARGET/ as crash-..., to be
# added to tests/fuzz/corpus/. Called by `make fuzz`, which builds $BUILD/fuzz/bin/TARGET_fuzz.
set -eu

name=$1
seconds=$2
corpus=tests/fuzz/corpus/$name
program=${BUILD:-build}/fuzz/bin/${name}_fuzz
work=${BUILD:-build}/fuzz/$name

[ -d "$corpus" ] || {
    echo "fuzz: $name: no corpus: make $corpus with an input or more" >&2
    exit 1
}
rm -rf "$work/corpus"
mkdir -p "$work/corpus"
cp -R "$corpus/." "$work/corpus/"

code=0
ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
    "$program" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" >"$work/log" 2>&1 || code=$?
if [ "$code" -ne 0 ]; then
    tail -n 60 "$work/log"
    echo "fuzz: $name: FAILED; see $work" >&2
    exit 1
fi
executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
echo "fuzz: $name: $executions executions in $seconds s, clean"
