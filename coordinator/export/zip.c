/* zip.c - see zip.h. */
#include "coordinator/export/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/buf.h"
#include "proto/mem.h"

enum {
    SIG_LOCAL = 0x04034b50,
    SIG_CENTRAL = 0x02014b50,
    SIG_END = 0x06054b50,
    SIG_END64 = 0x06064b50,
    SIG_LOCATOR64 = 0x07064b50,
    FLAG_UTF8 = 1 << 11,
    METHOD_DEFLATE = 8,
    VERSION_DEFLATE = 20,
    VERSION_64 = 45,
    EXTRA_64 = 1,
    DATE_NONE = 0x21 /* 1980-01-01: the earliest that the format has */
};
#define MAX32 0xffffffffu
#define MAX16 0xffffu

struct zip {
    FILE *f;
    char *path;
    struct px_buf directory;
    uint64_t at; /* bytes written */
    uint64_t n;
};

struct zip *zip_new(const char *path, struct px_err *err)
{
    FILE *f = fopen(path, "we");
    if (!f) {
        px_fail_errno(err, "cannot create %s", path);
        return NULL;
    }
    struct zip *z = px_xcalloc(1, sizeof *z);
    z->f = f;
    z->path = px_xstrdup(path);
    px_buf_init(&z->directory, (size_t)1 << 30);
    return z;
}

void zip_abandon(struct zip **zp)
{
    struct zip *z = *zp;
    if (!z)
        return;
    fclose(z->f);
    px_buf_clear(&z->directory);
    free(z->path);
    free(z);
    *zp = NULL;
}

static int put(struct zip *z, const void *data, size_t n, struct px_err *err)
{
    if (fwrite(data, 1, n, z->f) != n)
        return px_fail_errno(err, "cannot write %s", z->path);
    z->at += n;
    return 0;
}

/* Raw deflate; owned. */
static unsigned char *deflated(const void *data, size_t n, size_t *n_out)
{
    z_stream s = {0};
    px_assert(deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&s, n);
    unsigned char *out = px_xmalloc(room);
    s.next_in = (unsigned char *)(uintptr_t)data;
    s.avail_in = (unsigned)n;
    s.next_out = out;
    s.avail_out = (unsigned)room;
    px_assert(deflate(&s, Z_FINISH) == Z_STREAM_END);
    *n_out = s.total_out;
    deflateEnd(&s);
    return out;
}

/* What the local header and the directory's entry have in common. */
static void put_common(struct px_buf *b, uint16_t version, uint32_t crc, size_t packed,
                       size_t plain, size_t n_name, uint16_t n_extra)
{
    px_buf_u16(b, version);
    px_buf_u16(b, FLAG_UTF8);
    px_buf_u16(b, METHOD_DEFLATE);
    px_buf_u16(b, 0);
    px_buf_u16(b, DATE_NONE);
    px_buf_u32(b, crc);
    px_buf_u32(b, (uint32_t)packed);
    px_buf_u32(b, (uint32_t)plain);
    px_buf_u16(b, (uint16_t)n_name);
    px_buf_u16(b, n_extra);
}

static void put_entry(struct zip *z, const char *name, uint32_t crc, size_t packed, size_t plain,
                      uint64_t at)
{
    struct px_buf *d = &z->directory;
    bool far = at >= MAX32;
    uint16_t version = far ? VERSION_64 : VERSION_DEFLATE;
    px_buf_u32(d, SIG_CENTRAL);
    px_buf_u16(d, version);
    put_common(d, version, crc, packed, plain, strlen(name), far ? 12 : 0);
    px_buf_u16(d, 0); /* comment */
    px_buf_u16(d, 0); /* disk */
    px_buf_u16(d, 0); /* attributes inside ... */
    px_buf_u32(d, 0); /* ... and outside */
    px_buf_u32(d, far ? MAX32 : (uint32_t)at);
    px_buf_str(d, name);
    if (far) {
        px_buf_u16(d, EXTRA_64);
        px_buf_u16(d, 8);
        px_buf_u64(d, at);
    }
}

int zip_add(struct zip *z, const char *name, const void *data, size_t n, struct px_err *err)
{
    struct px_buf head;
    size_t packed, n_name = strlen(name);
    if (n_name > MAX16 || n >= MAX32 / 2)
        return px_fail(err, PX_ELIMIT, "%s: member %.100s is too large (%zu bytes)", z->path, name,
                       n);
    unsigned char *bytes = deflated(data, n, &packed);
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), data, (unsigned)n);
    uint64_t at = z->at;
    px_buf_init(&head, 1 << 17);
    px_buf_u32(&head, SIG_LOCAL);
    put_common(&head, VERSION_DEFLATE, crc, packed, n, n_name, 0);
    px_buf_str(&head, name);
    int rc = put(z, head.data, head.len, err);
    if (rc == 0)
        rc = put(z, bytes, packed, err);
    put_entry(z, name, crc, packed, n, at);
    z->n++;
    px_buf_clear(&head);
    free(bytes);
    return rc;
}

static void put_end(struct px_buf *b, uint64_t n, uint64_t size, uint64_t at)
{
    if (n >= MAX16 || size >= MAX32 || at >= MAX32) {
        px_buf_u32(b, SIG_END64);
        px_buf_u64(b, 44); /* bytes of this record that follow */
        px_buf_u16(b, VERSION_64);
        px_buf_u16(b, VERSION_64);
        px_buf_u32(b, 0);
        px_buf_u32(b, 0);
        px_buf_u64(b, n);
        px_buf_u64(b, n);
        px_buf_u64(b, size);
        px_buf_u64(b, at);
        px_buf_u32(b, SIG_LOCATOR64);
        px_buf_u32(b, 0);
        px_buf_u64(b, at + size);
        px_buf_u32(b, 1);
    }
    px_buf_u32(b, SIG_END);
    px_buf_u16(b, 0);
    px_buf_u16(b, 0);
    px_buf_u16(b, (uint16_t)(n < MAX16 ? n : MAX16));
    px_buf_u16(b, (uint16_t)(n < MAX16 ? n : MAX16));
    px_buf_u32(b, (uint32_t)(size < MAX32 ? size : MAX32));
    px_buf_u32(b, (uint32_t)(at < MAX32 ? at : MAX32));
    px_buf_u16(b, 0);
}

int zip_close(struct zip **zp, struct px_err *err)
{
    struct zip *z = *zp;
    uint64_t at = z->at;
    int rc = z->directory.overflow
                 ? px_fail(err, PX_ELIMIT, "%s: the directory is too large", z->path)
                 : 0;
    size_t size = z->directory.len;
    put_end(&z->directory, z->n, size, at);
    if (rc == 0)
        rc = put(z, z->directory.data, z->directory.len, err);
    if (fflush(z->f) != 0 && rc == 0)
        rc = px_fail_errno(err, "cannot write %s", z->path);
    zip_abandon(zp);
    return rc;
}
