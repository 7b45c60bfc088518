/*
 * Goal: time never goes back, and deadlines saturate instead of wrapping.
 * Method: many readings; delays at both ends of the range.
 */
#include <criterion/criterion.h>

#include <brolga/base.h>

Test(clock, never_goes_back)
{
    uint64_t last = brolga_now_ns();

    for (int i = 0; i < 10000; i++) {
        uint64_t now = brolga_now_ns();

        cr_assert_geq(now, last);
        last = now;
    }
}

Test(clock, moves)
{
    uint64_t start = brolga_now_ns();
    int readings = 0;

    while (brolga_now_ns() == start)
        cr_assert_lt(readings++, 1000000000);
}

Test(clock, a_delay_lies_that_far_ahead)
{
    uint64_t before = brolga_now_ns(), at = brolga_after_ns(BROLGA_S);
    uint64_t after = brolga_now_ns();

    cr_assert_geq(at, before + BROLGA_S);
    cr_assert_leq(at, after + BROLGA_S);
    cr_assert_geq(brolga_after_ns(0), before);
}

Test(clock, far_delays_saturate)
{
    cr_assert_eq(brolga_after_ns(BROLGA_FOREVER), BROLGA_FOREVER);
    cr_assert_eq(brolga_after_ns(BROLGA_FOREVER - 1), BROLGA_FOREVER);
}
