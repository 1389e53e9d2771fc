#!/bin/sh
# Perplexity by llama.cpp's rule is what `proctor model perplexity` computes; contexts with one
# continuation and rolling windows run, and a window may be as long as the model's context.
. "$(dirname "$0")/lib.sh"
i=0
while [ $i -lt 40 ]; do
    echo "Line $i of a text that says little: $((i * i)) apples, $((i + 7)) pears; the rest is air."
    i=$((i + 1))
done >text.txt
cat >chunks.yaml <<Y
task: chunks
data: {file: ./text.txt, get: here}
request: rolling
text: "{{ page }}"
windows: {rule: llamacpp, context: 64}
scorer: {kind: rolling, problem: {text: "{{ page }}"}}
headline: ppl
lower_is_better: true
aggregate: [{metric: ppl, kind: exp_neg_ratio, of: loglikelihood, over: tokens}]
Y
cat >pages.yaml <<Y
task: pages
data: {file: ./text.txt, get: here, page: "^Line [0-9]*0 "}
request: rolling
text: "{{ page }}"
scorer: {kind: rolling, problem: {text: "{{ page }}"}}
headline: bits_per_byte
lower_is_better: true
aggregate: [{metric: bits_per_byte, kind: bits_ratio, of: loglikelihood, over: bytes}]
Y
cat >pick.yaml <<Y
task: pick
data: {file: ./pick.jsonl, get: here}
request: choice
contexts: "{{ c }}"
continuation: is small.
gold: "{{ 0 }}"
scorer: {kind: choice}
headline: acc
Y
echo '{"c": ["A mouse", "The large grey elephant"]}' >pick.jsonl
cat >run.yaml <<Y
recipe: loglikelihoods
models:
  tiny: {source: $root/recipes/models/tiny.gguf}
stages:
  - eval: {models: [tiny], tasks: [./chunks.yaml, ./pages.yaml, ./pick.yaml], context: 96}
resources: {workers: 1, threads: 1}
Y
"$proctor" run run.yaml --run r --quiet >log.txt 2>&1
status=$?
[ $status -le 1 ] || { cat log.txt; fail "exit $status"; }
"$proctor" model perplexity "$root/recipes/models/tiny.gguf" text.txt --ctx 64 --kv f16 --threads 1 \
    --json >ppl.json 2>err.txt || { cat err.txt; fail "model perplexity"; }
/usr/bin/python3 - <<'PY' || { cat log.txt ppl.json; fail "the values are wrong"; }
import glob, json
def number(o, key):
    if isinstance(o, dict):
        if key in o and isinstance(o[key], dict) and "value" in o[key]:
            return o[key]["value"]
        o = list(o.values())
    for x in o if isinstance(o, list) else []:
        v = number(x, key)
        if v is not None:
            return v
results = json.load(open("r/results.json", encoding="utf-8"))
direct = json.load(open("ppl.json", encoding="utf-8"))
ours = number(results, "ppl")
assert abs(ours / direct["ppl"] - 1) < 1e-8, (ours, direct)
assert number(results, "bits_per_byte") > 0
rows = {}
for p in glob.glob("r/samples/**/*.jsonl", recursive=True):
    rows[p.rsplit("/", 1)[1][:-6]] = [json.loads(l)["result"] for l in open(p, encoding="utf-8")]
assert {k: len(v) for k, v in rows.items()} == {"chunks": 1, "pages": 4, "pick": 1}
assert all(r["finish"] == "scored" for v in rows.values() for r in v)
PY
checks=$((checks + 1))
done_testing
