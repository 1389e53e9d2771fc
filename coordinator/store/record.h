/* record.h - the header in front of every stored value.
 *
 * 16 bytes, little-endian: magic "PXRC", u16 format version, u16 zero, u32 payload length, u32
 * CRC-32 over version, zero, length and payload. A value is believed only when all of it fits. */
#ifndef COORDINATOR_STORE_RECORD_H
#define COORDINATOR_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER 16
/* Raised whenever an older Proctor could misread the store. */
#define STORE_FORMAT 2

/* Fills the header in rec[0 .. 15] for the n bytes that follow it. n < 4 GiB. */
void record_seal(uint8_t *rec, size_t n);

/* The payload (borrowed from raw), or false when raw is not a whole, undamaged record. */
bool record_open(const void *raw, size_t n_raw, const void **payload, size_t *n);

/* The version that a record claims, 0 when it has no such header: tells a newer store from a
 * damaged one. */
unsigned record_version(const void *raw, size_t n_raw);

#endif
