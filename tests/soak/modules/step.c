/* A module as `brolga run` builds it; soak_modules loads it again and again. */
#include <brolga/module.h>

BROLGA_MODULE(step, .policy = BROLGA_RECLAIM);

static long calls;

BROLGA_EXPORT(long, step, (long x))
{
    calls++;
    return x + 1;
}
