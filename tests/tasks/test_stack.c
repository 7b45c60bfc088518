/*
 * Goal: stacks are of the size asked for, do not overlap, are used again, and
 * trap when they overflow.
 * Method: take and put back, few and many; write to every end.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "base.h"
#include "plat.h"
#include "tasks/ctx.h"
#include "tasks/stack.h"

#if !defined(CRITERION_STAND_IN) && !defined(BROLGA__ASAN)
#include <signal.h>
#endif

static struct brolga__stacks_pool pool;

static void open_pool(void)
{
    memset(&pool, 0, sizeof pool);
    brolga__stacks_init(&pool);
}

static void close_pool(void)
{
    brolga__stacks_fini(&pool);
}

static struct brolga__stack taken(size_t bytes)
{
    struct brolga__stack stack;

    cr_assert_eq(brolga__stack_take(&pool, bytes, &stack), BROLGA_OK);
    return stack;
}

Test(stack, with_its_guard_it_has_the_size, .init = open_pool,
     .fini = close_pool)
{
    size_t page = brolga__plat_page_bytes();

    for (size_t bytes = 1; bytes <= (size_t)8 << 20; bytes = bytes * 3 + 1) {
        struct brolga__stack stack = taken(bytes);
        volatile char *low = (volatile char *)stack.low;

        cr_assert_geq(stack.high - stack.low + page, bytes);
        cr_assert_geq(stack.high - stack.low, 12 << 10);
        cr_assert_eq(stack.high % 16, 0);
        low[0] = 1;
        ((volatile char *)stack.high)[-1] = 1;
        brolga__stack_put(&pool, &stack);
    }
}

Test(stack, too_large_ones_are_refused, .init = open_pool, .fini = close_pool)
{
    struct brolga__stack stack = {.low = 5};

    cr_assert_eq(brolga__stack_take(&pool, BROLGA__STACK_SIZE_MAX + 1, &stack),
                 BROLGA_ELIMIT);
    cr_assert_eq(stack.low, 5);
}

Test(stack, the_last_one_is_used_first, .init = open_pool, .fini = close_pool)
{
    struct brolga__stack a = taken(16 << 10), b = taken(16 << 10), c;

    cr_assert_neq(a.high, b.high);
    brolga__stack_put(&pool, &a);
    brolga__stack_put(&pool, &b);
    c = taken(16 << 10);
    cr_assert_eq(c.high, b.high);
    /* Another size is another stack. */
    c = taken(64 << 10);
    cr_assert_neq(c.high, a.high);
}

#define MANY 2500

static struct brolga__stack many[MANY];

static int by_address(const void *a, const void *b)
{
    uintptr_t x = ((const struct brolga__stack *)a)->low;
    uintptr_t y = ((const struct brolga__stack *)b)->low;

    return x < y ? -1 : x > y;
}

static void take_many(void)
{
    for (int i = 0; i < MANY; i++) {
        many[i] = taken(i % 3 == 0 ? 16 << 10 : 256 << 10);
        *(volatile int *)(many[i].high - 64) = i + 1;
        *(volatile int *)many[i].low = i + 1;
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(*(volatile int *)(many[i].high - 64), i + 1);
    qsort(many, MANY, sizeof many[0], by_address);
    for (int i = 1; i < MANY; i++)
        cr_assert_leq(many[i - 1].high, many[i].low);
}

Test(stack, many_do_not_overlap_and_come_again, .init = open_pool,
     .fini = close_pool)
{
    size_t chunks;

    take_many();
    for (int i = 0; i < MANY; i++)
        brolga__stack_put(&pool, &many[i]);
    chunks = 0;
    for (int round = 0; round < 3; round++) {
        int64_t blocks = brolga__alloc_live();

        take_many();
        for (int i = 0; i < MANY; i++)
            brolga__stack_put(&pool, &many[i]);
        chunks += (size_t)(brolga__alloc_live() - blocks);
    }
    cr_assert_eq(chunks, 0); /* No more address space was needed. */
}

Test(stack, want_of_memory_is_reported, .init = open_pool, .fini = close_pool)
{
    struct brolga__stack stack;

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga__stack_take(&pool, 4096, &stack), BROLGA_ENOMEM);
    stack = taken(4096);
    brolga__stack_put(&pool, &stack);
}

Test(stack, the_pool_leaves_no_memory_behind)
{
    int64_t before = brolga__alloc_live();

    open_pool();
    take_many();
    for (int i = 0; i < MANY; i++)
        brolga__stack_put(&pool, &many[i]);
    close_pool();
    cr_assert_eq(brolga__alloc_live(), before);
}

#if !defined(CRITERION_STAND_IN) && !defined(BROLGA__ASAN)
Test(stack, an_overflow_traps, .signal = SIGSEGV)
{
    struct brolga__stack stack;

    open_pool();
    stack = taken(16 << 10);
    *(volatile char *)stack.low = 1;
    *(volatile char *)(stack.low - 1) = 1;
}
#endif
