/* chat_recognise.c - which of the chat templates we know is the text in a file?
 *
 * The text is brought to a canonical form first: white space between tags and tokens and the "-" of
 * tags are dropped, quotes are made one kind, x['role'] becomes x.role, and adjacent literals are
 * joined. Short templates must be equal to a known form as a whole, of the long ones every part
 * that acts without tools must be there. */
#include <string.h>

#include "proto/mem.h"
#include "proto/model/chat.h"
#include "proto/model/chat_internal.h"

enum { TEMPLATE_MAX = 256 * 1024, MAX_PARTS = 8 };

#define LOOP "{%for message in messages%}"
#define TURN "{{'<|im_start|>'+message.role+'\\n'+message.content+'<|im_end|>\\n'}}"
#define ASSISTANT "{%if add_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%endif%}"

/* Parts of the canonical form; whole: the first one is all of it. */
static const struct {
    enum chat_template id;
    bool whole;
    const char *parts[MAX_PARTS];
    const char * not [2];
} forms[] = {
    {CHAT_CHATML, true, {LOOP TURN "{%endfor%}" ASSISTANT}, {0}},
    {CHAT_CHATML_SYSTEM,
     true,
     {"{%if messages[0].role!='system'%}{{'<|im_start|>system\\n" HELPFUL_SYSTEM
      "<|im_end|>\\n'}}{%endif%}" LOOP TURN "{%endfor%}" ASSISTANT},
     {0}},
    {CHAT_CHATML_SYSTEM,
     true,
     {LOOP "{%if loop.first and messages[0].role!='system'%}{{'<|im_start|>system\\n" HELPFUL_SYSTEM
           "<|im_end|>\\n'}}{%endif%}" TURN "{%endfor%}" ASSISTANT},
     {0}},
    {CHAT_QWEN2,
     false,
     {"{%if messages[0].role=='system'%}{{'<|im_start|>system\\n'+messages[0].content+"
      "'<|im_end|>\\n'}}{%else%}{{'<|im_start|>system\\n" QWEN_SYSTEM "<|im_end|>\\n'}}{%endif%}",
      LOOP "{%if(message.role=='user')or(message.role=='system' and not loop.first)or"
           "(message.role=='assistant' and not message.tool_calls)%}" TURN,
      ASSISTANT},
     {"<think>"}},
    {CHAT_QWEN3,
     false,
     {"{%if messages[0].role=='system'%}{{'<|im_start|>system\\n'+messages[0].content+"
      "'<|im_end|>\\n'}}{%endif%}",
      LOOP "{%if(message.role=='user')or(message.role=='system' and not loop.first)%}" TURN,
      "message.content.split('</think>')[-1].lstrip('\\n')",
      "message.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n')",
      "{%if loop.index0>ns.last_query_index%}{%if loop.last or(not loop.last and "
      "reasoning_content)%}{{'<|im_start|>'+message.role+'\\n<think>\\n'+"
      "reasoning_content.strip('\\n')+'\\n</think>\\n\\n'+content.lstrip('\\n')}}{%else%}"
      "{{'<|im_start|>'+message.role+'\\n'+content}}{%endif%}",
      "{%if add_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%if enable_thinking is defined "
      "and enable_thinking is false%}{{'<think>\\n\\n</think>\\n\\n'}}{%endif%}{%endif%}"},
     {0}},
    {CHAT_LLAMA3,
     false,
     {"{{bos_token}}", "{%set date_string='26 Jul 2024'%}",
      "{%if messages[0].role=='system'%}{%set system_message=messages[0].content|trim%}"
      "{%set messages=messages[1:]%}{%else%}{%set system_message=''%}{%endif%}",
      "{{'<|start_header_id|>system<|end_header_id|>\\n\\n'}}",
      "{{'Cutting Knowledge Date: December 2023\\n'}}{{'Today Date: '+date_string+'\\n\\n'}}",
      "{{system_message}}{{'<|eot_id|>'}}",
      "{{'<|start_header_id|>'+message.role+'<|end_header_id|>\\n\\n'+message.content|trim+"
      "'<|eot_id|>'}}",
      "{%if add_generation_prompt%}{{'<|start_header_id|>assistant<|end_header_id|>\\n\\n'}}"},
     {0}},
    {CHAT_GEMMA2,
     true,
     {"{{bos_token}}{%if messages[0].role=='system'%}{{raise_exception('System role not "
      "supported')}}{%endif%}" LOOP "{%if(message.role=='user')!=(loop.index0%2==0)%}"
      "{{raise_exception('Conversation roles must alternate user/assistant/user/assistant/...')}}"
      "{%endif%}{%if(message.role=='assistant')%}{%set role='model'%}{%else%}{%set "
      "role=message.role%}{%endif%}{{'<start_of_turn>'+role+'\\n'+message.content|trim+"
      "'<end_of_turn>\\n'}}{%endfor%}{%if add_generation_prompt%}{{'<start_of_turn>model\\n'}}"
      "{%endif%}"},
     {0}},
    {CHAT_PHI3,
     true,
     {LOOP "{%if message.role=='system' and message.content%}{{'<|system|>\\n'+message.content+"
           "'<|end|>\\n'}}{%elif message.role=='user'%}{{'<|user|>\\n'+message.content+"
           "'<|end|>\\n'}}{%elif message.role=='assistant'%}{{'<|assistant|>\\n'+message.content+"
           "'<|end|>\\n'}}{%endif%}{%endfor%}{%if add_generation_prompt%}{{'<|assistant|>\\n'}}"
           "{%else%}{{eos_token}}{%endif%}"},
     {0}},
};

