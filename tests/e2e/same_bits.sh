#!/bin/sh
# Same recipe, same bits: workers, threads, batch, instruction set and interruptions change nothing.
. "$(dirname "$0")/lib.sh"
recipe=$root/recipes/quickstart.yaml
compare=$root/tests/e2e/compare_runs.py
limit=12

run()
{
    dir=$1
    shift
    "$proctor" run "$recipe" --limit $limit --run "$dir" --quiet "$@" >log.txt 2>&1
    status=$?
    # 1: an alarm of so few problems, not a difference
    [ $status -le 1 ] || { cat log.txt; fail "run $dir $*: exit $status"; }
    checks=$((checks + 1))
}

run one --workers 1 --threads 1 --set resources.batch=1
run two --workers 2 --threads 1 --set resources.batch=16
run threads --workers 1 --threads 2 --set resources.batch=16
run scalar --workers 1 --threads 2 --isa scalar

# Killed twice, then finished by the same command.
for pause in 0.4 0.9; do
    "$proctor" run "$recipe" --limit $limit --run killed --quiet >log.txt 2>&1 &
    pid=$!
    sleep $pause
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    sleep 0.3
done
run killed

# Interrupted once by Ctrl-C: resumable, exit 3 unless it was done already.
"$proctor" run "$recipe" --limit $limit --run stopped --quiet >log.txt 2>&1 &
pid=$!
sleep 0.7
kill -INT $pid 2>/dev/null
wait $pid
status=$?
[ $status -eq 3 ] || [ $status -le 1 ] || { cat log.txt; fail "Ctrl-C gave exit $status"; }
run stopped

"$compare" one two threads scalar killed stopped || fail "runs differ"

# Sampled, several samples of each problem, two KV types: the same bits too.
cat > sampled.yaml <<Y
recipe: sampled
seed: 7
models:
  tiny: {source: $root/recipes/models/tiny.gguf}
stages:
  - eval:
      models: [tiny]
      tasks: [small_code, small_numeric]
      limit: 8
      samples: 3
      sampler: {temperature: 0.8, top_k: 20, top_p: 0.9, min_p: 0.01}
      grid:
        kv: [f16, f32, q8_0]
Y
recipe=sampled.yaml
limit=8
run s1 --workers 2 --threads 1
run s2 --workers 1 --threads 2 --set resources.batch=3
"$compare" s1 s2 || fail "sampled runs differ"
done_testing
