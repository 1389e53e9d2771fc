/* config_internal.h - what the parts of the configuration's reader share. */
#ifndef PROTO_MODEL_CONFIG_INTERNAL_H
#define PROTO_MODEL_CONFIG_INTERNAL_H

#include "proto/model/config.h"

enum { MAX_LAYERS = MODEL_LAYERS_MAX, MAX_HEAD_DIM = 1 << 14, MAX_CONTEXT = 1 << 30 };

struct reading {
    const struct gguf *g;
    struct model_config *c;
    struct px_err *err;
    bool *used; /* per tensor: the architecture knows it */
};

/* "ARCHITECTURE.name" in out. */
const char *config_key(const struct reading *r, const char *name, char out[128]);
bool config_has(const struct reading *r, const char *name);
/* An integer from lo to hi; a missing one is an error, unless it has a default (def > 0). */
int config_u32(const struct reading *r, const char *name, uint32_t lo, uint32_t hi, uint32_t def,
               uint32_t *out) PX_MUST_CHECK;
/* A positive finite number; def > 0 stands in for a missing key. */
int config_positive(const struct reading *r, const char *name, double def,
                    double *out) PX_MUST_CHECK;

/* Rotation: dimensions, base and scaling. Heads have been read. */
int config_read_rope(struct reading *r) PX_MUST_CHECK;
/* Which layers see a window, and how far. Layers and context have been read. */
int config_read_window(struct reading *r) PX_MUST_CHECK;

#endif
