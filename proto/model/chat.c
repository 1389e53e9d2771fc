/* chat.c - the chat templates we know, recognised in a file and rendered.
 *
 * Recognising works on a canonical form of the template's text: white space between tags and
 * tokens and the "-" of tags are dropped, quotes are made one kind, x['role'] becomes x.role, and
 * adjacent literals are joined. Short templates must be equal to a known form as a whole, of the
 * long ones every part that acts without tools must be there. */
#include "proto/model/chat.h"

#include <string.h>

#include "proto/mem.h"

enum { TEMPLATE_MAX = 256 * 1024, MAX_PARTS = 8 };

static const char *const names[] = {
    [CHAT_CHATML] = "chatml",
    [CHAT_QWEN2] = "qwen2",
    [CHAT_QWEN3] = "qwen3",
    [CHAT_LLAMA3] = "llama3",
    [CHAT_GEMMA2] = "gemma2",
    [CHAT_PHI3] = "phi3",
    [CHAT_CHATML_SYSTEM] = "chatml-system",
};
#define N_NAMES (sizeof names / sizeof names[0])
#define ALL_NAMES "chatml, chatml-system, qwen2, qwen3, llama3, gemma2, phi3"
#define QWEN_SYSTEM "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#define HELPFUL_SYSTEM "You are a helpful assistant."

const char *chat_template_name(enum chat_template t)
{
    px_assert(t >= CHAT_CHATML && t < N_NAMES);
    return names[t];
}

int chat_template_by_name(const char *name, enum chat_template *out, struct px_err *err)
{
    for (unsigned i = CHAT_CHATML; i < N_NAMES; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum chat_template)i;
            return 0;
        }
    return px_fail(err, PX_EINPUT, "unknown chat template '%.60s'; known are " ALL_NAMES, name);
}

/* ---- recognising ---- */

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
                   "unknown chat template, beginning with '%.*s'%s; known are " ALL_NAMES
                   " (name one of them, or use raw prompts)",
                   (int)line, text, line < len ? " ..." : "");
}

/* ---- rendering ---- */

struct render {
    const struct chat_message *m;
    size_t n;
    const struct chat_options *opt;
    struct px_buf *out;
    struct px_err *err;
};

static bool has_role(const struct chat_message *m, const char *role)
{
    return strcmp(m->role, role) == 0;
}

static void put3(struct px_buf *b, const char *x, const char *y, const char *z)
{
    px_buf_str(b, x);
    px_buf_str(b, y);
    px_buf_str(b, z);
}

static void im_turn(struct px_buf *b, const char *role, const char *content)
{
    put3(b, "<|im_start|>", role, "\n");
    put3(b, content, "<|im_end|>\n", "");
}

static int render_chatml(const struct render *r, const char *default_system)
{
    if (default_system && !has_role(&r->m[0], "system"))
        im_turn(r->out, "system", default_system);
    for (size_t i = 0; i < r->n; i++)
        im_turn(r->out, r->m[i].role, r->m[i].content);
    if (r->opt->add_generation_prompt)
        px_buf_str(r->out, "<|im_start|>assistant\n");
    return 0;
}

/* A part of a text; strips newlines at its ends. */
struct span {
    const char *p;
    size_t n;
};

