/* The encodings of jobs, units, completions and verdicts: what goes in comes out, and any other
 * bytes are an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/unit.h"

#define S(literal) ((char *)(literal)) /* the structs own theirs; these only lend */

static char *stops[] = {S("\nQ:"), S("</s>")};
static uint32_t layers[] = {3, 4, 7};
static uint32_t stop_tokens[] = {2, 151643};
static uint32_t prompt[] = {1, 2, 3, 0xffffffffu};
static uint32_t cont[] = {9};

static struct job sample_job(void)
{
    struct job j = {.kind = UNIT_GENERATE,
                    .task = S("gsm8k"),
                    .backend = BACKEND_NATIVE,
                    .model_name = S("base"),
                    .model_path = S("/models/base.gguf"),
                    .model_bytes = 123456789012,
                    .sampler = {0.7, 40, 0.95, 0.05, 1234},
                    .max_tokens = 512,
                    .context = 2048,
                    .kv = KV_Q8_0,
                    .reuse = {2, layers, 3, REUSE_SKIP, REUSE_KV_COPY},
                    .stops = stops,
                    .n_stops = 2,
                    .stop_tokens = stop_tokens,
                    .n_stop_tokens = 2,
                    .think = {stop_tokens, 1, prompt, 2, 100, true},
                    .scorer = S(""),
                    .options = S("")};
    memset(j.model.b, 7, sizeof j.model.b);
    return j;
}

static struct unit sample_unit(void)
{
    static struct unit_choice choices[] = {{cont, 1, 0, 4, 3}, {prompt, 4, 2, 10, 9}};
    static uint8_t completion[] = {'C', 0, 1};
    struct unit u = {.problem = S("HumanEval/0"),
                     .sample = 3,
                     .turn = 1,
                     .prompt = prompt,
                     .n_prompt = 4,
                     .choices = choices,
                     .n_choices = 2,
                     .problem_json = S("{\"gold\": 1}"),
                     .completion = completion,
                     .n_completion = 3};
    memset(u.key.b, 9, sizeof u.key.b);
    return u;
}

static struct completion sample_completion(void)
{
    static struct choice_score scores[] = {{-1.25, true, 2, 5, 5}, {-INFINITY, false, 1, 2, 1}};
    return (struct completion){.finish = FINISH_STOP,
                               .text = S("a\0b"),
                               .n_text = 3,
                               .tokens = prompt,
                               .n_tokens = 4,
                               .choices = scores,
                               .n_choices = 2,
                               .n_prompt = 17,
                               .decode_steps = 5,
                               .refresh_steps = 2,
                               .reused_layer_steps = 1ull << 40,
                               .think = THINK_CLOSED,
                               .n_think_tokens = 2,
                               .answer_at = 2,
                               .error = S(""),
                               .host = S("here"),
                               .worker = S("w1"),
                               .backend = S("native"),
                               .isa = S("avx2"),
                               .build = S("0.1.0"),
                               .prefill_s = 0.5,
                               .decode_s = 1.5,
                               .queue_s = 0.25,
                               .attempts = 2,
                               .batch = 16,
                               .n_prompt_computed = 9,
                               .rss_bytes = 1 << 20,
                               .wall_us = -5};
}

static struct verdict sample_verdict(void)
{
    static struct metric_value metrics[] = {{S("pass@1"), 1}, {S("acc"), 0.25}};
    return (struct verdict){.class = VERDICT_RUNTIME_ERROR,
                            .extracted = S("def f(): pass"),
                            .n_extracted = 13,
                            .rule = S("fence"),
                            .metrics = metrics,
                            .n_metrics = 2,
                            .exception = S("ValueError"),
                            .signal = -9,
                            .assurance = S("split"),
                            .visible = S("no"),
                            .accidents = 5,
                            .detail = S("line 3"),
                            .cpu_s = 0.1,
                            .wall_s = 0.2,
                            .runqueue_s = 0.05,
                            .rss_bytes = 5,
                            .output_bytes = 6,
                            .stderr_tail = S("tail"),
                            .jail = S("{}"),
                            .host = S("here"),
                            .attempts = 1,
                            .wall_us = 77};
}

/* Each decoder behind one face, to hold all four to the same rules. */
static int try_job(const void *p, size_t n, struct px_buf *again)
{
    struct job j;
    if (job_decode(p, n, &j, NULL) != 0)
        return -1;
    job_encode(&j, again);
    job_clear(&j);
    return 0;
}

