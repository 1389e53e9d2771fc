#!/bin/sh
# Kinds of code problems through `proctor-tester judge`: EvalPlus's two sets of inputs, its rules of
# equality, whose fault a failure is; MBPP's names from its assertions.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 - "$bin" <<'PY' || fail "the verdicts are wrong"
import json, subprocess, sys

tasks, expected = [], []


def add(expect, detail, code, base=None, **problem):
    problem.setdefault("kind", "evalplus")
    limits = {"cpu_s": 1, "wall_s": 20}
    tasks.append({"id": str(len(tasks)), "problem": problem, "code": code, "limits": limits})
    expected.append((expect, detail, base))


REF = "def f(x, y):\n    return [x / y, x * 0.1]\n"
two = dict(entry_point="f", reference=REF, base_input=[[1, 2], [3, 4]], plus_input=[[5, 7]], atol=0)
add("passed", "", REF, True, **two)
add("passed", "", "def f(x, y): return [x / y + 9e-7, x / 10]", True, **two)
add("wrong_answer", "base input 0: gave", "def f(x, y): return [x / y + 1e-5, x / 10]", False, **two)
add("wrong_answer", "base input 0: gave", "def f(x, y): return (x / y, x / 10)", False, **two)
add("wrong_answer", "plus input 0: gave", "def f(x, y): return [x / y, x / 10] if x < 5 else []", True, **two)
add("runtime_error", "plus input 0: ", "def f(x, y): return [x / y, x / (5 - x) and x / 10]", True, **two)
add("timeout", "", "def f(x, y):\n    while x == 5: pass\n    return [x / y, x / 10]", True, **two)
add("timeout", "", "def f(x, y):\n    while x == 3: pass\n    return [x / y, x / 10]", False, **two)
add("compile_error", "", "def f(x, y) return 1", False, **two)
add("passed", "", "def f(x, y):\n    print('noise')\n    return [x / y, x * 0.1]\nprint(1)", True, **two)
# what an input is, and what may be answered, are the task's; an argument that is changed is a copy
exact = dict(entry_point="g", base_input=[[[3, 1, 2]]], plus_input={}, atol=0)
add("passed", "", "def g(a):\n    a.sort(); return (a.pop(),)", True, reference="def g(a): return (max(a),)", **exact)
add("wrong_answer", "base input 0", "def g(a): return True", False, reference="def g(a): return 2", **exact)
add("passed", "", "def g(a): return 1.0", True, reference="def g(a): return 1", **exact)
add("passed", "", "def g(a):\n    yield from a", True, reference="def g(a): return [1, 2, 3]",
    accept="set(got) == set(want)", **exact)
add("wrong_answer", "base input 0", "def g(a): return 7", False, reference="def g(a): return [7]",
    accept="set(got) == set(want)", **exact)
add("passed", "", "def g(a): return type(a) is tuple and type(a[0]) is tuple", True,
    reference="def g(a): return True", arguments="deep_tuple(a)", entry_point="g",
    base_input=[[[[1], 2]]], plus_input=[], atol=0)
add("passed", "", "def g(x): return x + 0", True, reference="def g(x): return x", entry_point="g",
    base_input=[[10 ** 60], [float("inf")], [-0.0]], plus_input=[], atol=0)
add("passed", "", "def g(n): return list(range(n))", True, reference="def g(n): return list(range(n))",
    entry_point="g", base_input=[[1000000]], plus_input=[[10 ** 9]], plus_skip=[0], atol=0)
# the task's own faults are nobody's wrong answer
add("sandbox_error", "the reference solution fails on plus input 0: ZeroDivisionError", REF,
    entry_point="f", reference=REF, base_input=[[1, 2]], plus_input=[[5, 0]])
add("sandbox_error", "before they heard the program", REF, entry_point="f", base_input=[[1, 2]],
    reference="def f(x, y):\n    while True: pass\n", plus_input=[])
add("sandbox_error", "SyntaxError", REF, entry_point="f", reference=REF, base_input=[[1, 2]],
    plus_input=[], accept="got ==")

mbpp = dict(kind="mbpp", test_setup_code="")
add("passed", "", "def add(a, b): return a + b", test_list=["assert add(1, 2) == 3", "assert set([add(1, 1)]) == {2}"], **mbpp)
add("failed_assertion", "test 2: ", "def add(a, b): return 3", test_list=["assert add(1, 2) == 3", "assert add(1, 1) == 2"], **mbpp)
add("runtime_error", "name 'add' is not defined", "def plus(a, b): return 3", test_list=["assert add(1, 2) == 3"], **mbpp)
add("passed", "", "def sum(a, b): return a * b", test_list=["assert sum(4, 5) == 20"], **mbpp)
add("passed", "", "import sys\ndef size(x): return sys.getsizeof(x)", test_list=["assert size('a') == sys.getsizeof('a')"], **mbpp)
add("runtime_error", "name 'sys' is not defined", "def size(x): return 50", test_list=["assert size('a') == sys.getsizeof('a')"], **mbpp)
add("passed", "", "class P:\n    def __init__(self, a, b): self.a, self.b = a, b\ndef spread(ps): return [p.b - p.a for p in ps]",
    test_list=["assert spread([P(1, 4), P(2, 3)]) == [3, 1]"], **mbpp)
add("passed", "", "class Node:\n    def __init__(self, v): self.v, self.left = v, None\ndef depth(n): return 0 if n is None else 1 + depth(n.left)",
    kind="mbpp", test_setup_code="root = Node(1)\r\nroot.left = Node(2)\r\n", test_list=["assert depth(root) == 2"])

text = "".join(json.dumps(t) + "\n" for t in tasks)
out = subprocess.run([sys.argv[1] + "/proctor-tester", "judge", "-", "-"], input=text.encode(),
                     check=True, stdout=subprocess.PIPE).stdout.decode()
bad = 0
for line, task, (verdict, detail, base) in zip(out.splitlines(), tasks, expected):
    r = json.loads(line)
    if r["verdict"] != verdict or detail not in r["detail"] or r.get("first_passed") not in (base, False):
        bad += 1
        print("want %s, %r, %s; got %s, %r, %s\n%s" % (verdict, detail, base, r["verdict"],
              r["detail"], r.get("first_passed"), task["code"]))
    elif base and not r["first_passed"]:
        bad += 1
        print("the first set of tests was passed, and that is not said\n" + task["code"])
print("%d kinds of programs judged, %d wrongly" % (len(tasks), bad))
sys.exit(1 if bad or len(out.splitlines()) != len(tasks) else 0)
PY
checks=$((checks + 1))
done_testing
