#!/usr/bin/python3
"""Dispatch through the real programs (noop backend, two workers, every unit committed and
acknowledged), alternately with a bare ROUTER/DEALER + LMDB loop on the same disk.

Usage: bench_dispatch.py BIN_DIR BENCH_BARE [UNITS [ROUNDS]]
The rate is that of the whole command less the command with one unit (start-up, report).
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many import ROOT, make, timed  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
BARE = os.path.abspath(sys.argv[2])
UNITS = int(sys.argv[3]) if len(sys.argv) > 3 else 50000
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5


def in_fresh_directory(work):
    # Beside the build, so that both write to the same, real disk.
    return tempfile.mkdtemp(prefix="dispatch.", dir=work)


def proctor_seconds(work, n):
    d = in_fresh_directory(work)
    make(d, n)
    t, p = timed([os.path.join(BIN, "proctor"), "run", "recipe.yaml", "--allow-noop", "--quiet",
                  "--run", "r"], cwd=d)
    assert p.returncode in (0, 1), p.stderr.decode()
    shutil.rmtree(d)
    return t


def bare_rate(work, n):
    d = in_fresh_directory(work)
    out = subprocess.check_output([BARE, str(n), d])
    shutil.rmtree(d)
    return float(out)


def main():
    work = os.path.join(ROOT, "build")
    proctor, bare, ratio = [], [], []
    for _ in range(ROUNDS):
        start_up = proctor_seconds(work, 1)
        p = UNITS / (proctor_seconds(work, UNITS) - start_up)
        b = bare_rate(work, UNITS)
        proctor.append(p)
        bare.append(b)
        ratio.append(p / b)
        print("proctor %8.0f units/s   bare loop %8.0f units/s   ratio %.2f   start-up %.2f s" %
              (p, b, p / b, start_up), flush=True)
    print("medians: proctor %.0f units/s, bare loop %.0f units/s, ratio %.2f" %
          (statistics.median(proctor), statistics.median(bare), statistics.median(ratio)))


main()
