/* nursery.h - starting proctor-zygote and having zygotes made, from the supervisor's side.
 *
 * The nursery must be started before threads that matter exist; it is started by posix_spawn, so
 * restarting it later is safe too. When it dies all its zygotes die. */
#ifndef SANDBOX_NURSERY_H
#define SANDBOX_NURSERY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "sandbox/packet.h"

struct nursery;

/* Starts the interpreter (tens of milliseconds). denied: layers not to be tried. */
struct nursery *nursery_new(unsigned denied, struct px_err *err);
void nursery_free(struct nursery **n);

const char *nursery_python(const struct nursery *n); /* "3.11.2", borrowed */

/* One zygote; ctl and pidfd are -1 when there is none. */
struct zygote_end {
    int ctl;
    int pidfd;
    unsigned layers; /* what holds there: enum jail_layer bits */
    unsigned runs;   /* since it was made */
};

/* Makes a zygote in the best jail there is: when namespaces are refused it is made without, and
 * *why (if not NULL, 128 bytes) says what was tried. Blocks for a few milliseconds. */
int nursery_spawn(struct nursery *n, struct zygote_end *out, char *why,
                  struct px_err *err) PX_MUST_CHECK;

/* Kills it (its namespace dies with it) and closes both descriptors. */
void zygote_end_close(struct zygote_end *z);

#endif
