/* curve.h - the keys of tcp:// connections (CURVE, Z85 text), made at first use.
 *
 * A key directory (mode 0700) holds two files of mode 0600:
 *   server.key   public=... secret=...              stays with the coordinator
 *   client.key   public=... secret=... server=...   is what a worker on another host needs
 * A file that others may read is refused. */
#ifndef PROTO_CURVE_H
#define PROTO_CURVE_H

#include "proto/err.h"

#define CURVE_Z85 41 /* 40 characters and NUL */

struct curve_server {
    char public_key[CURVE_Z85];
    char secret_key[CURVE_Z85];
    char client[CURVE_Z85]; /* the public key that clients must have */
};

struct curve_client {
    char public_key[CURVE_Z85];
    char secret_key[CURVE_Z85];
    char server[CURVE_Z85];
};

/* Reads the coordinator's keys; makes the directory and both files when there are none. */
int curve_server_load(const char *dir, struct curve_server *out, struct px_err *err) PX_MUST_CHECK;
int curve_client_load(const char *dir, struct curve_client *out, struct px_err *err) PX_MUST_CHECK;

#endif
