/* zygote.h - the parts of proctor-zygote: the interpreter, the nursery, a zygote, its two kinds of
 * fork.
 *
 * Theory of operation. The supervisor starts one *nursery*: it drops to an unprivileged user,
 * starts the interpreter and imports what programs use. For each slot the nursery forks two
 * *zygotes*, each pid 1 of namespaces of its own, one for candidates and one for tests. A zygote
 * forks once per run; the fork confines itself (sandbox/jail) and only then reads its source.
 * Single-threaded everywhere: fork copies one thread. */
#ifndef SANDBOX_ZYGOTE_ZYGOTE_H
#define SANDBOX_ZYGOTE_ZYGOTE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sandbox/packet.h"

/* ---- interpreter.c ---- */
const char *interpreter_stdlib(void); /* absolute path of the library, from the build */
/* Starts it in isolation, imports the usual modules. NULL, or what went wrong (static text). */
const char *interpreter_start(void);
const char *interpreter_version(void);
void interpreter_import(const char *module); /* a missing one is ignored */
void interpreter_after_fork(void);           /* in every fork: state of the interpreter, seed */

/* ---- serve.c ---- */
/* Serves runs on the control socket until its other end is gone, then exits. */
_Noreturn void zygote_serve(int ctl, unsigned layers);

/* ---- candidate.c, tests.c: what a confined fork does; they do not return ---- */
/* Descriptors in these processes. */
enum { FD_CHANNEL = 3, FD_SOURCE = 4, FD_VERDICT = 5 };

_Noreturn void candidate_run(bool script);
_Noreturn void tests_run(void);
void tests_prepare(void); /* in the zygote, before the first fork for tests */
PyObject *tests_module_init(void);

/* The whole source or task from FD_SOURCE, which is closed. Owned (malloc), NULL on error. */
char *read_source(size_t *n);

/* The first frame of the call channel and its answers: kinds. */
enum frame_kind {
    FRAME_READY = 'K',        /* candidate: the module is loaded */
    FRAME_NOT_COMPILED = 'X', /* candidate: exception class and text */
    FRAME_NOT_LOADED = 'M',   /* candidate: exception class and text */
    FRAME_CALL = 'C',         /* tests: (op, target, args, kwargs, keep) */
    FRAME_RESULT = 'R',
    FRAME_RAISED = 'E',  /* ([class names along the MRO], text, own class) */
    FRAME_UNUSABLE = 'L' /* a result that is too big or too deep: reason */
};
#define FRAME_HEAD 9 /* u32 length of the body, u8 kind, u32 sequence */

#endif
