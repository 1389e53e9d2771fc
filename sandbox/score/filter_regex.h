/* filter_regex.h - the two filters that look for an expression, for filter.c. */
#ifndef SANDBOX_SCORE_FILTER_REGEX_H
#define SANDBOX_SCORE_FILTER_REGEX_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/err.h"
#include "sandbox/score/text.h"

struct regex_filter;

/* Of a filter's parameters (proto/scorer_check.h has checked them). Owned; NULL with err. */
struct regex_filter *regex_filter_new(struct json_object *o, struct px_err *err);
void regex_filter_free(struct regex_filter *f); /* NULL is fine */

/* lm-eval's RegexFilter: findall, the match that group_select names (its first group that is not
 * empty when there are several), stripped; the fallback otherwise. Owned. *fallback and *limited
 * are set when they apply, never cleared. */
char *regex_filter_run(const struct regex_filter *f, struct span text, bool *fallback,
                       bool *limited, size_t *n);

/* lm-eval's MultiChoiceRegexFilter: the expression as above; else the text of a choice in the
 * cleaned response, as "(A)"; else ": A", as "(A)"; else the fallback. choices: array of texts or
 * NULL (then only the expression counts). */
char *regex_filter_choose(const struct regex_filter *f, struct span text,
                          struct json_object *choices, bool *fallback, bool *limited, size_t *n);

/* Deletes the matches of each expression, in order. Owned. */
struct pyregex;
char *regex_delete_all(struct pyregex *const *list, size_t count, struct span s, bool *limited,
                       size_t *n);
/* Compiles a JSON list of expressions (NULL: none) into *list, owned with its elements. */
int regex_list_parse(struct json_object *o, struct pyregex ***list, size_t *count,
                     struct px_err *err) PX_MUST_CHECK;
void regex_list_free(struct pyregex **list, size_t count);

#endif
