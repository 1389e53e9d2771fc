/* export_names.h - names of cells and tasks as names of files. */
#ifndef COORDINATOR_REPORT_EXPORT_NAMES_H
#define COORDINATOR_REPORT_EXPORT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/store/manifest.h"

/* A name that any file system takes and no path can be hidden in; `index` tells names apart that
 * become equal or too long (`unique` false). Owned. */
char *export_file_name(const char *name, bool unique, uint32_t index);

/* One per cell: its main name, numbered when two would be the same. Owned array of owned texts. */
char **export_cell_names(const struct manifest *m);

#endif
