/* Chat templates: the models' own are recognised, prompts equal the reference's byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/model/chat.h"
#include "proto/model/gguf.h"
#include "tests/unit/proto/reference.h"

static const char chatml[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

static enum chat_template recognised(const char *text, size_t len)
{
    struct px_err err = {0};
    enum chat_template t;
    if (chat_recognise(text, len, &t, &err) != 0)
        fail_msg("%s", err.text);
    return t;
}

static void expect(enum chat_template t, const struct chat_message *m, size_t n,
                   const struct chat_options *opt, const char *want)
{
    struct px_err err = {0};
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    if (chat_render(t, m, n, opt, &b, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal((const char *)b.data, want);
    px_buf_clear(&b);
}

static void plain_chatml_is_recognised_and_rendered(void **state)
{
    (void)state;
    const struct chat_message m[] = {{"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Bye"}};
    const struct chat_options opt = {.add_generation_prompt = true};
    assert_int_equal(recognised(chatml, strlen(chatml)), CHAT_CHATML);
    expect(CHAT_CHATML, m, 3, &opt,
           "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"
           "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
}

static void layout_and_quotes_do_not_matter(void **state)
{
    (void)state;
    static const char spread[] =
        "{%- if not add_generation_prompt is defined -%}\n{%- set add_generation_prompt = false -%}"
        "\n{%- endif -%}\n{#- a comment #}\n{%- for message in messages -%}\n  {{- "
        "\"<|im_start|>\" "
        "+ message.role + \"\n\" + message.content + \"<|im_end|>\\n\" -}}\n{%- endfor -%}\n"
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant' + '\\n' }}{%- endif -%}\n";
    assert_int_equal(recognised(spread, strlen(spread)), CHAT_CHATML);
}

static void a_changed_template_is_refused_with_its_first_line(void **state)
{
    (void)state;
    struct px_err err = {0};
    enum chat_template t;
    PX_FREE char *changed = px_xasprintf("{# mine #}\n%s{{ 'more' }}", chatml);
    assert_int_equal(chat_recognise(changed, strlen(changed), &t, &err), -1);
    assert_int_equal(err.code, PX_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "'{# mine #}' ..."));
    assert_non_null(strstr(err.text, "known are chatml"));
}

static void names_go_both_ways(void **state)
{
    (void)state;
    struct px_err err = {0};
    enum chat_template t;
    for (unsigned i = CHAT_CHATML; i <= CHAT_CHATML_SYSTEM; i++) {
        assert_int_equal(chat_template_by_name(chat_template_name((enum chat_template)i), &t, &err),
                         0);
        assert_int_equal(t, i);
    }
    assert_int_equal(chat_template_by_name("mistral", &t, &err), -1);
    assert_non_null(strstr(err.text, "'mistral'"));
}

static void roles_that_the_template_refuses_are_errors(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct px_buf b;
    const struct chat_options opt = {.add_generation_prompt = true};
    const struct chat_message twice[] = {{"user", "a"}, {"user", "b"}};
    const struct chat_message tool[] = {{"tool", "a"}};
    px_buf_init(&b, 1000);
    assert_int_equal(chat_render(CHAT_GEMMA2, twice, 2, &opt, &b, &err), -1);
    assert_non_null(strstr(err.text, "alternate"));
    assert_int_equal(chat_render(CHAT_QWEN3, tool, 1, &opt, &b, &err), -1);
    assert_non_null(strstr(err.text, "'tool'"));
    assert_int_equal(chat_render(CHAT_QWEN3, tool, 0, &opt, &b, &err), -1);
    assert_non_null(strstr(err.text, "no messages"));
    px_buf_clear(&b);
}

static void qwen3_keeps_the_last_answers_thoughts(void **state)
{
    (void)state;
    const struct chat_options opt = {.enable_thinking = true};
    const struct chat_message m[] = {{"user", "Q"}, {"assistant", "<think>\nhm\n</think>\n\nA"}};
    expect(CHAT_QWEN3, m, 2, &opt,
           "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nA"
           "<|im_end|>\n");
}

static void llama3_has_a_constant_date_unless_told(void **state)
{
    (void)state;
    const struct chat_options opt = {.add_generation_prompt = true, .bos = "<b>"};
    const struct chat_message m[] = {{"system", " s\n"}, {"user", "\xe3\x80\x80u\xc2\xa0"}};
    expect(CHAT_LLAMA3, m, 2, &opt,
           "<b><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
           "2023\nToday Date: 26 Jul 2024\n\ns<|eot_id|><|start_header_id|>user<|end_header_id|>"
           "\n\nu<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
}

/* Gemma's template raises an error for it; lm-evaluation-harness then leaves it out. */
static void a_refused_system_message_is_joined_or_dropped(void **state)
{
    (void)state;
    struct chat_options opt = {.add_generation_prompt = true, .bos = "<bos>"};
    const struct chat_message m[] = {{"system", "s"}, {"user", "u"}};
    expect(CHAT_GEMMA2, m, 2, &opt,
           "<bos><start_of_turn>user\ns\nu<end_of_turn>\n<start_of_turn>model\n");
    opt.drop_system = true;
    expect(CHAT_GEMMA2, m, 2, &opt,
           "<bos><start_of_turn>user\nu<end_of_turn>\n<start_of_turn>model\n");
    expect(CHAT_CHATML, m, 2, &opt,
           "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n"
           "<|im_start|>assistant\n");
}

