/* task_inner.h - a loaded task: for the task room's own files only. */
#ifndef COORDINATOR_TASK_INNER_H
#define COORDINATOR_TASK_INNER_H

#include "coordinator/recipe/findings.h"
#include "coordinator/task/fewshot.h"
#include "coordinator/task/table.h"
#include "coordinator/task/task.h"

/* A field of `scorer.problem`: a template at any depth of lists and maps. */
struct field {
    char *name; /* in a map; NULL in a list */
    enum { FIELD_TEMPLATE, FIELD_LITERAL, FIELD_LIST, FIELD_MAP } kind;
    struct text_template *tmpl;
    char *literal; /* JSON: numbers and booleans written without quotes */
    struct field *kids;
    uint32_t n;
};

/* A metric made of sums over all problems. */
enum aggregate_kind {
    AGGREGATE_RATIO,
    AGGREGATE_EXP_NEG_RATIO,
    AGGREGATE_BITS_RATIO,
    AGGREGATE_EXP_NEG_MEAN
};

struct aggregate {
    char *metric;
    enum aggregate_kind kind;
    char *of, *over; /* metrics of the scorer; exp_neg_mean has no `over` */
};

/* A label that problems have in common, and the group that it belongs to. */
struct subset {
    char *name;
    uint32_t group; /* index + 1; 0: none */
};

/* One template whose value is a list, or a list of templates. */
struct template_list {
    struct text_template **items;
    uint32_t n;
    bool is_list; /* written as a YAML list */
};

struct task {
    char *name;
    char *path;
    const char *compat; /* "" or "lm-eval" */
    char *strategy;     /* NULL: the file's own prompts */
    enum task_request request;
    char *headline;
    double chance;
    bool chat;
    uint32_t max_tokens;
    char **stops;
    uint32_t n_stops;
    char *target_delimiter;
    struct text_template *id, *head, *prompt, *chat_prompt, *prefix, *gold, *reference;
    struct text_template *continuation, *text;
    struct template_list choices, contexts; /* n 0: not given */
    struct task_windows windows;
    bool truncate, mutual_info;
    bool gold_may_miss; /* the scorer counts a gold that is no choice as wrong */

    bool has_fewshot; /* the file says how to make shots */
    int32_t fewshot;
    enum fewshot_selection selection;
    uint64_t fewshot_seed;
    struct text_template *shot_prompt, *shot_target;
    char *shot_delimiter;
    struct table *pool;  /* NULL: the task's own rows */
    char *pool_missing;  /* no shots are wanted by the file, and theirs is not there: what to get */
    bool one_more;       /* lm-eval: a row more is drawn than is shown */
    uint32_t *pool_part; /* part of the pool of each part of the rows, when the pool is a family */
    struct fewshot_table *shots; /* one per part of the rows */
    uint32_t n_shots;

    char *scorer_kind, *scorer;
    struct field problem; /* FIELD_MAP */
    struct aggregate *aggregates;
    uint32_t n_aggregates;
    bool lower_is_better;
    char *aggregates_json, *oracle_json, *subsets_json;
    struct table *rows;
    char **ids;
    struct arena *id_texts;

    struct text_template *subset;
    char **groups; /* names */
    uint32_t n_groups;
    struct group_member {
        char *subset;
        uint32_t group;        /* index in groups */
        uint32_t line, column; /* in the task file */
    } * members;
    uint32_t n_members;
    struct subset *subsets; /* in the order in which problems name them */
    uint32_t n_subsets;
    uint32_t *subset_of; /* of each problem */
    struct px_digest digest;

    /* conversations and judges (task_turns.c) */
    struct text_template **turns; /* the user's messages after the first */
    uint32_t n_turns;
    struct judge_prompts {
        struct text_template *system;
        struct text_template **prompts; /* one per turn; none when there is no such judge */
        uint32_t n;
        uint32_t max_tokens;
    } judges[2];
    enum judge_mode mode;  /* this task is a judge */
    const struct task *of; /* of that one, whose memory it shares */
};

struct task_map;

/* Everything but data and ids; findings are added to f. The files that it names are in the specs,
 * which are the caller's to clear; *samples is JSON lines made of `fewshot.samples`, owned, or
 * NULL. */
void task_read(struct task *t, const struct yaml_node *root, struct findings *f,
               struct data_spec *data, struct data_spec *pool, char **samples);
/* `data` and `fewshot.data` (m->path ends with its point); *out is the caller's to clear. */
void task_read_data(const struct task_map *m, struct data_spec *out);
/* `subset`, `groups`, `aggregate`, `lower_is_better`, `oracle`; the scorer is read before. */
void task_read_report(struct task *t, const struct task_map *m);
bool task_has_aggregate(const struct task *t, const char *metric);
/* Labels every problem. The task's rows are loaded. */
int task_label_problems(struct task *t, struct px_err *err) PX_MUST_CHECK;
void task_report_clear(struct task *t);

/* `turns` and `judge`; the scorer is read before. */
void task_read_turns(struct task *t, const struct task_map *m);
void task_turns_clear(struct task *t);
void task_judge_clear(struct task *t); /* as task_free, of a judge */

/* `scorer`: sets scorer_kind, scorer and problem. */
void task_read_scorer(struct task *t, const struct yaml_node *map, struct findings *f);
void field_clear(struct field *f);

/* The choices and the right ones of a row (of the task's rows or of the pool). */
struct task_choices {
    char **texts;    /* owned */
    char **contexts; /* owned, one per text; NULL: the prompt serves all */
    uint32_t n;
    int32_t *golds; /* indices; none when the task has no `gold`; GOLD_OUTSIDE where allowed */
    uint32_t n_golds;
    bool gold_is_list;
};
enum { GOLD_OUTSIDE = -100 };
int task_choices_of(const struct task *t, const struct template_row *row, struct arena *a,
                    struct task_choices *out, struct px_err *err) PX_MUST_CHECK;
void task_choices_clear(struct task_choices *c);

/* ---- reading a map (task_keys.c) ---- */

struct task_map {
    const struct yaml_node *node; /* a map, or NULL: every key is absent */
    const char *path;             /* "" or "fewshot." */
    struct findings *f;
};

extern const char *const task_keys_top[];
extern const char *const task_keys_data[];
extern const char *const task_keys_file[];
extern const char *const task_keys_each[];
extern const char *const task_keys_join[];
extern const char *const task_keys_fewshot[];
extern const char *const task_keys_aggregate[];
extern const char *const task_keys_oracle[];
extern const char *const task_keys_scorer[];
extern const char *const task_keys_limits[];
extern const char *const task_keys_windows[];
extern const char *const task_keys_compat[];
extern const char *const task_keys_strategies[];
extern const char *const task_keys_judge[];
extern const char *const task_keys_judge_mode[];

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