static struct span strip_newlines(struct span s, bool left, bool right)
{
    while (left && s.n > 0 && s.p[0] == '\n') {
        s.p++;
        s.n--;
    }
    while (right && s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    return s;
}

/* The place behind the last occurrence of `what` in s, or s.p when there is none. */
static const char *behind_last(struct span s, const char *what)
{
    const char *found = s.p, *hit;
    size_t n = strlen(what);
    while ((hit = memmem(found, s.n - (size_t)(found - s.p), what, n)) != NULL)
        found = hit + n;
    return found;
}

/* Takes "<think>reasoning</think>content" apart as Qwen3's template does. */
static void split_thought(const char *text, struct span *thought, struct span *content)
{
    const char *close = strstr(text, "</think>");
    *thought = (struct span){text, 0};
    *content = (struct span){text, strlen(text)};
    if (!close)
        return;
    const char *rest = behind_last(*content, "</think>");
    struct span before = strip_newlines((struct span){text, (size_t)(close - text)}, false, true);
    const char *start = behind_last(before, "<think>");
    *thought =
        strip_newlines((struct span){start, (size_t)(before.p + before.n - start)}, true, true);
    *content = strip_newlines((struct span){rest, strlen(rest)}, true, false);
}

static bool is_tool_response(const char *s)
{
    static const char open[] = "<tool_response>", close[] = "</tool_response>";
    size_t n = strlen(s);
    return strncmp(s, open, sizeof open - 1) == 0 && n >= sizeof close - 1 &&
           strcmp(s + n - (sizeof close - 1), close) == 0;
}

static int render_qwen3(const struct render *r)
{
    size_t last_query = r->n - 1;
    for (size_t i = r->n; i > 0; i--)
        if (has_role(&r->m[i - 1], "user") && !is_tool_response(r->m[i - 1].content)) {
            last_query = i - 1;
            break;
        }
    for (size_t i = 0; i < r->n; i++) {
        struct span thought, content;
        if (!has_role(&r->m[i], "assistant")) {
            im_turn(r->out, r->m[i].role, r->m[i].content);
            continue;
        }
        split_thought(r->m[i].content, &thought, &content);
        px_buf_str(r->out, "<|im_start|>assistant\n");
        if (i > last_query && (i + 1 == r->n || thought.n > 0)) {
            px_buf_str(r->out, "<think>\n");
            px_buf_put(r->out, thought.p, thought.n);
            px_buf_str(r->out, "\n</think>\n\n");
            content = strip_newlines(content, true, false);
        }
        px_buf_put(r->out, content.p, content.n);
        px_buf_str(r->out, "<|im_end|>\n");
    }
    if (r->opt->add_generation_prompt)
        put3(r->out, "<|im_start|>assistant\n",
             r->opt->enable_thinking ? "" : "<think>\n\n</think>\n\n", "");
    return 0;
}

/* Bytes of the white space character (Python's str.strip) at p, 0 when there is none. */
static size_t white_space(const unsigned char *p, size_t left)
{
    if (left >= 1 && ((p[0] >= 0x09 && p[0] <= 0x0d) || (p[0] >= 0x1c && p[0] <= 0x20)))
        return 1;
    if (left >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
        return 2;
    if (left < 3)
        return 0;
    unsigned c = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
    bool is_white = c == 0xe19a80 || (c >= 0xe28080 && c <= 0xe2808a) || c == 0xe280a8 ||
                    c == 0xe280a9 || c == 0xe280af || c == 0xe2819f || c == 0xe38080;
    return is_white ? 3 : 0;
}

static struct span trim(const char *s, size_t len)
{
    struct span t = {s, len};
    size_t n;
    while ((n = white_space((const unsigned char *)t.p, t.n)) > 0) {
        t.p += n;
        t.n -= n;
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t k = 1; k <= 3 && k <= t.n && !again; k++)
            if (white_space((const unsigned char *)t.p + t.n - k, k) == k) {
                t.n -= k;
                again = true;
            }
    }
    return t;
}

static void llama3_turn(struct px_buf *b, const struct chat_message *m)
{
    struct span content = trim(m->content, strlen(m->content));
    put3(b, "<|start_header_id|>", m->role, "<|end_header_id|>\n\n");
    px_buf_put(b, content.p, content.n);
    px_buf_str(b, "<|eot_id|>");
}

static int render_llama3(const struct render *r)
{
    bool system = has_role(&r->m[0], "system");
    struct span text = trim(system ? r->m[0].content : "", system ? strlen(r->m[0].content) : 0);
    px_buf_str(r->out, r->opt->bos ? r->opt->bos : "");
    put3(r->out, "<|start_header_id|>system<|end_header_id|>\n\n",
         "Cutting Knowledge Date: December 2023\nToday Date: ",
         r->opt->date ? r->opt->date : "26 Jul 2024");
    px_buf_str(r->out, "\n\n");
    px_buf_put(r->out, text.p, text.n);
    px_buf_str(r->out, "<|eot_id|>");
    for (size_t i = system; i < r->n; i++)
        llama3_turn(r->out, &r->m[i]);
    if (r->opt->add_generation_prompt)
        px_buf_str(r->out, "<|start_header_id|>assistant<|end_header_id|>\n\n");
    return 0;
}

static int render_gemma2(const struct render *r)
{
    bool system = has_role(&r->m[0], "system");
    for (size_t i = system; i < r->n; i++)
        if (has_role(&r->m[i], "user") != ((i - system) % 2 == 0))
            return px_fail(r->err, PX_EINPUT,
                           "chat template gemma2: roles must alternate user/assistant/user/..., "
                           "but message %zu is '%s'",
                           i + 1, r->m[i].role);
    if (system && r->n == 1)
        return px_fail(r->err, PX_EINPUT,
                       "chat template gemma2: a system message needs a user message behind it");
    px_buf_str(r->out, r->opt->bos ? r->opt->bos : "");
    for (size_t i = system; i < r->n; i++) {
        bool joined = system && i == 1;
        PX_FREE char *text = px_xasprintf("%s%s%s", joined ? r->m[0].content : "",
                                          joined ? "\n" : "", r->m[i].content);
        struct span content = trim(text, strlen(text));
        put3(r->out, "<start_of_turn>", has_role(&r->m[i], "user") ? "user" : "model", "\n");
        px_buf_put(r->out, content.p, content.n);
        px_buf_str(r->out, "<end_of_turn>\n");
    }
    if (r->opt->add_generation_prompt)
        px_buf_str(r->out, "<start_of_turn>model\n");
    return 0;
}

static int render_phi3(const struct render *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (has_role(&r->m[i], "system") && !r->m[i].content[0])
            continue;
        put3(r->out, "<|", r->m[i].role, "|>\n");
        put3(r->out, r->m[i].content, "<|end|>\n", "");
    }
    if (r->opt->add_generation_prompt)
        px_buf_str(r->out, "<|assistant|>\n");
    else
        px_buf_str(r->out, r->opt->eos ? r->opt->eos : "");
    return 0;
}

