/* check_data.c - every weight of every tensor is looked at once. */
#include <string.h>

#include "proto/mem.h"
#include "proto/model/imported.h"
#include "worker/engine/panels.h"
#include "worker/stage/check_internal.h"

enum { CHUNK = 256 * 64 };

struct found {
    uint64_t n_nan, n_inf, n_nonzero;
    uint64_t first_bad; /* index of the first NaN or Inf */
};

static void look(const float *v, uint64_t n, uint64_t start, struct found *f)
{
    uint32_t bad = 0, any = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
        any |= bits << 1;
    }
    f->n_nonzero += any != 0;
    for (uint64_t i = 0; bad && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        if ((bits & 0x7f800000u) != 0x7f800000u)
            continue;
        if (f->n_nan + f->n_inf == 0)
            f->first_bad = start + i;
        if (bits & 0x007fffffu)
            f->n_nan++;
        else
            f->n_inf++;
    }
}

static struct found scan_panels(struct check *c, const struct gguf_tensor *t, uint64_t done)
{
    struct found f = {0};
    uint32_t n_in = (uint32_t)t->dims[0], n_out = (uint32_t)t->dims[1];
    PX_FREE float *row = px_xcalloc(n_in, sizeof *row);
    for (uint32_t o = 0; o < n_out; o++) {
        panels_row(t->type, t->data, n_in, o, row);
        look(row, n_in, (uint64_t)o * n_in, &f);
        if (c->opt->progress && o % 1024 == 1023)
            c->opt->progress(c->opt->ctx, done + t->bytes / n_out * o);
    }
    return f;
}

static struct found scan_tensor(struct check *c, const struct gguf_tensor *t, uint64_t done)
{
    if (t->in_panels)
        return scan_panels(c, t, done);
    float values[CHUNK];
    struct found f = {0};
    const struct ggml_type_info *info = ggml_type_info(t->type);
    uint64_t n = t->bytes / info->bytes * info->block;
    for (uint64_t at = 0; at < n; at += CHUNK) {
        uint64_t part = n - at < CHUNK ? n - at : CHUNK;
        uint64_t byte = at / info->block * info->bytes;
        dequantize(t->type, (const char *)t->data + byte, values, part);
        look(values, part, at, &f);
        if (c->opt->progress && at / CHUNK % 256 == 255)
            c->opt->progress(c->opt->ctx, done + byte);
    }
    return f;
}

bool check_data(struct check *c)
{
    const struct gguf *g = c->m->gguf;
    struct px_err err;
    if (gguf_source(g) && gguf_check_data(g, c->opt->progress, c->opt->ctx, &err) != 0) {
        check_failed(c, STAGE_DATA, "%s", err.text);
        return false;
    }
    uint64_t done = 0, values = 0;
    unsigned zero_vectors = 0, n_tensors = 0;
    for (uint32_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        if (gguf_is_own_tensor(g, t))
            continue;
        struct found f = scan_tensor(c, t, done);
        if (f.n_nan + f.n_inf > 0) {
            check_failed(c, STAGE_DATA,
                         "tensor %s holds %llu NaN and %llu infinite values, the first at index "
                         "%llu",
                         t->name, (unsigned long long)f.n_nan, (unsigned long long)f.n_inf,
                         (unsigned long long)f.first_bad);
            return false;
        }
        if (f.n_nonzero == 0 && t->n_dims > 1) {
            check_failed(c, STAGE_DATA, "every value of tensor %s is zero", t->name);
            return false;
        }
        zero_vectors += f.n_nonzero == 0;
        n_tensors++;
        done += t->bytes;
        values += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
        if (c->opt->progress)
            c->opt->progress(c->opt->ctx, done);
    }
    check_passed(c, STAGE_DATA,
                 "%llu values in %u tensors are finite; vectors that are all zero: %u",
                 (unsigned long long)values, n_tensors, zero_vectors);
    return true;
}
