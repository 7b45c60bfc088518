/*
 * Goal: the buffer gives back what was put in, in order, and nothing else.
 * Method: push and pop in patterns that wrap and grow; compare with counters.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "chan/chan.h"

struct wide {
    uint64_t number;
    char pad[40];
};

static struct brolga__ring ring_of(size_t slots, size_t bytes, size_t align)
{
    struct brolga__ring ring;

    cr_assert_eq(brolga__ring_init(&ring, slots, bytes, align), BROLGA_OK);
    return ring;
}

static void push(struct brolga__ring *ring, uint64_t number)
{
    struct wide wide = {.number = number};

    brolga__ring_put(ring, &wide);
}

static uint64_t pop(struct brolga__ring *ring)
{
    struct wide wide = {0};

    brolga__ring_take(ring, &wide);
    return wide.number;
}

Test(ring, first_in_is_first_out_across_the_wrap)
{
    struct brolga__ring ring = ring_of(3, sizeof(struct wide), 8);
    uint64_t pushed = 0, popped = 0;

    for (int round = 0; round < 20; round++) {
        while (brolga__ring_count(&ring) < ring.slots)
            push(&ring, pushed++);
        for (size_t n = 0; n < 1 + (size_t)round % 3; n++)
            cr_assert_eq(pop(&ring), popped++);
    }
    cr_assert_gt(popped, 30);
    brolga__ring_free(&ring);
}

Test(ring, growing_keeps_the_order_wherever_the_head_is)
{
    for (size_t head = 0; head < 16; head++) {
        struct brolga__ring ring = ring_of(0, sizeof(struct wide), 8);

        cr_assert_eq(brolga__ring_grow(&ring), BROLGA_OK);
        for (size_t i = 0; i < head; i++) {
            push(&ring, 0);
            cr_assert_eq(pop(&ring), 0);
        }
        for (uint64_t i = 0; i < 40; i++) {
            if (brolga__ring_count(&ring) == ring.slots)
                cr_assert_eq(brolga__ring_grow(&ring), BROLGA_OK);
            push(&ring, i);
        }
        for (uint64_t i = 0; i < 40; i++)
            cr_assert_eq(pop(&ring), i);
        brolga__ring_free(&ring);
    }
}

Test(ring, growing_without_memory_changes_nothing)
{
    struct brolga__ring ring = ring_of(0, sizeof(struct wide), 8);

    cr_assert_eq(brolga__ring_grow(&ring), BROLGA_OK);
    push(&ring, 7);
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga__ring_grow(&ring), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(brolga__ring_count(&ring), 1);
    cr_assert_eq(pop(&ring), 7);
    brolga__ring_free(&ring);
}

Test(ring, slots_of_aligned_elements_are_aligned)
{
    struct brolga__ring ring = ring_of(4, 128, 64);

    cr_assert_eq((uintptr_t)ring.tail.at % 64, 0);
    brolga__ring_free(&ring);
}

Test(ring, a_size_that_no_memory_has_is_refused)
{
    struct brolga__ring ring;

    cr_assert_eq(brolga__ring_init(&ring, SIZE_MAX / 8, 24, 8), BROLGA_ENOMEM);
}

Test(ring, moving_takes_the_elements_along)
{
    struct brolga__ring from = ring_of(4, sizeof(struct wide), 8), to;

    for (uint64_t i = 0; i < 3; i++)
        push(&from, i);
    cr_assert_eq(pop(&from), 0);
    brolga__ring_move(&to, &from);
    cr_assert_eq(brolga__ring_count(&from), 0);
    cr_assert_null(from.tail.at);
    cr_assert_eq(from.slots, 0);
    cr_assert_eq(brolga__ring_count(&to), 2);
    cr_assert_eq(pop(&to), 1);
    push(&to, 3);
    cr_assert_eq(pop(&to), 2);
    cr_assert_eq(pop(&to), 3);
    brolga__ring_free(&to);
}
