#!/bin/sh
# A run judged again by changed tasks: nothing is generated, flips are named, a second time is free.
. "$(dirname "$0")/lib.sh"
cat > rows.jsonl <<'Y'
{"id": "p0", "q": "1+1", "a": "2"}
{"id": "p1", "q": "2+2", "a": "4"}
{"id": "p2", "q": "3+3", "a": "6"}
{"id": "p3", "q": "4+4", "a": "8"}
Y
cat > sums.yaml <<'Y'
task: sums
data: {file: ./rows.jsonl, get: here}
id: "{{ id }}"
prompt: "Q: {{ q }} A:"
max_tokens: 4
headline: exact_match
scorer: {kind: numeric, problem: {answer: "{{ a }}"}}
Y
cat > recorded.jsonl <<'Y'
{"id": "p0", "completion": "2"}
{"id": "p1", "completion": "5"}
{"id": "p2", "completion": "6"}
{"id": "p3", "completion": "none"}
Y
expect 0 "" "$proctor" score ./sums.yaml recorded.jsonl --run r --quiet
value() { /usr/bin/python3 -c 'import json,sys; print(json.load(open("r/results.json"))["result"]["groups"][0]["value"])'; }
[ "$(value)" = 0.5 ] || fail "value $(value)"
expect 0 "nothing to do" "$proctor" rescore r
# The recording is not needed, and neither is a model.
mv recorded.jsonl gone.jsonl
rm r/recorded.jsonl
# A wrong reference is put right: one flip there, one back.
sed -i 's/"a": "4"/"a": "5"/; s/"a": "6"/"a": "7"/' rows.jsonl
expect 0 "2 to judge" "$proctor" rescore r
grep -q 'sums p1 sample 0: wrong_answer -> passed, "5" -> "5" (the task.s file or data changed; the same answer is judged otherwise)' out.txt || { cat out.txt; fail "the flip is not told"; }
grep -q 'sums p2 sample 0: passed -> wrong_answer' out.txt || { cat out.txt; fail "the flip back is not told"; }
grep -q '2 of 2 verdicts flipped' out.txt || { cat out.txt; fail "no summary"; }
[ "$(value)" = 0.5 ] || fail "value $(value) after rescoring"
expect 0 "nothing to do" "$proctor" rescore r
# Back: the old verdicts are still in the store.
sed -i 's/"a": "5"/"a": "4"/; s/"a": "7"/"a": "6"/' rows.jsonl
expect 0 "2 verdicts of these rules in the store, 0 to judge" "$proctor" rescore r
# An ordinary run over a store that has the completions judges them alone.
sed -i 's/"a": "8"/"a": "9"/' rows.jsonl
cp gone.jsonl recorded.jsonl
expect 0 "4 to do" "$proctor" score ./sums.yaml recorded.jsonl --run r
sed -i 's/"a": "9"/"a": "8"/' rows.jsonl
expect 0 "" "$proctor" rescore r
# Another rule from another directory, as JSON.
mkdir tasks
sed 's/kind: numeric, problem: {answer: "{{ a }}"}/kind: letter, problem: {gold: "{{ a }}", letters: "2468"}/' sums.yaml > tasks/sums.yaml
cp rows.jsonl tasks/
expect 0 "" "$proctor" rescore r --task-dir tasks --json --quiet
/usr/bin/python3 - <<'PY' || fail "the JSON is wrong"
import json
d = json.load(open("out.txt"))
assert d["rescored"] == 4, d
flips = {f["problem"]: (f["old"]["verdict"], f["new"]["verdict"]) for f in d["flips"]}
assert flips == {"p1": ("wrong_answer", "unparsed")}, flips
assert d["tasks"][0]["sum_before"] == 2 and d["tasks"][0]["sum_after"] == 2, d["tasks"]
PY
checks=$((checks + 1))
# What cannot be judged leaves the run as it was: no number of two rules.
sed -i 's/letters: "2468"/letters: "25"/' tasks/sums.yaml
cp r/results.json before.json
expect 1 "the run keeps its verdicts" "$proctor" rescore r --task-dir tasks
cmp -s before.json r/results.json || fail "a rescoring that failed changed the results"
expect 2 "is not a run directory" "$proctor" rescore nowhere
expect 2 "which run?" "$proctor" rescore
expect 2 "no-tasks is not a directory" "$proctor" rescore r --task-dir no-tasks
printf 'task: other\n' > tasks/sums.yaml
expect 2 "sums.yaml" "$proctor" rescore r --task-dir tasks
expect 0 "" "$proctor" report r
done_testing
