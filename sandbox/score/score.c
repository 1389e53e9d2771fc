/* score.c - from a scorer's JSON and a completion to a verdict, whatever the kind. */
#include "sandbox/score/score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/scorer_kinds.h"
#include "sandbox/score/accidents.h"
#include "sandbox/score/kinds.h"

static void list_kinds(char *out, size_t n)
{
    const struct scorer_kind *k;
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; (k = scorer_kind_at(i)) != NULL && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%s", i ? ", " : "", k->name);
}

static int check_keys(const struct scorer_kind *kind, struct json_object *o, struct px_err *err)
{
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        bool found = strcmp(key, "kind") == 0 || strcmp(key, "version") == 0;
        for (const char *const *k = kind->keys; *k; k++)
            found = found || strcmp(key, *k) == 0;
        if (!found)
            return px_fail(err, PX_EUNSUPPORTED, "scorer: key \"%.40s\" is unknown to kind %s", key,
                           kind->name);
    }
    return 0;
}

static int parse_object(struct json_object *o, struct scorer *out, struct px_err *err)
{
    const char *name;
    if (px_json_str(o, "kind", &name, err) != 0)
        return -1;
    const struct scorer_kind *kind = scorer_kind_find(name);
    struct scorer s = {.ops = scorer_ops_find(name)};
    if (kind == NULL || s.ops == NULL) {
        char known[400];
        list_kinds(known, sizeof known);
        return px_fail(err, PX_EUNSUPPORTED, "scorer: kind \"%.40s\" is none of %s", name, known);
    }
    const char *key;
    if (check_keys(kind, o, err) != 0)
        return -1;
    if (kind->check != NULL && kind->check(o, &key, err) != 0)
        return px_wrap(err, "scorer");
    int64_t version = px_json_int_or(o, "version", SCORER_VERSION);
    if (version != SCORER_VERSION)
        return px_fail(err, PX_EVERSION, "scorer: version %lld is asked for, this build has %d",
                       (long long)version, SCORER_VERSION);
    if (s.ops->parse != NULL && s.ops->parse(o, &s.state, &s.limits, err) != 0)
        return -1;
    *out = s;
    return 0;
}

int scorer_parse(const char *json, struct scorer *out, struct px_err *err)
{
    struct json_object *o = px_json_parse(json, strlen(json), err);
    if (o == NULL)
        return px_wrap(err, "scorer");
    int rc = -1;
    if (!json_object_is_type(o, json_type_object))
        rc = px_fail(err, PX_EINPUT, "scorer: must be a JSON object");
    else
        rc = parse_object(o, out, err);
    json_object_put(o);
    return rc;
}

void scorer_clear(struct scorer *s)
{
    if (s->ops != NULL && s->ops->free != NULL)
        s->ops->free(s->state);
    memset(s, 0, sizeof *s);
}

/* ---- one completion ---- */

/* What leaves nothing to score: finish reasons, and a thought that never ended. */
static enum verdict_class unusable(const struct completion *c)
{
    return c->finish == FINISH_OVERFLOW   ? VERDICT_OVERFLOW
           : c->finish == FINISH_TOO_LONG ? VERDICT_TOO_LONG
           : c->finish == FINISH_ERROR    ? VERDICT_ERROR
           : c->think == THINK_UNCLOSED   ? VERDICT_OVERFLOW
                                          : 0;
}

static void verdict_blank(struct verdict *v)
{
    memset(v, 0, sizeof *v);
    v->extracted = px_xstrdup("");
    v->rule = px_xstrdup("");
    v->exception = px_xstrdup("");
    v->assurance = px_xstrdup("data");
    v->visible = px_xstrdup("");
    v->detail = px_xstrdup("");
    v->stderr_tail = px_xstrdup("");
    v->jail = px_xstrdup("");
    v->host = px_xstrdup("");
    v->attempts = 1;
}

static int begin(const struct scorer *s, const struct scoring *in, struct verdict *v,
                 struct program *p, bool *runs, struct px_err *err)
{
    const struct completion *c = in->completion;
    v->accidents = completion_accidents(c);
    v->class = unusable(c);
    if (v->class != 0) {
        free(v->detail);
        v->detail = px_xstrdup(c->error != NULL ? c->error : "");
        if (s->ops->zero != NULL)
            s->ops->zero(s->state, in, v);
        return 0;
    }
    if (s->ops->program == NULL)
        return s->ops->score(s->state, in, v, err);
    p->limits = s->limits;
    return s->ops->program(s->state, in, v, p, runs, err);
}

int score_begin(const struct scorer *s, const char *problem, const struct completion *c,
                struct verdict *v, struct program *p, bool *runs, struct px_err *err)
{
    *runs = false;
    memset(p, 0, sizeof *p);
    memset(v, 0, sizeof *v);
    struct json_object *o = px_json_parse(problem, strlen(problem), err);
    if (o == NULL)
        return px_wrap(err, "problem");
    const char *text = c->text != NULL ? c->text : "";
    size_t skip = c->think == THINK_CLOSED ? c->answer_at : 0;
    struct scoring in = {o, problem, c, {text + skip, c->n_text - skip}};
    verdict_blank(v);
    int rc = json_object_is_type(o, json_type_object)
                 ? begin(s, &in, v, p, runs, err)
                 : px_fail(err, PX_EINPUT, "problem: must be a JSON object");
    json_object_put(o);
    if (rc != 0)
        verdict_clear(v);
    return rc;
}

void score_end(const struct scorer *s, const struct run_result *r, struct verdict *v)
{
    v->class = r->outcome.class;
    free(v->exception);
    v->exception = px_xstrdup(r->outcome.exception);
    v->signal = r->outcome.signal;
    free(v->detail);
    v->detail = px_xstrdup(r->outcome.detail);
    free(v->stderr_tail);
    v->stderr_tail = px_xstrdup(r->stderr_tail);
    v->cpu_s = r->cpu_s;
    v->wall_s = r->wall_s;
    v->runqueue_s = r->runqueue_s;
    v->rss_bytes = r->rss_bytes;
    v->output_bytes = r->output_bytes;
    v->attempts = r->attempts;
    s->ops->after(s->state, r, v);
}
