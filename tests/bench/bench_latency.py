#!/usr/bin/python3
"""Waiting times, with real processes; medians (and the worst) of several tries beside their targets.

Usage: bench_latency.py BIN_DIR [TRIES]

* start-up: `proctor --version`; a worker from exec to its first token (and exit) on the shipped model,
* re-lease: from the signal to the lease by which another attempt of the lost units starts,
* restart: kill -9 of the coordinator, the same command again, until its first lease.
"""
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many import ENV, ROOT, make, timed  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
TRIES = int(sys.argv[2]) if len(sys.argv) > 2 else 5
MODEL = os.path.join(ROOT, "recipes", "models", "tiny.gguf")
RECIPE = """recipe: latency
models:
  tiny: {source: %s}
stages:
  - eval: {models: [tiny], tasks: [small_numeric], samples: 200, sampler: {temperature: 0.8}}
resources: {workers: %d, testers: 1, threads: 1}
"""


class Run:
    """A coordinator and the lines of its log, each with the time at which it was read."""

    def __init__(self, work, *options):
        self.lines, self.news = [], threading.Condition()
        self.process = subprocess.Popen(
            [os.path.join(BIN, "proctor"), "run", "recipe.yaml", "--quiet", "--run", "r", *options],
            cwd=work, env=dict(ENV, PROCTOR_LOG="debug"), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.started = time.monotonic()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append((time.monotonic(), line))
                self.news.notify_all()

    def wait_for(self, pattern, since=0.0, seconds=30):
        """(time, match) of the first line after `since` that matches."""
        expression, end, seen = re.compile(pattern), time.monotonic() + seconds, 0
        with self.news:
            while True:
                while seen < len(self.lines):
                    t, line = self.lines[seen]
                    seen += 1
                    m = expression.search(line)
                    if t >= since and m:
                        return t, m
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None and seen == len(self.lines):
                    sys.exit("no line like '%s' came; the last ones were:\n%s" %
                             (pattern, "".join(line for _, line in self.lines[-5:])))
                self.news.wait(min(left, 0.2))

    def end(self):
        self.process.kill()
        self.process.wait()


def in_directory(workers, action):
    work = tempfile.mkdtemp(prefix="latency.", dir=os.path.join(ROOT, "build"))
    try:
        with open(os.path.join(work, "recipe.yaml"), "w") as f:
            f.write(RECIPE % (MODEL, workers))
        return action(work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def release_after(run, pid, signum):
    """Seconds from the signal until the units of the worker are leased to another one."""
    run.wait_for(r" lease .*peer=\S*-%d-" % pid)
    time.sleep(0.5)
    sent = time.monotonic()
    os.kill(pid, signum)
    t, _ = run.wait_for(r" lease .*attempt=[2-9]", sent)
    return t - sent


def local_worker_lost(signum):
    def action(work):
        run = Run(work)
        pid = 0
        try:
            pid = int(run.wait_for(r"started program=worker slot=0 pid=(\d+)")[1][1])
            return release_after(run, pid, signum)
        finally:
            run.end()
            if signum == signal.SIGSTOP and pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
    return in_directory(2, action)


def joined_worker_killed():
    """The coordinator is not its parent and learns of the death from the connection alone."""
    def action(work):
        end = "tcp://127.0.0.1:%d" % (20000 + os.getpid() % 20000)
        run = Run(work, "--listen", end)
        worker = None
        try:
            run.wait_for("peer-joined")
            worker = subprocess.Popen(
                [os.path.join(BIN, "proctor-worker"), "--connect", end, "--curve-dir",
                 os.path.join(work, "r", "curve"), "--threads", "1"], stderr=subprocess.DEVNULL)
            return release_after(run, worker.pid, signal.SIGKILL)
        finally:
            if worker:
                worker.kill()
                worker.wait()
            run.end()
    return in_directory(1, action)


def coordinator_restarted():
    def action(work):
        run = Run(work)
        run.wait_for(" lease ")
        time.sleep(1)
        run.end()
        run = Run(work)
        try:
            return run.wait_for(" lease ")[0] - run.started
        finally:
            run.end()
    return in_directory(2, action)


def coordinator_of_many_restarted():
    """100,000 units of the noop backend, killed on the way."""
    work = tempfile.mkdtemp(prefix="latency.", dir=os.path.join(ROOT, "build"))
    try:
        make(work, 100000)
        run = Run(work, "--allow-noop")
        run.wait_for(" lease ")
        time.sleep(0.3)
        run.end()
        run = Run(work, "--allow-noop")
        try:
            return run.wait_for(" lease ")[0] - run.started
        finally:
            run.end()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def show(what, target, seconds):
    m = statistics.median(seconds)
    print("%-58s %8.3f s  worst %8.3f s  target %6.3f s  %s" %
          (what, m, max(seconds), target, "met" if m < target else "MISSED"), flush=True)


def main():
    proctor, worker = os.path.join(BIN, "proctor"), os.path.join(BIN, "proctor-worker")
    token = [worker, "model", "generate", MODEL, "--prompt", "3 + 4 =", "--max-tokens", "1"]
    assert timed(token)[1].returncode == 0
    show("proctor --version", 0.02, [timed([proctor, "--version"])[0] for _ in range(4 * TRIES)])
    show("worker, exec to first token of the shipped model, and exit", 0.1,
         [timed(token)[0] for _ in range(4 * TRIES)])
    show("re-lease after SIGKILL of a local worker", 1,
         [local_worker_lost(signal.SIGKILL) for _ in range(TRIES)])
    show("re-lease after SIGKILL of a worker that joined over TCP", 1,
         [joined_worker_killed() for _ in range(TRIES)])
    show("re-lease after SIGSTOP of a local worker", 10,
         [local_worker_lost(signal.SIGSTOP) for _ in range(max(1, TRIES // 2))])
    show("coordinator killed and restarted, to first lease", 1,
         [coordinator_restarted() for _ in range(TRIES)])
    show("the same with 100,000 units, some done", 1,
         [coordinator_of_many_restarted() for _ in range(TRIES)])


main()
