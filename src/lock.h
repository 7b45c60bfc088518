/*
 * A lock of one word for critical sections of some tens of nanoseconds: it
 * spins briefly, then sleeps. Holders must not park, block or reach a
 * safepoint, so that it may be taken by tasks and plain threads alike.
 *
 *   free       nobody has it
 *   held       someone has it
 *   contended  someone has it, and someone may sleep on the word
 *
 *   A  What one holder wrote, the next one sees: swap_release in unlock ->
 *      cas_acquire or swap_acquire in lock. The word is written by these
 *      read-modify-writes only.
 *
 * Unfair: a newcomer may get the lock before one who sleeps. A zeroed lock is
 * free.
 */
#ifndef BROLGA_SRC_LOCK_H
#define BROLGA_SRC_LOCK_H

#include "atomic.h"
#include "base.h"

enum { BROLGA__LOCK_FREE, BROLGA__LOCK_HELD, BROLGA__LOCK_CONTENDED };

struct brolga__lock {
    _Atomic uint32_t word;
};

/* The slow paths of the two functions below. */
void brolga__lock_wait(struct brolga__lock *lock);
void brolga__lock_wake(struct brolga__lock *lock);

static inline void brolga__lock_take(struct brolga__lock *lock)
{
    uint32_t expected = BROLGA__LOCK_FREE;

    if (brolga__unlikely(!brolga__cas_acquire(&lock->word, &expected,
                                              BROLGA__LOCK_HELD))) /* A */
        brolga__lock_wait(lock);
}

static inline void brolga__lock_leave(struct brolga__lock *lock)
{
    uint32_t was =
        brolga__swap_release(&lock->word, BROLGA__LOCK_FREE); /* A: take */

    brolga__assert(was != BROLGA__LOCK_FREE);
    if (brolga__unlikely(was == BROLGA__LOCK_CONTENDED))
        brolga__lock_wake(lock);
}

#endif
