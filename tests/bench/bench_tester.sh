#!/bin/sh
# Programs a second through the tester, beside `python3 -I -S -E -c pass` in the same minutes.
# Usage: tests/bench/bench_tester.sh BIN
exec python3 "$(dirname "$0")/bench_tester.py" "$1"
