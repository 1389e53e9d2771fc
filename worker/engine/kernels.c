/* kernels.c - which table of kernels this CPU runs. */
#include <stdio.h>
#include <string.h>

#include "worker/engine/kernels_impl.h"

#define MAX_TABLES 3

/* The tables that this CPU can run, the definition first, the fastest last. */
static unsigned available(const struct kernels **out)
{
    unsigned n = 0;
    out[n++] = &kernels_scalar;
    return n;
}

const struct kernels *kernels_at(unsigned i)
{
    const struct kernels *tables[MAX_TABLES];
    return i < available(tables) ? tables[i] : NULL;
}

const struct kernels *kernels_choose(const char *isa, struct px_err *err)
{
    const struct kernels *tables[MAX_TABLES];
    unsigned n = available(tables);
    if (strcmp(isa, "auto") == 0)
        return tables[n - 1];
    for (unsigned i = 0; i < n; i++)
        if (strcmp(isa, tables[i]->isa) == 0)
            return tables[i];
    char list[128] = "auto";
    for (unsigned i = 0; i < n; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, ", %s", tables[i]->isa);
    }
    px_fail(err, PX_EUNSUPPORTED,
            "instruction set \"%.40s\" is not available on this CPU; use one of: %s", isa, list);
    return NULL;
}
