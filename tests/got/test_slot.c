/*
 * Goal: a slot is (module, symbol, signature); its number stays while anything
 * uses it, and is given to another one only when nobody imports it.
 * Method: commits of small units; numbers compared before and after; then
 * thousands of names, staged and dropped, against what is still to be found.
 */
#include "got/world.h"

Test(slot, identity_is_module_symbol_and_signature, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));
    brolga_slot a = defined(txn, unit, "m", "f", INT_FN);

    cr_assert_neq(a, 0);
    cr_assert_eq(imported(txn, unit, "m", "f", INT_FN), a);
    cr_assert_neq(imported(txn, unit, "m", "f", "(Fn [] Int)"), a);
    cr_assert_neq(imported(txn, unit, "m", "g", INT_FN), a);
    cr_assert_neq(imported(txn, unit, "n", "f", INT_FN), a);
    brolga_txn_abort(txn);
}

Test(slot, numbers_are_stable_across_commits, .init = world_open,
     .fini = world_close)
{
    brolga_slot f, g;

    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "g", INT_FN, 2);
    f = found("m", "f");
    g = found("m", "g");
    for (int i = 0; i < 5; i++) {
        (void)published("m", "f", INT_FN, 10 + i);
        (void)published("other", "f", INT_FN, 0);
        cr_assert_eq(found("m", "f"), f);
        cr_assert_eq(found("m", "g"), g);
        cr_assert_eq(called(f), 10 + i);
        cr_assert_eq(called(g), 2);
        reclaimed();
    }
}

Test(slot, find_knows_what_the_current_version_defines, .init = world_open,
     .fini = world_close)
{
    brolga_slot slot = 77;

    (void)published("m", "f", INT_FN, 1);
    cr_assert_eq(brolga_got_find(got, "m", "g", NULL, &slot), BROLGA_ENOENT);
    cr_assert_eq(brolga_got_find(got, "n", "f", NULL, &slot), BROLGA_ENOENT);
    cr_assert_eq(brolga_got_find(got, "m", "f", "Int", &slot), BROLGA_ENOENT);
    cr_assert_eq(slot, 77);
    cr_assert_eq(brolga_got_find(got, "m", "f", INT_FN, &slot), BROLGA_OK);
    cr_assert_eq(slot, found("m", "f"));
    emptied("m", false);
    cr_assert_eq(brolga_got_find(got, "m", "f", NULL, &slot), BROLGA_ENOENT);
}

Test(slot, find_does_not_know_what_is_only_staged, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_slot slot;

    (void)defined(txn, staged(txn, made(1)), "m", "f", INT_FN);
    cr_assert_eq(brolga_got_find(got, "m", "f", INT_FN, &slot), BROLGA_ENOENT);
    brolga_txn_abort(txn);
}

Test(slot, a_number_is_recycled_when_nobody_imports_it, .init = world_open,
     .fini = world_close)
{
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    emptied("m", false);
    cr_assert_eq(stats().slots, 0);
    cr_assert_eq(code_at(f), brolga__version_missing());
    (void)published("m", "g", INT_FN, 2);
    cr_assert_eq(found("m", "g"), f);
}

Test(slot, a_number_is_not_recycled_while_a_unit_imports_it, .init = world_open,
     .fini = world_close)
{
    brolga_slot import;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &import);
    emptied("m", true);
    reclaimed();
    for (int i = 0; i < 20; i++) {
        char symbol[16];

        (void)snprintf(symbol, sizeof symbol, "g%d", i);
        (void)published("m", symbol, INT_FN, 100 + i);
        cr_assert_neq(found("m", symbol), import);
        reclaimed();
    }
    cr_assert_eq(called(import), 1); /* Old code for old callers. */
}

