/*
 * Goal: brolga_blocking() calls on another thread while the task parks, on a
 * bounded number of threads; what has not been begun is withdrawn, what has
 * been begun is awaited, and the code that runs is pinned.
 * Method: functions that wait at gates which the test opens.
 */
#include "tasks/world.h"

#include "plat.h"

#include <brolga/io.h>

static struct brolga_opts one_worker = {.workers = 1, .blocking_threads = 1};

/* A blocking function that stays until its gate opens; counts who is in. */
struct stay {
    struct gate gate;
    _Atomic int inside, inside_max, calls;
};

static brolga_word stay(void *arg)
{
    struct stay *at = arg;
    int inside = brolga__add_relaxed(&at->inside, 1) + 1;
    int max = brolga__load_relaxed(&at->inside_max);

    while (inside > max && !brolga__cas_relaxed(&at->inside_max, &max, inside))
        continue;
    (void)brolga__add_relaxed(&at->calls, 1);
    (void)gate_spin(&at->gate);
    (void)brolga__sub_release(&at->inside, 1);
    return 7;
}

/* A task that calls stay(). */
struct caller {
    struct stay *at;
    uint64_t deadline_ns;
    brolga_word result;
};

static brolga_word call_stay(void *arg)
{
    struct caller *caller = arg;

    return brolga_blocking(stay, caller->at, caller->deadline_ns,
                           &caller->result);
}

static brolga_word answer(void *arg)
{
    return arg == NULL ? 42 : *(brolga_word *)arg;
}

static brolga_word thread_of(void *arg)
{
    (void)arg;
    return (brolga_word)brolga__plat_thread_id();
}

static brolga_word call_thread_of(void *arg)
{
    brolga_word *ids = arg;

    ids[0] = (brolga_word)brolga__plat_thread_id();
    return brolga_blocking(thread_of, NULL, BROLGA_FOREVER, &ids[1]);
}

Test(pool, a_blocking_function_runs_elsewhere_and_its_result_comes_back)
{
    brolga_word ids[2] = {0, 0};

    world_open_with(&one_worker);
    cr_assert_eq(joined(spawned(call_thread_of, ids)), BROLGA_OK);
    cr_assert_neq(ids[1], 0);
    cr_assert_neq(ids[0], ids[1]);
    world_close();
}

Test(pool, threads_of_the_host_may_block_when_attached_and_only_then)
{
    brolga_word result = 0;

    world_open();
    cr_assert_eq(brolga_blocking(answer, NULL, BROLGA_FOREVER, &result),
                 BROLGA_ESTATE);
    cr_assert_eq(brolga_attach_thread(rt, "test"), BROLGA_OK);
    cr_assert_eq(brolga_blocking(NULL, NULL, BROLGA_FOREVER, &result),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_blocking(answer, NULL, BROLGA_FOREVER, &result),
                 BROLGA_OK);
    cr_assert_eq(result, 42);
    brolga_detach_thread();
    world_close();
}

Test(pool, others_run_meanwhile_on_the_only_worker)
{
    struct stay at = {.calls = 0};
    struct caller caller = {.at = &at, .deadline_ns = BROLGA_FOREVER};
    brolga_word value = 5;
    brolga_task *blocked;

    world_open_with(&one_worker);
    blocked = spawned(call_stay, &caller);
    cr_assert(gate_reached(&at.gate));
    for (int i = 0; i < 100; i++)
        cr_assert_eq(joined(spawned(answer, &value)), 5);
    gate_open(&at.gate);
    cr_assert_eq(joined(blocked), BROLGA_OK);
    cr_assert_eq(caller.result, 7);
    world_close();
}

Test(pool, no_more_threads_than_the_bound_and_all_work_is_done)
{
    enum { TASKS = 20, THREADS = 3 };
    struct stay at = {.calls = 0};
    struct caller callers[TASKS];
    brolga_task *tasks[TASKS];

    world_open_with(
        &(struct brolga_opts){.workers = 2, .blocking_threads = THREADS});
    for (int i = 0; i < TASKS; i++) {
        callers[i] = (struct caller){&at, BROLGA_FOREVER, 0};
        tasks[i] = spawned(call_stay, &callers[i]);
    }
    /* All threads of the pool are in, and all other tasks wait for them. */
    cr_assert(wait_until(brolga__load_relaxed(&at.inside) == THREADS));
    for (int i = 0; i < TASKS; i++)
        cr_assert(wait_until(is_parked(tasks[i])));
    cr_assert_eq(brolga__load_relaxed(&at.calls), THREADS);
    gate_open(&at.gate);
    for (int i = 0; i < TASKS; i++)
        cr_assert_eq(joined(tasks[i]), BROLGA_OK);
    cr_assert_eq(brolga__load_relaxed(&at.calls), TASKS);
    cr_assert_eq(brolga__load_relaxed(&at.inside_max), THREADS);
    world_close();
}

