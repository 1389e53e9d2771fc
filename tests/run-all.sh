#!/bin/sh
# Every test: units, kernels of another processor, fuzz smoke, end to end, hostile programs, a short chaos run.
# Usage: tests/run-all.sh build/release
#
# The last line counts: each unit test, and each other step as one. A step that exits with 77 was
# skipped as a whole; a line "SKIP why" of one that goes on is a part skipped.
set -u
o=$1
bin=$o/bin
export PROCTOR_REFERENCE="${PROCTOR_REFERENCE:-../shared}"
[ -d "$PROCTOR_REFERENCE" ] || echo "SKIP tests that compare with reference data: PROCTOR_REFERENCE=$PROCTOR_REFERENCE is not there"
passed=0
failed=0
skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# Unit tests say how many they were; their last line starts with "unit:".
count_units()
{
    n=$(sed -n 's/^unit: \([0-9]*\) tests passed.*/\1/p' "$log")
    bad=$(sed -n 's/^unit:.* \([0-9]*\) programs failed.*/\1/p' "$log")
    k=$(sed -n 's/^unit:.* \([0-9]*\) tests skipped$/\1/p' "$log")
    passed=$((passed + ${n:-0}))
    failed=$((failed + ${bad:-1}))
    skipped=$((skipped + ${k:-0}))
}

count_step()
{
    case $1 in
    0)
        passed=$((passed + 1))
        skipped=$((skipped + $(grep -c '^SKIP' "$log")))
        ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
}

step()
{
    name=$1
    shift
    start=$(date +%s)
    [ ! -t 1 ] || printf '...  %s\r' "$name"
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    case $status in
    0) word=ok ;;
    77) word=skip ;;
    *) word=FAIL && grep -v '^SKIP' "$log" | tail -n 60 ;;
    esac
    if [ "$name" = "unit tests" ]; then
        count_units
    else
        count_step $status
    fi
    grep '^SKIP' "$log" | uniq
    printf '%-4s %-40s %4d s  %s\n' "$word" "$name" $(($(date +%s) - start)) "$(tail -n 1 "$log" | cut -c1-100)"
}

# shellcheck disable=SC2046 # names without blanks
step "unit tests" tests/run-unit.sh $(find "$o/tests" -maxdepth 2 -type f -name 'test_*' -perm -u+x | sort)
step "kernels on aarch64" tests/neon/run.sh "$o"
step "fuzz smoke" make --no-print-directory VARIANT=release fuzz-smoke
for t in tests/e2e/*.sh; do
    [ "$t" = tests/e2e/lib.sh ] || step "$t" "$t" "$bin"
done
for t in tests/attacks/*.sh; do
    step "$t" "$t" "$bin"
done
step "chaos, short" tests/chaos/chaos.py --bin "$bin" --kills 20 --seconds 90
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
