/* kind_digest.c - is a completion the very same bytes that it was once? Digests of the text and,
 * when the problem has them, of the token ids (u32 little-endian each). */
#include <stdlib.h>
#include <string.h>

#include "proto/digest.h"
#include "proto/mem.h"
#include "sandbox/score/kinds.h"

/* The digest under a key; false when it is absent, -1 in *rc when it is none. */
static bool wanted(const struct scoring *in, const char *key, struct px_digest *out, int *rc,
                   struct px_err *err)
{
    if (json_object_object_get(in->problem, key) == NULL)
        return false;
    PX_FREE char *hex = px_xstrndup(scoring_text(in, key).p, scoring_text(in, key).n);
    if (px_digest_parse(hex, out, err) != 0)
        *rc = px_wrap(err, "problem: \"%s\"", key);
    return true;
}

static struct px_digest of_tokens(const struct completion *c)
{
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    for (uint32_t i = 0; i < c->n_tokens; i++)
        px_buf_u32(&b, c->tokens[i]);
    struct px_digest d = px_sha256(b.len > 0 ? (const void *)b.data : "", b.len);
    px_buf_clear(&b);
    return d;
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    const struct completion *c = in->completion;
    struct px_digest want, got = px_sha256(c->text != NULL ? c->text : "", c->n_text);
    char hex[PX_HEX_SIZE];
    int rc = 0;
    (void)state;
    bool same = wanted(in, "sha256", &want, &rc, err);
    if (!same)
        return px_fail(err, PX_EINPUT, "problem: \"sha256\" is missing");
    same = rc == 0 && px_digest_eq(&want, &got);
    px_digest_hex(&got, hex);
    if (rc == 0 && wanted(in, "tokens_sha256", &want, &rc, err) && rc == 0) {
        got = of_tokens(c);
        same = same && px_digest_eq(&want, &got);
    }
    if (rc != 0)
        return -1;
    struct extract e = {.text = px_xstrdup(hex), .n = strlen(hex), .rule = "sha256"};
    v->class = same ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    verdict_add_metric(v, "exact_match", same);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_add_metric(v, "exact_match", 0);
}

const struct scorer_ops scorer_digest = {.kind = "digest", .score = score, .zero = zero};
