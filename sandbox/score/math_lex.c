/* math_lex.c - from the bytes of an answer to tokens. One pass; what is not known is refused. */
#include "sandbox/score/math_lex.h"

#include <string.h>
#include <strings.h>

struct lexer {
    struct span s;
    size_t i;
    struct math_tree *tree;
    size_t n_text;
    struct math_tokens *out;
    int depth; /* of ( [ \{ : a bare comma in them separates elements */
    bool spaced, bad;
    struct math_token sink; /* written where there is no room */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char at(const struct lexer *x, size_t i)
{
    return i < x->s.n ? x->s.p[i] : '\0';
}

static bool here(const struct lexer *x, const char *word)
{
    return text_starts((struct span){x->s.p + x->i, x->s.n - x->i}, word);
}

static struct math_token *emit(struct lexer *x, enum math_token_kind kind, struct span text)
{
    if (x->out->n > MATH_MAX_TEXT || x->n_text + text.n > MATH_MAX_TEXT) {
        x->bad = true;
        return &x->sink;
    }
    if (text.n > 0)
        memcpy(x->tree->text + x->n_text, text.p, text.n);
    struct math_token *t = &x->out->t[x->out->n++];
    *t = (struct math_token){.kind = (uint8_t)kind,
                             .spaced = x->spaced,
                             .at = (uint16_t)x->n_text,
                             .length = (uint16_t)text.n};
    x->n_text += text.n;
    x->spaced = false;
    return t;
}

static void emit_sign(struct lexer *x, int sign)
{
    if (sign == '(' || sign == '[' || sign == SIGN_SET_OPEN)
        x->depth++;
    if ((sign == ')' || sign == ']' || sign == SIGN_SET_CLOSE) && x->depth > 0)
        x->depth--;
    emit(x, TOKEN_SIGN, (struct span){"", 0})->sign = (uint8_t)sign;
}

static void emit_command(struct lexer *x, const char *name)
{
    emit(x, TOKEN_COMMAND, (struct span){name, strlen(name)});
}

static const struct math_token *last(const struct lexer *x)
{
    return x->out->n > 0 ? &x->out->t[x->out->n - 1] : NULL;
}

static bool in_list(struct span s, const char *const *list)
{
    for (; *list != NULL; list++)
        if (text_equals(s, *list))
            return true;
    return false;
}

/* ---- words ---- */

bool math_is_unit(struct span s)
{
    static const char *const units[] = {
        "cm",        "mm",        "km",      "m",       "in",          "ft",         "yd",
        "mi",        "inch",      "inches",  "foot",    "feet",        "yard",       "yards",
        "mile",      "miles",     "meter",   "meters",  "metre",       "metres",     "second",
        "seconds",   "sec",       "s",       "min",     "minute",      "minutes",    "hour",
        "hours",     "hr",        "hrs",     "h",       "day",         "days",       "week",
        "weeks",     "month",     "months",  "year",    "years",       "dollar",     "dollars",
        "cent",      "cents",     "degree",  "degrees", "unit",        "units",      "square",
        "cubic",     "sq",        "cu",      "pound",   "pounds",      "lb",         "lbs",
        "gram",      "grams",     "g",       "kg",      "gm",          "mg",         "ounce",
        "ounces",    "oz",        "mph",     "kph",     "liter",       "liters",     "gallon",
        "gallons",   "ml",        "point",   "points",  "percent",     "people",     "student",
        "students",  "ways",      "way",     "times",   "digits",      "integers",   "edges",
        "meals",     "multiples", "radians", "per",     "centimeters", "kilometers", "millimeters",
        "kilograms", "teachers",  "tickets", "sides",   "numbers",     "values",     "solutions",
        "cm^2",      "cm^3",      "m^2",     "m^3",     "ft^2",        NULL};
    bool any = false;
    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i < s.n && (s.p[i] == ' ' || s.p[i] == '.' || s.p[i] == '/'))
            i++;
        while (i + n < s.n && s.p[i + n] != ' ' && s.p[i + n] != '.' && s.p[i + n] != '/')
            n++;
        if (n > 0 && !in_list((struct span){s.p + i, n}, units))
            return false;
        any = any || n > 0;
        i += n;
    }
    return any;
}