static int try_unit(const void *p, size_t n, struct px_buf *again)
{
    struct unit u;
    if (unit_decode(p, n, &u, NULL) != 0)
        return -1;
    unit_encode(&u, again);
    unit_clear(&u);
    return 0;
}

static int try_completion(const void *p, size_t n, struct px_buf *again)
{
    struct completion c;
    if (completion_decode(p, n, &c, NULL) != 0)
        return -1;
    completion_encode(&c, again);
    completion_clear(&c);
    return 0;
}

static int try_verdict(const void *p, size_t n, struct px_buf *again)
{
    struct verdict v;
    if (verdict_decode(p, n, &v, NULL) != 0)
        return -1;
    verdict_encode(&v, again);
    verdict_clear(&v);
    return 0;
}

typedef int (*try_fn)(const void *p, size_t n, struct px_buf *again);

static void hold(const struct px_buf *enc, try_fn try_decode)
{
    struct px_buf again;
    px_buf_init(&again, UNIT_LIMIT);
    assert_int_equal(try_decode(enc->data, enc->len, &again), 0);
    assert_int_equal(again.len, enc->len);
    assert_memory_equal(again.data, enc->data, enc->len);
    for (size_t n = 0; n < enc->len; n++) /* exact copies, so that ASan sees an overread */
    {
        void *cut = px_xmemdup(enc->data, n);
        assert_int_equal(try_decode(cut, n, &again), -1);
        px_free_ptr(&cut);
    }
    uint8_t *longer = (uint8_t *)px_xmemdup(enc->data, enc->len); /* one NUL behind it */
    assert_int_equal(try_decode(longer, enc->len + 1, &again), -1);
    longer[1] ^= 0x40;
    assert_int_equal(try_decode(longer, enc->len, &again), -1);
    px_free_ptr(&longer);
    px_buf_clear(&again);
}

static void every_record_survives_its_encoding(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    struct job j = sample_job();
    job_encode(&j, &b);
    hold(&b, try_job);
    px_buf_reset(&b);
    struct unit u = sample_unit();
    unit_encode(&u, &b);
    hold(&b, try_unit);
    px_buf_reset(&b);
    struct completion c = sample_completion();
    completion_encode(&c, &b);
    hold(&b, try_completion);
    px_buf_reset(&b);
    struct verdict v = sample_verdict();
    verdict_encode(&v, &b);
    hold(&b, try_verdict);
    px_buf_clear(&b);
}

static void fields_come_back(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    struct job j = sample_job(), back;
    job_encode(&j, &b);
    assert_int_equal(job_decode(b.data, b.len, &back, NULL), 0);
    assert_int_equal(back.kind, UNIT_GENERATE);
    assert_string_equal(back.model_path, "/models/base.gguf");
    assert_true(back.sampler.temperature > 0.69 && back.sampler.top_k == 40);
    assert_int_equal(back.reuse.layers[2], 7);
    assert_string_equal(back.stops[1], "</s>");
    assert_int_equal(back.stop_tokens[1], 151643);
    job_clear(&back);
    px_buf_reset(&b);
    struct completion c = sample_completion(), cc;
    completion_encode(&c, &b);
    assert_int_equal(completion_decode(b.data, b.len, &cc, NULL), 0);
    assert_int_equal(cc.n_text, 3);
    assert_memory_equal(cc.text, "a\0b", 4);
    assert_true(cc.choices[0].greedy && isinf(cc.choices[1].logprob));
    assert_int_equal(cc.wall_us, -5);
    completion_clear(&cc);
    px_buf_reset(&b);
    struct verdict v = sample_verdict(), vv;
    verdict_encode(&v, &b);
    assert_int_equal(verdict_decode(b.data, b.len, &vv, NULL), 0);
    assert_int_equal(vv.signal, -9);
    assert_true(verdict_metric(&vv, "acc", -1) > 0.2);
    assert_true(verdict_metric(&vv, "none", -1) < 0);
    verdict_add_metric(&vv, "f1", 0.5);
    assert_true(verdict_metric(&vv, "f1", -1) > 0.4);
    verdict_clear(&vv);
    px_buf_clear(&b);
}

