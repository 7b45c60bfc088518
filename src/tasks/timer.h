/*
 * Timers: a binary heap of absolute deadlines, worked off by one thread that
 * is started with the first timer.
 */
#ifndef BROLGA_SRC_TASKS_TIMER_H
#define BROLGA_SRC_TASKS_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owned by the waiter; armed at most once at a time. */
struct brolga__timer {
    uint64_t when_ns;
    size_t place; /* In the heap, from 1; 0 = not armed. timers->lock */
    /* Called by the timer thread under timers->lock: short, arms nothing. */
    void (*fire)(struct brolga__timer *timer);
};

struct brolga__timers {
    pthread_mutex_t lock; /* Scheduler locks nest inside (fire wakes tasks). */
    struct brolga__timer **heap; /* heap[1] is the earliest. */
    size_t count, capacity;
    pthread_t thread;
    bool started, stopping;
    _Atomic uint32_t changed; /* The thread sleeps on it. */
};

void brolga__timers_init(struct brolga__timers *timers);
void brolga__timers_fini(struct brolga__timers *timers);

/* BROLGA_OK, BROLGA_ENOMEM, or BROLGA_ELIMIT if no thread can be had. */
int brolga__timer_arm(struct brolga__timers *timers,
                      struct brolga__timer *timer, uint64_t when_ns);

/* After it returns the timer is not armed and `fire` is not running. */
void brolga__timer_disarm(struct brolga__timers *timers,
                          struct brolga__timer *timer);

#endif
