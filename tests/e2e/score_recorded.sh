#!/bin/sh
# proctor score over completions that others published: how many are right, and every item against
# the published verdicts. A few sets, or all with PROCTOR_RECORDED=all.
. "$(dirname "$0")/lib.sh"
recorded=$PROCTOR_REFERENCE/data/completions
if [ ! -d "$recorded" ]; then
    echo "SKIP recorded completions: no data/completions below PROCTOR_REFERENCE"
    exit 77
fi
export PROCTOR_DATA="$PROCTOR_REFERENCE/data"
run=0
# score METRIC SUM PUBLISHED "ITEMS THAT DIFFER" TASK FILE [options]: sum of the metric over all
# completions, published flags that are compared (0: none), problems that differ in any of them.
score()
{
    run=$((run + 1))
    metric=$1 sum=$2 flags=$3 differ=$4 task=$5 file=$6
    shift 6
    "$proctor" score "$task" "$recorded/$file" --run "run-$run" --quiet --json "$@" >score.json 2>err.txt ||
        { cat err.txt; fail "$task $file"; }
    /usr/bin/python3 - "$metric" "$sum" "$flags" "$differ" <<'PY' || fail "$task $file"
import json, sys
metric, total, flags, differ = sys.argv[1:]
d = json.load(open("score.json"))
assert d["metrics"][metric]["sum"] == float(total), (d["metrics"], total)
assert sum(a["n"] for a in d["agreement"]) == int(flags), [(a["published"], a["n"]) for a in d["agreement"]]
got = sorted({x["problem"] for a in d["agreement"] for x in a["differ"]})
assert got == sorted(differ.split()), got
PY
    checks=$((checks + 1))
}
gsm8k=gsm8k/openai_example_model_solutions.jsonl
score pass@1 42 164 "" humaneval humaneval/reflexion_simple_gpt-3.5-turbo.jsonl
score pass@1 93 164 "HumanEval/133 HumanEval/143 HumanEval/150" \
    humaneval humaneval/reflexion_simple_text-davinci-003.jsonl
score exact_match 286 1319 "" gsm8k $gsm8k --text-key 6b_finetuning.solution
score acc 4548 0 "" hellaswag_text hellaswag/loglik_full_prompt_pythia-1b.csv
english="ifeval/1843 ifeval/202 ifeval/2341 ifeval/2571 ifeval/3456"
score prompt_level_strict_acc 422 1080 "$english" \
    ifeval ifeval/gpt4_20231107_eval_results_strict.jsonl --allow-missing
if [ "${PROCTOR_RECORDED:-}" = all ]; then
    score prompt_level_loose_acc 436 1080 "$english ifeval/1122" \
        ifeval ifeval/gpt4_20231107_eval_results_loose.jsonl --allow-missing
    score exact_match 515 1319 "" gsm8k $gsm8k --text-key 6b_verification.solution
    score exact_match 458 1319 "" gsm8k $gsm8k --text-key 175b_finetuning.solution
    score exact_match 742 1319 "" gsm8k $gsm8k --text-key 175b_verification.solution
    score acc 6241 0 "" hellaswag_text hellaswag/loglik_full_prompt_Llama-3.2-1B.csv
    score acc 6258 0 "" hellaswag_text hellaswag/loglik_full_prompt_byte_mean_Llama-3.2-1B.csv
    score acc 4718 0 "" hellaswag_text hellaswag/loglik_full_prompt_sum_Llama-3.2-1B.csv
    score pass@1 55 0 "" humaneval humaneval/getcursor_code-cushman-001_n1.jsonl
    score pass@1 86 0 "" humaneval humaneval/getcursor_code-davinci-002_n1.jsonl
    score pass@1 140 0 "" humaneval humaneval/getcursor_gpt-4-0314.jsonl
    score pass@1 94 0 "" humaneval "$(cd "$recorded" && echo humaneval/getcursor_*-v1.3.jsonl)"
    score pass@1 122 164 "" humaneval humaneval/getcursor_gpt-3.5-azure.jsonl_results.jsonl
    score pass@1 72 164 "" humaneval humaneval/qwen2.5-coder-1.5b-base_generated_eval_results.json
    score pass@1 461 0 "" humaneval humaneval/getcursor_code-cushman-001_n10.jsonl
fi
done_testing
