/*
 * What the fake compiler makes its modules of: it puts others in place of the
 * name fake000 and of the digits. As soon as a build is loaded, it says so to
 * the test.
 */
#include <brolga/module.h>

#include <stdlib.h>

BROLGA_MODULE(fake000, .policy = BROLGA_RECLAIM);

static const char digits[] = "NUMBER_OF_THE_SAVE";
extern void fake_loaded(const char *module, long number);

static long number(void)
{
    const char *volatile at = digits; /* Not known to the optimiser. */

    return atol(at);
}

BROLGA_EXPORT(int64_t, get, (int64_t n))
{
    return n + number();
}

__attribute__((constructor)) static void tell(void)
{
    fake_loaded(brolga_module.name, number());
}