Test(pool, what_has_not_begun_is_withdrawn_by_deadline_and_by_cancel)
{
    struct stay at = {.calls = 0}, never = {.calls = 0};
    struct caller first = {&at, BROLGA_FOREVER, 0};
    struct caller late = {&never, 0, -1},
                  canceled = {&never, BROLGA_FOREVER, -1};
    brolga_task *busy, *task;

    world_open_with(&one_worker);
    busy = spawned(call_stay, &first);
    cr_assert(gate_reached(&at.gate));
    late.deadline_ns = brolga_after_ns(5 * BROLGA_MS);
    cr_assert_eq(joined(spawned(call_stay, &late)), BROLGA_ETIMEOUT);
    task = spawned(call_stay, &canceled);
    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    gate_open(&at.gate);
    cr_assert_eq(joined(busy), BROLGA_OK);
    world_close();
    cr_assert_eq(brolga__load_relaxed(&never.calls), 0);
    cr_assert_eq(late.result, -1);
    cr_assert_eq(canceled.result, -1);
}

Test(pool, what_has_begun_is_awaited_and_counts)
{
    struct stay at = {.calls = 0};
    struct caller caller = {&at, BROLGA_FOREVER, 0};
    brolga_task *task;

    world_open_with(&one_worker);
    caller.deadline_ns = brolga_after_ns(WAIT_LIMIT_NS);
    task = spawned(call_stay, &caller);
    cr_assert(gate_reached(&at.gate));
    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    cr_assert_eq(brolga_join(task, brolga_after_ns(20 * BROLGA_MS), NULL, NULL),
                 BROLGA_ETIMEOUT);
    gate_open(&at.gate);
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert_eq(caller.result, 7);
    world_close();
}

static brolga_word block_after_cancel(void *arg)
{
    while (!brolga_canceled())
        (void)brolga__park("test", BROLGA_FOREVER);
    return brolga_blocking(stay, arg, BROLGA_FOREVER, NULL);
}

Test(pool, a_canceled_task_and_a_passed_deadline_begin_nothing)
{
    struct stay never = {.calls = 0};
    struct caller late = {&never, BROLGA_NOW, 0};
    brolga_task *task;

    world_open_with(&one_worker);
    task = spawned(block_after_cancel, &never);
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(joined(spawned(call_stay, &late)), BROLGA_ETIMEOUT);
    world_close();
    cr_assert_eq(brolga__load_relaxed(&never.calls), 0);
}

/* Calls a unit's code, which calls gate_spin(). */
struct unit_call {
    struct jit_call call;
    brolga_blocking_fn fn;
};

static brolga_word block_in_unit(void *arg)
{
    struct unit_call *unit = arg;
    brolga_word result = -1;
    int err = brolga_blocking(unit->fn, &unit->call, BROLGA_FOREVER, &result);

    return err == BROLGA_OK ? result : err;
}

static void count_pins(void *arg, const struct brolga_holder *holder)
{
    if (holder->reason == BROLGA_HOLD_CALLBACK)
        *(uint64_t *)arg += holder->pins;
}

static uint64_t pins_held(void)
{
    uint64_t pins = 0;

    (void)brolga_reclaim_step(rt);
    (void)brolga_holders(rt, count_pins, &pins);
    return pins;
}

Test(pool, the_unit_of_a_blocking_function_is_pinned_until_it_returns)
{
    struct gate gate = {0};
    struct jit_unit old = {0}, new = {0};
    struct unit_call unit = {.call = {gate_spin, &gate}};
    brolga_task *task;

    world_open();
    (void)published_caller("f", &old, 100);
    memcpy(&unit.fn, &old.text, sizeof unit.fn);
    task = spawned(block_in_unit, &unit);
    cr_assert(gate_reached(&gate));
    (void)published_caller("f", &new, 200);
    cr_assert(wait_until(pins_held() == 1));
    cr_assert(stays(&old));
    gate_open(&gate);
    cr_assert_eq(joined(task), 100);
    cr_assert(released(&old));
    world_close();
}

Test(pool, a_host_that_drives_has_its_tasks_woken)
{
    struct caller caller;
    struct stay at = {.calls = 0};
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    caller = (struct caller){&at, BROLGA_FOREVER, 0};
    task = spawned(call_stay, &caller);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert(gate_reached(&at.gate));
    cr_assert_eq(brolga_drive(rt, BROLGA_FOREVER), 0);
    gate_open(&at.gate);
    cr_assert(wait_until(brolga_drive(rt, BROLGA_FOREVER) > 0));
    cr_assert_eq(joined(task), BROLGA_OK);
    world_close();
}

Test(pool, want_of_memory_is_reported_and_leaves_nothing)
{
    brolga_word result = -1;

    world_open();
    cr_assert_eq(brolga_attach_thread(rt, "test"), BROLGA_OK);
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_blocking(answer, NULL, BROLGA_FOREVER, &result),
                 BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(result, -1);
    cr_assert_eq(brolga_blocking(answer, NULL, BROLGA_FOREVER, &result),
                 BROLGA_OK);
    cr_assert_eq(result, 42);
    brolga_detach_thread();
    world_close();
}
