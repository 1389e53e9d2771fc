/* rows.h - a data set's rows: found, checked, kept as text, parsed whenever one is needed.
 *
 * Formats by the file's ending: .jsonl, .jsonl.gz, .csv, .json; .txt and .raw are texts, whose rows
 * have one field, `page`. Loading checks the file's SHA-256, that every row is UTF-8 and well
 * formed, and the number of rows. Immutable after loading. */
#ifndef COORDINATOR_TASK_ROWS_H
#define COORDINATOR_TASK_ROWS_H

#include "coordinator/data/places.h"
#include "coordinator/task/value.h"
#include "proto/digest.h"
#include "proto/pyregex.h"

struct rows;

struct rows_file {
    char *path;            /* as the task writes it */
    struct px_digest hash; /* of the file's bytes; zero: any file */
};

struct rows_spec {
    struct rows_file *files; /* alternatives; the first that is found is used */
    uint32_t n_files;
    int64_t n_rows; /* -1: any number */
    char *get;      /* where to get the file, for the message when it is missing */
    char **columns; /* CSV: names; none: the first record has them */
    uint32_t n_columns;
    char *records;        /* JSON: dotted path to the list; "" for the root */
    struct pyregex *page; /* texts: what a page's first line matches; NULL: the file is one row.
                           * Pages of white space alone are no rows; the line end before a page's
                           * first line belongs to no page. */
    uint32_t page_lines;  /* texts: instead, every so many lines are a page; 0: off */
};

void rows_spec_clear(struct rows_spec *s);
/* Is the format that this file's ending names known? */
bool rows_format_known(const char *file);
extern const char rows_formats[]; /* the endings, for messages */

/* Owned. `task_dir` is where "./" begins, `data_dir` is --data or NULL. PX_EMISSING tells what to
 * get and every place that was searched, PX_EINPUT a wrong hash, number of rows or row
 * ("file:line: byte 3: ..."). */
struct rows *rows_load(const struct rows_spec *spec, const char *task_dir, const char *data_dir,
                       struct px_err *err);
/* One file of known path; hash zero: any. */
struct rows *rows_load_file(const struct rows_spec *spec, const char *path,
                            const struct px_digest *hash, struct px_err *err);
/* PX_EMISSING: `what` is in none of the places ("./": in task_dir). Returns -1. */
int rows_report_missing(const char *what, const char *get, const struct places *p,
                        const char *task_dir, struct px_err *err);
/* From text in memory, in the format of `name`'s ending; text is taken. */
struct rows *rows_parse(const struct rows_spec *spec, const char *name, char *text, size_t n,
                        struct px_err *err);
void rows_free(struct rows **r);

uint32_t rows_count(const struct rows *r);
/* The row as a map; borrowed from the rows and the arena. */
struct value rows_get(const struct rows *r, uint32_t i, struct arena *a);
struct px_digest rows_row_digest(const struct rows *r, uint32_t i);
/* Over the text of all rows: the same for a file and its compressed form. */
struct px_digest rows_digest(const struct rows *r);
/* The text itself, decompressed; borrowed. */
const char *rows_text(const struct rows *r, size_t *n);
const char *rows_path(const struct rows *r);
uint32_t rows_line(const struct rows *r, uint32_t i); /* from 1 */

#endif