bool math_is_function(struct span s)
{
    static const char *const words[] = {"sin",    "cos",    "tan",    "cot",      "sec",   "csc",
                                        "arcsin", "arccos", "arctan", "ln",       "log",   "exp",
                                        "sqrt",   "pi",     "infty",  "infinity", "theta", "alpha",
                                        "beta",   "gamma",  "lambda", "phi",      NULL};
    return in_list(s, words);
}

static bool same_word(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static bool is_and(struct span s)
{
    while (s.n > 0 && (s.p[0] == ',' || s.p[0] == ' '))
        s = (struct span){s.p + 1, s.n - 1};
    return same_word(s, "and") || same_word(s, "or");
}

static bool after_value(const struct lexer *x)
{
    const struct math_token *t = last(x);
    return t != NULL && (t->kind == TOKEN_NUMBER || t->kind == TOKEN_WORD ||
                         (t->kind == TOKEN_SIGN && (t->sign == ')' || t->sign == '}')));
}

/* A run of letters that is no \command: a function, a unit, words, or a product of variables. */
static void lex_letters(struct lexer *x)
{
    static const char *const common[] = {"is",  "of",  "the",  "to",  "in",  "on",  "no",  "not",
                                         "for", "all", "are",  "if",  "at",  "by",  "be",  "one",
                                         "two", "yes", "odd",  "red", "six", "ten", "mod", "you",
                                         "it",  "we",  "than", "lcm", "gcd", "max", "min", NULL};
    size_t n = 0;
    while (is_letter(at(x, x->i + n)))
        n++;
    struct span run = {x->s.p + x->i, n};
    x->i += n;
    if (is_and(run))
        emit_sign(x, SIGN_AND);
    else if (n > 1 && after_value(x) && math_is_unit(run))
        emit(x, TOKEN_WORD, run);
    else if (math_is_function(run))
        emit(x, TOKEN_COMMAND, run);
    else if (n > 3 || in_list(run, common))
        emit(x, TOKEN_WORD, run);
    else
        for (size_t k = 0; k < n; k++)
            emit(x, TOKEN_LETTER, (struct span){run.p + k, 1});
}

/* ---- numbers ---- */

/* Length of a thousands separator at i that three digits follow; 0: none. */
static size_t separator(const struct lexer *x, size_t i)
{
    static const char *const marks[] = {"{,}", ",\\!", ", \\!", "\\!,", "\\,", ","};
    for (size_t k = 0; k < sizeof marks / sizeof marks[0]; k++) {
        size_t n = strlen(marks[k]);
        if (i + n > x->s.n || memcmp(x->s.p + i, marks[k], n) != 0)
            continue;
        if (strcmp(marks[k], ",") == 0 && x->depth > 0)
            return 0;
        while (n > 1 && at(x, i + n) == ' ')
            n++;
        bool three = is_digit(at(x, i + n)) && is_digit(at(x, i + n + 1)) &&
                     is_digit(at(x, i + n + 2)) && !is_digit(at(x, i + n + 3));
        return three ? n : 0;
    }
    return 0;
}

/* 0.\overline{3}: the digits that repeat. */
static void lex_repeat(struct lexer *x)
{
    size_t n = here(x, "\\overline{") ? 10 : here(x, "\\bar{") ? 5 : 0, k = 0;
    if (n == 0)
        return;
    while (is_digit(at(x, x->i + n + k)))
        k++;
    if (k == 0 || at(x, x->i + n + k) != '}') {
        x->bad = true;
        return;
    }
    emit(x, TOKEN_REPEAT, (struct span){x->s.p + x->i + n, k});
    x->i += n + k + 1;
}

static void lex_number(struct lexer *x)
{
    char digits[MATH_MAX_TEXT];
    size_t n = 0, lead = 0, skip;
    while (is_digit(at(x, x->i + lead)))
        lead++;
    for (size_t k = 0; k < lead && n < sizeof digits; k++)
        digits[n++] = at(x, x->i++);
    while (lead > 0 && lead <= 3 && (skip = separator(x, x->i)) > 0) {
        x->i += skip;
        for (int k = 0; k < 3 && n < sizeof digits; k++)
            digits[n++] = at(x, x->i++);
    }
    bool point = at(x, x->i) == '.' && (is_digit(at(x, x->i + 1)) || at(x, x->i + 1) == '\\');
    if (point && at(x, x->i + 1) == '\\') {
        x->i++;
        point = here(x, "\\overline{") || here(x, "\\bar{");
        x->i--;
    }
    if (point && n < sizeof digits) {
        digits[n++] = '.';
        x->i++;
        while (is_digit(at(x, x->i)) && n < sizeof digits)
            digits[n++] = at(x, x->i++);
    }
    emit(x, TOKEN_NUMBER, (struct span){digits, n});
    if (point)
        lex_repeat(x);
}

/* ---- commands ---- */

/* The content of {...} at i (white space before it allowed); false when there is none. */
static bool group(struct lexer *x, struct span *content)
{
    size_t i = x->i, depth = 0;
    while (at(x, i) == ' ')
        i++;
    if (at(x, i) != '{')
        return false;
    for (size_t k = i; k < x->s.n; k++) {
        depth += at(x, k) == '{';
        if (at(x, k) == '}' && --depth == 0) {
            *content = (struct span){x->s.p + i + 1, k - i - 1};
            x->i = k + 1;
            return true;
        }
    }
    return false;
}

static struct span trim_layout(struct span s)
{
    for (bool more = true; more;) {
        more = false;
        s = text_trim(s);
        if (s.n > 0 && s.p[0] == '~') {
            s = (struct span){s.p + 1, s.n - 1};
            more = true;
        } else if (s.n > 1 && s.p[0] == '\\' && strchr(" ,;:!", s.p[1]) != NULL) {
            s = (struct span){s.p + 2, s.n - 2};
            more = true;
        } else if (s.n > 0 && s.p[s.n - 1] == '~') {
            s.n--;
            more = true;
        }
    }
    return s;
}

static void lex_text(struct lexer *x)
{
    struct span content;
    if (!group(x, &content)) {
        x->bad = true;
        return;
    }
    content = trim_layout(content);
    if (content.n == 0 || text_equals(content, ".")) {
        x->spaced = true;
    } else if (is_and(content)) {
        emit_sign(x, SIGN_AND);
    } else if (content.n == 1 && is_letter(content.p[0])) {
        emit(x, TOKEN_LETTER, content);
    } else if (math_is_function(content)) {
        emit(x, TOKEN_COMMAND, content);
    } else {
        emit(x, TOKEN_TEXT, content);
    }
}

/* \mathbf{v}: a name of its own. \overline{CD}: the text CD. */
static void lex_decorated(struct lexer *x, struct span command)
{
    char name[64];
    struct span content;
    if (!group(x, &content) || content.n == 0 || content.n + command.n + 1 > sizeof name) {
        x->bad = true;
        return;
    }
    for (size_t i = 0; i < content.n; i++)
        if (!is_letter(content.p[i])) {
            x->bad = true;
            return;
        }
    if (content.n > 1) {
        emit(x, TOKEN_TEXT, content);
        return;
    }
    memcpy(name, command.p, command.n);
    name[command.n] = ':';
    name[command.n + 1] = content.p[0];
    emit(x, TOKEN_LETTER, (struct span){name, command.n + 2});
}

static int sign_of(struct span name)
{
    static const struct {
        const char *name;
        int sign;
    } signs[] = {{"le", SIGN_LE},
                 {"leq", SIGN_LE},
                 {"leqslant", SIGN_LE},
                 {"ge", SIGN_GE},
                 {"geq", SIGN_GE},
                 {"geqslant", SIGN_GE},
                 {"ne", SIGN_NE},
                 {"neq", SIGN_NE},
                 {"lt", '<'},
                 {"gt", '>'},
                 {"in", SIGN_IN},
                 {"pm", SIGN_PM},
                 {"mp", SIGN_MP},
                 {"cup", SIGN_CUP},
                 {"cap", SIGN_CAP},
                 {"cdot", '*'},
                 {"times", '*'},
                 {"ast", '*'},
                 {"div", '/'},
                 {"lfloor", SIGN_FLOOR},
                 {"rfloor", SIGN_FLOOR_END},
                 {"lceil", SIGN_CEIL},
                 {"rceil", SIGN_CEIL_END},
                 {"langle", SIGN_ANGLE},
                 {"rangle", SIGN_ANGLE_END},
                 {"lvert", '|'},
                 {"rvert", '|'},
                 {"vert", '|'},
                 {"mid", '|'},
                 {"lbrace", SIGN_SET_OPEN},
                 {"rbrace", SIGN_SET_CLOSE},
                 {"colon", ':'},
                 {"degree", SIGN_DEGREE},
                 {"circ", SIGN_DEGREE}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (text_equals(name, signs[i].name))
            return signs[i].sign;
    return 0;
}

static void lex_environment(struct lexer *x, bool begin)
{
    struct span name;
    if (!group(x, &name)) {
        x->bad = true;
        return;
    }
    emit(x, begin ? TOKEN_BEGIN : TOKEN_FINISH, text_trim(name));
    if (begin && text_equals(text_trim(name), "array") && at(x, x->i) == '{')
        x->bad = x->bad || !group(x, &name); /* the columns' alignment */
}

static void lex_named(struct lexer *x, struct span name)
{
    static const char *const skipped[] = {
        "left",         "right",      "big",          "Big",       "bigl",  "bigr",
        "Bigl",         "Bigr",       "bigg",         "Bigg",      "quad",  "qquad",
        "displaystyle", "textstyle",  "limits",       "thinspace", "angle", "triangle",
        "medspace",     "thickspace", "negthinspace", "hfill",     "space", NULL};
    static const char *const texts[] = {"text",   "textbf", "textit", "textrm",       "textnormal",
                                        "mbox",   "hbox",   "mathrm", "operatorname", "mathsf",
                                        "textsf", "rm",     NULL};
    static const char *const decorations[] = {"mathbf",     "vec",    "mathbb", "mathcal",
                                              "boldsymbol", "bar",    "hat",    "tilde",
                                              "overline",   "mathit", NULL};
    static const char *const boxes[] = {"boxed", "fbox", NULL};
    int sign = sign_of(name);
    if (sign != 0) {
        emit_sign(x, sign);
    } else if (in_list(name, skipped) || in_list(name, boxes)) {
        x->spaced = true;
        if ((text_equals(name, "left") || text_equals(name, "right")) && at(x, x->i) == '.')
            x->i++;
    } else if (in_list(name, texts)) {
        lex_text(x);
    } else if (in_list(name, decorations)) {
        lex_decorated(x, name);
    } else if (text_equals(name, "begin") || text_equals(name, "end")) {
        lex_environment(x, name.p[0] == 'b');
    } else {
        emit(x, TOKEN_COMMAND, name);
    }
}

static void lex_backslash(struct lexer *x)
{
    char c = at(x, x->i + 1);
    if (is_letter(c)) {
        size_t n = 1;
        while (is_letter(at(x, x->i + 1 + n)))
            n++;
        struct span name = {x->s.p + x->i + 1, n};
        x->i += n + 1;
        lex_named(x, name);
        return;
    }
    x->i += 2;
    if (c == '\\')
        emit(x, TOKEN_ROW, (struct span){"", 0});
    else if (c == '{' || c == '}')
        emit_sign(x, c == '{' ? SIGN_SET_OPEN : SIGN_SET_CLOSE);
    else if (c == '%')
        emit_sign(x, '%');
    else if (c != '\0' && strchr(" ,;:!()[]$\n\t", c) != NULL)
        x->spaced = true; /* space, a dollar, or the limits of a formula */
    else
        x->bad = true;
}

/* ---- signs ---- */

/* ^\circ, ^{\circ} */
static bool lex_circle(struct lexer *x)
{
    static const char *const forms[] = {"^\\circ", "^{\\circ}", "^ \\circ", "^{ \\circ }"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t n = strlen(forms[i]);
        if (here(x, forms[i]) && !(forms[i][n - 1] == 'c' && is_letter(at(x, x->i + n)))) {
            x->i += n;
            emit_sign(x, SIGN_DEGREE);
            return true;
        }
    }
    return false;
}

/* Characters beyond ASCII that answers are written with. */
static bool lex_unicode(struct lexer *x)
{
    static const struct {
        const char *utf8;
        int sign; /* 0: a command */
        const char *command;
    } known[] = {{"\u03c0", 0, "pi"},     {"\u03b8", 0, "theta"},      {"\u221e", 0, "infty"},
                 {"\u221a", 0, "root"},   {"\u00b0", SIGN_DEGREE, ""}, {"\u00d7", '*', ""},
                 {"\u00b7", '*', ""},     {"\u22c5", '*', ""},         {"\u00f7", '/', ""},
                 {"\u2212", '-', ""},     {"\u2013", '-', ""},         {"\u2264", SIGN_LE, ""},
                 {"\u2265", SIGN_GE, ""}, {"\u2260", SIGN_NE, ""},     {"\u00b1", SIGN_PM, ""},
                 {"\u2213", SIGN_MP, ""}, {"\u222a", SIGN_CUP, ""},    {"\u2229", SIGN_CAP, ""},
                 {"\u2208", SIGN_IN, ""}};
    static const struct {
        const char *utf8, *digit;
    } powers[] = {{"\u00b2", "2"}, {"\u00b3", "3"}, {"\u2074", "4"}};
    static const struct {
        const char *utf8, *over, *under;
    } fractions[] = {{"\u00bd", "1", "2"}, {"\u00bc", "1", "4"}, {"\u00be", "3", "4"}};
    static const char *const blanks[] = {"\u00a0", "\u2009", "\u202f", "\u20ac", "\u00a3"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (here(x, known[i].utf8)) {
            x->i += strlen(known[i].utf8);
            if (known[i].sign != 0)
                emit_sign(x, known[i].sign);
            else
                emit_command(x, known[i].command);
            return true;
        }
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++)
        if (here(x, powers[i].utf8)) {
            x->i += strlen(powers[i].utf8);
            emit_sign(x, '^');
            emit(x, TOKEN_NUMBER, (struct span){powers[i].digit, 1});
            return true;
        }
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++)
        if (here(x, fractions[i].utf8)) {
            x->i += strlen(fractions[i].utf8);
            emit_command(x, "frac");
            emit(x, TOKEN_NUMBER, (struct span){fractions[i].over, 1});
            emit(x, TOKEN_NUMBER, (struct span){fractions[i].under, 1});
            return true;
        }
    for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++)
        if (here(x, blanks[i])) {
            x->i += strlen(blanks[i]);
            x->spaced = true;
            return true;
        }
    return false;
}

