/* words.h - tokens of English text, by the rules of NLTK's word_tokenize.
 *
 * Each sentence (sentences.h) is split as NLTKWordTokenizer does: punctuation, brackets and quotes
 * stand alone, so does a sentence's final period; clitics ("'s", "n't") and contractions ("cannot",
 * "gonna") are two words. Two things are simpler and change no count of words in texts that people
 * write: double quotes stay what they are, and an apostrophe or one of several commas may stay with
 * the mark beside it. Linear in the text. */
#ifndef SANDBOX_SCORE_WORDS_H
#define SANDBOX_SCORE_WORDS_H

#include <stddef.h>

#include "sandbox/score/text.h"

/* Calls each with every token in order; a token is valid during its call only. text is well-formed
 * UTF-8 (pystr_clean). */
void words_each(struct span text, void (*each)(void *arg, struct span token), void *arg);

#endif
