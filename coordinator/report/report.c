/* report.c - the face of the room: reads the store once and hands the numbers to a page. */
#include "coordinator/report/report.h"

#include <string.h>

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"
#include "coordinator/report/pages.h"
#include "coordinator/report/results.h"
#include "coordinator/report/table.h"

const char *const report_format_names[] = {"table", "md", "csv", "json", NULL};

bool report_format_parse(const char *name, enum report_format *out)
{
    for (int i = 0; report_format_names[i]; i++) {
        if (strcmp(name, report_format_names[i]) == 0) {
            *out = (enum report_format)(REPORT_TABLE + i);
            return true;
        }
    }
    return false;
}

int report_write(struct store *s, enum report_format f, struct px_buf *out, struct px_err *err)
{
    struct alarms a;
    struct run_stats *r = collect_run(s, err);
    if (!r)
        return -1;
    alarms_find(r, &a);
    switch (f) {
    case REPORT_TABLE:
        table_write(r, &a, out);
        break;
    case REPORT_MARKDOWN:
        page_markdown(r, &a, out);
        break;
    case REPORT_CSV:
        page_csv(r, out);
        break;
    case REPORT_JSON:
        results_json(r, &a, out);
        break;
    }
    alarms_clear(&a);
    run_stats_free(&r);
    return out->overflow ? px_fail(err, PX_ELIMIT, "the report is too long") : 0;
}
