/* imported.h - the form of a model that `import` writes, and where it is kept.
 *
 * An imported file is a GGUF file (version 3) of our own, written once per host and mapped
 * read-only by everyone. It differs from the file that it was made of (the *source*) so:
 *
 *   - quantised matrices lie in panels (panel_layout.h): their type and dimensions stay, their
 *     size is panels_bytes(); all other tensors are as they were;
 *   - general.alignment is IMPORTED_ALIGN; what is IMPORTED_PAGE or larger begins at a page;
 *   - the vocabulary is an image that is used where it lies (tensor IMPORTED_VOCABULARY), and
 * the arrays that it was made of are left out;
 *   - these keys are added:
 *       proctor.layout         uint32, IMPORTED_VERSION
 *       proctor.source_sha256  string, 64 digits: of the source; the model's digest stays that
 *       proctor.source_size    uint64
 *       proctor.panels         array of bool, one for each tensor in file order: it is in panels
 *   - the last tensor, IMPORTED_CHECKSUMS, is 32 bytes for the head of the file and 32 for each
 *     other tensor in file order. A tensor's are the SHA-256 of its bytes; the head's are that of
 *     the file from its start to the end of the tensor descriptions, followed by the others.
 *
 * gguf_open reads such a file like any other and checks the head's checksum each time, which costs
 * less than a millisecond; those of the data are for gguf_check_data. Other programs refuse it. */
#ifndef PROTO_MODEL_IMPORTED_H
#define PROTO_MODEL_IMPORTED_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/err.h"
#include "proto/model/gguf.h"

/* Raised whenever the bytes that are written for the same source change (panels too). */
enum { IMPORTED_VERSION = 2, IMPORTED_ALIGN = 64, IMPORTED_PAGE = 4096 };

#define IMPORTED_VOCABULARY "proctor.vocabulary"
#define IMPORTED_CHECKSUMS "proctor.checksums"

/* What an imported file says of its source. */
struct gguf_source {
    struct px_digest digest;
    uint64_t bytes;
};
/* NULL for a file that was not imported. Borrowed. */
const struct gguf_source *gguf_source(const struct gguf *g);

/* The model's digest: the source's, or the SHA-256 of the file itself (px_sha256_file; g must have
 * been opened from a file). */
int gguf_digest(const struct gguf *g, struct px_digest *out, struct px_err *err) PX_MUST_CHECK;
/* The same of a path; what is no GGUF file has the SHA-256 of its bytes. */
int gguf_file_digest(const char *path, struct px_digest *out, struct px_err *err) PX_MUST_CHECK;

/* Is a tensor one of those that import adds? They belong to no architecture. */
bool gguf_is_own_tensor(const struct gguf *g, const struct gguf_tensor *t);

/* Compares the data of every tensor with their checksums: reads the whole file. PX_EINPUT names the
 * first damaged tensor. Only for imported files. progress (may be NULL) gets the bytes so far. */
int gguf_check_data(const struct gguf *g, void (*progress)(void *ctx, uint64_t done), void *ctx,
                    struct px_err *err) PX_MUST_CHECK;

/* The same, once per host and file: what was found good is noted in <cache dir>/imported under the
 * file's device, inode, size and time of change, and not read again. */
int gguf_check_data_once(const struct gguf *g, struct px_err *err) PX_MUST_CHECK;
/* Notes it for a file that has just been written or checked; failing to is no error. */
void gguf_data_is_good(const struct gguf *g);

/* Does import lay this tensor out in panels? */
bool imported_in_panels(const struct gguf_tensor *t);
/* About how many bytes the imported form of g has: exact but for the vocabulary. */
uint64_t imported_bytes(const struct gguf *g);

/* Where imported models are kept: $PROCTOR_MODELS, else <cache dir>/models. Owned; not made. */
char *imported_dir(void);
/* <dir>/<first two digits>/<digest>.pxm, owned. dir NULL: imported_dir(). */
char *imported_path(const char *dir, const struct px_digest *source);

#endif
