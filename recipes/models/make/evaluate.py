"""Scores a model file on the three sets, with and without layer reuse, in PyTorch.

    /usr/bin/python3 recipes/models/make/evaluate.py MODEL.gguf [--data DIR] [--families]

An independent second opinion on what `proctor run recipes/quickstart.yaml` reports. Generated
programs run in this process with a handful of builtins and a time limit: fit for our own model's
output and nothing else.
"""
import argparse
import collections
import json
import math
import os
import re
import signal

import torch

import bpe
import model

HERE = os.path.dirname(os.path.abspath(__file__))
BUILTINS = {f.__name__: f for f in (abs, len, list, max, min, range, sorted, str, sum)}
BUILTINS["AssertionError"] = AssertionError
MAX_TOKENS = {"code": 96, "numeric": 64}  # as in the task files
SIZE = 3
BATCH = 40


def rows(folder, name):
    with open(os.path.join(folder, "small_%s.jsonl" % name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def code_passes(row, text):
    space = {"__builtins__": BUILTINS}
    signal.alarm(2)
    try:
        exec(row["prompt"] + text, space)
        exec(row["test"], space)
        space["check"](space[row["entry_point"]])
        return True
    except Exception:
        return False
    finally:
        signal.alarm(0)


def number(text):
    found = re.search(r"#### (-?[0-9]+)", text)
    return int(found.group(1)) if found else None


def out_of_time(*_):
    raise TimeoutError


def generated(net, vocab, kind, prompts, k, reused):
    ids, out = [vocab.encode(p) for p in prompts], []
    for i in range(0, len(ids), BATCH):
        out += model.generate(net, ids[i:i + BATCH], MAX_TOKENS[kind], vocab.end, k, reused)
    return [vocab.decode(o) for o in out]


def score(net, vocab, kind, data, k=1, reused=()):
    """One boolean per problem."""
    if kind == "code":
        texts = generated(net, vocab, kind, [r["prompt"] for r in data], k, reused)
        return [code_passes(r, t) for r, t in zip(data, texts)]
    prompts = ["Question: %s\nAnswer:" % r["question"] for r in data]
    if kind == "numeric":
        texts = generated(net, vocab, kind, prompts, k, reused)
        return [number(r["answer"]) == number(t) for r, t in zip(data, texts)]
    right = []
    for r, p in zip(data, prompts):
        ll = model.choose(net, vocab.encode(p), [vocab.encode(" " + c) for c in r["choices"]])
        right.append(ll.index(max(ll)) == r["gold"])
    return right


def mcnemar(a, b):
    """Exact two-sided p that a and b are equally good on the same problems."""
    lost = sum(x and not y for x, y in zip(a, b))
    won = sum(y and not x for x, y in zip(a, b))
    n = lost + won
    tail = sum(math.comb(n, i) for i in range(min(lost, won) + 1)) / 2 ** n
    return lost, won, min(1.0, 2 * tail)


def percent(right):
    return 100.0 * sum(right) / len(right)


def by_family(data, right):
    groups = collections.defaultdict(list)
    for row, ok in zip(data, right):
        groups[row["family"]].append(ok)
    return "  ".join("%s %.0f" % (f, percent(groups[f])) for f in sorted(groups))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model")
    ap.add_argument("--data", default=os.path.join(HERE, "..", "..", "data"))
    ap.add_argument("--families", action="store_true", help="scores per family of problems")
    a = ap.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, out_of_time)
    net, merges = model.load(a.model)
    vocab = bpe.Vocab(merges)
    n = net.s["layers"]
    for kind in ("code", "numeric", "choice"):
        data = rows(a.data, kind)
        base = score(net, vocab, kind, data)
        print("%-8s no reuse          %5.1f %%  (n = %d)" % (kind, percent(base), len(data)),
              flush=True)
        if a.families:
            print("    " + by_family(data, base))
        for k in (2, 3) if kind != "choice" else ():
            for subset in ("first", "middle", "last"):
                cell = score(net, vocab, kind, data, k, model.subset_layers(n, subset, SIZE))
                print("%-8s k = %d, %-8s   %5.1f %%  lost %d, won %d, p = %.2g" %
                      (kind, k, subset, percent(cell), *mcnemar(base, cell)), flush=True)
                if a.families:
                    print("    " + by_family(data, cell))


if __name__ == "__main__":
    main()
