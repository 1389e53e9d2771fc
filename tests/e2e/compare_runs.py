#!/usr/bin/python3
"""Compares the compared parts of two or more run directories: results.json and samples/.

Usage: compare_runs.py RUN RUN...   exit 0 when all are equal, byte for byte.
"""
import json
import os
import sys


def compared(run):
    """Maps a name to the canonical bytes of every compared object of a run."""
    out = {}
    with open(os.path.join(run, "results.json"), encoding="utf-8") as f:
        out["results.json"] = json.dumps(json.load(f)["result"], sort_keys=True)
    top = os.path.join(run, "samples")
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                lines = [json.dumps(json.loads(l)["result"], sort_keys=True) for l in f]
            out[os.path.relpath(path, run)] = "\n".join(lines)
    return out


def first_difference(a, b):
    for x, y in zip(a.split("\n"), b.split("\n")):
        if x != y:
            i = next((k for k in range(min(len(x), len(y))) if x[k] != y[k]), min(len(x), len(y)))
            return "...%s | ...%s" % (x[max(0, i - 60):i + 60], y[max(0, i - 60):i + 60])
    return "different lengths: %d and %d lines" % (a.count("\n") + 1, b.count("\n") + 1)


def main():
    first = compared(sys.argv[1])
    bad = 0
    for other in sys.argv[2:]:
        theirs = compared(other)
        if set(first) != set(theirs):
            print("%s: other files: %s" % (other, sorted(set(first) ^ set(theirs))))
            bad = 1
        for name in sorted(set(first) & set(theirs)):
            if first[name] != theirs[name]:
                print("%s differs in %s: %s" % (other, name, first_difference(first[name], theirs[name])))
                bad = 1
    if not bad:
        n = sum(v.count("\n") + 1 for k, v in first.items() if k != "results.json")
        print("equal: %d runs, %d samples" % (len(sys.argv) - 1, n))
    return bad


sys.exit(main())
