/*
 * Goal: a commit publishes all of a transaction as the next version, at once,
 * and takes nothing away that somebody may still call.
 * Method: commits of several modules, looked at through the current version
 * and through versions that a reader still has.
 */
#include "got/world.h"

#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

Test(commit, c1_all_modules_become_visible_together, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *a = staged(txn, made(1)), *b = staged(txn, made(2));
    brolga_slot f = defined(txn, a, "a", "f", INT_FN);
    brolga_slot g = defined(txn, b, "b", "g", INT_FN);

    committed(txn);
    txn = begun();
    a = staged(txn, made(10));
    b = staged(txn, made(20));
    (void)defined(txn, a, "a", "f", INT_FN);
    cr_assert_eq(called(f), 1);
    (void)defined(txn, b, "b", "g", INT_FN);
    cr_assert_eq(called(f), 1);
    cr_assert_eq(called(g), 2);
    committed(txn);
    cr_assert_eq(called(f), 10);
    cr_assert_eq(called(g), 20);
}

Test(commit, versions_are_numbered_one_by_one, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;

    cr_assert_eq(brolga_got_version(got), 1);
    for (uint64_t i = 2; i < 8; i++) {
        brolga_txn *txn = begun();

        (void)defined(txn, staged(txn, made(1)), "m", "f", INT_FN);
        cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK);
        cr_assert_eq(report.version, i);
        cr_assert_lt(report.commit_ns, 10 * BROLGA_S);
        cr_assert_eq(brolga_got_version(got), i);
        cr_assert_eq(stats().commits, i - 1);
        cr_assert_eq(notified, (int)i - 1);
    }
}

Test(commit, a_report_is_optional, .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();

    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
    txn = begun();
    (void)imported(txn, staged(txn, made(1)), "no", "where", INT_FN);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_EREFUSED);
    cr_assert_eq(brolga_got_version(got), 2);
}

Test(commit, c2_an_old_table_is_not_touched, .init = world_open,
     .fini = world_close)
{
    struct brolga_view view = {0};
    struct brolga__version *version = NULL;
    brolga_slot f, g;

    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "g", INT_FN, 2);
    f = found("m", "f");
    g = found("m", "g");
    cr_assert(brolga__view_adopt(got, &view, &version));
    (void)published("m", "f", INT_FN, 10);
    emptied("m", false);
    for (int i = 0; i < 3; i++) {
        (void)published("n", "h", INT_FN, i);
        (void)brolga__got_reclaim(got); /* We have not quiesced. */
        cr_assert_eq(jit_call(view.slots[f], NULL), 1);
        cr_assert_eq(jit_call(view.slots[g], NULL), 2);
    }
    cr_assert_eq(version->number, 3);
}

Test(commit, c4_a_commit_waits_for_no_reader, .init = world_open,
     .fini = world_close)
{
    struct brolga_got_stats now;

    /* The test's member is online and never quiesces: if a commit waited for
     * it, this would not end. */
    for (int i = 0; i < 7; i++)
        (void)published("m", "f", INT_FN, i);
    now = stats();
    cr_assert_eq(now.versions_live, 8);
    cr_assert_eq(called_by_name("m", "f"), 6);
}

Test(commit, a_module_that_is_replaced_loses_its_other_symbols,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn;
    brolga_slot g, slot;

    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "g", INT_FN, 2);
    (void)published("n", "h", INT_FN, 3);
    g = found("m", "g");
    txn = begun();
    (void)defined(txn, staged(txn, made(10)), "m", "f", INT_FN);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    committed(txn);
    cr_assert_eq(called_by_name("m", "f"), 10);
    cr_assert_eq(called_by_name("n", "h"), 3);
    cr_assert_eq(brolga_got_find(got, "m", "g", NULL, &slot), BROLGA_ENOENT);
    cr_assert_eq(code_at(g), brolga__version_missing());
}

Test(commit, a_removed_slot_that_is_imported_keeps_its_code, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &f);
    emptied("m", true);
    cr_assert_eq(called(f), 1);
    /* Defined again, the slot is the same one. */
    (void)published("m", "f", INT_FN, 5);
    cr_assert_eq(found("m", "f"), f);
    cr_assert_eq(called(f), 5);
    cr_assert_eq(stats().units_retired, 1);
}

Test(commit, a_table_grows_with_its_slots, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    for (int round = 0; round < 3; round++) {
        brolga_txn *txn = begun();
        brolga_unit *unit = staged(txn, made(round));
        char symbol[32];

        for (int i = 0; i < 1500; i++) {
            (void)snprintf(symbol, sizeof symbol, "r%di%d", round, i);
            (void)defined(txn, unit, "big", symbol, INT_FN);
        }
        committed(txn);
        reclaimed(); /* So that small tables lie ready to be used again. */
        cr_assert_eq(called(f), 1);
        cr_assert_eq(called_by_name("big", "r0i0"), 0);
        cr_assert_eq(called_by_name("big", symbol), round);
    }
    cr_assert_eq(stats().slots, 4501);
}

Test(commit, a_unit_without_definitions_is_retired_at_once, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(1);

    (void)staged(txn, code);
    committed(txn);
    cr_assert_eq(stats().units_live, 0);
    cr_assert_eq(stats().units_retired, 1);
    reclaimed();
    cr_assert_eq(jit_releases(code), 0); /* Its version is the current one. */
    (void)published("m", "f", INT_FN, 1);
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}

#ifndef CRITERION_STAND_IN
Test(commit, a_call_through_a_removed_slot_says_so, .signal = SIGABRT)
{
    brolga_slot f;

    world_open();
    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    emptied("m", false);
    (void)called(f);
}
#endif
