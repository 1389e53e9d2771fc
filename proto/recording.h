/* recording.h - recorded completions of whatever origin: what each row is about, and its text or
 * its loglikelihoods.
 *
 * docs/replay.md describes the formats. A recording is one file (plain or gzip), a directory, or
 * text in memory. Formats that are one JSON value, CSV files and directories become one row per
 * problem at once; rows are checked when the recording is opened and parsed again when asked for.
 * Immutable afterwards, but for the row that was looked at last: one thread at a time. */
#ifndef PROTO_RECORDING_H
#define PROTO_RECORDING_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"

enum recording_format {
    RECORDING_AUTO = 0,
    RECORDING_HUMANEVAL, /* {"task_id", "completion"} */
    RECORDING_EVALPLUS,  /* {"task_id", "solution"}, *_eval_results.json, TASK_ID/n.py */
    RECORDING_BIGCODE,   /* generations.json: a list per problem */
    RECORDING_LM_EVAL,   /* samples_*.jsonl */
    RECORDING_JSONL,     /* any rows */
    RECORDING_CSV        /* loglikelihoods, one column per choice */
};
/* "auto", "humaneval" ...; false for anything else. */
bool recording_format_parse(const char *name, enum recording_format *out);
const char *recording_format_name(enum recording_format f);

struct recording_options {
    enum recording_format format;
    const char *id_key;   /* dotted path of a member; NULL: the usual names */
    const char *text_key; /* the same */
};

/* One sample of one problem, in the order of the recording. */
struct recording_item {
    const char *id;    /* of its problem; borrowed; NULL: known by its position alone */
    const char *part;  /* lm-eval's task, where a directory has several; NULL elsewhere */
    uint64_t position; /* of its problem: lm-eval's doc_id, else the number of its row */
    uint32_t row;      /* from 0 */
    uint32_t within;   /* of several texts in one row */
    bool scored;       /* loglikelihoods, no text */
};

struct recording;

/* opt NULL: everything by itself. Owned. Errors name file and line. */
struct recording *recording_open(const char *path, const struct recording_options *opt,
                                 struct px_err *err);
/* The same over text in memory (copied); `name` is for messages. */
struct recording *recording_parse(const char *text, size_t len, const char *name,
                                  const struct recording_options *opt, struct px_err *err);
void recording_free(struct recording **r);

const char *recording_name(const struct recording *r);
enum recording_format recording_format(const struct recording *r); /* never AUTO */
uint32_t recording_rows(const struct recording *r);
uint32_t recording_items(const struct recording *r);
const struct recording_item *recording_item(const struct recording *r, uint32_t i);
/* Key that the ids stand under ("task_id"), "" when there are none. */
const char *recording_id_key(const struct recording *r);
/* Key that the texts of the first row stand under ("completion"), "" for loglikelihoods. */
const char *recording_text_key(const struct recording *r);
/* The texts are complete programs: a prompt must not be put before them. */
bool recording_whole(const struct recording *r);
/* lm-eval: rows of other filters that repeat a document. */
uint32_t recording_repeats(const struct recording *r);
/* The file had bytes that are no UTF-8, which were read as U+FFFD. */
bool recording_repaired(const struct recording *r);
uint32_t recording_line(const struct recording *r, uint32_t row); /* in the file, from 1 */

/* A row as JSON; owned (json_object_put). */
struct json_object *recording_row(const struct recording *r, uint32_t row);

/* The i-th item as a completion (owned, completion_clear): text, or loglikelihoods with
 * FINISH_SCORED whose n_chars and n_bytes are 0: the task knows its choices. */
void recording_completion(const struct recording *r, uint32_t i, struct completion *out);

/* By problem id and sample. A problem or sample that is not there gives FINISH_ERROR with a
 * reason. */
void recording_find(const struct recording *r, const char *problem, uint32_t sample,
                    struct completion *out);

/* A member by its dotted path ("doc.task_id", "choices.0.turns"); a key that has the dots in its
 * name comes first. Borrowed, NULL when absent. */
struct json_object *recording_member(struct json_object *row, const char *path);

#endif
