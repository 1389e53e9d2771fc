/* check.c - the stages of a model check, and their report. */
#include "worker/stage/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "worker/engine/eval.h"
#include "worker/engine/rope.h"
#include "worker/engine/sample.h"
#include "worker/stage/check_internal.h"

enum { MAX_ROWS = 4096, POSITIONS = 32 };

static const char *const stage_names[CHECK_STAGES] = {
    "container",    "tokenizer", "embedding", "positions", "projections", "attention",
    "feed forward", "norms",     "head",      "logits",    "sampler",     "data",
};

static void set_stage(struct check *c, enum check_index i, enum check_status status,
                      const char *fmt, va_list ap)
{
    struct check_stage *s = &c->report->stages[i];
    s->status = status;
    vsnprintf(s->details, sizeof s->details, fmt, ap);
}

void check_passed(struct check *c, enum check_index i, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_stage(c, i, CHECK_PASSED, fmt, ap);
    va_end(ap);
}

void check_failed(struct check *c, enum check_index i, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_stage(c, i, CHECK_FAILED, fmt, ap);
    va_end(ap);
}

struct spread spread_of(const float *v, uint64_t n)
{
    double sum = 0, squares = 0;
    bool is_finite = true;
    for (uint64_t i = 0; i < n; i++) {
        is_finite = is_finite && isfinite(v[i]);
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
    }
    double mean = sum / (double)n;
    return (struct spread){is_finite, sqrt(squares / (double)n), squares / (double)n - mean * mean};
}

/* ---- tokenizer ---- */

/* 0 round trip, 1 the vocabulary lacks a byte of it (err says which), -1 another text came back */
static int round_trip(const struct tokenizer *t, const char *text, struct px_err *err)
{
    uint32_t *ids;
    size_t n, len = strlen(text);
    struct px_buf b;
    if (tokenizer_encode(t, text, len, 0, &ids, &n, err) != 0)
        return 1;
    px_buf_init(&b, 4096);
    for (size_t i = 0; i < n; i++)
        tokenizer_piece(t, ids[i], &b);
    free(ids);
    /* SentencePiece puts a space in front. */
    size_t skip = b.len == len + 1 && b.data[0] == ' ';
    bool same = b.len == len + skip && memcmp(b.data + skip, text, len) == 0;
    px_buf_clear(&b);
    return same ? 0 : -1;
}

static void check_tokenizer(struct check *c)
{
    static const char *const texts[] = {"Hello, world!", "def f(x):\n    return x + 1\n",
                                        "  two  spaces ", "12345 3.14 a_b",
                                        "na\xc3\xafve \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x9a\x80"};
    struct px_err err = {0};
    unsigned lacking = 0, n = sizeof texts / sizeof texts[0];
    size_t n_stops;
    for (unsigned i = 0; i < n; i++) {
        int rc = round_trip(c->tok, texts[i], &err);
        if (rc < 0) {
            check_failed(c, STAGE_TOKENIZER, "'%s' comes back as another text", texts[i]);
            return;
        }
        lacking += rc > 0;
    }
    if (lacking == n) {
        check_failed(c, STAGE_TOKENIZER, "no text can be encoded: %.400s", err.text);
        return;
    }
    tokenizer_stop_ids(c->tok, &n_stops);
    check_passed(
        c, STAGE_TOKENIZER,
        "%s, %u entries; %u of %u texts round trip%s; BOS %d%s, EOS %d, stop tokens: %zu%s",
        tokenizer_family(c->tok), tokenizer_n_vocab(c->tok), n - lacking, n,
        lacking ? " (the vocabulary lacks characters of the others)" : "", tokenizer_bos(c->tok),
        tokenizer_adds_bos(c->tok) ? " (added)" : "", tokenizer_eos(c->tok), n_stops,
        n_stops ? "" : " (generation needs stop tokens from the recipe)");
}

/* ---- embedding, positions, norms, head ---- */

