#!/bin/sh
# The shipped model's greedy completions are the known ones, byte for byte and token by token, and
# another sampler's are told from them.
# Usage: tests/e2e/generation_check.sh build/release/bin
. "$(dirname "$0")/lib.sh"
recipe()
{
    printf 'recipe: check\nmodels:\n  tiny: {source: %s}\nstages:\n  - import: {model: tiny, as: ready}\n' \
        "$root/recipes/models/tiny.gguf"
    printf '  - eval: {models: [ready], tasks: [generation_check]%s}\n' "$1"
}
recipe "" >greedy.yaml
recipe ", sampler: {temperature: 2}" >hot.yaml
expect 0 "12 of 12 units done" "$proctor" run greedy.yaml --run greedy
expect 0 "" "$proctor" run hot.yaml --run hot
/usr/bin/python3 - <<'PY' || fail "the scores are wrong"
import json
value = lambda run: json.load(open(run + "/results.json"))["result"]["groups"][0]["value"]
assert value("greedy") == 1.0, value("greedy")
assert value("hot") < 0.5, value("hot")
PY
checks=$((checks + 1))
done_testing
