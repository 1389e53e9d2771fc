/* gguf.c - opening a GGUF file: everything in it is checked here, once, before anyone uses it.
 *
 * Layout (all integers little-endian; a string is a u64 length and its bytes):
 *   1. "GGUF", u32 version, u64 number of tensors, u64 number of keys
 *   2. keys: string name, u32 type, value (an array is u32 element type, u64 count, elements)
 *   3. tensor infos: string name, u32 number of dimensions, u64 dimensions (row length first),
 *      u32 type, u64 offset from the start of the data
 *   4. zero bytes up to the next multiple of general.alignment (32), then the data
 *
 * Immutable after it is opened: any thread may read. */
#include "proto/model/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/model/gguf_internal.h"

enum { KEY_MAX = 65535, NAME_MAX_BYTES = 64, KEY_MIN_BYTES = 13, TENSOR_MIN_BYTES = 33 };

static const struct {
    uint32_t type;
    struct ggml_type_info info;
} type_table[] = {
    {GGML_F32, {"F32", 1, 4}},         {GGML_F16, {"F16", 1, 2}},
    {GGML_Q4_0, {"Q4_0", 32, 18}},     {GGML_Q4_1, {"Q4_1", 32, 20}},
    {GGML_Q5_0, {"Q5_0", 32, 22}},     {GGML_Q5_1, {"Q5_1", 32, 24}},
    {GGML_Q8_0, {"Q8_0", 32, 34}},     {GGML_Q2_K, {"Q2_K", 256, 84}},
    {GGML_Q3_K, {"Q3_K", 256, 110}},   {GGML_Q4_K, {"Q4_K", 256, 144}},
    {GGML_Q5_K, {"Q5_K", 256, 176}},   {GGML_Q6_K, {"Q6_K", 256, 210}},
    {GGML_IQ4_NL, {"IQ4_NL", 32, 18}}, {GGML_IQ4_XS, {"IQ4_XS", 256, 136}},
    {GGML_BF16, {"BF16", 1, 2}},       {GGML_I8, {"I8", 1, 1}},
};
#define N_TYPES (sizeof type_table / sizeof type_table[0])

const struct ggml_type_info *ggml_type_info(uint32_t type)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (type_table[i].type == type)
            return &type_table[i].info;
    return NULL;
}

