/* A module that says of which save it is: soak_cap's compiler writes the number
 * of the source over the digits here. */
#include <brolga/module.h>

BROLGA_MODULE(generation, .policy = BROLGA_RECLAIM);

static const volatile char mark[] = "GENERATION=0000000000";

BROLGA_EXPORT(long, generation, (void))
{
    long number = 0;

    for (const volatile char *at = mark + sizeof "GENERATION=" - 1; *at; at++)
        number = number * 10 + (*at - '0');
    return number;
}
