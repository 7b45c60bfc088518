/*
 * Goal: a runtime starts whole or not at all, ends without a trace, is not
 * ended under its tasks, and tells what its reclaimer did.
 * Method: lives of runtimes, with allocations counted and failing in turn.
 */
#include "tasks/world.h"

Test(runtime, leaves_no_memory_behind, .timeout = 60)
{
    static const uint32_t workers[] = {0, 1, 2, 5, BROLGA_NO_WORKERS};
    int64_t before = brolga__alloc_live();

    for (size_t i = 0; i < brolga__lengthof(workers); i++) {
        struct gate gate = {.open = 1};
        brolga_task *task;

        world_open_with(&(struct brolga_opts){.workers = workers[i]});
        task = spawned(gate_park, &gate);
        if (workers[i] == BROLGA_NO_WORKERS)
            (void)brolga_drive(rt, BROLGA_FOREVER);
        (void)joined(task);
        world_close();
        cr_assert_eq(brolga__alloc_live(), before);
    }
}

Test(runtime, default_options_will_do, .timeout = 30)
{
    world_open_with(NULL);
    cr_assert_not_null(brolga_runtime_got(rt));
    cr_assert_eq(brolga_got_version(brolga_runtime_got(rt)), 1);
    cr_assert_eq(brolga_tasks_live(rt), 0);
    world_close();
}

Test(runtime, want_of_memory_creates_nothing, .timeout = 60)
{
    struct brolga_opts opts = {.workers = 2};
    int64_t before = brolga__alloc_live();
    int err = BROLGA_ENOMEM;
    uint64_t n = 0;

    while (err != BROLGA_OK) {
        brolga *fresh = NULL;

        cr_assert_lt(n, 60);
        brolga__alloc_fail_nth(++n);
        err = brolga_create(&opts, &fresh);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK) {
            cr_assert_eq(brolga_destroy(fresh), BROLGA_OK);
            break;
        }
        cr_assert(err == BROLGA_ENOMEM || err == BROLGA_ELIMIT);
        cr_assert_null(fresh);
        cr_assert_eq(brolga__alloc_live(), before, "request %d\n", (int)n);
    }
    cr_assert_gt(n, 8);
    cr_assert_eq(brolga__alloc_live(), before);
}

Test(runtime, is_not_destroyed_under_its_tasks, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert_eq(brolga_destroy(rt), BROLGA_EBUSY);
    cr_assert(wait_until(is_parked(task)));
    cr_assert_eq(brolga_destroy(rt), BROLGA_EBUSY);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    gate_open_for(&gate, task);
    (void)joined(task);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

static void *drive(void *arg)
{
    (void)brolga_drive(arg, BROLGA_FOREVER);
    return NULL;
}

/* The last task's end is heard before the thread that ran it is out. */
Test(runtime, its_end_waits_for_threads_that_drive, .timeout = 60)
{
    for (int i = 0; i < 100; i++) {
        struct gate gate = {0};
        brolga_task *task;
        pthread_t driver;

        world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
        task = spawned(gate_spin, &gate);
        cr_assert_eq(pthread_create(&driver, NULL, drive, rt), 0);
        cr_assert(gate_reached(&gate));
        cr_assert_eq(brolga__load_relaxed(&rt->threads), 1);
        gate_open(&gate);
        (void)joined(task);
        world_close();
        cr_assert_eq(pthread_join(driver, NULL), 0);
    }
}

struct passer_by {
    struct gate gate;
    int err;
};

static void *come_and_go(void *arg)
{
    struct passer_by *passer_by = arg;

    passer_by->err = brolga_attach_thread(rt, "passer-by");
    (void)gate_spin(&passer_by->gate);
    if (passer_by->err == BROLGA_OK)
        brolga_detach_thread();
    return NULL;
}

Test(runtime, its_end_waits_for_threads_that_detach, .timeout = 60)
{
    for (int i = 0; i < 200; i++) {
        struct passer_by passer_by = {.gate = {0}};
        pthread_t thread;

        world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
        cr_assert_eq(pthread_create(&thread, NULL, come_and_go, &passer_by), 0);
        cr_assert(gate_reached(&passer_by.gate));
        cr_assert_eq(passer_by.err, BROLGA_OK);
        cr_assert_eq(brolga__load_relaxed(&rt->threads), 1);
        gate_open(&passer_by.gate);
        world_close();
        cr_assert_eq(pthread_join(thread, NULL), 0);
    }
}

Test(runtime, several_live_side_by_side, .timeout = 30)
{
    struct gate gate = {.open = 1};
    brolga *one, *two;
    brolga_task *a, *b;

    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = 1}, &one),
                 BROLGA_OK);
    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = 1}, &two),
                 BROLGA_OK);
    cr_assert_eq(brolga_spawn(one, gate_park, &gate, NULL, &a), BROLGA_OK);
    cr_assert_eq(brolga_spawn(two, gate_park, &gate, NULL, &b), BROLGA_OK);
    (void)joined(a);
    cr_assert_eq(brolga_destroy(one), BROLGA_OK);
    (void)joined(b);
    cr_assert_eq(brolga_destroy(two), BROLGA_OK);
}

