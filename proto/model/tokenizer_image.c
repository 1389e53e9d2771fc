/* tokenizer_image.c - the vocabulary's image: where its parts are, whether they can be trusted, and
 * the tokenizer that looks into it. */
#include "proto/model/tokenizer_image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "images are used as they lie in the file");
_Static_assert(sizeof(struct vocabulary_header) == 1152, "no padding, whole cache lines");
_Static_assert(sizeof(struct bpe_merge) == 12, "three ids");

static uint64_t take(uint64_t *end, uint64_t count, uint64_t size)
{
    uint64_t at = (*end + VOCABULARY_ALIGN - 1) / VOCABULARY_ALIGN * VOCABULARY_ALIGN;
    *end = at + count * size;
    return at;
}

/* Counts have 32 bits: nothing overflows. */
void vocabulary_place(const struct vocabulary_header *h, struct vocabulary_layout *l)
{
    uint64_t end = sizeof *h;
    l->offset = take(&end, (uint64_t)h->n_vocab + 1, sizeof(uint32_t));
    l->attr = take(&end, h->n_vocab, 1);
    l->text = take(&end, h->text_bytes, 1);
    l->slots = take(&end, h->n_slots, sizeof(uint32_t));
    l->score = take(&end, h->n_scores, sizeof(float));
    l->merges = take(&end, h->n_merges, sizeof(struct bpe_merge));
    l->merge_slots = take(&end, h->n_merge_slots, sizeof(uint32_t));
    l->stops = take(&end, h->n_stops, sizeof(uint32_t));
    l->special = take(&end, h->n_special, sizeof(uint32_t));
    l->bytes = take(&end, 0, 1);
}

void vocabulary_bind(struct tokenizer *t, const void *image)
{
    const uint8_t *p = image;
    struct vocabulary_layout l;
    t->h = image;
    vocabulary_place(t->h, &l);
    t->offset = (const uint32_t *)(p + l.offset);
    t->attr = p + l.attr;
    t->text = (const char *)(p + l.text);
    t->slots = (const uint32_t *)(p + l.slots);
    t->score = (const float *)(const void *)(p + l.score);
    t->merges = (const struct bpe_merge *)(p + l.merges);
    t->merge_slots = (const uint32_t *)(p + l.merge_slots);
    t->stops = (const uint32_t *)(p + l.stops);
    t->special = (const uint32_t *)(p + l.special);
    t->slot_mask = t->h->n_slots - 1;
    t->merge_mask = t->h->n_merge_slots - 1;
}

/* ---- checks ---- */

static bool is_table(uint32_t size, uint32_t entries)
{
    return size > entries && (size & (size - 1)) == 0;
}

static bool is_id(const struct vocabulary_header *h, int32_t id)
{
    return id >= -1 && id < (int64_t)h->n_vocab;
}

static int check_counts(const struct vocabulary_header *h, struct px_err *err)
{
    if (h->n_vocab == 0 || h->n_vocab > VOCABULARY_MAX || h->n_merges > VOCABULARY_MAX_MERGES ||
        h->max_len > VOCABULARY_MAX_ENTRY)
        return px_fail(err, PX_EINPUT,
                       "its header is damaged: %u entries of at most %u bytes, %u merges; expected "
                       "at most %d, %d and %d",
                       h->n_vocab, h->max_len, h->n_merges, VOCABULARY_MAX, VOCABULARY_MAX_ENTRY,
                       VOCABULARY_MAX_MERGES);
    bool spm = h->is_spm;
    if (!is_table(h->n_slots, h->n_vocab) || h->n_scores != (spm ? h->n_vocab : 0) ||
        (spm ? h->n_merges || h->n_merge_slots : !is_table(h->n_merge_slots, h->n_merges)) ||
        h->n_stops > h->n_vocab || h->n_special > h->n_vocab)
        return px_fail(err, PX_EINPUT,
                       "its header is damaged: tables of %u, %u and %u places do not go with %u "
                       "entries and %u merges",
                       h->n_slots, h->n_scores, h->n_merge_slots, h->n_vocab, h->n_merges);
    return 0;
}

static int check_ids(const struct vocabulary_header *h, struct px_err *err)
{
    const uint8_t flags[] = {h->is_spm,       h->ignore_merges, h->add_space_prefix,
                             h->clean_spaces, h->add_bos,       h->add_eos};
    for (size_t i = 0; i < sizeof flags; i++)
        if (flags[i] > 1)
            return px_fail(err, PX_EINPUT, "its header is damaged: flag %zu is %u", i, flags[i]);
    bool good = is_id(h, h->bos) && is_id(h, h->eos) && is_id(h, h->unknown) &&
                (!h->add_bos || h->bos >= 0) && (!h->add_eos || h->eos >= 0);
    for (size_t b = 0; b < 256; b++)
        good = good && is_id(h, h->byte_id[b]);
    return good ? 0
                : px_fail(err, PX_EINPUT,
                          "its header is damaged: a special token or a byte's token is not one of "
                          "the %u entries",
                          h->n_vocab);
}

