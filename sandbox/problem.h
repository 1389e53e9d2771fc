/* problem.h - from the JSON of a problem to a program that can be run. */
#ifndef SANDBOX_PROBLEM_H
#define SANDBOX_PROBLEM_H

#include <json-c/json.h>

#include "sandbox/run.h"

#define PROBLEM_BYTES (64u << 20)

/* The limits of a JSON object (cpu_s, wall_s, memory_mb or mem_mb, output_kb or out_kb); absent
 * ones are those of base (NULL: the defaults), but a new cpu_s makes a new wall_s. limits may be
 * NULL. Values out of range are an error that names the key. */
int problem_limits(struct json_object *limits, const struct run_limits *base,
                   struct run_limits *out, struct px_err *err) PX_MUST_CHECK;

/* Fills what the problem decides of a program: script or split, the task text, the cases.
 * text[0, n) is the JSON that the tests' process will read: the problem itself, or an object with
 * the problem under "problem". out->source and out->limits are left alone. */
int problem_program(struct json_object *problem, const char *text, size_t n, struct program *out,
                    struct px_err *err) PX_MUST_CHECK;

#endif
