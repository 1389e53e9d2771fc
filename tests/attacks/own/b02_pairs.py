# problem: pairs
# expect: passed
# ---
import itertools


def pairs(xs):
    return tuple(itertools.pairwise(sorted(xs)))
