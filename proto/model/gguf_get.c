/* gguf_get.c - reading what a GGUF file says: metadata by key, tensors by name.
 *
 * Everything was checked when the file was opened; here only names and types can be wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/gguf_internal.h"

const char *gguf_path(const struct gguf *g)
{
    return g->path;
}

uint64_t gguf_file_size(const struct gguf *g)
{
    return g->size;
}

uint32_t gguf_version(const struct gguf *g)
{
    return g->version;
}

uint32_t gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, uint32_t i)
{
    px_assert(i < g->n_tensors);
    return &g->tensors[i];
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name)
{
    uint32_t lo = 0, hi = g->n_tensors;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct gguf_tensor *t = &g->tensors[g->by_name[mid]];
        int c = strcmp(name, t->name);
        if (c == 0)
            return t;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const struct gguf_key *gguf_find_key(const struct gguf *g, const char *key)
{
    size_t n = strlen(key);
    uint32_t lo = 0, hi = g->n_keys;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct gguf_key *k = &g->keys[g->by_key[mid]];
        int c = memcmp(key, k->key, n < k->key_len ? n : k->key_len);
        if (c == 0)
            c = (n > k->key_len) - (n < k->key_len);
        if (c == 0)
            return k;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

bool gguf_has(const struct gguf *g, const char *key)
{
    return gguf_find_key(g, key) != NULL;
}

static const struct gguf_key *need_key(const struct gguf *g, const char *key, bool is_array,
                                       const char *wanted, struct px_err *err)
{
    const struct gguf_key *k = gguf_find_key(g, key);
    if (!k) {
        px_fail(err, PX_EINPUT, "%s: the key %s is missing", g->path, key);
        return NULL;
    }
    if (k->is_array != is_array) {
        px_fail(err, PX_EINPUT, "%s: the key %s is %s of %s, expected %s", g->path, key,
                k->is_array ? "an array" : "a single value", gguf_value_name(k->type), wanted);
        return NULL;
    }
    return k;
}

static int fail_type(const struct gguf *g, const char *key, const struct gguf_key *k,
                     const char *wanted, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s: the key %s has the type %s, expected %s", g->path, key,
                   gguf_value_name(k->type), wanted);
}

/* The integer at element i as sign and magnitude; false for other types. */
static bool load_integer(const struct gguf_key *k, uint64_t i, bool *negative, uint64_t *magnitude)
{
    const uint8_t *p = k->p + i * gguf_value_bytes(k->type);
    int64_t v = 0;
    switch ((enum gguf_value_type)k->type) {
    case GGUF_U8:
    case GGUF_BOOL:
        v = *p;
        break;
    case GGUF_I8:
        v = (int8_t)*p;
        break;
    case GGUF_U16:
        v = px_load_u16(p);
        break;
    case GGUF_I16:
        v = (int16_t)px_load_u16(p);
        break;
    case GGUF_U32:
        v = px_load_u32(p);
        break;
    case GGUF_I32:
        v = (int32_t)px_load_u32(p);
        break;
    case GGUF_I64:
        v = (int64_t)px_load_u64(p);
        break;
    case GGUF_U64:
        *negative = false;
        *magnitude = px_load_u64(p);
        return true;
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_N_TYPES:
    default:
        return false;
    }
    *negative = v < 0;
    *magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    return true;
}

static bool load_double(const struct gguf_key *k, uint64_t i, double *out)
{
    const uint8_t *p = k->p + i * gguf_value_bytes(k->type);
    bool negative;
    uint64_t v;
    if (k->type == GGUF_F32) {
        uint32_t bits = px_load_u32(p);
        float f;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
    } else if (k->type == GGUF_F64) {
        uint64_t bits = px_load_u64(p);
        memcpy(out, &bits, sizeof *out);
    } else if (load_integer(k, i, &negative, &v)) {
        *out = negative ? -(double)v : (double)v;
    } else {
        return false;
    }
    return true;
}

int gguf_get_u64(const struct gguf *g, const char *key, uint64_t *out, struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, false, "an integer", err);
    bool negative;
    uint64_t v;
    if (!k)
        return -1;
    if (!load_integer(k, 0, &negative, &v))
        return fail_type(g, key, k, "an integer", err);
    if (negative)
        return px_fail(err, PX_EINPUT, "%s: the key %s is -%llu, expected 0 or more", g->path, key,
                       (unsigned long long)v);
    *out = v;
    return 0;
}

int gguf_get_f64(const struct gguf *g, const char *key, double *out, struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, false, "a number", err);
    if (!k)
        return -1;
    return load_double(k, 0, out) ? 0 : fail_type(g, key, k, "a number", err);
}

int gguf_get_bool(const struct gguf *g, const char *key, bool *out, struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, false, "a bool", err);
    if (!k)
        return -1;
    if (k->type != GGUF_BOOL)
        return fail_type(g, key, k, "a bool", err);
    *out = *k->p != 0;
    return 0;
}

