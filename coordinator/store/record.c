/* record.c - sealing and checking of stored values. Pure. */
#include "coordinator/store/record.h"

#include <string.h>
#include <zlib.h>

#include "proto/buf.h"
#include "proto/mem.h"

#define MAGIC 0x43525850u /* "PXRC" */

static uint32_t checksum(const uint8_t *rec, size_t n)
{
    uLong c = crc32_z(0, rec + 4, 8);
    return (uint32_t)crc32_z(c, rec + RECORD_HEADER, n);
}

void record_seal(uint8_t *rec, size_t n)
{
    px_assert(n <= UINT32_MAX - RECORD_HEADER);
    px_store_u32(rec, MAGIC);
    px_store_u32(rec + 4, STORE_FORMAT);
    px_store_u32(rec + 8, (uint32_t)n);
    px_store_u32(rec + 12, checksum(rec, n));
}

unsigned record_version(const void *raw, size_t n_raw)
{
    const uint8_t *r = raw;
    return n_raw >= RECORD_HEADER && px_load_u32(r) == MAGIC ? px_load_u16(r + 4) : 0;
}

bool record_open(const void *raw, size_t n_raw, const void **payload, size_t *n)
{
    const uint8_t *r = raw;
    if (record_version(raw, n_raw) != STORE_FORMAT || px_load_u16(r + 6) != 0)
        return false;
    size_t len = px_load_u32(r + 8);
    if (len != n_raw - RECORD_HEADER || px_load_u32(r + 12) != checksum(r, len))
        return false;
    *payload = r + RECORD_HEADER;
    *n = len;
    return true;
}
