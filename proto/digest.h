/* digest.h - identity: SHA-256 over length-prefixed binary fields, never over printed text.
 *
 * Source: FIPS 180-4 (OpenSSL's EVP does the work). A field is its u64le length followed by its
 * bytes, so ("ab","c") and ("a","bc") differ. */
#ifndef PROTO_DIGEST_H
#define PROTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

struct stat;

#define PX_DIGEST_SIZE 32
#define PX_HEX_SIZE 65 /* 64 digits and NUL */

struct px_digest {
    uint8_t b[PX_DIGEST_SIZE];
};

struct px_hash; /* a digest being computed */

struct px_hash *px_hash_new(const char *domain); /* owned; domain is hashed first as a field */
void px_hash_field(struct px_hash *h, const void *p, size_t n);
void px_hash_str(struct px_hash *h, const char *s); /* NULL hashes like "" */
void px_hash_u64(struct px_hash *h, uint64_t v);
void px_hash_f64(struct px_hash *h, double v); /* the bits; -0.0 is hashed as 0.0 */
void px_hash_digest(struct px_hash *h, const struct px_digest *d);
struct px_digest px_hash_end(struct px_hash **h); /* frees h, sets NULL */

struct px_digest px_sha256(const void *p, size_t n); /* plain SHA-256 of the bytes */
/* The same in pieces. */
struct px_sha256;
struct px_sha256 *px_sha256_new(void); /* owned */
void px_sha256_add(struct px_sha256 *s, const void *p, size_t n);
struct px_digest px_sha256_end(struct px_sha256 **s); /* frees s, sets NULL */

/* Plain SHA-256 of a file's bytes: the number model hubs publish. The result is cached in
 * <cache dir>/digests by (device, inode, size, mtime); *hit says whether the cache answered. */
int px_sha256_file(const char *path, struct px_digest *out, bool *hit,
                   struct px_err *err) PX_MUST_CHECK;

/* Where <cache dir> keeps a small file about a file: <cache dir>/<kind>/<device, inode, size and
 * time of change of st>. Owned; not made. */
char *px_cache_entry(const char *kind, const struct stat *st);

void px_digest_hex(const struct px_digest *d, char hex[PX_HEX_SIZE]);
int px_digest_parse(const char *hex, struct px_digest *out, struct px_err *err) PX_MUST_CHECK;
bool px_digest_eq(const struct px_digest *a, const struct px_digest *b);
bool px_digest_is_zero(const struct px_digest *d);

#endif
