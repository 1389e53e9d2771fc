#!/bin/sh
# Recorded completions of published runs against their published verdicts, and reference solutions:
# a few sets, or all of them (half an hour) with PROCTOR_RECORDED=all.
. "$(dirname "$0")/lib.sh"
if [ ! -d "$PROCTOR_REFERENCE/data/completions" ]; then
    echo "SKIP recorded completions: no data/completions below PROCTOR_REFERENCE"
    exit 77
fi
/usr/bin/python3 "$root/tests/e2e/recorded_code.py" "$bin" "$PROCTOR_REFERENCE" \
    ${PROCTOR_RECORDED:+"$PROCTOR_RECORDED"} || fail "verdicts differ from the published ones"
checks=$((checks + 1))
done_testing
