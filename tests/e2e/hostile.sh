#!/bin/sh
# What no model should write, through proctor run and the real testers: texts made to trap
# expressions, 10 MB, NUL, bytes that are no UTF-8. The runs complete in bounded time, every unit has a
# verdict, and right answers beside them stay right.
. "$(dirname "$0")/lib.sh"
data=$PROCTOR_REFERENCE/data
if [ ! -d "$data" ]; then
    echo "SKIP hostile completions of benchmarks: PROCTOR_REFERENCE is not there"
    exit 77
fi
/usr/bin/python3 - "$data" <<'PY' || fail "writing the completions"
import json, sys
data = sys.argv[1]
BIG = 10 << 20
K = 1 << 17
texts = [
    "", " ", "a" * BIG, "1," * (BIG // 2), "\n" * K, "$-.," * K, "\0" * K, "The answer is \0 18\0.",
    "\udcff", "#### " * K, "The answer is " * K, "\\boxed{" * K, "\\boxed{" * K + "}" * K,
    "\u202e\0\ufffe\U0010ffff" * K, "(" * K, "[" * K + "]" * K, "{\"a\":" * K, "<think>" * K,
    "</think>", "```\n" * K, "```python\n" + "x" * K, "\\frac" * K, "9" * K, "9^" * K + "9",
    "x**" * K, "\u03a3" * K, "a\u0300" * K, "*" * K, "* *" * K, "<<" * K + ">>", "P.P.S" * K,
    " " * K + "x", "\"" * K, "***" * K, "******" * K, ". " * K, "Dr. " * K, "f(" * K + ")" * K,
    "a=" * K, "[DONE]", "-" * K + "1", "if " * K, "def f():\n" * K, "lambda:" * K, "not " * K + "1",
]
# Bytes that are no UTF-8 travel in the file as they are, in the middle of a JSON text.
raw = [b"\xff\xfe\xfd", b"\xc3(", b"\xed\xa0\x80" * 1000, b"\xf8\x88\x80\x80\x80" * 1000,
       bytes(b for b in range(256) if b >= 32 and b not in (34, 92)) * 400]
right = {
    "gsm8k_cot": lambda r: " The answer is %s." % r["answer"].split("#### ")[1],
    "minerva_math": lambda r: " " + r["solution"],
    "mbpp": lambda r: r["code"],
}
def rows(path):
    return [json.loads(l) for l in open(data + "/" + path, encoding="utf-8")]
tasks = {
    "gsm8k_cot": [("gsm8k/%d" % i, r) for i, r in enumerate(rows("gsm8k/test.jsonl"))],
    "ifeval": [("ifeval/%d" % r["key"], r) for r in rows("ifeval/input_data.jsonl")],
    "minerva_math": [("math/%d" % r["idx"], r) for r in rows("math/math_test_5000.jsonl")],
    "bfcl_simple": [(r["id"], r) for r in rows("bfcl/BFCL_v4_simple_python.json")],
    "mbpp": [(str(r["task_id"]), r) for r in rows("mbpp/mbpp.jsonl") if 10 < r["task_id"] <= 510],
}
LIMIT = 55
selected, seen = {}, {}
for task, problems in tasks.items(): # a limit counts in every subset
    selected[task] = []
    for ident, r in problems:
        subset = r.get("type", "") if task == "minerva_math" else ""
        seen[task, subset] = seen.get((task, subset), 0) + 1
        if seen[task, subset] <= LIMIT:
            selected[task].append((ident, r))
hostile = len(texts) + len(raw)
assert hostile == 50, hostile
for task, problems in selected.items():
    good = right.get(task, lambda r: "")
    with open(task + ".jsonl", "wb") as f:
        for k, (ident, r) in enumerate(problems):
            if k >= hostile:
                f.write(json.dumps({"id": ident, "completion": good(r)}).encode() + b"\n")
            elif k < len(texts):
                f.write(json.dumps({"id": ident, "completion": texts[k]}).encode() + b"\n")
            else:
                f.write(b'{"id": "%s", "completion": "' % ident.encode() + raw[k - len(texts)]
                        + b'"}\n')
PY
for task in gsm8k_cot ifeval minerva_math bfcl_simple mbpp; do
    cat > $task.yaml <<Y
recipe: hostile
models:
  hostile: {backend: replay, source: $task.jsonl}
stages:
  - eval: {models: [hostile], tasks: [$task], limit: 55}
Y
    expect 0 "" timeout 300 "$proctor" run $task.yaml --data "$data" --run $task --quiet
    rm $task.jsonl
    /usr/bin/python3 - $task <<'PY' || fail "$task: verdicts"
import json, sys
task = sys.argv[1]
g = json.load(open(task + "/results.json"))["result"]["groups"][0]
verdicts = g["verdicts"]
assert g["done"] == (55 * 7 if task == "minerva_math" else 55), g["done"]
assert set(verdicts) <= {"passed", "wrong_answer", "unparsed", "no_code", "compile_error", "overflow",
                         "runtime_error"}, verdicts
assert verdicts["overflow"] == 1, verdicts # <think> without end
right = {"gsm8k_cot": 5, "minerva_math": 55 * 7 - 50, "bfcl_simple": 0, "mbpp": 5}
if task in right: # IFEval: what a text without commas follows is followed by hostile ones, too
    assert verdicts.get("passed", 0) == right[task], verdicts
PY
done
done_testing
