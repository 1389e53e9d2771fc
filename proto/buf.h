/* buf.h - a growable byte buffer with a compulsory limit, and a reader that is total.
 *
 * Integers are little-endian; a "blob" is a u32 length followed by that many bytes.
 * The reader never reads outside its bytes: after the first short read it is `bad`, returns
 * zeros, and the caller checks px_reader_ok() once at the end. */
#ifndef PROTO_BUF_H
#define PROTO_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct px_buf {
    uint8_t *data; /* always NUL-terminated one past len once anything was appended */
    size_t len;
    size_t cap;
    size_t limit; /* bytes; reaching it sets overflow and drops the rest */
    bool overflow;
};

void px_buf_init(struct px_buf *b, size_t limit);
void px_buf_clear(struct px_buf *b); /* frees; the buffer can be used again */
void px_buf_reset(struct px_buf *b); /* len = 0, keeps the memory */
void px_buf_put(struct px_buf *b, const void *p, size_t n);
void px_buf_str(struct px_buf *b, const char *s); /* bytes of s without the NUL */
void px_buf_char(struct px_buf *b, char c);
void px_buf_printf(struct px_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void px_buf_vprintf(struct px_buf *b, const char *fmt, va_list ap);
void px_buf_u8(struct px_buf *b, uint8_t v);
void px_buf_u16(struct px_buf *b, uint16_t v);
void px_buf_u32(struct px_buf *b, uint32_t v);
void px_buf_u64(struct px_buf *b, uint64_t v);
void px_buf_i64(struct px_buf *b, int64_t v);
void px_buf_f32(struct px_buf *b, float v);
void px_buf_f64(struct px_buf *b, double v);
void px_buf_blob(struct px_buf *b, const void *p, size_t n); /* n < 4 GiB */
void px_buf_cstr(struct px_buf *b, const char *s);           /* blob; NULL is written as "" */
char *px_buf_steal(struct px_buf *b, size_t *len);           /* owned; leaves b empty */

struct px_reader {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};

void px_reader_init(struct px_reader *r, const void *p, size_t n); /* borrowed */
size_t px_reader_left(const struct px_reader *r);
bool px_reader_ok(const struct px_reader *r);  /* nothing was short so far */
bool px_reader_end(const struct px_reader *r); /* ok and every byte was read */
uint8_t px_get_u8(struct px_reader *r);
uint16_t px_get_u16(struct px_reader *r);
uint32_t px_get_u32(struct px_reader *r);
uint64_t px_get_u64(struct px_reader *r);
int64_t px_get_i64(struct px_reader *r);
double px_get_f64(struct px_reader *r);
const uint8_t *px_get_bytes(struct px_reader *r, size_t n);     /* borrowed; NULL when short */
const uint8_t *px_get_blob(struct px_reader *r, uint32_t *len); /* borrowed; "" when short */
char *px_get_cstr(struct px_reader *r);                         /* owned, NUL-terminated */

uint32_t px_load_u32(const void *p); /* little-endian from memory, any alignment */
uint64_t px_load_u64(const void *p);
uint16_t px_load_u16(const void *p);
void px_store_u32(void *p, uint32_t v);
void px_store_u64(void *p, uint64_t v);

#endif
