/* record.h - what the test runner writes on its verdict pipe, and how the supervisor reads it.
 *
 * The pipe carries optional marks and then one record. 'M': a message of the candidate has
 * arrived, so from now on a dead runner counts against the candidate. 'B' after it: the first of
 * two sets of tests was passed, whatever comes of the second. */
#ifndef SANDBOX_RECORD_H
#define SANDBOX_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"

enum record_class {
    RECORD_NONE = 0, /* no complete record */
    RECORD_PASSED,
    RECORD_FAILED_ASSERTION,
    RECORD_WRONG_ANSWER,
    RECORD_COMPILE_ERROR,
    RECORD_RUNTIME_ERROR,
    RECORD_MEMORY,   /* the program raised MemoryError and the tests ended by it */
    RECORD_OUTPUT,   /* a result that is too large */
    RECORD_DIED,     /* the call channel ended */
    RECORD_PROTOCOL, /* bytes that are no answer */
    RECORD_BAD_TASK, /* the task itself cannot be run: nothing of the candidate was looked at */
    RECORD_CLASSES
};

#define RECORD_BYTES 65536 /* the supervisor reads no more than this */
#define RECORD_TEXT 512

struct record {
    enum record_class class;
    bool marked;       /* a message of the candidate had arrived */
    bool first_passed; /* the first of two sets of tests was passed */
    uint32_t calls;
    char exception[104]; /* class name, printable */
    char detail[RECORD_TEXT];
};

static inline void record_encode(const struct record *r, struct px_buf *out)
{
    px_buf_u8(out, 'V');
    px_buf_u8(out, (uint8_t)r->class);
    px_buf_u32(out, r->calls);
    px_buf_cstr(out, r->exception);
    px_buf_cstr(out, r->detail);
    px_buf_u8(out, '.');
}

/* Total: class is RECORD_NONE when the bytes hold no complete record. Text is made printable. */
void record_decode(const void *p, size_t n, struct record *out);

/* Copies n bytes into out[size] as printable text: control bytes become spaces, invalid UTF-8 is
 * replaced, never cut inside a character. */
void record_text(const void *p, size_t n, char *out, size_t size);

/* The first frame of a script's call channel: 'X' (not compiled), 'M' (ended by an exception) with
 * the exception's class, or 0 when the bytes are nothing of the kind. Total. */
char record_begun(const void *p, size_t n, char exception[104]);

/* Does a program's output say the same as what is expected? White space at the ends of the text
 * and at the ends of lines does not count. */
bool record_same_output(const char *got, size_t n_got, const char *want, size_t n_want);

#endif
