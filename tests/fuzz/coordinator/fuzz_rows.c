/* fuzz_rows.c - any bytes are rows or an error, in each format; rows that were taken can be read,
 * and what was read of JSON is written as JSON that reads the same. The first byte is the format.
 */
#include <string.h>

#include "coordinator/task/rows.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"x.jsonl", "x.csv", "x.json", "x.jsonl.gz",
                                    "x.txt",   "x.csv", "x.json", "x.raw"};

static const char *const texts[] = {
    "0{\"a\": [1, -2.5e3, \"\\u00e9\\ud83d\\ude00\\n\"], \"b\": {\"c\": null}}\n\n{\"a\": "
    "true}\r\n",
    "1q,\"a b\",c\r\n1,\"two, \"\"2\"\"\r\nlines\",\r\n\r\n\"\",x,\"\"\"\"\n",
    "2{\"n\": 2, \"rows\": [ {\"a\": \"1\"},\n {\"a\": 12345678901234567890123} ], \"z\": {}}",
    "2[{}, {\"a\": 1, \"a\": 2}]", "7 \n = A = \ntext\n = = b = = \n\n = C = \n"};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

static void check_row(const struct rows *r, uint32_t i, struct arena *a, struct px_buf *out)
{
    struct px_err err;
    struct value row = rows_get(r, i, a), again;
    px_assert(row.kind == VALUE_MAP);
    px_buf_reset(out);
    value_write_json(&row, out);
    px_assert(value_parse_json(a, (char *)out->data, out->len, &again, &err) == 0);
    px_assert(value_equal(&row, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_err err;
    struct px_buf out;
    static char path[] = "rows";
    if (size < 1)
        return 0;
    struct rows_spec spec = {.n_rows = -1};
    if (data[0] & 4)
        spec.records = path;
    if (data[0] == '2' && size > 1 && data[1] == '{')
        spec.records = path;
    size_t n = size - 1;
    if ((data[0] & 7) == 7)
        px_assert((spec.page = pyregex_new((struct span){" = [A-Z]", 8}, 0, &err)) != NULL);
    px_buf_init(&out, 64u << 20);
    struct rows *r = rows_parse(&spec, names[data[0] & 7], px_xmemdup(data + 1, n), n, &err);
    struct arena *a = arena_new();
    for (uint32_t i = 0; r && i < rows_count(r) && i < 200; i++) {
        arena_reset(a);
        check_row(r, i, a, &out);
        px_assert(rows_line(r, i) >= 1);
    }
    arena_free(&a);
    px_buf_clear(&out);
    rows_free(&r);
    pyregex_free(spec.page);
    return 0;
}
