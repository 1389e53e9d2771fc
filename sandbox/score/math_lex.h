/* math_lex.h - a mathematical answer as tokens: layout, currency and delimiters of formulas are
 * gone, Unicode signs are what LaTeX calls them. */
#ifndef SANDBOX_SCORE_MATH_LEX_H
#define SANDBOX_SCORE_MATH_LEX_H

#include "sandbox/score/math_tree.h"

enum math_token_kind {
    TOKEN_END = 0,
    TOKEN_NUMBER,  /* digits and at most one point; thousands separators are gone */
    TOKEN_REPEAT,  /* digits that repeat behind the number before, 0.\overline{3} */
    TOKEN_LETTER,  /* one letter, or a name with its decoration (\mathbf{v}) */
    TOKEN_COMMAND, /* \name; also plain words that are functions: sin, sqrt, pi */
    TOKEN_TEXT,    /* the content of \text{...}, trimmed */
    TOKEN_WORD,    /* a plain word */
    TOKEN_BEGIN,   /* \begin{name}: text is the name */
    TOKEN_FINISH,  /* \end{name} */
    TOKEN_ROW,     /* \\ */
    TOKEN_SIGN     /* sign: an ASCII character, or one of the below */
};

/* Signs without an ASCII character of their own. */
enum math_sign {
    SIGN_SET_OPEN = 128, /* \{ */
    SIGN_SET_CLOSE,
    SIGN_LE,
    SIGN_GE,
    SIGN_NE,
    SIGN_IN,
    SIGN_PM,
    SIGN_MP,
    SIGN_CUP,
    SIGN_CAP,
    SIGN_DEGREE,
    SIGN_FLOOR,
    SIGN_FLOOR_END,
    SIGN_CEIL,
    SIGN_CEIL_END,
    SIGN_ANGLE,
    SIGN_ANGLE_END,
    SIGN_AND /* "and", "or": separates elements */
};

struct math_token {
    uint8_t kind, sign;
    bool spaced;         /* white space before it */
    uint16_t at, length; /* in the tree's text */
};

struct math_tokens {
    struct math_token t[MATH_MAX_TEXT + 2];
    int n; /* without the TOKEN_END behind the last */
};

/* Writes the tokens' texts into tree->text. False: a character or command has no meaning here. */
bool math_lex(struct span s, struct math_tree *tree, struct math_tokens *out);

/* Is the text one of the units that may follow a number? Case-sensitive, several words allowed. */
bool math_is_unit(struct span s);

/* Is it a plain word for a function, a constant or a Greek letter: sin, sqrt, pi, theta? */
bool math_is_function(struct span s);

#endif
