/* code.c - finds the program in a completion; what it found is named by a rule.
 *
 * Rules: fence-entry (the last fenced block that defines the entry point), fence-longest (the
 * longest fenced block of Python or of no stated language), before-fence (text up to a fence that
 * only closes), definition (from the first line of code in prose), whole (the text, cut where a
 * chat goes on), raw (the text to the last byte, when that is asked for). An indent is never
 * trimmed: a body is only its indent away from its function. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/mem.h"
#include "sandbox/score/score.h"

struct fence {
    char mark;
    size_t width, indent;
    struct span info;
};

static bool is_fence(struct span line, struct fence *f)
{
    size_t i = 0;
    while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
        i++;
    f->indent = i;
    f->mark = i < line.n ? line.p[i] : '\0';
    if (f->mark != '`' && f->mark != '~')
        return false;
    size_t at = i;
    while (i < line.n && line.p[i] == f->mark)
        i++;
    f->width = i - at;
    f->info = text_trim((struct span){line.p + i, line.n - i});
    return f->width >= 3 && memchr(f->info.p, '`', f->info.n) == NULL;
}

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Does the line define `name`, at any indent? */
static bool line_defines(struct span line, const char *name)
{
    static const char *const words[] = {"async def ", "def ", "class "};
    struct span s = text_trim(line);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!text_starts(s, words[i]))
            continue;
        size_t k = strlen(words[i]);
        struct span rest = text_trim((struct span){s.p + k, s.n - k});
        size_t n = strlen(name);
        return text_starts(rest, name) && (rest.n == n || !name_char(rest.p[n]));
    }
    return false;
}

static bool defines(struct span s, const char *name)
{
    if (name[0] == '\0')
        return false;
    for (struct span rest = s; rest.n > 0;)
        if (line_defines(text_line(rest, &rest), name))
            return true;
    return false;
}

static bool python_info(struct span info)
{
    static const char *const names[] = {"python", "py", "python3", "py3", "{python}", "{.python}"};
    size_t n = 0;
    while (n < info.n && info.p[n] != ' ' && info.p[n] != ',')
        n++;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (n == strlen(names[i]) && strncasecmp(info.p, names[i], n) == 0)
            return true;
    return info.n == 0;
}

struct blocks {
    struct span entry, longest, longest_any;
    size_t entry_indent, longest_indent, any_indent;
    struct span before; /* the text before the first fence line */
    unsigned n, n_fences;
    bool first_is_bare;
};

static void see_block(struct blocks *b, struct span body, const struct fence *f,
                      const char *entry_point)
{
    b->n++;
    if (defines(body, entry_point)) {
        b->entry = body;
        b->entry_indent = f->indent;
    }
    if (python_info(f->info) && body.n > b->longest.n) {
        b->longest = body;
        b->longest_indent = f->indent;
    }
    if (body.n > b->longest_any.n) {
        b->longest_any = body;
        b->any_indent = f->indent;
    }
}

static void find_blocks(struct span s, const char *entry_point, struct blocks *b)
{
    struct fence open = {.mark = '\0'}, f;
    const char *body = NULL;
    for (struct span rest = s; rest.n > 0;) {
        const char *start = rest.p;
        struct span line = text_line(rest, &rest);
        if (!is_fence(line, &f))
            continue;
        if (b->n_fences++ == 0) {
            b->before = (struct span){s.p, (size_t)(start - s.p)};
            b->first_is_bare = f.info.n == 0;
        }
        if (open.mark == '\0') {
            open = f;
            body = rest.p;
        } else if (f.mark == open.mark && f.width >= open.width && f.info.n == 0) {
            see_block(b, (struct span){body, (size_t)(start - body)}, &open, entry_point);
            open.mark = '\0';
        }
    }
    if (open.mark != '\0' && body != NULL) /* cut off by the token limit */
        see_block(b, (struct span){body, (size_t)(s.p + s.n - body)}, &open, entry_point);
}

static void take(struct extract *out, struct span s, size_t indent, const char *rule)
{
    char *text = px_xmalloc(s.n + 2);
    size_t n = 0;
    for (struct span rest = s; rest.n > 0;) {
        struct span line = text_line(rest, &rest);
        size_t k = 0; /* a fence's own indent is not the code's */
        while (k < indent && k < line.n && (line.p[k] == ' ' || line.p[k] == '\t'))
            k++;
        memcpy(text + n, line.p + k, line.n - k);
        n += line.n - k;
        text[n++] = '\n';
    }
    text[n] = '\0';
    out->text = text;
    out->n = n;
    out->rule = rule;
}

static bool role_line(struct span line)
{
    static const char *const roles[] = {"Human", "Assistant", "User", "System"};
    struct span s = text_trim(line);
    if (s.n > 0 && s.p[s.n - 1] == ':')
        s.n--;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (text_equals(s, roles[i]))
            return true;
    return false;
}

static struct span cut_roles(struct span s)
{
    for (struct span rest = s; rest.n > 0;) {
        const char *start = rest.p;
        if (role_line(text_line(rest, &rest)))
            return (struct span){s.p, (size_t)(start - s.p)};
    }
    return s;
}

