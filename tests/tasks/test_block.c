/*
 * Goal: a task in foreign code leaves its worker to the others, and comes
 * back to one.
 * Method: more blocked tasks than workers, each let go by a task that can run
 * only if the worker was left.
 */
#include "tasks/world.h"

#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

Test(block, others_run_meanwhile_on_the_only_worker, .timeout = 60)
{
    struct gate gate = {0};
    brolga_task *blocked;

    world_open_with(&(struct brolga_opts){.workers = 1});
    blocked = spawned(gate_block, &gate);
    cr_assert(gate_reached(&gate));
    cr_assert_str_eq(brolga__load_relaxed(&blocked->parked_in), "foreign code");
    for (int i = 0; i < 20; i++) {
        struct gate other = {.open = 1};

        (void)joined(spawned(gate_park, &other));
    }
    gate_open(&gate);
    (void)joined(blocked);
    world_close();
}

/* One who looked at the slot before, and has not gone to sleep yet: the waker
 * relies on it. What it does last is to look at the queues. */
struct handed {
    struct gate gate;
    brolga_task *task;
    bool visible; /* In the queue, and not in the slot. */
};

static brolga_word hand_over_and_block(void *arg)
{
    struct handed *handed = arg;
    struct brolga__worker *worker = &rt->workers[0];

    (void)brolga__add_seq_cst(&rt->searching, 1);
    brolga__unpark(handed->task);
    brolga_block_begin();
    handed->visible = !brolga__runq_empty(&worker->queue) &&
                      brolga__load_relaxed(&worker->next) == NULL;
    (void)brolga__sub_seq_cst(&rt->searching, 1);
    brolga__wake_one(rt);
    (void)gate_spin(&handed->gate);
    brolga_block_end();
    return handed->visible;
}

Test(block, a_task_in_the_slot_is_left_where_sleepers_look, .timeout = 60)
{
    struct gate gate = {0};
    struct handed handed = {.gate = {0}};
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = 1});
    handed.task = spawned(gate_park, &gate);
    cr_assert(gate_reached(&gate));
    cr_assert(wait_until(is_parked(handed.task)));
    gate_open(&gate);
    task = spawned(hand_over_and_block, &handed);
    (void)joined(handed.task);
    gate_open(&handed.gate);
    cr_assert(joined(task));
    world_close();
}

#define BLOCKED 6

static brolga_word block_many(void *arg)
{
    for (int i = 0; i < 20; i++) {
        brolga_block_begin();
        (void)sched_yield();
        brolga_block_end();
        brolga_yield();
    }
    return gate_block(arg);
}

Test(block, more_may_block_than_there_are_workers, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *tasks[BLOCKED];

    for (int i = 0; i < BLOCKED; i++)
        tasks[i] = spawned(block_many, &gate);
    cr_assert(wait_until(brolga__load_acquire(&gate.arrived) == BLOCKED));
    gate_open(&gate);
    for (int i = 0; i < BLOCKED; i++)
        (void)joined(tasks[i]);
}

/* Values of the frame that outlive the way to another thread. */
static brolga_word sum_across(void *arg)
{
    struct gate *gate = arg;
    brolga_word sum = 0;

    for (int i = 0; i < 200; i++) {
        brolga_block_begin();
        (void)brolga__add_release(&gate->arrived, 1);
        brolga_block_end();
        sum += i;
        if (brolga_self() == NULL)
            return -1;
    }
    return sum;
}

Test(block, the_frame_survives_a_change_of_thread, .timeout = 60)
{
    struct gate gate = {0};
    brolga_task *tasks[4];

    world_open_with(&(struct brolga_opts){.workers = 1});
    for (int i = 0; i < 4; i++)
        tasks[i] = spawned(sum_across, &gate);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(joined(tasks[i]), 199 * 200 / 2);
    cr_assert_eq(gate.arrived, 800);
    world_close();
}

Test(block, tasks_on_threads_of_their_own_may_use_it_too, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task =
        spawned_as(gate_block, &gate, &(struct brolga_spawn_opts){.thread = 1});

    cr_assert(gate_reached(&gate));
    gate_open(&gate);
    (void)joined(task);
    cr_assert_eq(brolga_attach_thread(rt, "host"), BROLGA_OK);
    cr_assert_eq(gate_block(&gate), 0);
    brolga_detach_thread();
}

Test(block, it_works_on_a_driving_thread, .timeout = 30)
{
    struct gate gate = {.open = 1};
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    task = spawned(gate_block, &gate);
    while (brolga_drive(rt, BROLGA_FOREVER) > 0)
        continue;
    (void)joined(task);
    world_close();
}

#ifndef CRITERION_STAND_IN
static brolga_word block_twice(void *arg)
{
    (void)arg;
    brolga_block_begin();
    brolga_block_begin();
    return 0;
}

Test(block, it_does_not_nest, .signal = SIGABRT, .timeout = 30)
{
    world_open();
    (void)joined(spawned(block_twice, NULL));
}
#endif

/* --- a failure in foreign code ------------------------------------------ */

static brolga_word panic_in_foreign_code(void *arg)
{
    (void)arg;
    brolga_block_begin();
    brolga_panic("in foreign code");
}

Test(block, a_panic_in_between_ends_the_task_alone, .timeout = 60)
{
    struct brolga_spawn_opts thread = {.thread = true};
    struct brolga_failure failure;
    struct gate open = {.open = 1};

    world_open_with(&(struct brolga_opts){.workers = 1});
    for (int i = 0; i < 50; i++) {
        brolga_task *task = spawned_as(panic_in_foreign_code, NULL,
                                       i % 2 == 0 ? NULL : &thread);

        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, &failure),
                     BROLGA_EFAILED);
        cr_assert_str_eq(failure.message, "in foreign code");
        (void)joined(spawned(gate_park, &open));
    }
    world_close();
}
