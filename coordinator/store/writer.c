/* writer.c - the writer thread: waits for batches and commits everything that waits as one group.
 *
 * The first failed commit ends writing for good: later batches are dropped, their tags never come
 * back, and store_reap and store_commit report the failure. Whoever opens the store next starts
 * from the last whole commit. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/store/store_internal.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/mem.h"

#define READER_CHECK_US (60 * 1000000LL)
#define GROUP_BYTES (64u << 20) /* a group is closed when it has so many: bounds dirty pages */

static void signal_event(struct store *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->event_fd, &one, sizeof one); /* EAGAIN: it is readable anyway */
    (void)n;
}

void store_enqueue(struct store *s, struct store_batch *b)
{
    pthread_mutex_lock(&s->lock);
    bool drop = s->failed || s->stop;
    if (!drop) {
        if (s->tail)
            s->tail->next = b;
        else
            s->head = b;
        s->tail = b;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    if (drop)
        store_batch_free(&b);
}

/* With s->lock held: the batches of the next group leave the queue. */
static struct store_batch *take_group(struct store *s)
{
    struct store_batch *first = s->head, *last = first;
    size_t bytes = first->n_arena;
    while (last->next && bytes + last->next->n_arena <= GROUP_BYTES) {
        last = last->next;
        bytes += last->n_arena;
    }
    s->head = last->next;
    if (!s->head)
        s->tail = NULL;
    last->next = NULL;
    return first;
}

static void free_list(struct store_batch *list)
{
    while (list) {
        struct store_batch *next = list->next;
        store_batch_free(&list);
        list = next;
    }
}

/* With s->lock held. */
static void settle(struct store *s, struct store_batch *group, int rc, const struct px_err *err)
{
    if (rc != 0) {
        s->failed = true;
        s->failure = *err;
        free_list(s->head);
        s->head = s->tail = NULL;
    } else {
        s->commits++;
        for (struct store_batch *b = group; b; b = b->next) {
            s->batches += !b->internal;
            if (b->ticket) {
                s->tickets_committed = b->ticket;
            } else if (!b->internal) {
                PX_GROW(s->tags, s->n_tags, s->cap_tags);
                s->tags[s->n_tags++] = b->tag;
            }
        }
    }
    if (s->n_tags || s->failed)
        signal_event(s);
    pthread_cond_broadcast(&s->settled);
}

static void check_readers(struct store *s, int64_t *due)
{
    int dead = 0;
    if (clk_now_us() < *due)
        return;
    *due = clk_now_us() + READER_CHECK_US;
    if (mdb_reader_check(s->env, &dead) == 0 && dead)
        px_log(PX_INFO, "store_stale_readers", "dir=%s freed=%d", s->dir, dead);
}

/* With s->lock held: until there is work, or it is time to look after readers. */
static void wait_for_work(struct store *s, int64_t due)
{
    struct timespec at = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};
    while (!s->head && !s->stop && clk_now_us() < due)
        pthread_cond_timedwait(&s->work, &s->lock, &at);
}

static void *writer_main(void *arg)
{
    struct store *s = arg;
    int64_t readers_due = clk_now_us() + READER_CHECK_US;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        wait_for_work(s, readers_due);
        if (s->head) {
            struct store_batch *group = take_group(s);
            struct px_err err = {0};
            pthread_mutex_unlock(&s->lock);
            int rc = store_write_group(s, group, &err);
            pthread_mutex_lock(&s->lock);
            settle(s, group, rc, &err);
            free_list(group);
        } else if (s->stop) {
            break;
        }
        pthread_mutex_unlock(&s->lock);
        check_readers(s, &readers_due);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int store_writer_start(struct store *s, struct px_err *err)
{
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0)
        return px_fail_errno(err, "cannot make an eventfd");
    sigset_t all, old;
    sigfillset(&all); /* signals are for the thread that reads them from a signalfd */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->writer, NULL, writer_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        errno = rc;
        return px_fail_errno(err, "cannot start the store's writer thread");
    }
    s->writer_runs = true;
    return 0;
}

void store_writer_stop(struct store *s)
{
    if (!s->writer_runs)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
    s->writer_runs = false;
}

void store_submit(struct store *s, struct store_batch *b, uint64_t tag)
{
    px_assert(s->mode == STORE_WRITE);
    b->tag = tag;
    store_enqueue(s, b);
}

int store_event_fd(const struct store *s)
{
    return s->event_fd;
}

int store_reap(struct store *s, uint64_t *tags, int max, struct px_err *err)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_tags < (size_t)max ? s->n_tags : (size_t)max;
    if (n == 0 && s->failed) {
        if (err)
            *err = s->failure;
        pthread_mutex_unlock(&s->lock);
        return -1;
    }
    if (n) {
        memcpy(tags, s->tags, n * sizeof *tags);
        memmove(s->tags, s->tags + n, (s->n_tags - n) * sizeof *tags);
        s->n_tags -= n;
    }
    if (s->n_tags == 0 && !s->failed) {
        uint64_t count;
        ssize_t got = read(s->event_fd, &count, sizeof count);
        (void)got;
    }
    pthread_mutex_unlock(&s->lock);
    return (int)n;
}

int store_commit(struct store *s, struct store_batch *b, struct px_err *err)
{
    px_assert(s->mode == STORE_WRITE);
    pthread_mutex_lock(&s->lock);
    uint64_t ticket = b->ticket = ++s->tickets;
    pthread_mutex_unlock(&s->lock);
    store_enqueue(s, b);
    pthread_mutex_lock(&s->lock);
    while (s->tickets_committed < ticket && !s->failed)
        pthread_cond_wait(&s->settled, &s->lock);
    bool committed = s->tickets_committed >= ticket;
    if (!committed && err)
        *err = s->failure;
    pthread_mutex_unlock(&s->lock);
    return committed ? 0 : -1;
}
