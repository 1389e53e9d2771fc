/* table.h - the rows of a task's `data`: one file or a family of files, joined with a second file,
 * without the rows that `where` leaves out.
 *
 * Theory of operation. A *part* is one file. A family (`each`) has one part per value, and every
 * row of it has the value as a field more. `where` decides by a row's own fields (the family's
 * among them); what it keeps is numbered from 0. `join` then adds the fields of the one row of a
 * second file that has the same value under a key. Rows stay text and are put together when one is
 * asked for. Immutable after loading. */
#ifndef COORDINATOR_TASK_TABLE_H
#define COORDINATOR_TASK_TABLE_H

#include "coordinator/task/rows.h"
#include "coordinator/task/template.h"

struct table;

/* `each`: one file per value. */
struct each_spec {
    char *name; /* of the field; NULL: no family */
    char **values;
    uint32_t n_values;
    struct text_template *file;
    struct px_digest hash; /* of all files, one after the other in the order of their names; or 0 */
};

struct join_spec {
    struct rows_spec rows; /* n_files 0: no join */
    char *on;              /* key of both files */
    bool optional;         /* a row may be without partner */
};

struct data_spec {
    struct rows_spec rows;
    struct each_spec each;
    struct join_spec join;
    struct text_template *where; /* NULL: every row */
};

void data_spec_init(struct data_spec *s);
void data_spec_clear(struct data_spec *s);
bool data_spec_given(const struct data_spec *s); /* names a file at all */

/* Owned; NULL with err: PX_EMISSING says which file to get, PX_EINPUT names file and line. */
struct table *table_load(const struct data_spec *s, const char *task_dir, const char *data_dir,
                         struct px_err *err);
/* From JSON lines in memory (taken), named `name` in messages. */
struct table *table_parse(const char *name, char *text, size_t n, struct px_err *err);
void table_free(struct table **t);

uint32_t table_count(const struct table *t);
/* The row as a map; borrowed from the table and the arena. */
struct value table_get(const struct table *t, uint32_t i, struct arena *a);
struct px_digest table_row_digest(const struct table *t, uint32_t i);
struct px_digest table_digest(const struct table *t); /* of everything that was read */
const char *table_path(const struct table *t, uint32_t i);
uint32_t table_line(const struct table *t, uint32_t i);

/* Parts: where each begins, and its value of the family's field. */
const char *table_each_name(const struct table *t); /* NULL: no family, one part */
uint32_t table_n_parts(const struct table *t);
uint32_t table_part_of(const struct table *t, uint32_t i);
const char *table_part_value(const struct table *t, uint32_t part);
uint32_t table_part_first(const struct table *t, uint32_t part); /* n_parts: the end */

#endif
