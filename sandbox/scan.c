/* scan.c - checks a message of the codec without making any object. */
#include "sandbox/scan.h"

#include "proto/buf.h"

struct scan {
    struct px_reader r;
    uint32_t nodes;
    const char *wrong;
};

static void scan_one(struct scan *s, int depth);

static uint32_t scan_count(struct scan *s)
{
    uint32_t n = px_get_u32(&s->r);
    if (n > px_reader_left(&s->r)) { /* every element takes a byte at least */
        s->wrong = "a count that is larger than the message";
        return 0;
    }
    return n;
}

static void scan_many(struct scan *s, uint32_t n, int depth)
{
    for (uint32_t i = 0; i < n && s->wrong == NULL && px_reader_ok(&s->r); i++)
        scan_one(s, depth);
}

static void scan_bytes(struct scan *s, uint32_t most)
{
    uint32_t n = scan_count(s);
    if (n > most)
        s->wrong = "an integer that is too long";
    (void)px_get_bytes(&s->r, n);
}

static void scan_one(struct scan *s, int depth)
{
    if (depth > CODEC_DEPTH || ++s->nodes > CODEC_NODES) {
        s->wrong = "too deep or too many values";
        return;
    }
    uint8_t tag = px_get_u8(&s->r);
    switch (px_reader_ok(&s->r) ? tag : 0) {
    case 'N':
    case 'T':
    case 'F':
        break;
    case 'i':
        scan_bytes(s, CODEC_INT_BYTES);
        break;
    case 'd':
        (void)px_get_bytes(&s->r, 8);
        break;
    case 'c':
        (void)px_get_bytes(&s->r, 16);
        break;
    case 's':
    case 'b':
        scan_bytes(s, UINT32_MAX);
        break;
    case 'l':
    case 't':
    case 'S':
    case 'z':
        scan_many(s, scan_count(s), depth + 1);
        break;
    case 'm': {
        uint32_t n = scan_count(s);
        for (uint32_t i = 0; i < n && s->wrong == NULL && px_reader_ok(&s->r); i++)
            scan_many(s, 2, depth + 1);
        break;
    }
    case 'O':
        (void)px_get_u8(&s->r);
        scan_bytes(s, 400);
        break;
    case 'H':
        (void)px_get_u32(&s->r);
        break;
    case 'B':
        (void)px_get_u32(&s->r);
        scan_bytes(s, 4096);
        break;
    default:
        s->wrong = "an unknown tag";
    }
}

const char *codec_scan(const void *p, size_t n)
{
    struct scan s = {.wrong = NULL};
    px_reader_init(&s.r, p, n);
    scan_one(&s, 0);
    if (s.wrong == NULL && !px_reader_ok(&s.r))
        s.wrong = "a message that ends too soon";
    if (s.wrong == NULL && !px_reader_end(&s.r))
        s.wrong = "bytes after the value";
    return s.wrong;
}