static bool opens_code(struct span line)
{
    static const char *const words[] = {"def ", "class ", "import ", "async def ", "@"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_starts(line, words[i]))
            return true;
    return text_starts(line, "from ") && text_find(line, " import ") != (size_t)-1;
}

/* Something that is a statement, for programs without a definition. */
static bool looks_like_code(struct span line)
{
    struct span s = text_trim(line);
    size_t i = 0;
    if (opens_code(s) || text_starts(s, "print(") || text_starts(s, "return ") ||
        text_starts(s, "for ") || text_starts(s, "while ") || text_starts(s, "if "))
        return s.n > 0 && (s.p[s.n - 1] == ':' || !text_starts(s, "if "));
    while (i < s.n && name_char(s.p[i]))
        i++;
    while (i < s.n && s.p[i] == ' ')
        i++;
    return i > 0 && i < s.n && (s.p[i] == '=' || (s.p[i] == '(' && s.p[s.n - 1] == ')'));
}

/* A line that may stand between prose and the first definition: a constant, a comment, nothing. */
static bool leads_to_code(struct span line)
{
    size_t i = 0;
    while (i < line.n && name_char(line.p[i]))
        i++;
    size_t name = i;
    while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
        i++;
    bool assigns =
        name > 0 && i < line.n && line.p[i] == '=' && (i + 1 == line.n || line.p[i + 1] != '=');
    return assigns || text_starts(line, "#") || text_is_blank(line);
}

static void unfenced(struct span s, enum code_style style, struct extract *out)
{
    s = cut_roles(s);
    struct span from = {NULL, 0}, lead = {NULL, 0};
    bool code = false;
    for (struct span rest = s; rest.n > 0;) {
        struct span at = rest;
        struct span line = text_line(rest, &rest);
        if (from.p == NULL && opens_code(line))
            from = lead.p != NULL ? lead : at;
        if (!leads_to_code(line))
            lead = (struct span){NULL, 0};
        else if (lead.p == NULL && !text_is_blank(line))
            lead = at;
        code = code || looks_like_code(line);
    }
    if (style == STYLE_COMPLETION && !text_is_blank(s))
        take(out, s, 0, "whole");
    else if (style == STYLE_FUNCTION && from.p != NULL)
        take(out, from, 0, from.p == s.p ? "whole" : "definition");
    else if (style == STYLE_FUNCTION && code)
        take(out, s, 0, "whole");
    else
        out->unusable = VERDICT_NO_CODE;
}

void code_extract(struct span completion, enum code_style style, const char *entry_point,
                  struct extract *out)
{
    memset(out, 0, sizeof *out);
    out->rule = "";
    if (style == STYLE_RAW || style == STYLE_WHOLE) {
        out->text = px_xmemdup(completion.p, completion.n);
        out->n = completion.n;
        out->rule = style == STYLE_RAW ? "raw" : "as-it-is";
        return;
    }
    bool unclosed;
    struct span s = text_answer(completion, &unclosed);
    if (unclosed) {
        out->unusable = VERDICT_OVERFLOW;
        return;
    }
    struct blocks b;
    memset(&b, 0, sizeof b);
    find_blocks(s, entry_point, &b);
    bool closes_only = style == STYLE_COMPLETION && b.n_fences % 2 == 1 && b.first_is_bare &&
                       !text_is_blank(b.before);
    if (closes_only)
        take(out, cut_roles(b.before), 0, "before-fence");
    else if (b.entry.n > 0)
        take(out, b.entry, b.entry_indent, "fence-entry");
    else if (b.longest.n > 0)
        take(out, b.longest, b.longest_indent, "fence-longest");
    else if (b.longest_any.n > 0)
        take(out, b.longest_any, b.any_indent, "fence-longest");
    else if (b.n == 0)
        unfenced(s, style, out);
    if (out->text == NULL || text_is_blank((struct span){out->text, out->n})) {
        free(out->text);
        out->text = NULL;
        out->n = 0;
        out->rule = "";
        out->unusable = VERDICT_NO_CODE;
    }
}

/* A full definition after the prompt keeps the prompt's imports and helpers; the later one wins. */
char *code_program(enum code_style style, struct span prompt, const struct extract *e, size_t *n)
{
    bool with_prompt = style != STYLE_FUNCTION && style != STYLE_WHOLE;
    bool body = e->n > 0 && (e->text[0] == ' ' || e->text[0] == '\t');
    size_t n_prompt = with_prompt ? prompt.n : 0;
    char *out = px_xmalloc(n_prompt + e->n + 2);
    size_t at = n_prompt;
    if (n_prompt > 0)
        memcpy(out, prompt.p, n_prompt);
    if (style == STYLE_COMPLETION && n_prompt > 0 && !body && out[n_prompt - 1] != '\n' &&
        opens_code((struct span){e->text, e->n}))
        out[at++] = '\n';
    if (e->n > 0)
        memcpy(out + at, e->text, e->n);
    at += e->n;
    out[at] = '\0';
    *n = at;
    return out;
}
