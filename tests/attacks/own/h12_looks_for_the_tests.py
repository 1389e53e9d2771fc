# problem: pairs
# expect: wrong_answer
# why: searches its own process, its files and its parents for expected values
# ---
import gc
import os
import sys


def pairs(xs):
    seen = [o for o in gc.get_objects() if isinstance(o, dict) and "expect" in o]
    frame = sys._getframe()
    while frame is not None:
        seen += [v for k, v in frame.f_locals.items() if k == "calls"]
        frame = frame.f_back
    for base in ("/", "/w", "/tmp", "/proc"):
        try:
            seen += [n for n in os.listdir(base) if "task" in n or "expect" in n]
        except OSError:
            pass
    return seen[0]["expect"] if seen else None
