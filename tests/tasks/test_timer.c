/*
 * Goal: timers fire once, in the order of their deadlines, and not before; a
 * disarmed one does not fire.
 * Method: timers in a mixed order that note their turn; far ones disarmed.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "atomic.h"
#include "base.h"
#include "tasks/timer.h"
#include "wait_until.h"

#include <brolga/base.h>

static struct brolga__timers timers;

static void open_timers(void)
{
    memset(&timers, 0, sizeof timers);
    brolga__timers_init(&timers);
}

static void close_timers(void)
{
    brolga__timers_fini(&timers);
}

struct alarm {
    struct brolga__timer timer;
    uint64_t when_ns, fired_ns;
    int turn;
    int fired;
};

static _Atomic int turns;

static void ring(struct brolga__timer *timer)
{
    struct alarm *alarm = brolga__container_of(timer, struct alarm, timer);

    alarm->fired++;
    alarm->fired_ns = brolga_now_ns();
    alarm->turn = brolga__load_relaxed(&turns) + 1;
    brolga__store_release(&turns, alarm->turn);
}

static void arm(struct alarm *alarm, uint64_t when_ns)
{
    memset(alarm, 0, sizeof *alarm);
    alarm->timer.fire = ring;
    alarm->when_ns = when_ns;
    cr_assert_eq(brolga__timer_arm(&timers, &alarm->timer, when_ns), BROLGA_OK);
}

static bool rung(int count)
{
    return wait_until(brolga__load_acquire(&turns) >= count);
}

#define ALARMS 200

static struct alarm alarms[ALARMS];

/* All of them, in a mixed order; false if the first were due before the last
 * was armed. */
static bool arm_in_time(uint64_t margin_ns)
{
    uint64_t start = brolga_after_ns(margin_ns);

    brolga__store_relaxed(&turns, 0);
    for (int i = 0; i < ALARMS; i++) { /* 77 has no common factor with it. */
        int at = i * 77 % ALARMS;

        arm(&alarms[at], start + (uint64_t)at * 50 * BROLGA_US);
    }
    if (brolga_now_ns() < start)
        return true;
    for (int i = 0; i < ALARMS; i++)
        brolga__timer_disarm(&timers, &alarms[i].timer);
    return false;
}

Test(timer, fires_in_the_order_of_deadlines, .timeout = 60, .init = open_timers,
     .fini = close_timers)
{
    uint64_t margin_ns = 5 * BROLGA_MS;

    while (!arm_in_time(margin_ns))
        margin_ns *= 2;
    cr_assert(rung(ALARMS));
    for (int i = 0; i < ALARMS; i++) {
        cr_assert_eq(alarms[i].fired, 1);
        cr_assert_eq(alarms[i].turn, i + 1);
        cr_assert_geq(alarms[i].fired_ns, alarms[i].when_ns);
        cr_assert_eq(alarms[i].timer.place, 0);
    }
}

Test(timer, one_that_has_passed_fires_at_once, .init = open_timers,
     .fini = close_timers)
{
    struct alarm alarm;

    brolga__store_relaxed(&turns, 0);
    arm(&alarm, BROLGA_NOW);
    cr_assert(rung(1));
}

Test(timer, an_earlier_one_overtakes_one_that_is_slept_for, .init = open_timers,
     .fini = close_timers)
{
    struct alarm far, near;

    brolga__store_relaxed(&turns, 0);
    arm(&far, brolga_after_ns(3600 * BROLGA_S));
    arm(&near, brolga_after_ns(BROLGA_MS));
    cr_assert(rung(1));
    cr_assert_eq(near.fired, 1);
    brolga__timer_disarm(&timers, &far.timer);
    cr_assert_eq(far.fired, 0);
}

Test(timer, a_disarmed_one_does_not_fire, .init = open_timers,
     .fini = close_timers)
{
    uint64_t start = brolga_after_ns(10 * BROLGA_MS);
    int disarmed = 0;

    brolga__store_relaxed(&turns, 0);
    for (int i = 0; i < 50; i++)
        arm(&alarms[i], start + (uint64_t)(i * 7 % 50) * 10 * BROLGA_US);
    for (int i = 0; i < 50; i += 2) {
        brolga__timer_disarm(&timers, &alarms[i].timer);
        disarmed += alarms[i].fired == 0;
        brolga__timer_disarm(&timers, &alarms[i].timer); /* Harmless. */
    }
    cr_assert(rung(50 - disarmed));
    cr_assert_eq(brolga__load_acquire(&turns), 50 - disarmed);
    for (int i = 1; i < 50; i += 2)
        cr_assert_eq(alarms[i].fired, 1);
}

Test(timer, the_end_does_not_wait_for_far_ones)
{
    int64_t before = brolga__alloc_live();
    struct alarm far;

    open_timers();
    arm(&far, brolga_after_ns(3600 * BROLGA_S));
    close_timers();
    cr_assert_eq(far.fired, 0);
    cr_assert_eq(brolga__alloc_live(), before);
}

Test(timer, want_of_memory_is_reported, .init = open_timers,
     .fini = close_timers)
{
    struct alarm alarm = {.timer = {.fire = ring}};

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga__timer_arm(&timers, &alarm.timer, BROLGA_FOREVER - 1),
                 BROLGA_ENOMEM);
    cr_assert_eq(alarm.timer.place, 0);
    brolga__timer_disarm(&timers, &alarm.timer);
}