static void zeroed_structs_with_their_enums_can_be_encoded(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    struct job j = {.kind = UNIT_SCORE};
    job_encode(&j, &b);
    hold(&b, try_job);
    px_buf_reset(&b);
    struct unit u = {.sample = 0};
    unit_encode(&u, &b);
    hold(&b, try_unit);
    px_buf_reset(&b);
    struct completion c = {.finish = FINISH_ERROR};
    completion_encode(&c, &b);
    hold(&b, try_completion);
    px_buf_clear(&b);
}

static void the_result_digest_does_not_see_what_was_observed(void **state)
{
    (void)state;
    struct px_buf b;
    struct px_digest a, d;
    px_buf_init(&b, UNIT_LIMIT);
    struct completion c = sample_completion();
    completion_encode(&c, &b);
    assert_int_equal(completion_result_digest(b.data, b.len, &a, NULL), 0);
    c.host = S("elsewhere");
    c.decode_s = 99;
    c.attempts = 7;
    px_buf_reset(&b);
    completion_encode(&c, &b);
    assert_int_equal(completion_result_digest(b.data, b.len, &d, NULL), 0);
    assert_true(px_digest_eq(&a, &d));
    c.decode_steps++;
    px_buf_reset(&b);
    completion_encode(&c, &b);
    assert_int_equal(completion_result_digest(b.data, b.len, &d, NULL), 0);
    assert_false(px_digest_eq(&a, &d));

    struct verdict v = sample_verdict();
    px_buf_reset(&b);
    verdict_encode(&v, &b);
    assert_int_equal(verdict_result_digest(b.data, b.len, &a, NULL), 0);
    v.stderr_tail = S("other");
    px_buf_reset(&b);
    verdict_encode(&v, &b);
    assert_int_equal(verdict_result_digest(b.data, b.len, &d, NULL), 0);
    assert_true(px_digest_eq(&a, &d));
    assert_int_equal(completion_result_digest(b.data, b.len, &d, NULL), -1);
    px_buf_clear(&b);
}

static void a_count_larger_than_the_bytes_left_allocates_nothing(void **state)
{
    (void)state;
    struct px_buf b;
    struct px_err err;
    px_buf_init(&b, UNIT_LIMIT);
    struct unit u = sample_unit(), back;
    unit_encode(&u, &b);
    size_t at = 2 + 32 + 4 + strlen(u.problem) + 8; /* the prompt's count */
    px_store_u32(b.data + at, 0x7fffffff);
    assert_int_equal(unit_decode(b.data, b.len, &back, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
    px_buf_clear(&b);
}

static void text_with_a_nul_inside_is_refused(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    struct unit u = sample_unit(), back;
    unit_encode(&u, &b);
    b.data[2 + 32 + 4 + 2] = '\0';
    assert_int_equal(unit_decode(b.data, b.len, &back, NULL), -1);
    px_buf_clear(&b);
}

static void names_are_those_of_the_documents(void **state)
{
    (void)state;
    assert_string_equal(verdict_class_name(VERDICT_PASSED), "passed");
    assert_string_equal(verdict_class_name(VERDICT_FAILED_ASSERTION), "failed_assertion");
    assert_string_equal(verdict_class_name(VERDICT_SECURITY_VIOLATION), "security_violation");
    assert_string_equal(verdict_class_name(VERDICT_ERROR), "error");
    assert_string_equal(verdict_class_name(VERDICT_UNSCORED), "unscored");
    assert_string_equal(verdict_class_name((enum verdict_class)99), "unknown");
    assert_string_equal(finish_name(FINISH_TOO_LONG), "too-long");
    assert_string_equal(finish_name(FINISH_SCORED), "scored");
    assert_string_equal(unit_kind_name(UNIT_IMPORT), "import");
    assert_string_equal(backend_kind_name(BACKEND_REPLAY), "replay");
    assert_int_equal(unit_kind_role(UNIT_CHOICE), ROLE_GENERATE);
    assert_int_equal(unit_kind_role(UNIT_SCORE), ROLE_SCORE);
    assert_int_equal(unit_kind_role(UNIT_IMPORT), ROLE_STAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_survives_its_encoding),
        cmocka_unit_test(fields_come_back),
        cmocka_unit_test(zeroed_structs_with_their_enums_can_be_encoded),
        cmocka_unit_test(the_result_digest_does_not_see_what_was_observed),
        cmocka_unit_test(a_count_larger_than_the_bytes_left_allocates_nothing),
        cmocka_unit_test(text_with_a_nul_inside_is_refused),
        cmocka_unit_test(names_are_those_of_the_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
