/* export_names.c - see export_names.h. */
#include "coordinator/report/export_names.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum { NAME_LONGEST = 150 };

char *export_file_name(const char *name, bool unique, uint32_t index)
{
    char *s = px_xstrndup(name, NAME_LONGEST);
    for (char *p = s; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+=,", *p))
            *p = '_';
    if (s[0] == '.' || s[0] == '\0')
        unique = false;
    if (unique)
        return s;
    char *numbered = px_xasprintf("%u_%s", index, s);
    free(s);
    return numbered;
}

char **export_cell_names(const struct manifest *m)
{
    char **dirs = px_xcalloc((size_t)m->n_cells + 1, sizeof *dirs);
    for (uint32_t i = 0; i < m->n_cells; i++) {
        bool unique = strlen(m->cells[i].names[0]) <= NAME_LONGEST;
        dirs[i] = export_file_name(m->cells[i].names[0], unique, i);
        for (uint32_t k = 0; k < i; k++) {
            if (strcasecmp(dirs[i], dirs[k]) != 0)
                continue;
            free(dirs[i]);
            dirs[i] = export_file_name(m->cells[i].names[0], false, i);
            break;
        }
    }
    return dirs;
}
