/* wire.h - the messages between the coordinator (ROUTER) and its peers (DEALER).
 *
 * A message is: a header frame of 8 bytes {magic "PRCT", u16 protocol version, u8 kind, u8 zero},
 * one JSON frame (a flat object, small), and as many raw frames as its kind has bodies. Every
 * kind and field is described in docs/protocol.md; a test holds this table and that page
 * together. Decoders are total: any bytes give a message or an error.
 *
 * One struct holds the fields of all kinds, as one table says which kind has which. Strings and
 * bodies of a parsed message are owned by it (wire_clear). */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/err.h"

#define WIRE_VERSION 2
#define WIRE_HEADER 8              /* bytes */
#define WIRE_JSON_LIMIT (1u << 20) /* bytes of a JSON frame */
#define WIRE_BODY_LIMIT (160u << 20)
#define WIRE_MAX_BODIES 2
#define WIRE_MAX_UNITS 4096 /* units in one WORK, DONE, ACK or RETRACT */

enum wire_kind {
    WIRE_HELLO = 1,
    WIRE_WELCOME,
    WIRE_REFUSED,
    WIRE_READY,
    WIRE_WORK,
    WIRE_DONE,
    WIRE_ACK,
    WIRE_FAIL,
    WIRE_BEAT,
    WIRE_RETRACT,
    WIRE_STATUS,
    WIRE_DRAIN,
    WIRE_BYE,
    WIRE_GET, /* reserved: refused by this version */
    WIRE_PUT, /* reserved: refused by this version */
    WIRE_N_KINDS
};
const char *wire_kind_name(enum wire_kind k); /* "HELLO" ... */

struct wire_msg {
    enum wire_kind kind;
    /* JSON fields; see docs/protocol.md for which kind has which */
    char *id;
    char *program;
    char *host;
    char *isa;
    char *build;
    char *reason;
    char *class_name;
    char *detail;
    char *progress_json;
    int64_t roles;
    int64_t pid;
    int64_t cores;
    int64_t memory;
    int64_t end_time_us;
    int64_t numerics;
    int64_t credits;
    int64_t lease;
    int64_t job;
    int64_t n;
    int64_t progress;
    int64_t rss;
    int64_t held;
    bool retryable;
    bool cancel;
    bool bare; /* an empty object, no bodies: what the coordinator's HELLO and BEAT and a request
                  for STATUS are */
    /* raw frames */
    uint8_t *body[WIRE_MAX_BODIES];
    size_t n_body[WIRE_MAX_BODIES];
};

void wire_clear(struct wire_msg *m);

/* ---- the table ---- */
enum wire_type { WIRE_TEXT, WIRE_INT, WIRE_BOOL };
struct wire_field {
    const char *name; /* in JSON */
    enum wire_type type;
    size_t offset;  /* in struct wire_msg */
    unsigned kinds; /* bit k: kind k has it */
};
extern const struct wire_field wire_fields[];
extern const unsigned wire_n_fields;
/* Raw frames that messages of this kind have. */
unsigned wire_n_bodies(enum wire_kind k);
bool wire_may_be_bare(enum wire_kind k);

/* ---- encoding ---- */
void wire_put_header(uint8_t out[WIRE_HEADER], enum wire_kind k);
/* Appends the JSON frame. Bodies are the caller's to send. */
void wire_put_json(const struct wire_msg *m, struct px_buf *out);

/* ---- decoding ---- */
struct wire_frame {
    const void *p;
    size_t n;
};

/* The header alone. PX_EVERSION when it is Proctor's but of another protocol version: *kind is
 * set then too, because HELLO and REFUSED keep their meaning in all versions. */
int wire_get_header(const void *p, size_t n, enum wire_kind *kind,
                    struct px_err *err) PX_MUST_CHECK;

/* All frames of a message, the header first. On success out is owned. */
int wire_parse(const struct wire_frame *frames, unsigned n_frames, struct wire_msg *out,
               struct px_err *err) PX_MUST_CHECK;

/* ---- bodies of several units ---- */

/* WORK: {u32 attempt, blob unit} per unit. */
void wire_pack_unit(struct px_buf *out, uint32_t attempt, const void *unit, size_t n);
/* DONE: {u64 lease, key, blob record} per unit. */
void wire_pack_result(struct px_buf *out, uint64_t lease, const struct px_digest *key,
                      const void *rec, size_t n);
/* ACK, FAIL, RETRACT and HELLO: keys, one after the other. */
void wire_pack_key(struct px_buf *out, const struct px_digest *key);

struct wire_unit {
    uint32_t attempt;
    const uint8_t *p; /* borrowed from the body */
    uint32_t n;
};
struct wire_result {
    uint64_t lease;
    struct px_digest key;
    const uint8_t *p; /* borrowed from the body */
    uint32_t n;
};
/* Exactly n elements and nothing behind them; arrays are owned. n is at most WIRE_MAX_UNITS. */
int wire_unpack_units(const void *p, size_t len, int64_t n, struct wire_unit **out,
                      struct px_err *err) PX_MUST_CHECK;
int wire_unpack_results(const void *p, size_t len, int64_t n, struct wire_result **out,
                        struct px_err *err) PX_MUST_CHECK;
int wire_unpack_keys(const void *p, size_t len, int64_t n, struct px_digest **out,
                     struct px_err *err) PX_MUST_CHECK;

#endif
