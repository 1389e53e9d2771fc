"""Writes (and reads back) a GGUF v3 file with F32 and Q8_0 tensors; numpy only."""
import struct

import numpy as np

U32, I32, F32, BOOL, STR, ARR = 4, 5, 6, 7, 8, 9
FORMAT = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
TYPE_F32, TYPE_Q8_0 = 0, 8
ALIGN = 32


def _string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def _value(kind, v):
    return _string(v) if kind == STR else struct.pack(FORMAT[kind], v)


def q8_0(a):
    """Blocks of 32 values: a half-precision scale and 32 signed bytes, as ggml rounds them."""
    b = np.asarray(a, np.float32).reshape(-1, 32)
    d = (np.abs(b).max(1) / np.float32(127)).astype(np.float32)
    inv = np.divide(np.float32(1), d, out=np.zeros_like(d), where=d > 0)
    q = b * inv[:, None]
    q = np.sign(q) * np.floor(np.abs(q) + np.float32(0.5))
    return d.astype("<f2"), q.astype(np.int8)


def q8_0_values(a):
    """What a reader of the file gets back."""
    d, q = q8_0(a)
    return (d.astype(np.float32)[:, None] * q).reshape(np.shape(a))


class Writer:
    def __init__(self):
        self.keys, self.tensors = [], []

    def add(self, key, kind, value):
        self.keys.append(_string(key) + struct.pack("<I", kind) + _value(kind, value))

    def add_array(self, key, kind, values):
        head = _string(key) + struct.pack("<IIQ", ARR, kind, len(values))
        self.keys.append(head + b"".join(_value(kind, v) for v in values))

    def tensor(self, name, a):
        """Matrices become Q8_0, vectors F32. Row-major; the file lists dimensions reversed."""
        a = np.asarray(a, np.float32)
        if a.ndim == 1:
            data, kind = a.astype("<f4").tobytes(), TYPE_F32
        else:
            d, q = q8_0(a)
            blocks = np.concatenate([d.view(np.uint8).reshape(-1, 2), q.view(np.uint8)], 1)
            data, kind = blocks.tobytes(), TYPE_Q8_0
        self.tensors.append((name, a.shape[::-1], kind, data))

    def write(self, path):
        infos, offset = [], 0
        for name, dims, kind, data in self.tensors:
            infos.append(_string(name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims,
                                                     kind, offset))
            offset += -(-len(data) // ALIGN) * ALIGN
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.keys))
        head += b"".join(self.keys) + b"".join(infos)
        with open(path, "wb") as f:
            f.write(head + b"\0" * (-len(head) % ALIGN))
            for _, _, _, data in self.tensors:
                f.write(data + b"\0" * (-len(data) % ALIGN))


class _Cursor:
    def __init__(self, data):
        self.data, self.at = data, 4

    def get(self, fmt):
        v = struct.unpack_from(fmt, self.data, self.at)
        self.at += struct.calcsize(fmt)
        return v[0] if len(v) == 1 else v

    def string(self):
        n = self.get("<Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == STR:
            return self.string()
        if kind == ARR:
            of, n = self.get("<IQ")
            return [self.value(of) for _ in range(n)]
        return self.get(FORMAT[kind])


def read(path):
    """({key: value}, {tensor name: float32 array}) of a file that Writer made."""
    data = open(path, "rb").read()
    c = _Cursor(data)
    _, n_tensors, n_keys = c.get("<IQQ")
    keys = {}
    for _ in range(n_keys):
        name = c.string()
        keys[name] = c.value(c.get("<I"))
    infos = []
    for _ in range(n_tensors):
        name, n = c.string(), c.get("<I")
        dims = [c.get("<Q") for _ in range(n)]
        infos.append((name, dims[::-1], *c.get("<IQ")))
    start = -(-c.at // ALIGN) * ALIGN
    tensors = {}
    for name, shape, kind, offset in infos:
        n, at = int(np.prod(shape)), start + offset
        if kind == TYPE_F32:
            a = np.frombuffer(data, "<f4", n, at).copy()
        else:
            blocks = np.frombuffer(data, np.uint8, n // 32 * 34, at).reshape(-1, 34)
            d = blocks[:, :2].copy().view("<f2").astype(np.float32)
            a = d * blocks[:, 2:].copy().view(np.int8)
        tensors[name] = a.reshape(shape)
    return keys, tensors
