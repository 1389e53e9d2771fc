/* Any bytes are a job, a unit, a completion, a verdict or an error; what decodes encodes again to
 * the same bytes. */
#include <stdint.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct px_buf *b, const uint8_t *data, size_t size)
{
    px_assert(b->len == size && memcmp(b->data, data, size) == 0);
    px_buf_reset(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_buf b;
    struct px_digest d;
    struct job j;
    struct unit u;
    struct completion c;
    struct verdict v;
    px_buf_init(&b, UNIT_LIMIT);
    if (job_decode(data, size, &j, NULL) == 0) {
        job_encode(&j, &b);
        same(&b, data, size);
        job_clear(&j);
    }
    if (unit_decode(data, size, &u, NULL) == 0) {
        unit_encode(&u, &b);
        same(&b, data, size);
        unit_clear(&u);
    }
    if (completion_decode(data, size, &c, NULL) == 0) {
        px_assert(completion_result_digest(data, size, &d, NULL) == 0);
        completion_encode(&c, &b);
        same(&b, data, size);
        completion_clear(&c);
    }
    if (verdict_decode(data, size, &v, NULL) == 0) {
        px_assert(verdict_result_digest(data, size, &d, NULL) == 0);
        verdict_encode(&v, &b);
        same(&b, data, size);
        verdict_clear(&v);
    }
    px_buf_clear(&b);
    return 0;
}
