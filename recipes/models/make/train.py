"""Trains the tiny model and writes it as a GGUF file.

    /usr/bin/python3 recipes/models/make/train.py --out FILE.gguf [--from FILE.gguf] [--steps N]
        [--seed S] [--rate R] [--practice SHARE]

With --from it goes on with the weights (and the vocabulary) of a file that it wrote. One thread,
seeded; needs Debian's python3-torch and python3-numpy. The README.md in the folder above has the
commands for the shipped model, the time they take and what it scores.
"""
import argparse
import itertools
import math
import random
import time

import torch
import torch.nn.functional as F

import bpe
import model
import problems

MERGES = 500
BATCH_TOKENS = 4096
POOL = 2048
PROMPT_WEIGHT = 0.1  # the prompt's tokens teach a little too
CHOICE_WEIGHT = 5.0  # a choice is one word, other answers are thirty
# A share of the batches (--practice) is run with every second decode step reusing three layers.
# Without any practice the model collapses in every cell of a reuse grid; with much of it, it
# learns not to need the layers. k = 3 is never practised.
PRACTICE_K, PRACTICE_SIZE = 2, 3
PRACTICE_AFTER = 510  # steps of a model that starts from nothing


def batches(seed, vocab):
    """Endless (ids [B,T+1], weights [B,T], heads [B]) with rows of similar length together."""
    stream, rng = problems.training(seed), random.Random(seed + 1)
    while True:
        rows = []
        for p in itertools.islice(stream, POOL):
            head, tail = vocab.encode(p["prompt"]), vocab.encode(p["answer"]) + [vocab.end]
            rows.append((head + tail, len(head), CHOICE_WEIGHT if "choices" in p else 1.0))
        rows.sort(key=lambda r: len(r[0]))
        pool, at = [], 0
        while at < len(rows):
            n = 1
            while at + n < len(rows) and (n + 1) * len(rows[at + n][0]) <= BATCH_TOKENS:
                n += 1
            pool.append(rows[at:at + n])
            at += n
        rng.shuffle(pool)
        for chunk in pool:
            yield pad(chunk, vocab.end)


def pad(chunk, end):
    T = max(len(ids) for ids, _, _ in chunk)
    ids = torch.full((len(chunk), T), end)
    weight = torch.zeros(len(chunk), T - 1)
    for i, (row, head, answer) in enumerate(chunk):
        ids[i, :len(row)] = torch.tensor(row)
        weight[i, :head - 1] = PROMPT_WEIGHT
        weight[i, head - 1:len(row) - 1] = answer
    return ids, weight, torch.tensor([head for _, head, _ in chunk])


def practice(rng, heads, T):
    """(layers, source) for Net.forward: decode step t of a row is at position head + t."""
    layers = model.subset_layers(model.SHAPE["layers"], rng.choice(("first", "middle", "last")),
                                 PRACTICE_SIZE)
    step = torch.arange(T)[None] - heads[:, None]
    return layers, torch.arange(T)[None] - torch.where(step > 0, step % PRACTICE_K, 0)


def rate(step, steps, peak):
    warm = min(1.0, (step + 1) / 60)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def begin(a):
    """The vocabulary and the parameters to start with."""
    if a.start:
        net, merges = model.load(a.start)
        return bpe.Vocab(merges), {n: t.requires_grad_() for n, t in net.p.items()}
    sample = itertools.islice(problems.training(a.seed + 100), 6000)
    vocab = bpe.Vocab(bpe.learn([p["prompt"] + p["answer"] for p in sample], MERGES))
    return vocab, model.new_params(model.SHAPE, len(vocab.tokens), a.seed)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    ap.add_argument("--from", dest="start")
    ap.add_argument("--steps", type=int, default=1700)
    ap.add_argument("--seed", type=int, default=20)
    ap.add_argument("--rate", type=float, default=4e-3)
    ap.add_argument("--practice", type=float, default=0.2)
    a = ap.parse_args()
    torch.set_num_threads(1)
    vocab, params = begin(a)
    net = model.Net(params, model.SHAPE, half=True)
    opt = torch.optim.AdamW([dict(params=[t for t in params.values() if t.dim() == 2]),
                             dict(params=[t for t in params.values() if t.dim() == 1],
                                  weight_decay=0.0)], lr=a.rate, betas=(0.9, 0.98),
                            weight_decay=0.05)
    start, total, n = time.time(), 0.0, 0
    rng = random.Random(a.seed + 2)
    for step, (ids, weight, heads) in enumerate(itertools.islice(batches(a.seed, vocab), a.steps)):
        for group in opt.param_groups:
            group["lr"] = rate(step, a.steps, a.rate)
        plan = ()
        if (a.start or step >= PRACTICE_AFTER) and rng.random() < a.practice:
            plan = practice(rng, heads, ids.shape[1] - 1)
        loss = F.cross_entropy(net.forward(ids[:, :-1], *plan), ids[:, 1:], reduction="none")
        answer = weight >= 1
        total, n = total + float(loss[answer].sum()), n + int(answer.sum())
        loss = (loss * weight).sum() / weight.sum()
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params.values(), 1.0)
        opt.step()
        if step % 50 == 49 or step == a.steps - 1:
            print("step %d, loss per answer token %.4f, %.0f s" % (step + 1, total / n,
                                                                 time.time() - start), flush=True)
            total, n = 0.0, 0
    model.save(a.out, params, model.SHAPE, vocab, {
        "name": "proctor-tiny", "license": "mit",
        "description": "trained from scratch on generated problems, seed %d" % a.seed})


if __name__ == "__main__":
    main()