struct canon {
    struct px_buf out;
    bool in_tag;
    char quote;   /* the quote we are inside of, 0 outside */
    bool pending; /* white space was left out */
};

static bool is_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static bool ends_with(const struct px_buf *b, const char *s)
{
    size_t n = strlen(s);
    return b->len >= n && memcmp(b->data + b->len - n, s, n) == 0;
}

static void drop(struct px_buf *b, size_t n)
{
    b->len -= n;
}

/* x['role'] -> x.role, 'a'+'b' -> 'ab'; called when a literal has just been closed. */
static void join_literal(struct px_buf *b, size_t open_at)
{
    if (open_at >= 3 && memcmp(b->data + open_at - 2, "'+", 2) == 0) {
        memmove(b->data + open_at - 2, b->data + open_at + 1, b->len - open_at - 1);
        drop(b, 3);
    }
}

static void close_index(struct px_buf *b)
{
    /* at "...['name']": find the opening and see whether the inside is a plain word */
    size_t end = b->len - 2, i = end;
    while (i > 0 && is_word(b->data[i - 1]))
        i--;
    if (i < 2 || i == end || b->data[i - 1] != '\'' || b->data[i - 2] != '[' ||
        (b->data[i] >= '0' && b->data[i] <= '9'))
        return;
    b->data[i - 2] = '.';
    memmove(b->data + i - 1, b->data + i, end - i);
    drop(b, 3);
}

