/*
 * Goal: a barrier commit is a commit that is made while no member is online, or
 * nothing at all.
 * Method: a GOT without tasks, whose one member is this thread.
 */
#include "got/world.h"

static brolga_txn *staged_number(brolga_word value)
{
    brolga_txn *txn = begun();

    (void)defined(txn, staged(txn, made(value)), "m", "f", INT_FN);
    return txn;
}

Test(barrier, commits_while_nobody_runs, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_cells *cells = NULL;
    uint32_t index;

    cr_assert_eq(brolga_cells_attach(got, "m", NULL, 4, &cells), BROLGA_OK);
    brolga_epoch_offline(member);
    cr_assert_eq(
        brolga_txn_commit_barrier(staged_number(7), BROLGA_NOW, &report),
        BROLGA_OK);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_NOT);
    cr_assert_eq(report.version, 2);
    cr_assert_geq(report.waited_ns, report.commit_ns);
    cr_assert_eq(notified, 1);
    brolga_epoch_online(member); /* The gate is open again. */
    cr_assert_eq(called_by_name("m", "f"), 7);
    cr_assert_eq(brolga_cells_index(cells, found("m", "f"), &index), BROLGA_OK);
    cr_assert_eq(jit_call(brolga_cells_base(cells)[index], NULL), 7);
}

Test(barrier, c7_who_does_not_come_leaves_all_as_it_was, .init = world_open,
     .fini = world_close)
{
    struct brolga_got_stats before, after;
    struct brolga_report report;
    uint64_t deadline_ns;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    before = stats();
    txn = staged_number(2);
    deadline_ns = brolga_after_ns(5 * BROLGA_MS);
    cr_assert_eq(brolga_txn_commit_barrier(txn, deadline_ns, &report),
                 BROLGA_ETIMEOUT);
    cr_assert_geq(brolga_now_ns(), deadline_ns);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_BARRIER);
    cr_assert_neq(report.text[0], '\0');
    cr_assert_eq(report.task, 0);
    cr_assert_gt(report.waited_ns, 0);
    after = stats();
    cr_assert_eq(after.version, before.version);
    cr_assert_eq(after.slots, before.slots);
    cr_assert_eq(after.units_live, before.units_live);
    cr_assert_eq(jit_releases(&units[1]), 1);
    cr_assert_eq(called_by_name("m", "f"), 1);
    brolga_epoch_quiesce(member); /* The gate is open. */
}

Test(barrier, c7_a_refusal_stops_nobody, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));
    uint32_t gate = brolga__load_relaxed(&epoch->gate);

    (void)defined(txn, unit, "m", "f", INT_FN);
    (void)imported(txn, unit, "m", "nowhere", INT_FN);
    cr_assert_eq(brolga_txn_commit_barrier(txn, BROLGA_NOW, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_IMPORT);
    cr_assert_eq(brolga__load_relaxed(&epoch->gate), gate);
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(barrier, c7_want_of_memory_behind_the_gate_opens_it, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = staged_number(1);

    brolga_epoch_offline(member);
    brolga__alloc_fail_nth(1); /* The table of the next version. */
    cr_assert_eq(brolga_txn_commit_barrier(txn, BROLGA_NOW, &report),
                 BROLGA_EREFUSED);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_MEMORY);
    cr_assert_eq(jit_releases(&units[0]), 1);
    brolga_epoch_online(member);
    cr_assert_eq(brolga_got_version(got), 1);
}

Test(barrier, waits_for_versions_that_are_held, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;

    brolga_epoch_offline(member);
    brolga__version_hold(brolga__load_relaxed(&got->current));
    cr_assert_eq(brolga_txn_commit_barrier(staged_number(1),
                                           brolga_after_ns(BROLGA_MS), &report),
                 BROLGA_ETIMEOUT);
    brolga__version_unhold(brolga__load_relaxed(&got->current));
    cr_assert_eq(brolga_txn_commit_barrier(staged_number(1), BROLGA_NOW, NULL),
                 BROLGA_OK);
    brolga_epoch_online(member);
}
