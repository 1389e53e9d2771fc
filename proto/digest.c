#include "proto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/file.h"
#include "proto/mem.h"

struct px_hash {
    EVP_MD_CTX *ctx;
};

/* Fetched once: EVP_sha256() looks the algorithm up for each digest. */
static EVP_MD *fetched;

static void fetch(void)
{
    fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
    px_assert(fetched);
}

static const EVP_MD *sha256(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    px_assert(pthread_once(&once, fetch) == 0);
    return fetched;
}

struct px_hash *px_hash_new(const char *domain)
{
    struct px_hash *h = px_xmalloc(sizeof *h);
    h->ctx = EVP_MD_CTX_new();
    px_assert(h->ctx && EVP_DigestInit_ex(h->ctx, sha256(), NULL) == 1);
    px_hash_str(h, domain);
    return h;
}

void px_hash_field(struct px_hash *h, const void *p, size_t n)
{
    uint8_t len[8];
    px_store_u64(len, n);
    px_assert(EVP_DigestUpdate(h->ctx, len, 8) == 1);
    px_assert(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void px_hash_str(struct px_hash *h, const char *s)
{
    px_hash_field(h, s ? s : "", s ? strlen(s) : 0);
}

void px_hash_u64(struct px_hash *h, uint64_t v)
{
    uint8_t a[8];
    px_store_u64(a, v);
    px_hash_field(h, a, 8);
}

void px_hash_f64(struct px_hash *h, double v)
{
    uint64_t u;
    if (v == 0)
        v = 0;
    memcpy(&u, &v, 8);
    px_hash_u64(h, u);
}

void px_hash_digest(struct px_hash *h, const struct px_digest *d)
{
    px_hash_field(h, d->b, sizeof d->b);
}

struct px_digest px_hash_end(struct px_hash **h)
{
    struct px_digest d;
    px_assert(EVP_DigestFinal_ex((*h)->ctx, d.b, NULL) == 1);
    EVP_MD_CTX_free((*h)->ctx);
    free(*h);
    *h = NULL;
    return d;
}

struct px_digest px_sha256(const void *p, size_t n)
{
    struct px_digest d;
    px_assert(EVP_Digest(p, n, d.b, NULL, sha256(), NULL) == 1);
    return d;
}

struct px_sha256 {
    EVP_MD_CTX *ctx;
};

struct px_sha256 *px_sha256_new(void)
{
    struct px_sha256 *s = px_xmalloc(sizeof *s);
    s->ctx = EVP_MD_CTX_new();
    px_assert(s->ctx && EVP_DigestInit_ex(s->ctx, sha256(), NULL) == 1);
    return s;
}

void px_sha256_add(struct px_sha256 *s, const void *p, size_t n)
{
    px_assert(EVP_DigestUpdate(s->ctx, p, n) == 1);
}

struct px_digest px_sha256_end(struct px_sha256 **s)
{
    struct px_digest d;
    px_assert(EVP_DigestFinal_ex((*s)->ctx, d.b, NULL) == 1);
    EVP_MD_CTX_free((*s)->ctx);
    free(*s);
    *s = NULL;
    return d;
}

void px_digest_hex(const struct px_digest *d, char hex[PX_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < PX_DIGEST_SIZE; i++) {
        hex[2 * i] = digits[d->b[i] >> 4];
        hex[2 * i + 1] = digits[d->b[i] & 15];
    }
    hex[2 * PX_DIGEST_SIZE] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int px_digest_parse(const char *hex, struct px_digest *out, struct px_err *err)
{
    struct px_digest d;
    size_t n = strlen(hex);
    for (size_t i = 0; i < PX_DIGEST_SIZE && n == 2 * PX_DIGEST_SIZE; i++) {
        int hi = hex_value(hex[2 * i]);
        int lo = hex_value(hex[2 * i + 1]);
        if (hi < 0 || lo < 0)
            n = 0;
        else
            d.b[i] = (uint8_t)(hi << 4 | lo);
    }
    if (n != 2 * PX_DIGEST_SIZE)
        return px_fail(err, PX_EINPUT, "'%.70s' is not a SHA-256 (64 hexadecimal digits)", hex);
    *out = d;
    return 0;
}

bool px_digest_eq(const struct px_digest *a, const struct px_digest *b)
{
    return memcmp(a->b, b->b, PX_DIGEST_SIZE) == 0;
}

bool px_digest_is_zero(const struct px_digest *d)
{
    static const struct px_digest zero;
    return px_digest_eq(d, &zero);
}

/* One small file per (device, inode, size, mtime): no lock needed, a torn one is recomputed. */
char *px_cache_entry(const char *kind, const struct stat *st)
{
    PX_FREE char *dir = px_cache_dir();
    return px_xasprintf("%s/%s/%jx-%jx-%jx-%jx.%09lx", dir, kind, (uintmax_t)st->st_dev,
                        (uintmax_t)st->st_ino, (uintmax_t)st->st_size,
                        (uintmax_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec);
}

static int digest_of_fd(int fd, const char *path, struct px_digest *out, struct px_err *err)
{
    enum { CHUNK = 1 << 20 };
    PX_FREE uint8_t *buf = px_xmalloc(CHUNK);
    struct px_sha256 *sha = px_sha256_new();
    int rc = 0;
    for (;;) {
        ssize_t n = read(fd, buf, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = px_fail_errno(err, "cannot read %s", path);
        if (n <= 0)
            break;
        px_sha256_add(sha, buf, (size_t)n);
    }
    struct px_digest d = px_sha256_end(&sha);
    if (rc == 0)
        *out = d;
    return rc;
}

int px_sha256_file(const char *path, struct px_digest *out, bool *hit, struct px_err *err)
{
    PX_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return px_fail_errno(err, "cannot open %s", path);
    PX_FREE char *entry = px_cache_entry("digests", &st);
    PX_FREE char *text = NULL;
    size_t len;
    if (hit)
        *hit = false;
    if (px_read_file(entry, 64, &text, &len, NULL) == 0 && px_digest_parse(text, out, NULL) == 0) {
        if (hit)
            *hit = true;
        return 0;
    }
    if (digest_of_fd(fd, path, out, err) != 0)
        return -1;
    char hex[PX_HEX_SIZE];
    px_digest_hex(out, hex);
    PX_FREE char *dir = px_dirname(entry);
    /* The cache is a convenience: a read-only home directory must not stop anybody. */
    if (px_mkdirs(dir, 0700, NULL) == 0 && px_write_file(entry, hex, 64, NULL) != 0)
        unlink(entry);
    return 0;
}
