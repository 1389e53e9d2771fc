/* imported.c - what is particular to imported files: keys, checksums, places. */
#include "proto/model/imported.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "proto/model/gguf_internal.h"
#include "proto/model/panel_layout.h"

/* ---- reading ---- */

static int read_source(struct gguf *g, struct px_err *err)
{
    const char *hex;
    char text[PX_HEX_SIZE];
    size_t len;
    if (gguf_get_str(g, "proctor.source_sha256", &hex, &len, err) != 0 ||
        gguf_get_u64(g, "proctor.source_size", &g->source.bytes, err) != 0)
        return -1;
    snprintf(text, sizeof text, "%.*s", len == PX_HEX_SIZE - 1 ? (int)len : 0, hex);
    return px_digest_parse(text, &g->source.digest, err) == 0
               ? 0
               : px_wrap(err, "proctor.source_sha256");
}

int gguf_read_import(struct gguf *g, struct px_err *err)
{
    uint64_t version;
    if (!gguf_has(g, "proctor.layout"))
        return 0;
    if (gguf_get_u64(g, "proctor.layout", &version, err) != 0)
        return -1;
    if (version != IMPORTED_VERSION)
        return px_fail(err, PX_EVERSION,
                       "an imported file of layout %llu; this build reads layout %d: import the "
                       "original again",
                       (unsigned long long)version, IMPORTED_VERSION);
    if (read_source(g, err) != 0)
        return -1;
    const struct gguf_key *k = gguf_find_key(g, "proctor.panels");
    if (!k || !k->is_array || k->type != GGUF_BOOL || k->count != g->n_tensors)
        return px_fail(err, PX_EINPUT, "proctor.panels: expected an array of %u bools",
                       g->n_tensors);
    g->is_imported = true;
    g->panels = k->p;
    return 0;
}

bool imported_in_panels(const struct gguf_tensor *t)
{
    return t->n_dims == 2 && t->dims[0] <= UINT32_MAX && t->dims[1] <= UINT32_MAX &&
           panel_parts(t->type).block != 0;
}

/* A matrix that import would lay out in panels and that panel arithmetic cannot overflow: the
 * dimensions multiply to at most 2^60 values, a panel adds 15 outputs and a quarter in size. */
int gguf_size_panels(struct gguf_tensor *t, struct px_err *err)
{
    if (!imported_in_panels(t) || t->dims[1] > UINT32_MAX - PANEL_OUTPUTS)
        return px_fail(err, PX_EINPUT,
                       "tensor %s cannot lie in panels: expected a quantised matrix", t->name);
    t->in_panels = true;
    t->bytes = panels_bytes(t->type, (uint32_t)t->dims[0], (uint32_t)t->dims[1]);
    return 0;
}

const struct gguf_source *gguf_source(const struct gguf *g)
{
    return g->is_imported ? &g->source : NULL;
}

bool gguf_is_own_tensor(const struct gguf *g, const struct gguf_tensor *t)
{
    return g->is_imported && strncmp(t->name, "proctor.", 8) == 0;
}

int gguf_digest(const struct gguf *g, struct px_digest *out, struct px_err *err)
{
    if (!g->is_imported)
        return px_sha256_file(g->path, out, NULL, err);
    *out = g->source.digest;
    return 0;
}

int gguf_file_digest(const char *path, struct px_digest *out, struct px_err *err)
{
    struct gguf *g = gguf_open(path, NULL);
    int rc = g ? gguf_digest(g, out, err) : px_sha256_file(path, out, NULL, err);
    gguf_free(&g);
    return rc;
}

/* ---- checksums ---- */

struct px_digest imported_head_digest(const void *head, uint64_t n, const void *others, uint64_t m)
{
    struct px_sha256 *s = px_sha256_new();
    px_sha256_add(s, head, n);
    px_sha256_add(s, others, m);
    return px_sha256_end(&s);
}

int gguf_check_head(const struct gguf *g, struct px_err *err)
{
    const uint64_t others = ((uint64_t)g->n_tensors - 1) * PX_DIGEST_SIZE;
    const struct gguf_tensor *t = g->n_tensors ? &g->tensors[g->n_tensors - 1] : NULL;
    if (!t || strcmp(t->name, IMPORTED_CHECKSUMS) != 0 || t->type != GGML_I8 ||
        t->bytes != others + PX_DIGEST_SIZE)
        return px_fail(err, PX_EINPUT, "its last tensor is not %s with %llu bytes",
                       IMPORTED_CHECKSUMS, (unsigned long long)(others + PX_DIGEST_SIZE));
    const uint8_t *sums = t->data;
    struct px_digest d = imported_head_digest(g->base, g->infos_end, sums + PX_DIGEST_SIZE, others);
    if (memcmp(d.b, sums, PX_DIGEST_SIZE) != 0)
        return px_fail(err, PX_EINPUT,
                       "damaged: the head of this imported file does not have its checksum; "
                       "import the original again");
    return 0;
}

