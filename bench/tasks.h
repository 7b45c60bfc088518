/*
 * What the files of the topic "tasks" share: a measurement's size, and the
 * subjects other than Brolga. Each returns nanoseconds an operation.
 */
#ifndef BROLGA_BENCH_TASKS_H
#define BROLGA_BENCH_TASKS_H

#include "bench.h"

#include <brolga/brolga.h>

/* Tasks that are started before they are joined. */
#define BATCH 1000

#define PARTIES_MAX 1000

/** What a measurement is made of. */
struct job {
    brolga *rt;        /* NULL for all but Brolga. */
    unsigned parties;  /* Tasks of one kind. */
    size_t capacity;   /* Of channels. */
    uint64_t count;    /* Operations in all. */
    brolga_chan *chan; /* There; or the queue. */
    brolga_chan *back;
};

static inline double per_operation(const struct job *job, uint64_t begin_ns)
{
    return bench_since(begin_ns) / (double)job->count;
}

/** The operations of one party. */
static inline uint64_t share(const struct job *job)
{
    return job->count / job->parties;
}

/** The largest n for which fib(n) forks at most `forks` times, and how often it
 * does: all peers size their samples this way. */
static inline unsigned fib_size(uint64_t forks, uint64_t *exactly)
{
    uint64_t these = 0, next = 1; /* fib(1) forks never, fib(2) once. */
    unsigned n = 1;

    while (next <= forks) {
        uint64_t sum = these + next + 1;

        these = next;
        next = sum;
        n++;
    }
    *exactly = these;
    return n;
}

/* Threads of the system, tasks_threads.c. `arg` is a job. */
double sample_spawn_thread(void *arg);
double sample_roundtrip_ring(void *arg);
double sample_roundtrip_pipe(void *arg);
double sample_queue_ring(void *arg);

/* Floors, tasks_floor.c. `arg` is a job. */
double floor_calls(void *arg);      /* spawn_join */
double floor_recursion(void *arg);  /* forkjoin */
double floor_mailbox(void *arg);    /* roundtrip */
double floor_lines(void *arg);      /* the same on two processors */
double floor_ring(void *arg);       /* queues */
double floor_ring_spins(void *arg); /* the same on two processors */
double floor_hops(void *arg);       /* switch2, yield1000 */

#endif
