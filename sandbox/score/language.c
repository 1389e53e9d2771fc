/* language.c - scripts first, then everyday words and letters. See language.h. */
#include "sandbox/score/language.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/language_words.h"

/* Weight of a word that one language alone has; shared ones divide it. The ending of a word that no
 * list has and a letter count less. */
enum { MOST_CHARS = 10000, WORD = 5040, ENDING = WORD / 2, LETTER = WORD / 4 };

enum script {
    LATIN,
    CYRILLIC,
    ARABIC,
    DEVANAGARI,
    GREEK,
    HEBREW,
    BENGALI,
    GURMUKHI,
    GUJARATI,
    TAMIL,
    TELUGU,
    KANNADA,
    MALAYALAM,
    THAI,
    HANGUL,
    KANA,
    HAN,
    SCRIPTS
};

/* NULL: words decide. */
static const char *const only_language[SCRIPTS] = {
    [GREEK] = "el",  [HEBREW] = "he", [BENGALI] = "bn", [GURMUKHI] = "pa",  [GUJARATI] = "gu",
    [TAMIL] = "ta",  [TELUGU] = "te", [KANNADA] = "kn", [MALAYALAM] = "ml", [THAI] = "th",
    [HANGUL] = "ko", [KANA] = "ja",   [HAN] = "zh-cn",
};

static const struct block {
    uint32_t first, last;
    enum script script;
} blocks[] = {
    {'A', 'Z', LATIN},          {'a', 'z', LATIN},         {0xAA, 0x24F, LATIN},
    {0x370, 0x3FF, GREEK},      {0x400, 0x52F, CYRILLIC},  {0x590, 0x5FF, HEBREW},
    {0x600, 0x6FF, ARABIC},     {0x750, 0x77F, ARABIC},    {0x900, 0x963, DEVANAGARI},
    {0x970, 0x97F, DEVANAGARI}, {0x980, 0x9FF, BENGALI},   {0xA00, 0xA7F, GURMUKHI},
    {0xA80, 0xAFF, GUJARATI},   {0xB80, 0xBFF, TAMIL},     {0xC00, 0xC7F, TELUGU},
    {0xC80, 0xCFF, KANNADA},    {0xD00, 0xD7F, MALAYALAM}, {0xE00, 0xE7F, THAI},
    {0x1100, 0x11FF, HANGUL},   {0x1E00, 0x1EFF, LATIN},   {0x1F00, 0x1FFF, GREEK},
    {0x3040, 0x30FF, KANA},     {0x3400, 0x9FFF, HAN},     {0xAC00, 0xD7AF, HANGUL},
    {0xFB50, 0xFDFF, ARABIC},   {0xFE70, 0xFEFC, ARABIC},  {0x20000, 0x3134F, HAN},
};

/* SCRIPTS for what is no letter, or of a script that no language here uses. Vowel signs count as
 * letters of their script. */
static enum script script_of(uint32_t c)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0] && blocks[i].first <= c; i++)
        if (c <= blocks[i].last)
            return c == 0xD7 || c == 0xF7 || (c < 0x100 && c > 'z' && !pystr_is_alnum(c)) ||
                           (c < 0x900 && pystr_is_digit(c))
                       ? SCRIPTS
                       : blocks[i].script;
    return SCRIPTS;
}

/* ---- profiles ---- */

struct score {
    const struct language_profile *of;
    size_t n;
    uint64_t points[LANGUAGE_MOST];
};

static bool has_word(const char *words, struct span word)
{
    const char *end = words + strlen(words);
    for (const char *p = words; (p = memmem(p, (size_t)(end - p), word.p, word.n)) != NULL; p++)
        if (p > words && p[-1] == ' ' && p[word.n] == ' ')
            return true;
    return false;
}

/* Divides points among the languages whose flag is set. */
static void share(struct score *s, const bool *has, unsigned points)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += has[i];
    for (size_t i = 0; i < s->n && n > 0; i++)
        s->points[i] += has[i] ? points / n : 0;
}

static bool has_ending(const char *endings, struct span word)
{
    struct span rest = pystr_of(endings), e;
    while (pystr_word(&rest, &e))
        if (word.n > e.n + 1 && pystr_ends(word, e))
            return true;
    return false;
}

