#!/bin/sh
# What otlpull costs, beside a program that moves the same bytes unread: see README.md. Called by
# `make bench`.
set -eu
cd "$(dirname "$0")/../.."
PYTHONDONTWRITEBYTECODE=1 exec "${PYTHON:-/usr/bin/python3}" tests/bench/bench.py "${BUILD:-build}"