Test(runtime, its_end_releases_kept_and_live_units, .timeout = 30)
{
    static struct jit_unit codes[3];

    world_open();
    cr_assert(jit_make_constant(&codes[0], 1));
    (void)published("f", &codes[0], BROLGA_KEEP, NULL);
    (void)published_constant("f", &codes[1], 2);
    (void)published_constant("g", &codes[2], 3);
    cr_assert(wait_until(stats().versions_live == 1));
    cr_assert(stays(&codes[0]));
    cr_assert_eq(stats().units_kept, 1);
    world_close();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(jit_releases(&codes[i]), 1);
}

/* --- events ------------------------------------------------------------- */

static _Atomic uint64_t adopted;
static _Atomic int released_f;

static void on_event(void *arg, const struct brolga_event *event)
{
    if (arg != (void *)&adopted)
        return;
    if (event->kind == BROLGA_EVENT_ADOPTED && event->unit == NULL)
        brolga__store_relaxed(&adopted, event->version);
    if (event->kind == BROLGA_EVENT_RELEASED && event->version == 2 &&
        strcmp(event->unit, "f") == 0)
        (void)brolga__add_relaxed(&released_f, 1);
}

static void open_with_events(void)
{
    brolga__store_relaxed(&adopted, 0); /* Another test may have been here. */
    brolga__store_relaxed(&released_f, 0);
    world_open_with(&(struct brolga_opts){
        .workers = 2, .on_event = on_event, .arg = (void *)&adopted});
}

Test(runtime, c6_adoption_and_release_are_told, .timeout = 30,
     .init = open_with_events, .fini = world_close)
{
    static struct jit_unit codes[2];

    (void)published_constant("f", &codes[0], 1);
    cr_assert(wait_until(brolga__load_relaxed(&adopted) == 2));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(released(&codes[0]));
    cr_assert_eq(brolga__load_relaxed(&adopted), 3);
    /* It is told after the unit has been let go. */
    cr_assert(wait_until(brolga__load_relaxed(&released_f) == 1));
}

Test(runtime, adoption_is_not_told_while_a_task_lags, .timeout = 30,
     .init = open_with_events, .fini = world_close)
{
    static struct jit_unit codes[1];
    struct gate gate = {0};
    brolga_task *task = spawned(gate_spin, &gate);

    cr_assert(gate_reached(&gate));
    (void)published_constant("f", &codes[0], 1);
    for (int i = 0; i < 50; i++)
        (void)brolga_reclaim_step(rt);
    cr_assert_eq(brolga__load_relaxed(&adopted), 0);
    gate_open(&gate);
    (void)joined(task);
    cr_assert(wait_until(brolga__load_relaxed(&adopted) == 2));
}

