/* import_layout.c - the head of an imported file: which keys and tensors, and where they lie. */
#include "worker/stage/import_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/gguf_internal.h"
#include "proto/model/panel_layout.h"
#include "proto/model/tokenizer.h"

enum { HEAD_MAX = 1 << 30 };

/* Replaced by the vocabulary's image, or by what the new file needs. */
static bool is_left_out(const struct gguf_key *k)
{
    static const char *const names[] = {"general.alignment", "tokenizer.ggml.tokens",
                                        "tokenizer.ggml.scores", "tokenizer.ggml.token_type",
                                        "tokenizer.ggml.merges"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == k->key_len && memcmp(names[i], k->key, k->key_len) == 0)
            return true;
    return false;
}

static void put_text(struct px_buf *b, const char *s)
{
    px_buf_u64(b, strlen(s));
    px_buf_str(b, s);
}

static void put_key(struct px_buf *b, const char *key, enum gguf_value_type type)
{
    put_text(b, key);
    px_buf_u32(b, type);
}

static void put_own_keys(struct px_buf *b, const struct import_layout *l, const struct gguf *g,
                         const struct px_digest *source)
{
    char hex[PX_HEX_SIZE];
    px_digest_hex(source, hex);
    put_key(b, "general.alignment", GGUF_U32);
    px_buf_u32(b, IMPORTED_ALIGN);
    put_key(b, "proctor.layout", GGUF_U32);
    px_buf_u32(b, IMPORTED_VERSION);
    put_key(b, "proctor.source_sha256", GGUF_STRING);
    put_text(b, hex);
    put_key(b, "proctor.source_size", GGUF_U64);
    px_buf_u64(b, gguf_file_size(g));
    put_key(b, "proctor.panels", GGUF_ARRAY);
    px_buf_u32(b, GGUF_BOOL);
    px_buf_u64(b, l->n_pieces + 1);
    for (uint32_t i = 0; i < l->n_pieces; i++)
        px_buf_u8(b, l->pieces[i].in_panels);
    px_buf_u8(b, false); /* the checksums */
}
enum { OWN_KEYS = 5 };

/* Keys follow one another in the file, so a key's bytes end where the next one's begin: at the
 * length of its name. */
static void put_keys(struct px_buf *b, const struct import_layout *l, const struct gguf *g,
                     const struct px_digest *source)
{
    uint64_t kept = 0;
    for (uint32_t i = 0; i < g->n_keys; i++)
        kept += !is_left_out(&g->keys[i]);
    px_buf_str(b, "GGUF");
    px_buf_u32(b, 3);
    px_buf_u64(b, l->n_pieces + 1);
    px_buf_u64(b, kept + OWN_KEYS);
    for (uint32_t i = 0; i < g->n_keys; i++) {
        const char *from = g->keys[i].key - 8;
        const char *to =
            i + 1 < g->n_keys ? g->keys[i + 1].key - 8 : (const char *)g->base + g->infos_at;
        if (!is_left_out(&g->keys[i]))
            px_buf_put(b, from, (size_t)(to - from));
    }
    put_own_keys(b, l, g, source);
}

static uint64_t description_bytes(const char *name, uint32_t n_dims)
{
    return 8 + strlen(name) + 4 + 8 * (uint64_t)n_dims + 4 + 8;
}

static void put_description(struct px_buf *b, const struct import_piece *p, uint64_t start)
{
    put_text(b, p->name);
    px_buf_u32(b, p->n_dims);
    for (uint32_t d = 0; d < p->n_dims; d++)
        px_buf_u64(b, p->dims[d]);
    px_buf_u32(b, p->type);
    px_buf_u64(b, p->offset - start);
}

static uint64_t align_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) / to * to;
}

/* Places the pieces and describes them. The head's size is known before its offsets are. */
static void put_descriptions(struct import_layout *l)
{
    struct import_piece sums = {.name = IMPORTED_CHECKSUMS, .type = GGML_I8, .n_dims = 1};
    uint64_t at = l->head.len + description_bytes(sums.name, 1);
    for (uint32_t i = 0; i < l->n_pieces; i++)
        at += description_bytes(l->pieces[i].name, l->pieces[i].n_dims);
    const uint64_t start = align_up(at, IMPORTED_ALIGN);
    at = start;
    for (uint32_t i = 0; i < l->n_pieces; i++) {
        struct import_piece *p = &l->pieces[i];
        p->offset = align_up(at, p->bytes >= IMPORTED_PAGE ? IMPORTED_PAGE : IMPORTED_ALIGN);
        at = p->offset + p->bytes;
        put_description(&l->head, p, start);
    }
    sums.offset = l->checksums_at = align_up(at, IMPORTED_ALIGN);
    sums.bytes = sums.dims[0] = ((uint64_t)l->n_pieces + 1) * PX_DIGEST_SIZE;
    put_description(&l->head, &sums, start);
    l->bytes = sums.offset + sums.bytes;
}

static void list_pieces(const struct gguf *g, struct import_layout *l)
{
    l->pieces = px_xcalloc((size_t)g->n_tensors + 1, sizeof *l->pieces);
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        struct import_piece *p = &l->pieces[l->n_pieces++];
        snprintf(p->name, sizeof p->name, "%s", t->name);
        p->type = t->type;
        p->n_dims = t->n_dims;
        memcpy(p->dims, t->dims, sizeof p->dims);
        p->data = t->data;
        p->in_panels = imported_in_panels(t);
        p->bytes = p->in_panels ? panels_bytes(t->type, (uint32_t)t->dims[0], (uint32_t)t->dims[1])
                                : t->bytes;
    }
    struct import_piece *v = &l->pieces[l->n_pieces++];
    *v = (struct import_piece){.name = IMPORTED_VOCABULARY,
                               .type = GGML_I8,
                               .n_dims = 1,
                               .dims = {l->vocabulary.len, 1, 1, 1},
                               .data = l->vocabulary.data,
                               .bytes = l->vocabulary.len};
}

int import_layout_make(const struct gguf *g, const struct px_digest *source,
                       struct import_layout *out, struct px_err *err)
{
    struct import_layout l = {0};
    px_buf_init(&l.head, HEAD_MAX);
    px_buf_init(&l.vocabulary, HEAD_MAX);
    if (tokenizer_image_build(g, &l.vocabulary, err) != 0) {
        import_layout_clear(&l);
        return -1;
    }
    list_pieces(g, &l);
    put_keys(&l.head, &l, g, source);
    put_descriptions(&l);
    if (l.head.overflow) {
        import_layout_clear(&l);
        return px_fail(err, PX_ELIMIT, "%s: its metadata is larger than %d bytes", gguf_path(g),
                       HEAD_MAX);
    }
    *out = l;
    return 0;
}

void import_layout_clear(struct import_layout *l)
{
    px_buf_clear(&l->head);
    px_buf_clear(&l->vocabulary);
    free(l->pieces);
    *l = (struct import_layout){0};
}
