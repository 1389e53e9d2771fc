/* codec.h - plain Python data to bytes and back: no pickle, no marshal, nothing that can run code.
 *
 * Tags: N T F (None, booleans), i (two's complement bytes, little-endian), d (8 bytes), c (16),
 * s (UTF-8, surrogates passed), b (bytes), l t S z (list, tuple, set, frozenset), m (dict in
 * insertion order), O (an object that is not data: truth and type name), H (a handle on an object
 * that stays where it is), B (a handle's method). Counts and lengths are u32, little-endian.
 *
 * The decoder is total: any bytes give a value or codec_bad(). A scan in plain C checks the whole
 * message (bounds, depth, number of nodes, trailing bytes) before the first object is made. */
#ifndef SANDBOX_ZYGOTE_CODEC_H
#define SANDBOX_ZYGOTE_CODEC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "sandbox/scan.h"

#define CODEC_ANSWER_BYTES (24u << 20)
#define CODEC_REQUEST_BYTES (64u << 20)

/* What handles mean at this end. Any function may be NULL: then handles are refused. */
struct codec {
    void *context;
    /* Encoding: the id for an object that is to stay here, or -1 when it is ordinary data. */
    int64_t (*handle_of)(void *context, PyObject *o);
    /* Decoding: the object for an id (new reference), or NULL with a Python error. */
    PyObject *(*object_of)(void *context, uint32_t id);
    /* Decoding: what stands for an object that is not data (new reference). */
    PyObject *(*opaque)(void *context, bool truth, PyObject *type_name);
};

enum codec_result { CODEC_OK = 0, CODEC_TOO_BIG, CODEC_TOO_DEEP };

/* Appends o to b (whose limit bounds the message). Never raises: what is not data is written as
 * opaque. Reads subclasses of builtin types by the C-level operations of their base. */
enum codec_result codec_encode(const struct codec *c, PyObject *o, struct px_buf *b);

/* A new reference, or NULL with ValueError set: the bytes are not a message of this codec. */
PyObject *codec_decode(const struct codec *c, const void *p, size_t n);

#endif