/* --- without its thread ------------------------------------------------- */

Test(runtime, without_workers_the_host_takes_the_reclaimers_steps,
     .timeout = 30)
{
    static struct jit_unit codes[2];

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    cr_assert_not(brolga_reclaim_step(rt));
    (void)published_constant("f", &codes[0], 1);
    (void)published_constant("f", &codes[1], 2);
    cr_assert_eq(jit_releases(&codes[0]), 0);
    for (int i = 0; i < 20 && brolga_reclaim_step(rt); i++)
        continue;
    cr_assert_eq(jit_releases(&codes[0]), 1);
    cr_assert_not(brolga_reclaim_step(rt));
    world_close();
}

/* --- options ------------------------------------------------------------ */

Test(runtime, the_gots_options_are_passed_on, .timeout = 30)
{
    static struct jit_unit codes[2];
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_txn *txn;

    world_open_with(
        &(struct brolga_opts){.workers = 1, .got = {.slots_max = 1}});
    (void)published_constant("f", &codes[0], 1);
    cr_assert(jit_make_constant(&codes[1], 2));
    opts = jit_opts(&codes[1], "g", BROLGA_RECLAIM);
    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "g", FN, codes[1].text, NULL),
        BROLGA_ELIMIT);
    brolga_txn_abort(txn);
    world_close();
}

/* Touches more than the smallest stack has. */
static brolga_word use_much(void *arg)
{
    volatile char bytes[100000];

    for (size_t i = 0; i < sizeof bytes; i += 1000)
        bytes[i] = (char)(intptr_t)arg;
    return bytes[99000];
}

Test(runtime, stacks_have_the_size_asked_for, .timeout = 30)
{
    struct brolga_spawn_opts large = {.stack_bytes = 1 << 20};

    world_open_with(
        &(struct brolga_opts){.workers = 1, .stack_bytes = 16 << 10});
    cr_assert_eq(joined(spawned_as(use_much, (void *)5, &large)), 5);
    world_close();
    world_open();
    cr_assert_eq(joined(spawned(use_much, (void *)6)), 6);
    world_close();
}

/* --- counting ----------------------------------------------------------- */

static brolga_word note_run(void *arg)
{
    (void)brolga__add_release((_Atomic int *)arg, 1);
    return 0;
}

#define WORKERS 4

/* One on each worker; that on the first goes on. Its children run on others,
 * so that they are counted there when they end, and here when they are spawned:
 * who adds up sees the end before the beginning if he is not careful. */
static brolga_word spawn_for_others(void *arg)
{
    struct gate *gate = arg;
    int failed = 0;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->arrived) < WORKERS)
        (void)sched_yield();
    if (brolga__worker_self(rt)->number != 0)
        return 0;
    while (brolga__load_acquire(&gate->open) == 0) {
        _Atomic int run = 0;

        failed |=
            brolga_spawn(rt, note_run, (void *)&run, NULL, NULL) != BROLGA_OK;
        while (!failed && brolga__load_acquire(&run) == 0)
            (void)sched_yield();
    }
    return failed;
}

Test(runtime, it_never_seems_empty_while_a_task_lives, .timeout = 60)
{
    struct gate gate = {0};
    brolga_task *tasks[WORKERS];
    uint32_t least = 1;
    uint64_t end_ns;

    world_open_with(&(struct brolga_opts){.workers = WORKERS});
    for (int i = 0; i < WORKERS; i++)
        tasks[i] = spawned(spawn_for_others, &gate);
    end_ns = brolga_after_ns(BROLGA_S);
    while (least > 0 && brolga_now_ns() < end_ns)
        for (int i = 0; least > 0 && i < 1000; i++)
            least = brolga_tasks_live(rt) < least ? 0 : least;
    gate_open(&gate);
    for (int i = 0; i < WORKERS; i++)
        cr_assert_eq(joined(tasks[i]), 0);
    cr_assert_eq(least, 1);
    world_close();
}
