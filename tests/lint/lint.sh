#!/bin/sh
# Usage: lint.sh FILE.c... -- clang-tidy, cppcheck, layout, include directions, calls that nobody may
# make, and shellcheck. Runs all of them, then fails if any found something. Called by `make lint`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
work=${BUILD:-build}/lint
export PYTHONDONTWRITEBYTECODE=1
jobs=2
failed=

forbidden='strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|gmtime|localtime'

mkdir -p "$work"
printf '%s\n' "$@" >"$work/sources"
find src otlp cmd tests -name '*.[ch]' | sort >"$work/files"
find . -name '*.sh' -not -path "./.git/*" -not -path "./${BUILD:-build}/*" -not -path './build/*' |
    sort >"$work/scripts"
[ ! -f .ci/run ] || echo .ci/run >>"$work/scripts"

# Run a check, show what it says only where it fails, and the time that it took.
check() {
    name=$1
    shift
    began=$(date +%s)
    if "$@" >"$work/$name.out" 2>&1; then
        verdict=clean
    else
        verdict=FAILED
        failed="$failed $name"
        grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' \
            "$work/$name.out" || true
    fi
    printf 'lint: %-18s %s, %d s\n' "$name" "$verdict" "$(($(date +%s) - began))"
}

tidy() {
    printf '%s\n' -std=c11 -D_GNU_SOURCE -pthread "-I$PWD/src" "-I$PWD" -Wall -Wextra \
        '-DOTLPULL_VERSION="0.1.0"' >"$work/compile_flags.txt"
    xargs -n 3 -P "$jobs" clang-tidy --quiet -p "$work" <"$work/sources"
}

cpp_check() {
    cppcheck --quiet --std=c11 --language=c -j "$jobs" \
        --enable=warning,style,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list="$here/cppcheck.supp" --template=gcc -Isrc -I. -D_GNU_SOURCE \
        '-DOTLPULL_VERSION="0.1.0"' --file-list="$work/sources"
}

layout() {
    xargs clang-format --dry-run -Werror <"$work/files"
}

includes() {
    xargs python3 "$here/includes.py" <"$work/files"
}

calls() {
    if xargs grep -nHE "(^|[^A-Za-z0-9_.>\"])($forbidden)[[:space:]]*\(" <"$work/files"; then
        return 1
    fi
}

scripts() {
    xargs shellcheck <"$work/scripts"
}

check includes-selftest python3 "$here/includes_selftest.py"
check includes includes
check calls calls
check format layout
check shellcheck scripts
check cppcheck cpp_check
check clang-tidy tidy

if [ -n "$failed" ]; then
    echo "lint: failed:$failed" >&2
    exit 1
fi
