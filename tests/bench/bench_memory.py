#!/usr/bin/python3
"""Two workers on one host: is the model resident once, do workers stay within their budgets?

Usage: bench_memory.py BIN_DIR MODEL.gguf [MEMORY]   (a model of real size; see docs/numbers.md)
Samples /proc/PID/smaps of both workers while a run generates, and prints the sum of the
proportional set sizes of the model's mapping beside the file's size, and the peak private memory
(RssAnon) beside the budget.
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from many import ENV  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
MODEL = os.path.abspath(sys.argv[2])
MEMORY = sys.argv[3] if len(sys.argv) > 3 else "512MiB"


def workers(run):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open("/proc/%s/cmdline" % pid).read().split("\0")
        except OSError:
            continue
        if words[0].endswith("proctor-worker") and any(run in w for w in words):
            found.append(int(pid))
    return found


def mapping_pss(pid):
    total, inside = 0, False
    for line in open("/proc/%d/smaps" % pid):
        if "-" in line.split(" ", 1)[0]:
            inside = line.rstrip("\n").endswith(MODEL)
        elif inside and line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024
    return total


def anonymous(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def main():
    with tempfile.TemporaryDirectory(prefix="proctor-memory.") as work:
        with open(os.path.join(work, "recipe.yaml"), "w") as f:
            f.write("recipe: memory\nmodels:\n  big: {source: %s}\nstages:\n"
                    "  - eval: {models: [big], tasks: [small_numeric], limit: 60,\n"
                    "           sampler: {max_tokens: 16}}\n"
                    "resources: {workers: 2, threads: 1, testers: 1, memory: %s}\n" % (MODEL, MEMORY))
        child = subprocess.Popen([os.path.join(BIN, "proctor"), "run", "recipe.yaml", "--quiet"],
                                 cwd=work, env=ENV, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        pss, private = 0, {}
        while child.poll() is None:
            try:
                pids = workers(work) or workers("runs/memory")
                both = [mapping_pss(p) for p in pids]
                if len(both) == 2 and all(both):  # the last look counts: one look is not one moment
                    pss = sum(both)
                for p in pids:
                    private[p] = max(private.get(p, 0), anonymous(p))
            except OSError:
                pass
            time.sleep(0.1)
        assert child.returncode in (0, 1), child.stderr.read().decode()
    assert pss, "no two workers were seen with the model mapped"
    size = os.path.getsize(MODEL)
    print("model file %.0f MB; proportional set size of its mapping, two workers together: %.0f MB "
          "(%.2f of the file)" % (size / 1e6, pss / 1e6, pss / size))
    print("private memory, peak per worker: %s MB; budget %s" %
          (", ".join("%.0f" % (v / 1e6) for v in private.values()), MEMORY))


main()
