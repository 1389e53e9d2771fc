"""The transformer (qwen3 architecture) in PyTorch: training pass, greedy decoding, layer reuse.

Activations are kept as [batch, channel, position] and every projection is a 1x1 convolution: on a
CPU that runs oneDNN's fast kernels whatever BLAS is installed, which is ten times faster than the
reference BLAS that Debian installs by default.
"""
import math

import torch
import torch.nn.functional as F

import gguf

SHAPE = dict(layers=10, hidden=128, heads=4, kv_heads=2, head_dim=32, ff=256, theta=10000.0,
             eps=1e-6, context=16384)
MATRICES = {"attn_q": ("q", "hidden"), "attn_k": ("kv", "hidden"), "attn_v": ("kv", "hidden"),
            "attn_output": ("hidden", "q"), "ffn_gate": ("ff", "hidden"),
            "ffn_up": ("ff", "hidden"), "ffn_down": ("hidden", "ff")}
NORMS = {"attn_norm": "hidden", "attn_q_norm": "head_dim", "attn_k_norm": "head_dim",
         "ffn_norm": "hidden"}


def new_params(s, n_vocab, seed):
    """{GGUF tensor name: parameter}, drawn in a fixed order."""
    gen = torch.Generator().manual_seed(seed)
    dims = dict(s, q=s["heads"] * s["head_dim"], kv=s["kv_heads"] * s["head_dim"])
    p = {"token_embd.weight": 0.05 * torch.randn(n_vocab, s["hidden"], generator=gen)}
    for i in range(s["layers"]):
        for name, dim in NORMS.items():
            p["blk.%d.%s.weight" % (i, name)] = torch.ones(dims[dim])
        for name, (n_out, n_in) in MATRICES.items():
            w = torch.randn(dims[n_out], dims[n_in], generator=gen) / math.sqrt(dims[n_in])
            if n_out == "hidden":
                w /= math.sqrt(2 * s["layers"])
            p["blk.%d.%s.weight" % (i, name)] = w
    p["output_norm.weight"] = torch.ones(s["hidden"])
    return {n: t.requires_grad_() for n, t in p.items()}


def rotation(s, positions):
    d = s["head_dim"]
    angle = s["theta"] ** (-torch.arange(0, d, 2).float() / d)[:, None] * positions.float()
    return torch.cat((angle.cos(),) * 2), torch.cat((angle.sin(),) * 2)  # [head_dim, T]


def rms(x, w, eps, dim):
    shape = [1] * x.dim()
    shape[dim] = -1
    return x * torch.rsqrt(x.pow(2).mean(dim, keepdim=True) + eps) * w.view(shape)


def rotate(x, cos, sin):
    a, b = x.chunk(2, 2)
    return x * cos + torch.cat((-b, a), 2) * sin


def project(x, w):
    return F.conv1d(x, w[:, :, None])


def product(a, b, half):
    """Batched matrix product. In bfloat16 it is oneDNN's: training can afford the rounding and
    not the reference BLAS."""
    if half:
        return torch.bmm(a.bfloat16(), b.bfloat16()).float()
    return torch.bmm(a, b)


