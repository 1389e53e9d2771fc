#!/usr/bin/python3
"""Writes recipes/data/generation_check.jsonl: prompts, and digests of what a model makes of them.

    generation_check.py --prompts >prompts.jsonl      rows with empty digests
    generation_check.py SAMPLES >generation_check.jsonl

SAMPLES is samples/default/generation_check.jsonl of a run of that task, greedy, on the shipped model.
The digests are those of each completion's text (as the scorer took it) and of its token ids (four
bytes each, little-endian). Only a new shipped model or a new numerics version asks for new ones.
"""
import hashlib
import json
import struct
import sys

PROMPTS = [
    'def add_three(a):\n    """Take a. Add 3. Return it."""\n',
    'def scale(x, y):\n    """Take x times y. Subtract 4. Return it."""\n',
    'def pick(text):\n    """Return the first word of text in capitals."""\n',
    "Question: Ann has 12 coins. Ann finds 9 more. How many coins does Ann have now?\nAnswer:",
    "Question: Ben has 40 pens. Ben gives 13 to Tom. Ben buys 6 more. How many pens does Ben have "
    "now?\nAnswer:",
    "Question: Which one is an animal: chair, horse, cloud, paper?\nAnswer:",
    "2, 4, 6, 8,",
    "The quick brown fox",
    "Caf\u00e9 \u2013 na\u00efve \u65e5\u672c\u8a9e \U0001F600",
    "    \n\n\t",
    "<|endoftext|>",
    "0",
]


def digests(sample):
    ids = b"".join(struct.pack("<I", t) for t in sample["tokens"])
    return sample["extracted"], hashlib.sha256(ids).hexdigest()


def main():
    known = {}
    if sys.argv[1:] != ["--prompts"]:
        for line in open(sys.argv[1], encoding="utf-8"):
            row = json.loads(line)
            known[row["result"]["problem"]] = digests(row["result"])
    for i, prompt in enumerate(PROMPTS):
        name = "generation_check/%d" % i
        text, ids = known.get(name, ("0" * 64, "0" * 64))
        print(json.dumps({"id": name, "prompt": prompt, "sha256": text, "tokens_sha256": ids}))


main()
