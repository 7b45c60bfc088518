#include "shield.h"

#include "base.h"

/* Without lazy allocation, for the signal handler; volatile, because that sees
 * it between any two instructions. */
static _Thread_local volatile unsigned shields
    __attribute__((tls_model("initial-exec")));

/* None is inlined: callers run on fibers, which change threads. */
__attribute__((noinline)) void brolga__shield_raise(void)
{
    shields = shields + 1;
}

__attribute__((noinline)) void brolga__shield_lower(void)
{
    brolga__assert(shields > 0);
    shields = shields - 1;
}

__attribute__((noinline)) bool brolga__shielded(void)
{
    return shields > 0;
}
