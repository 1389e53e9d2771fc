/* fuzz_store.c - any bytes are a stored record, a manifest head, a group's table of units or a list
 * of gates, or an error; what is understood can be written again, gates read back the same. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/gate_record.h"
#include "coordinator/store/manifest.h"
#include "coordinator/store/record.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

/* The first byte says what the rest is. */
enum { AS_HEAD = 'h', AS_GROUP = 'g', AS_RECORD = 'r', AS_GATES = 'b' };

static const char gates[] =
    "b[{\"task\":\"t\",\"metric\":\"pass@2\",\"model\":\"m\",\"cell\":\"c\",\"bound\":\"at_least\","
    "\"severity\":\"stop_early\",\"threshold\":0.5,\"after\":3}]";

static const char head[] =
    "h{\"recipe\":\"r\",\"run_dir\":\"/run\",\"seed\":\"18446744073709551615\",\"models\":[{}],"
    "\"plan_digest\":\"ab\",\"cells\":[{\"names\":[\"a\",\"b\"],\"model\":\"m\",\"settings\":"
    "{\"reuse\":{\"k\":2}},\"speedup_bound\":1.25,\"reuse_on\":true}],\"tasks\":[{\"name\":\"t\","
    "\"request\":\"generate\",\"headline\":\"acc\",\"scorer\":\"choice\",\"chance\":0.25,"
    "\"n_problems\":3,\"digest\":\"cd\"}],\"groups\":[{\"cell\":0,\"task\":0,\"n_units\":2}]}";

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    struct px_buf b;
    px_buf_init(&b, cap);
    if (i == 0) {
        px_buf_put(&b, head, sizeof head - 1);
    } else if (i == 1) {
        static const uint8_t key[PX_DIGEST_SIZE] = {1, 2, 3};
        px_buf_char(&b, AS_GROUP);
        px_buf_u32(&b, 0);
        px_buf_u32(&b, 0);
        px_buf_u32(&b, 2);
        for (uint32_t k = 0; k < 2; k++) {
            px_buf_put(&b, key, sizeof key);
            px_buf_u32(&b, k);
            px_buf_cstr(&b, k ? "HumanEval/0" : "");
        }
    } else if (i == 2) {
        uint8_t rec[RECORD_HEADER + 5] = {0};
        record_seal(rec, 5);
        px_buf_char(&b, AS_RECORD);
        px_buf_put(&b, rec, sizeof rec);
    }
    if (i == 3)
        px_buf_put(&b, gates, sizeof gates - 1);
    size_t n = b.len;
    if (n)
        memcpy(out, b.data, n);
    px_buf_clear(&b);
    return n;
}

static void try_head(const uint8_t *p, size_t n)
{
    struct px_err err = {0};
    struct manifest *m = manifest_decode_head(p, n, &err);
    if (!m) {
        px_assert(err.code != PX_OK);
        return;
    }
    for (uint32_t i = 0; i < m->n_groups; i++) {
        px_assert(m->groups[i].cell < m->n_cells && m->groups[i].task < m->n_tasks);
        m->groups[i].n_units = 0; /* their units are elsewhere */
    }
    struct store_batch *b = store_batch_new();
    manifest_write(m, b);
    store_batch_free(&b);
    manifest_free(&m);
}

static void try_group(const uint8_t *p, size_t n)
{
    struct px_reader r;
    struct px_err err = {0};
    struct manifest_group g = {0};
    px_reader_init(&r, p, n);
    g.cell = px_get_u32(&r);
    g.task = px_get_u32(&r);
    g.n_units = px_get_u32(&r);
    uint32_t n_units = g.n_units;
    px_assert(manifest_decode_group(p, n, &g, &err) == 0 || err.code == PX_EINPUT);
    for (uint32_t i = 0; g.units && i < n_units; i++)
        free(g.units[i].problem);
    free(g.units);
}

static void try_gates(const uint8_t *p, size_t n)
{
    uint32_t count, again;
    struct px_buf json;
    struct gate *list = gates_parse(p, n, &count);
    px_buf_init(&json, 64u << 20);
    gates_json(list, count, &json);
    struct gate *same = gates_parse(json.data, json.len, &again);
    px_assert(count == again);
    for (uint32_t i = 0; i < count; i++)
        px_assert(list[i].after == same[i].after && strcmp(list[i].metric, same[i].metric) == 0 &&
                  list[i].bound == same[i].bound);
    gates_free_list(list, count);
    gates_free_list(same, again);
    px_buf_clear(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const void *payload;
    size_t n;
    if (size == 0)
        return 0;
    if (data[0] == AS_HEAD)
        try_head(data + 1, size - 1);
    else if (data[0] == AS_GROUP)
        try_group(data + 1, size - 1);
    else if (data[0] == AS_GATES)
        try_gates(data + 1, size - 1);
    else if (record_open(data + 1, size - 1, &payload, &n))
        px_assert(n == size - 1 - RECORD_HEADER);
    return 0;
}
