/*
 * A bounded pool of threads for work that blocks: brolga_blocking(), files.
 *
 * A job lies in the frame of the task that waits for it, which goes on when the
 * job has been done, or withdrawn before a thread took it. There is no other
 * end: what has been begun is awaited.
 */
#ifndef BROLGA_SRC_TASKS_POOL_H
#define BROLGA_SRC_TASKS_POOL_H

#include "list.h"

#include <brolga/task.h>

#include <pthread.h>
#include <stdint.h>

struct brolga__pool {
    pthread_mutex_t lock; /* Leaf, but for a new thread's creation. */
    pthread_cond_t work;
    struct brolga__list jobs; /* Not taken yet, the oldest first. */
    uint32_t queued;          /* Jobs in that list. */
    uint32_t idle;            /* Threads that wait for one. */
    uint32_t count, count_max;
    pthread_t *threads; /* Of count_max places; NULL before the first. */
    bool stopping;
};

void brolga__pool_init(struct brolga__pool *pool, uint32_t count_max);
/* Ends the threads; no task waits for a job. */
void brolga__pool_stop(struct brolga__pool *pool);
/* Frees what is left, after brolga__pool_stop(). */
void brolga__pool_fini(struct brolga__pool *pool);

/*
 * Has run(arg) called on a thread of the pool; the calling task parks meanwhile
 * ("where" for reports). BROLGA_OK when it has been called; ETIMEOUT or
 * ECANCELED when it has not and will not be; ELIMIT or ENOMEM for want of a
 * thread; ESTATE outside tasks. A safepoint.
 */
int brolga__pool_run(const char *where, void (*run)(void *arg), void *arg,
                     uint64_t deadline_ns);

#endif