int chat_render(enum chat_template t, const struct chat_message *m, size_t n,
                const struct chat_options *opt, struct px_buf *out, struct px_err *err)
{
    struct render r = {m, n, opt, out, err};
    if (n == 0)
        return px_fail(err, PX_EINPUT, "chat template %s: there are no messages",
                       chat_template_name(t));
    for (size_t i = 0; i < n; i++)
        if (!has_role(&m[i], "system") && !has_role(&m[i], "user") && !has_role(&m[i], "assistant"))
            return px_fail(err, PX_EINPUT,
                           "chat template %s: message %zu has the role '%.40s'; expected system, "
                           "user or assistant",
                           chat_template_name(t), i + 1, m[i].role);
    switch (t) {
    case CHAT_CHATML:
        return render_chatml(&r, NULL);
    case CHAT_CHATML_SYSTEM:
        return render_chatml(&r, HELPFUL_SYSTEM);
    case CHAT_QWEN2:
        return render_chatml(&r, QWEN_SYSTEM);
    case CHAT_QWEN3:
        return render_qwen3(&r);
    case CHAT_LLAMA3:
        return render_llama3(&r);
    case CHAT_GEMMA2:
        return render_gemma2(&r);
    case CHAT_PHI3:
        return render_phi3(&r);
    }
    return px_fail(err, PX_EINTERNAL, "chat template number %d", (int)t);
}
