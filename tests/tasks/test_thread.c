/*
 * Goal: a task on a thread of its own, and a thread that attaches, are tasks
 * like any other.
 * Method: each does what a fiber does; wrong uses are refused.
 */
#include "tasks/world.h"

#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

static const struct brolga_spawn_opts thread = {.thread = true,
                                                .name = "worker bee"};

static brolga_word thread_id(void *arg)
{
    (void)arg;
    return (brolga_word)brolga__plat_thread_id();
}

Test(thread, each_has_a_thread_of_its_own, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *tasks[5];

    for (int i = 0; i < 5; i++)
        tasks[i] = spawned_as(gate_spin, &gate, &thread);
    /* They block their threads, all at once, with two workers. */
    cr_assert(wait_until(brolga__load_acquire(&gate.arrived) == 5));
    cr_assert_neq(joined(spawned_as(thread_id, NULL, &thread)),
                  joined(spawned(thread_id, NULL)));
    gate_open(&gate);
    for (int i = 0; i < 5; i++)
        (void)joined(tasks[i]);
}

static brolga_word yield_and_sleep(void *arg)
{
    for (int i = 0; i < 20; i++)
        brolga_yield();
    *(int *)arg = brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    return 3;
}

Test(thread, it_yields_sleeps_and_is_joined, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    int result = -1;

    cr_assert_eq(joined(spawned_as(yield_and_sleep, &result, &thread)), 3);
    cr_assert_eq(result, BROLGA_OK);
}

static brolga_word use_stack(void *arg)
{
    volatile char bytes[20000];

    bytes[0] = bytes[sizeof bytes - 1] = (char)(intptr_t)arg;
    return bytes[0] + bytes[sizeof bytes - 1];
}

Test(thread, it_may_ask_for_a_stack, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct brolga_spawn_opts small = {.thread = true, .stack_bytes = 1};
    struct brolga_spawn_opts large = {.thread = true, .stack_bytes = 4 << 20};

    cr_assert_eq(joined(spawned_as(thread_id, NULL, &small)) != 0, 1);
    cr_assert_eq(joined(spawned_as(use_stack, (void *)4, &large)), 8);
}

Test(thread, many_come_and_go, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    for (int i = 0; i < 100; i++)
        cr_assert_eq(brolga_spawn(rt, thread_id, NULL, &thread, NULL),
                     BROLGA_OK);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
}

/* --- threads of the host ------------------------------------------------ */

Test(thread, an_attached_thread_is_a_task, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *other;

    cr_assert_eq(brolga_attach_thread(rt, "host"), BROLGA_OK);
    cr_assert_not_null(brolga_self());
    cr_assert_eq(brolga_runtime(), rt);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    cr_assert_neq(brolga_task_id(brolga_self()), 0);
    cr_assert_eq(brolga_destroy(rt), BROLGA_EBUSY);
    other = spawned(gate_park, &gate);
    gate_open_for(&gate, other);
    cr_assert_eq(joined(other), 0);
    cr_assert_eq(brolga_sleep_until(brolga_after_ns(BROLGA_MS)), BROLGA_OK);
    brolga_yield();
    brolga_safepoint();
    brolga_detach_thread();
    cr_assert_null(brolga_self());
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

Test(thread, attaching_twice_is_refused, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    cr_assert_eq(brolga_attach_thread(rt, NULL), BROLGA_OK);
    cr_assert_eq(brolga_attach_thread(rt, NULL), BROLGA_ESTATE);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    brolga_detach_thread();
    cr_assert_eq(brolga_attach_thread(rt, NULL), BROLGA_OK);
    brolga_detach_thread();
}

static brolga_word attach_inside(void *arg)
{
    (void)arg;
    return brolga_attach_thread(brolga_runtime(), NULL);
}

Test(thread, a_task_does_not_attach, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    cr_assert_eq(joined(spawned(attach_inside, NULL)), BROLGA_ESTATE);
    cr_assert_eq(joined(spawned_as(attach_inside, NULL, &thread)),
                 BROLGA_ESTATE);
}

static void *cancel_self(void *arg)
{
    brolga_task *self;
    int *result = arg;

    if (brolga_attach_thread(rt, NULL) != BROLGA_OK)
        return NULL;
    self = brolga_self();
    brolga_cancel(self);
    *result = brolga_sleep_until(BROLGA_FOREVER);
    brolga_detach_thread();
    return NULL;
}

Test(thread, c8_an_attached_thread_may_be_canceled, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    pthread_t other;
    int result = BROLGA_OK;

    cr_assert_eq(pthread_create(&other, NULL, cancel_self, &result), 0);
    cr_assert_eq(pthread_join(other, NULL), 0);
    cr_assert_eq(result, BROLGA_ECANCELED);
    /* The record's next user is not canceled. */
    cr_assert_eq(brolga_attach_thread(rt, NULL), BROLGA_OK);
    cr_assert_not(brolga_canceled());
    brolga_detach_thread();
}

Test(thread, want_of_memory_attaches_nothing, .timeout = 30)
{
    int err = BROLGA_ENOMEM;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        cr_assert_lt(n, 10);
        brolga__alloc_fail_nth(n);
        err = brolga_attach_thread(rt, NULL);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_null(brolga_self());
        cr_assert_eq(brolga_tasks_live(rt), 0);
    }
    brolga_detach_thread();
    world_close();
}

#ifndef CRITERION_STAND_IN
Test(thread, a_panic_outside_tasks_aborts, .signal = SIGABRT)
{
    brolga_panic("nobody hears this");
}
#endif
