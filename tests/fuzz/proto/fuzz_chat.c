/* Any text is one of our chat templates or an error; any messages are rendered or refused. The
 * input is taken as a template's text, and as messages: lines, the role by the first letter. */
#include <string.h>

#include "proto/mem.h"
#include "proto/model/chat.h"
#include "tests/fuzz/fuzz.h"

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char *const seeds[] = {
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\\n' }}{% endif %}",
        "{#- comment -#}{%- if messages[0].role == \"system\" -%}{{- 'a' + 'b' -}}{%- endif -%}",
        "sBe brief.\nuHello\na<think>\nhm\n</think>\n\nHi\nu <tool_response>x</tool_response> ",
    };
    if (i >= sizeof seeds / sizeof seeds[0])
        return 0;
    size_t n = strlen(seeds[i]);
    px_assert(n <= cap);
    memcpy(out, seeds[i], n);
    return n;
}

static size_t split_lines(char *text, struct chat_message *m, size_t max)
{
    size_t n = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line && n < max;
         line = strtok_r(NULL, "\n", &save)) {
        m[n].role = line[0] == 's'   ? "system"
                    : line[0] == 'u' ? "user"
                    : line[0] == 'a' ? "assistant"
                                     : "tool";
        m[n++].content = line + 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chat_message m[8];
    struct px_err err;
    enum chat_template t;
    struct px_buf b;
    PX_FREE char *text = px_xmemdup(data, size);
    if (chat_recognise((const char *)data, size, &t, &err) == 0)
        px_assert(chat_template_name(t)[0] != '\0');
    size_t n = split_lines(text, m, 8);
    px_buf_init(&b, 8 * FUZZ_MAX);
    for (unsigned i = CHAT_CHATML; i <= CHAT_CHATML_SYSTEM; i++) {
        struct chat_options opt = {.add_generation_prompt = size % 2,
                                   .enable_thinking = size % 3 == 0,
                                   .bos = size % 5 ? "<b>" : NULL};
        px_buf_reset(&b);
        (void)!chat_render((enum chat_template)i, m, n, &opt, &b, &err);
        px_assert(!b.overflow);
    }
    px_buf_clear(&b);
    return 0;
}
