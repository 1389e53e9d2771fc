/* threads.h - a small pool that runs numbered tasks; which thread runs a task never matters.
 *
 * The caller works too. Tasks are handed out one at a time and in order, so nobody waits for a
 * thread that has not woken up yet, only for tasks that somebody has begun: big tasks first and
 * small ones last keep that short. A pool without work uses no CPU after a fraction of a
 * millisecond. Beside foreign processes helpers give way between tasks, and leave the caller's CPU
 * to it; threads are bound to no CPU. One caller. */
#ifndef WORKER_ENGINE_THREADS_H
#define WORKER_ENGINE_THREADS_H

#include <stdint.h>

#include "proto/err.h"

struct threads;

/* n >= 1 counts the caller: n - 1 threads are started, at the first threads_run that needs them. */
struct threads *threads_new(uint32_t n);
void threads_free(struct threads **t); /* joins */
uint32_t threads_count(const struct threads *t);

/* Runs fn(arg, task, worker) for every task < n_tasks, worker < threads_count; returns when all
 * are done. With one task or one thread everything runs in the caller as worker 0. */
void threads_run(struct threads *t, uint32_t n_tasks,
                 void (*fn)(void *arg, uint32_t task, uint32_t worker), void *arg);

#endif
