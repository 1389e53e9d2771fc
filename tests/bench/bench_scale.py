#!/usr/bin/python3
"""Plan, run, resume, status and memory at 1,000 to 1,000,000 units (noop backend).
Prints figures; they go to docs/numbers.md by hand.

Usage: bench_scale.py BIN_DIR [--million]
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many import ENV, make, timed  # noqa: E402

BIN = os.path.abspath(sys.argv[1])


def rss_anon(pid):
    try:
        for line in open("/proc/%d/status" % pid):
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def resumed(argv, work):
    """Seconds until the command says what is left to do, and until it has written its report."""
    start = time.perf_counter()
    p = subprocess.Popen(argv, cwd=work, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    line = p.stderr.readline()
    told = time.perf_counter() - start
    p.stderr.read()
    p.wait()
    assert b" 0 to do" in line, line.decode()
    return told, time.perf_counter() - start


def run_scale(n):
    work = tempfile.mkdtemp(prefix="proctor-scale.")
    try:
        make(work, n)
        proctor = os.path.join(BIN, "proctor")
        common = ["recipe.yaml", "--allow-noop", "--run", "r"]
        plan, p = timed([proctor, "plan"] + common, cwd=work)
        assert p.returncode == 0, p.stderr.decode()
        child = subprocess.Popen([proctor, "run", "--quiet"] + common, cwd=work, env=ENV,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peak = [0]

        def watch():
            while child.poll() is None:
                peak[0] = max(peak[0], rss_anon(child.pid))
                time.sleep(0.02)

        t = threading.Thread(target=watch)
        start = time.perf_counter()
        t.start()
        err = child.communicate()[1]
        run = time.perf_counter() - start
        t.join()
        assert child.returncode in (0, 1), err.decode()
        resume, again = resumed([proctor, "run"] + common, work)
        status = statistics.median(timed([proctor, "status", "r"], cwd=work)[0] for _ in range(7))
        print("%9d units: plan %.2f s, run %.2f s (%.0f units/s whole command), resume check %.2f s "
              "(report rewritten after %.2f s), status %.0f ms, coordinator private memory %.0f MB" %
              (n, plan, run, n / run, resume, again, 1000 * status, peak[0] / 1e6), flush=True)
    finally:
        shutil.rmtree(work)


def main():
    for n in [1000, 100000] + ([1000000] if "--million" in sys.argv else []):
        run_scale(n)


main()
