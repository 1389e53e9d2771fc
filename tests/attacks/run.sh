#!/bin/sh
# The reference suite of hostile programs, watched by its own tool.
# Usage: tests/attacks/run.sh BIN
reference=${PROCTOR_REFERENCE:-../shared}
tool=$reference/attacks/tools/armory.py
if [ ! -f "$tool" ]; then
    echo "SKIP hostile programs of the reference: no $tool (set PROCTOR_REFERENCE)"
    exit 77
fi
work=$(mktemp -d)
chmod 755 "$work"
python3 "$tool" run --timeout 300 --work "$work/run" -- "$1/proctor-tester" judge '{tasks}' '{results}'
rc=$?
rm -rf "$work"
exit $rc
