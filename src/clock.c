/* Public time functions. */
#include "base.h"
#include "plat.h"

uint64_t brolga_now_ns(void)
{
    return brolga__plat_now_ns();
}

uint64_t brolga_after_ns(uint64_t delay_ns)
{
    uint64_t now = brolga__plat_now_ns();

    return delay_ns >= BROLGA_FOREVER - now ? BROLGA_FOREVER : now + delay_ns;
}
