/* Any frames are a message or an error. The first bytes say where the frames end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"

static void try_bodies(const uint8_t *p, size_t n, int64_t count)
{
    void *a;
    if (wire_unpack_units(p, n, count, (struct wire_unit **)&a, NULL) == 0)
        free(a);
    if (wire_unpack_results(p, n, count, (struct wire_result **)&a, NULL) == 0)
        free(a);
    if (wire_unpack_keys(p, n, count, (struct px_digest **)&a, NULL) == 0)
        free(a);
}

static void try_message(const struct wire_frame *f, unsigned n)
{
    struct wire_msg m, again;
    struct px_buf json;
    if (wire_parse(f, n, &m, NULL) != 0)
        return;
    for (unsigned i = 0; i < WIRE_MAX_BODIES; i++)
        try_bodies(m.body[i], m.n_body[i], m.n);
    px_buf_init(&json, 4 * WIRE_JSON_LIMIT);
    wire_put_json(&m, &json);
    struct wire_frame g[2 + WIRE_MAX_BODIES];
    memcpy(g, f, n * sizeof *f);
    g[1] = (struct wire_frame){json.data, json.len};
    px_assert(wire_parse(g, n, &again, NULL) == 0);
    wire_clear(&again);
    wire_clear(&m);
    px_buf_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6)
        return 0;
    uint8_t header[WIRE_HEADER];
    struct wire_frame f[5];
    unsigned n = 2 + data[0] % 4;
    size_t json = data[1] + 256u * (data[2] % 4);
    const uint8_t *p = data + 6;
    size_t left = size - 6;
    try_bodies(p, left, (int8_t)data[4]);
    wire_put_header(header, (enum wire_kind)(data[3] % (WIRE_N_KINDS + 2)));
    header[4] = (uint8_t)(WIRE_VERSION + (data[5] == 255));
    f[0] = (struct wire_frame){header, WIRE_HEADER};
    json = json < left ? json : left;
    f[1] = (struct wire_frame){p, json};
    p += json;
    left -= json;
    for (unsigned i = 2; i < n; i++) {
        size_t k = i + 1 < n ? left / 2 : left;
        f[i] = (struct wire_frame){p, k};
        p += k;
        left -= k;
    }
    try_message(f, n);
    return 0;
}

/* One full message of each kind. */
size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    struct px_buf b, json;
    enum wire_kind k = (enum wire_kind)(i + 1);
    struct wire_msg m = {.kind = k, .n = 1};
    struct px_digest key = px_sha256("key", 3);
    if (k >= WIRE_N_KINDS)
        return 0;
    px_buf_init(&b, cap);
    px_buf_init(&json, WIRE_JSON_LIMIT);
    wire_put_json(&m, &json);
    uint8_t head[6] = {
        (uint8_t)wire_n_bodies(k), (uint8_t)json.len, (uint8_t)(json.len >> 8), (uint8_t)k, 1, 0};
    px_buf_put(&b, head, sizeof head);
    px_buf_put(&b, json.data, json.len);
    if (k == WIRE_WORK)
        wire_pack_unit(&b, 1, "0123456789abcdef", 16);
    else if (k == WIRE_DONE)
        wire_pack_result(&b, 7, &key, "record", 6);
    else if (wire_n_bodies(k))
        wire_pack_key(&b, &key);
    size_t n = b.len;
    memcpy(out, b.data, n);
    px_buf_clear(&b);
    px_buf_clear(&json);
    return n;
}
