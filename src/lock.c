/* The slow paths of the lock: lock.h has the states and the edge. */
#include "lock.h"

#include "arch.h"
#include "plat.h"

/*
 * Holders leave after some tens of nanoseconds unless they are preempted, so
 * this is long enough; after that the processor is better given away.
 */
#define SPINS 100

static bool spin(struct brolga__lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = BROLGA__LOCK_FREE;

        /* Looking before the swap keeps the line shared meanwhile. */
        if (brolga__load_relaxed(&lock->word) == BROLGA__LOCK_FREE &&
            brolga__cas_acquire(&lock->word, &expected, BROLGA__LOCK_HELD))
            return true; /* A: leave */
        brolga__cpu_relax();
    }
    return false;
}

void brolga__lock_wait(struct brolga__lock *lock)
{
    if (spin(lock))
        return;
    /*
     * Who gets the lock here leaves it marked as contended, although nobody
     * else may sleep: one wake in vain at the end is cheaper than counting.
     * The loop ends because holders leave, and each leave wakes a sleeper.
     */
    while (brolga__swap_acquire(&lock->word, BROLGA__LOCK_CONTENDED) !=
           BROLGA__LOCK_FREE) /* A: leave */
        (void)brolga__plat_wait(&lock->word, BROLGA__LOCK_CONTENDED,
                                BROLGA_FOREVER);
}

void brolga__lock_wake(struct brolga__lock *lock)
{
    brolga__plat_wake(&lock->word, 1);
}
