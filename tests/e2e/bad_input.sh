#!/bin/sh
# Bad input: one clear message (what, where, what was expected), exit 2, nothing half-written.
. "$(dirname "$0")/lib.sh"
model=$(ls "$root"/recipes/models/*.gguf | head -n 1)

recipe()
{
    cat > bad.yaml
}

good()
{
    printf 'recipe: bad\nmodels:\n  m: {source: %s}\nstages:\n  - eval: {models: [m], tasks: [small_numeric]}\n' "$1" > bad.yaml
}

recipe <<'Y'
recipe: bad
sede: 3
models:
  m: {source: nosuch.gguf}
stages:
  - eval: {models: [n], tasks: [small_numeric], sampler: {temprature: 1}}
Y
expect 2 "bad.yaml:2:1" "$proctor" run bad.yaml
grep -q "did you mean 'seed'" err.txt || fail "no suggestion for sede"
grep -q "nosuch.gguf" err.txt || fail "missing model not reported with the rest"
grep -q "temperature" err.txt || fail "nested typo not reported with the rest"
[ ! -e runs/bad ] || fail "a refused recipe made a run directory"
printf 'recipe: "\377"\n' > bad.yaml
expect 2 "bad.yaml" "$proctor" plan bad.yaml
printf 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n' > bad.yaml
expect 2 "bad.yaml" "$proctor" plan bad.yaml

# Models
head -c 100000 "$model" > cut.gguf
good cut.gguf
expect 2 "cut.gguf" "$proctor" run bad.yaml
printf 'NOPE' > magic.gguf
tail -c +5 "$model" >> magic.gguf
good magic.gguf
expect 2 "magic" "$proctor" run bad.yaml
good "$model"
expect 2 "memory" "$proctor" run bad.yaml --memory 2MiB
expect 2 "host_memory" "$proctor" run bad.yaml --host-memory 60MiB --memory 55MiB

# Data sets
sed -i 's/small_numeric/humaneval/' bad.yaml
expect 2 "humaneval" env -u PROCTOR_DATA "$proctor" run bad.yaml
mkdir -p data/humaneval && echo '{"task_id": "x"}' > data/humaneval/HumanEval.jsonl
expect 2 "HumanEval.jsonl" env -u PROCTOR_DATA "$proctor" run bad.yaml --data data
sed -i 's/humaneval/nosuchtask/' bad.yaml
expect 2 "nosuchtask" "$proctor" run bad.yaml

# Task files and their rows: the position in the file, the row, what was expected.
/usr/bin/python3 - <<'PY'
import json
rows = [{"id": "q/%d" % i, "question": "?", "choices": ["1", "2", "3", "4"], "gold": i % 4} for i in range(9)]
def put(name, **changed):
    out = [dict(r) for r in rows]
    for key, value in changed.items():
        if value is None:
            del out[6][key]
        else:
            out[6][key] = value
    open(name, "w").write("".join(json.dumps(r) + "\n" for r in out))
put("good.jsonl")
put("column.jsonl", question=None)
put("short.jsonl", choices=["1"])
put("fewer.jsonl", choices=["1", "2"])
put("gold.jsonl", gold=4)
put("twice.jsonl", id="q/3")
PY
task()
{
    sed -e "s/FILE/$1/" >task.yaml <<'Y'
task: t
data: {file: ./FILE.jsonl, get: the place where rows grow}
id: "{{ id }}"
request: choice
prompt: "{{ question }}"
choices: "{{ choices }}"
gold: "{{ gold }}"
scorer: {kind: choice}
headline: acc
Y
    printf 'recipe: bad\nmodels:\n  m: {source: %s}\nstages:\n  - eval: {models: [m], tasks: [./task.yaml]%s}\n' \
        "$model" "${2:-}" >bad.yaml
}
refused()
{
    expect 2 "$1" "$proctor" run bad.yaml
    [ ! -e runs/bad ] || fail "refused ($1), and left a run directory"
}
task good && expect 0 "9 units" "$proctor" plan bad.yaml
task column && refused "the row has no field 'question' ($PWD/./column.jsonl:7)"
task short && refused "1 choices, expected 2 to 1000 ($PWD/./short.jsonl:7)"
task fewer && refused "gold is 2: neither an index from 0 to 1 nor the text of one of the 2 choices ($PWD/./fewer.jsonl:7)"
task gold && refused "gold is 4: neither an index from 0 to 3 nor the text of one of the 4 choices ($PWD/./gold.jsonl:7)"
task twice && refused "twice.jsonl:7: the id 'q/3' stands at line 4 already"
task nowhere && refused "nowhere.jsonl was not found in $PWD/. (the task file's); get it: the place where rows grow"
task good && sed -i 's/grow}/grow, sha256: '"$(printf '%064d' 1)"'}/' task.yaml && refused "another file, or damaged"
task good && sed -i 's/grow}/grow, rows: 10}/' task.yaml && refused "9 rows, expected 10"
task good && sed -i 's/headline: acc/headline: accuracy/' task.yaml && refused "task.yaml:9:11: headline: 'accuracy'"
task good && sed -i 's/^gold:/glod:/' task.yaml && refused "task.yaml:7:1: glod: unknown key"
task good && sed -i 's/{kind: choice}/{kind: choice, version: 2}/' task.yaml && refused "task.yaml:8:33: scorer.version: 2 is asked for"
task good ", fewshot: 2" &&
    echo 'fewshot: {n: 0, target: "{{ gold }}", data: {file: ./shots.jsonl, get: a friend}}' >>task.yaml &&
    refused "fewshot: ./shots.jsonl was not found in"
task good ", fewshot: 9" && refused "9 shots, but there are only 9 rows to draw them from"

# Reuse where nothing is decoded
cat > bad.yaml <<Y
recipe: bad
models:
  m: {source: $model}
stages:
  - eval: {models: [m], tasks: [small_choice], reuse: {k: 2, subset: first, size: 2}}
Y
expect 2 "reuse" "$proctor" run bad.yaml
done_testing
