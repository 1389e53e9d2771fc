/* ifeval_checks.h - one function per instruction; for ifeval.c alone.
 *
 * Texts are well-formed UTF-8 and not blank. Each is linear in the text, regular expressions within
 * the budget of pyregex.h. */
#ifndef SANDBOX_SCORE_IFEVAL_CHECKS_H
#define SANDBOX_SCORE_IFEVAL_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/pyregex.h"
#include "sandbox/score/text.h"

struct ifeval_args {
    int64_t n;                /* how many are wanted */
    int64_t nth;              /* which one, from 1 */
    bool at_least;            /* else less than n */
    struct span text;         /* phrase, letter, marker, word, language or prompt */
    struct pyregex **regexes; /* keywords, or the one that separates; NULL: cannot be compiled */
    size_t n_regexes;
};

typedef bool ifeval_check(const struct ifeval_args *a, struct span text);

ifeval_check ifeval_no_comma, ifeval_number_words, ifeval_number_sentences,
    ifeval_number_paragraphs, ifeval_nth_paragraph, ifeval_forbidden_words, ifeval_existence,
    ifeval_frequency, ifeval_letter_frequency, ifeval_highlights, ifeval_title, ifeval_bullets,
    ifeval_json, ifeval_sections, ifeval_constrained, ifeval_placeholders, ifeval_postscript,
    ifeval_repeat_prompt, ifeval_two_responses, ifeval_quotation, ifeval_end_checker,
    ifeval_lowercase, ifeval_capital, ifeval_capital_words, ifeval_language;

#endif
