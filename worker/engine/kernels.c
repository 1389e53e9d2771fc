/* kernels.c - which table of kernels this CPU runs. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define MAX_TABLES 4

#if defined(__x86_64__)
/* Not every compiler's __builtin_cpu_supports knows this name. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* CPU, kernel and hypervisor agree: tiles of bytes are there and this process may use them. */
static bool amx_is_allowed(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    enum { AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25, OSXSAVE = 1 << 27, XCR0_TILES = 3 << 17 };
    unsigned a, b, c, d, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_TILE) || !(d & AMX_INT8))
        return false;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return (xcr0 & XCR0_TILES) == XCR0_TILES &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* A product that AVX-512 gives as well: whoever cannot repeat its bits is not used. */
static bool amx_is_right(void)
{
    enum { N_IN = 96, N_OUT = PANEL_OUTPUTS, ROWS = 24 };
    static uint8_t panel[PANEL_OUTPUTS * (N_IN + N_IN / 16)] __attribute__((aligned(64)));
    static uint8_t act[ROWS * 512] __attribute__((aligned(64)));
    static float x[ROWS * N_IN], y[2][ROWS * N_OUT];
    const struct weight w = {GGML_Q8_0, panel, N_IN, N_OUT, WEIGHT_PANELS};
    uint32_t h = 1;
    for (size_t i = 0; i < sizeof panel; i++) /* halves of finite scales among them */
        panel[i] = (uint8_t)((h = h * 1664525u + 1013904223u) >> 24) & 0x7b;
    for (size_t i = 0; i < ROWS * N_IN; i++)
        x[i] = (float)(int32_t)(h = h * 1664525u + 1013904223u);
    if (panel_bytes(w.type, N_IN) > sizeof panel || act_bytes_any(w.type, N_IN, ROWS) > sizeof act)
        return false;
    kernels_avx512.act_prepare(w.type, x, N_IN, ROWS, act);
    kernels_avx512.matmul(&w, act, ROWS, y[0], N_OUT, 0, N_OUT);
    kernels_amx()->matmul(&w, act, ROWS, y[1], N_OUT, 0, N_OUT);
    return memcmp(y[0], y[1], sizeof y[0]) == 0;
}

static bool amx_is_there;

static void probe_amx(void)
{
    amx_is_there = amx_is_allowed() && amx_is_right();
}

/* Asked once: the permission holds for the process and its later threads. */
static bool has_amx(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, probe_amx);
    return amx_is_there;
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
        __builtin_cpu_supports("avx512vnni")) {
        out[n++] = &kernels_avx512;
        if (has_amx())
            out[n++] = kernels_amx();
    }
#elif defined(__aarch64__)
    out[n++] = &kernels_neon; /* every 64-bit ARM that runs Linux has vectors */
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP)
        out[n++] = &kernels_neon_dot;
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
