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
