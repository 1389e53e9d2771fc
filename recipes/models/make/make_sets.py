"""Writes the three problem sets from held-out problems.

    /usr/bin/python3 recipes/models/make/make_sets.py [--out recipes/data] [--seed S]
"""
import argparse
import json
import os

import problems
from choice_problems import after, member, odd_one, order, series
from code_problems import branches, int_pipeline, list_pipeline, loop, tests, text_pipeline
from numeric_problems import boxes, compare, story

HERE = os.path.dirname(os.path.abspath(__file__))
# (family, steps): how many. The mix decides how hard a set is; training has no program or story of
# five steps, no four boxes and no three branches, so those are one step beyond what it practised.
PLANS = {
    "code": {(int_pipeline, 2): 8, (int_pipeline, 3): 9, (int_pipeline, 5): 5,
             (list_pipeline, 2): 8, (list_pipeline, 3): 9, (list_pipeline, 5): 5,
             (text_pipeline, 2): 8, (text_pipeline, 3): 8, (text_pipeline, 5): 4,
             (branches, 1): 6, (branches, 2): 4, (loop, 1): 3, (loop, 2): 3},
    "numeric": {(story, 2): 12, (story, 3): 14, (story, 4): 12, (story, 5): 10, (boxes, 2): 10,
                (boxes, 3): 10, (boxes, 4): 6, (compare, 2): 6},
    "choice": {(member,): 16, (odd_one,): 18, (after,): 14, (order,): 16, (series,): 16},
}


def row(kind, i, p, rng):
    head = {"id": "small_%s/%d" % (kind, i), "family": p["family"]}
    if kind == "code":
        head["task_id"] = head.pop("id")
        return dict(head, prompt=p["prompt"], entry_point=p["entry"],
                    canonical_solution=p["answer"], test=tests(rng, p))
    if kind == "numeric":
        return dict(head, question=p["question"], answer=p["answer"].strip())
    return dict(head, question=p["question"], choices=p["choices"], gold=p["gold"])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(HERE, "..", "..", "data"))
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    for kind, plan in PLANS.items():
        with open(os.path.join(a.out, "small_%s.jsonl" % kind), "w", encoding="utf-8") as f:
            for i, (p, rng) in enumerate(problems.held_out(kind, a.seed, plan.items())):
                f.write(json.dumps(row(kind, i, p, rng)) + "\n")


if __name__ == "__main__":
    main()
