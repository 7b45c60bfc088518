/*
 * Goal: what is pushed is taken once, first in, first out; a thief gets half.
 * Method: queues by hand; then an owner and thieves at work at once, with a
 * count for each task. The queue never looks into a task, so numbers do.
 */
#include <criterion/criterion.h>

#include "tasks/runq.h"
#include "wait_until.h"

static struct brolga__worker owner, thief;

static void open_queues(void)
{
    memset(&owner, 0, sizeof owner);
    memset(&thief, 0, sizeof thief);
}

static brolga_task *task_of(uintptr_t number)
{
    return (brolga_task *)(number * 8);
}

static uintptr_t number_of(brolga_task *task)
{
    return (uintptr_t)task / 8;
}

Test(runq, is_first_in_first_out, .init = open_queues)
{
    cr_assert(brolga__runq_empty(&owner));
    cr_assert_null(brolga__runq_pop(&owner));
    for (uintptr_t i = 1; i <= 1000; i++) {
        cr_assert(brolga__runq_push(&owner, task_of(2 * i)));
        cr_assert(brolga__runq_push(&owner, task_of(2 * i + 1)));
        cr_assert_not(brolga__runq_empty(&owner));
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), 2 * i);
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), 2 * i + 1);
    }
    cr_assert(brolga__runq_empty(&owner));
}

Test(runq, is_bounded, .init = open_queues)
{
    for (uintptr_t i = 1; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert(brolga__runq_push(&owner, task_of(i)));
    cr_assert_not(brolga__runq_push(&owner, task_of(1)));
    cr_assert_eq(number_of(brolga__runq_pop(&owner)), 1);
    cr_assert(brolga__runq_push(&owner, task_of(999)));
    for (uintptr_t i = 2; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
    cr_assert_eq(number_of(brolga__runq_pop(&owner)), 999);
}

Test(runq, works_across_the_end_of_its_counters, .init = open_queues)
{
    atomic_init(&owner.head, UINT32_MAX - 2);
    atomic_init(&owner.tail, UINT32_MAX - 2);
    for (uintptr_t i = 1; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert(brolga__runq_push(&owner, task_of(i)));
    cr_assert_not(brolga__runq_push(&owner, task_of(1)));
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)),
                 BROLGA__RUNQ_SIZE / 2);
    for (uintptr_t i = 1; i < BROLGA__RUNQ_SIZE / 2; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&thief)), i);
    for (uintptr_t i = BROLGA__RUNQ_SIZE / 2 + 1; i <= BROLGA__RUNQ_SIZE; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
}

Test(runq, a_thief_takes_the_older_half, .init = open_queues)
{
    cr_assert_null(brolga__runq_steal(&thief, &owner));
    (void)brolga__runq_push(&owner, task_of(1));
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)), 1);
    cr_assert(brolga__runq_empty(&owner));
    cr_assert(brolga__runq_empty(&thief));
    for (uintptr_t i = 1; i <= 9; i++)
        (void)brolga__runq_push(&owner, task_of(i));
    cr_assert_eq(number_of(brolga__runq_steal(&thief, &owner)), 5);
    for (uintptr_t i = 1; i <= 4; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&thief)), i);
    cr_assert_null(brolga__runq_pop(&thief));
    for (uintptr_t i = 6; i <= 9; i++)
        cr_assert_eq(number_of(brolga__runq_pop(&owner)), i);
}

/* --- owner and thieves at once ------------------------------------------ */

#define TASKS   30000
#define THIEVES 2

static _Atomic uint32_t taken[TASKS + 1];
static _Atomic uint32_t taken_all;

static void note(brolga_task *task)
{
    if (task == NULL)
        return;
    (void)brolga__add_relaxed(&taken[number_of(task)], 1);
    (void)brolga__add_relaxed(&taken_all, 1);
}

static void *steal_on(void *arg)
{
    struct brolga__worker *self = arg;

    while (brolga__load_relaxed(&taken_all) < TASKS) {
        brolga_task *task = brolga__runq_pop(self);

        note(task != NULL ? task : brolga__runq_steal(self, &owner));
    }
    return NULL;
}

Test(runq, every_task_is_taken_once, .timeout = 60, .init = open_queues)
{
    static struct brolga__worker thieves[THIEVES];
    pthread_t threads[THIEVES];
    uintptr_t next = 1;

    for (int i = 0; i < THIEVES; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, steal_on, &thieves[i]),
                     0);
    while (brolga__load_relaxed(&taken_all) < TASKS) {
        if (next <= TASKS && brolga__runq_push(&owner, task_of(next)))
            next++;
        else
            note(brolga__runq_pop(&owner));
        if (next % 7 == 0)
            note(brolga__runq_pop(&owner));
    }
    for (int i = 0; i < THIEVES; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&taken_all), TASKS);
    for (int i = 1; i <= TASKS; i++)
        cr_assert_eq(brolga__load_relaxed(&taken[i]), 1);
}