static void check_embedding(struct check *c)
{
    const struct model_config *cfg = &c->m->cfg;
    PX_FREE float *row = px_xmalloc((size_t)cfg->n_embd * sizeof *row);
    uint32_t n = cfg->n_vocab < MAX_ROWS ? cfg->n_vocab : MAX_ROWS, zero = 0;
    double least = INFINITY, most = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t token = (uint32_t)((uint64_t)i * cfg->n_vocab / n);
        model_embed(c->m, token, row);
        struct spread s = spread_of(row, cfg->n_embd);
        double norm = s.rms * sqrt(cfg->n_embd);
        if (!s.is_finite) {
            check_failed(c, STAGE_EMBEDDING, "the row of token %u is not finite", token);
            return;
        }
        zero += norm <= 0;
        least = norm < least ? norm : least;
        most = norm > most ? norm : most;
    }
    if (2 * zero > n)
        check_failed(c, STAGE_EMBEDDING, "%u of %u rows are zero", zero, n);
    else
        check_passed(c, STAGE_EMBEDDING,
                     "%u rows of %u as the vocabulary; norms of %u rows %.4g to %.4g, zero: %u",
                     cfg->n_vocab, cfg->n_embd, n, least, most, zero);
}

/* The frequency of pair i by the plain formulas, with the library's functions. */
static double expected_frequency(const struct model_config *cfg, uint32_t i)
{
    double f = pow(cfg->rope_theta, -2.0 * i / cfg->rope_dims);
    double turns = cfg->rope_original_context * f / (2 * M_PI);
    if (cfg->rope_scaling == ROPE_LINEAR)
        return f / cfg->rope_scale;
    if (cfg->rope_scaling == ROPE_LLAMA3) {
        double smooth = (turns - cfg->llama3_low) / (cfg->llama3_high - cfg->llama3_low);
        smooth = fmax(0, fmin(1, smooth));
        return f * ((1 - smooth) / cfg->rope_scale + smooth);
    }
    double pairs = cfg->rope_dims / (2 * log(cfg->rope_theta)),
           context = cfg->rope_original_context / (2 * M_PI);
    double low = fmax(0, floor(pairs * log(context / cfg->yarn_beta_fast)));
    double high = fmin(cfg->rope_dims - 1, ceil(pairs * log(context / cfg->yarn_beta_slow)));
    double slow = fmax(0, fmin(1, (i - low) / fmax(0.001, high - low)));
    double share = (1 - slow) * cfg->yarn_ext_factor;
    return f * (share + (1 - share) / cfg->rope_scale);
}

static double expected_magnitude(const struct model_config *cfg)
{
    bool is_yarn = cfg->rope_scaling == ROPE_YARN && cfg->yarn_ext_factor > 0;
    return cfg->rope_attn_factor * (is_yarn ? 1 + 0.1 * log(fmax(1, cfg->rope_scale)) : 1);
}

static const char *scaling_name(const struct model_config *cfg)
{
    return cfg->rope_scaling == ROPE_YARN     ? "yarn"
           : cfg->rope_scaling == ROPE_LLAMA3 ? "llama3"
                                              : "linear";
}

