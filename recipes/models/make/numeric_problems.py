"""Word problems with whole numbers; the answer is a short chain of sums, then `#### N`.

Numbers stay between 0 and 99, so that every line of a chain is an exercise a small model can know.
"""
NAMES = "Tom Ann Bob Eve Max Amy Sam Lea Ben Ida".split()
THINGS = "apples pens cups coins books eggs cards shells stamps keys".split()
PLACES = "box bag tray jar shelf crate".split()
PLURAL = {"box": "boxes", "bag": "bags", "tray": "trays", "jar": "jars", "shelf": "shelves",
          "crate": "crates"}
TOP = 99


class Chain:
    """The running value and the lines that lead to it."""

    def __init__(self, value):
        self.value, self.lines = value, []

    def step(self, op, n):
        result = {"+": self.value + n, "-": self.value - n, "*": self.value * n}[op]
        self.lines.append("%d%s%d=%d" % (self.value, op, n, result))
        self.value = result

    def answer(self):
        return " " + "".join(line + "\n" for line in self.lines) + "#### %d" % self.value


GAINS = ["{p} finds {k} more.", "Then {p} buys {k} more.", "{o} gives {p} {k} more.",
         "{p} wins {k} more."]
LOSSES = ["{p} loses {k}.", "Then {p} sells {k}.", "{p} gives {k} to {o}.", "{p} breaks {k}."]


def _change(rng, chain, who, other):
    """One sentence that changes the value, or None when no change fits."""
    kind = rng.random()
    if kind < 0.12 and 2 <= chain.value <= 33:
        k = rng.randint(2, 3)
        chain.step("*", k)
        return "Then %s has %s times as many." % (who, {2: "two", 3: "three"}[k])
    up = rng.random() < 0.5
    room = TOP - chain.value if up else chain.value
    if room < 1:
        up, room = not up, chain.value if up else TOP - chain.value
    k = rng.randint(1, min(room, 29))
    chain.step("+" if up else "-", k)
    return rng.choice(GAINS if up else LOSSES).format(p=who, o=other, k=k)


def story(rng, n):
    who, other = rng.sample(NAMES, 2)
    thing = rng.choice(THINGS)
    chain = Chain(rng.randint(2, 60))
    text = ["%s has %d %s." % (who, chain.value, thing)]
    text += [_change(rng, chain, who, other) for _ in range(n)]
    return " ".join(text), "How many %s does %s have now?" % (thing, who), chain


def boxes(rng, n):
    """Equal groups, then n - 1 changes."""
    who, other = rng.sample(NAMES, 2)
    thing, place = rng.choice(THINGS), rng.choice(PLACES)
    each, count = rng.randint(2, 9), rng.randint(2, 9)
    chain = Chain(count)
    chain.step("*", each)
    text = ["%s has %d %s with %d %s in each." % (who, count, PLURAL[place], each, thing)]
    text += [_change(rng, chain, who, other) for _ in range(n - 1)]
    return " ".join(text), "How many %s does %s have now?" % (thing, who), chain


def compare(rng, n):
    """A chain of people, each with more or fewer than the one before."""
    people, thing = rng.sample(NAMES, n + 1), rng.choice(THINGS)
    chain = Chain(rng.randint(5, 60))
    text = ["%s has %d %s." % (people[0], chain.value, thing)]
    for before, who in zip(people, people[1:]):
        up = chain.value < 20 or (rng.random() < 0.5 and chain.value < 70)
        k = rng.randint(2, min(29, chain.value - 1 if not up else TOP - chain.value))
        chain.step("+" if up else "-", k)
        text.append("%s has %d %s than %s." % (who, k, "more" if up else "fewer", before))
    return " ".join(text), "How many %s does %s have?" % (thing, people[-1]), chain


# family, steps, how often
FAMILIES = [(story, 1, 2), (story, 2, 3), (story, 3, 3), (story, 4, 1),
            (boxes, 1, 2), (boxes, 2, 2), (boxes, 3, 1),
            (compare, 1, 1), (compare, 2, 2), (compare, 3, 1)]


def make(rng, fn=None, n=0):
    """A problem of the family fn with n steps, or of any one in FAMILIES."""
    if fn is None:
        fn, n, _ = rng.choices(FAMILIES, [w for _, _, w in FAMILIES])[0]
    text, ask, chain = fn(rng, n)
    return dict(prompt="Question: %s %s\nAnswer:" % (text, ask), question="%s %s" % (text, ask),
                answer=chain.answer(), value=chain.value, family="%s-%d" % (fn.__name__, n))
