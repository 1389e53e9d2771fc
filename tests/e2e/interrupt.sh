#!/bin/sh
# Two Ctrl-Cs, however close to each other and whenever they come: exit 3, nobody left behind, and
# the same command goes on.
. "$(dirname "$0")/lib.sh"
cat >two.py <<'PY'
import os, signal, subprocess, sys, time

def run(delay, gap):
    p = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    said = p.stderr.readline()  # the run is announced
    time.sleep(delay)
    for _ in range(2):
        p.send_signal(signal.SIGINT)
        time.sleep(gap)
    said += p.communicate(timeout=30)[1]
    if p.returncode != 3:
        sys.exit(f"exit {p.returncode} after two signals, {delay} s in, {gap} s apart: {said.decode()}")

for i, delay in enumerate((0, 0.05, 0.3, 0.6)):
    for gap in (0, 0.01, 0.05):
        run(delay + i * gap / 2, gap)
PY
/usr/bin/python3 two.py "$proctor" run "$root/recipes/quickstart.yaml" --run r --fresh ||
    fail "see above"
sleep 0.2
for p in /proc/[0-9]*; do
    case $(cat "$p/comm" 2>/dev/null) in
    proctor*) [ "$(readlink "$p/cwd")" != "$work" ] || fail "left behind: $(tr '\0' ' ' <"$p/cmdline")" ;;
    esac
done
expect 0 "units" "$proctor" run "$root/recipes/quickstart.yaml" --run small --limit 2
checks=$((checks + 13))
done_testing
