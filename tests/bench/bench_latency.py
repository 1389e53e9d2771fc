#!/usr/bin/python3
"""How fast work moves on: from a worker's SIGKILL (and SIGSTOP) to the next lease of what it
held, and from the start of a coordinator that was killed to its first lease. Prints medians.

Usage: bench_latency.py BIN_DIR [ROUNDS]
"""
import datetime
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BIN = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def start(work, run):
    env = dict(os.environ, PROCTOR_LOG="debug", PROCTOR_HOME=ROOT)
    return subprocess.Popen(
        [os.path.join(BIN, "proctor"), "run", os.path.join(ROOT, "recipes", "quickstart.yaml"),
         "--workers", "2", "--threads", "1", "--quiet", "--run", os.path.join(work, run)],
        env=env, stdout=subprocess.DEVNULL, stderr=open(os.path.join(work, run + ".log"), "a"))


def events(work, run, word, since):
    """Seconds after `since` of the log lines that hold the word."""
    out = []
    for line in open(os.path.join(work, run + ".log")):
        if " %s " % word not in line:
            continue
        at = datetime.datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%fZ")
        at = at.replace(tzinfo=datetime.timezone.utc).timestamp()
        if at >= since - 0.001:
            out.append((at - since, line))
    return out


def wait_for(work, run, word, since, seconds):
    end = time.time() + seconds
    while time.time() < end:
        found = events(work, run, word, since)
        if found:
            return found
        time.sleep(0.01)
    raise SystemExit("no '%s' within %d s in %s" % (word, seconds, run))


def busy_worker(work, run):
    """The pid of a local worker that has units."""
    line = wait_for(work, run, "lease", 0, 30)[0][1]
    peer = line.split("peer=")[1].split()[0]
    return int(peer.rsplit("-", 2)[1])


def release(work, run, sig):
    p = start(work, run)
    pid = busy_worker(work, run)
    at = time.time()
    os.kill(pid, sig)
    lost = wait_for(work, run, "peer-lost", at, 30)[0]
    if "held=0" in lost[1]:
        p.kill()
        p.wait()
        return None
    again = [t for t, line in wait_for(work, run, "lease", at + lost[0], 30)]
    p.kill()
    p.wait()
    return lost[0] + again[0]


def restart(work, run):
    p = start(work, run)
    busy_worker(work, run)
    p.kill()
    p.wait()
    at = time.time()
    p = start(work, run)
    first = wait_for(work, run, "lease", at, 30)[0][0]
    p.kill()
    p.wait()
    return first


def main():
    work = tempfile.mkdtemp(prefix="proctor-latency.")
    killed = [release(work, "kill%d" % i, signal.SIGKILL) for i in range(ROUNDS)]
    stopped = [release(work, "stop%d" % i, signal.SIGSTOP) for i in range(2)]
    again = [restart(work, "again%d" % i) for i in range(ROUNDS)]
    shutil.rmtree(work)
    for name, limit, values in (("a worker's SIGKILL to the next lease of its units", 1, killed),
                                ("a worker's SIGSTOP to the next lease of its units", 10, stopped),
                                ("a coordinator's restart to its first lease", 1, again)):
        values = [v for v in values if v is not None]
        print("%-52s median %.3f s, worst %.3f s of %d (at most %d)" % (
            name, statistics.median(values), max(values), len(values), limit))


main()
