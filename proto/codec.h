/* codec.h - the small words that the record encodings of proto/ are written in.
 *
 * Writers append to a px_buf, readers take from a px_reader and mark it bad when the bytes do not
 * fit; counts are checked against the bytes that are left before anything is allocated. */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"

/* A section: a u32 length that is known only at its end. begin gives the place for end. */
size_t codec_begin(struct px_buf *b);
void codec_end(struct px_buf *b, size_t at);
/* The reader of a section's bytes; an empty, bad reader when they are short. */
struct px_reader codec_section(struct px_reader *r);

void codec_put_digest(struct px_buf *b, const struct px_digest *d);
struct px_digest codec_get_digest(struct px_reader *r);

void codec_put_u32s(struct px_buf *b, const uint32_t *v, uint32_t n);
/* Owned; NULL with *n = 0 when empty or bad. */
uint32_t *codec_get_u32s(struct px_reader *r, uint32_t *n);

/* A blob without NUL bytes as an owned C string; NULL when the reader is or becomes bad. */
char *codec_get_text(struct px_reader *r);
/* Any bytes, owned, a NUL behind them; NULL when the reader is or becomes bad. */
void *codec_get_bytes(struct px_reader *r, uint32_t *n);

/* A count of elements that take at least `least` bytes each; bad (and 0) when they cannot fit. */
uint32_t codec_get_count(struct px_reader *r, uint32_t least);
/* A u8 in lo..hi; bad (and lo) otherwise. */
int codec_get_enum(struct px_reader *r, int lo, int hi);
bool codec_get_bool(struct px_reader *r); /* 0 or 1 */
double codec_get_finite(struct px_reader *r);

#endif