static int check_header(const void *image, size_t n, struct px_err *err)
{
    const struct vocabulary_header *h = image;
    struct vocabulary_layout l;
    if ((uintptr_t)image % sizeof(uint64_t) != 0)
        return px_fail(err, PX_EINPUT, "it does not lie at a multiple of %zu bytes",
                       sizeof(uint64_t));
    if (n < sizeof *h)
        return px_fail(err, PX_EINPUT, "truncated: it has %zu bytes, its header alone %zu", n,
                       sizeof *h);
    if (memcmp(h->magic, VOCABULARY_MAGIC, sizeof h->magic) != 0)
        return px_fail(err, PX_EINPUT, "it does not begin like a vocabulary ('PXVOCAB')");
    if (h->version != VOCABULARY_VERSION)
        return px_fail(err, PX_EVERSION,
                       "it has the version %u, this build reads version %d: import the model again",
                       h->version, VOCABULARY_VERSION);
    if (h->bytes != n)
        return px_fail(err, PX_EINPUT, "%s: it has %zu bytes, its header says %llu",
                       h->bytes > n ? "truncated" : "damaged", n, (unsigned long long)h->bytes);
    if (check_ids(h, err) != 0 || check_counts(h, err) != 0)
        return -1;
    vocabulary_place(h, &l);
    if (l.bytes != n)
        return px_fail(err, PX_EINPUT, "damaged: it has %zu bytes, its parts take %llu", n,
                       (unsigned long long)l.bytes);
    return 0;
}

/* Entries follow one another, none empty, none longer than the header says. */
static int check_texts(const struct tokenizer *t, struct px_err *err)
{
    const struct vocabulary_header *h = t->h;
    uint32_t longest = 0;
    uint32_t bad = t->offset[0] != 0 || t->offset[h->n_vocab] != h->text_bytes;
    for (uint32_t i = 0; i < h->n_vocab; i++) {
        uint32_t len = t->offset[i + 1] - t->offset[i];
        bad |= t->offset[i + 1] <= t->offset[i];
        longest = len > longest ? len : longest;
    }
    return !bad && longest == h->max_len
               ? 0
               : px_fail(err, PX_EINPUT, "damaged: the places of its entries are out of order");
}

/* Slots name entries below the limit, and one at least is empty: there every search ends. */
static int check_slots(const uint32_t *slots, uint32_t n, uint32_t mask, uint32_t limit,
                       const char *what, struct px_err *err)
{
    uint32_t highest = 0, empty = 0, nameless = 0; /* nameless: a tag without an id */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = slots[i] & mask;
        highest = v > highest ? v : highest;
        empty += slots[i] == 0;
        nameless += v == 0 && slots[i] != 0;
    }
    return highest <= limit && nameless == 0 && (n == 0 || empty > 0)
               ? 0
               : px_fail(err, PX_EINPUT, "damaged: its table of %s names number %u of %u", what,
                         highest, limit);
}

static int check_list(const struct vocabulary_header *h, const uint32_t *ids, uint64_t n,
                      const char *what, struct px_err *err)
{
    uint32_t highest = 0;
    for (uint64_t i = 0; i < n; i++)
        highest = ids[i] > highest ? ids[i] : highest;
    return highest < h->n_vocab
               ? 0
               : px_fail(err, PX_EINPUT, "damaged: its %s name entry %u, but there are %u", what,
                         highest, h->n_vocab);
}

static int check_scores(const struct tokenizer *t, struct px_err *err)
{
    for (uint32_t i = 0; i < t->h->n_scores; i++)
        if (isnan(t->score[i]))
            return px_fail(err, PX_EINPUT, "damaged: the score of entry %u is not a number", i);
    return 0;
}

int vocabulary_check(const void *image, size_t n, struct px_err *err)
{
    struct tokenizer t;
    if (check_header(image, n, err) != 0)
        return -1;
    vocabulary_bind(&t, image);
    const struct vocabulary_header *h = t.h;
    if (check_texts(&t, err) != 0 ||
        check_slots(t.slots, h->n_slots, VOCABULARY_MAX, h->n_vocab, "entries", err) != 0 ||
        check_slots(t.merge_slots, h->n_merge_slots, UINT32_MAX, h->n_merges, "merges", err) != 0 ||
        check_list(h, &t.merges->left, 3 * (uint64_t)h->n_merges, "merges", err) != 0 ||
        check_list(h, t.stops, h->n_stops, "stop tokens", err) != 0 ||
        check_list(h, t.special, h->n_special, "special tokens", err) != 0)
        return -1;
    return check_scores(&t, err);
}

/* ---- the tokenizer of an image ---- */

static int start(struct tokenizer *t, const void *image, size_t n, struct px_err *err)
{
    if (vocabulary_check(image, n, err) != 0)
        return px_wrap(err, "the vocabulary cannot be used");
    vocabulary_bind(t, image);
    const struct vocabulary_header *h = t->h;
    if (h->is_spm) {
        snprintf(t->family, sizeof t->family, "spm");
        return 0;
    }
    size_t len = strnlen(h->pre, sizeof h->pre);
    t->splitter = splitter_new(h->pre, len, err);
    snprintf(t->family, sizeof t->family, "bpe:%.*s", (int)len, h->pre);
    return t->splitter ? 0 : -1;
}

struct tokenizer *tokenizer_from_image(const void *p, size_t n, const char *name,
                                       struct px_err *err)
{
    struct tokenizer *t = px_xcalloc(1, sizeof *t);
    if (start(t, p, n, err) != 0) {
        px_wrap(err, "cannot use the tokenizer of %s", name);
        tokenizer_free(&t);
    }
    return t;
}
