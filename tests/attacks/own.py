#!/usr/bin/env python3
"""Runs the programs of tests/attacks/own through `proctor-tester judge`.

Usage: own.py BIN [level-2]. Checks every verdict, that a canary file outside stays as it was, and
that no process is left behind. With level-2 namespaces are denied, as on hosts without them.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS = {"cpu_s": 4, "wall_s": 10, "mem_mb": 256, "out_kb": 1024}


def programs(canary):
    with open(os.path.join(HERE, "own", "problems.json"), encoding="utf-8") as f:
        problems = json.load(f)
    for name in sorted(os.listdir(os.path.join(HERE, "own"))):
        if not name.endswith(".py"):
            continue
        with open(os.path.join(HERE, "own", name), encoding="utf-8") as f:
            head, _, code = f.read().partition("# ---\n")
        said = dict(line[2:].split(": ", 1) for line in head.splitlines())
        limits = dict(LIMITS)
        for item in said.get("limits", "").split():
            key, _, value = item.partition("=")
            limits[key] = float(value)
        yield {
            "id": name[:-3],
            "problem": problems[said["problem"]],
            "code": code.replace("@@CANARY@@", canary),
            "limits": limits,
        }, said["expect"].split()


def children():
    """Orphans of the judge: they come to us, the subreaper."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            left.append(int(pid))
    return left


def main():
    bin_dir, env = sys.argv[1], dict(os.environ)
    if sys.argv[2:] == ["level-2"]:
        env["PROCTOR_NO_USERNS"] = "1"
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    bad = []
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)
        canary = os.path.join(work, "canary")
        with open(canary, "w") as f:
            f.write("sings\n")
        os.chmod(canary, 0o666)
        before = os.stat(canary)
        todo = list(programs(canary))
        tasks, results = os.path.join(work, "tasks"), os.path.join(work, "results")
        with open(tasks, "w") as f:
            f.writelines(json.dumps(t) + "\n" for t, _ in todo)
        subprocess.run([bin_dir + "/proctor-tester", "judge", tasks, results], env=env, check=True)
        with open(results) as f:
            got = [json.loads(line) for line in f]
        after = os.stat(canary)
    if [g["id"] for g in got] != [t["id"] for t, _ in todo]:
        bad.append("results are not one a task, in order")
    for g, (t, expect) in zip(got, todo):
        if g["verdict"] not in expect:
            bad.append("%s: %s, expected %s (%s)" % (t["id"], g["verdict"], expect, g["detail"]))
    same = ("st_mode", "st_size", "st_mtime_ns", "st_ino", "st_nlink")
    if any(getattr(before, k) != getattr(after, k) for k in same):
        bad.append("the canary was touched")
    time.sleep(0.3)
    if children():
        bad.append("processes were left behind: %s" % children())
    for b in bad:
        print("BAD  " + b)
    level = got[0]["jail"]["level"] if got else "?"
    print("own programs: %d at level %s, %d bad" % (len(todo), level, len(bad)))
    sys.exit(1 if bad else 0)


main()
