/* task_inner.h - a loaded task: for the task room's own files only. */
#ifndef COORDINATOR_TASK_INNER_H
#define COORDINATOR_TASK_INNER_H

#include "coordinator/recipe/findings.h"
#include "coordinator/task/fewshot.h"
#include "coordinator/task/rows.h"
#include "coordinator/task/task.h"
#include "coordinator/task/template.h"

/* A field of `scorer.problem`: a template at any depth of lists and maps. */
struct field {
    char *name; /* in a map; NULL in a list */
    enum { FIELD_TEMPLATE, FIELD_LITERAL, FIELD_LIST, FIELD_MAP } kind;
    struct text_template *tmpl;
    char *literal; /* JSON: numbers and booleans written without quotes */
    struct field *kids;
    uint32_t n;
};

struct task {
    char *name;
    char *path;
    enum task_request request;
    char *headline;
    double chance;
    bool chat;
    uint32_t max_tokens;
    char **stops;
    uint32_t n_stops;
    char *target_delimiter;
    struct text_template *id, *head, *prompt, *chat_prompt, *prefix, *gold, *reference;
    struct text_template **choices; /* one whose value is a list, or one per choice */
    uint32_t n_choices;
    bool choices_are_list; /* written as a YAML list */

    bool has_fewshot; /* the file says how to make shots */
    int32_t fewshot;
    enum fewshot_selection selection;
    uint64_t fewshot_seed;
    struct text_template *shot_prompt, *shot_target;
    char *shot_delimiter;
    struct rows *pool; /* NULL: the task's own rows */
    struct fewshot_table *shots;

    char *scorer_kind, *scorer;
    struct field problem; /* FIELD_MAP */
    struct rows *rows;
    char **ids;
    struct arena *id_texts;
    struct px_digest digest;
};

/* Everything but data and ids; findings are added to f. The files that it names are in the specs,
 * which are the caller's to clear; *samples is JSON lines made of `fewshot.samples`, owned, or
 * NULL. */
void task_read(struct task *t, const struct yaml_node *root, struct findings *f,
               struct rows_spec *data, struct rows_spec *pool, char **samples);

/* `scorer`: sets scorer_kind, scorer and problem. */
void task_read_scorer(struct task *t, const struct yaml_node *map, struct findings *f);
void field_clear(struct field *f);

/* The choices and the index of the right one of a row (of the task's rows or of the pool). */
struct task_choices {
    char **texts; /* owned */
    uint32_t n;
    uint32_t gold;
};
int task_choices_of(const struct task *t, const struct template_row *row, struct arena *a,
                    struct task_choices *out, struct px_err *err) PX_MUST_CHECK;
void task_choices_clear(struct task_choices *c);

/* ---- reading a map (task_keys.c) ---- */

struct task_map {
    const struct yaml_node *node; /* a map, or NULL: every key is absent */
    const char *path;             /* "" or "fewshot." */
    struct findings *f;
};

extern const char *const task_keys_top[],
    *const task_keys_data[], *const task_keys_file[], *const task_keys_fewshot[],
                                                          *const task_keys_scorer[],
                                                              *const task_keys_limits[];

/* Adds a finding for every key that is not in the NULL-terminated list. */
void task_map_check(const struct task_map *m, const char *const *names);
void task_map_finding(const struct task_map *m, const char *key, const char *what);
/* Owned, NULL when absent or wrong. */
char *task_map_text(const struct task_map *m, const char *key, bool required);
struct text_template *task_map_template(const struct task_map *m, const char *key, bool required);
char **task_map_texts(const struct task_map *m, const char *key, uint32_t *n);
int64_t task_map_int(const struct task_map *m, const char *key, int64_t lo, int64_t hi,
                     int64_t otherwise);
/* Index of the value in the NULL-terminated list, `otherwise` when absent or wrong. */
uint32_t task_map_enum(const struct task_map *m, const char *key, const char *const *values,
                       uint32_t otherwise);
/* The map under a key; its node is NULL when absent or wrong. `path` is "key.". */
struct task_map task_map_map(const struct task_map *m, const char *key, const char *path,
                             bool required);
struct text_template *task_template(const struct yaml_node *node, const char *path,
                                    struct findings *f);
/* A YAML value as JSON: plain numbers, booleans and null as such, everything else as text. */
void task_yaml_json(const struct yaml_node *node, struct px_buf *out);

#endif
