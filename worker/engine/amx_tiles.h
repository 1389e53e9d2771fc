/* amx_tiles.h - the few AMX instructions that the kernels need, or the same in plain C (internal).
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (LDTILECFG,
 * TILELOADD, TILESTORED, TDPBSUD). Own assembly, because GCC's intrinsics may drop the
 * configuration (they claim to read 8 of its 64 bytes) and let loads pass stores. Tiles are
 * processor state that the compiler does not know: a function that uses them configures them first
 * and releases them before it returns. With AMX_EMULATED the tiles are arrays of the thread, so
 * that what the kernels do with them can be tested on any machine.
 *
 * Tile numbers are constants: 0 .. 3 hold sums, 4 activations, 5 weights. */
#ifndef WORKER_ENGINE_AMX_TILES_H
#define WORKER_ENGINE_AMX_TILES_H

#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64, TILE_SUMS = 4, TILE_ACT = 4, TILE_WEIGHT = 5 };

struct tile_config {
    uint8_t palette; /* 1 */
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_config) == 64, "as the instruction reads it");

/* Sums of n_rows x 16 outputs, from k bytes of each activation row and k / 4 vectors of weights. */
static inline struct tile_config tile_shape(uint32_t n_rows, uint32_t k)
{
    struct tile_config c = {.palette = 1};
    for (int i = 0; i < TILE_SUMS; i++) {
        c.rows[i] = (uint8_t)n_rows;
        c.row_bytes[i] = TILE_BYTES;
    }
    c.rows[TILE_ACT] = (uint8_t)n_rows;
    c.row_bytes[TILE_ACT] = (uint16_t)k;
    c.rows[TILE_WEIGHT] = (uint8_t)(k / 4);
    c.row_bytes[TILE_WEIGHT] = TILE_BYTES;
    return c;
}

#ifndef AMX_EMULATED

static inline void tile_configure(const struct tile_config *c)
{
    __asm__ volatile("ldtilecfg %0" ::"m"(*c) : "memory");
}

static inline void tile_release(void)
{
    __asm__ volatile("tilerelease" ::: "memory");
}

#define tile_zero(t) __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define tile_load(t, p, stride)                                                                    \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(p), "r"((int64_t)(stride)) : "memory")
#define tile_store(t, p, stride)                                                                   \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(p), "r"((int64_t)(stride))          \
                     : "memory")
/* sum += signed bytes of tile 4 times unsigned bytes of tile 5 */
#define tile_multiply(t) __asm__ volatile("tdpbsud %%tmm5, %%tmm4, %%tmm" #t ::: "memory")

#else

static _Thread_local struct tile_config tiles_shape;
static _Thread_local uint8_t tiles_data[8][TILE_ROWS][TILE_BYTES];

static inline void tile_configure(const struct tile_config *c)
{
    tiles_shape = *c;
    memset(tiles_data, 0, sizeof tiles_data);
}

static inline void tile_release(void)
{
    memset(&tiles_shape, 0, sizeof tiles_shape);
}

static inline void tile_zero(int t)
{
    memset(tiles_data[t], 0, sizeof tiles_data[t]);
}

static inline void tile_load(int t, const void *p, size_t stride)
{
    memset(tiles_data[t], 0, sizeof tiles_data[t]);
    for (int r = 0; r < tiles_shape.rows[t]; r++)
        memcpy(tiles_data[t][r], (const uint8_t *)p + r * stride, tiles_shape.row_bytes[t]);
}

static inline void tile_store(int t, void *p, size_t stride)
{
    for (int r = 0; r < tiles_shape.rows[t]; r++)
        memcpy((uint8_t *)p + r * stride, tiles_data[t][r], tiles_shape.row_bytes[t]);
}

static inline void tile_multiply(int t)
{
    for (int m = 0; m < tiles_shape.rows[t]; m++)
        for (int n = 0; n < tiles_shape.row_bytes[t] / 4; n++) {
            int32_t sum;
            memcpy(&sum, &tiles_data[t][m][4 * n], 4);
            for (int k = 0; k < tiles_shape.row_bytes[TILE_ACT]; k++)
                sum += (int8_t)tiles_data[TILE_ACT][m][k] *
                       tiles_data[TILE_WEIGHT][k / 4][4 * n + k % 4];
            memcpy(&tiles_data[t][m][4 * n], &sum, 4);
        }
}

#endif

#endif
