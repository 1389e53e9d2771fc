#!/bin/sh
# Runs each unit-test program named on the command line; what the failing ones printed comes at the
# end, before the line that counts.
set -u
failed=0
total=0
skipped=0
log=$(mktemp)
bad=$(mktemp)
trap 'rm -f "$log" "$bad"' EXIT
trap 'exit 130' INT TERM
for t in "$@"; do
    start=$(date +%s%N)
    if "$t" >"$log" 2>&1; then
        word=ok
    else
        word=FAIL
        failed=$((failed + 1))
        { echo "---- $t"; grep -v '^\[       OK \]\|^\[ RUN      \]\|^SKIP' "$log"; } >>"$bad"
    fi
    n=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{s += $1} END {print s + 0}')
    k=$(grep -c '^\[  SKIPPED \] [A-Za-z_]' "$log")
    grep '^SKIP' "$log"
    total=$((total + n))
    skipped=$((skipped + k))
    printf '  %-4s %-60s %4d tests %6d ms\n' "$word" "$t" "$n" $((($(date +%s%N) - start) / 1000000))
done
cat "$bad"
echo "unit: $total tests passed in $# programs, $failed programs failed, $skipped tests skipped"
[ "$failed" -eq 0 ]
