#!/bin/sh
# Thinking models: thoughts are found by the markers' token ids and never scored, a thought without
# an end is an overflow, a budget ends it, and a marker that the prompt wrote counts.
. "$(dirname "$0")/lib.sh"
cat >recipe.yaml <<YAML
models:
  closes: {source: $root/recipes/models/tiny.gguf, thinking: {open: "+", close: "\n####"}}
  never: {source: $root/recipes/models/tiny.gguf, thinking: {open: "+", close: "QZ"}}
  budget: {source: $root/recipes/models/tiny.gguf, thinking: {open: "+", close: "QZ", budget: 3}}
  prefilled: {source: $root/recipes/models/tiny.gguf, thinking: {open: "Answer:", close: "\n####"}}
stages: [{eval: {models: [closes, never, budget, prefilled], tasks: [small_numeric], limit: 3}}]
resources: {workers: 1, testers: 1, threads: 1}
YAML
"$proctor" run recipe.yaml --run one --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "run: exit $?"; }
"$proctor" samples one >samples.jsonl
/usr/bin/python3 - <<'PY' || fail "what became of thoughts"
import json
by = {}
for line in open("samples.jsonl"):
    r = json.loads(line)["result"]
    by.setdefault(r["model"], []).append(r)
for r in by["closes"]:
    assert r["thinking"] == "closed" and r["text"][: r["answer_at"]].endswith("####"), r
    assert r["outcome"] == "right" and "####" not in r["text"][r["answer_at"] :]
for r in by["never"]:
    assert r["thinking"] == "unclosed" and r["verdict"] == "overflow" and r["outcome"] == "overflow", r
    assert "unclosed_thought" in r["accidents"] and r["text"]
for r in by["budget"]:
    head, tail = r["text"][: r["answer_at"]], r["text"][r["answer_at"] :]
    assert r["thinking"] == "closed" and head.endswith("QZ") and "QZ" not in tail, r
for r in by["prefilled"]:
    assert r["thinking"] == "closed" and r["text"][: r["answer_at"]].endswith("####"), r
PY
checks=$((checks + 1))
expect 2 'open and close are the same' "$proctor" plan recipe.yaml --set models.never.thinking.close=+
expect 2 "did you mean 'budget'" "$proctor" plan recipe.yaml --set models.never.thinking.bugdet=3
done_testing