int gguf_get_str(const struct gguf *g, const char *key, const char **out, size_t *len,
                 struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, false, "a string", err);
    if (!k)
        return -1;
    if (k->type != GGUF_STRING)
        return fail_type(g, key, k, "a string", err);
    *len = (size_t)px_load_u64(k->p);
    *out = (const char *)k->p + 8;
    return 0;
}

int gguf_get_array(const struct gguf *g, const char *key, uint64_t *count, struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, true, "an array", err);
    if (!k)
        return -1;
    *count = k->count;
    return 0;
}

const struct gguf_key *gguf_need_array(const struct gguf *g, const char *key, struct px_err *err)
{
    return need_key(g, key, true, "an array", err);
}

static int fail_element(const struct gguf *g, const struct gguf_key *k, const char *wanted,
                        struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s: the key %.*s has the type %s, expected %s", g->path,
                   (int)k->key_len, k->key, gguf_value_name(k->type), wanted);
}

int gguf_element_str(const struct gguf *g, const struct gguf_key *k, uint64_t i, const char **out,
                     size_t *len, struct px_err *err)
{
    if (k->type != GGUF_STRING)
        return fail_element(g, k, "an array of strings", err);
    px_assert(i < k->count);
    *out = gguf_string_at(g, k, i, len);
    return 0;
}

int gguf_element_f64(const struct gguf *g, const struct gguf_key *k, uint64_t i, double *out,
                     struct px_err *err)
{
    px_assert(k->type == GGUF_STRING || i < k->count);
    if (k->type == GGUF_STRING || !load_double(k, i, out))
        return fail_element(g, k, "an array of numbers", err);
    return 0;
}

int gguf_element_i64(const struct gguf *g, const struct gguf_key *k, uint64_t i, int64_t *out,
                     struct px_err *err)
{
    bool negative;
    uint64_t v;
    px_assert(k->type == GGUF_STRING || i < k->count);
    if (k->type == GGUF_STRING || !load_integer(k, i, &negative, &v))
        return fail_element(g, k, "an array of integers", err);
    if (v > (uint64_t)INT64_MAX)
        return px_fail(err, PX_EINPUT, "%s: element %llu of %.*s does not fit 63 bits", g->path,
                       (unsigned long long)i, (int)k->key_len, k->key);
    *out = negative ? -(int64_t)v : (int64_t)v;
    return 0;
}

int gguf_array_str(const struct gguf *g, const char *key, uint64_t i, const char **out, size_t *len,
                   struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, true, "an array of strings", err);
    return k ? gguf_element_str(g, k, i, out, len, err) : -1;
}

int gguf_array_f64(const struct gguf *g, const char *key, uint64_t i, double *out,
                   struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, true, "an array of numbers", err);
    return k ? gguf_element_f64(g, k, i, out, err) : -1;
}

int gguf_array_i64(const struct gguf *g, const char *key, uint64_t i, int64_t *out,
                   struct px_err *err)
{
    const struct gguf_key *k = need_key(g, key, true, "an array of integers", err);
    return k ? gguf_element_i64(g, k, i, out, err) : -1;
}

uint32_t gguf_n_keys(const struct gguf *g)
{
    return g->n_keys;
}

static void text_of_string(struct px_buf *b, const uint8_t *p)
{
    enum { SHOWN = 60 };
    uint64_t len = px_load_u64(p);
    px_json_quote(b, (const char *)p + 8, len > SHOWN ? SHOWN : (size_t)len);
    if (len > SHOWN)
        px_buf_printf(b, "... (%llu bytes)", (unsigned long long)len);
}

static void text_of_element(struct px_buf *b, const struct gguf *g, const struct gguf_key *k,
                            uint64_t i)
{
    bool negative;
    uint64_t v;
    double d;
    if (k->type == GGUF_STRING)
        text_of_string(b, k->is_array ? g->base + k->strings[i] : k->p);
    else if (k->type == GGUF_BOOL)
        px_buf_str(b, k->p[i] ? "true" : "false");
    else if (load_integer(k, i, &negative, &v))
        px_buf_printf(b, "%s%llu", negative ? "-" : "", (unsigned long long)v);
    else if (load_double(k, i, &d))
        px_buf_printf(b, "%.9g", d);
}

void gguf_key_text(const struct gguf *g, uint32_t i, char *key, size_t key_size, char *value,
                   size_t value_size)
{
    enum { ELEMENTS = 3 };
    px_assert(i < g->n_keys);
    const struct gguf_key *k = &g->keys[i];
    struct px_buf b;
    px_buf_init(&b, 4096);
    snprintf(key, key_size, "%.*s", (int)k->key_len, k->key);
    if (!k->is_array) {
        text_of_element(&b, g, k, 0);
    } else {
        px_buf_printf(&b, "%llu x %s [", (unsigned long long)k->count, gguf_value_name(k->type));
        for (uint64_t e = 0; e < k->count && e < ELEMENTS; e++) {
            px_buf_str(&b, e ? ", " : "");
            text_of_element(&b, g, k, e);
        }
        px_buf_str(&b, k->count > ELEMENTS ? ", ...]" : "]");
    }
    snprintf(value, value_size, "%s", b.data ? (const char *)b.data : "");
    px_buf_clear(&b);
}
