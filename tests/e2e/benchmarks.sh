#!/bin/sh
# HumanEval, GSM8K and ARC-Challenge with reference models: prompts that fit are run and scored,
# prompts that do not fit are said to be too long.
. "$(dirname "$0")/lib.sh"
models=$PROCTOR_REFERENCE/reference/models
data=$PROCTOR_REFERENCE/data
if [ ! -d "$models" ] || [ ! -d "$data" ]; then
    echo "SKIP benchmarks on reference models: PROCTOR_REFERENCE is not there"
    exit 77
fi
cat > bench.yaml <<Y
recipe: bench
models:
  shk: {source: $models/trained-qwen3-shk-Q8_0.gguf}
stages:
  - import: {model: shk, as: ready}
  - eval:
      models: [ready]
      tasks: [humaneval, gsm8k]
      limit: 4
      sampler: {max_tokens: 24}
  - eval: {models: [ready], tasks: [arc_challenge], limit: 20, name: choice}
Y
"$proctor" run bench.yaml --data "$data" --run b >log.txt 2>&1
status=$?
[ $status -le 1 ] || { cat log.txt; fail "exit $status"; }
/usr/bin/python3 - <<'PY' || { cat log.txt; fail "the samples are wrong"; }
import glob, json
rows = {}
for p in glob.glob("b/samples/**/*.jsonl", recursive=True):
    task = p.rsplit("/", 1)[1].rsplit(".", 1)[0]
    rows[task] = [json.loads(l)["result"] for l in open(p, encoding="utf-8")]
assert {k: len(v) for k, v in rows.items()} == {"humaneval": 4, "gsm8k": 4, "arc_challenge": 20}, {k: len(v) for k, v in rows.items()}
for task, rs in rows.items():
    for r in rs:
        assert r["finish"] in ("eos", "stop", "length", "too-long", "overflow", "scored"), r
        if r["finish"] == "too-long":
            assert r["verdict"] == "too_long", r
PY
checks=$((checks + 1))
expect 0 "humaneval" "$proctor" report b
expect 0 "|" "$proctor" report b --format md
expect 0 "," "$proctor" report b --format csv
expect 0 "{" "$proctor" report b --format json
done_testing