class Net:
    """p: {GGUF tensor name: values}, s: shape; half: attention in bfloat16 (training)."""

    def __init__(self, p, s, half=False):
        self.p, self.s, self.half = p, s, half

    def get(self, i, name):
        return self.p["blk.%d.%s.weight" % (i, name)]

    def keys_values(self, i, h, cos, sin):
        s, (B, _, T) = self.s, h.shape
        k = project(h, self.get(i, "attn_k")).view(B, s["kv_heads"], s["head_dim"], T)
        v = project(h, self.get(i, "attn_v")).view(B, s["kv_heads"], s["head_dim"], T)
        return rotate(rms(k, self.get(i, "attn_k_norm"), s["eps"], 2), cos, sin), v

    def attend(self, i, h, k, v, cos, sin, mask):
        """h [B,C,T] attends to k, v [B,kv,D,S]; mask is added to the scores [.., T, S]."""
        s, (B, _, T) = self.s, h.shape
        q = project(h, self.get(i, "attn_q")).view(B, s["heads"], s["head_dim"], T)
        q = rotate(rms(q, self.get(i, "attn_q_norm"), s["eps"], 2), cos, sin)
        group = s["heads"] // s["kv_heads"]
        q = q.reshape(B * s["kv_heads"], group, s["head_dim"], T).transpose(2, 3)
        q = q.reshape(B * s["kv_heads"], group * T, s["head_dim"])
        k, v = (t.reshape(B * s["kv_heads"], s["head_dim"], -1) for t in (k, v))
        a = product(q, k, self.half).view(B, s["heads"], T, -1) / math.sqrt(s["head_dim"]) + mask
        a = a.softmax(-1).view(B * s["kv_heads"], group * T, -1)
        o = product(a, v.transpose(1, 2), self.half)
        o = o.view(B * s["kv_heads"], group, T, s["head_dim"])
        o = o.transpose(2, 3).reshape(B, s["heads"] * s["head_dim"], T)
        return project(o, self.get(i, "attn_output"))

    def feed(self, i, x):
        h = rms(x, self.get(i, "ffn_norm"), self.s["eps"], 1)
        gate = F.silu(project(h, self.get(i, "ffn_gate")))
        return project(gate * project(h, self.get(i, "ffn_up")), self.get(i, "ffn_down"))

    def layer(self, i, x, cos, sin, mask, cache=None):
        h = rms(x, self.get(i, "attn_norm"), self.s["eps"], 1)
        k, v = self.keys_values(i, h, cos, sin)
        if cache is not None:
            k, v = cache.append(i, k, v)
        x = x + self.attend(i, h, k, v, cos, sin, mask)
        return x + self.feed(i, x)

    def embed(self, ids):
        return F.embedding(ids, self.p["token_embd.weight"]).transpose(1, 2).contiguous()

    def head(self, x):
        x = rms(x, self.p["output_norm.weight"], self.s["eps"], 1)
        return project(x, self.p["token_embd.weight"])

    def forward(self, ids, reused=(), source=None):
        """ids [B,T] -> logits [B,vocab,T]. Rows start at position 0 and are padded at the end.
        Layer reuse in one pass: a reused layer adds at position t what it made of position
        source[b,t]; its keys and values are those of its present input, as with kv project."""
        T = ids.shape[1]
        cos, sin = rotation(self.s, torch.arange(T))
        mask = torch.full((T, T), -1e9).triu(1)
        x = self.embed(ids)
        for i in range(self.s["layers"]):
            y = self.layer(i, x, cos, sin, mask)
            if i in reused:
                at = source[:, None].expand(-1, x.shape[1], -1)
                y = x + (y - x).gather(2, at)
            x = y
        return self.head(x)


class Cache:
    """Keys and values of rows of different lengths; padding is masked by the caller."""

    def __init__(self, n_layers):
        self.k, self.v = [None] * n_layers, [None] * n_layers

    def append(self, i, k, v):
        if self.k[i] is not None:
            k, v = torch.cat((self.k[i], k), 3), torch.cat((self.v[i], v), 3)
        self.k[i], self.v[i] = k, v
        return k, v