static bool only_layout_follows(const struct lexer *x, size_t i)
{
    for (; i < x->s.n; i++)
        if (strchr(" \t\r\n$~", x->s.p[i]) == NULL || x->s.p[i] == '\0')
            return false;
    return true;
}

static void lex_sign(struct lexer *x)
{
    static const struct {
        const char *text;
        int sign;
    } pairs[] = {{"<=", SIGN_LE}, {">=", SIGN_GE}, {"!=", SIGN_NE}, {"**", '^'}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (here(x, pairs[i].text)) {
            x->i += 2;
            emit_sign(x, pairs[i].sign);
            return;
        }
    char c = at(x, x->i);
    if (c != '\0' && strchr("+-*/^_(){}[]|,;:=<>!&%'", c) != NULL) {
        x->i++;
        emit_sign(x, c);
    } else if (c == '.' && only_layout_follows(x, x->i + 1)) {
        x->i++;
    } else {
        x->bad = true;
    }
}

bool math_lex(struct span s, struct math_tree *tree, struct math_tokens *out)
{
    struct lexer x = {.s = s, .tree = tree, .out = out};
    out->n = 0;
    if (s.n > MATH_MAX_TEXT)
        return false;
    while (x.i < s.n && !x.bad) {
        char c = s.p[x.i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~' || c == '$') {
            x.i++;
            x.spaced = true;
        } else if (is_digit(c) || (c == '.' && is_digit(at(&x, x.i + 1)))) {
            lex_number(&x);
        } else if (is_letter(c)) {
            lex_letters(&x);
        } else if (c == '\\') {
            lex_backslash(&x);
        } else if (!(c == '^' && lex_circle(&x)) && !((c & 0x80) != 0 && lex_unicode(&x))) {
            lex_sign(&x);
        }
    }
    if (x.bad || out->n > MATH_MAX_TEXT)
        return false;
    tree->text[x.n_text] = '\0';
    out->t[out->n] = (struct math_token){.kind = TOKEN_END};
    return true;
}
