/*
 * A worker's queue of ready tasks: first in, first out, so that no task
 * starves. The worker pushes; it and thieves take by a CAS of the head. The
 * algorithm is that of the Go scheduler's run queues (D. Vyukov), with a ring
 * that grows.
 *
 * An entry that a spawn has made is marked: its task is to be claimed before
 * it is run, because a joiner may have done so first (task.c). An entry whose
 * task has been claimed is *stale*; the queue forgets it when it comes across
 * it, at the latest when the ring is full.
 */
#ifndef BROLGA_SRC_TASKS_RUNQ_H
#define BROLGA_SRC_TASKS_RUNQ_H

#include "atomic.h"
#include "base.h"

#include <brolga/task.h>

/* Entries of the first ring. */
#define BROLGA__RUNQ_SIZE 256

/* A task's address; the lowest bit marks a spawned one. 0: none. */
typedef uintptr_t brolga__entry_word;
#define BROLGA__SPAWNED ((uintptr_t)1)

struct brolga__ring_of_tasks {
    struct brolga__ring_of_tasks *older; /* Kept: a thief may still read it. */
    uint64_t mask;
    _Atomic brolga__entry_word at[];
};

struct brolga__runq {
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t head; /* Taken: CAS. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t tail; /* Owner pushes. */
    struct brolga__ring_of_tasks *_Atomic ring;         /* Owner replaces. */
};

/* BROLGA_OK or BROLGA_ENOMEM. */
int brolga__runq_init(struct brolga__runq *queue);
void brolga__runq_fini(struct brolga__runq *queue);

/* For push, when the ring is full; false if there is no memory. */
bool brolga__runq_make_room(struct brolga__runq *queue);

/* By the owner. False if there is no room and no memory. */
static inline bool brolga__runq_push(struct brolga__runq *queue,
                                     brolga_task *task, bool spawned)
{
    uint64_t tail = brolga__load_relaxed(&queue->tail); /* ours alone */
    uint64_t head = brolga__load_acquire(&queue->head); /* P: take */
    struct brolga__ring_of_tasks *ring = brolga__load_relaxed(&queue->ring);

    if (brolga__unlikely(tail - head > ring->mask)) {
        if (!brolga__runq_make_room(queue))
            return false;
        tail = brolga__load_relaxed(&queue->tail);
        ring = brolga__load_relaxed(&queue->ring);
    }
    brolga__store_relaxed(&ring->at[tail & ring->mask],
                          (uintptr_t)task | (spawned ? BROLGA__SPAWNED : 0));
    brolga__store_release(&queue->tail, tail + 1); /* O: steal */
    return true;
}

/* By the owner. A task that is the caller's to run; NULL if there is none. */
brolga_task *brolga__runq_pop(struct brolga__runq *queue);

/* The same, inline for the common case: the first entry is the caller's. */
static inline brolga_task *brolga__runq_pop_fast(struct brolga__runq *queue)
{
    uint64_t head = brolga__load_relaxed(&queue->head);
    struct brolga__ring_of_tasks *ring = brolga__load_relaxed(&queue->ring);
    brolga__entry_word entry;

    if (head == brolga__load_relaxed(&queue->tail))
        return NULL;
    entry = brolga__load_relaxed(&ring->at[head & ring->mask]);
    if (brolga__unlikely(
            (entry & BROLGA__SPAWNED) != 0 ||
            !brolga__cas_acq_rel(&queue->head, &head, head + 1))) /* P: push */
        return brolga__runq_pop(queue);
    return (brolga_task *)entry;
}

/* The task that the owner will take after `n` others, if nobody else does;
 * NULL: none. To look at, not to run: it may have been claimed. */
static inline brolga_task *brolga__runq_peek(struct brolga__runq *queue,
                                             uint64_t n)
{
    uint64_t at = brolga__load_relaxed(&queue->head) + n;
    struct brolga__ring_of_tasks *ring = brolga__load_relaxed(&queue->ring);

    if (at >= brolga__load_relaxed(&queue->tail))
        return NULL;
    return (brolga_task *)(brolga__load_relaxed(&ring->at[at & ring->mask]) &
                           ~BROLGA__SPAWNED);
}

/* Moves half of the victim's entries, at most 128, to the thief's queue, which
 * is empty, but for a task that is returned, the caller's to run; NULL if there
 * was none. By the thief's owner. */
brolga_task *brolga__runq_steal(struct brolga__runq *thief,
                                struct brolga__runq *victim);

/* Whether there is an entry; sequentially consistent, for going to sleep. */
bool brolga__runq_empty(struct brolga__runq *queue);

/* The number of entries, a moment ago. */
uint64_t brolga__runq_count(struct brolga__runq *queue);

#endif
