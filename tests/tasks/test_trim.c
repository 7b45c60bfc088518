/*
 * Goal: what a deep call has touched of a stack goes back to the system when
 * its task has been parked for a while, or the stack is free; what the task
 * still uses stays; and who is at rest is left alone.
 * Method: tasks that recurse, park and recurse again; the system says which
 * pages of their stacks are resident.
 */
#define _DEFAULT_SOURCE /* mincore() */
#include "tasks/world.h"

#include "plat.h"
#include "stacks.h"

#include <stdlib.h>
#include <sys/mman.h>

#define FRAME_BYTES 1024
#define DEPTH       200 /* Of frames: 200 KiB. */

/* Touches as many frames; what they hold adds up to `depth` again. */
__attribute__((noinline)) static int go_down(int depth)
{
    volatile char bytes[FRAME_BYTES];
    int sum = 0;

    for (size_t i = 0; i < sizeof bytes; i += 64)
        bytes[i] = 1;
    if (depth > 1)
        sum = go_down(depth - 1);
    return sum + bytes[sizeof bytes - 64];
}

/* Pages of [low, high) that have memory. */
static size_t resident(uintptr_t low, uintptr_t high)
{
    size_t page = brolga__plat_page_bytes(), pages = (high - low) / page;
    unsigned char *in_core = malloc(pages);
    size_t count = 0;

    if (in_core == NULL || mincore((void *)low, high - low, in_core) != 0)
        abort();
    for (size_t i = 0; i < pages; i++)
        count += in_core[i] & 1;
    free(in_core);
    return count;
}

static size_t resident_of(brolga_task *task)
{
    return resident(task->stack.low, task->stack.high);
}

struct deep {
    struct gate gate;
    size_t before; /* Pages when it has come back. */
    int down, again;
    bool intact; /* What it has in its frame. */
};

static brolga_word go_down_and_park(void *arg)
{
    struct deep *deep = arg;
    volatile unsigned char mine[3 * 4096];

    for (size_t i = 0; i < sizeof mine; i++)
        mine[i] = (unsigned char)(i * 7);
    deep->down = go_down(DEPTH);
    deep->before = resident_of(brolga_self());
    (void)gate_park(&deep->gate);
    deep->intact = true;
    for (size_t i = 0; i < sizeof mine; i++)
        deep->intact &= mine[i] == (unsigned char)(i * 7);
    deep->again = go_down(DEPTH);
    return 0;
}

/* Frames are larger in some builds. */
static const struct brolga_spawn_opts large = {.stack_bytes = 1 << 20};

Test(trim, a_parked_task_keeps_what_it_uses, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static struct deep deep;
    size_t page = brolga__plat_page_bytes();
    brolga_task *task;

    memset(&deep, 0, sizeof deep);
    task = spawned_as(go_down_and_park, &deep, &large);
    cr_assert(gate_reached(&deep.gate));
    cr_assert_geq(deep.before, DEPTH * FRAME_BYTES / page);
    /* Its frame, and what lies above and below. */
    cr_assert(wait_until(resident_of(task) <= 3 * 4096 / page + 4));
    gate_open_for(&deep.gate, task);
    (void)joined(task);
    cr_assert(deep.intact);
    cr_assert_eq(deep.down, DEPTH);
    cr_assert_eq(deep.again, DEPTH);
}

static brolga_word park_twice(void *arg)
{
    struct gate *gate = arg;

    (void)go_down(DEPTH);
    (void)gate_park(&gate[0]);
    (void)go_down(DEPTH);
    return gate_park(&gate[1]);
}

Test(trim, each_park_is_seen_to, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static struct gate gate[2];
    brolga_task *task;

    memset(gate, 0, sizeof gate);
    task = spawned_as(park_twice, gate, &large);
    for (int i = 0; i < 2; i++) {
        cr_assert(gate_reached(&gate[i]));
        cr_assert(wait_until(resident_of(task) <= 2));
        gate_open_for(&gate[i], task);
    }
    (void)joined(task);
}

static uint64_t due(void)
{
    uint64_t due_ns;

    brolga__reclaim_pause(rt->got);
    due_ns = brolga__trim_due(rt, brolga_now_ns());
    brolga__reclaim_resume(rt->got);
    return due_ns;
}

Test(trim, who_is_at_rest_is_left_alone, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static struct gate gate;
    brolga_task *task;

    memset(&gate, 0, sizeof gate);
    task = spawned_as(gate_park, &gate, &large);
    cr_assert(gate_reached(&gate));
    cr_assert(wait_until(is_parked(task)));
    cr_assert_neq(due(), BROLGA_FOREVER);
    cr_assert(wait_until(due() == BROLGA_FOREVER));
    cr_assert(is_parked(task));
    gate_open_for(&gate, task);
    (void)joined(task);
}

/* --- free stacks -------------------------------------------------------- */

#define MANY 60

static struct gate many_gate;

static brolga_word go_down_at_once(void *arg)
{
    (void)arg;
    (void)go_down(DEPTH);
    return gate_park(&many_gate);
}

/* Free stacks are linked through their top words. */
static size_t resident_in_pool(void)
{
    size_t count = 0, page = brolga__plat_page_bytes();
    void **link;

    (void)pthread_mutex_lock(&rt->stacks.lock);
    link =
        (void *)rt->stacks.of[brolga__stack_class(large.stack_bytes)].trimmed;
    for (; link != NULL; link = *link) {
        uintptr_t high = (uintptr_t)(link + 1);

        count += resident(high - large.stack_bytes + page, high);
    }
    (void)pthread_mutex_unlock(&rt->stacks.lock);
    return count;
}

Test(trim, free_stacks_keep_their_top, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static brolga_task *task[MANY];
    size_t page = brolga__plat_page_bytes();

    memset(&many_gate, 0, sizeof many_gate);
    for (int i = 0; i < MANY; i++)
        task[i] = spawned_as(go_down_at_once, NULL, &large);
    cr_assert(wait_until(brolga__load_acquire(&many_gate.arrived) == MANY));
    for (int i = 0; i < MANY; i++)
        gate_open_for(&many_gate, task[i]);
    for (int i = 0; i < MANY; i++)
        (void)joined(task[i]);
    cr_assert(wait_until(!brolga__stacks_untrimmed(&rt->stacks)));
    cr_assert_gt(resident_in_pool(), 0);
    cr_assert_leq(resident_in_pool(), MANY * (8192 / page + 1));
    cr_assert(wait_until(stacks_in_use(rt, large.stack_bytes) == 0));
}
