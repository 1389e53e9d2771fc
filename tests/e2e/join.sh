#!/bin/sh
# Workers and testers that join a running coordinator: from another shell over ipc, over TCP with
# CURVE, with a wrong key, with SIGTERM, and when the port is taken.
. "$(dirname "$0")/lib.sh"
recipe=$root/recipes/quickstart.yaml
port=$((20000 + $$ % 20000))
end=tcp://127.0.0.1:$port

wait_for()
{
    tries=0
    while ! eval "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || fail "waited in vain: $1"
        sleep 0.1
    done
}

# No local processes: nothing moves until somebody joins.
"$proctor" run "$recipe" --limit 30 --run far --workers 0 --testers 0 --listen $end >far.txt 2>&1 &
coordinator=$!
wait_for "grep -q 'join from another host' far.txt"
wait_for "[ -d far/curve ]"
for f in far/curve/*; do
    case $(stat -c %a "$f") in
        *600 | 700) ;;
        *) case $f in *secret* | *client*) fail "$f is readable by others" ;; esac ;;
    esac
done

# A wrong key is told within 5 seconds.
cp -r far/curve wrong
"$bin/proctor-worker" --help >/dev/null
/usr/bin/python3 - <<'PY'
import glob, os
for p in glob.glob("wrong/*"):
    t = open(p).read()
    # Shift the letters of every 40-character key: well-formed Z85, another key.
    out = []
    for word in t.split("\n"):
        bare = word.strip()
        out.append(word.swapcase() if len(bare) >= 40 else word)
    open(p, "w").write("\n".join(out))
PY
start=$(date +%s)
timeout 20 "$bin/proctor-worker" --connect $end --curve-dir wrong >wrong.txt 2>&1
status=$?
[ $status -ne 0 ] && [ $status -ne 124 ] || { cat wrong.txt; fail "a worker with a wrong key ended with $status"; }
[ $(($(date +%s) - start)) -le 6 ] || fail "a wrong key was told only after $(($(date +%s) - start)) s"
[ -s wrong.txt ] || fail "a worker with a wrong key said nothing"
checks=$((checks + 1))

# Status over the wire, with the right keys.
expect 0 '"workers":0' "$proctor" status --connect $end --curve-dir far/curve

"$bin/proctor-worker" --connect $end --curve-dir far/curve --threads 1 >w1.txt 2>&1 &
w1=$!
"$bin/proctor-tester" --connect $end --curve-dir far/curve --slots 1 >t1.txt 2>&1 &
sleep 0.6
"$bin/proctor-worker" --connect $end --curve-dir far/curve --threads 1 >w2.txt 2>&1 &
# The first one is asked to leave; it drains and goes.
kill -TERM $w1
wait_for "! kill -0 $w1 2>/dev/null"
wait $w1
[ $? -eq 0 ] || { cat w1.txt; fail "a drained worker ended with an error"; }
checks=$((checks + 1))
wait_for "! kill -0 $coordinator 2>/dev/null"
wait $coordinator
[ $? -le 1 ] || { cat far.txt; fail "the run with joined peers failed"; }
"$proctor" run "$recipe" --limit 30 --run near --quiet >near.txt 2>&1
[ $? -le 1 ] || { cat near.txt; fail "the local run failed"; }
"$root/tests/e2e/compare_runs.py" far near || fail "joined workers gave other results"
checks=$((checks + 1))

# A port in use, an unauthenticated endpoint, a second coordinator on the same run.
/usr/bin/python3 -c "
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $port)); s.listen(1); open('taken', 'w').close(); time.sleep(60)" &
holder=$!
wait_for "[ -e taken ]"
expect 2 "$port" "$proctor" run "$recipe" --limit 1 --run other --listen $end
kill $holder
"$proctor" run "$recipe" --limit 2 --run held --workers 0 --testers 0 >held.txt 2>&1 &
held=$!
wait_for "[ -e held/store/data.mdb ]"
sleep 0.5
expect 2 "$held" "$proctor" run "$recipe" --limit 2 --run held
expect 0 "" "$proctor" status held
kill -INT $held
sleep 0.3
kill -INT $held 2>/dev/null
wait $held
[ $? -eq 3 ] || { cat held.txt; fail "an interrupted run did not exit with 3"; }
checks=$((checks + 1))
done_testing