/* ---- the reference's prompts ---- */

static enum chat_template template_named(const char *name)
{
    struct px_err err = {0};
    enum chat_template t;
    if (strcmp(name, "built-in-chatml") == 0) {
        PX_FREE char *path = reference_path("reference/models/rand-qwen3-Q8_0.gguf");
        struct gguf *g = gguf_open(path, &err);
        const char *text;
        size_t len;
        if (!g || gguf_get_str(g, "tokenizer.chat_template", &text, &len, &err) != 0)
            fail_msg("%s", err.text);
        t = recognised(text, len);
        gguf_free(&g);
        return t;
    }
    PX_FREE char *file = px_xasprintf("reference/goldens/chat/%s.jinja", name);
    PX_FREE char *path = reference_path(file);
    char *text;
    size_t len;
    if (px_read_file(path, 1 << 20, &text, &len, &err) != 0)
        fail_msg("%s", err.text);
    t = recognised(text, len);
    free(text);
    return t;
}

static void check_prompt(struct json_object *o)
{
    struct chat_message m[16];
    struct json_object *list = json_object_object_get(o, "messages");
    struct json_object *kwargs = json_object_object_get(o, "chat_template_kwargs");
    /* The reference server ran with <|endoftext|> as BOS, on the day in its prompts. */
    const struct chat_options opt = {
        .add_generation_prompt = true,
        .enable_thinking = !kwargs || px_json_bool_or(kwargs, "enable_thinking", true),
        .bos = "<|endoftext|>",
        .date = "21 Nov 2026"};
    size_t n = json_object_array_length(list);
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        m[i].role = px_json_str_or(one, "role", "");
        m[i].content = px_json_str_or(one, "content", "");
    }
    expect(template_named(px_json_str_or(o, "template", "")), m, n, &opt,
           px_json_str_or(o, "prompt", ""));
}

static void prompts_equal_the_reference(void **state)
{
    (void)state;
    REFERENCE_OR_SKIP(path, "reference/goldens/chat/rendered.json");
    struct json_object *all = reference_json(path);
    assert_true(json_object_array_length(all) >= 40);
    for (size_t i = 0; i < json_object_array_length(all); i++)
        check_prompt(json_object_array_get_idx(all, i));
    json_object_put(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_chatml_is_recognised_and_rendered),
        cmocka_unit_test(layout_and_quotes_do_not_matter),
        cmocka_unit_test(a_changed_template_is_refused_with_its_first_line),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(roles_that_the_template_refuses_are_errors),
        cmocka_unit_test(qwen3_keeps_the_last_answers_thoughts),
        cmocka_unit_test(llama3_has_a_constant_date_unless_told),
        cmocka_unit_test(a_refused_system_message_is_joined_or_dropped),
        cmocka_unit_test(prompts_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
