/*
 * Goal: a round has passed exactly when every member that was online at its
 * beginning has quiesced, gone offline or left.
 * Method: rounds by hand with members of this thread; then a waiter on a
 * thread of its own, whose flag stays down until the member moves on. A slow
 * machine can hide a bug there, but cannot raise a false alarm. The flag is
 * relaxed so that the test lends the library no ordering.
 */
#include <criterion/criterion.h>

#include "epoch/epoch.h"
#include "wait_until.h"

static brolga_epoch *epoch;

static void open_epoch(void)
{
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
}

static void close_epoch(void)
{
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

static brolga_epoch_member *joined(void)
{
    brolga_epoch_member *member = NULL;

    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
    return member;
}

Test(round, passes_at_once_without_members, .init = open_epoch,
     .fini = close_epoch)
{
    uint64_t first = brolga__epoch_begin_round(epoch);

    cr_assert(brolga__epoch_passed(epoch, first));
    cr_assert_gt(brolga__epoch_begin_round(epoch), first);
}

Test(round, waits_for_every_online_member, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *a = joined(), *b = joined();
    uint64_t round = brolga__epoch_begin_round(epoch);

    cr_assert_not(brolga__epoch_passed(epoch, round));
    brolga_epoch_quiesce(a);
    cr_assert_not(brolga__epoch_passed(epoch, round));
    brolga_epoch_quiesce(b);
    cr_assert(brolga__epoch_passed(epoch, round));
    brolga_epoch_leave(a);
    brolga_epoch_leave(b);
}

Test(round, does_not_wait_for_offline_members_nor_for_leavers,
     .init = open_epoch, .fini = close_epoch)
{
    brolga_epoch_member *a = joined(), *b = joined();
    uint64_t round = brolga__epoch_begin_round(epoch);

    brolga_epoch_offline(a);
    cr_assert_not(brolga__epoch_passed(epoch, round));
    brolga_epoch_leave(b);
    cr_assert(brolga__epoch_passed(epoch, round));
    brolga_epoch_leave(a);
}

Test(round, one_who_comes_online_is_awaited_by_later_rounds, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *member = joined();
    uint64_t before, after;

    brolga_epoch_offline(member);
    before = brolga__epoch_begin_round(epoch);
    brolga_epoch_online(member);
    after = brolga__epoch_begin_round(epoch);
    cr_assert(brolga__epoch_passed(epoch, before));
    cr_assert_not(brolga__epoch_passed(epoch, after));
    brolga_epoch_quiesce(member);
    cr_assert(brolga__epoch_passed(epoch, after));
    brolga_epoch_leave(member);
}

Test(round, an_older_announcement_is_not_enough, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *member = joined();
    uint64_t older = brolga__epoch_begin_round(epoch);
    uint64_t newer = brolga__epoch_begin_round(epoch);

    brolga__epoch_announce(member, older);
    cr_assert(brolga__epoch_passed(epoch, older));
    cr_assert_not(brolga__epoch_passed(epoch, newer));
    brolga_epoch_leave(member);
}

Test(round, synchronize_gives_up_at_the_deadline, .init = open_epoch,
     .fini = close_epoch)
{
    brolga_epoch_member *member = joined();

    cr_assert_eq(brolga_epoch_synchronize(epoch, BROLGA_NOW), BROLGA_ETIMEOUT);
    cr_assert_eq(brolga_epoch_synchronize(epoch, brolga_after_ns(BROLGA_MS)),
                 BROLGA_ETIMEOUT);
    brolga_epoch_leave(member);
    cr_assert_eq(brolga_epoch_synchronize(epoch, BROLGA_NOW), BROLGA_OK);
}

static _Atomic int synchronized;

static void *wait_one_round(void *arg)
{
    int *err = arg;

    *err = brolga_epoch_synchronize(epoch, BROLGA_FOREVER);
    brolga__store_relaxed(&synchronized, 1);
    return NULL;
}

Test(round, synchronize_waits_for_an_online_member, .timeout = 30,
     .init = open_epoch, .fini = close_epoch)
{
    brolga_epoch_member *member = joined();
    uint64_t before = brolga__epoch_round(epoch);
    pthread_t waiter;
    int err = BROLGA_EFAILED;

    brolga__store_relaxed(&synchronized, 0);
    cr_assert_eq(pthread_create(&waiter, NULL, wait_one_round, &err), 0);
    cr_assert(wait_until(brolga__epoch_round(epoch) > before));
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(brolga__load_relaxed(&synchronized), 0);
        (void)sched_yield();
    }
    brolga_epoch_quiesce(member);
    cr_assert_eq(pthread_join(waiter, NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&synchronized), 1);
    cr_assert_eq(err, BROLGA_OK);
    brolga_epoch_leave(member);
}
