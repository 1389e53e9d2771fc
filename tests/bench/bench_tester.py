#!/usr/bin/env python3
"""Measures, alternately and five times each, medians printed:

* trivial programs by their output (one confined fork each) and split (two),
* HumanEval's reference solutions, when PROCTOR_REFERENCE has them,
* fresh interpreters: python3 -I -S -E -c pass, as many at a time as there are slots.
"""
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PYTHON = "/usr/bin/python3"
SLOTS = len(os.sched_getaffinity(0))
ROUNDS = 5


def trivial(n):
    problem = {"kind": "stdio", "cases": [{"stdin": "", "stdout": "1"}]}
    return [{"id": str(i), "problem": problem, "code": "print(1)"} for i in range(n)]


def split(n):
    problem = {"kind": "calls", "entry_point": "f", "calls": [{"args": [1], "expect": 1}]}
    return [{"id": str(i), "problem": problem, "code": "def f(x):\n    return x\n"} for i in range(n)]


def humaneval():
    path = os.path.join(os.environ.get("PROCTOR_REFERENCE", "../shared"), "data/humaneval/HumanEval.jsonl")
    if not os.path.exists(path):
        print("SKIP HumanEval: no %s" % path)
        return []
    out = []
    with open(path, encoding="utf-8") as f:
        for p in map(json.loads, f):
            problem = {k: p[k] for k in ("prompt", "entry_point", "test")}
            problem["kind"] = "humaneval"
            out.append({"id": p["task_id"], "problem": problem, "code": p["prompt"] + p["canonical_solution"]})
    return out * 3


def judge(bin_dir, tasks):
    with tempfile.NamedTemporaryFile("w") as f:
        f.writelines(json.dumps(t) + "\n" for t in tasks)
        f.flush()
        start = time.monotonic()
        p = subprocess.run([bin_dir + "/proctor-tester", "judge", f.name, "-"], check=True, stdout=subprocess.PIPE)
        took = time.monotonic() - start
    if p.stdout.count(b'"verdict": "passed"') != len(tasks):
        sys.exit("not every program passed")
    return len(tasks) / took


def fresh(n):
    def one(_):
        subprocess.run([PYTHON, "-I", "-S", "-E", "-c", "pass"], check=True)

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SLOTS) as pool:
        list(pool.map(one, range(n)))
    return n / (time.monotonic() - start)


def main():
    bin_dir = sys.argv[1]
    what = {"trivial, by output": trivial(1500), "trivial, split": split(1000), "HumanEval, split": humaneval()}
    rates, base = {k: [] for k, v in what.items() if v}, []
    for _ in range(ROUNDS):
        base.append(fresh(100))
        for k in rates:
            rates[k].append(judge(bin_dir, what[k]))
    b = statistics.median(base)
    print("%d slots, medians of %d; start-up of the tester included" % (SLOTS, ROUNDS))
    print("%-28s %8.0f /s" % ("python3 -I -S -E -c pass", b))
    for k, v in rates.items():
        m = statistics.median(v)
        print("%-28s %8.0f /s  %5.1f x" % (k, m, m / b))


main()
