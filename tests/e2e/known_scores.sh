#!/bin/sh
# The scores that task files know beforehand (`oracle`) are what proctor score makes of the reference
# solutions, of empty answers and of always the first choice, by default and by lm-eval's rules.
. "$(dirname "$0")/lib.sh"
data=$PROCTOR_REFERENCE/data
if [ ! -d "$data" ]; then
    echo "SKIP known scores of benchmarks: PROCTOR_REFERENCE is not there"
    exit 77
fi
# known TASK ANSWERS RULES: every value of the oracle, and the headline is among them.
known()
{
    how=
    [ "$3" = none ] || how="--compat $3"
    # shellcheck disable=SC2086
    "$proctor" score "$1" --answers "$2" $how --data "$data" --run "$1-$2-$3" --quiet \
        >out.txt 2>err.txt || { cat err.txt; fail "score $1 --answers $2 $how"; }
    /usr/bin/python3 - "$1-$2-$3" "$2" <<'PY' || fail "$1: $2 answers, rules $3"
import json, sys
d = json.load(open(sys.argv[1] + "/results.json"))["result"]
group, task = d["groups"][0], d["tasks"][0]
oracle = task["oracle"][sys.argv[2]]
assert group["complete"] and task["headline"] in oracle, (task["headline"], oracle)
for name, value in oracle.items():
    have = group["metrics"][name]["value"]
    assert abs(have - value) < 1e-9, (name, have, value)
PY
    checks=$((checks + 1))
}
for rules in none lm-eval; do
    for task in arc_challenge piqa winogrande truthfulqa_mc1 truthfulqa_mc2 hellaswag_sample; do
        known $task first $rules
    done
    known lambada_openai reference $rules
    known gsm8k reference $rules
    known gsm8k_cot empty $rules
    known math500 reference $rules
    known minerva_math reference $rules
    known humaneval empty $rules
done
known bfcl_simple reference none
known bfcl_simple empty none
known ifeval empty none
known hellaswag_text first none
known small_choice first none
known small_numeric reference none
known small_code empty none
done_testing
