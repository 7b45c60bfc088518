/*
 * Goal: one holder at a time, who sees what the last one wrote; sleepers wake.
 * Method: threads add to plain words under the lock; some hold it for so long
 * that the others must go to sleep.
 */
#include <criterion/criterion.h>

#include "lock.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, TURNS = 20000 };

static struct brolga__lock lock;
static uint64_t sum[2]; /* equal outside the lock */
static uint64_t unequal;

static void *add_in_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        brolga__lock_take(&lock);
        unequal += sum[0] != sum[1];
        sum[0]++;
        if (i % 64 == 0)
            (void)sched_yield(); /* Others find the lock held. */
        sum[1]++;
        brolga__lock_leave(&lock);
    }
    return NULL;
}

Test(lock, holders_exclude_and_see_each_other, .timeout = 60)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, add_in_turns, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    cr_assert_eq(sum[0], THREADS * TURNS);
    cr_assert_eq(sum[1], THREADS * TURNS);
    cr_assert_eq(unequal, 0);
    cr_assert_eq(brolga__load_relaxed(&lock.word), BROLGA__LOCK_FREE);
}

static _Atomic uint32_t entered;

static void *take_once(void *arg)
{
    brolga__lock_take(arg);
    (void)brolga__add_relaxed(&entered, 1);
    brolga__lock_leave(arg);
    return NULL;
}

Test(lock, those_who_sleep_are_woken_one_after_the_other, .timeout = 60)
{
    struct brolga__lock held = {0};
    pthread_t thread[THREADS];

    entered = 0;
    brolga__lock_take(&held);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, take_once, &held), 0);
    /* Contended means that someone sleeps or is about to. */
    while (brolga__load_relaxed(&held.word) != BROLGA__LOCK_CONTENDED)
        (void)sched_yield();
    cr_assert_eq(brolga__load_relaxed(&entered), 0);
    brolga__lock_leave(&held);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&entered), THREADS);
}
