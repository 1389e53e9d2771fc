/* pystr.h - Python's str for scorers: proto/pystr.h. */
#ifndef SANDBOX_SCORE_PYSTR_H
#define SANDBOX_SCORE_PYSTR_H

#include "proto/pystr.h"
#include "sandbox/score/text.h"

#endif
