/*
 * Goal: one holder at a time, who sees what the last one wrote; those who wait
 * get the lock although nobody wakes them.
 * Method: threads add to plain words under the lock; some hold it for so long
 * that the others must give their processors away, and then sleep.
 */
#include <criterion/criterion.h>

#include "spin.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, TURNS = 20000 };

static struct brolga__spin lock;
static uint64_t sum[2]; /* equal outside the lock */
static uint64_t unequal;

static void add(bool slowly)
{
    unequal += sum[0] != sum[1];
    sum[0]++;
    if (slowly)
        (void)sched_yield(); /* Others find the lock held. */
    sum[1]++;
    brolga__spin_leave(&lock);
}

static void *add_in_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        if (i % 3 == 0) {
            while (!brolga__spin_try(&lock))
                (void)sched_yield();
        } else {
            brolga__spin_take(&lock);
        }
        add(i % 64 == 0);
    }
    return NULL;
}

Test(spin, holders_exclude_and_see_each_other, .timeout = 60)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, add_in_turns, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    cr_assert_eq(sum[0], THREADS * TURNS);
    cr_assert_eq(sum[1], THREADS * TURNS);
    cr_assert_eq(unequal, 0);
    cr_assert(brolga__spin_try(&lock));
    cr_assert_not(brolga__spin_try(&lock));
}

static _Atomic uint32_t began, entered;

static void *take_once(void *arg)
{
    (void)brolga__add_relaxed(&began, 1);
    brolga__spin_take(arg);
    (void)brolga__add_relaxed(&entered, 1);
    brolga__spin_leave(arg);
    return NULL;
}

Test(spin, a_long_wait_ends_without_a_wake, .timeout = 60)
{
    /* Longer than who waits spins and yields, even on a slow machine; a faster
     * one makes the test see less, not fail. */
    uint64_t until_ns = brolga_after_ns(100 * BROLGA_MS);
    struct brolga__spin held = {0};
    pthread_t thread[THREADS];

    brolga__spin_take(&held);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, take_once, &held), 0);
    while (brolga__load_relaxed(&began) < THREADS || brolga_now_ns() < until_ns)
        (void)sched_yield();
    cr_assert_eq(brolga__load_relaxed(&entered), 0);
    brolga__spin_leave(&held);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&entered), THREADS);
}