Test(slot, the_limit_is_reported_and_leaves_nothing)
{
    brolga_txn *txn;
    brolga_unit *unit;
    brolga_slot slot = 0;

    world_open_with(&(struct brolga_got_opts){.slots_max = 3});
    (void)published("m", "a", INT_FN, 1);
    txn = begun();
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "m", "b", INT_FN);
    (void)imported(txn, unit, "m", "c", INT_FN);
    cr_assert_eq(brolga_txn_define(txn, unit, "m", "d", INT_FN,
                                   (const void *)unit->low, &slot),
                 BROLGA_ELIMIT);
    cr_assert_eq(brolga_txn_import(txn, unit, "m", "e", INT_FN, NULL, &slot),
                 BROLGA_ELIMIT);
    cr_assert_eq(slot, 0);
    brolga_txn_abort(txn);
    cr_assert_eq(stats().slots, 1);
    (void)published("m", "b", INT_FN, 2);
    (void)published("m", "c", INT_FN, 3);
    cr_assert_eq(called_by_name("m", "a"), 1);
    cr_assert_eq(called_by_name("m", "c"), 3);
    world_close();
}

#define NAMES 3000

static const char *name_of(int i)
{
    static char name[16];

    (void)snprintf(name, sizeof name, "f%d", i);
    return name;
}

Test(slot, thousands_of_names_are_found_again, .init = world_open,
     .fini = world_close)
{
    static brolga_slot slots[NAMES];
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(5));

    for (int i = 0; i < NAMES; i++) {
        slots[i] =
            defined(txn, unit, i % 2 ? "odd" : "even", name_of(i), INT_FN);
        for (int j = i - 1; j >= 0 && j > i - 50; j--)
            cr_assert_neq(slots[i], slots[j]);
    }
    committed(txn);
    cr_assert_eq(stats().slots, NAMES);
    for (int i = 0; i < NAMES; i++) {
        cr_assert_eq(found(i % 2 ? "odd" : "even", name_of(i)), slots[i]);
        cr_assert_eq(called(slots[i]), 5);
    }
    emptied("odd", false);
    for (int i = 0; i < NAMES; i++) {
        brolga_slot slot;
        int err = brolga_got_find(got, i % 2 ? "odd" : "even", name_of(i), NULL,
                                  &slot);

        cr_assert_eq(err, i % 2 ? BROLGA_ENOENT : BROLGA_OK);
    }
    cr_assert_eq(stats().slots, NAMES / 2);
}

Test(slot, names_that_come_and_go_do_not_fill_the_index, .init = world_open,
     .fini = world_close)
{
    (void)published("m", "kept", INT_FN, 9);
    for (int i = 0; i < 20; i++) {
        brolga_txn *txn = begun();
        brolga_unit *unit = staged(txn, made(i));

        for (int j = 0; j < 200; j++)
            (void)defined(txn, unit, "m", name_of(i * 200 + j), INT_FN);
        brolga_txn_abort(txn);
        cr_assert_eq(stats().slots, 1);
        cr_assert_eq(called_by_name("m", "kept"), 9);
    }
    cr_assert_leq(got->slot_end, 300);
}

Test(slot, a_kept_unit_does_not_hold_the_slots_that_it_lost, .init = world_open,
     .fini = world_close)
{
    brolga_slot slot, user;
    brolga_txn *txn = begun();
    brolga_unit *unit = staged_as(txn, made(1), "kept", BROLGA_KEEP);

    slot = defined(txn, unit, "m", "f", INT_FN);
    committed(txn);
    (void)published_user("u", "g", "m", "f", &user);
    cr_assert_eq(user, slot);
    emptied("m", true); /* u.g goes on calling it. */
    cr_assert_eq(stats().slots, 2);
    cr_assert_eq(called(slot), 1);
    (void)published("u", "g", INT_FN, 2);
    reclaimed();
    cr_assert_eq(stats().slots, 1);
    cr_assert_neq(code_at(slot), (const void *)units[0].text);
    (void)published("m", "h", INT_FN, 3);
    cr_assert_eq(found("m", "h"), slot);
}
