/* test_prompt_check.c - every accident that a prompt can have is seen when it is planted, and a
 * sound prompt has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../proto/gguf_builder.h"
#include "coordinator/plan/prompt_check.h"
#include "proto/accident.h"
#include "proto/file.h"
#include "scratch.h"

enum { BOS = TINY_BYTES + 4, LETTER = 'a' };

static char dir[64];
static struct model_file model;
static struct task *numeric, *code;

static int set_up(void **state)
{
    (void)state;
    struct gguf_builder b;
    struct tiny_options o = {.add_bos = true};
    struct task_env env = {0};
    struct px_err err = {0};
    size_t n;
    setenv("PROCTOR_HOME", ".", 1); /* tests run in the root of the repository */
    scratch_make(dir);
    builder_init(&b);
    builder_str(&b, "general.architecture", "llama");
    tiny_vocabulary(&b, &o);
    builder_u32(&b, "tokenizer.ggml.bos_token_id", BOS);
    PX_FREE uint8_t *bytes = builder_finish(&b, &n);
    PX_FREE char *path = px_xasprintf("%s/m.gguf", dir);
    assert_int_equal(px_write_file(path, bytes, n, &err), 0);
    model.gguf = gguf_open(path, &err);
    model.tokenizer = model.gguf ? tokenizer_new(model.gguf, &err) : NULL;
    numeric = task_load("small_numeric", &env, &err);
    code = task_load("small_code", &env, &err);
    if (!model.tokenizer || !numeric || !code)
        print_error("%s\n", err.text);
    return model.tokenizer && numeric && code ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    task_free(&numeric);
    task_free(&code);
    model_file_clear(&model);
    scratch_remove(dir);
    return 0;
}

static char text_question[] = "Question: how many?\nAnswer:", no_text[] = "";
static char stop[] = "Question:", *stops[] = {stop};

/* Accidents of a prompt of these tokens that asks this; chat: in one message. */
static uint32_t look(const struct task *t, bool chat, const char *question, uint32_t a, uint32_t b)
{
    struct chat_message said = {"user", question};
    uint32_t tokens[] = {a, b, LETTER};
    struct plan_group g = {.chat = chat, .generate = {.stops = stops, .n_stops = 1}};
    struct task_prompt p = {.prompt = no_text,
                            .question = (char *)(uintptr_t)question,
                            .messages = &said,
                            .n_messages = chat ? 1 : 0};
    struct unit u = {.prompt = tokens, .n_prompt = 3};
    return prompt_accidents(&g, &model, t, &p, &u);
}

static void a_sound_prompt_has_no_accident(void **state)
{
    (void)state;
    assert_int_equal(look(numeric, false, text_question, BOS, LETTER), 0);
    assert_int_equal(look(numeric, true, "how many?", BOS, LETTER), 0);
}

static void bos_is_counted(void **state)
{
    (void)state;
    assert_int_equal(look(numeric, false, text_question, BOS, BOS), ACCIDENT_DOUBLE_BOS);
    assert_int_equal(look(numeric, false, text_question, LETTER, BOS), ACCIDENT_MISSING_BOS);
}

static void a_template_inside_a_template_is_seen(void **state)
{
    (void)state;
    static const char twice[] = "<|im_start|>user\nhow many?<|im_end|>";
    assert_int_equal(look(numeric, true, twice, BOS, LETTER), ACCIDENT_TEMPLATE_TWICE);
    assert_int_equal(look(numeric, false, twice, BOS, LETTER), 0); /* text about templates */
}

static void a_stop_string_in_the_question_is_seen(void **state)
{
    (void)state;
    static const char quotes[] = "Question: what does Question: mean?\nAnswer:";
    assert_int_equal(look(numeric, false, quotes, BOS, LETTER), ACCIDENT_STOP_IN_PROMPT);
    assert_int_equal(look(numeric, true, text_question, BOS, LETTER), ACCIDENT_STOP_IN_PROMPT);
    assert_int_equal(look(code, false, quotes, BOS, LETTER), 0); /* code goes on from code */
}

static void accidents_have_names(void **state)
{
    (void)state;
    uint32_t all = 0;
    for (int i = 0; i < N_ACCIDENTS; i++) {
        assert_int_equal(accident_by_name(accident_name(i)), accident_bit(i));
        assert_int_equal(all & accident_bit(i), 0);
        all |= accident_bit(i);
    }
    assert_int_equal(accident_by_name("luck"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_prompt_has_no_accident),
        cmocka_unit_test(bos_is_counted),
        cmocka_unit_test(a_template_inside_a_template_is_seen),
        cmocka_unit_test(a_stop_string_in_the_question_is_seen),
        cmocka_unit_test(accidents_have_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
