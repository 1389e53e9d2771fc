/* alarms.h - results that are too good, too bad or too regular to be believed unseen. */
#ifndef COORDINATOR_REPORT_ALARMS_H
#define COORDINATOR_REPORT_ALARMS_H

#include "coordinator/report/collect.h"

enum alarm_severity {
    ALARM_NOTE = 1, /* worth knowing */
    ALARM_WARNING,  /* look before you publish */
    ALARM_FAILURE   /* the cell does not show what it claims: the run has failed */
};
const char *alarm_severity_name(enum alarm_severity s);

struct alarm {
    enum alarm_severity severity;
    const char *kind; /* static: "inert_reuse", "zero", "one_length" ... see docs/results.md */
    uint32_t group;   /* index */
    char *text;
};

struct alarms {
    struct alarm *list;
    uint32_t n;
};

/* All alarms of a run, group by group; derived from compared parts alone. */
void alarms_find(const struct run_stats *r, struct alarms *out);
void alarms_clear(struct alarms *a);
bool alarms_failed(const struct alarms *a); /* any failure among them */

#endif
