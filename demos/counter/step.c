/*
 * The part to edit while the counter runs: what comes after a number.
 */
#include <brolga/module.h>

BROLGA_MODULE(step, .policy = BROLGA_RECLAIM);

BROLGA_EXPORT(long, step, (long number))
{
    return number + 1;
}
