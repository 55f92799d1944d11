#!/bin/sh
# `otlpull lambda` beside a function on Node, in AWS's emulator: see README.md. Called by `make bench-lambda`.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
export BUILD PYTHON
./tests/interop/build-lambda.sh
PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" tests/bench/lambda.py
