#!/bin/sh
# A recipe over recorded completions: scored, resumed for free, a new cell runs alone.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 - "$root" <<'PY'
import json, sys
rows = [json.loads(l) for l in open(sys.argv[1] + "/recipes/data/small_numeric.jsonl", encoding="utf-8")]
with open("recorded.jsonl", "w") as f:
    for i, r in enumerate(rows):
        ident = r.get("id", r.get("task_id"))
        text = r["answer"] if i % 2 == 0 else " I do not know"
        if i % 4 == 3:
            text = "#### 123456789"
        if i != 8:
            f.write(json.dumps({"id": ident, "completion": text}) + "\n")
PY
n=$(wc -l < "$root/recipes/data/small_numeric.jsonl")
cat > recipe.yaml <<'Y'
recipe: recorded
models:
  old: {backend: replay, source: recorded.jsonl}
stages:
  - eval: {models: [old], tasks: [small_numeric]}
Y
"$proctor" run recipe.yaml --run r --quiet >log.txt 2>&1
status=$?
[ $status -le 1 ] || { cat log.txt; fail "exit $status"; }
/usr/bin/python3 - "$n" <<'PY' || fail "the report is wrong"
import json, sys, glob
n = int(sys.argv[1])
lines = [json.loads(l)["result"] for p in glob.glob("r/samples/**/*.jsonl", recursive=True) for l in open(p)]
assert len(lines) == n, (len(lines), n)
classes = {}
for l in lines:
    classes[l["verdict"]] = classes.get(l["verdict"], 0) + 1
want_pass = sum(1 for i in range(n) if i % 2 == 0 and i != 8)
want_wrong = sum(1 for i in range(n) if i % 4 == 3)
want_unparsed = sum(1 for i in range(n) if i % 2 == 1 and i % 4 != 3)
assert classes.get("passed") == want_pass, classes
assert classes.get("wrong_answer") == want_wrong, classes
assert classes.get("unparsed") == want_unparsed, classes
assert classes.get("error") == 1, classes
PY
checks=$((checks + 1))
expect 0 "" "$proctor" status r
cp r/results.json first.json
"$proctor" run recipe.yaml --run r >log.txt 2>&1
grep -q " 0 to do" log.txt || { cat log.txt; fail "the second run did work again"; }
cmp -s first.json r/results.json || fail "results.json changed without work"
checks=$((checks + 2))
done_testing