static int check_tensor(const struct gguf *g, uint32_t i, uint64_t *done,
                        void (*progress)(void *ctx, uint64_t done), void *ctx, struct px_err *err)
{
    enum { PIECE = 8 << 20 };
    const struct gguf_tensor *t = &g->tensors[i];
    const uint8_t *want =
        (const uint8_t *)g->tensors[g->n_tensors - 1].data + ((uint64_t)i + 1) * PX_DIGEST_SIZE;
    struct px_sha256 *s = px_sha256_new();
    for (uint64_t at = 0; at < t->bytes; at += PIECE) {
        uint64_t n = t->bytes - at < PIECE ? t->bytes - at : PIECE;
        px_sha256_add(s, (const uint8_t *)t->data + at, n);
        *done += n;
        if (progress)
            progress(ctx, *done);
    }
    struct px_digest d = px_sha256_end(&s);
    if (memcmp(d.b, want, PX_DIGEST_SIZE) != 0)
        return px_fail(err, PX_EINPUT,
                       "%s: damaged: the data of tensor %s do not have their checksum; import the "
                       "original again",
                       g->path, t->name);
    return 0;
}

int gguf_check_data(const struct gguf *g, void (*progress)(void *ctx, uint64_t done), void *ctx,
                    struct px_err *err)
{
    uint64_t done = 0;
    px_assert(g->is_imported);
    for (uint32_t i = 0; i + 1 < g->n_tensors; i++)
        if (check_tensor(g, i, &done, progress, ctx, err) != 0)
            return -1;
    return 0;
}

/* Names the file as it was when it was mapped; its content is the head's checksum. */
static char *note_of(const struct gguf *g, char hex[PX_HEX_SIZE])
{
    struct px_digest head;
    memcpy(head.b, g->tensors[g->n_tensors - 1].data, PX_DIGEST_SIZE);
    px_digest_hex(&head, hex);
    return px_cache_entry("imported", &g->st);
}

void gguf_data_is_good(const struct gguf *g)
{
    char hex[PX_HEX_SIZE];
    if (!g->mapped)
        return;
    PX_FREE char *note = note_of(g, hex);
    PX_FREE char *dir = px_dirname(note);
    if (px_mkdirs(dir, 0700, NULL) == 0 && px_write_file(note, hex, strlen(hex), NULL) != 0)
        unlink(note);
}

int gguf_check_data_once(const struct gguf *g, struct px_err *err)
{
    char hex[PX_HEX_SIZE];
    PX_FREE char *note = note_of(g, hex);
    PX_FREE char *text = NULL;
    size_t len;
    if (g->mapped && px_read_file(note, PX_HEX_SIZE, &text, &len, NULL) == 0 &&
        strcmp(text, hex) == 0)
        return 0;
    if (gguf_check_data(g, NULL, NULL, err) != 0)
        return -1;
    gguf_data_is_good(g);
    return 0;
}

/* ---- sizes and places ---- */

uint64_t imported_bytes(const struct gguf *g)
{
    uint64_t sum = g->infos_end;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        uint64_t n = t->bytes;
        if (!t->in_panels && imported_in_panels(t))
            n = panels_bytes(t->type, (uint32_t)t->dims[0], (uint32_t)t->dims[1]);
        uint64_t align = n >= IMPORTED_PAGE ? IMPORTED_PAGE : IMPORTED_ALIGN;
        sum = (sum + align - 1) / align * align + n;
    }
    return sum;
}

char *imported_dir(void)
{
    const char *dir = getenv("PROCTOR_MODELS");
    if (dir && *dir)
        return px_xstrdup(dir);
    PX_FREE char *cache = px_cache_dir();
    return px_path_join(cache, "models");
}

char *imported_path(const char *dir, const struct px_digest *source)
{
    char hex[PX_HEX_SIZE];
    PX_FREE char *own = dir ? NULL : imported_dir();
    px_digest_hex(source, hex);
    return px_xasprintf("%s/%.2s/%s.pxm", dir ? dir : own, hex, hex);
}