const char *gguf_figure(uint64_t v, char out[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    int o = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = '\0';
    return out;
}

const char *gguf_value_name(uint32_t type)
{
    static const char *const names[GGUF_N_TYPES] = {
        "uint8", "int8",   "uint16", "int16",  "uint32", "int32",   "float32",
        "bool",  "string", "array",  "uint64", "int64",  "float64",
    };
    return type < GGUF_N_TYPES ? names[type] : "unknown";
}

uint32_t gguf_value_bytes(uint32_t type)
{
    static const uint8_t bytes[GGUF_N_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < GGUF_N_TYPES ? bytes[type] : 0;
}

/* Where parsing stands, and what it was busy with when the bytes ran out. */
struct parse {
    struct gguf *g;
    struct px_reader r;
    uint64_t alignment;
    struct px_err *err;
};

static int fail_short(struct parse *s, const char *what, const char *name, size_t name_len)
{
    char size[32];
    return px_fail(s->err, PX_EINPUT, "truncated: %s%s%.*s%s goes past the end of the file at %s",
                   what, name_len ? " '" : "", (int)(name_len > 100 ? 100 : name_len), name,
                   name_len ? "'" : "", gguf_figure(s->g->size, size));
}

/* A string's bytes; NULL when its length goes past the end of the file. */
static const char *get_string(struct px_reader *r, uint64_t *len)
{
    *len = px_get_u64(r);
    if (r->bad || *len > px_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    return (const char *)px_get_bytes(r, (size_t)*len);
}

static bool is_printable(const char *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] == 0x7f)
            return false;
    return true;
}

static int parse_header(struct parse *s, uint64_t *n_tensors, uint64_t *n_keys)
{
    struct gguf *g = s->g;
    const uint8_t *magic = px_get_bytes(&s->r, 4);
    if (!magic)
        return px_fail(s->err, PX_EINPUT, "it has %llu bytes, too few for a GGUF file",
                       (unsigned long long)g->size);
    if (memcmp(magic, "GGUF", 4) != 0)
        return px_fail(s->err, PX_EINPUT,
                       "not a GGUF file: it begins with the bytes %02x %02x %02x %02x, expected "
                       "47 47 55 46 ('GGUF')",
                       magic[0], magic[1], magic[2], magic[3]);
    g->version = px_get_u32(&s->r);
    *n_tensors = px_get_u64(&s->r);
    *n_keys = px_get_u64(&s->r);
    if (s->r.bad)
        return fail_short(s, "the header", "", 0);
    if (g->version != 0 && (g->version & 0xffff) == 0)
        return px_fail(s->err, PX_EUNSUPPORTED,
                       "a big-endian GGUF file (version reads as 0x%08x); convert it to "
                       "little-endian first",
                       g->version);
    if (g->version != 2 && g->version != 3)
        return px_fail(s->err, PX_EUNSUPPORTED, "GGUF version %u; versions 2 and 3 are supported",
                       g->version);
    char a[32], b[32];
    size_t left = px_reader_left(&s->r);
    if (*n_keys > left / KEY_MIN_BYTES || *n_tensors > left / TENSOR_MIN_BYTES ||
        *n_keys > UINT32_MAX || *n_tensors > UINT32_MAX)
        return px_fail(s->err, PX_EINPUT,
                       "the header announces %s tensors and %s keys, more than %llu bytes can hold",
                       gguf_figure(*n_tensors, a), gguf_figure(*n_keys, b),
                       (unsigned long long)g->size);
    return 0;
}

static int parse_string_array(struct parse *s, struct gguf_key *k)
{
    if (k->count > px_reader_left(&s->r) / 8)
        return fail_short(s, "the array", k->key, k->key_len);
    k->strings = px_xmalloc((size_t)k->count * sizeof *k->strings);
    for (uint64_t i = 0; i < k->count; i++) {
        uint64_t len;
        k->strings[i] = (uint64_t)(s->r.p - s->g->base);
        if (!get_string(&s->r, &len))
            return fail_short(s, "the array", k->key, k->key_len);
    }
    return 0;
}

/* The reader stands behind the type; checks the value and steps over it. */
static int parse_value(struct parse *s, struct gguf_key *k)
{
    k->count = 1;
    if (k->type == GGUF_ARRAY) {
        k->is_array = true;
        k->type = px_get_u32(&s->r);
        k->count = px_get_u64(&s->r);
        if (s->r.bad)
            return fail_short(s, "the array", k->key, k->key_len);
        if (k->type == GGUF_ARRAY)
            return px_fail(s->err, PX_EUNSUPPORTED, "key '%.*s' is an array of arrays",
                           (int)k->key_len, k->key);
    }
    if (k->type >= GGUF_N_TYPES)
        return px_fail(s->err, PX_EINPUT, "key '%.*s' has the unknown value type %u",
                       (int)k->key_len, k->key, k->type);
    k->p = s->r.p;
    if (k->type == GGUF_STRING) {
        uint64_t len;
        if (k->is_array)
            return parse_string_array(s, k);
        return get_string(&s->r, &len) ? 0 : fail_short(s, "the value of", k->key, k->key_len);
    }
    uint64_t bytes;
    if (__builtin_mul_overflow(k->count, (uint64_t)gguf_value_bytes(k->type), &bytes) ||
        bytes > px_reader_left(&s->r))
        return fail_short(s, "the value of", k->key, k->key_len);
    px_get_bytes(&s->r, (size_t)bytes);
    if (k->type == GGUF_BOOL)
        for (uint64_t i = 0; i < k->count; i++)
            if (k->p[i] > 1)
                return px_fail(s->err, PX_EINPUT, "key '%.*s' holds %u where a bool must be 0 or 1",
                               (int)k->key_len, k->key, k->p[i]);
    return 0;
}

static int parse_key(struct parse *s, uint32_t i)
{
    struct gguf_key *k = &s->g->keys[i];
    uint64_t len;
    const char *key = get_string(&s->r, &len);
    char what[48];
    snprintf(what, sizeof what, "key %u of %u", i + 1, s->g->n_keys);
    if (!key)
        return fail_short(s, what, "", 0);
    if (len == 0 || len > KEY_MAX || !is_printable(key, len))
        return px_fail(s->err, PX_EINPUT,
                       "%s has no proper name: expected 1 to %d printable bytes, got %llu", what,
                       KEY_MAX, (unsigned long long)len);
    k->key = key;
    k->key_len = (uint32_t)len;
    k->type = px_get_u32(&s->r);
    if (s->r.bad)
        return fail_short(s, "key", key, len);
    return parse_value(s, k);
}

static int compare_bytes(const char *a, size_t n, const char *b, size_t m)
{
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

static int compare_keys(const void *a, const void *b, void *ctx)
{
    const struct gguf_key *keys = ctx;
    const struct gguf_key *x = &keys[*(const uint32_t *)a], *y = &keys[*(const uint32_t *)b];
    return compare_bytes(x->key, x->key_len, y->key, y->key_len);
}

static int compare_names(const void *a, const void *b, void *ctx)
{
    const struct gguf_tensor *t = ctx;
    return strcmp(t[*(const uint32_t *)a].name, t[*(const uint32_t *)b].name);
}

static int compare_offsets(const void *a, const void *b, void *ctx)
{
    const struct gguf_tensor *t = ctx;
    const struct gguf_tensor *x = &t[*(const uint32_t *)a], *y = &t[*(const uint32_t *)b];
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static uint32_t *sorted_indices(uint32_t n, void *items,
                                int (*compare)(const void *, const void *, void *))
{
    uint32_t *idx = px_xmalloc(((size_t)n + 1) * sizeof *idx);
    for (uint32_t i = 0; i < n; i++)
        idx[i] = i;
    qsort_r(idx, n, sizeof *idx, compare, items);
    return idx;
}

static int parse_keys(struct parse *s)
{
    struct gguf *g = s->g;
    for (uint32_t i = 0; i < g->n_keys; i++)
        if (parse_key(s, i) != 0)
            return -1;
    g->by_key = sorted_indices(g->n_keys, g->keys, compare_keys);
    for (uint32_t i = 1; i < g->n_keys; i++)
        if (compare_keys(&g->by_key[i - 1], &g->by_key[i], g->keys) == 0)
            return px_fail(s->err, PX_EINPUT, "the key '%.*s' appears twice",
                           (int)g->keys[g->by_key[i]].key_len, g->keys[g->by_key[i]].key);
    s->alignment = 32;
    if (gguf_has(g, "general.alignment") &&
        gguf_get_u64(g, "general.alignment", &s->alignment, s->err) != 0)
        return -1;
    if (s->alignment < 8 || s->alignment > (1u << 30) || (s->alignment & (s->alignment - 1)) != 0)
        return px_fail(s->err, PX_EINPUT,
                       "general.alignment is %llu; expected a power of two from 8 to 1073741824",
                       (unsigned long long)s->alignment);
    if (gguf_read_import(g, s->err) != 0)
        return -1;
    if (g->is_imported && s->alignment < IMPORTED_ALIGN)
        return px_fail(s->err, PX_EINPUT, "general.alignment is %llu; imported files have %d",
                       (unsigned long long)s->alignment, IMPORTED_ALIGN);
    return 0;
}

static int fail_type(struct parse *s, const struct gguf_tensor *t, uint32_t type)
{
    char known[256] = "";
    for (size_t i = 0; i < N_TYPES && type_table[i].type != GGML_I8; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? " " : "", type_table[i].info.name);
    }
    return px_fail(s->err, PX_EUNSUPPORTED,
                   "tensor %s has ggml type %u, which this build does not know; known are %s",
                   t->name, type, known);
}

/* Bytes of a tensor from its shape; every product is checked. */
static int size_tensor(struct parse *s, struct gguf_tensor *t)
{
    const struct ggml_type_info *info = ggml_type_info(t->type);
    uint64_t n = 1;
    for (uint32_t d = 0; d < t->n_dims; d++) {
        if (t->dims[d] == 0)
            return px_fail(s->err, PX_EINPUT, "tensor %s: dimension %u is 0", t->name, d);
        if (__builtin_mul_overflow(n, t->dims[d], &n) || n > (UINT64_C(1) << 60))
            return px_fail(s->err, PX_EINPUT,
                           "tensor %s: its dimensions multiply to more than 2^60 values", t->name);
    }
    if (t->dims[0] % info->block != 0)
        return px_fail(s->err, PX_EINPUT,
                       "tensor %s: a row of %llu values is not a whole number of %s blocks of %u",
                       t->name, (unsigned long long)t->dims[0], info->name, info->block);
    t->bytes = n / info->block * info->bytes;
    return s->g->is_imported && s->g->panels[t - s->g->tensors] ? gguf_size_panels(t, s->err) : 0;
}

static int parse_tensor(struct parse *s, uint32_t i, char **names)
{
    struct gguf_tensor *t = &s->g->tensors[i];
    uint64_t len;
    char what[64];
    snprintf(what, sizeof what, "the description of tensor %u of %u", i + 1, s->g->n_tensors);
    const char *name = get_string(&s->r, &len);
    if (!name)
        return fail_short(s, what, "", 0);
    if (len == 0 || len > NAME_MAX_BYTES || !is_printable(name, len))
        return px_fail(s->err, PX_EINPUT,
                       "tensor %u of %u has no proper name: expected 1 to %d printable bytes, "
                       "got %llu",
                       i + 1, s->g->n_tensors, NAME_MAX_BYTES, (unsigned long long)len);
    memcpy(*names, name, (size_t)len);
    (*names)[len] = '\0';
    t->name = *names;
    *names += len + 1;
    t->n_dims = px_get_u32(&s->r);
    if (!s->r.bad && (t->n_dims < 1 || t->n_dims > 4))
        return px_fail(s->err, PX_EINPUT, "tensor %s has %u dimensions; expected 1 to 4", t->name,
                       t->n_dims);
    for (uint32_t d = 0; d < 4; d++)
        t->dims[d] = d < t->n_dims ? px_get_u64(&s->r) : 1;
    uint32_t type = px_get_u32(&s->r);
    t->offset = px_get_u64(&s->r);
    if (s->r.bad)
        return fail_short(s, "the description of tensor", name, len);
    t->type = (enum ggml_type)type;
    if (!ggml_type_info(type) || (type == GGML_I8 && !gguf_is_own_tensor(s->g, t)))
        return fail_type(s, t, type);
    if (size_tensor(s, t) != 0)
        return -1;
    if (t->offset % s->alignment != 0)
        return px_fail(s->err, PX_EINPUT,
                       "tensor %s: its data offset %llu is not a multiple of the alignment %llu",
                       t->name, (unsigned long long)t->offset, (unsigned long long)s->alignment);
    return 0;
}

/* Turns offsets into places in the file, which must hold them. */
static int place_tensors(struct parse *s)
{
    struct gguf *g = s->g;
    char end_text[32], size_text[32];
    uint64_t start = g->infos_end = (uint64_t)(s->r.p - g->base);
    start = (start + s->alignment - 1) / s->alignment * s->alignment;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        uint64_t end;
        if (__builtin_add_overflow(start, t->offset, &t->offset) ||
            __builtin_add_overflow(t->offset, t->bytes, &end))
            end = UINT64_MAX;
        if (end > g->size)
            return px_fail(s->err, PX_EINPUT, "tensor %s ends at %s, the file at %s", t->name,
                           gguf_figure(end, end_text), gguf_figure(g->size, size_text));
        t->data = g->base + t->offset;
    }
    PX_FREE uint32_t *order = sorted_indices(g->n_tensors, g->tensors, compare_offsets);
    for (uint32_t i = 1; i < g->n_tensors; i++) {
        const struct gguf_tensor *a = &g->tensors[order[i - 1]], *b = &g->tensors[order[i]];
        if (a->offset + a->bytes > b->offset)
            return px_fail(s->err, PX_EINPUT,
                           "tensor %s begins at %s, inside tensor %s, which ends at %s", b->name,
                           gguf_figure(b->offset, end_text), a->name,
                           gguf_figure(a->offset + a->bytes, size_text));
    }
    return 0;
}

static int parse_tensors(struct parse *s)
{
    struct gguf *g = s->g;
    g->infos_at = (uint64_t)(s->r.p - g->base);
    g->names = px_xmalloc((size_t)g->n_tensors * (NAME_MAX_BYTES + 1) + 1);
    char *names = g->names;
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (parse_tensor(s, i, &names) != 0)
            return -1;
    g->by_name = sorted_indices(g->n_tensors, g->tensors, compare_names);
    for (uint32_t i = 1; i < g->n_tensors; i++)
        if (compare_names(&g->by_name[i - 1], &g->by_name[i], g->tensors) == 0)
            return px_fail(s->err, PX_EINPUT, "the tensor %s appears twice",
                           g->tensors[g->by_name[i]].name);
    return place_tensors(s);
}

static int parse_all(struct gguf *g, struct px_err *err)
{
    struct parse s = {.g = g, .err = err};
    uint64_t n_tensors = 0, n_keys = 0;
    px_reader_init(&s.r, g->base, (size_t)g->size);
    if (parse_header(&s, &n_tensors, &n_keys) != 0)
        return -1;
    g->n_keys = (uint32_t)n_keys;
    g->n_tensors = (uint32_t)n_tensors;
    g->keys = px_xcalloc((size_t)n_keys + 1, sizeof *g->keys);
    g->tensors = px_xcalloc((size_t)n_tensors + 1, sizeof *g->tensors);
    return parse_keys(&s) != 0 ? -1 : parse_tensors(&s);
}

struct gguf *gguf_parse(const void *p, size_t n, const char *name, struct px_err *err)
{
    struct gguf *g = px_xcalloc(1, sizeof *g);
    g->path = px_xstrdup(name);
    g->base = p;
    g->size = n;
    if (parse_all(g, err) != 0) {
        px_wrap(err, "cannot read model %s", name);
        gguf_free(&g);
    }
    return g;
}

struct gguf *gguf_from_memory(const void *p, size_t n, const char *name, struct px_err *err)
{
    struct gguf *g = gguf_parse(p, n, name, err);
    if (g && g->is_imported && gguf_check_head(g, err) != 0) {
        px_wrap(err, "cannot read model %s", name);
        gguf_free(&g);
    }
    return g;
}

static const void *map_file(const char *path, struct stat *out, struct px_err *err)
{
    PX_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        px_fail_errno(err, "cannot open model %s", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        px_fail(err, PX_EINPUT, "cannot read model %s: it is %s", path,
                S_ISREG(st.st_mode) ? "empty" : "not a regular file");
        return NULL;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        px_fail_errno(err, "cannot map model %s (%llu bytes)", path,
                      (unsigned long long)st.st_size);
        return NULL;
    }
    *out = st;
    return p;
}

struct gguf *gguf_open(const char *path, struct px_err *err)
{
    struct stat st;
    const void *p = map_file(path, &st, err);
    if (!p)
        return NULL;
    struct gguf *g = gguf_from_memory(p, (size_t)st.st_size, path, err);
    if (g) {
        g->mapped = true;
        g->st = st;
    } else {
        munmap((void *)(uintptr_t)p, (size_t)st.st_size);
    }
    return g;
}

void gguf_read_ahead(const struct gguf *g)
{
    if (g->mapped)
        madvise((void *)(uintptr_t)g->base, (size_t)g->size, MADV_WILLNEED);
}

void gguf_free(struct gguf **gp)
{
    struct gguf *g = *gp;
    if (!g)
        return;
    if (g->mapped)
        munmap((void *)(uintptr_t)g->base, (size_t)g->size);
    for (uint32_t i = 0; g->keys && i < g->n_keys; i++)
        free(g->keys[i].strings);
    free(g->keys);
    free(g->by_key);
    free(g->tensors);
    free(g->by_name);
    free(g->names);
    free(g->path);
    free(g);
    *gp = NULL;
}