/* A unit vector in each plane, turned at a few positions, against the closed form. */
static void check_positions(struct check *c)
{
    const struct model_config *cfg = &c->m->cfg;
    const struct gguf_tensor *t = gguf_tensor_find(c->m->gguf, "rope_freqs.weight");
    const uint32_t positions[] = {1, 17, cfg->context_length - 1};
    double worst = 0, magnitude = expected_magnitude(cfg);
    for (uint32_t i = 0; i < cfg->rope_dims / 2; i++) {
        float factor = 1, s, co;
        if (t)
            dequantize(t->type, (const char *)t->data + i * ggml_type_info(t->type)->bytes, &factor,
                       1);
        double freq = expected_frequency(cfg, i) / (double)factor;
        for (size_t k = 0; k < sizeof positions / sizeof positions[0]; k++) {
            double angle = positions[k] * freq;
            rope_angles(&c->m->rope_freqs[i], 1, c->m->rope_magnitude, positions[k], &co, &s);
            worst = fmax(worst, fabs((double)s - magnitude * sin(angle)));
            worst = fmax(worst, fabs((double)co - magnitude * cos(angle)));
        }
    }
    if (!(worst < 1e-6 * magnitude))
        check_failed(c, STAGE_POSITIONS, "a rotation is off by %g, expected less than 1e-6", worst);
    else
        check_passed(c, STAGE_POSITIONS,
                     "%u of %u dimensions rotate, theta %g, %s scale %g%s; positions 1, 17 and "
                     "%u within 1e-6",
                     cfg->rope_dims, cfg->head_dim, cfg->rope_theta, scaling_name(cfg),
                     cfg->rope_scale, t ? ", factors from rope_freqs.weight" : "",
                     cfg->context_length - 1);
}

static void check_norms(struct check *c)
{
    const struct model_config *cfg = &c->m->cfg;
    if (!(cfg->rms_eps > 0 && cfg->rms_eps <= 1e-2)) {
        check_failed(c, STAGE_NORMS, "epsilon is %g, expected above 0 and at most 0.01",
                     cfg->rms_eps);
        return;
    }
    double least = INFINITY, most = 0;
    for (uint32_t i = 0; i <= 2 * cfg->n_layers; i++) {
        const struct model_layer *l = i < 2 * cfg->n_layers ? &c->m->layers[i / 2] : NULL;
        const float *w = !l ? c->m->output_norm : i % 2 ? l->ffn_norm : l->attn_norm;
        struct spread s = spread_of(w, cfg->n_embd);
        if (!s.is_finite || s.rms <= 0) {
            check_failed(c, STAGE_NORMS, "%s of layer %u is %s",
                         !l      ? "the last norm"
                         : i % 2 ? "ffn_norm"
                                 : "attn_norm",
                         i / 2, s.is_finite ? "all zero" : "not finite");
            return;
        }
        least = s.rms < least ? s.rms : least;
        most = s.rms > most ? s.rms : most;
    }
    check_passed(c, STAGE_NORMS, "epsilon %g, %u norms%s; rms %.4g to %.4g", cfg->rms_eps,
                 2 * cfg->n_layers + 1, cfg->qk_norm ? " besides those of q and k" : "", least,
                 most);
}

static void check_head(struct check *c)
{
    const struct weight *w = &c->m->output;
    if (w->n_in != c->m->cfg.n_embd || w->n_out != c->m->cfg.n_vocab)
        check_failed(c, STAGE_HEAD, "%u x %u, expected %u x %u", w->n_in, w->n_out,
                     c->m->cfg.n_embd, c->m->cfg.n_vocab);
    else
        check_passed(c, STAGE_HEAD, "%s, %u x %u, %s",
                     c->m->cfg.tied_embeddings ? "tied to the embedding" : "a matrix of its own",
                     w->n_in, w->n_out, ggml_type_info(w->type)->name);
}

/* ---- logits and sampler ---- */

