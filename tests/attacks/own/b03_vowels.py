# problem: vowels
# expect: passed
# ---
def is_vowel(c: str) -> bool:
    return c in set("aeiou")


def vowels(s):
    return frozenset(filter(is_vowel, s))


if __name__ == "__main__":
    raise SystemExit(vowels(input()))
