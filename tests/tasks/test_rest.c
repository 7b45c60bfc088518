/*
 * Goal: a parked task that holds no code of any unit is passed over by the
 * reclaimer, all of its block at a time, until somebody wakes it; one that does
 * is not, nor one that is handed code while it is parked.
 * Method: tasks park at a gate from C, or from a frame in a unit; units come
 * and go; permits and blocks are read.
 */
#include "tasks/world.h"

static struct jit_unit codes[8];

static bool rests(brolga_task *task)
{
    return brolga__load_acquire(&task->permit) == BROLGA__RESTING;
}

static bool bit_of(brolga_task *task)
{
    struct brolga__block *block =
        brolga__container_of(task - task->place, struct brolga__block, task);

    return (brolga__load_acquire(&block->resting) >> task->place & 1) != 0;
}

/* Retires m.f, so that stacks are looked at, until it is freed. */
static void reload(unsigned n)
{
    (void)published_constant("f", &codes[n], (brolga_word)n);
    if (n > 0)
        cr_assert(released(&codes[n - 1]));
}

Test(rest, a_task_that_holds_nothing_rests_until_it_is_woken, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert(wait_until(is_parked(task)));
    reload(0);
    reload(1);
    cr_assert(rests(task));
    cr_assert(bit_of(task));
    reload(2);
    cr_assert(rests(task));
    brolga__unpark(task); /* For no reason: it parks again. */
    cr_assert(wait_until(is_parked(task)));
    cr_assert_not(rests(task) && !bit_of(task));
    reload(3);
    cr_assert(rests(task));
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 0);
    cr_assert_not(bit_of(task));
}

Test(rest, c5_a_task_with_a_frame_in_any_unit_does_not, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_park, &gate};
    brolga_slot slot = published_caller("g", &codes[7], 100);
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn_slot(rt, slot, &call, NULL, &task), BROLGA_OK);
    cr_assert(wait_until(is_parked(task)));
    reload(0);
    reload(1); /* Another one than it is in. */
    cr_assert_not(rests(task));
    (void)published_constant("g", &codes[6], 1);
    cr_assert(stays(&codes[7]));
    cr_assert_not(bit_of(task));
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 100);
    cr_assert(released(&codes[7]));
}

/* Parks until it is handed code, and calls it. */
struct handed {
    struct gate gate;
    const void *_Atomic *code; /* In the frame of who waits. */
};

static brolga_word wait_for_code(void *arg)
{
    struct handed *handed = arg;
    const void *_Atomic code = NULL;

    handed->code = &code;
    (void)gate_park(&handed->gate);
    brolga_yield();
    return jit_call(brolga__load_acquire(&code), NULL);
}

static brolga_word hand_over(void *arg)
{
    struct handed *handed = arg;

    brolga__store_release(handed->code, codes[1].text);
    return 0;
}

Test(rest, c5_code_that_it_is_handed_stays, .timeout = 60, .init = world_open)
{
    struct handed handed = {{0}, NULL};
    brolga_task *task;

    task = spawned(wait_for_code, &handed);
    cr_assert(wait_until(is_parked(task)));
    reload(0);
    reload(1);
    cr_assert(rests(task));
    (void)hand_over(&handed);
    gate_open_for(&handed.gate, task);
    cr_assert_eq(joined(task), 1);
    world_close();
}

Test(rest, it_is_trimmed_and_shown_like_any_that_is_parked, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert(wait_until(is_parked(task)));
    reload(0);
    reload(1);
    cr_assert(rests(task));
    brolga__reclaim_pause(rt->got);
    cr_assert(brolga__hold(task));
    cr_assert_not(bit_of(task));
    brolga__unhold_resting(task);
    cr_assert(rests(task) && bit_of(task));
    /* Woken while it is held. */
    cr_assert(brolga__hold(task));
    gate_open_for(&gate, task);
    brolga__unhold_resting(task);
    brolga__reclaim_resume(rt->got);
    cr_assert_eq(joined(task), 0);
    cr_assert_not(bit_of(task));
}
