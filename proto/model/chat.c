/* chat.c - the chat templates we know, rendered as the originals do (chat_recognise.c finds out
 * which one a file has). */
#include "proto/model/chat.h"

#include <string.h>

#include "proto/mem.h"
#include "proto/model/chat_internal.h"

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
    return px_fail(err, PX_EINPUT, "unknown chat template '%.60s'; known are " CHAT_NAMES, name);
}

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
        bool joined = system && i == 1 && !r->opt->drop_system;
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
