/*
 * Goal: a slot that tasks call by its number keeps the number, and code behind
 * it, until the last of them leaves (C5); a commit that would take it away from
 * them is refused with their number (C7).
 * Method: tasks are only entered and left here; removals, redefinitions and
 * strangers that look for a free number in between.
 */
#include "got/world.h"

static brolga_slot entered(const char *module, const char *symbol)
{
    brolga_slot slot = found(module, symbol);

    cr_assert_eq(brolga__slot_enter(got, slot), BROLGA_OK);
    return slot;
}

Test(runner, a_number_that_is_not_defined_is_refused, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_slot f, import;

    f = defined(txn, staged(txn, made(1)), "m", "f", INT_FN);
    cr_assert_eq(brolga__slot_enter(got, 0), BROLGA_ENOENT);
    cr_assert_eq(brolga__slot_enter(got, f), BROLGA_ENOENT); /* Not yet. */
    cr_assert_eq(brolga__slot_enter(got, f + 1), BROLGA_ENOENT);
    cr_assert_eq(brolga__slot_enter(got, 4000000), BROLGA_ENOENT);
    cr_assert_eq(brolga__slot_enter(got, UINT32_MAX), BROLGA_ENOENT);
    committed(txn);
    (void)published_user("user", "main", "m", "f", &import);
    emptied("m", true);
    /* Its code is there for the importer only. */
    cr_assert_eq(called(f), 1);
    cr_assert_eq(brolga__slot_enter(got, f), BROLGA_ENOENT);
    emptied("user", false);
    reclaimed();
    cr_assert_eq(brolga__slot_enter(got, f), BROLGA_ENOENT);
    cr_assert_eq(stats().slots, 0);
}

Test(runner, c7_taking_the_slot_away_is_refused, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    f = entered("m", "f");
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    refused(txn, BROLGA_REFUSED_IMPORTERS,
            "1 running task calls m.f as " INT_FN, "would change or go");
    (void)entered("m", "f");
    txn = begun();
    (void)defined(txn, staged(txn, made(2)), "m", "f", "(Fn [] Int)");
    refused(txn, BROLGA_REFUSED_IMPORTERS,
            "2 running tasks call m.f as " INT_FN, "would change or go");
    cr_assert_eq(called(f), 1);
    brolga__slot_leave(got, f);
    brolga__slot_leave(got, f);
    emptied("m", false);
    cr_assert_eq(stats().slots, 0);
}

Test(runner, c7_importers_and_tasks_are_named_together, .init = world_open,
     .fini = world_close)
{
    brolga_slot f, import;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &import);
    f = entered("m", "f");
    txn = begun();
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    refused(txn, BROLGA_REFUSED_IMPORTERS, "unit1 imports m.f",
            "; 1 running task calls m.f");
    brolga__slot_leave(got, f);
}

/* A runner looks the code up each time: it keeps a slot, and no code. */
Test(runner, new_code_in_the_slot_is_welcome, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = entered("m", "f");
    for (int i = 0; i < 5; i++) {
        (void)published("m", "f", INT_FN, 10 + i);
        reclaimed();
        cr_assert_eq(jit_releases(&units[i]), 1);
        cr_assert_eq(called(f), 10 + i);
    }
    brolga__slot_leave(got, f);
}

Test(runner, c5_stale_tasks_keep_number_and_code_until_the_last_leaves,
     .init = world_open, .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = entered("m", "f");
    (void)entered("m", "f");
    emptied("m", true);
    for (int i = 0; i < 5; i++) {
        char symbol[16];

        reclaimed();
        (void)snprintf(symbol, sizeof symbol, "g%d", i);
        (void)published("m", symbol, INT_FN, 100 + i);
        cr_assert_neq(found("m", symbol), f);
        cr_assert_eq(jit_releases(&units[0]), 0);
        cr_assert_eq(called(f), 1);
        if (i == 2) /* One of them stays. */
            brolga__slot_leave(got, f);
    }
    brolga__slot_leave(got, f);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(code_at(f), brolga__version_missing());
    cr_assert_eq(stats().slots, 5);
}

Test(runner, c5_an_importer_that_goes_first_does_not_take_the_code,
     .init = world_open, .fini = world_close)
{
    brolga_slot f, import;
    brolga_txn *txn;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &import);
    f = entered("m", "f");
    txn = begun();
    brolga_txn_allow_stale(txn);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "user"), BROLGA_OK);
    committed(txn);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_releases(&units[1]), 1);
    cr_assert_eq(called(f), 1);
    brolga__slot_leave(got, f);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(runner, a_slot_that_comes_back_is_the_same, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = entered("m", "f");
    emptied("m", true);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(found("m", "f"), f);
    cr_assert_eq(called(f), 2);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    brolga__slot_leave(got, f);
    cr_assert_eq(called(f), 2);
}
