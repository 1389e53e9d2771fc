"""Byte-level BPE: learns a small vocabulary, encodes and decodes.

The pre-tokenizer is qwen2's expression restricted to ASCII, which is all that our texts use; for
such texts the ids equal those of any tokenizer that reads the vocabulary from the GGUF file.
"""
import collections
import re

PRE = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]|"
    r" ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
NORMAL, CONTROL = 1, 3
END = "<|endoftext|>"


def byte_letters():
    """The printable letter that stands for each byte in a byte-level vocabulary."""
    keep = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
    letters, n = {}, 0
    for b in range(256):
        letters[b] = chr(b) if b in keep else chr(256 + n)
        n += b not in keep
    return letters


LETTER = byte_letters()
BYTE = {c: b for b, c in LETTER.items()}


def words(text):
    return ["".join(LETTER[b] for b in w.encode()) for w in PRE.findall(text)]


def learn(texts, n_merges):
    """The n most useful merges, greedily; ties are broken by the pair itself."""
    count = collections.Counter(w for t in texts for w in words(t))
    seqs = [(list(w), c) for w, c in sorted(count.items())]
    merges = []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for s, c in seqs:
            for pair in zip(s, s[1:]):
                pairs[pair] += c
        if not pairs:
            break
        best = min(pairs.items(), key=lambda kv: (-kv[1], kv[0]))[0]
        merges.append(best)
        for s, _ in seqs:
            _apply(s, best)
    return merges


def _apply(s, pair):
    i = 0
    while i < len(s) - 1:
        if s[i] == pair[0] and s[i + 1] == pair[1]:
            s[i:i + 2] = [pair[0] + pair[1]]
        i += 1


class Vocab:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.tokens = sorted(LETTER.values()) + [a + b for a, b in self.merges] + [END]
        self.types = [NORMAL] * (len(self.tokens) - 1) + [CONTROL]
        self.end = len(self.tokens) - 1
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.rank = {m: i for i, m in enumerate(self.merges)}
        self.cache = {}
        if len(self.ids) != len(self.tokens):
            raise ValueError("two merges make the same token")

    def _word(self, w):
        s = list(w)
        while len(s) > 1:
            rank, pair = min((self.rank.get(p, len(self.rank)), p) for p in zip(s, s[1:]))
            if rank == len(self.rank):
                break
            _apply(s, pair)
        return [self.ids[x] for x in s]

    def encode(self, text):
        out = []
        for w in words(text):
            if w not in self.cache:
                self.cache[w] = self._word(w)
            out += self.cache[w]
        return out

    def decode(self, ids):
        text = "".join(self.tokens[i] for i in ids if i != self.end)
        return bytes(BYTE[c] for c in text).decode("utf-8", "replace")
