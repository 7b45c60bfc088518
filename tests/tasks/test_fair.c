/*
 * Goal: on the only worker nobody keeps the others from running for longer
 * than a time slice, however he came to be there (C8).
 * Method: a task that never waits, of each kind; another one that can run only
 * if the first is taken off the worker.
 */
#include "tasks/world.h"

static void world_open_alone(void)
{
    world_open_with(&(struct brolga_opts){.workers = 1});
}

/* Another task runs while the hog does; `gate` is the hog's. */
static void gets_a_turn(struct gate *hog)
{
    struct gate other = {.open = 1};
    brolga_task *task;

    cr_assert(gate_reached(hog));
    task = spawned(gate_run, &other);
    cr_assert(gate_reached(&other));
    (void)joined(task);
}

/* A step of a loop: it goes on until the gate is open. */
static brolga_word gate_step(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    return brolga__load_acquire(&gate->open) ? BROLGA_DONE : BROLGA_OK;
}

Test(fair, c8_a_loop_that_never_waits_lets_others_run, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    static struct jit_unit code;
    struct gate gate = {0};
    struct jit_call call = {gate_step, &gate};
    brolga_slot slot = published_caller("f", &code, 0);
    brolga_task *hog;

    cr_assert_eq(brolga_spawn_loop(rt, slot, &call, NULL, &hog), BROLGA_OK);
    gets_a_turn(&gate);
    gate_open(&gate);
    cr_assert_eq(joined(hog), BROLGA_OK);
}

/* In foreign code first, then from safepoint to safepoint. */
struct comer {
    struct gate foreign, run;
};

static brolga_word come_back_and_run(void *arg)
{
    struct comer *comer = arg;

    (void)gate_block(&comer->foreign);
    return gate_run(&comer->run);
}

/* Who takes the time of the slices sleeps when all workers do. It says so
 * shortly before; the looks give it the time, lest the test be too easy. */
static bool nobody_watches(int *looks)
{
    if (brolga__load_seq_cst(&rt->reclaimer_rests) == BROLGA__RESTS_FOR_EVER)
        ++*looks;
    return *looks > 200;
}

Test(fair, c8_one_who_comes_from_foreign_code_lets_others_run, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    struct comer comer = {.foreign = {0}};
    brolga_task *hog = spawned(come_back_and_run, &comer);
    int looks = 0;

    cr_assert(gate_reached(&comer.foreign));
    cr_assert(wait_until(nobody_watches(&looks)));
    gate_open(&comer.foreign);
    gets_a_turn(&comer.run);
    gate_open(&comer.run);
    (void)joined(hog);
}

/* From child to child, each of which it runs itself in its join. */
static brolga_word nothing(void *arg)
{
    (void)arg;
    return 0;
}

static brolga_word spawn_and_join(void *arg)
{
    struct gate *gate = arg;
    brolga_word failed = 0;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0) {
        brolga_task *child;

        failed |= brolga_spawn(rt, nothing, NULL, NULL, &child) ||
                  brolga_join(child, BROLGA_FOREVER, NULL, NULL);
    }
    return failed;
}

Test(fair, c8_one_who_joins_what_he_spawns_lets_others_run, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *hog = spawned(spawn_and_join, &gate);

    gets_a_turn(&gate);
    gate_open(&gate);
    cr_assert_eq(joined(hog), 0);
}

/* Nor does the monitor come by to look for deadlocks. */
static void world_open_unwatched(void)
{
    world_open_with(
        &(struct brolga_opts){.workers = 1, .deadlocks = BROLGA_DEADLOCKS_OFF});
}

/* All workers' threads are in foreign code, and there is no memory for one more
 * when a task is to be run; later there is. */
Test(fair, a_thread_that_was_not_to_be_had_is_asked_for_again, .timeout = 60,
     .init = world_open_unwatched, .fini = world_close)
{
    struct gate foreign = {0}, other = {.open = 1};
    brolga_task *blocked = spawned(gate_block, &foreign), *task;
    int looks = 0;

    cr_assert(gate_reached(&foreign));
    cr_assert(wait_until(nobody_watches(&looks)));
    brolga__alloc_fail_nth(1);
    task = spawned(gate_run, &other);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(brolga__load_relaxed(&rt->refused), 1);
    cr_assert(gate_reached(&other));
    (void)joined(task);
    gate_open(&foreign);
    (void)joined(blocked);
}

/* --- without workers ---------------------------------------------------- */

static void world_open_driven(void)
{
    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
}

static brolga_word open_gate(void *arg)
{
    gate_open(arg);
    return 0;
}

Test(fair, c8_who_drives_gives_time_slices, .timeout = 60,
     .init = world_open_driven, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *hog = spawned(gate_run, &gate);
    brolga_task *other = spawned(open_gate, &gate);

    cr_assert_geq(brolga_drive(rt, BROLGA_FOREVER), 3);
    (void)joined(other);
    (void)joined(hog);
}

Test(fair, a_drive_ends_soon_after_its_deadline, .timeout = 60,
     .init = world_open_driven, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *hog = spawned(gate_run, &gate);
    uint64_t until_ns = brolga_after_ns(30 * BROLGA_MS);

    cr_assert_geq(brolga_drive(rt, until_ns), 1);
    cr_assert_geq(brolga_now_ns(), until_ns);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    cr_assert_geq(brolga_drive(rt, BROLGA_NOW), 1);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    gate_open(&gate);
    cr_assert_geq(brolga_drive(rt, BROLGA_FOREVER), 1);
    (void)joined(hog);
}
