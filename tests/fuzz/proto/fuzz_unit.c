/* Any bytes are a job, a unit, a completion, a verdict or an error; what decodes encodes again to
 * the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/unit.h"
#include "tests/fuzz/fuzz.h"

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

static uint32_t tokens[] = {1, 2, 3};

static void put_seed(unsigned i, struct px_buf *b)
{
    char *text = (char *)(uintptr_t) "text";
    struct unit_choice choice = {tokens, 2, 1, 4, 4};
    struct choice_score score = {-1.5, true, 2, 4, 4};
    struct job j = {.kind = UNIT_CHOICE,
                    .backend = BACKEND_NATIVE,
                    .task = text,
                    .reuse = {2, tokens, 3, REUSE_SKIP, REUSE_KV_COPY},
                    .stops = &text,
                    .n_stops = 1,
                    .stop_tokens = tokens,
                    .n_stop_tokens = 3};
    struct unit u = {.prompt = tokens, .n_prompt = 3, .choices = &choice, .n_choices = 1};
    struct completion c = {.finish = FINISH_STOP,
                           .text = text,
                           .n_text = 4,
                           .tokens = tokens,
                           .n_tokens = 3,
                           .choices = &score,
                           .n_choices = 1};
    struct verdict v = {.class = VERDICT_PASSED, .extracted = text, .n_extracted = 4};
    verdict_add_metric(&v, "pass@1", 1);
    if (i == 0)
        job_encode(&j, b);
    else if (i == 1)
        unit_encode(&u, b);
    else if (i == 2)
        completion_encode(&c, b);
    else
        verdict_encode(&v, b);
    free(v.metrics[0].name);
    free(v.metrics);
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    struct px_buf b;
    if (i > 3)
        return 0;
    px_buf_init(&b, cap);
    put_seed(i, &b);
    size_t n = b.len;
    memcpy(out, b.data, n);
    px_buf_clear(&b);
    return n;
}
