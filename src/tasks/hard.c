/* Rare paths, taken often: the dice. Relaxed, so that no thread's draw orders
 * anything for another one; which draws there are depends on the machine. */
#include "tasks/hard.h"

#include "arch.h"
#include "atomic.h"

#include <stdlib.h>

#if defined(BROLGA_DEBUG) || defined(BROLGA__TSAN)
#define PAUSES_MAX 2000

bool brolga__hard_on;

/* splitmix64 */
static uint64_t draw(void)
{
    static _Atomic uint64_t state;
    uint64_t z = brolga__add_relaxed(&state, UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool brolga__hard_drawn(uint32_t one_in)
{
    return draw() % one_in == 0;
}

void brolga__hard_pause(void)
{
    for (uint64_t i = draw() % PAUSES_MAX; i > 0; i--)
        brolga__cpu_relax();
}

void brolga__hard_init(void)
{
    const char *hard = getenv("BROLGA_HARD");
    bool on = hard != NULL && hard[0] == '1';

    if (on != brolga__hard_on) /* Another runtime may read it. */
        brolga__hard_on = on;
}
#else
void brolga__hard_init(void)
{
}
#endif
