/* rows_csv.h - records of RFC 4180: fields in commas, quotes around fields with commas, quotes
 * (doubled) or line ends; lines end in LF or CR LF. */
#ifndef COORDINATOR_TASK_ROWS_CSV_H
#define COORDINATOR_TASK_ROWS_CSV_H

#include "coordinator/task/value.h"

/* One record at the beginning of text: its fields as a list of texts in the arena (NULL: only
 * checked and measured). *end is what it took with its line end, *n_fields how many there are. The
 * error names the byte. */
int csv_record(struct arena *a, const char *text, size_t n, struct value *out, size_t *n_fields,
               size_t *end, struct px_err *err) PX_MUST_CHECK;

#endif
