#!/bin/sh
# The imported form of a model: a recipe's import stage writes it, workers map it, every command
# says the same of it as of the original; where it cannot be written the run goes on without it.
# Usage: tests/e2e/import.sh build/release/bin
. "$(dirname "$0")/lib.sh"
compare=$root/tests/e2e/compare_runs.py
model=$root/recipes/models/tiny.gguf
sha=$(sha256sum "$model" | cut -c1-64)
imported=$PROCTOR_CACHE/models/$(echo "$sha" | cut -c1-2)/$sha.pxm

recipe()
{
    cat <<Y
recipe: imports
seed: 7
models:
  tiny: {source: $model}
stages:
$1
  - eval:
      models: [$2]
      tasks: [small_numeric, small_choice]
      limit: 6
Y
}

recipe "" tiny >plain.yaml
recipe "  - import: {model: tiny, as: ready}" ready >import.yaml
recipe "  - import: {model: tiny, as: ready, layout: file}" ready >checked.yaml
run()
{
    recipe=$1
    dir=$2
    shift 2
    PROCTOR_LOG=info "$@" "$proctor" run "$recipe" --run "$dir" --workers 1 --quiet >log.txt 2>&1
    status=$?
    # 1: an alarm of so few problems, not a difference
    [ $status -le 1 ] || { cat log.txt; fail "run of $recipe: exit $status"; }
    checks=$((checks + 1))
}
said()
{
    grep -q "$1" log.txt || { cat log.txt; fail "'$1' was not said"; }
    checks=$((checks + 1))
}
mapped()
{
    cat log.txt "$1"/logs/* 2>/dev/null | grep "model-mapped" | grep -q "path=$2" ||
        { cat log.txt "$1"/logs/*; fail "run $1 did not map $2"; }
    checks=$((checks + 1))
}

# Checked only, or not at all: nothing is written.
run plain.yaml plain env
mapped plain "$model"
run checked.yaml checked env
[ ! -e "$PROCTOR_CACHE/models" ] || fail "layout: file wrote a model"
expect 0 "import writes about" "$proctor" plan import.yaml --workers 1

# Written and used. A second run finds it.
run import.yaml imported env
said "imported model=tiny .*path=$imported"
[ -f "$imported" ] || fail "$imported was not written"
mapped imported "$imported"
expect 0 "was there already" "$proctor" model import "$model"
run import.yaml again env
said "was there already"

# The model is the same model to every command.
path=$("$proctor" model import "$model" | head -1)
[ "$path" = "$imported" ] || fail "import says $path"
"$proctor" model import "$model" --to elsewhere --json >json.txt || fail "import --to"
grep -q '"was_there": false' json.txt || { cat json.txt; fail "import --to wrote nothing"; }
cmp -s "$imported" elsewhere/*/"$sha".pxm || fail "the same model gave other bytes"
expect 2 "imported file already" "$proctor" model import "$imported"
expect 0 "12 of 12 stages passed" "$proctor" model check "$imported"
expect 0 "imported from" "$proctor" model inspect "$imported"
for command in "tokenize FILE 'two apples'" "logits FILE --prompt 'two apples' --all -o FILE.f32" \
    "generate FILE --prompt 'two apples' --max-tokens 20" \
    "perplexity FILE $root/recipes/data/small_numeric.jsonl --ctx 64 --json"; do
    for f in "$model" "$imported"; do
        eval "\"\$proctor\" model $(echo "$command" | sed "s|FILE.f32|logits.f32|; s|FILE|$f|")" \
            >out.txt 2>/dev/null || fail "$command: $f"
        [ ! -f logits.f32 ] || cat logits.f32 >>out.txt
        [ "$f" = "$imported" ] || cp out.txt first.txt
    done
    cmp -s first.txt out.txt || fail "$command: the imported file gives another result"
    checks=$((checks + 1))
done
sed "s|$model|$imported|" plain.yaml >direct.yaml
run direct.yaml direct env

# Nowhere to write: a warning, and the original is used.
run import.yaml readonly env PROCTOR_MODELS=/proc/no/models
said "not-imported model=tiny"
mapped readonly "$model"

# A damaged imported file: a warning, and the original is used.
printf 'damage' | dd of="$imported" bs=1 seek=2000 conv=notrunc 2>/dev/null
run plain.yaml damaged env
mapped damaged "$model"
expect 1 "damaged" "$proctor" model check "$imported"
run import.yaml repaired env
mapped repaired "$imported"
expect 0 "12 of 12 stages passed" "$proctor" model check "$imported"

"$compare" plain checked imported again direct readonly damaged repaired ||
    fail "the imported form changed results"
checks=$((checks + 1))
done_testing
