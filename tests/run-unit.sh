#!/bin/sh
# Runs each unit-test program named on the command line; prints the output of those that fail.
set -u
failed=0
total=0
skipped=0
log=$(mktemp)
for t in "$@"; do
    start=$(date +%s%N)
    if "$t" >"$log" 2>&1; then
        word=ok
    else
        word=FAIL
        failed=$((failed + 1))
        cat "$log"
    fi
    n=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{s += $1} END {print s + 0}')
    k=$(grep -c '^\[  SKIPPED \] [A-Za-z_]' "$log")
    grep '^SKIP' "$log"
    total=$((total + n))
    skipped=$((skipped + k))
    printf '  %-4s %-60s %4d tests %6d ms\n' "$word" "$t" "$n" $((($(date +%s%N) - start) / 1000000))
done
rm -f "$log"
echo "unit: $total tests passed in $# programs, $failed programs failed, $skipped tests skipped"
[ "$failed" -eq 0 ]
