/*
 * Goal: what cannot be committed is refused with its reason and a text that
 * names the culprits; nothing has changed then (C7).
 * Method: one transaction for each reason; refused() in world.h looks at the
 * report of the check and of the commit, and at the version.
 */
#include "got/txn.h"
#include "got/world.h"

Test(check, a_symbol_defined_twice_is_refused, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *one = made(1), *two = made(2);

    (void)defined(txn, staged(txn, one), "m", "f", INT_FN);
    (void)defined(txn, staged(txn, two), "m", "f", INT_FN);
    refused(txn, BROLGA_REFUSED_DUPLICATE, "m.f", "twice");
    cr_assert_eq(jit_releases(one), 1);
    cr_assert_eq(jit_releases(two), 1);
    cr_assert_eq(stats().slots, 0);
}

Test(check, a_symbol_defined_twice_with_two_signatures_is_refused,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)defined(txn, unit, "m", "f", "A");
    (void)defined(txn, unit, "m", "f", "B");
    refused(txn, BROLGA_REFUSED_DUPLICATE, "m.f", "twice");
    /* The same symbols in different modules are no duplicates. */
    txn = begun();
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "m", "f", "A");
    (void)defined(txn, unit, "n", "f", "A");
    committed(txn);
}

Test(check, an_import_of_nothing_is_refused_with_what_there_is,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "present", INT_FN, 1);
    txn = begun();
    unit = staged_as(txn, made(2), "wordcount", BROLGA_KEEP);
    (void)imported(txn, unit, "m", "absent", INT_FN);
    refused(txn, BROLGA_REFUSED_IMPORT, "here.c:7: wordcount imports m.absent",
            "present");
    txn = begun();
    unit = staged_as(txn, made(3), "wordcount", BROLGA_KEEP);
    (void)imported(txn, unit, "empty", "absent", INT_FN);
    refused(txn, BROLGA_REFUSED_IMPORT, "empty.absent", "nothing");
}

Test(check, an_import_with_another_signature_is_refused, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn;

    (void)published("m", "f", "(Fn [Int] Int)", 1);
    txn = begun();
    (void)imported(txn, staged(txn, made(2)), "m", "f", "(Fn [String] Int)");
    refused(txn, BROLGA_REFUSED_SIGNATURE, "(Fn [String] Int)",
            "(Fn [Int] Int)");
}

Test(check, imports_may_be_defined_by_the_same_transaction, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *a = staged(txn, made(1)), *b = staged(txn, made(2));

    /* Each imports the other's. */
    (void)imported(txn, a, "b", "g", INT_FN);
    (void)imported(txn, b, "a", "f", INT_FN);
    (void)defined(txn, a, "a", "f", INT_FN);
    (void)defined(txn, b, "b", "g", INT_FN);
    committed(txn);
    cr_assert_eq(called_by_name("a", "f"), 1);
    cr_assert_eq(called_by_name("b", "g"), 2);
}

Test(check, an_import_of_what_the_transaction_removes_is_refused,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "f", INT_FN, 1);
    txn = begun();
    unit = staged(txn, made(2));
    (void)imported(txn, unit, "m", "f", INT_FN);
    (void)defined(txn, unit, "m", "g", INT_FN);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    refused(txn, BROLGA_REFUSED_IMPORT, "m.f", "it defines g");
    cr_assert_eq(called_by_name("m", "f"), 1);
}

Test(check, a_changed_signature_is_refused_while_units_import_the_old,
     .init = world_open, .fini = world_close)
{
    brolga_slot slot;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &slot);
    txn = begun();
    (void)defined(txn, staged(txn, made(2)), "m", "f", "(Fn [] Int)");
    refused(txn, BROLGA_REFUSED_IMPORTERS, "unit1 imports m.f as " INT_FN,
            "rebuild");
    cr_assert_eq(called(slot), 1);
    cr_assert_eq(found("m", "f"), slot);
}

Test(check, a_removed_symbol_is_refused_while_units_import_it,
     .init = world_open, .fini = world_close)
{
    brolga_slot slot;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &slot);
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    refused(txn, BROLGA_REFUSED_IMPORTERS, "unit1", "m.f");
}

Test(check, importers_that_are_replaced_with_it_do_not_count,
     .init = world_open, .fini = world_close)
{
    brolga_slot old;
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &old);
    txn = begun();
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "m", "f", "(Fn [] Int)");
    unit = staged(txn, made(3));
    (void)imported(txn, unit, "m", "f", "(Fn [] Int)");
    (void)defined(txn, unit, "user", "main", INT_FN);
    committed(txn);
    cr_assert_eq(called_by_name("m", "f"), 2);
    cr_assert_eq(called_by_name("user", "main"), 3);
    cr_assert_eq(called(old), 1); /* While the old user lives. */
}

