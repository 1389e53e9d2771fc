/* kernels.c - which table of kernels this CPU runs. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "worker/engine/kernels_impl.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define MAX_TABLES 3

#if defined(__x86_64__)
/* Not every compiler's __builtin_cpu_supports knows this name. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

/* The tables that this CPU can run, the definition first, the fastest last. */
static unsigned available(const struct kernels **out)
{
    unsigned n = 0;
    out[n++] = &kernels_scalar;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    if (avx2)
        out[n++] = &kernels_avx2;
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni"))
        out[n++] = &kernels_avx512;
#endif
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