static void canon_quoted(struct canon *c, const char *s, size_t n, size_t *i, size_t *open_at)
{
    if (s[*i] == c->quote) {
        px_buf_char(&c->out, '\'');
        c->quote = 0;
        join_literal(&c->out, *open_at);
    } else if (s[*i] == '\\' && *i + 1 < n) {
        px_buf_char(&c->out, '\\');
        px_buf_char(&c->out, s[++*i]);
    } else if (s[*i] == '\n') {
        px_buf_str(&c->out, "\\n");
    } else {
        px_buf_char(&c->out, s[*i]);
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One character inside a tag and outside a literal. */
static void canon_code(struct canon *c, const char *s, size_t n, size_t *i, size_t *open_at)
{
    char ch = s[*i];
    struct px_buf *b = &c->out;
    if (is_space(ch)) {
        c->pending = true;
        return;
    }
    bool closes =
        ch == '-' && *i + 2 < n && (s[*i + 1] == '%' || s[*i + 1] == '}') && s[*i + 2] == '}';
    if (closes)
        return;
    if (c->pending && b->len > 0 && is_word((unsigned char)ch) &&
        (is_word(b->data[b->len - 1]) || b->data[b->len - 1] == '\''))
        px_buf_char(b, ' ');
    c->pending = false;
    if (ch == '\'' || ch == '"') {
        c->quote = ch;
        *open_at = b->len;
        px_buf_char(b, '\'');
        return;
    }
    px_buf_char(b, ch);
    if (ch == ']' && ends_with(b, "']"))
        close_index(b);
    if (ends_with(b, "%}") || ends_with(b, "}}"))
        c->in_tag = false;
}

/* The canonical form, NUL-terminated. Comments ({# #}) are left out. Owned. */
static char *canonical(const char *s, size_t n)
{
    struct canon c = {0};
    size_t open_at = 0;
    px_buf_init(&c.out, 2 * TEMPLATE_MAX);
    px_buf_str(&c.out, "");
    for (size_t i = 0; i < n; i++) {
        if (c.quote) {
            canon_quoted(&c, s, n, &i, &open_at);
        } else if (c.in_tag) {
            canon_code(&c, s, n, &i, &open_at);
        } else if (s[i] == '{' && i + 1 < n && s[i + 1] == '#') {
            const char *end = memmem(s + i, n - i, "#}", 2);
            i = end ? (size_t)(end - s) + 1 : n;
        } else if (s[i] == '{' && i + 1 < n && (s[i + 1] == '%' || s[i + 1] == '{')) {
            px_buf_char(&c.out, '{');
            px_buf_char(&c.out, s[++i]);
            i += i + 1 < n && s[i + 1] == '-';
            c.in_tag = true;
            c.pending = false;
        } else if (!is_space(s[i])) {
            px_buf_char(&c.out, s[i]);
        }
    }
    px_buf_char(&c.out, '\0');
    return px_buf_steal(&c.out, NULL);
}

static bool fits(const char *text, size_t form)
{
    if (forms[form].whole)
        return strcmp(text, forms[form].parts[0]) == 0;
    for (size_t i = 0; i < MAX_PARTS && forms[form].parts[i]; i++)
        if (!strstr(text, forms[form].parts[i]))
            return false;
    for (size_t i = 0; i < 2 && forms[form].not [i]; i++)
        if (strstr(text, forms[form].not [i]))
            return false;
    return true;
}

int chat_recognise(const char *text, size_t len, enum chat_template *out, struct px_err *err)
{
    static const char *const openings[] = {
        "{%if not add_generation_prompt is defined%}{%set add_generation_prompt=false%}{%endif%}",
        "{%if add_generation_prompt is not defined%}{%set add_generation_prompt=false%}{%endif%}"};
    if (len > TEMPLATE_MAX)
        return px_fail(err, PX_ELIMIT, "the chat template has %zu bytes, at most %d", len,
                       TEMPLATE_MAX);
    PX_FREE char *form = canonical(text, len);
    const char *rest = form;
    for (size_t i = 0; i < 2; i++)
        if (strncmp(rest, openings[i], strlen(openings[i])) == 0)
            rest += strlen(openings[i]);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (fits(rest, i)) {
            *out = forms[i].id;
            return 0;
        }
    size_t line = 0;
    while (line < len && text[line] != '\n' && line < 100)
        line++;
    return px_fail(err, PX_EUNSUPPORTED,
                   "unknown chat template, beginning with '%.*s'%s; known are " CHAT_NAMES
                   " (name one of them, or use raw prompts)",
                   (int)line, text, line < len ? " ..." : "");
}
