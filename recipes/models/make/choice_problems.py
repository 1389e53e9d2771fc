"""Multiple choice, scored by the likelihood of each choice after "Answer:"."""
GROUPS = {
    "fruit": "apple pear plum grape lemon mango peach cherry".split(),
    "animal": "dog cat horse mouse sheep goat tiger bear".split(),
    "color": "red blue green black white yellow brown pink".split(),
    "tool": "hammer saw drill axe knife rake shovel wrench".split(),
    "drink": "milk tea water juice coffee cola wine cider".split(),
    "garment": "shirt hat coat sock shoe scarf glove belt".split(),
    "metal": "iron gold silver copper tin lead zinc steel".split(),
    "vehicle": "car bus train ship plane truck bike boat".split(),
}
NAMES = "Tom Ann Bob Eve Max Amy Sam Lea Ben Ida".split()
WORDS = [w for g in GROUPS.values() for w in g]


def member(rng):
    """One word of the group asked for among three others."""
    group, *others = rng.sample(sorted(GROUPS), 4)
    right = rng.choice(GROUPS[group])
    choices = [right] + [rng.choice(GROUPS[g]) for g in others]
    rng.shuffle(choices)
    article = "an" if group[0] in "aeiou" else "a"
    return "Which one is %s %s: %s?" % (article, group, ", ".join(choices)), choices, right


def odd_one(rng):
    """Three words of one group and one of another."""
    group, other = rng.sample(sorted(GROUPS), 2)
    right = rng.choice(GROUPS[other])
    choices = rng.sample(GROUPS[group], 3) + [right]
    rng.shuffle(choices)
    return "Which word does not belong: %s?" % ", ".join(choices), choices, right


def after(rng):
    """The word that follows another one in a list."""
    choices = rng.sample(WORDS, 5)
    i = rng.randrange(4)
    question = "The list is %s. Which word comes after %s?" % (", ".join(choices), choices[i])
    right = choices[i + 1]
    rest = [c for c in choices if c not in (right, choices[i])]
    choices = [right] + rest
    rng.shuffle(choices)
    return question, choices, right


def order(rng):
    """A chain of comparisons in any order; who is at its end?"""
    people = rng.sample(NAMES, 4)
    facts = ["%s is taller than %s." % (a, b) for a, b in zip(people, people[1:])]
    rng.shuffle(facts)
    tall = rng.random() < 0.5
    question = " ".join(facts) + " Who is the %s?" % ("tallest" if tall else "shortest")
    choices = sorted(people)
    return question, choices, people[0] if tall else people[-1]


def series(rng):
    """An arithmetic series; what comes next?"""
    step = rng.choice([-9, -7, -5, -4, -3, -2, 2, 3, 4, 5, 6, 7, 8, 9, 11])
    start = rng.randint(1, 50) if step > 0 else rng.randint(40, 95)
    terms = [start + i * step for i in range(4)]
    right = start + 4 * step
    wrong = [right + d for d in rng.sample([-10, -3, -2, -1, 1, 2, 3, 10], 3)]
    choices = [str(c) for c in sorted([right] + wrong)]
    return "What comes next: %s?" % ", ".join(map(str, terms)), choices, str(right)


FAMILIES = [(member, 2), (odd_one, 3), (after, 2), (order, 3), (series, 3)]


def make(rng, fn=None):
    """A problem of the family fn, or of any one in FAMILIES."""
    fn = fn or rng.choices(*zip(*FAMILIES))[0]
    question, choices, right = fn(rng)
    return dict(prompt="Question: %s\nAnswer:" % question, question=question, choices=choices,
                gold=choices.index(right), answer=" " + right, family=fn.__name__)