static void check_sampler(struct check *c, struct eval *e, const float *logits,
                          const uint32_t *tokens, uint32_t n)
{
    const struct sampler_spec greedy = {.top_p = 1},
                              warm = {.temperature = 1, .top_k = 40, .top_p = 0.95, .seed = 7};
    const struct kernels *kn = eval_kernels(e);
    uint32_t n_vocab = c->m->cfg.n_vocab, drawn[8], best = sample_argmax(kn, logits, n_vocab);
    struct sample_key key = {.seed = 7, .problem = sample_problem_hash("check")};
    struct px_err err;
    size_t bytes = (size_t)n_vocab * sizeof *logits;
    double lse = sample_log_sum_exp(kn, logits, n_vocab), sum = 0;
    for (uint32_t i = 0; i < n_vocab; i++)
        sum += det_exp((double)logits[i] - lse);
    for (uint32_t i = 0; i < 8; i++) {
        key.position = i;
        drawn[i] = sample_token(kn, logits, n_vocab, &warm, &key);
    }
    bool is_greedy = sample_token(kn, logits, n_vocab, &greedy, &key) == best;
    PX_FREE float *first = px_xmalloc(bytes);
    memcpy(first, logits, bytes);
    eval_reset(e);
    const float *again = eval_tokens(e, tokens, n, NULL, NULL, &err);
    bool same = again && memcmp(first, again, bytes) == 0;
    for (uint32_t i = 0; same && i < 8; i++) {
        key.position = i;
        same = sample_token(kn, again, n_vocab, &warm, &key) == drawn[i];
    }
    if (!(fabs(sum - 1) < 1e-6))
        check_failed(c, STAGE_SAMPLER, "probabilities sum to %.9g, expected 1", sum);
    else if (!is_greedy)
        check_failed(c, STAGE_SAMPLER, "the greedy token is not the best one (%u)", best);
    else if (!same)
        check_failed(c, STAGE_SAMPLER, "the same seed and tokens gave another result");
    else
        check_passed(c, STAGE_SAMPLER,
                     "greedy token %u is the best one, probabilities sum to 1, seeded draws repeat",
                     best);
}

static void check_logits(struct check *c)
{
    static const char text[] = "The quick brown fox";
    struct eval_config cfg = {.isa = c->opt->isa,
                              .threads = c->opt->threads ? c->opt->threads : 1,
                              .kv = KV_F32,
                              .max_tokens = POSITIONS,
                              .chunk = POSITIONS};
    const uint32_t n_vocab = c->m->cfg.n_vocab;
    uint32_t *ids = NULL, plain[2] = {1 % n_vocab, 2 % n_vocab};
    size_t n = 0;
    struct px_err err = {0};
    if (c->m->cfg.context_length < POSITIONS)
        cfg.max_tokens = c->m->cfg.context_length;
    bool encoded =
        tokenizer_encode(c->tok, text, sizeof text - 1, TOK_ADD_SPECIAL, &ids, &n, NULL) == 0;
    if (!encoded || n == 0)
        n = 2;
    n = n < cfg.max_tokens ? n : cfg.max_tokens;
    const uint32_t *tokens = encoded && n > 0 && ids ? ids : plain;
    struct eval *e = eval_new(c->m, &cfg, &err);
    const float *logits = e ? eval_tokens(e, tokens, (uint32_t)n, NULL, NULL, &err) : NULL;
    if (!logits) {
        check_failed(c, STAGE_LOGITS, "%.500s", err.text);
    } else if (!sample_finite(logits, n_vocab)) {
        check_failed(c, STAGE_LOGITS, "a logit is NaN or infinite");
    } else {
        double lse = sample_log_sum_exp(eval_kernels(e), logits, n_vocab), entropy = 0;
        struct spread s = spread_of(logits, n_vocab);
        for (uint32_t i = 0; i < n_vocab; i++)
            entropy -= det_exp((double)logits[i] - lse) * ((double)logits[i] - lse);
        if (!(entropy > 0) || !(s.variance > 1e-12))
            check_failed(c, STAGE_LOGITS, "entropy %g, variance %g: %s", entropy, s.variance,
                         entropy > 0 ? "every token is as good as any other"
                                     : "only one token is possible");
        else
            check_passed(c, STAGE_LOGITS,
                         "finite after %zu tokens; entropy %.4g of at most %.4g, rms %.4g", n,
                         entropy, det_log(n_vocab), s.rms);
        check_sampler(c, e, logits, tokens, (uint32_t)n);
    }
    eval_free(&e);
    free(ids);
}

/* ---- all of them ---- */

