/* The slow path of the spin lock: spin.h says what it is for. */
#include "spin.h"

#include "arch.h"
#include "plat.h"

/* Of the processor's pauses, in one wait between two looks. The most is about
 * as long as a hundred short critical sections. */
#define PAUSES_FIRST 4
#define PAUSES_MOST  32

/* Looks before the holder counts as having lost its processor; then, looks
 * with a yield between them before the thread sleeps between them: a yield
 * does not help a holder of a lower priority. */
#define LOOKS_SPINNING 24
#define LOOKS_YIELDING 64
#define NAP_NS         (50 * BROLGA_US)

/* Lets time pass before look number `look`; the lock may be free meanwhile. */
static void back_off(struct brolga__spin *lock, uint32_t look)
{
    uint32_t pauses = look < 4 ? PAUSES_FIRST << look : PAUSES_MOST;

    if (pauses > PAUSES_MOST)
        pauses = PAUSES_MOST;
    for (uint32_t i = 0; i < pauses; i++)
        brolga__cpu_relax();
    if (look < LOOKS_SPINNING)
        return;
    if (look < LOOKS_SPINNING + LOOKS_YIELDING)
        brolga__plat_thread_yield();
    else /* Nobody wakes us: the deadline does. */
        (void)brolga__plat_wait(&lock->word, 1, brolga_after_ns(NAP_NS));
}

void brolga__spin_wait(struct brolga__spin *lock)
{
    /* Ends: holders leave within some nanoseconds of running. */
    for (uint32_t look = 0; !brolga__spin_try(lock); look += look < UINT32_MAX)
        back_off(lock, look);
}
