/* tokenizer.h - text to token ids and back, from the vocabulary inside a GGUF file.
 *
 * Two families: byte-level BPE with a pre-tokenizer expression (tokenizer.ggml.model "gpt2",
 * PCRE2 runs the expression) and SentencePiece BPE with scores and byte fallback ("llama").
 * Unknown families and pre-tokenizers are refused by name. Results equal llama.cpp's.
 * Immutable after creation: any thread may encode and decode. */
#ifndef PROTO_MODEL_TOKENIZER_H
#define PROTO_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/model/gguf.h"

struct tokenizer;

enum { TOK_ADD_SPECIAL = 1, TOK_PARSE_SPECIAL = 2 }; /* as llama.cpp's add_special, parse_special */

/* An imported file holds the image of its vocabulary (IMPORTED_VOCABULARY), which is used where it
 * lies: g must then live as long as the tokenizer. From any other file an image is built and owned:
 * some 20 ms and 6 MB for 152,000 entries. */
struct tokenizer *tokenizer_new(const struct gguf *g, struct px_err *err);
/* Appends the image of a GGUF file's vocabulary: everything that encoding and decoding need, usable
 * at any address that is a multiple of 8 (tokenizer_image.h). The same file gives the same bytes.
 */
int tokenizer_image_build(const struct gguf *g, struct px_buf *out,
                          struct px_err *err) PX_MUST_CHECK;
/* The tokenizer of an image, which is borrowed and not copied; `name` is for messages. Bytes that
 * are no image of this version are refused; damaged ones that are not may give wrong ids, never
 * accesses outside of them. Takes about a millisecond. */
struct tokenizer *tokenizer_from_image(const void *p, size_t n, const char *name,
                                       struct px_err *err);
void tokenizer_free(struct tokenizer **t);

/* *ids is owned, *n ids. Any bytes are accepted (malformed UTF-8 becomes U+FFFD or byte tokens). */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                     uint32_t **ids, size_t *n, struct px_err *err) PX_MUST_CHECK;

/* Appends the text of the ids. special: control tokens are written out, otherwise left out.
 * As llama.cpp's detokenize: a SentencePiece text's leading space is dropped when the tokenizer
 * adds one. */
void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool special,
                      struct px_buf *out);

/* Appends the bytes of one token as it stands in the middle of a text (no leading-space rule):
 * what a generated token adds to a completion. Control tokens add nothing. */
void tokenizer_piece(const struct tokenizer *t, uint32_t id, struct px_buf *out);

uint32_t tokenizer_n_vocab(const struct tokenizer *t);
/* -1 when the vocabulary has none. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
bool tokenizer_adds_bos(const struct tokenizer *t);
bool tokenizer_adds_eos(const struct tokenizer *t);
/* Every id that ends a generation by the file's metadata (eos, eot, eom and the well-known names
 * of control tokens such as <|im_end|>, <|eot_id|>, <|endoftext|>); ascending, borrowed. */
const uint32_t *tokenizer_stop_ids(const struct tokenizer *t, size_t *n);
/* Id of a token by its exact text, -1 when there is none. */
int32_t tokenizer_find(const struct tokenizer *t, const char *text, size_t len);
const char *tokenizer_text(const struct tokenizer *t, uint32_t id,
                           size_t *len); /* vocabulary form */
bool tokenizer_is_control(const struct tokenizer *t, uint32_t id);
const char *tokenizer_family(const struct tokenizer *t); /* "bpe:qwen2", "spm" */

#endif
