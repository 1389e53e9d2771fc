/* span.h - borrowed bytes with their length; they may hold anything, NUL included. */
#ifndef PROTO_SPAN_H
#define PROTO_SPAN_H

#include <stddef.h>

struct span {
    const char *p;
    size_t n;
};

#endif
