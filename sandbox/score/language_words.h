/* language_words.h - what gives a language away: its small words and its letters. */
#ifndef SANDBOX_SCORE_LANGUAGE_WORDS_H
#define SANDBOX_SCORE_LANGUAGE_WORDS_H

#include <stddef.h>

struct language_profile {
    const char *code;    /* ISO 639-1 */
    const char *words;   /* frequent words in lower case, a space before and after each */
    const char *letters; /* letters beyond the script's common ones, in lower case; may be "" */
    const char *endings; /* of words that are in no list; may be "" */
};

/* Languages of one script that words have to tell apart. The first one of the Latin script is
 * English. */
extern const struct language_profile language_latin[];
extern const size_t language_latin_n;
extern const struct language_profile language_cyrillic[];
extern const size_t language_cyrillic_n;
extern const struct language_profile language_devanagari[];
extern const size_t language_devanagari_n;
extern const struct language_profile language_arabic[];
extern const size_t language_arabic_n;

enum { LANGUAGE_MOST = 48 }; /* profiles of one script at most */

#endif
