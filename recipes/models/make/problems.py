"""The three kinds of problems, and which of them are for training and which for the sets.

A problem belongs to the sets when the SHA-256 of its prompt says so (one in sixteen); training
never sees those, however many examples are drawn.
"""
import hashlib
import random

import choice_problems
import code_problems
import numeric_problems

KINDS = {"code": code_problems, "numeric": numeric_problems, "choice": choice_problems}
SHARE = {"code": 44, "numeric": 36, "choice": 20}


def is_held_out(prompt):
    return hashlib.sha256(prompt.encode()).digest()[0] < 16


def training(seed):
    """An endless stream of training problems."""
    rng = random.Random(seed)
    kinds = sorted(KINDS)
    while True:
        p = KINDS[rng.choices(kinds, [SHARE[k] for k in kinds])[0]].make(rng)
        if not is_held_out(p["prompt"]):
            yield p


def held_out(kind, seed, plan):
    """For each (family, count) of the plan that many distinct held-out problems, each with the
    generator that its tests are drawn from."""
    rng = random.Random("%s %d" % (kind, seed))
    seen = set()
    for family, count in plan:
        while count:
            p = KINDS[kind].make(rng, *family)
            if is_held_out(p["prompt"]) and p["prompt"] not in seen:
                seen.add(p["prompt"])
                count -= 1
                yield p, rng
