"""Programming problems: a signature and a docstring; the answer is the function's body.

Each family writes the sentence and the program together, so they agree by construction; the tests
are values that the reference program computes.
"""
VERBS = "get make find take build compute pick mix scan fold".split()
NOUNS = "value result number total score part item group mark rank".split()
INTS = "a b c n m k p q x y".split()
LISTS = "xs items nums values data row".split()
TEXTS = "s text word line name".split()
WORDS = "ab ok no go up one two end new top".split()

INT_STEPS = [
    ("add {c}", "r = r + {c}"),
    ("subtract {c}", "r = r - {c}"),
    ("multiply by {d}", "r = r * {d}"),
    ("take the remainder by {c}", "r = r % {c}"),
    ("divide by {d}, rounding down", "r = r // {d}"),
    ("take the absolute value", "r = abs(r)"),
    ("square it", "r = r * r"),
    ("make it at least {c}", "r = max(r, {c})"),
    ("make it at most {c}", "r = min(r, {c})"),
    ("add {v}", "r = r + {v}"),
    ("subtract {v}", "r = r - {v}"),
]
LIST_STEPS = [
    ("keep the items above {c}", "r = [x for x in r if x > {c}]"),
    ("keep the items below {c}", "r = [x for x in r if x < {c}]"),
    ("keep the even items", "r = [x for x in r if x % 2 == 0]"),
    ("keep the odd items", "r = [x for x in r if x % 2 == 1]"),
    ("multiply each item by {d}", "r = [x * {d} for x in r]"),
    ("add {c} to each item", "r = [x + {c} for x in r]"),
    ("reverse it", "r = r[::-1]"),
    ("sort it", "r = sorted(r)"),
    ("sort it from large to small", "r = sorted(r, reverse=True)"),
    ("keep the first {d} items", "r = r[:{d}]"),
    ("drop the first {d} items", "r = r[{d}:]"),
    ("keep the last {d} items", "r = r[-{d}:]"),
    ("append {c}", "r = r + [{c}]"),
]
LIST_ENDS = [
    ("return the sum", "return sum(r)"),
    ("return the length", "return len(r)"),
    ("return the list", "return r"),
    ("return the largest item or {c}", "return max(r, default={c})"),
    ("return the smallest item or {c}", "return min(r, default={c})"),
]
TEXT_STEPS = [
    ("make it upper case", "r = r.upper()"),
    ("make it lower case", "r = r.lower()"),
    ("reverse it", "r = r[::-1]"),
    ("put '{w}' at the end", "r = r + '{w}'"),
    ("put '{w}' at the front", "r = '{w}' + r"),
    ("repeat it {d} times", "r = r * {d}"),
    ("keep the first {d} letters", "r = r[:{d}]"),
    ("drop the first {d} letters", "r = r[{d}:]"),
    ("keep the last {d} letters", "r = r[-{d}:]"),
    ("replace '{l}' by '{w}'", "r = r.replace('{l}', '{w}')"),
]
TEXT_ENDS = [
    ("return the text", "return r"),
    ("return its length", "return len(r)"),
    ("return the count of '{l}'", "return r.count('{l}')"),
]


def _fill(rng, pair, names):
    values = dict(c=rng.randint(2, 20), d=rng.randint(2, 5), w=rng.choice(WORDS),
                  l=rng.choice("aeiost"), v=rng.choice(names))
    return pair[0].format(**values), pair[1].format(**values)


def _sentences(parts):
    return " ".join(p[0].upper() + p[1:] + "." for p in parts)


def _pipeline(rng, start, steps, ends, names, n):
    """Start, n steps and an end: one sentence and one line of code each."""
    chosen = [start] + [_fill(rng, p, names) for p in rng.sample(steps, n)]
    chosen.append(_fill(rng, rng.choice(ends), names))
    return _sentences([c[0] for c in chosen]), [c[1] for c in chosen]


def int_pipeline(rng, n):
    a, b, c = rng.sample(INTS, 3)
    start = rng.choice([
        ("take {a} plus {b}", "r = {a} + {b}"), ("take {a} minus {b}", "r = {a} - {b}"),
        ("take {a} times {b}", "r = {a} * {b}"),
        ("take the larger of {a} and {b}", "r = max({a}, {b})"),
        ("take the smaller of {a} and {b}", "r = min({a}, {b})")])
    start = tuple(t.format(a=a, b=b) for t in start)
    doc, body = _pipeline(rng, start, INT_STEPS, [("return it", "return r")], [a, b, c], n)
    return [(a, "int"), (b, "int"), (c, "int")], doc, body


