/*
 * Goal: stacks are of the size asked for, do not overlap, are used again, and
 * trap when they overflow.
 * Method: take and put back, few and many; write to every end.
 */
#define _DEFAULT_SOURCE /* mincore() */
#include <criterion/criterion.h>

#include "alloc.h"
#include "base.h"
#include "plat.h"
#include "tasks/ctx.h"
#include "tasks/stack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Whether a byte may be written, as the system sees it. */
static bool is_writable(uintptr_t at)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    bool is = read(fd, (void *)at, 1) == 1;

    (void)close(fd);
    return is;
}

Test(stack, each_has_a_guard, .init = open_pool, .fini = close_pool)
{
    for (int i = 0; i < MANY; i++)
        many[i] = taken(i == 0 ? 32 << 20 : 256 << 10);
    for (int i = 0; i < MANY; i++) {
        cr_assert(is_writable(many[i].low));
        cr_assert(is_writable(many[i].high - 1));
        cr_assert_not(is_writable(many[i].low - 1));
    }
}

/* Pages of all stacks that have been taken into `many`. */
static size_t resident(void)
{
    static unsigned char in_core[64];
    size_t page = brolga__plat_page_bytes(), count = 0;

    for (int i = 0; i < MANY; i++) {
        size_t bytes = many[i].high - many[i].low;

        cr_assert_leq(bytes / page, sizeof in_core);
        cr_assert_eq(mincore((void *)many[i].low, bytes, in_core), 0);
        for (size_t j = 0; j < bytes / page; j++)
            count += in_core[j] & 1;
    }
    return count;
}

#define WARM 1024

Test(stack, free_ones_keep_little_memory, .init = open_pool, .fini = close_pool)
{
    size_t page = brolga__plat_page_bytes();

    for (int i = 0; i < MANY; i++) {
        many[i] = taken(64 << 10);
        memset((void *)many[i].low, 1, many[i].high - many[i].low);
    }
    for (int i = 0; i < MANY; i++)
        brolga__stack_put(&pool, &many[i]);
    cr_assert_leq(resident() * page, (size_t)(WARM + 64) << 16);
    brolga__stacks_trim(&pool, 1);
    cr_assert(brolga__stacks_untrimmed(&pool));
    brolga__stacks_trim(&pool, MANY);
    cr_assert_not(brolga__stacks_untrimmed(&pool));
    cr_assert_leq(resident() * page, (WARM + 64) * 8192);
    cr_assert_geq(resident(), WARM);
    /* They are used again. */
    for (int i = 0; i < MANY; i++)
        many[i] = taken(64 << 10);
    qsort(many, MANY, sizeof many[0], by_address);
    for (int i = 1; i < MANY; i++)
        cr_assert_leq(many[i - 1].high, many[i].low);
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
