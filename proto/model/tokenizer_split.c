/* tokenizer_split.c - pre-tokenizers: the expressions that cut a text into words before BPE.
 *
 * Each name stands for a list of expressions. The first cuts the text, the next ones cut what the
 * earlier ones left: matches and the gaps between them alike. An expression sees only its piece,
 * so a look-ahead at the end of a piece sees the end. Sources: the tokenizer.json of the models
 * and llama.cpp's equivalents. White space is Unicode's White_Space, written out, because PCRE2's
 * \s differs in U+180E; (?i) is written out, because it would also match U+017F for s. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

#define WS                                                                                         \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"    \
    "\\x{205f}\\x{3000}"
#define SPACES "[" WS "]+(?![^" WS "])|[" WS "]+"
#define CLITICS "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
/* What Llama 3 and Qwen 2 share around their rule for digits. */
#define MODERN(digits)                                                                             \
    CLITICS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n]*|[" WS     \
            "]*[\\r\\n]+|" SPACES
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WS "\\p{L}\\p{N}]+|" SPACES
/* U+0800..U+9FA5 and U+AC00..U+D7FF without the white space in them */
#define CJK                                                                                        \
    "[\\x{800}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"                 \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{9fa5}\\x{ac00}-\\x{d7ff}]+"

enum { MAX_EXPRESSIONS = 5 };

static const struct {
    const char *name;
    struct splitter_traits traits;
    const char *expressions[MAX_EXPRESSIONS];
} table[] = {
    {"default", {.clean_spaces = true}, {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"gpt-2", {.clean_spaces = true}, {GPT2}},
    {"phi-2", {.clean_spaces = true}, {GPT2}},
    {"olmo", {.clean_spaces = true}, {GPT2}},
    {"mpt", {.clean_spaces = true}, {GPT2}},
    {"qwen2", {0}, {MODERN("\\p{N}")}},
    {"deepseek-r1-qwen", {0}, {MODERN("\\p{N}")}},
    {"stablelm2", {.clean_spaces = true}, {MODERN("\\p{N}")}},
    {"llama-bpe", {true, true, true}, {MODERN("\\p{N}{1,3}")}},
    {"llama3", {true, true, true}, {MODERN("\\p{N}{1,3}")}},
    {"llama-v3", {true, true, true}, {MODERN("\\p{N}{1,3}")}},
    {"falcon3", {true, true, true}, {MODERN("\\p{N}{1,3}")}},
    {"pixtral", {true, true, true}, {MODERN("\\p{N}{1,3}")}},
    {"smaug-bpe", {.clean_spaces = true}, {MODERN("\\p{N}{1,3}")}},
    {"dbrx", {.clean_spaces = true}, {MODERN("\\p{N}{1,3}")}},
    {"starcoder", {.clean_spaces = true}, {"\\p{N}", GPT2}},
    {"refact", {.clean_spaces = true}, {"\\p{N}", GPT2}},
    {"smollm", {.clean_spaces = true}, {"\\p{N}", GPT2}},
    {"codeshell", {.clean_spaces = true}, {"\\p{N}", GPT2}},
    {"command-r", {0}, {"\\p{N}", GPT2}},
    {"deepseek-coder", {0}, {"[\\r\\n]", "[" WS "]?\\p{L}+", "[" WS "]?\\p{P}+", CJK, "\\p{N}"}},
};
#define N_TABLE (sizeof table / sizeof table[0])

struct splitter {
    pcre2_code *code[MAX_EXPRESSIONS];
    int n;
    bool jit;
};

static pcre2_code *compile(const char *expression, bool *jit, struct px_err *err)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &at, NULL);
    if (!code) {
        px_fail(err, PX_EINTERNAL, "PCRE2 refuses a pre-tokenizer expression at %zu (error %d): %s",
                (size_t)at, error, expression);
        return NULL;
    }
    if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0)
        *jit = false;
    return code;
}

static int find_expressions(const char *name, size_t len, size_t *out, struct px_err *err)
{
    for (size_t i = 0; i < N_TABLE; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0) {
            *out = i;
            return 0;
        }
    char known[400] = "";
    for (size_t i = 0; i < N_TABLE; i++) {
        strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, table[i].name, sizeof known - strlen(known) - 1);
    }
    return px_fail(err, PX_EUNSUPPORTED, "unknown pre-tokenizer '%.*s'; known are %s",
                   (int)(len > 60 ? 60 : len), name, known);
}

int splitter_find(const char *name, size_t len, struct splitter_traits *traits, struct px_err *err)
{
    size_t which;
    if (find_expressions(name, len, &which, err) != 0)
        return -1;
    *traits = table[which].traits;
    return 0;
}

struct splitter *splitter_new(const char *name, size_t len, struct px_err *err)
{
    size_t which;
    if (find_expressions(name, len, &which, err) != 0)
        return NULL;
    struct splitter *s = px_xcalloc(1, sizeof *s);
    s->jit = true;
    while (s->n < MAX_EXPRESSIONS && table[which].expressions[s->n]) {
        s->code[s->n] = compile(table[which].expressions[s->n], &s->jit, err);
        if (!s->code[s->n]) {
            splitter_free(&s);
            return NULL;
        }
        s->n++;
    }
    return s;
}

void splitter_free(struct splitter **sp)
{
    struct splitter *s = *sp;
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        pcre2_code_free(s->code[i]);
    free(s);
    *sp = NULL;
}

struct run {
    const struct splitter *s;
    pcre2_match_data *match[MAX_EXPRESSIONS];
    int (*word)(void *ctx, const char *p, size_t n);
    void *ctx;
    struct px_err *err;
};

/* Cuts a piece by expression `level` and hands the parts to the next one. */
static int cut(const struct run *r, int level, const char *p, size_t n)
{
    size_t at = 0;
    if (level == r->s->n)
        return r->word(r->ctx, p, n);
    const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(r->match[level]);
    while (at < n) {
        int rc = r->s->jit ? pcre2_jit_match(r->s->code[level], (PCRE2_SPTR)p, n, at,
                                             PCRE2_NO_UTF_CHECK, r->match[level], NULL)
                           : pcre2_match(r->s->code[level], (PCRE2_SPTR)p, n, at,
                                         PCRE2_NO_UTF_CHECK, r->match[level], NULL);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return px_fail(r->err, PX_EINTERNAL, "PCRE2 error %d while splitting a text", rc);
        size_t start = ovector[0], end = ovector[1];
        px_assert(end > start);
        if (start > at && cut(r, level + 1, p + at, start - at) != 0)
            return -1;
        if (cut(r, level + 1, p + start, end - start) != 0)
            return -1;
        at = end;
    }
    return at < n ? cut(r, level + 1, p + at, n - at) : 0;
}

int splitter_run(const struct splitter *s, const char *text, size_t len,
                 int (*word)(void *ctx, const char *p, size_t n), void *ctx, struct px_err *err)
{
    struct run r = {.s = s, .word = word, .ctx = ctx, .err = err};
    for (int i = 0; i < s->n; i++)
        px_assert((r.match[i] = pcre2_match_data_create(1, NULL)) != NULL);
    int rc = cut(&r, 0, text, len);
    for (int i = 0; i < s->n; i++)
        pcre2_match_data_free(r.match[i]);
    return rc;
}
