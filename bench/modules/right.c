/* One of two modules that bench_reload loads thousands of times. */
#include <brolga/module.h>

BROLGA_MODULE(right, .policy = BROLGA_RECLAIM);

BROLGA_EXPORT(int64_t, add, (int64_t x))
{
    return x + 1;
}
