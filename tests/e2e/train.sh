#!/bin/sh
# The training script runs, repeats itself bit for bit, and what it writes is a model file that
# passes every check. Three steps only: it learns nothing.
# Usage: tests/e2e/train.sh build/release/bin
. "$(dirname "$0")/lib.sh"

if ! /usr/bin/python3 -c "import torch, numpy" 2>/dev/null; then
    echo "SKIP training: Debian's python3-torch and python3-numpy are not installed"
    exit 77
fi
for name in one two; do
    nice /usr/bin/python3 -B "$root/recipes/models/make/train.py" --steps 3 --out $name.gguf >log.txt 2>&1 ||
        { cat log.txt; fail "train.py"; }
done
cmp one.gguf two.gguf || fail "the same seed made two different models"
expect 0 "12 of 12 stages passed" "$proctor" model check one.gguf
done_testing
