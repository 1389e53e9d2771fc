/* language.h - which language a text is written in. */
#ifndef SANDBOX_SCORE_LANGUAGE_H
#define SANDBOX_SCORE_LANGUAGE_H

#include "sandbox/score/text.h"

/* ISO 639-1 code (static), or NULL when the text holds no letter to judge by. */
const char *language_of(struct span text);

#endif
