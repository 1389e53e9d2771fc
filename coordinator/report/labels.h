/* labels.h - short names of cells for narrow tables. */
#ifndef COORDINATOR_REPORT_LABELS_H
#define COORDINATOR_REPORT_LABELS_H

#include "coordinator/store/manifest.h"

/* One label per cell (owned array of owned strings): the main name without what all names share
 * before a '/', and with keys cut to their last part: "tiny/reuse.k=2,reuse.subset=first" becomes
 * "k=2,subset=first". When two cells would get the same label, all keep their main names. */
char **labels_make(const struct manifest *m);
/* Any name of a cell, shortened in the same way. Owned. */
char *label_of_name(const struct manifest *m, const char *name);
void labels_free(char ***labels, uint32_t n);

#endif
