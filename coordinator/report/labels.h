/* labels.h - short names of cells for narrow tables. */
#ifndef COORDINATOR_REPORT_LABELS_H
#define COORDINATOR_REPORT_LABELS_H

#include "coordinator/store/manifest.h"
#include "proto/err.h"

/* One label per cell (owned array of owned strings): the main name without what all names share
 * before a '/', and with keys cut to their last part: "tiny/reuse.k=2,reuse.subset=first" becomes
 * "k=2,subset=first". When two cells would get the same label, all keep their main names. */
char **labels_make(const struct manifest *m);
/* Any name of a cell, shortened in the same way. Owned. */
char *label_of_name(const struct manifest *m, const char *name);
void labels_free(char ***labels, uint32_t n);

/* Is it one of the cell's names? */
bool cell_has_name(const struct manifest_cell *c, const char *name);

/* The name (borrowed) of the cell that a person means by `text`: one of the names themselves, a
 * label as tables show it, or some of a cell's settings in any order ("k=2",
 * "reuse.k=2,subset=last") that no other cell has. NULL with PX_EUSAGE, which lists the cells, when
 * none or several fit. */
const char *cell_name_find(const struct manifest *m, const char *text, struct px_err *err);

#endif
