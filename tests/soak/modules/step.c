/* A module as `brolga run` builds it; soak_modules loads it again and again. */
#include <brolga/module.h>

BROLGA_MODULE(step, .policy = BROLGA_RECLAIM);

BROLGA_EXPORT(long, step, (long x))
{
    return x + 1;
}
