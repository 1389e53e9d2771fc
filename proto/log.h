/* log.h - the one logger: a line per event on stderr, UTC time, level, program, key=value text.
 *
 * ERROR = a person must act, WARN = we coped, INFO = a run's landmarks, DEBUG off by default
 * (PROCTOR_LOG=debug|info|warn|error). Report an error or pass it up, never both. */
#ifndef PROTO_LOG_H
#define PROTO_LOG_H

enum px_level { PX_DEBUG, PX_INFO, PX_WARN, PX_ERROR };

void px_log_init(const char *program);  /* also reads PROCTOR_LOG */
void px_log_level(enum px_level least); /* messages below are dropped */
void px_log(enum px_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
