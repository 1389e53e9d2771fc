/* sequences.c - see sequences.h. */
#include "coordinator/plan/sequences.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/windows.h"
#include "coordinator/task/text.h"
#include "proto/mem.h"

void sequences_clear(struct sequences *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        free(s->list[i].ids);
    free(s->list);
    *s = (struct sequences){0};
}

int plan_encode(const struct model_file *m, const struct px_buf *text, unsigned flags,
                uint32_t **ids, uint32_t *n, struct px_err *err)
{
    size_t count;
    if (text->overflow)
        return px_fail(err, PX_ELIMIT, "the prompt is longer than %d bytes", PROMPT_LIMIT);
    if (tokenizer_encode(m->tokenizer, (const char *)text->data, text->len, flags, ids, &count,
                         err) != 0)
        return -1;
    *n = (uint32_t)count;
    return 0;
}

int plan_prefix_token(const struct model_file *m, uint32_t *id, struct px_err *err)
{
    int32_t bos = tokenizer_bos(m->tokenizer);
    if (bos < 0)
        bos = tokenizer_eos(m->tokenizer);
    if (bos < 0)
        return px_fail(err, PX_EINPUT,
                       "the prompt is empty and the vocabulary has neither BOS nor EOS to start "
                       "from");
    *id = (uint32_t)bos;
    return 0;
}

/* ---- choices ---- */

/* A context as text and tokens. White space at its end is moved to the continuation. */
struct context {
    struct px_buf text; /* without that white space */
    char *space;
    uint32_t *ids;
    uint32_t n;
};

static void context_clear(struct context *c)
{
    px_buf_clear(&c->text);
    free(c->space);
    free(c->ids);
}

static int context_open(const struct model_file *m, const struct px_buf *prompt, const char *more,
                        unsigned flags, struct context *c, struct px_err *err)
{
    *c = (struct context){0};
    px_buf_init(&c->text, PROMPT_LIMIT);
    px_buf_put(&c->text, prompt->data, prompt->len);
    px_buf_str(&c->text, more ? more : "");
    size_t keep = c->text.len;
    const char *s = (const char *)c->text.data;
    while (keep > 0 && text_ends_with_space(s, keep))
        do
            keep--;
        while (((unsigned char)s[keep] & 0xc0) == 0x80);
    c->space = px_xmemdup(c->text.len ? s + keep : "", c->text.len - keep);
    c->text.len = keep;
    return keep ? plan_encode(m, &c->text, flags, &c->ids, &c->n, err) : 0;
}

static void describe(struct sequence *s, const char *text)
{
    s->n_bytes = (uint32_t)strlen(text);
    s->n_chars = (uint32_t)text_code_points(text, s->n_bytes);
}

/* Behind nothing: the prefix token is the context, unless the tokens begin with it themselves. */
static int behind_nothing(const struct model_file *m, const char *space,
                          const struct task_choice *c, struct sequence *out, struct px_err *err)
{
    struct px_buf text;
    uint32_t prefix = 0, *ids = NULL, n = 0;
    px_buf_init(&text, PROMPT_LIMIT);
    px_buf_str(&text, space);
    px_buf_str(&text, c->continuation);
    int rc = plan_prefix_token(m, &prefix, err);
    if (rc == 0)
        rc = plan_encode(m, &text, 0, &ids, &n, err);
    px_buf_clear(&text);
    bool has = rc == 0 && n > 1 && ids[0] == prefix;
    if (rc == 0 && n == 0)
        rc = px_fail(err, PX_EINPUT, "the choice '%.80s' has no token", c->continuation);
    if (rc == 0) {
        out->n = n + !has;
        out->n_context = 1;
        out->ids = px_xcalloc(out->n, sizeof *out->ids);
        out->ids[0] = prefix;
        memcpy(out->ids + !has, ids, n * sizeof *ids);
        describe(out, c->text);
    }
    free(ids);
    return rc;
}

/* Split by token count: the continuation is what enc(context + continuation) has beyond the length
 * of enc(context), even where a merge crosses the boundary. */
static int behind_context(const struct model_file *m, struct context *c, unsigned flags,
                          const struct task_choice *choice, struct sequence *out, bool *merged,
                          struct px_err *err)
{
    size_t keep = c->text.len;
    if (c->n == 0)
        return behind_nothing(m, c->space, choice, out, err);
    px_buf_str(&c->text, c->space);
    px_buf_str(&c->text, choice->continuation);
    int rc = plan_encode(m, &c->text, flags, &out->ids, &out->n, err);
    c->text.len = keep;
    if (rc != 0)
        return -1;
    if (out->n <= c->n)
        return px_fail(err, PX_EINPUT, "the choice '%.80s' adds no token to its context",
                       choice->continuation);
    *merged = *merged || memcmp(out->ids, c->ids, c->n * sizeof *c->ids) != 0;
    memcpy(out->ids, c->ids, c->n * sizeof *c->ids);
    out->n_context = c->n;
    describe(out, choice->text);
    return 0;
}

