/*
 * Goal: the text of stress switches is taken as a whole or not at all; what is
 * in quarantine is inaccessible, and is given back in the end.
 * Method: all kinds of texts; pages of ours, looked at by asking the system.
 */
#include <criterion/criterion.h>

#include "plat.h"
#include "stress.h"

#include <sys/mman.h>

Test(stress, switches_are_read_in_any_order)
{
    struct brolga_stress stress = {0};

    cr_assert_eq(brolga_stress_parse("quarantine=256,seed=12,scan=1,abort=7,"
                                     "reload=1000",
                                     &stress),
                 BROLGA_OK);
    cr_assert_eq(stress.reload, 1000);
    cr_assert_eq(stress.abort, 7);
    cr_assert(stress.scan);
    cr_assert_eq(stress.quarantine, 256);
    cr_assert_eq(stress.seed, 12);
    cr_assert_eq(brolga_stress_parse("reload=5", &stress), BROLGA_OK);
    cr_assert_eq(stress.reload, 5);
    cr_assert_eq(stress.abort, 0);
}

Test(stress, what_makes_no_sense_changes_nothing)
{
    static const char *const wrong[] = {"",
                                        ",",
                                        "reload",
                                        "reload=",
                                        "reload=x",
                                        "reload=-1",
                                        "reload=1,",
                                        "reload=1 ",
                                        "Reload=1",
                                        "reloads=1",
                                        "scan=1;abort=1",
                                        "quarantine=65537",
                                        "reload=99999999999999999999"};
    struct brolga_stress stress = {.reload = 42};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(brolga_stress_parse(wrong[i], &stress), BROLGA_EINVAL,
                     "'%s' is taken\n", wrong[i]);
        cr_assert_eq(stress.reload, 42);
    }
}

Test(stress, dice_fall_about_as_often_as_they_should)
{
    uint64_t state = 7;
    unsigned drawn = 0;

    for (unsigned i = 0; i < 70000; i++)
        drawn += brolga__stress_drawn(&state, 7);
    cr_assert_gt(drawn, 9000);
    cr_assert_lt(drawn, 11000);
    cr_assert_not(brolga__stress_drawn(&state, 0));
}

/* Whether the address space is taken: it cannot be occupied again. */
static bool is_taken(const void *at)
{
    size_t bytes = brolga__plat_page_bytes();

    if (!brolga__plat_occupy((uintptr_t)at, bytes))
        return true;
    brolga__plat_unreserve((void *)(uintptr_t)at, bytes);
    return false;
}

Test(stress, the_quarantine_keeps_so_many_pieces)
{
    size_t bytes = brolga__plat_page_bytes();
    void *page[5];

    for (int i = 0; i < 5; i++) {
        page[i] = brolga__plat_reserve(bytes);
        cr_assert_not_null(page[i]);
    }
    cr_assert_not(brolga__quarantine_mapped(page[0], bytes)); /* Closed. */
    brolga__quarantine_open(2);
    cr_assert(brolga__quarantine_is_open());
    for (int i = 0; i < 3; i++)
        cr_assert(brolga__quarantine_mapped(page[i], bytes));
    cr_assert_not(is_taken(page[0])); /* The oldest has gone. */
    cr_assert(is_taken(page[1]) && is_taken(page[2]));
    brolga__plat_unreserve(page[3], bytes);
    brolga__quarantine_unmapped((uintptr_t)page[3], bytes);
    cr_assert(is_taken(page[3]));
    cr_assert_not(is_taken(page[1]));
    /* Somebody else has got there first: it stays theirs. */
    brolga__quarantine_unmapped((uintptr_t)page[4], bytes);
    *(char *)page[4] = 1;
    brolga__plat_unreserve(page[4], bytes);
}
