#!/usr/bin/python3
"""Dispatch against the bare loop, alternately, and cost per unit at 1,000,000 against 1,000.
Prints medians and ratios; figures go to docs/numbers.md by hand.

Usage: bench_hall.py OUT_DIR [--units N] [--rounds N] [--large N]
"""
import argparse
import os
import shutil
import statistics
import subprocess
import tempfile

ap = argparse.ArgumentParser()
ap.add_argument("out")
ap.add_argument("--units", type=int, default=50000)
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--large", type=int, default=1000000)
args = ap.parse_args()
BENCH = os.path.join(args.out, "bench")
BIN = os.path.abspath(os.path.join(args.out, "bin"))


def run(program, units, *more):
    work = tempfile.mkdtemp(prefix="proctor-bench.")
    try:
        out = subprocess.check_output([os.path.join(BENCH, program), str(units), work] + list(more))
        return [float(x) for x in out.split()]
    finally:
        shutil.rmtree(work)


ours, bare = [], []
for i in range(args.rounds):
    bare.append(run("bench_bare", args.units)[0])
    ours.append(run("bench_hall", args.units, BIN)[0])
    print("round %d: bare %8.0f units/s   dispatch %8.0f units/s" % (i + 1, bare[-1], ours[-1]),
          flush=True)
print("median:  bare %8.0f units/s   dispatch %8.0f units/s   ratio %.2f (at least 0.30)" % (
    statistics.median(bare), statistics.median(ours),
    statistics.median(o / b for o, b in zip(ours, bare))))
if args.large:
    small = [run("bench_hall", 1000, BIN) for _ in range(args.rounds)]
    large = run("bench_hall", args.large, BIN)
    wall = [1e6 / s[0] for s in small]
    print("per unit, wall: %.1f us at 1,000 (median of %d), %.1f us at %d: %.2f times (at most 1.5)" % (
        statistics.median(wall), len(wall), 1e6 / large[0], args.large,
        1e6 / large[0] / statistics.median(wall)))
    print("per unit, CPU of the coordinator: %.1f us at 1,000, %.1f us at %d" % (
        statistics.median(s[1] for s in small), large[1], args.large))
