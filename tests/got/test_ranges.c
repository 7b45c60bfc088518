/*
 * Goal: a unit is found by any address in its text from its commit until it is
 * proven clean, without a lock.
 * Method: units in each of their states; then a reader that looks for one unit
 * that is always there while others come and go around it.
 */
#include "got/world.h"

#include "epoch/epoch.h"

#include <pthread.h>

static struct brolga_unit *found_at(const struct brolga_unit *unit,
                                    size_t offset)
{
    return brolga__ranges_find(got, unit->low + offset);
}

static void step(void)
{
    brolga_epoch_quiesce(member);
    (void)brolga__got_reclaim(got);
}

Test(ranges, a_unit_is_found_from_its_commit_on, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    (void)defined(txn, unit, "m", "f", INT_FN);
    cr_assert_null(found_at(unit, 0));
    committed(txn);
    cr_assert_eq(found_at(unit, 0), unit);
    cr_assert_null(brolga__ranges_find(got, 0));
    cr_assert_null(brolga__ranges_find(got, UINTPTR_MAX));
}

/* With neighbours, so that it is not the quick look that says no. */
Test(ranges, edges, .init = world_open, .fini = world_close)
{
    struct brolga_unit *unit[3];
    uintptr_t page = brolga__plat_page_bytes();
    char symbol[] = "a";

    for (int i = 0; i < 3; i++, symbol[0]++) {
        unit[i] = published("m", symbol, INT_FN, i);
        unit[i]->high -= page / 2;
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(found_at(unit[i], 0), unit[i]);
        cr_assert_eq(found_at(unit[i], page / 2 - 1), unit[i]);
        cr_assert_null(found_at(unit[i], page / 2));
        cr_assert_null(found_at(unit[i], page - 1));
    }
    for (int i = 0; i < 3; i++)
        unit[i]->high += page / 2;
}

Test(ranges, what_was_aborted_is_not_found, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));
    uintptr_t low = unit->low;

    brolga_txn_abort(txn);
    cr_assert_null(brolga__ranges_find(got, low));
}

Test(ranges, a_kept_unit_is_found, .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged_as(txn, made(1), "kept", BROLGA_KEEP);

    (void)defined(txn, unit, "m", "f", INT_FN);
    committed(txn);
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    cr_assert_eq(found_at(unit, 0), unit);
}

Test(ranges, c5_a_retired_unit_is_found_until_it_is_clean, .init = world_open,
     .fini = world_close)
{
    brolga_unit *unit = published("m", "f", INT_FN, 1);
    uintptr_t low = unit->low;

    stack.words[3] = low;
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    cr_assert_eq(unit->state, BROLGA__UNIT_SUSPECT);
    cr_assert_eq(brolga__ranges_find(got, low), unit);
    stack.words[3] = 0;
    while (unit->state != BROLGA__UNIT_CLEAN)
        step();
    cr_assert_null(brolga__ranges_find(got, low));
    reclaimed();
    cr_assert_null(brolga__ranges_find(got, low));
}

/* A reader that found it just before it was clean, and pins it now. */
Test(ranges, c5_a_pin_at_the_last_moment_brings_it_back, .init = world_open,
     .fini = world_close)
{
    brolga_unit *unit = published("m", "f", INT_FN, 1), *last;

    (void)published("m", "f", INT_FN, 2);
    last = found_at(unit, 0);
    while (unit->state != BROLGA__UNIT_CLEAN)
        step();
    brolga_unit_pin(last);
    reclaimed();
    cr_assert_eq(found_at(unit, 0), unit);
    brolga_unit_unpin(unit);
    reclaimed();
    cr_assert_eq(stats().units_retired, 0);
}

/* --- a reader beside a writer ------------------------------------------- */

struct reader {
    struct brolga_unit *fixed;
    _Atomic bool begun, stop;
    _Atomic int missed;
};

static void *read_all_the_time(void *arg)
{
    struct reader *reader = arg;
    brolga_epoch_member *self;
    uintptr_t low = reader->fixed->low;

    if (brolga_epoch_join(epoch, &self) != BROLGA_OK)
        return NULL;
    while (!brolga__load_relaxed(&reader->stop)) {
        if (brolga__ranges_find(got, low) != reader->fixed)
            (void)brolga__add_relaxed(&reader->missed, 1);
        brolga__store_relaxed(&reader->begun, true);
        brolga_epoch_quiesce(self);
    }
    brolga_epoch_leave(self);
    return NULL;
}

Test(ranges, c5_a_reader_needs_no_lock, .init = world_open, .fini = world_close,
     .timeout = 60)
{
    struct reader reader = {.fixed = published("m", "fixed", INT_FN, 1)};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, read_all_the_time, &reader), 0);
    while (!brolga__load_relaxed(&reader.begun))
        continue;
    for (int i = 0; i < 400; i++) {
        (void)published("m", i % 2 == 0 ? "even" : "odd", INT_FN, i);
        do /* Until the reader has moved on, too. */
            step();
        while (stats().versions_live > 1);
    }
    brolga__store_relaxed(&reader.stop, true);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&reader.missed), 0);
}
