/* The other module: its frame is on the stack while it calls the first. */
#include <brolga/module.h>

BROLGA_MODULE(left, .policy = BROLGA_RECLAIM);
BROLGA_IMPORT(right, int64_t, add, (int64_t x), (x));

BROLGA_EXPORT(int64_t, twice, (int64_t x))
{
    return add(add(x));
}
