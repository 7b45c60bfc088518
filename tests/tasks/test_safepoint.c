/*
 * Goal: a task's view moves at its safepoints and nowhere else (C2), to a
 * version at least as new as that of whoever spawned or woke it (C3).
 * Method: a task calls one function through its view at chosen points, and
 * the test commits in between.
 */
#include "tasks/world.h"

static struct jit_unit codes[8];

struct reader {
    _Atomic int stage;
    brolga_slot slot;
    brolga_word read[4];
    bool stale;
};

static void reach(struct reader *reader, int stage)
{
    brolga__store_release(&reader->stage, stage);
}

/* Without a safepoint. */
static void stay_until(struct reader *reader, int stage)
{
    while (brolga__load_acquire(&reader->stage) != stage)
        (void)sched_yield();
}

static brolga_word read_around_a_commit(void *arg)
{
    struct reader *reader = arg;

    reader->read[0] = call_slot_here(reader->slot, NULL);
    reach(reader, 1);
    stay_until(reader, 2);
    reader->read[1] = call_slot_here(reader->slot, NULL);
    reader->stale = brolga_view_stale(brolga_view_self());
    brolga_safepoint();
    reader->read[2] = call_slot_here(reader->slot, NULL);
    return 0;
}

static void read_in(const struct brolga_spawn_opts *opts)
{
    struct reader reader = {.stage = 0};
    brolga_task *task;

    reader.slot = published_constant("f", &codes[0], 1);
    task = spawned_as(read_around_a_commit, &reader, opts);
    cr_assert(wait_until(brolga__load_acquire(&reader.stage) == 1));
    (void)published_constant("f", &codes[1], 2);
    (void)published_constant("f", &codes[2], 3);
    reach(&reader, 2);
    (void)joined(task);
    cr_assert_eq(reader.read[0], 1);
    cr_assert_eq(reader.read[1], 1);
    cr_assert(reader.stale);
    cr_assert_eq(reader.read[2], 3);
}

Test(safepoint, c2_view_is_stable_between_safepoints, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    read_in(NULL);
}

Test(safepoint, c2_view_of_a_thread_is_stable_between_safepoints, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    read_in(&(struct brolga_spawn_opts){.thread = true});
}

/* --- every call that is a safepoint ------------------------------------- */

static brolga_word idle(void *arg)
{
    return (brolga_word)(intptr_t)arg;
}

static void do_yield(void)
{
    brolga_yield();
}

static void do_sleep(void)
{
    (void)brolga_sleep_until(brolga_after_ns(BROLGA_US));
}

static void do_sleep_not_at_all(void)
{
    (void)brolga_sleep_until(BROLGA_NOW);
}

static void do_join(void)
{
    brolga_task *task;

    if (brolga_spawn(brolga_runtime(), idle, NULL, NULL, &task) == BROLGA_OK)
        (void)brolga_join(task, BROLGA_FOREVER, NULL, NULL);
}

static void do_block(void)
{
    brolga_block_begin();
    brolga_block_end();
}

struct pass {
    struct reader reader;
    void (*safepoint)(void);
};

static brolga_word read_around_a_call(void *arg)
{
    struct pass *pass = arg;
    struct reader *reader = &pass->reader;

    reader->read[0] = call_slot_here(reader->slot, NULL);
    reach(reader, 1);
    stay_until(reader, 2);
    reader->read[1] = call_slot_here(reader->slot, NULL);
    pass->safepoint();
    reader->read[2] = call_slot_here(reader->slot, NULL);
    return 0;
}

static void pass_through(void (*safepoint)(void), bool thread)
{
    struct brolga_spawn_opts opts = {.thread = thread};
    struct pass pass = {.safepoint = safepoint};
    brolga_task *task;

    pass.reader.slot = published_constant("f", &codes[0], 1);
    task = spawned_as(read_around_a_call, &pass, &opts);
    cr_assert(wait_until(brolga__load_acquire(&pass.reader.stage) == 1));
    (void)published_constant("f", &codes[1], 2);
    reach(&pass.reader, 2);
    (void)joined(task);
    cr_assert_eq(pass.reader.read[0], 1);
    cr_assert_eq(pass.reader.read[1], 1);
    cr_assert_eq(pass.reader.read[2], 2);
    cr_assert(released(&codes[0]));
}

