/* exact_match.c - equality of texts after what is ignored is gone: the exact_match metric of
 * Hugging Face evaluate. In order: each of regexes_to_ignore is deleted, lower case, ASCII
 * punctuation (string.punctuation), ASCII digits. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/filter.h"
#include "sandbox/score/filter_regex.h"

struct exact_match {
    bool ignore_case, ignore_punctuation, ignore_numbers;
    struct pyregex **ignore;
    size_t n_ignore;
};

int exact_match_parse(struct json_object *o, struct exact_match **out, struct px_err *err)
{
    struct exact_match *m = px_xcalloc(1, sizeof *m);
    if (o != NULL) {
        m->ignore_case = px_json_bool_or(o, "ignore_case", false);
        m->ignore_punctuation = px_json_bool_or(o, "ignore_punctuation", false);
        m->ignore_numbers = px_json_bool_or(o, "ignore_numbers", false);
        if (regex_list_parse(json_object_object_get(o, "regexes_to_ignore"), &m->ignore,
                             &m->n_ignore, err) != 0) {
            free(m);
            return -1;
        }
    }
    *out = m;
    return 0;
}

void exact_match_free(struct exact_match *m)
{
    if (m == NULL)
        return;
    regex_list_free(m->ignore, m->n_ignore);
    free(m);
}

static char *reduce(const struct exact_match *m, struct span s, bool *limited, size_t *n)
{
    char *text = regex_delete_all(m->ignore, m->n_ignore, s, limited, n);
    if (m->ignore_case) {
        char *t = pystr_lower((struct span){text, *n}, n);
        free(text);
        text = t;
    }
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        bool punctuation = c > ' ' && c < 127 && !digit && !letter;
        if (!(digit && m->ignore_numbers) && !(punctuation && m->ignore_punctuation))
            text[kept++] = text[i];
    }
    *n = kept;
    return text;
}

bool exact_match_same(const struct exact_match *m, struct span prediction, struct span reference,
                      bool *limited)
{
    size_t a, b;
    char *x = reduce(m, prediction, limited, &a), *y = reduce(m, reference, limited, &b);
    bool same = a == b && memcmp(x, y, a) == 0;
    free(x);
    free(y);
    return same;
}
