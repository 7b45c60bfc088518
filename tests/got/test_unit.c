/*
 * Goal: a unit keeps to its life (got.h), its policy and its pins.
 * Method: units through commits and retirement, states looked at directly.
 */
#include "got/world.h"

#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

Test(unit, lives_from_its_commit_to_the_loss_of_its_last_slot,
     .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)defined(txn, unit, "m", "f", INT_FN);
    (void)defined(txn, unit, "m", "g", INT_FN);
    cr_assert_eq(unit->state, BROLGA__UNIT_STAGED);
    committed(txn);
    cr_assert_eq(unit->state, BROLGA__UNIT_LIVE);
    cr_assert_eq(stats().units_live, 1);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(unit->state, BROLGA__UNIT_LIVE);
    (void)published("m", "g", INT_FN, 3);
    cr_assert_eq(unit->state, BROLGA__UNIT_RETIRED);
    cr_assert_eq(unit->first_version, 2);
    cr_assert_eq(unit->last_version, 3);
    cr_assert_eq(stats().units_live, 2);
    cr_assert_eq(stats().units_retired, 1);
}

Test(unit, keep_is_never_released_before_the_end, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(1);

    (void)defined(txn, staged_as(txn, code, "kept", BROLGA_KEEP), "m", "f",
                  INT_FN);
    committed(txn);
    (void)published("m", "f", INT_FN, 2);
    for (int i = 0; i < 5; i++)
        reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    cr_assert_eq(jit_call(code->text, NULL), 1);
    cr_assert_eq(stats().units_kept, 1);
    cr_assert_eq(stats().units_retired, 0);
    cr_assert_eq(stats().retired_bytes, 0);
    /* world_close() sees that it is released once then. */
}

Test(unit, a_unit_needs_no_release_and_no_name)
{
    struct brolga_unit_opts opts;
    struct jit_unit code;
    brolga_txn *txn;
    brolga_unit *unit;

    world_open();
    cr_assert(jit_make_constant(&code, 1));
    opts = jit_opts(&code, NULL, BROLGA_RECLAIM);
    opts.release = NULL;
    txn = begun();
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_str_eq(unit->name, "unit");
    (void)defined(txn, unit, "m", "f", INT_FN);
    committed(txn);
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    cr_assert_eq(stats().units_reclaimed, 1);
    jit_unmap(&code);
    world_close();
}

Test(unit, a_pin_is_found_by_address, .init = world_open, .fini = world_close)
{
    brolga_unit *unit = published("m", "f", INT_FN, 1);
    const char *text = units[0].text;

    cr_assert_eq(brolga_got_pin_address(got, text), unit);
    cr_assert_eq(brolga_got_pin_address(got, text + units[0].bytes - 1), unit);
    cr_assert_null(brolga_got_pin_address(got, text + units[0].bytes));
    cr_assert_null(brolga_got_pin_address(got, text - 1));
    cr_assert_null(brolga_got_pin_address(got, NULL));
    cr_assert_null(brolga_got_pin_address(got, &unit));
    brolga_unit_unpin(unit);
    brolga_unit_unpin(unit);
}

Test(unit, retired_and_kept_units_are_found_by_address_too, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *kept = staged_as(txn, made(1), "kept", BROLGA_KEEP), *retired;

    (void)defined(txn, kept, "m", "f", INT_FN);
    committed(txn);
    retired = published("m", "f", INT_FN, 2);
    (void)published("m", "f", INT_FN, 3);
    cr_assert_eq(brolga_got_pin_address(got, units[0].text), kept);
    cr_assert_eq(brolga_got_pin_address(got, units[1].text), retired);
    brolga_unit_unpin(kept);
    brolga_unit_unpin(retired);
}

Test(unit, a_pinned_unit_stays_until_the_last_pin_is_dropped,
     .init = world_open, .fini = world_close)
{
    brolga_unit *unit = published("m", "f", INT_FN, 1);

    brolga_unit_pin(unit);
    brolga_unit_pin(unit);
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    brolga_unit_unpin(unit);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(jit_call(units[0].text, NULL), 1);
    cr_assert_eq(stats().units_retired, 1);
    brolga_unit_unpin(unit);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(stats().units_retired, 0);
}

Test(unit, follows_the_diagram_of_its_life)
{
    /* The diagram of got.h, as a table: from, to. */
    static const enum brolga__unit_state moves[][2] = {
        {BROLGA__UNIT_STAGED, BROLGA__UNIT_LIVE},
        {BROLGA__UNIT_LIVE, BROLGA__UNIT_RETIRED},
        {BROLGA__UNIT_RETIRED, BROLGA__UNIT_SUSPECT},
        {BROLGA__UNIT_SUSPECT, BROLGA__UNIT_RETIRED},
        {BROLGA__UNIT_SUSPECT, BROLGA__UNIT_CLEAN},
        {BROLGA__UNIT_CLEAN, BROLGA__UNIT_RETIRED},
        {BROLGA__UNIT_CLEAN, BROLGA__UNIT_GONE},
        {BROLGA__UNIT_LIVE, BROLGA__UNIT_KEPT},
    };

    for (size_t i = 0; i < brolga__lengthof(moves); i++) {
        struct brolga_unit unit = {.state = moves[i][0]};

        brolga__unit_set_state(&unit, moves[i][1]);
        cr_assert_eq(unit.state, moves[i][1]);
    }
}

#ifndef CRITERION_STAND_IN
Test(unit, an_illegal_move_aborts, .signal = SIGABRT)
{
    struct brolga_unit unit = {.state = BROLGA__UNIT_RETIRED};

    brolga__unit_set_state(&unit, BROLGA__UNIT_GONE);
}

Test(unit, dropping_a_pin_that_was_not_made_aborts, .signal = SIGABRT)
{
    struct brolga_unit unit = {.state = BROLGA__UNIT_LIVE};

    brolga_unit_unpin(&unit);
}
#endif