Test(check, stale_callers_are_accepted_on_request, .init = world_open,
     .fini = world_close)
{
    brolga_slot old;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &old);
    txn = begun();
    (void)defined(txn, staged(txn, made(2)), "m", "f", "(Fn [] Int)");
    brolga_txn_allow_stale(txn);
    committed(txn);
    cr_assert_neq(found("m", "f"), old);
    cr_assert_eq(called_by_name("m", "f"), 2);
    for (int i = 0; i < 3; i++) {
        reclaimed();
        (void)published("noise", "x", INT_FN, i);
        cr_assert_eq(called(old), 1);
    }
}

Test(check, checking_changes_nothing_and_may_be_repeated, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "f", INT_FN, 1);
    txn = begun();
    unit = staged(txn, made(2));
    (void)imported(txn, unit, "n", "later", INT_FN);
    (void)defined(txn, unit, "m", "f", INT_FN);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_EREFUSED);
        cr_assert_eq(report.refusal, BROLGA_REFUSED_IMPORT);
        cr_assert_eq(called_by_name("m", "f"), 1);
    }
    /* What was missing comes from another transaction meanwhile. */
    (void)published("n", "later", INT_FN, 3);
    cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_OK);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_NOT);
    cr_assert_str_eq(report.text, "");
    cr_assert_eq(called_by_name("m", "f"), 1);
    committed(txn);
    cr_assert_eq(called_by_name("m", "f"), 2);
}

Test(check, what_an_earlier_check_would_remove_may_be_gone, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "f", INT_FN, 1);
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_OK);
    emptied("m", false);
    cr_assert_eq(stats().slots, 0);
    /* This is found before the next look for what would be removed. */
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "n", "g", INT_FN);
    (void)defined(txn, unit, "n", "g", INT_FN);
    cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_DUPLICATE);
    cr_assert_eq(txn->removed_count, 0);
    refused(txn, BROLGA_REFUSED_DUPLICATE, "n.g", "twice");
}

Test(check, a_long_refusal_is_cut, .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));
    char symbol[120];

    for (int i = 0; i < 40; i++) {
        memset(symbol, 'a' + i % 26, sizeof symbol - 1);
        symbol[sizeof symbol - 1] = '\0';
        symbol[0] = (char)('A' + i);
        (void)defined(txn, unit, "m", symbol, INT_FN);
    }
    committed(txn);
    txn = begun();
    (void)imported(txn, staged(txn, made(2)), "m", "absent", INT_FN);
    refused(txn, BROLGA_REFUSED_IMPORT, "m.absent", "it defines");
}

/* --- limits ------------------------------------------------------------- */

Test(check, c6_live_versions_are_bounded)
{
    brolga_txn *txn;

    world_open_with(&(struct brolga_got_opts){.versions_max = 3});
    /* The test's member does not quiesce: nothing can be freed. */
    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(stats().versions_live, 3);
    txn = begun();
    (void)defined(txn, staged(txn, made(3)), "m", "f", INT_FN);
    refused(txn, BROLGA_REFUSED_LIMIT, "3 versions", "alive");
    cr_assert_eq(called_by_name("m", "f"), 2);
    brolga_epoch_quiesce(member);
    (void)published("m", "f", INT_FN, 4);
    cr_assert_eq(called_by_name("m", "f"), 4);
    world_close();
}

/* With only one, nothing could ever be committed. */
Test(check, at_least_two_versions_may_live)
{
    brolga_txn *txn;

    world_open_with(&(struct brolga_got_opts){.versions_max = 1});
    (void)published("m", "f", INT_FN, 1);
    cr_assert_eq(called_by_name("m", "f"), 1);
    txn = begun();
    (void)defined(txn, staged(txn, made(2)), "m", "f", INT_FN);
    refused(txn, BROLGA_REFUSED_LIMIT, "2 versions", "alive");
    world_close();
}

Test(check, c6_the_bytes_of_retired_units_are_bounded)
{
    brolga_txn *txn;

    world_open_with(&(struct brolga_got_opts){.retired_bytes_max = 1});
    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(stats().retired_bytes, brolga__plat_page_bytes());
    txn = begun();
    (void)defined(txn, staged(txn, made(3)), "m", "f", INT_FN);
    refused(txn, BROLGA_REFUSED_LIMIT, "bytes", "old code");
    reclaimed();
    cr_assert_eq(stats().retired_bytes, 0);
    (void)published("m", "f", INT_FN, 4);
    world_close();
}

Test(check, more_slots_than_cells_are_refused, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells;
    brolga_txn *txn;
    brolga_unit *unit;

    cr_assert_eq(brolga_cells_attach(got, "m", NULL, 2, &cells), BROLGA_OK);
    (void)published("m", "a", INT_FN, 1);
    txn = begun();
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "m", "b", INT_FN);
    (void)defined(txn, unit, "m", "c", INT_FN);
    refused(txn, BROLGA_REFUSED_LIMIT, "2 cells", "module m");
    (void)published("m", "b", INT_FN, 3);
    (void)published("m", "b", INT_FN, 4);
}
