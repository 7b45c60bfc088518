/*
 * A lock of one word for critical sections of a few nanoseconds: one atomic
 * read-modify-write to take it, a plain store to leave it. Holders must not
 * park, wait for anybody, call what their caller gave them, or reach a
 * safepoint. It may be taken by tasks and plain threads alike.
 *
 *   A  What one holder wrote, the next one sees: store_release in leave ->
 *      swap_acquire in take and try.
 *
 * Who finds it held backs off and does not look at it meanwhile. That is on
 * purpose: to move a cache line to another core takes as long as dozens of
 * critical sections, so that a holder who goes on alone for a while, and then
 * leaves the lock to the other for a while, gets more done than two who take
 * turns. So it is unfair in the short run, and who comes in is up to chance.
 *
 * Nobody sleeps on the word, so leaving it need not look for sleepers. Where a
 * holder takes long, because it has lost its processor or needs memory for
 * once, those who wait give theirs away, and then take naps.
 *
 * A zeroed lock is free. lock.h has one that sleeps, for longer sections.
 */
#ifndef BROLGA_SRC_SPIN_H
#define BROLGA_SRC_SPIN_H

#include "atomic.h"
#include "base.h"

struct brolga__spin {
    _Atomic uint32_t word; /* 1: held */
};

/* The slow path of take: backs off until the lock is the caller's. */
void brolga__spin_wait(struct brolga__spin *lock);

static inline void brolga__spin_take(struct brolga__spin *lock)
{
    if (brolga__unlikely(brolga__swap_acquire(&lock->word, 1) != 0)) /* A */
        brolga__spin_wait(lock);
}

/* Takes the lock if it is free. */
static inline bool brolga__spin_try(struct brolga__spin *lock)
{
    return brolga__load_relaxed(&lock->word) == 0 &&  /* a hint */
           brolga__swap_acquire(&lock->word, 1) == 0; /* A */
}

static inline void brolga__spin_leave(struct brolga__spin *lock)
{
    brolga__check(brolga__load_relaxed(&lock->word) == 1);
    brolga__store_release(&lock->word, 0); /* A: take */
}

#endif