Test(safepoint, every_call_that_can_park_is_one, .timeout = 60)
{
    static void (*const calls[])(void) = {
        do_yield, do_sleep, do_sleep_not_at_all, do_join, do_block};

    for (size_t i = 0; i < brolga__lengthof(calls); i++)
        for (int thread = 0; thread < 2; thread++) {
            world_open();
            pass_through(calls[i], thread != 0);
            world_close();
        }
}

/* --- C3 ----------------------------------------------------------------- */

struct pair {
    struct gate gate;
    brolga_slot slot;
    brolga_word read_by_child, read_by_woken;
    brolga_task *sleeper;
};

static brolga_word read_once(void *arg)
{
    struct pair *pair = arg;

    pair->read_by_child = call_slot_here(pair->slot, NULL);
    return 0;
}

static brolga_word park_and_read(void *arg)
{
    struct pair *pair = arg;

    (void)gate_park(&pair->gate);
    pair->read_by_woken = call_slot_here(pair->slot, NULL);
    return 0;
}

/* Its own view is the newest; then it spawns one and wakes another. */
static brolga_word spawn_and_wake(void *arg)
{
    struct pair *pair = arg;
    brolga_word mine;
    brolga_task *child;

    brolga_safepoint();
    mine = call_slot_here(pair->slot, NULL);
    gate_open_for(&pair->gate, pair->sleeper);
    if (brolga_spawn(brolga_runtime(), read_once, pair, NULL, &child) !=
        BROLGA_OK)
        return -1;
    (void)brolga_join(child, BROLGA_FOREVER, NULL, NULL);
    return mine;
}

Test(safepoint, c3_one_who_is_spawned_or_woken_sees_what_the_waker_saw,
     .timeout = 30, .init = world_open, .fini = world_close)
{
    struct pair pair = {.gate = {0}};

    pair.slot = published_constant("f", &codes[0], 1);
    for (int i = 1; i < 6; i++) {
        pair.gate = (struct gate){0};
        pair.sleeper = spawned(park_and_read, &pair);
        cr_assert(wait_until(is_parked(pair.sleeper)));
        (void)published_constant("f", &codes[i], 1 + i);
        cr_assert_eq(joined(spawned(spawn_and_wake, &pair)), 1 + i);
        (void)joined(pair.sleeper);
        cr_assert_eq(pair.read_by_child, 1 + i);
        cr_assert_eq(pair.read_by_woken, 1 + i);
    }
}

/* --- adopting at top only ----------------------------------------------- */

static brolga_word read_across_inner_safepoints(void *arg)
{
    struct reader *reader = arg;

    reader->read[0] = call_slot_here(reader->slot, NULL);
    reach(reader, 1);
    stay_until(reader, 2);
    brolga_safepoint();
    brolga_yield();
    (void)brolga_sleep_until(brolga_after_ns(BROLGA_US));
    brolga_block_begin();
    brolga_block_end();
    reader->read[1] = call_slot_here(reader->slot, NULL);
    brolga__top_safepoint();
    reader->read[2] = call_slot_here(reader->slot, NULL);
    return 0;
}

Test(safepoint, c2_one_who_adopts_at_top_stays_between_top_safepoints,
     .timeout = 30, .init = world_open, .fini = world_close)
{
    struct reader reader = {.stage = 0};
    brolga_task *task;

    reader.slot = published_constant("f", &codes[0], 1);
    task = spawned_as(read_across_inner_safepoints, &reader,
                      &(struct brolga_spawn_opts){.adopt_at_top = true});
    cr_assert(wait_until(brolga__load_acquire(&reader.stage) == 1));
    (void)published_constant("f", &codes[1], 2);
    reach(&reader, 2);
    (void)joined(task);
    cr_assert_eq(reader.read[0], 1);
    cr_assert_eq(reader.read[1], 1);
    cr_assert_eq(reader.read[2], 2);
    cr_assert(released(&codes[0]));
}

/* --- cost --------------------------------------------------------------- */

static brolga_word poll_idle(void *arg)
{
    (void)arg;
    brolga_safepoint();
    return brolga_view_stale(brolga_view_self());
}

Test(safepoint, after_one_there_is_nothing_to_do, .timeout = 30)
{
    /* No reclaimer that begins rounds by itself. */
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    task = spawned(poll_idle, NULL);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(task), 0);
    world_close();
}