static void run_stages(struct check *c)
{
    const struct gguf *g = c->m->gguf;
    check_passed(c, STAGE_CONTAINER,
                 "GGUF version %u, %u keys, %u tensors, each in its place and of the shape that "
                 "%s asks for",
                 gguf_version(g), gguf_n_keys(g), gguf_n_tensors(g), c->m->cfg.arch_name);
    if (c->tok)
        check_tokenizer(c);
    bool whole = check_data(c);
    check_embedding(c);
    check_positions(c);
    check_norms(c);
    check_head(c);
    if (whole)
        check_layers(c);
    if (whole && c->tok)
        check_logits(c);
}

static void skip_all(struct check_report *r)
{
    memset(r, 0, sizeof *r);
    for (unsigned i = 0; i < CHECK_STAGES; i++) {
        r->stages[i].name = stage_names[i];
        snprintf(r->stages[i].details, sizeof r->stages[i].details,
                 "not run: what it needs is damaged");
    }
}

int check_file(const char *path, const struct check_options *opt, struct check_report *out,
               struct px_err *err)
{
    struct check_report r;
    struct check c = {.opt = opt, .report = &r};
    struct px_err why = {0};
    skip_all(&r);
    c.kn = kernels_choose(opt->isa ? opt->isa : "auto", err);
    if (!c.kn)
        return -1;
    struct model *m = model_open(path, &why);
    struct tokenizer *tok = m ? tokenizer_new(m->gguf, &why) : NULL;
    if (!m && (why.code == PX_EMISSING || why.code == PX_EIO)) {
        if (err)
            *err = why;
        return -1;
    }
    if (!m) {
        check_failed(&c, STAGE_CONTAINER, "%s", why.text);
    } else {
        snprintf(r.architecture, sizeof r.architecture, "%s", m->cfg.arch_name);
        r.bytes = gguf_file_size(m->gguf);
        r.is_imported = gguf_source(m->gguf) != NULL;
        c.m = m;
        c.tok = tok;
        run_stages(&c);
        if (!tok)
            check_failed(&c, STAGE_TOKENIZER, "%s", why.text);
    }
    for (unsigned i = 0; i < CHECK_STAGES; i++)
        r.passed += r.stages[i].status == CHECK_PASSED;
    tokenizer_free(&tok);
    model_free(&m);
    *out = r;
    return 0;
}

const struct check_stage *check_cause(const struct check_report *r)
{
    if (r->stages[STAGE_DATA].status == CHECK_FAILED)
        return &r->stages[STAGE_DATA];
    for (unsigned i = 0; i < CHECK_STAGES; i++)
        if (r->stages[i].status == CHECK_FAILED)
            return &r->stages[i];
    return NULL;
}

void check_json(const struct check_report *r, const char *model, const struct px_digest *digest,
                struct px_buf *out)
{
    static const char *const status[] = {"skipped", "passed", "failed"};
    char hex[PX_HEX_SIZE];
    px_digest_hex(digest, hex);
    px_buf_str(out, "{\"model\": ");
    px_json_quote(out, model, strlen(model));
    px_buf_str(out, ", \"architecture\": ");
    px_json_quote(out, r->architecture, strlen(r->architecture));
    px_buf_printf(out, ", \"digest\": \"%s\", \"bytes\": %llu, \"stages\": [", hex,
                  (unsigned long long)r->bytes);
    for (unsigned i = 0; i < CHECK_STAGES; i++) {
        const struct check_stage *s = &r->stages[i];
        px_buf_printf(out, "%s{\"name\": \"%s\", \"status\": \"%s\", \"details\": ", i ? ", " : "",
                      s->name, status[s->status]);
        px_json_quote(out, s->details, strlen(s->details));
        px_buf_char(out, '}');
    }
    px_buf_printf(out, "], \"passed\": %u, \"total\": %u, \"all_passed\": %s}", r->passed,
                  CHECK_STAGES, r->passed == CHECK_STAGES ? "true" : "false");
}
