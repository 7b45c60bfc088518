/*
 * Goal: blocks are counted, and the n-th request fails, once, whichever
 * function makes it.
 * Method: compare the count before and after; arm the failure, then ask.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "base.h"

Test(alloc, live_counts_blocks_of_every_kind)
{
    int64_t before = brolga__alloc_live();
    void *plain = brolga__alloc(10), *zeroed = brolga__alloc_zero(10);
    void *line = brolga__alloc_line(10);
    char *text = brolga__strdup("crane");
    void *grown = brolga__realloc(NULL, 10);

    cr_assert_eq(brolga__alloc_live(), before + 5);
    grown = brolga__realloc(grown, 1000);
    cr_assert_not_null(grown);
    cr_assert_eq(brolga__alloc_live(), before + 5);
    cr_assert_str_eq(text, "crane");
    brolga__free(plain);
    brolga__free(zeroed);
    brolga__free(line);
    brolga__free(text);
    brolga__free(grown);
    brolga__free(NULL);
    cr_assert_eq(brolga__alloc_live(), before);
}

Test(alloc, zeroed_blocks_are_zero_and_lines_are_aligned)
{
    unsigned char *zeroed = brolga__alloc_zero(4096);
    unsigned char *line = brolga__alloc_line(100);

    for (int i = 0; i < 4096; i++)
        cr_assert_eq(zeroed[i], 0);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(line[i], 0);
    cr_assert_eq((uintptr_t)line % BROLGA__CACHE_LINE, 0);
    brolga__free(zeroed);
    brolga__free(line);
}

static void *ask(int kind)
{
    switch (kind) {
    case 0:
        return brolga__alloc(8);
    case 1:
        return brolga__alloc_zero(8);
    case 2:
        return brolga__alloc_line(8);
    case 3:
        return brolga__strdup("x");
    default:
        return brolga__realloc(NULL, 8);
    }
}

Test(alloc, the_nth_request_fails_once)
{
    for (int kind = 0; kind < 5; kind++) {
        int64_t before = brolga__alloc_live();

        brolga__alloc_fail_nth(3);
        for (int i = 1; i <= 6; i++) {
            void *block = ask(kind);

            cr_assert_eq(block == NULL, i == 3);
            brolga__free(block);
        }
        cr_assert_eq(brolga__alloc_live(), before);
    }
}

Test(alloc, failure_can_be_disarmed)
{
    void *block;

    brolga__alloc_fail_nth(1);
    brolga__alloc_fail_nth(0);
    block = brolga__alloc(1);
    cr_assert_not_null(block);
    brolga__free(block);
}

Test(alloc, a_failed_realloc_leaves_the_block)
{
    int64_t before = brolga__alloc_live();
    char *block = brolga__strdup("still here");

    brolga__alloc_fail_nth(1);
    cr_assert_null(brolga__realloc(block, 100000));
    cr_assert_str_eq(block, "still here");
    brolga__free(block);
    cr_assert_eq(brolga__alloc_live(), before);
}
