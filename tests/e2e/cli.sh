#!/bin/sh
# The command line as a newcomer meets it: help, wrong words, wrong arguments.
. "$(dirname "$0")/lib.sh"
expect 0 "Usage" "$proctor" --help
expect 0 "proctor" "$proctor" --version
expect 0 "proctor-worker" "$bin/proctor-worker" --version
expect 0 "proctor-tester" "$bin/proctor-tester" --version
expect 0 "Usage" "$bin/proctor-worker" --help
expect 0 "Usage" "$bin/proctor-tester" --help
for c in run plan status report samples compare verify score rescore conform data export model doctor; do
    expect 0 "Example: proctor" "$proctor" $c --help
    expect 0 "Example: proctor" "$proctor" help $c
done
for c in inspect check tokenize generate logits perplexity; do
    expect 0 "proctor model" "$proctor" model $c --help
done
expect 2 "did you mean 'report'" "$proctor" reprot
expect 2 "which recipe" "$proctor" run
expect 2 "list, check or fetch?" "$proctor" data
expect 2 "is not list, check or fetch" "$proctor" data get
expect 2 "unknown option --wrkers" "$proctor" run x.yaml --wrkers 3
expect 2 "did you mean --workers" "$proctor" run x.yaml --wrkers 3
expect 2 "nosuch.yaml" "$proctor" run nosuch.yaml
expect 2 "" "$proctor" status nosuch
expect 2 "no run below ./runs" "$proctor" report
expect 2 "" "$proctor" model inspect nosuch.gguf
expect 2 "" "$proctor" model frobnicate x
expect 0 "imported models" "$proctor" doctor
expect 0 "prompt tok" "$proctor" plan "$root/recipes/quickstart.yaml"
expect 0 '"units"' "$proctor" plan "$root/recipes/quickstart.yaml" --json
expect 2 "" "$proctor" plan "$root/recipes/quickstart.yaml" --memory 1MiB
expect 2 "--isa: 'mips'" "$proctor" run "$root/recipes/quickstart.yaml" --isa mips
expect 2 "directory" "$proctor" run "$root"

# Output that does not arrive is an error, a reader that leaves is none; streams that are closed are
# nobody's: no file gets their numbers.
for c in "$proctor --help" "$proctor plan $root/recipes/quickstart.yaml" \
    "$proctor model inspect $root/recipes/models/tiny.gguf" "$proctor doctor"; do
    $c >/dev/full 2>err.txt
    [ $? -eq 4 ] || fail "not exit 4 with a full disk behind stdout: $c"
    grep -q "cannot write all of the output" err.txt || fail "lost output is not mentioned: $c"
    checks=$((checks + 1))
done
{ "$proctor" model inspect "$root/recipes/models/tiny.gguf" 2>err.txt; echo $? >status.txt; } | true
[ "$(cat status.txt)" = 0 ] && [ ! -s err.txt ] || fail "a reader that leaves is taken for an error"
cat >recipe.yaml <<Y
recipe: closed
models: {tiny: {source: $root/recipes/models/tiny.gguf}}
stages: [{import: {model: tiny, as: ready}}, {eval: {models: [ready], tasks: [small_choice], limit: 2}}]
Y
"$proctor" run recipe.yaml --run closed <&- >&- 2>&- || fail "exit $? with all streams closed"
expect 0 "2 of 2 units" "$proctor" report closed
(ulimit -n 20 && exec "$proctor" run recipe.yaml --run few 2>err.txt)
[ $? -eq 2 ] && grep -q "ulimit -n" err.txt || { cat err.txt; fail "20 open files are not refused"; }
checks=$((checks + 1))
done_testing