def list_pipeline(rng, n):
    xs = rng.choice(LISTS)
    start = ("take %s" % xs, "r = %s" % xs)
    return [(xs, "list")], *_pipeline(rng, start, LIST_STEPS, LIST_ENDS, [xs], n)


def text_pipeline(rng, n):
    s = rng.choice(TEXTS)
    start = ("take %s" % s, "r = %s" % s)
    return [(s, "text")], *_pipeline(rng, start, TEXT_STEPS, TEXT_ENDS, [s], n)


def _simple(rng, names):
    """A small expression of one variable: (words, code)."""
    v, c = rng.choice(names), rng.randint(2, 20)
    return rng.choice([
        (v, v), ("%s plus %d" % (v, c), "%s + %d" % (v, c)),
        ("%s minus %d" % (v, c), "%s - %d" % (v, c)), ("%d times %s" % (c, v), "%d * %s" % (c, v))])


def _test(rng, names):
    v, c = rng.choice(names), rng.randint(2, 20)
    return rng.choice([
        ("%s is above %d" % (v, c), "%s > %d" % (v, c)),
        ("%s is below %d" % (v, c), "%s < %d" % (v, c)),
        ("%s is even" % v, "%s %% 2 == 0" % v), ("%s is odd" % v, "%s %% 2 == 1" % v),
        ("%s equals %d" % (v, c), "%s == %d" % (v, c))])


def branches(rng, n):
    """A chain of n conditions, each with its own value."""
    names = rng.sample(INTS, 2)
    doc, body = [], []
    for _ in range(n):
        test, value = _test(rng, names), _simple(rng, names)
        doc.append("if %s return %s" % (test[0], value[0]))
        body += ["if %s:" % test[1], "    return %s" % value[1]]
    last = _simple(rng, names)
    doc.append("otherwise return %s" % last[0])
    body.append("return %s" % last[1])
    return [(v, "int") for v in names], _sentences(doc), body


def loop(rng, n):
    """A sum over a list of a value that depends on conditions."""
    xs = rng.choice(LISTS)
    start = rng.randint(0, 9)
    doc, body = ["start with %d" % start], ["t = %d" % start, "for x in %s:" % xs]
    for _ in range(n):
        test = _test(rng, ["x"])
        value = _simple(rng, ["x"])
        word, op = rng.choice([("add", "+="), ("subtract", "-=")])
        doc.append("for each x in %s, if %s, %s %s" % (xs, test[0], word, value[0]))
        body += ["    if %s:" % test[1], "        t %s %s" % (op, value[1])]
    doc.append("return the result")
    body.append("return t")
    return [(xs, "list")], _sentences(doc), body


# family, steps, how often
FAMILIES = [(int_pipeline, 1, 2), (int_pipeline, 2, 3), (int_pipeline, 3, 3), (int_pipeline, 4, 1),
            (list_pipeline, 1, 2), (list_pipeline, 2, 3), (list_pipeline, 3, 2),
            (text_pipeline, 1, 2), (text_pipeline, 2, 3), (text_pipeline, 3, 2),
            (branches, 1, 2), (branches, 2, 2), (loop, 1, 2), (loop, 2, 1)]


def _argument(rng, kind):
    if kind == "int":
        return rng.randint(-10, 30)
    if kind == "list":
        return [rng.randint(0, 25) for _ in range(rng.randint(4, 9))]
    return "".join(rng.choice("aeiostABSTmnr") for _ in range(rng.randint(5, 9)))


def make(rng, fn=None, n=0):
    """A problem of the family fn with n steps, or of any one in FAMILIES."""
    if fn is None:
        fn, n, _ = rng.choices(FAMILIES, [w for _, _, w in FAMILIES])[0]
    params, doc, body = fn(rng, n)
    entry = rng.choice(VERBS) + "_" + rng.choice(NOUNS)
    head = "def %s(%s):" % (entry, ", ".join(p for p, _ in params))
    return dict(prompt='%s\n    """%s"""\n' % (head, doc),
                answer="".join("    %s\n" % line for line in body),
                entry=entry, kinds=[k for _, k in params], family="%s-%d" % (fn.__name__, n))


def run(problem, args, body=None):
    """The value of the problem's function (its own body unless another is given)."""
    space = {}
    exec(problem["prompt"] + (problem["answer"] if body is None else body), space)
    return space[problem["entry"]](*args)


def tests(rng, problem, n=6):
    """n calls with their values as a HumanEval-style check function."""
    lines = ["def check(candidate):"]
    for _ in range(n):
        args = [_argument(rng, k) for k in problem["kinds"]]
        want = run(problem, args)
        lines.append("    assert candidate(%s) == %r" % (", ".join(map(repr, args)), want))
    return "\n".join(lines) + "\n"