static void judge_word(struct score *s, struct span word)
{
    bool has[LANGUAGE_MOST] = {false}, any = false;
    for (size_t i = 0; i < s->n; i++) {
        has[i] = has_word(s->of[i].words, word);
        any = any || has[i];
    }
    if (!any)
        for (size_t i = 0; i < s->n; i++)
            has[i] = has_ending(s->of[i].endings, word);
    share(s, has, any ? WORD : ENDING);
    for (size_t at = 0; at < word.n;) {
        size_t from = at;
        if (pystr_next(word, &at) < 0x80)
            continue;
        struct span letter = pystr_slice(word, from, at);
        for (size_t i = 0; i < s->n; i++)
            has[i] = pystr_find(pystr_of(s->of[i].letters), letter, 0) != (size_t)-1;
        share(s, has, LETTER);
    }
}

/* Marks and spaces between words; combining signs belong to a word. */
static bool separates(uint32_t c)
{
    bool ascii_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return c < 0x80 ? !ascii_letter
                    : pystr_is_space(c) || (c >= 0x2010 && c <= 0x2046) || c == 0x964 ||
                          c == 0x965 || c == 0xAB || c == 0xBB || c == 0xA1 || c == 0xBF ||
                          c == 0x60C || c == 0x61B || c == 0x61F || c == 0x6D4;
}

/* The first language has the benefit of the doubt: a tie, a text without any evidence and, as
 * English, half as many points again. */
static const char *best_of(const struct language_profile *of, size_t n, struct span text)
{
    struct score s = {of, n, {0}};
    size_t len, start = 0;
    char *low = pystr_lower(text, &len);
    struct span l = {low, len};
    for (size_t at = 0; at < len;) {
        size_t from = at;
        if (!separates(pystr_next(l, &at)))
            continue;
        if (from > start)
            judge_word(&s, pystr_slice(l, start, from));
        start = at;
    }
    if (len > start)
        judge_word(&s, pystr_slice(l, start, len));
    free(low);
    if (of == language_latin)
        s.points[0] += s.points[0] / 2;
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (s.points[i] > s.points[best])
            best = i;
    return of[best].code;
}

/* ---- the text ---- */

/* Owned: the first MOST_CHARS characters without web addresses. */
static char *without_addresses(struct span text, size_t *n)
{
    size_t end = 0;
    for (size_t chars = 0; end < text.n && chars < MOST_CHARS; chars++)
        (void)pystr_next(text, &end);
    text = pystr_slice(text, 0, end);
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    struct span rest = text, word;
    while (pystr_word(&rest, &word)) {
        if (pystr_starts(word, pystr_of("http://")) || pystr_starts(word, pystr_of("https://")))
            continue;
        px_buf_put(&b, word.p, word.n);
        px_buf_char(&b, ' ');
    }
    return px_buf_steal(&b, n);
}

/* The script most letters are of. Words in Latin letters are often names and terms, so that another
 * script that has half as many letters is the text's own. */
static enum script main_script(struct span s)
{
    size_t count[SCRIPTS + 1] = {0};
    for (size_t at = 0; at < s.n;)
        count[script_of(pystr_next(s, &at))]++;
    if (count[KANA] > 0 && count[KANA] * 10 > count[HAN]) {
        count[KANA] += count[HAN]; /* Japanese is written in both */
        count[HAN] = 0;
    }
    enum script best = LATIN + 1;
    for (enum script i = LATIN + 2; i < SCRIPTS; i++)
        if (count[i] > count[best])
            best = i;
    if (count[best] + count[LATIN] == 0)
        return SCRIPTS;
    return count[best] * 2 > count[LATIN] ? best : LATIN;
}

const char *language_of(struct span text)
{
    size_t n;
    char *part = without_addresses(text, &n);
    struct span s = {part, n};
    enum script script = main_script(s);
    const char *code = NULL;
    if (script == LATIN)
        code = best_of(language_latin, language_latin_n, s);
    else if (script == CYRILLIC)
        code = best_of(language_cyrillic, language_cyrillic_n, s);
    else if (script == ARABIC)
        code = best_of(language_arabic, language_arabic_n, s);
    else if (script == DEVANAGARI)
        code = best_of(language_devanagari, language_devanagari_n, s);
    else if (script < SCRIPTS)
        code = only_language[script];
    free(part);
    return code;
}
