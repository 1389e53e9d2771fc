"""What the dispatch benchmarks share: a recipe of n empty units in a directory of its own."""
import os
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENV = dict(os.environ, PROCTOR_HOME=ROOT)


def make(work, n):
    """recipe.yaml in work: n units of the noop backend, two workers, nothing to score."""
    with open(os.path.join(work, "rows.jsonl"), "w") as f:
        for i in range(n):
            f.write('{"id": "row/%07d", "text": "problem number %d"}\n' % (i, i))
    with open(os.path.join(work, "many.yaml"), "w") as f:
        f.write("task: many\ndata: {file: ./rows.jsonl, get: made by the benchmark}\n"
                "id: '{{ id }}'\nrequest: generate\nprompt: '{{ text }}'\nmax_tokens: 8\n"
                "scorer: {kind: none}\nheadline: none\n")
    with open(os.path.join(work, "recipe.yaml"), "w") as f:
        f.write("recipe: many\nmodels:\n  nothing: {backend: noop}\nstages:\n"
                "  - eval: {models: [nothing], tasks: [./many.yaml]}\n"
                "resources: {workers: 2, testers: 0, threads: 1}\n")


def timed(argv, **kw):
    """Seconds and the finished process."""
    start = time.perf_counter()
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, **kw)
    return time.perf_counter() - start, p
