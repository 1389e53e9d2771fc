#!/bin/sh
# The coordinator is killed while workers of "another host" are at work: they stay, come back to the
# next coordinator with what they hold, and leave when it is done.
. "$(dirname "$0")/lib.sh"
recipe=$root/recipes/quickstart.yaml
port=$((20000 + ($$ + 7) % 20000))
end=tcp://127.0.0.1:$port

coordinate()
{
    "$proctor" run "$recipe" --limit 40 --run r --workers 0 --testers 0 --listen $end --quiet \
        >>coordinator.txt 2>&1 &
    coordinator=$!
}

coordinate
tries=0
while [ ! -d r/curve ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"$bin/proctor-worker" --connect $end --curve-dir r/curve --threads 1 >w.txt 2>&1 &
worker=$!
"$bin/proctor-tester" --connect $end --curve-dir r/curve --slots 1 >t.txt 2>&1 &
tester=$!
for pause in 1.2 1.2; do
    sleep $pause
    kill -9 $coordinator 2>/dev/null
    wait $coordinator 2>/dev/null
    coordinate
done
wait $coordinator
status=$?
[ $status -le 1 ] || { cat coordinator.txt; fail "the restarted run ended with $status"; }
for pid in $worker $tester; do
    tries=0
    while kill -0 $pid 2>/dev/null && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    kill -0 $pid 2>/dev/null && fail "a peer stayed after the run was over"
    wait $pid
    [ $? -eq 0 ] || { cat w.txt t.txt; fail "a peer did not end in good order"; }
done
# One life each: whoever did the work at the end was there from the start.
/usr/bin/python3 - <<'PY' || fail "peers were not the same through the restarts"
import glob, json
workers = set()
for p in glob.glob("r/samples/**/*.jsonl", recursive=True):
    for line in open(p, encoding="utf-8"):
        workers.add(json.loads(line)["observed"].get("worker"))
assert len(workers) == 1, workers
PY
"$proctor" run "$recipe" --limit 40 --run near --quiet >near.txt 2>&1
[ $? -le 1 ] || { cat near.txt; fail "the local run failed"; }
"$root/tests/e2e/compare_runs.py" r near || fail "restarts changed the results"
checks=$((checks + 4))

# A host without seccomp: nothing is run unconfined, and the run says why it stops.
start=$(date +%s)
PROCTOR_NO_SECCOMP=1 expect 2 "seccomp" "$proctor" run "$recipe" --limit 1 --run jailless --quiet
[ $(($(date +%s) - start)) -le 30 ] || fail "a refusing tester was told too late"
done_testing
