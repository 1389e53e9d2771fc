#!/bin/sh
# Every test: units, fuzz smoke, end to end, hostile programs, a short chaos run.
# Usage: tests/run-all.sh build/release
set -u
o=$1
bin=$o/bin
export PROCTOR_REFERENCE="${PROCTOR_REFERENCE:-../shared}"
[ -d "$PROCTOR_REFERENCE" ] || echo "SKIP tests that compare with reference data: PROCTOR_REFERENCE=$PROCTOR_REFERENCE is not there"
passed=0
failed=0
skipped=0

# A step prints what it likes; a line "SKIP ..." makes it count as skipped in part.
step()
{
    name=$1
    shift
    start=$(date +%s)
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        word=ok
    else
        failed=$((failed + 1))
        word=FAIL
        tail -n 60 "$log"
    fi
    grep '^SKIP' "$log" && skipped=$((skipped + 1))
    printf '%-4s %-40s %4d s  %s\n' "$word" "$name" $(($(date +%s) - start)) "$(tail -n 1 "$log" | cut -c1-100)"
    rm -f "$log"
}

step "unit tests" tests/run-unit.sh $(find "$o/tests" -maxdepth 2 -type f -name 'test_*' -perm -u+x | sort)
step "fuzz smoke" make --no-print-directory VARIANT=release fuzz-smoke
for t in tests/e2e/*.sh; do
    [ "$t" = tests/e2e/lib.sh ] || step "$t" "$t" "$bin"
done
for t in tests/attacks/*.sh; do
    step "$t" "$t" "$bin"
done
step "chaos, short" tests/chaos/chaos.py --bin "$bin" --kills 20 --seconds 90
echo "steps: $passed passed, $failed failed, $skipped with skips"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
