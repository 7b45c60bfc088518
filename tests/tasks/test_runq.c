/*
 * Goal: what is pushed is taken once, first in, first out; a thief gets half;
 * the ring grows; a spawned task is its claimer's, and its entry stale then.
 * Method: queues by hand; then an owner, joiners and thieves at work at once,
 * with a count for each task.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "tasks/tasks.h"
#include "wait_until.h"

#define TASKS_MAX 30001

static struct brolga__runq owner, thief;
static brolga_task tasks[TASKS_MAX];

static void open_queues(void)
{
    memset(&owner, 0, sizeof owner);
    memset(&thief, 0, sizeof thief);
    cr_assert_eq(brolga__runq_init(&owner), BROLGA_OK);
    cr_assert_eq(brolga__runq_init(&thief), BROLGA_OK);
}

static void close_queues(void)
{
    brolga__runq_fini(&owner);
    brolga__runq_fini(&thief);
}

static brolga_task *task_of(uintptr_t number)
{
    return &tasks[number];
}

static uintptr_t number_of(brolga_task *task)
{
    return (uintptr_t)(task - tasks);
}

static bool push(uintptr_t number)
{
    return brolga__runq_push(&owner, task_of(number), false);
}

static bool push_spawned(uintptr_t number)
{
    brolga__store_release(&task_of(number)->fresh, true);
    return brolga__runq_push(&owner, task_of(number), true);
}

Test(runq, is_first_in_first_out, .init = open_queues, .fini = close_queues)
{
    cr_assert(brolga__runq_empty(&owner));
    cr_assert_null(brolga__runq_pop(&owner));
    for (uintptr_t i = 1; i <= 1000; i++) {
        cr_assert(push(2 * i));
        cr_assert(push(2 * i + 1));
        cr_assert_not(brolga__runq_empty(&owner));
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), 2 * i);
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), 2 * i + 1);
    }
    cr_assert(brolga__runq_empty(&owner));
}

Test(runq, grows_and_stays_in_order, .init = open_queues, .fini = close_queues)
{
    for (uintptr_t i = 1; i <= 5 * BROLGA__RUNQ_SIZE; i++) {
        cr_assert(push(i));
        if (i == 100)
            cr_assert_eq(number_of(brolga__runq_pop(&owner)), 1);
    }
    for (uintptr_t i = 2; i <= 5 * BROLGA__RUNQ_SIZE; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
    cr_assert_null(brolga__runq_pop(&owner));
}

Test(runq, without_memory_it_is_full, .init = open_queues, .fini = close_queues)
{
    for (uintptr_t i = 1; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert(push(i));
    brolga__alloc_fail_nth(1);
    cr_assert_not(push(999));
    brolga__alloc_fail_nth(0);
    for (uintptr_t i = 1; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
    cr_assert_null(brolga__runq_pop(&owner));
}

Test(runq, a_claimed_task_is_not_found, .init = open_queues,
     .fini = close_queues)
{
    for (uintptr_t i = 1; i <= 10; i++)
        cr_assert(push_spawned(i));
    for (uintptr_t i = 1; i <= 10; i++)
        if (i != 4)
            cr_assert(brolga__claim(task_of(i)));
    cr_assert_not(brolga__claim(task_of(1)));
    cr_assert_eq(number_of(brolga__runq_pop(&owner)), 4);
    cr_assert_not(brolga__claim(task_of(4)));
    cr_assert_null(brolga__runq_pop(&owner));
    for (uintptr_t i = 1; i <= 10; i++)
        cr_assert(push_spawned(i));
    for (uintptr_t i = 1; i <= 7; i++)
        cr_assert(brolga__claim(task_of(i)));
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)), 8);
}

Test(runq, stale_entries_take_no_memory, .init = open_queues,
     .fini = close_queues)
{
    int64_t blocks = brolga__alloc_live();

    cr_assert(push(1)); /* In front of all, so that none falls off the end. */
    for (uintptr_t i = 0; i < 20 * BROLGA__RUNQ_SIZE; i++) {
        cr_assert(push_spawned(2 + i % 100));
        cr_assert(brolga__claim(task_of(2 + i % 100)));
    }
    cr_assert_eq(brolga__alloc_live(), blocks);
    cr_assert_eq(number_of(brolga__runq_pop(&owner)), 1);
    cr_assert_null(brolga__runq_pop(&owner));
}

Test(runq, a_thief_takes_the_older_half, .init = open_queues,
     .fini = close_queues)
{
    cr_assert_null(brolga__runq_steal(&thief, &owner));
    (void)push(1);
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)), 1);
    cr_assert(brolga__runq_empty(&owner));
    cr_assert(brolga__runq_empty(&thief));
    for (uintptr_t i = 1; i <= 9; i++)
        (void)push(i);
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)), 5);
    for (uintptr_t i = 1; i <= 4; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&thief)), i);
    cr_assert_null(brolga__runq_pop(&thief));
    for (uintptr_t i = 6; i <= 9; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
}

/* --- owner, joiner and thieves at once ---------------------------------- */

#define TASKS   (TASKS_MAX - 1)
#define THIEVES 2

static _Atomic uint32_t taken[TASKS + 1];
static _Atomic uint32_t taken_all;
static _Atomic uintptr_t pushed;

static void note(brolga_task *task)
{
    if (task == NULL)
        return;
    (void)brolga__add_relaxed(&taken[number_of(task)], 1);
    (void)brolga__add_relaxed(&taken_all, 1);
}

static void *steal_on(void *arg)
{
    struct brolga__runq *self = arg;

    while (brolga__load_relaxed(&taken_all) < TASKS) {
        brolga_task *task = brolga__runq_pop(self);

        note(task != NULL ? task : brolga__runq_steal(self, &owner));
    }
    return NULL;
}

/* Claims what it can without the queue, as joiners do. */
static void *join_on(void *arg)
{
    uintptr_t next = 2;

    (void)arg;
    while (next <= TASKS) {
        if (next > brolga__load_acquire(&pushed))
            continue;
        if (brolga__claim(task_of(next)))
            note(task_of(next));
        next += 2;
    }
    return NULL;
}

/* Every other task is a spawned one. */
static void push_next(uintptr_t next)
{
    cr_assert(next % 2 == 0 ? push_spawned(next) : push(next));
    brolga__store_release(&pushed, next);
}

Test(runq, every_task_is_taken_once, .timeout = 60, .init = open_queues,
     .fini = close_queues)
{
    static struct brolga__runq thieves[THIEVES];
    pthread_t threads[THIEVES + 1];
    uintptr_t next = 1;

    for (int i = 0; i < THIEVES; i++) {
        cr_assert_eq(brolga__runq_init(&thieves[i]), BROLGA_OK);
        cr_assert_eq(pthread_create(&threads[i], NULL, steal_on, &thieves[i]),
                     0);
    }
    cr_assert_eq(pthread_create(&threads[THIEVES], NULL, join_on, NULL), 0);
    while (brolga__load_relaxed(&taken_all) < TASKS) {
        if (next <= TASKS)
            push_next(next++);
        if (next % 7 == 0 || next > TASKS)
            note(brolga__runq_pop(&owner));
    }
    for (int i = 0; i <= THIEVES; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THIEVES; i++)
        brolga__runq_fini(&thieves[i]);
    cr_assert_eq(brolga__load_relaxed(&taken_all), TASKS);
    for (int i = 1; i <= TASKS; i++)
        cr_assert_eq(brolga__load_relaxed(&taken[i]), 1);
}
