/*
 * What the tests of tasks share: a runtime, tasks that park until the test lets
 * them go on, and units of real code published in the runtime's GOT. Tasks only
 * note what they see; asserts stay on the test's own thread.
 */
#ifndef BROLGA_TESTS_TASKS_WORLD_H
#define BROLGA_TESTS_TASKS_WORLD_H

#include <criterion/criterion.h>

#include "alloc.h"
#include "jit.h"
#include "tasks/tasks.h"
#include "wait_until.h"

#include <stdio.h>

#define FN "(Fn [] Int)"

static brolga *rt;

static inline void world_open_with(const struct brolga_opts *opts)
{
    cr_assert_eq(brolga_create(opts, &rt), BROLGA_OK);
}

static inline void world_open(void)
{
    world_open_with(&(struct brolga_opts){.workers = 2});
}

static inline void world_close(void)
{
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    cr_assert_eq(brolga_destroy(rt), BROLGA_OK);
}

/* --- tasks -------------------------------------------------------------- */

static inline brolga_task *spawned_as(brolga_task_fn fn, void *arg,
                                      const struct brolga_spawn_opts *opts)
{
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn(rt, fn, arg, opts, &task), BROLGA_OK);
    return task;
}

static inline brolga_task *spawned(brolga_task_fn fn, void *arg)
{
    return spawned_as(fn, arg, NULL);
}

static inline brolga_word joined(brolga_task *task)
{
    brolga_word result = -1;
    struct brolga_failure failure = {.message = "no failure"};
    int err =
        brolga_join(task, brolga_after_ns(WAIT_LIMIT_NS), &result, &failure);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", brolga_error_name(err),
                 failure.message);
    return result;
}

/* A place where a task stays until the test opens it. */
struct gate {
    _Atomic int arrived;
    _Atomic int open;
};

static inline brolga_word gate_park(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        (void)brolga__park("gate", BROLGA_FOREVER);
    return 0;
}

/* The same without parking: from safepoint to safepoint. */
static inline brolga_word gate_run(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        brolga_safepoint();
    return 0;
}

/* The same without safepoints. */
static inline brolga_word gate_spin(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        (void)sched_yield();
    return 0;
}

/* The same in foreign code. */
static inline brolga_word gate_block(void *arg)
{
    struct gate *gate = arg;

    brolga_block_begin();
    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        (void)sched_yield();
    brolga_block_end();
    return 0;
}

static inline bool gate_reached(struct gate *gate)
{
    return wait_until(brolga__load_acquire(&gate->arrived) > 0);
}

static inline void gate_open(struct gate *gate)
{
    brolga__store_release(&gate->open, 1);
}

static inline bool is_parked(brolga_task *task)
{
    return brolga__permit_is_parked(brolga__load_acquire(&task->permit));
}

/* Lets a task that parks at a gate go on. */
static inline void gate_open_for(struct gate *gate, brolga_task *task)
{
    gate_open(gate);
    brolga__unpark(task);
}

/* Two tasks that hand a turn to and fro: a lost wake-up stops them. */
#define TURNS 3000

struct players {
    brolga_task *_Atomic player[2];
    _Atomic int turn;
    _Atomic int ready;
};

static inline brolga_word play(struct players *players, int self)
{
    brolga__store_release(&players->player[self], brolga_self());
    while (brolga__load_acquire(&players->player[1 - self]) == NULL)
        brolga_yield();
    for (int i = 0; i < TURNS; i++) {
        while (brolga__load_acquire(&players->turn) % 2 != self)
            (void)brolga__park("turn", BROLGA_FOREVER);
        (void)brolga__add_release(&players->turn, 1);
        brolga__unpark(brolga__load_acquire(&players->player[1 - self]));
    }
    return brolga__load_relaxed(&players->turn);
}

static inline brolga_word play_white(void *arg)
{
    return play(arg, 0);
}

static inline brolga_word play_black(void *arg)
{
    return play(arg, 1);
}

/* --- units -------------------------------------------------------------- */

static inline struct brolga_got_stats stats(void)
{
    struct brolga_got_stats now;

    brolga_got_stats(brolga_runtime_got(rt), &now);
    return now;
}

/* Publishes m.<symbol>; returns its slot, and the unit if it is asked for. */
static inline brolga_slot published(const char *symbol, struct jit_unit *code,
                                    enum brolga_policy policy,
                                    brolga_unit **unit)
{
    struct brolga_unit_opts opts = jit_opts(code, symbol, policy);
    struct brolga_report report;
    brolga_unit *staged;
    brolga_slot slot = 0;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &staged), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, staged, "m", symbol, FN, code->text, &slot),
        BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK, "%s\n",
                 report.text);
    if (unit != NULL)
        *unit = staged;
    return slot;
}

/* Publishes m.<symbol> as a caller that adds `value`. */
static inline brolga_slot
published_caller(const char *symbol, struct jit_unit *code, brolga_word value)
{
    cr_assert(jit_make_caller(code, value));
    return published(symbol, code, BROLGA_RECLAIM, NULL);
}

/* Publishes m.<symbol> as a constant. */
static inline brolga_slot
published_constant(const char *symbol, struct jit_unit *code, brolga_word value)
{
    cr_assert(jit_make_constant(code, value));
    return published(symbol, code, BROLGA_RECLAIM, NULL);
}

/* Calls a slot through the calling task's view. */
static inline brolga_word call_slot_here(brolga_slot slot, void *arg)
{
    return jit_call(brolga_view_self()->slots[slot], arg);
}

static inline bool released(struct jit_unit *code)
{
    return wait_until(jit_releases(code) > 0);
}

/* Enough steps, and time for the reclaimer's own, that a unit which nothing
 * holds would be gone; for tests that say that it is not. */
static inline bool stays(struct jit_unit *code)
{
    for (int i = 0; i < 30; i++) {
        (void)brolga_reclaim_step(rt);
        (void)sched_yield();
    }
    return jit_releases(code) == 0;
}

#endif
