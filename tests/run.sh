#!/bin/bash
# Run every test there is against the programs in $BUILD: unit programs, the fuzzers' corpora, the
# model's worlds, then the end-to-end scenarios. Called by `make test` (BUILD is built with
# sanitizers) and, with VALGRIND=1, by `make sanitize`. The last line is "N passed, M failed".
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
export BUILD VALGRIND="${VALGRIND:-}" PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_leaks=1:exitcode=99
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99

program_limit=120 # seconds, for one unit program or corpus
e2e_limit=2400
model_seeds=6000 # of each platform a fifth
under=()
if [ -n "$VALGRIND" ]; then
    under=(valgrind --error-exitcode=99 --leak-check=full -q)
    program_limit=600
    e2e_limit=6000
    model_seeds=100
fi

passed=0
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# The sum of the numbers that a sed expression finds in the output.
sum() {
    sed -nE "$1" "$output" | awk '{ n += $1 } END { print n + 0 }'
}

# Count a program's tests, and show all that it said if one failed. A program that dies, times out or
# tests nothing is one failure more.
count() { # NAME EXIT_CODE PASSED FAILED
    local bad=$4
    if [ "$bad" -eq 0 ] && { [ "$2" -ne 0 ] || [ "$3" -eq 0 ]; }; then
        bad=1
    fi
    passed=$((passed + $3))
    failed=$((failed + bad))
    if [ "$bad" -eq 0 ]; then
        echo "ok     $1: $3"
    else
        cat "$output"
        echo "FAILED $1: $3 passed, $bad failed, exit code $2"
    fi
}

none() {
    echo "FAILED $1: there is none"
    failed=$((failed + 1))
}

limited() { # SECONDS COMMAND...
    timeout --kill-after=10 "$@" >"$output" 2>&1
}

found=
while IFS= read -r program; do
    found=yes
    code=0
    limited "$program_limit" "${under[@]}" "$program" || code=$?
    count "unit ${program#"$BUILD/unit/"}" "$code" \
        "$(sum 's/^\[  PASSED  \] ([0-9]+) test.*/\1/p')" \
        "$(sum 's/^\[  FAILED  \] ([0-9]+) test.*/\1/p')"
done < <(find "$BUILD/unit" -type f -name '*_test' 2>/dev/null | sort)
[ -n "$found" ] || none "unit tests"

found=
for program in "$BUILD"/replay/*_fuzz; do
    [ -x "$program" ] || continue
    found=yes
    name=$(basename "$program" _fuzz)
    code=0
    limited "$program_limit" "${under[@]}" "$program" "tests/fuzz/corpus/$name" || code=$?
    count "corpus $name" "$code" "$(sum 's/^([0-9]+) inputs replayed$/\1/p')" 0
done
[ -n "$found" ] || none "corpora"

# The model: that it finds what the harness spoils, and that it finds nothing else. A seed that fails
# says how it is replayed. All its worlds are one test. The self-test leaves threads that are stuck
# behind, with all that they hold: nothing for valgrind.
code=0
limited "$program_limit" "$BUILD/model" --self-test || code=$?
count "model self-test" "$code" "$(sum 's/^([0-9]+) passed, [0-9]+ failed$/\1/p')" \
    "$(sum 's/^[0-9]+ passed, ([0-9]+) failed$/\1/p')"
code=0
limited "$program_limit" "${under[@]}" "$BUILD/model" --seeds "$model_seeds" || code=$?
tail -n 1 "$output"
count "model worlds" "$code" "$(sum 's/^[0-9]+ seeds, 0 failed;.*/1/p')" 0
code=0
limited "$program_limit" "${under[@]}" "$BUILD/model" --seeds $((model_seeds / 6)) --with wall-jumps,slow-edge || code=$?
tail -n 1 "$output"
count "model worlds with clocks that are set" "$code" "$(sum 's/^[0-9]+ seeds, 0 failed;.*/1/p')" 0

code=0
limited "$e2e_limit" "$PYTHON" -m pytest -q -p no:cacheprovider tests/e2e || code=$?
tail -n 15 "$output" | grep -E ' in [0-9.]+s' || true
count "end to end" "$code" "$(sum 's/^(.*, )?([0-9]+) passed.* in [0-9.]+s.*/\2/p')" \
    $(($(sum 's/^(.*, )?([0-9]+) failed.* in [0-9.]+s.*/\2/p') + \
        $(sum 's/^(.*, )?([0-9]+) errors?.* in [0-9.]+s.*/\2/p')))

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
