#!/usr/bin/python3
"""Dispatch through the real programs (noop backend, two workers, every unit committed and
acknowledged), alternately with a bare ROUTER/DEALER + LMDB loop on the same disk.

Usage: bench_dispatch.py BIN_DIR BENCH_BARE [UNITS [ROUNDS]]
The rate counts from the first worker's arrival to the last commit; the whole command adds
plan, resume check and report.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many import ENV, ROOT, make  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
BARE = os.path.abspath(sys.argv[2])
UNITS = int(sys.argv[3]) if len(sys.argv) > 3 else 200000
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5


def in_fresh_directory(work):
    # Beside the build, so that both write to the same, real disk.
    return tempfile.mkdtemp(prefix="dispatch.", dir=work)


def proctor_rates(work, n):
    """Units per second from the first worker's arrival to the last commit, and of the whole command."""
    d = in_fresh_directory(work)
    make(d, n)
    start = time.monotonic()
    p = subprocess.Popen([os.path.join(BIN, "proctor"), "run", "recipe.yaml", "--allow-noop",
                          "--quiet", "--run", "r"], cwd=d, env=dict(ENV, PROCTOR_LOG="info"),
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seen = {}
    for line in p.stderr:
        event = line.split()[3:4]
        if event and event[0] in ("peer-joined", "dispatched"):
            seen.setdefault(event[0], time.monotonic())
    assert p.wait() in (0, 1)
    whole = time.monotonic() - start
    shutil.rmtree(d)
    return n / (seen["dispatched"] - seen["peer-joined"]), n / whole


def bare_rate(work, n):
    d = in_fresh_directory(work)
    out = subprocess.check_output([BARE, str(n), d])
    shutil.rmtree(d)
    return float(out)


LINE = "proctor %7.0f units/s   bare loop %7.0f units/s   ratio %.2f   whole command %6.0f units/s"


def main():
    work = os.path.join(ROOT, "build")
    rows = []
    for _ in range(ROUNDS):
        rate, whole = proctor_rates(work, UNITS)
        bare = bare_rate(work, UNITS)
        rows.append((rate, bare, rate / bare, whole))
        print(LINE % rows[-1], flush=True)
    print("medians:\n" + LINE % tuple(statistics.median(column) for column in zip(*rows)))


main()