def subset_layers(n, name, size):
    """The layers that `reuse.subset` names."""
    start = {"first": 1, "middle": n // 2 - size // 2, "last": n - size}[name]
    return set(range(start, start + size))


@torch.no_grad()
def generate(net, prompts, max_tokens, end, k=1, reused=()):
    """Greedy answers to lists of ids, all in one batch. Every k-th decode step computes all layers;
    on the others a reused layer adds what it added at the last full step, and its keys and values
    are computed from its current input (mode delta, kv project)."""
    s, B = net.s, len(prompts)
    length = torch.tensor([len(p) for p in prompts])
    P = int(length.max())
    ids = torch.tensor([list(p) + [end] * (P - len(p)) for p in prompts])
    cache = Cache(s["layers"])
    cos, sin = rotation(s, torch.arange(P))
    mask = torch.full((P, P), -1e9).triu(1)
    x = net.embed(ids)
    for i in range(s["layers"]):
        x = net.layer(i, x, cos, sin, mask, cache)
    last = x[torch.arange(B), :, length - 1][:, :, None]
    token = net.head(last).argmax(1)
    out, done, delta = [[] for _ in range(B)], [False] * B, {}
    hidden = torch.where(torch.arange(P) < length[:, None], 0.0, -1e9)[:, None, None]
    for t in range(max_tokens):
        for b in range(B):
            done[b] = done[b] or int(token[b]) == end
            if not done[b]:
                out[b].append(int(token[b]))
        if all(done):
            break
        angles = [rotation(s, (length + t)[b:b + 1]) for b in range(B)]
        cos = torch.stack([a[0] for a in angles])[:, None]
        sin = torch.stack([a[1] for a in angles])[:, None]
        mask = torch.cat((hidden, torch.zeros(B, 1, 1, t + 1)), 3)
        x = net.embed(token)
        for i in range(s["layers"]):
            if t % k and i in reused:
                h = rms(x, net.get(i, "attn_norm"), s["eps"], 1)
                cache.append(i, *net.keys_values(i, h, cos, sin))
                x = x + delta[i]
            else:
                y = net.layer(i, x, cos, sin, mask, cache)
                delta[i] = y - x
                x = y
        token = net.head(x).argmax(1)
    return out


@torch.no_grad()
def choose(net, prompt, choices):
    """The sum of log-probabilities of each choice (lists of ids) after the prompt."""
    scores = []
    for c in choices:
        logits = net.forward(torch.tensor([prompt + c]))[0].log_softmax(0)
        at = range(len(prompt) - 1, len(prompt) + len(c) - 1)
        scores.append(sum(float(logits[token, i]) for token, i in zip(c, at)))
    return scores


def save(path, p, s, vocab, notes):
    w = gguf.Writer()
    w.add("general.architecture", gguf.STR, "qwen3")
    w.add("general.type", gguf.STR, "model")
    for key, value in notes.items():
        w.add("general." + key, gguf.STR, value)
    w.add("general.file_type", gguf.U32, 7)
    for key, name in (("block_count", "layers"), ("context_length", "context"),
                      ("embedding_length", "hidden"), ("feed_forward_length", "ff"),
                      ("attention.head_count", "heads"), ("attention.head_count_kv", "kv_heads"),
                      ("attention.key_length", "head_dim"),
                      ("attention.value_length", "head_dim")):
        w.add("qwen3." + key, gguf.U32, s[name])
    w.add("qwen3.rope.freq_base", gguf.F32, s["theta"])
    w.add("qwen3.attention.layer_norm_rms_epsilon", gguf.F32, s["eps"])
    w.add("tokenizer.ggml.model", gguf.STR, "gpt2")
    w.add("tokenizer.ggml.pre", gguf.STR, "qwen2")
    w.add_array("tokenizer.ggml.tokens", gguf.STR, vocab.tokens)
    w.add_array("tokenizer.ggml.token_type", gguf.I32, vocab.types)
    w.add_array("tokenizer.ggml.merges", gguf.STR, ["%s %s" % m for m in vocab.merges])
    for key in ("bos", "eos", "padding"):
        w.add("tokenizer.ggml.%s_token_id" % key, gguf.U32, vocab.end)
    w.add("tokenizer.ggml.add_bos_token", gguf.BOOL, False)
    for name, t in p.items():
        w.tensor(name, t.detach().numpy())
    w.write(path)


def load(path):
    """(net, merges) of a file that save() wrote."""
    keys, tensors = gguf.read(path)
    s = dict(SHAPE)
    for key, name in (("block_count", "layers"), ("context_length", "context"),
                      ("embedding_length", "hidden"), ("feed_forward_length", "ff"),
                      ("attention.head_count", "heads"), ("attention.head_count_kv", "kv_heads"),
                      ("attention.key_length", "head_dim"), ("rope.freq_base", "theta"),
                      ("attention.layer_norm_rms_epsilon", "eps")):
        s[name] = keys["qwen3." + key]
    merges = [tuple(m.split(" ")) for m in keys["tokenizer.ggml.merges"]]
    return Net({n: torch.from_numpy(a) for n, a in tensors.items()}, s), merges