int sequences_of_choices(const struct model_file *m, const struct px_buf *prompt, unsigned flags,
                         const struct task_prompt *p, bool mutual_info, struct sequences *out,
                         struct px_err *err)
{
    struct sequences s = {.n = p->n_choices * (mutual_info ? 2 : 1)};
    struct context c = {0};
    int rc = 0;
    s.list = px_xcalloc(s.n + 1u, sizeof *s.list);
    for (uint32_t i = 0; rc == 0 && i < p->n_choices; i++) {
        if (i == 0 || p->choices[i].context) {
            context_clear(&c);
            rc = context_open(m, prompt, p->choices[i].context, flags, &c, err);
        }
        if (rc == 0)
            rc = behind_context(m, &c, flags, &p->choices[i], &s.list[i], &s.merged, err);
        if (rc == 0 && mutual_info)
            rc = behind_nothing(m, "", &p->choices[i], &s.list[p->n_choices + i], err);
    }
    context_clear(&c);
    if (rc != 0)
        sequences_clear(&s);
    *out = s;
    return rc;
}

/* ---- windows ---- */

static struct sequence from_window(const struct window *w, const uint32_t *ids, uint32_t prefix)
{
    struct sequence s = {.n = w->n_context + w->n_scored, .n_context = w->n_context};
    size_t own = w->head == WINDOW_PREFIXED;
    s.ids = px_xcalloc(s.n, sizeof *s.ids);
    memcpy(s.ids + own, ids + w->from, (s.n - own) * sizeof *s.ids);
    if (w->head != WINDOW_AS_IS)
        s.ids[0] = prefix;
    return s;
}

static void put_windows(const struct window *w, uint32_t n, const uint32_t *ids, uint32_t prefix,
                        struct sequences *out)
{
    out->list = px_xcalloc(n + 1u, sizeof *out->list);
    for (; out->n < n; out->n++)
        out->list[out->n] = from_window(&w[out->n], ids, prefix);
}

/* llama.cpp overwrites the first token only where the vocabulary puts BOS in front of a text. */
static void keep_first_tokens(struct window *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        w[i].head = WINDOW_AS_IS;
}

int sequences_of_text(const struct model_file *m, const char *text, const struct task_windows *spec,
                      uint32_t context, struct sequences *out, struct px_err *err)
{
    bool llamacpp = spec->rule == WINDOWS_LLAMACPP;
    uint32_t length = spec->context ? spec->context : context;
    uint32_t *ids = NULL, n = 0, prefix = 0, count = 0;
    struct px_buf b;
    *out = (struct sequences){0};
    if (length > context)
        return px_fail(err, PX_EINPUT, "windows of %u tokens, but the model takes %u at once",
                       length, context);
    px_buf_init(&b, PROMPT_LIMIT);
    px_buf_str(&b, text);
    int rc = plan_encode(m, &b, llamacpp || spec->score_bos ? TOK_ADD_SPECIAL : 0, &ids, &n, err);
    px_buf_clear(&b);
    if (rc == 0 && !(llamacpp && !tokenizer_adds_bos(m->tokenizer)))
        rc = plan_prefix_token(m, &prefix, err);
    struct window *w = rc != 0    ? NULL
                       : llamacpp ? windows_llamacpp(n, length, &count)
                                  : windows_rolling(n, length, &count);
    if (rc == 0 && count == 0)
        rc = px_fail(err, PX_EINPUT, "the text has %u tokens, a window needs %u", n,
                     llamacpp ? length : 1);
    if (rc == 0 && llamacpp && !tokenizer_adds_bos(m->tokenizer))
        keep_first_tokens(w, count);
    if (rc == 0)
        put_windows(w, count, ids, prefix, out);
    free(w);
    free(ids);
    return rc;
}

/* ---- units ---- */

void sequences_cut(struct sequences *s, uint32_t limit)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct sequence *q = &s->list[i];
        uint32_t cut = q->n > limit + 1 ? q->n - limit - 1 : 0;
        if (cut >= q->n_context)
            cut = q->n_context - 1;
        memmove(q->ids, q->ids + cut, (q->n - cut) * sizeof *q->ids);
        q->n -= cut;
        q->n_context -= cut;
        s->n_cut = cut > s->n_cut ? cut : s->n_cut;
    }
}

static uint32_t shared(const struct sequences *s)
{
    uint32_t n = s->list[0].n_context;
    for (uint32_t i = 1; i < s->n; i++) {
        const struct sequence *q = &s->list[i];
        n = q->n_context < n ? q->n_context : n;
        for (uint32_t k = 0; k < n; k++)
            if (q->ids[k] != s->list[0].ids[k])
                n = k;
    }
    return n;
}

void sequences_share(const struct sequences *s, struct unit *u)
{
    u->n_prompt = shared(s);
    u->prompt = px_xcalloc(u->n_prompt + 1u, sizeof *u->prompt);
    memcpy(u->prompt, s->list[0].ids, u->n_prompt * sizeof *u->prompt);
    u->choices = px_xcalloc(s->n, sizeof *u->choices);
    u->n_choices = s->n;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct sequence *q = &s->list[i];
        struct unit_choice *c = &u->choices[i];
        c->n_tokens = q->n - u->n_prompt;
        c->n_skip = q->n_context - u->n_prompt;
        c->tokens = px_xcalloc(c->n_tokens, sizeof *c->tokens);
        memcpy(c->tokens, q->ids + u->n_prompt, c->n_tokens * sizeof *c->tokens);
        c->n_bytes = q->n_bytes;
        c->n_chars = q->n_chars;
    }
}
