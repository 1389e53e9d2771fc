/* names.c - the first call in Python source. */
#include "sandbox/score/names.h"

#include <ctype.h>
#include <string.h>

static bool starts_name(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_name(char c)
{
    return starts_name(c) || isdigit((unsigned char)c);
}

static bool one_of(struct span name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_equals(name, words[i]))
            return true;
    return false;
}

static bool is_keyword(struct span name)
{
    static const char *const words[] = {
        "and",  "as",   "assert", "await",  "class",  "def",  "del",  "elif",   "else",
        "for",  "from", "if",     "in",     "is",     "not",  "or",   "return", "while",
        "None", "True", "False",  "lambda", "import", "with", "yield"};
    return one_of(name, words, sizeof words / sizeof words[0]);
}

static bool is_builtin(struct span name)
{
    static const char *const words[] = {
        "abs",        "all",        "any",    "ascii",   "bin",      "bool",      "bytearray",
        "bytes",      "callable",   "chr",    "complex", "dict",     "dir",       "divmod",
        "enumerate",  "eval",       "filter", "float",   "format",   "frozenset", "getattr",
        "globals",    "hasattr",    "hash",   "hex",     "id",       "input",     "int",
        "isinstance", "issubclass", "iter",   "len",     "list",     "locals",    "map",
        "max",        "min",        "next",   "object",  "oct",      "open",      "ord",
        "pow",        "print",      "range",  "repr",    "reversed", "round",     "set",
        "slice",      "sorted",     "str",    "sum",     "super",    "tuple",     "type",
        "vars",       "zip"};
    return one_of(name, words, sizeof words / sizeof words[0]);
}

/* Behind the string that opens at p: of three quotes or one, with backslashes; a string of one
 * quote ends with its line. */
static const char *skip_string(const char *p, const char *end)
{
    char quote = *p;
    size_t width = end - p >= 3 && p[1] == quote && p[2] == quote ? 3 : 1;
    for (p += width; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (width == 1 && (*p == quote || *p == '\n'))
            return p + 1;
        else if (width == 3 && *p == quote && end - p >= 3 && p[1] == quote && p[2] == quote)
            return p + 3;
    }
    return end;
}

struct span names_called(struct span source, bool *builtin)
{
    const char *p = source.p, *end = source.p + source.n;
    struct span first = {source.p, 0};
    bool behind_dot = false;
    *builtin = false;
    while (p < end) {
        if (starts_name(*p)) {
            const char *from = p;
            while (p < end && in_name(*p))
                p++;
            struct span name = {from, (size_t)(p - from)};
            bool prefix = p < end && (*p == '\'' || *p == '"') && name.n <= 2; /* b"", rb'' */
            while (p < end && (*p == ' ' || *p == '\t'))
                p++;
            if (!prefix && !behind_dot && p < end && *p == '(' && !is_keyword(name)) {
                if (!is_builtin(name))
                    return name;
                first = first.n > 0 ? first : name;
            }
            behind_dot = false;
        } else if (*p == '"' || *p == '\'') {
            p = skip_string(p, end);
            behind_dot = false;
        } else if (*p == '#') {
            const char *line = memchr(p, '\n', (size_t)(end - p));
            p = line != NULL ? line : end;
        } else {
            behind_dot = *p == '.' || (behind_dot && (*p == ' ' || *p == '\t'));
            p++;
        }
    }
    *builtin = first.n > 0;
    return first;
}
