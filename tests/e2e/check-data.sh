#!/bin/sh
# The shipped problem sets agree with themselves and with their task files: reference programs pass
# their tests, chains of sums are right, the right choice is one of the choices, digests and row
# counts match, every problem is one that training never saw, and the generator writes the same
# files again. Needs Debian's python3 only.
set -eu
cd "$(dirname "$0")/../.."
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
/usr/bin/python3 -B recipes/models/make/make_sets.py --out "$again"
for f in small_code small_numeric small_choice; do
    cmp "$again/$f.jsonl" "recipes/data/$f.jsonl"
done
/usr/bin/python3 -B - <<'PY'
import hashlib
import json
import re
import sys

sys.path.insert(0, "recipes/models/make")
import problems

bad = []


def expect(ok, name, what):
    if not ok:
        bad.append("%s: %s" % (name, what))


def check_code(row):
    space = {}
    exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], space)
    try:
        space["check"](space[row["entry_point"]])
    except AssertionError:
        expect(False, row["task_id"], "the reference program fails its tests")
    lines = row["prompt"] + "    return None\n"
    exec(lines, space)
    try:
        space["check"](space[row["entry_point"]])
        expect(False, row["task_id"], "a function that returns None passes the tests")
    except AssertionError:
        pass


def check_numeric(row):
    *chain, last = row["answer"].split("\n")
    value = None
    for line in chain:
        m = re.fullmatch(r"(\d+)([-+*])(\d+)=(\d+)", line)
        a, op, b, result = int(m[1]), m[2], int(m[3]), int(m[4])
        expect(value in (None, a), row["id"], "%s does not go on from %s" % (line, value))
        value = {"+": a + b, "-": a - b, "*": a * b}[op]
        expect(value == result, row["id"], line)
    expect(last == "#### %d" % value, row["id"], "the last line says " + last)


def check_choice(row):
    expect(len(set(row["choices"])) == len(row["choices"]) == 4, row["id"], "choices")
    expect(0 <= row["gold"] < 4, row["id"], "gold")


CHECKS = {"code": check_code, "numeric": check_numeric, "choice": check_choice}
for kind, check in CHECKS.items():
    name = "small_" + kind
    data = open("recipes/data/%s.jsonl" % name, "rb").read()
    task = open("recipes/tasks/%s.yaml" % name).read()
    rows = [json.loads(line) for line in data.decode().splitlines()]
    digest = hashlib.sha256(data).hexdigest()
    expect("sha256: %s\n" % digest in task, name, "digest in the task file")
    expect("rows: %d\n" % len(rows) in task, name, "rows in the task file")
    prompts = [r["prompt"] if kind == "code" else "Question: %s\nAnswer:" % r["question"]
               for r in rows]
    expect(len(set(prompts)) == len(rows), name, "two problems are the same")
    for row, prompt in zip(rows, prompts):
        check(row)
        expect(problems.is_held_out(prompt), name, "training may have seen: " + prompt)
    print("%s: %d problems checked" % (name, len(rows)))
for line in bad:
    print("check-data: " + line, file=sys.stderr)
sys.exit(1 if bad else 0)
PY
