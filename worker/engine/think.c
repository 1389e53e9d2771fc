/* think.c - markers as sequences of token ids (think.h). */
#include "worker/engine/think.h"

#include <string.h>

void think_begin(struct think *t, const struct think_spec *spec)
{
    *t = (struct think){.spec = spec};
    if (spec->n_close && spec->open_in_prompt)
        t->state = THINK_UNCLOSED;
}

/* Do the last tokens, none before `since`, end in the whole marker? */
static bool ends_in(const struct think *t, const uint32_t *tokens, uint32_t n,
                    const uint32_t *marker, uint32_t n_marker)
{
    return n_marker && n - t->since >= n_marker &&
           memcmp(tokens + n - n_marker, marker, n_marker * sizeof *marker) == 0;
}

/* How many of the last tokens are a beginning of the close marker. */
static uint32_t begun_close(const struct think *t, const uint32_t *tokens, uint32_t n)
{
    const struct think_spec *s = t->spec;
    uint32_t most = s->n_close - 1 < n - t->since ? s->n_close - 1 : n - t->since;
    while (most && memcmp(tokens + n - most, s->close, most * sizeof *tokens) != 0)
        most--;
    return most;
}

static void passed_marker(struct think *t, enum think_state state, uint32_t n, size_t n_text)
{
    t->state = state;
    t->since = n;
    t->answer_at = n_text;
}

static void take_inside(struct think *t, const uint32_t *tokens, uint32_t n, size_t n_text)
{
    const struct think_spec *s = t->spec;
    t->n_tokens++;
    if (ends_in(t, tokens, n, s->close, s->n_close))
        passed_marker(t, THINK_CLOSED, n, n_text);
    else if (t->n_forced == 0 && s->budget && n - t->since >= s->budget)
        t->n_forced = s->n_close - begun_close(t, tokens, n);
}

void think_take(struct think *t, const uint32_t *tokens, uint32_t n, size_t n_text)
{
    const struct think_spec *s = t->spec;
    if (s->n_close == 0)
        return;
    if (t->n_forced)
        t->n_forced--;
    if (t->state == THINK_UNCLOSED) {
        take_inside(t, tokens, n, n_text);
    } else if (ends_in(t, tokens, n, s->open, s->n_open)) {
        t->n_tokens += s->n_open;
        passed_marker(t, THINK_UNCLOSED, n, n_text);
    } else if (ends_in(t, tokens, n, s->close, s->n_close)) {
        t->n_tokens += n - t->since;
        passed_marker(t, THINK_CLOSED, n, n_text);
    }
}

bool think_forces(const struct think *t, uint32_t *token)
{
    if (t->n_forced)
        *token = t->spec->close[t->spec->n_close - t->n_forced];
    return t->n_forced > 0;
}
