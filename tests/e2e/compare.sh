#!/bin/sh
# Cells and runs against each other, what cells know together, repeats, and gates that stop a run.
. "$(dirname "$0")/lib.sh"
cat >recipe.yaml <<YAML
recipe: pairs
seed: 5
models:
  m: {source: $root/recipes/models/tiny.gguf}
stages:
  - eval:
      models: [m]
      tasks: [small_numeric]
      limit: 24
      reuse: {size: 3, subset: first}
      grid: {reuse.k: [1, 3]}
YAML
run="--workers 1 --testers 1 --threads 1 --quiet"
# shellcheck disable=SC2086
{
    expect 0 "" "$proctor" run recipe.yaml --run a $run
    expect 0 "" "$proctor" run recipe.yaml --run b $run
}
[ "$(ls a/summary)" = "$(printf 'reuse.k=1.json\nreuse.k=3.json')" ] || fail "summaries: $(ls a/summary)"

expect 0 "exact McNemar p = " "$proctor" compare a
expect 0 "24 problems" "$proctor" compare a reuse.k=1 reuse.k=3 --items
cp out.txt first.txt
expect 0 "lost: small_numeric" "$proctor" compare a:reuse.k=1 b:reuse.k=3 --items
expect 0 "" "$proctor" compare a reuse.k=1 reuse.k=3 --items
cmp -s out.txt first.txt || fail "the same comparison said something else"
expect 0 '"test":"mcnemar"' "$proctor" compare a reuse.k=1 reuse.k=3 --json
expect 0 "p = 1" "$proctor" compare a b
expect 0 "(oracle)" "$proctor" compare --oracle a
expect 0 "same text 100.00 %, same verdict 100.00 %" "$proctor" compare --stability a b
expect 0 "24 problems" "$proctor" compare a k=1 k=3 --items
cmp -s out.txt first.txt || fail "cells named by a setting gave another comparison"
expect 2 "there is no cell 'reuse.k=2'" "$proctor" compare a reuse.k=1 reuse.k=2
expect 2 "nothing to compare" "$proctor" compare a --task small_code
expect 2 "needs two runs" "$proctor" compare --stability a
expect 2 "exclude each other" "$proctor" compare --stability --oracle a
expect 2 "is not a run directory" "$proctor" compare a nowhere

# A bound that is out of reach ends the run; the same command ends at once, and says why.
{
    cat recipe.yaml
    echo 'gates: [{metric: small_numeric/exact_match, cell: reuse.k=3, above: 0.9, after: 4}]'
} >gated.yaml
# shellcheck disable=SC2086
{
    expect 1 "stopped by a gate, missed: small_numeric/exact_match above 0.9" \
        "$proctor" run gated.yaml --run c $run
    expect 1 "stopped by a gate" "$proctor" run gated.yaml --run c $run
    expect 0 "gate missed" "$proctor" report c
    expect 0 "" "$proctor" run gated.yaml --run d $run --set gates.0.above=-1
    expect 0 "gate met" "$proctor" report d
    expect 2 "the run has no task 'gsm'" "$proctor" run gated.yaml --run e $run \
        --set gates.0.metric=gsm/exact_match
}
done_testing
