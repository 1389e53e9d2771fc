/* curl_lib.h - libcurl, loaded when something is fetched and not before.
 *
 * Linked in the usual way, its two dozen libraries would cost every command ten times the start-up
 * of the rest of Proctor. The types and constants are those of <curl/curl.h>. */
#ifndef COORDINATOR_DATA_CURL_LIB_H
#define COORDINATOR_DATA_CURL_LIB_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "proto/err.h"

struct curl_lib {
    __typeof__(&curl_easy_init) init;
    __typeof__(&curl_easy_reset) reset;
    __typeof__(&curl_easy_setopt) setopt;
    __typeof__(&curl_easy_getinfo) getinfo;
    __typeof__(&curl_easy_perform) perform;
    __typeof__(&curl_easy_strerror) strerror;
    __typeof__(&curl_easy_cleanup) cleanup;
};

/* Borrowed, never unloaded; NULL with err (PX_EMISSING) when the library is not installed. Not for
 * several threads at once. */
const struct curl_lib *curl_lib_get(struct px_err *err);

#endif
