#!/bin/sh
# An output folder of lm-evaluation-harness, made by a script of the documented shapes, against what
# proctor makes of it: all equal, and every planted difference is found where it is.
. "$(dirname "$0")/lib.sh"
cat > rows.jsonl <<'Y'
{"id": "p0", "q": "1+1", "a": "2"}
{"id": "p1", "q": "2+2", "a": "4"}
{"id": "p2", "q": "3+3", "a": "6"}
{"id": "p3", "q": "4+4 \"é\"", "a": "8"}
{"id": "p4", "q": "500+500", "a": "1,000", "ratio": 0.5, "tags": [], "more": {"x": [1, 2.0, null, true]}}
{"id": "p5", "q": "5+5", "a": "10"}
Y
cat > choices.jsonl <<'Y'
{"question": "snow", "choices": ["white", "a very dark black"], "gold": 0}
{"question": "coal", "choices": ["white", "black"], "gold": 1}
{"question": "grass", "choices": ["blue or so", "green", "red"], "gold": 1}
Y
cat > sums.yaml <<'Y'
task: sums
data: {file: ./rows.jsonl, get: here}
id: "{{ id }}"
head: "Add.\n\n"
prompt: "Q: {{ q }}\nA:"
max_tokens: 4
fewshot: {n: 1, target: "{{ a }}"}
headline: "exact_match,strict-match"
scorer:
  kind: text
  problem: {target: "{{ a }}"}
  filters:
    - {name: strict-match, filter: [{function: regex, regex_pattern: '#### (\-?[0-9\.\,]+)'}, {function: take_first}]}
    - {name: flexible-extract, filter: [{function: regex, group_select: -1, regex_pattern: '(-?[$0-9.,]{2,})|(-?[0-9]+)'}, {function: take_first}]}
  exact_match: {regexes_to_ignore: [",", "\\$"]}
compat: {lm-eval: {fewshot: {selection: lm-eval, seed: 1234}}}
Y
cat > colours.yaml <<'Y'
task: colours
data: {file: ./choices.jsonl, get: here}
request: choice
prompt: "{{ question }} is"
choices: "{{ choices }}"
gold: "{{ gold }}"
scorer: {kind: choice}
headline: acc
Y
cat > words.yaml <<'Y'
task: words
data: {file: ./choices.jsonl, get: here}
request: choice
prompt: "{{ question }}"
continuation: "{{ choices[0] }}"
scorer: {kind: continuation}
headline: acc
Y
maps="--task-map their_sums=./sums.yaml --task-map their_choice=./colours.yaml
    --task-map their_words=./words.yaml"
folder() { rm -rf "$1"; /usr/bin/python3 "$root/tests/e2e/lm_eval_folder.py" "$@" || fail "the folder"; }
conform() { "$proctor" conform "$1" $maps --run "run-$1" --quiet --json; }

folder equal/model rows.jsonl choices.jsonl
expect 0 "3 of 4 tasks compared, 3 equal" "$proctor" conform equal $maps --run run-equal --quiet
conform equal/model > equal.json 2>/dev/null || fail "the second time differs"
/usr/bin/python3 - <<'PY' || fail "the JSON of an equal folder"
import json
d = json.load(open("equal.json"))
sums, colours, words, unknown = d["tasks"]
assert sums["equal"] and colours["equal"] and "not_compared" in unknown, d
assert sums["prompts"] == {"compared": 6, "differ": 0}, sums
assert sums["hashes"] == {"compared": 36, "differ": 0}, sums
assert sums["filtered"] == {"compared": 6, "differ": 0}, sums
assert sums["metrics"] == {"compared": 12, "differ": 0}, sums
assert sums["aggregates"] == {"compared": 5, "differ": 0}, sums
assert colours["prompts"] == {"compared": 14, "differ": 0}, colours
assert colours["metrics"] == {"compared": 6, "differ": 0}, colours
assert words["metrics"] == {"compared": 6, "differ": 0}, words
assert words["aggregates"] == {"compared": 5, "differ": 0}, words
PY
checks=$((checks + 1))

# planted CHANGE TASK DOCUMENT FIELD AT: exactly this one difference (document - for the task itself)
planted()
{
    folder "f-$1" rows.jsonl choices.jsonl "$1"
    conform "f-$1" > planted.json 2>err.txt
    [ $? -eq 1 ] || { cat err.txt; fail "planted $1: not told by the exit status"; }
    /usr/bin/python3 - "$@" <<'PY' || fail "planted $1 is not where it was planted"
import json, sys
change, task, doc, field, at = sys.argv[1:]
found = [(t["task"], str(x.get("doc_id", "-")), x["field"], str(x["at"]))
         for t in json.load(open("planted.json"))["tasks"] for x in t.get("differences", [])]
assert (task, doc, field, at) in found, found
assert all(f[0] == task for f in found), found
PY
    checks=$((checks + 1))
}
planted filtered their_sums 2 "filtered_resps (strict-match)" 0
planted metric their_sums 1 "exact_match,flexible-extract" 0
planted hash their_sums 4 doc_hash 0
planted mean their_sums - "exact_match,strict-match" 0
planted stderr their_choice - "acc_stderr,none" 0
planted perplexity their_words - "perplexity_stderr,none" 0
planted choice their_choice 1 arguments.gen_args_1.arg_1 6
planted prompt their_sums 3 arguments.gen_args_0.arg_0 "$(/usr/bin/python3 -c '
import json, random
rows = [json.loads(l) for l in open("rows.jsonl", encoding="utf-8")]
stream = random.Random(1234)
for row in rows[:4]:
    shots = [s for s in stream.sample(rows, 3) if s != row][:2]
print(("Add.\n\nQ: %s\nA:" % shots[0]["q"]).index("A:"))')"

folder chat rows.jsonl choices.jsonl chat
expect 0 "3 of 4 tasks compared, 3 equal" "$proctor" conform chat $maps --run run-chat --quiet
conform chat | grep -q '"prompts":{"compared":6,"differ":0}' || fail "a chat's prompts"

folder bad rows.jsonl choices.jsonl broken
expect 2 ".jsonl:13: not valid JSON" "$proctor" conform bad $maps --run run-bad --quiet
folder bad rows.jsonl choices.jsonl twice
expect 2 "document 0 is there twice" "$proctor" conform bad $maps --run run-bad --quiet
folder bad rows.jsonl choices.jsonl beyond
expect 2 "doc_id 99: sums has documents 0 to 5" "$proctor" conform bad $maps --run run-bad --quiet
expect 2 "the peer has no such task" "$proctor" conform equal --task-map nothing=sums
expect 2 "their_sums: there is no task file" "$proctor" conform equal --task-map their_sums=./none.yaml
expect 2 "holds no results_*.json" "$proctor" conform .
expect 2 "there is no elsewhere" "$proctor" conform elsewhere
expect 2 "no task could be compared" "$proctor" conform equal --run r
expect 2 "which output folder" "$proctor" conform
done_testing
