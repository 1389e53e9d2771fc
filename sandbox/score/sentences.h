/* sentences.h - sentences of English text, by the rules of Punkt (Kiss and Strunk 2006).
 *
 * The rules are those of NLTK's PunktSentenceTokenizer with its boundary realignment: a period is
 * a boundary unless the word before it is a known abbreviation, an initial or a number and what
 * follows does not look like a new sentence. Its English model (abbreviations, words and how they
 * were capitalised in a newspaper corpus) is replaced by the short lists in sentences_words.c,
 * written for this purpose; docs/scoring.md says how often both agree. Linear in the text. */
#ifndef SANDBOX_SCORE_SENTENCES_H
#define SANDBOX_SCORE_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/score/text.h"

/* Calls each (may be NULL) with every sentence in order; spans are borrowed from text. Returns how
 * many there are. A blank text has none. */
size_t sentences_each(struct span text, void (*each)(void *arg, struct span sentence), void *arg);

/* ---- the word lists, for sentences.c and tests; words in lower case ---- */

bool sentences_abbreviation(struct span word); /* without its final period */
bool sentences_starter(struct span word);      /* often opens a sentence */
bool sentences_common(struct span word);       /* is written in lower case inside a sentence ... */
bool sentences_plain(struct span word);        /* ... and never begins a name there */
bool sentences_derived(struct span word); /* by its ending ("-ly"): plain, or a name like Rowling */

#endif
