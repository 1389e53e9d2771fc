/* kernels_amx_emulated.c - the AMX kernels over tiles in plain C, for tests on any AVX-512 machine.
 *
 * Only tests refer to it, so no program holds it. */
#define AMX_EMULATED
#define kernels_amx kernels_amx_emulated
#include "worker/engine/kernels_amx.c"
