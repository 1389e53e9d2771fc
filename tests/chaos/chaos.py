#!/usr/bin/python3
"""kill -9 at random moments over coordinator, workers, testers and their children.

An undisturbed run gives the reference. Then runs of the same recipe are killed here and there and
started again until they are done; each must give the same compared parts, every unit once, and
leave no process behind. Prints its seed; --seed repeats the choices.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def processes(bindir):
    """(pid, program) of every live process whose program lies in bindir."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            exe = os.readlink("/proc/%s/exe" % entry)
            with open("/proc/%s/stat" % entry) as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if exe.startswith(bindir + "/") and state != "Z":
            found.append((int(entry), os.path.basename(exe)))
    return found


def wait_until_empty(bindir, seconds):
    end = time.time() + seconds
    while time.time() < end:
        if not processes(bindir):
            return []
        time.sleep(0.05)
    return processes(bindir)


def check_samples(run):
    """Every unit exactly once: ids are distinct within a file."""
    n = 0
    for folder, _, names in os.walk(os.path.join(run, "samples")):
        for name in names:
            seen = set()
            for line in open(os.path.join(folder, name), encoding="utf-8"):
                r = json.loads(line)["result"]
                key = (r["problem"], r["sample"])
                assert key not in seen, "unit twice in %s: %s" % (name, key)
                seen.add(key)
                n += 1
    return n


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bin", required=True)
    ap.add_argument("--kills", type=int, default=200)
    ap.add_argument("--seconds", type=float, default=1500, help="give up starting new runs after")
    ap.add_argument("--limit", type=int, default=20)
    ap.add_argument("--seed", type=int, default=None)
    args = ap.parse_args()
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "little")
    rng = random.Random(seed)
    print("seed %d" % seed, flush=True)
    work = tempfile.mkdtemp(prefix="proctor-chaos.")
    bindir = os.path.join(work, "bin")
    shutil.copytree(args.bin, bindir)
    env = dict(os.environ, PROCTOR_HOME=ROOT, PROCTOR_CACHE=os.path.join(work, "cache"))
    recipe = os.path.join(ROOT, "recipes", "quickstart.yaml")

    def command(run):
        return [os.path.join(bindir, "proctor"), "run", recipe, "--limit", str(args.limit),
                "--workers", "2", "--threads", "1", "--run", run, "--quiet"]

    log = open(os.path.join(work, "log"), "w")
    reference = os.path.join(work, "reference")
    code = subprocess.call(command(reference), env=env, stdout=log, stderr=log)
    assert code in (0, 1), "the undisturbed run ended with %d" % code
    assert not wait_until_empty(bindir, 5), "the undisturbed run left processes behind"
    units = check_samples(reference)
    kills = {}
    runs = []
    started = time.time()
    failed = None
    while sum(kills.values()) < args.kills and time.time() - started < args.seconds:
        run = os.path.join(work, "run%d" % len(runs))
        runs.append(run)
        code = -9
        per_run = 0
        while code not in (0, 1):
            child = subprocess.Popen(command(run), env=env, stdout=log, stderr=log)
            # Calm after ten kills, so that every run ends.
            while child.poll() is None and per_run < 10 and sum(kills.values()) < args.kills:
                time.sleep(rng.uniform(0.02, 0.7))
                victims = processes(bindir)
                if not victims:
                    continue
                program = rng.choice(sorted({name for _, name in victims}))
                pid = rng.choice([p for p, name in victims if name == program])
                try:
                    os.kill(pid, signal.SIGKILL)
                    kills[program] = kills.get(program, 0) + 1
                    per_run += 1
                except ProcessLookupError:
                    pass
            try:
                code = child.wait(timeout=180)
            except subprocess.TimeoutExpired:
                failed = "a run hung after %s" % kills
                break
            if code not in (0, 1, -9, 3):
                failed = "a run ended with %d after %s" % (code, kills)
                break
            left = wait_until_empty(bindir, 10)
            if left:
                failed = "processes left behind: %s" % left
                break
        if failed:
            break
        assert check_samples(run) == units, "units are missing"
    if not failed:
        compare = os.path.join(ROOT, "tests", "e2e", "compare_runs.py")
        if subprocess.call([compare, reference] + runs) != 0:
            failed = "results differ from the undisturbed run's"
    log.close()
    for pid, _ in processes(bindir):
        os.kill(pid, signal.SIGKILL)
    if failed:
        print("FAIL: %s (seed %d, files in %s)" % (failed, seed, work))
        print(open(os.path.join(work, "log")).read()[-3000:])
        return 1
    shutil.rmtree(work)
    print("%d kills (%s) over %d runs of %d units: same results, nothing left behind" % (
        sum(kills.values()), ", ".join("%s %d" % kv for kv in sorted(kills.items())), len(runs), units))
    return 0


sys.exit(main())
