/*
 * Goal: while the gate is closed and has been waited for, no member runs, and
 * none comes to run before it opens; members that rest are not needed.
 * Method: members of this thread and of another one, which notes each step that
 * it takes; the notes must stand still behind the gate.
 */
#include <criterion/criterion.h>

#include "epoch/epoch.h"
#include "wait_until.h"

#include <pthread.h>

static brolga_epoch *epoch;

static void open_epoch(void)
{
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
}

static void close_epoch(void)
{
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

static bool nobody_runs(void)
{
    return brolga__epoch_gate_wait(epoch, BROLGA_NOW);
}

Test(gate, waits_for_members_that_are_online, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *a, *b;

    cr_assert_eq(brolga_epoch_join(epoch, &a), BROLGA_OK);
    cr_assert_eq(brolga__epoch_enlist(epoch, &b), BROLGA_OK);
    brolga__epoch_gate_close(epoch);
    cr_assert_not(nobody_runs());
    brolga_epoch_offline(a);
    cr_assert(nobody_runs());
    brolga__epoch_appear(b); /* Past the gate, as a handler of traps does. */
    cr_assert_not(nobody_runs());
    brolga_epoch_offline(b);
    brolga__epoch_gate_open(epoch);
    brolga_epoch_online(a); /* Does not wait any more. */
    brolga_epoch_leave(a);
    brolga_epoch_leave(b);
}

Test(gate, an_open_one_stops_nobody, .init = open_epoch, .fini = close_epoch)
{
    brolga_epoch_member *member;

    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
    brolga__epoch_gate_close(epoch);
    brolga__epoch_gate_open(epoch);
    brolga_epoch_quiesce(member);
    brolga_epoch_offline(member);
    brolga_epoch_online(member);
    cr_assert_eq(brolga__epoch_gate(epoch), BROLGA__GATE_OPEN);
    brolga_epoch_leave(member);
}

Test(gate, while_it_closes_members_go_on, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *member;

    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
    brolga__epoch_gate_narrow(epoch, BROLGA__GATE_CLOSING);
    brolga_epoch_quiesce(member);
    brolga_epoch_offline(member);
    brolga_epoch_online(member);
    brolga__epoch_gate_narrow(epoch, BROLGA__GATE_TOPS);
    cr_assert_eq(brolga__epoch_gate(epoch), BROLGA__GATE_TOPS);
    brolga_epoch_quiesce(member);
    brolga_epoch_offline(member);
    brolga_epoch_online(member);
    brolga__epoch_gate_close(epoch);
    cr_assert_eq(brolga__epoch_gate(epoch), BROLGA__GATE_CLOSED);
    cr_assert_not(nobody_runs());
    brolga__epoch_gate_open(epoch);
    brolga_epoch_leave(member);
}

struct walker {
    _Atomic uint64_t steps;
    _Atomic int stop;
    bool joins; /* Comes and goes, instead of quiescing. */
};

static void step(struct walker *walker, brolga_epoch_member *member)
{
    if (walker->joins) {
        brolga_epoch_offline(member);
        brolga_epoch_online(member);
    } else {
        brolga_epoch_quiesce(member);
    }
    (void)brolga__add_relaxed(&walker->steps, 1);
}

static void *walk(void *arg)
{
    struct walker *walker = arg;
    brolga_epoch_member *member;

    if (brolga_epoch_join(epoch, &member) != BROLGA_OK)
        return NULL;
    while (brolga__load_relaxed(&walker->stop) == 0)
        step(walker, member);
    brolga_epoch_leave(member);
    return walker;
}

static void stand_still(struct walker *walker)
{
    uint64_t steps;

    brolga__epoch_gate_close(epoch);
    cr_assert(brolga__epoch_gate_wait(epoch, brolga_after_ns(WAIT_LIMIT_NS)));
    steps = brolga__load_relaxed(&walker->steps);
    for (int i = 0; i < 20; i++)
        (void)sched_yield();
    cr_assert_eq(brolga__load_relaxed(&walker->steps), steps);
    brolga__epoch_gate_open(epoch);
    cr_assert(wait_until(brolga__load_relaxed(&walker->steps) > steps + 2));
}

static void walk_to_the_gate(bool joins)
{
    struct walker walker = {.joins = joins};
    pthread_t thread;
    void *result = NULL;

    cr_assert_eq(pthread_create(&thread, NULL, walk, &walker), 0);
    cr_assert(wait_until(brolga__load_relaxed(&walker.steps) > 0));
    for (int i = 0; i < 50; i++)
        stand_still(&walker);
    brolga__store_relaxed(&walker.stop, 1);
    cr_assert_eq(pthread_join(thread, &result), 0);
    cr_assert_not_null(result);
}

Test(gate, stops_members_that_quiesce, .timeout = 60, .init = open_epoch,
     .fini = close_epoch)
{
    walk_to_the_gate(false);
}

Test(gate, stops_members_that_come_online, .timeout = 60, .init = open_epoch,
     .fini = close_epoch)
{
    walk_to_the_gate(true);
}
