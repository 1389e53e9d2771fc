#!/bin/sh
# Reference solutions of public benchmarks pass, and are failed when they are broken.
# Usage: tests/attacks/references.sh BIN
reference=${PROCTOR_REFERENCE:-../shared}
if [ ! -f "$reference/data/humaneval/HumanEval.jsonl" ] ||
    [ ! -f "$reference/data/mbpp/sanitized-mbpp.json" ]; then
    echo "SKIP reference solutions: no HumanEval or MBPP below $reference/data (set PROCTOR_REFERENCE)"
    exit 77
fi
exec python3 "$(dirname "$0")/references.py" "$1" "$reference/data"
