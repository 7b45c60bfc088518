/*
 * Goal: a switch goes to the other stack and comes back with everything that
 * the code before it had; a spill shows the callers' registers.
 * Method: two contexts that hand a number to and fro, with enough live values
 * that some stay in registers.
 */
#include <criterion/criterion.h>

#include "tasks/ctx.h"
#include "tasks/stack.h"

#include <string.h>

static struct brolga__stacks_pool pool;
static struct brolga__stack space;
static struct brolga__ctx outer, inner;
static uint64_t ball;
static uintptr_t inner_frame;
static void *inner_arg;

static void open_contexts(void)
{
    memset(&pool, 0, sizeof pool);
    brolga__stacks_init(&pool);
    cr_assert_eq(brolga__stack_take(&pool, 64 << 10, &space), 0);
    brolga__ctx_init_thread(&outer);
}

static void close_contexts(void)
{
    brolga__ctx_fini(&inner);
    brolga__stack_put(&pool, &space);
    brolga__stacks_fini(&pool);
}

/* Eight values that depend on each other, with a switch in between. */
__attribute__((noinline)) static uint64_t
mix(uint64_t seed, struct brolga__ctx *from, struct brolga__ctx *to, int rounds)
{
    uint64_t a = seed, b = seed * 3, c = seed ^ 5, d = seed + 7;
    uint64_t e = seed * 11, f = seed - 13, g = seed * 17, h = seed ^ 19;

    for (int i = 0; i < rounds; i++) {
        a += b, b ^= c, c += d, d ^= e, e += f, f ^= g, g += h, h ^= a;
        if (from != NULL)
            brolga__ctx_switch(from, to, false);
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}

static void play(void *arg, struct brolga__passed passed)
{
    (void)passed;
    brolga__ctx_entered(&inner);
    inner_arg = arg;
    inner_frame = (uintptr_t)__builtin_frame_address(0);
    ball = mix(99, &inner, &outer, 50);
    brolga__ctx_switch(&inner, &outer, true);
}
Test(ctx, a_switch_keeps_what_both_sides_had, .init = open_contexts,
     .fini = close_contexts)
{
    uint64_t mine;

    ball = 0;
    brolga__ctx_init(&inner, space.low, space.high, play, &ball);
    mine = mix(1, &outer, &inner, 50);
    cr_assert_eq(ball, 0); /* It is in its last round. */
    brolga__ctx_switch(&outer, &inner, false);
    cr_assert_eq(mine, mix(1, NULL, NULL, 50));
    cr_assert_eq(ball, mix(99, NULL, NULL, 50));
}

Test(ctx, one_begins_anew_below_what_it_is_told, .init = open_contexts,
     .fini = close_contexts)
{
    uintptr_t high = space.high - 4096;

    brolga__ctx_init(&inner, space.low, space.high, play, &ball);
    brolga__ctx_switch(&outer, &inner, false);
    memset((void *)high, 0x5a, space.high - high);
    brolga__ctx_aim(&inner, high, play, &outer);
    brolga__ctx_switch(&outer, &inner, false);
    cr_assert_eq(inner_arg, &outer);
    cr_assert_lt(inner_frame, high);
    cr_assert_gt(inner_frame, high - 1024);
    for (const char *at = (char *)high; at < (char *)space.high; at++)
        cr_assert_eq(*at, 0x5a);
}

Test(ctx, the_entry_runs_on_its_stack_with_its_argument, .init = open_contexts,
     .fini = close_contexts)
{
    brolga__ctx_init(&inner, space.low, space.high, play, &space);
    brolga__ctx_switch(&outer, &inner, false);
    cr_assert_eq(inner_arg, &space);
    cr_assert_gt(inner_frame, space.low);
    cr_assert_lt(inner_frame, space.high);
    cr_assert_gt(inner.sp, space.low);
    cr_assert_lt(inner.sp, inner_frame);
}

/* Floating-point state of our own survives, too. */
static void add_up(void *arg, struct brolga__passed passed)
{
    double sum = 0;

    (void)passed;
    brolga__ctx_entered(&inner);
    for (int i = 0; i < 100; i++) {
        sum += 0.5;
        brolga__ctx_switch(&inner, &outer, false);
    }
    *(double *)arg = sum;
    brolga__ctx_switch(&inner, &outer, true);
}

Test(ctx, sums_in_floating_point_survive, .init = open_contexts,
     .fini = close_contexts)
{
    double theirs = 0, mine = 0;

    brolga__ctx_init(&inner, space.low, space.high, add_up, &theirs);
    for (int i = 0; i < 101; i++) {
        mine += 0.25;
        brolga__ctx_switch(&outer, &inner, false);
    }
    cr_assert(theirs > 49.9 && theirs < 50.1);
    cr_assert(mine > 25.2 && mine < 25.3);
}

#define MARK UINT64_C(0x6d61726b6d61726b)

static int marks;

__attribute__((no_sanitize("address", "thread"))) static void
find_mark(void *arg, uintptr_t sp)
{
    const struct brolga__ctx *ctx = arg;

    for (const uintptr_t *word = (const uintptr_t *)sp;
         (uintptr_t)word < ctx->high && marks == 0; word++)
        marks += *word == MARK;
}

Test(ctx, a_spill_shows_what_the_caller_holds)
{
    volatile uint64_t half = UINT64_C(0x6d61726b);
    uint64_t mark = half << 32 | half;
    struct brolga__ctx self;

    brolga__ctx_init_thread(&self);
    marks = 0;
    brolga__ctx_spill(find_mark, &self);
    cr_assert_eq(marks, 1);
    cr_assert_eq(mark, MARK); /* Live until here. */
}

Test(ctx, a_threads_context_has_its_bounds)
{
    struct brolga__ctx self;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    brolga__ctx_init_thread(&self);
    cr_assert_lt(self.low, here);
    cr_assert_gt(self.high, here);
}
