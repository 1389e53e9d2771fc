# problem: vowels
# expect: failed_assertion
# why: results that claim to equal everything
# ---
class Yes(set):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def is_vowel(c):
    return Yes()


def vowels(s):
    return Yes()
