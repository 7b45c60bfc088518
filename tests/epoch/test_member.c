/*
 * Goal: epochs and members come and go without a trace.
 * Method: counts of allocations around each life, and each one failing.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "epoch/epoch.h"

Test(member, epochs_and_members_leave_no_memory_behind)
{
    int64_t before = brolga__alloc_live();
    brolga_epoch *epoch;
    brolga_epoch_member *members[10];

    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(brolga_epoch_join(epoch, &members[i]), BROLGA_OK);
    for (int i = 0; i < 10; i++)
        brolga_epoch_leave(members[i]);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
    cr_assert_eq(brolga__alloc_live(), before);
}

Test(member, destroy_is_refused_while_a_member_is_left)
{
    brolga_epoch *epoch;
    brolga_epoch_member *member;

    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_EBUSY);
    brolga_epoch_offline(member);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_EBUSY);
    brolga_epoch_online(member);
    brolga_epoch_quiesce(member);
    brolga_epoch_leave(member);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

Test(member, want_of_memory_is_reported_and_changes_nothing)
{
    brolga_epoch *epoch = NULL;
    brolga_epoch_member *member = NULL;
    int64_t before;

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_ENOMEM);
    cr_assert_null(epoch);
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    before = brolga__alloc_live();
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_ENOMEM);
    cr_assert_null(member);
    cr_assert_eq(brolga__alloc_live(), before);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

static void *live_many_times(void *arg)
{
    for (int i = 0; i < 200; i++) {
        brolga_epoch_member *member;

        if (brolga_epoch_join(arg, &member) != BROLGA_OK)
            return arg;
        brolga_epoch_quiesce(member);
        brolga_epoch_offline(member);
        brolga_epoch_online(member);
        brolga_epoch_leave(member);
    }
    return NULL;
}

Test(member, threads_join_and_leave_at_the_same_time, .timeout = 30)
{
    brolga_epoch *epoch;
    pthread_t threads[4];
    void *failed;

    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, live_many_times, epoch),
                     0);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(brolga_epoch_synchronize(epoch, BROLGA_FOREVER),
                     BROLGA_OK);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], &failed), 0);
        cr_assert_null(failed);
    }
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}
