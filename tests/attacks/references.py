#!/usr/bin/env python3
"""HumanEval's and MBPP-sanitized's reference solutions through the tester: 164 and 427 of them pass,
and a mutated HumanEval solution (its function returns nothing) never does."""
import collections
import json
import subprocess
import sys
import tempfile


def humaneval(path):
    with open(path, encoding="utf-8") as f:
        for p in map(json.loads, f):
            problem = {k: p[k] for k in ("prompt", "entry_point", "test")}
            problem.update(id=p["task_id"], kind="humaneval")
            right = p["prompt"] + p["canonical_solution"]
            yield {"id": p["task_id"], "problem": problem, "code": right}
            yield {"id": p["task_id"] + "/broken", "problem": problem, "code": p["prompt"] + "    return\n"}


def mbpp(path):
    with open(path, encoding="utf-8") as f:
        for p in json.load(f):
            problem = {
                "id": "MBPP/%d" % p["task_id"],
                "kind": "mbpp",
                "test_list": p["test_list"],
                "test_setup_code": "\n".join(p["test_imports"]),
                "reference": p["code"],
            }
            yield {"id": problem["id"], "problem": problem, "code": p["code"]}


def main():
    bin_dir, data = sys.argv[1:]
    tasks = list(humaneval(data + "/humaneval/HumanEval.jsonl"))
    tasks += mbpp(data + "/mbpp/sanitized-mbpp.json")
    for t in tasks:
        t["limits"] = {"cpu_s": 15, "wall_s": 60}
    with tempfile.NamedTemporaryFile("w") as f:
        f.writelines(json.dumps(t) + "\n" for t in tasks)
        f.flush()
        out = subprocess.run(
            [bin_dir + "/proctor-tester", "judge", f.name, "-"], check=True, stdout=subprocess.PIPE
        ).stdout
    count, bad = collections.Counter(), 0
    for line in out.splitlines():
        r = json.loads(line)
        broken = r["id"].endswith("/broken")
        count["broken" if broken else r["id"].split("/")[0]] += 1
        if (r["verdict"] == "passed") == broken or r["verdict"] == "sandbox_error":
            print("BAD  %s: %s (%s)" % (r["id"], r["verdict"], r["detail"]))
            bad += 1
    print("reference solutions: %s; %d bad" % (", ".join("%s %d" % c for c in sorted(count.items())), bad))
    sys.exit(1 if bad or sum(count.values()) != 164 + 164 + 427 else 0)


main()
