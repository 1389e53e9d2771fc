#!/bin/sh
# Conversations and judges: later turns quote the answers before them, a judge sees what it judges,
# pairs are judged in both orders, and an interrupted run goes on.
. "$(dirname "$0")/lib.sh"
cat >talk.yaml <<'YAML'
task: talk
about: "Two turns, judged."
data: {file: ./talk.jsonl, get: "made by the test"}
id: "{{ n }}"
request: generate
chat: true
prompt: "say {{ word }}"
turns: ["now say it {{ n }} times"]
max_tokens: 8
scorer: {kind: turn, version: 1}
headline: none
judge:
  single:
    prompts: ["first: {{ answers[0] }}", "{{ word }}: {{ answers[0] }} / {{ answers[1] }}"]
    max_tokens: 16
  pairwise:
    system: "judge"
    prompts: ["{{ answers[0] }} or {{ answers_b[0] }}?", "{{ answers[1] }} or {{ answers_b[1] }}?"]
    max_tokens: 16
YAML
for n in 1 2 3; do echo "{\"n\": $n, \"word\": \"word$n\"}"; done >talk.jsonl
like='"I like it. [[A]] Rating: [[7]]"' # of either turn
for n in 1 2 3; do echo "{\"id\": \"$n\", \"completion\": [$like, $like]}"; done >judge.jsonl
# Answers as FastChat records them.
for n in 1 2 3; do
    echo "{\"question_id\": $n, \"choices\": [{\"index\": 0, \"turns\": [\"one $n\", \"two $n\"]}]}"
done >answers.jsonl
cat >recipe.yaml <<YAML
models:
  small: {source: $root/recipes/models/tiny.gguf}
  judge: {backend: replay, source: judge.jsonl}
  reader: {source: $root/recipes/models/tiny.gguf}
stages:
  - eval:
      name: talk
      models: [small]
      tasks: [./talk.yaml]
      chat: chatml
      grid: {kv: [f16, f32]}
      judge: {model: judge, modes: [single, pairwise], baseline: kv=f16}
  - eval:
      name: read
      models: [small]
      tasks: [./talk.yaml]
      chat: chatml
      judge: {model: reader, chat: chatml}
YAML
"$proctor" run recipe.yaml --run one --workers 1 --testers 1 --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "run: exit $?"; }
"$proctor" samples one --tokens >samples.jsonl
/usr/bin/python3 - <<'PY' || fail "what the prompts quote, or the judgements"
import json
rows = [json.loads(line)["result"] for line in open("samples.jsonl")]
by = {}
for r in rows:
    by.setdefault((r["cell"], r["task"]), []).append(r)
talk = by["talk/kv=f16", "talk"]
assert len(talk) == 6, len(talk)
# the second turn's prompt holds the first one's tokens: question, answer, next question
for i in range(0, 6, 2):
    first, second = talk[i]["receipt"]["prompt_token_ids"], talk[i + 1]["receipt"]["prompt_token_ids"]
    assert second[:len(first)] == first and len(second) > len(first)
single = by["talk/kv=f32", "talk/single"]
assert len(single) == 6 and all(r["metrics"]["rating"] == 7 and r["metrics"]["rated"] == 1 for r in single)
assert sum(r["metrics"]["rated_turn_2"] for r in single) == 3
pairs = by["talk/kv=f32", "talk/pairwise"]
assert ("talk/kv=f16", "talk/pairwise") not in by  # nothing is compared with itself
assert len(pairs) == 12
assert [r["metrics"]["win"] for r in pairs] == [1, 0] * 6  # whoever stands first
assert len(by["read/default", "talk/single"]) == 6
PY
"$proctor" report one >table.txt
grep -q '0 wins, 6 ties, 0 losses of 6 pairs: win rate 50.0 %; the order changed 100.0 %' table.txt ||
    { cat table.txt; fail "the pairs are not reported"; }
checks=$((checks + 1))
# Recorded conversations are judged like any other.
cat >recorded.yaml <<YAML
models:
  theirs: {backend: replay, source: answers.jsonl}
  judge: {backend: replay, source: judge.jsonl}
stages: [{eval: {models: [theirs], tasks: [./talk.yaml], judge: {model: judge}}}]
YAML
"$proctor" run recorded.yaml --run rec --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "run recorded.yaml: exit $?"; }
"$proctor" samples rec --task talk >samples.jsonl
/usr/bin/python3 - <<'PY' || fail "which turn a recorded text belongs to"
import json
rows = [json.loads(line)["result"] for line in open("samples.jsonl")]
assert [r["text"] for r in rows] == [f"{t} {n}" for n in (1, 2, 3) for t in ("one", "two")], rows
PY
"$proctor" report rec | grep -q '^default *7' || fail "recorded conversations are not rated"
checks=$((checks + 1))
# Cut anywhere, it comes to the same.
"$proctor" run recipe.yaml --run two --workers 1 --testers 1 --quiet >log.txt 2>&1 &
pid=$!
sleep 0.4
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
"$proctor" run recipe.yaml --run two --workers 2 --testers 1 --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "run two: exit $?"; }
"$root/tests/e2e/compare_runs.py" one two >log.txt 2>&1 || { cat log.txt; fail "a run that was killed differs"; }
checks=$((checks + 1))
# A unit that quotes answers is verified with the answers that it quotes.
expect 0 '0 completions and 0 verdicts differ' "$proctor" verify one --fraction 0.3
expect 0 "judge's: its verdicts stay" "$proctor" rescore one
# What cannot be is refused with its place.
sed 's/chat: chatml$/chat: raw/' recipe.yaml >raw.yaml
"$proctor" plan raw.yaml >log.txt 2>&1 && fail "a conversation without a template was accepted"
grep -q 'is a conversation and needs a chat template' log.txt || { cat log.txt; fail "no reason given"; }
sed 's/baseline: kv=f16/baseline: kv=f8/' recipe.yaml >base.yaml
"$proctor" plan base.yaml >log.txt 2>&1 && fail "an unknown baseline was accepted"
grep -q "has no cell 'kv=f8'" log.txt || { cat log.txt; fail "no reason given"; }
checks=$((checks + 1))
done_testing
