/*
 * Goal: staging says what is wrong at once, is invisible to everyone, and can
 * be taken back whole (C7), also when memory runs out at any point.
 * Method: wrong arguments; aborts; every allocation of a transaction failing
 * in turn, with everything that can be counted compared before and after.
 */
#include "got/world.h"

Test(txn, wrong_arguments_are_refused_at_once, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(1);
    struct brolga_unit_opts opts = jit_opts(code, "u", BROLGA_KEEP);
    brolga_unit *unit = NULL;
    brolga_slot slot = 0;

    cr_assert_eq(brolga_txn_unit(txn, NULL, &unit), BROLGA_EINVAL);
    opts.text_bytes = 0;
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_EINVAL);
    opts = jit_opts(code, "u", BROLGA_KEEP);
    opts.text = NULL;
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_EINVAL);
    cr_assert_null(unit);
    unit = staged(txn, code);
    cr_assert_eq(
        brolga_txn_define(txn, unit, NULL, "f", INT_FN, code->text, &slot),
        BROLGA_EINVAL);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", NULL, INT_FN, code->text, &slot),
        BROLGA_EINVAL);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "f", NULL, code->text, &slot),
        BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_import(txn, unit, NULL, "f", INT_FN, NULL, &slot),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_import(txn, unit, "m", NULL, INT_FN, NULL, &slot),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_import(txn, unit, "m", "f", NULL, NULL, &slot),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_replace(txn, NULL), BROLGA_EINVAL);
    cr_assert_eq(slot, 0);
    cr_assert_eq(stats().slots, 0);
    brolga_txn_abort(txn);
}

Test(txn, c7_a_unit_that_lives_is_not_changed, .init = world_open,
     .fini = world_close)
{
    brolga_unit *live = published("m", "f", INT_FN, 1);
    brolga_txn *txn = begun();
    brolga_slot slot = 0;

    cr_assert_eq(brolga_txn_import(txn, live, "n", "g", INT_FN, NULL, &slot),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_define(txn, live, "m", "h", INT_FN,
                                   (const void *)live->low, &slot),
                 BROLGA_EINVAL);
    cr_assert_eq(slot, 0);
    cr_assert_eq(live->import_count, 0);
    brolga_txn_abort(txn);
    cr_assert_eq(stats().slots, 1);
}

Test(txn, code_must_lie_in_its_unit, .init = world_open, .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(1);
    brolga_unit *unit = staged(txn, code);
    const char *low = code->text;

    cr_assert_eq(brolga_txn_define(txn, unit, "m", "f", INT_FN, low - 1, NULL),
                 BROLGA_EINVAL);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "f", INT_FN, low + code->bytes, NULL),
        BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_define(txn, unit, "m", "f", INT_FN, NULL, NULL),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_define(txn, unit, "m", "f", INT_FN,
                                   low + code->bytes - 1, NULL),
                 BROLGA_OK);
    brolga_txn_abort(txn);
}

Test(txn, c7_an_abort_releases_the_units_and_leaves_nothing, .init = world_open,
     .fini = world_close)
{
    struct jit_unit *code = made(1), *other = made(2);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, code);

    (void)staged(txn, other);
    (void)defined(txn, unit, "m", "f", INT_FN);
    (void)imported(txn, unit, "m", "g", INT_FN);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(stats().slots, 2);
    brolga_txn_abort(txn);
    cr_assert_eq(jit_releases(code), 1);
    cr_assert_eq(jit_releases(other), 1);
    cr_assert_eq(stats().slots, 0);
    cr_assert_eq(stats().version, 1);
    cr_assert_eq(stats().units_live, 0);
    cr_assert_eq(notified, 0);
}

Test(txn, several_are_prepared_at_the_same_time, .init = world_open,
     .fini = world_close)
{
    brolga_txn *a = begun(), *b = begun(), *c = begun();
    brolga_slot from_a = defined(a, staged(a, made(1)), "m", "f", INT_FN);
    brolga_slot from_b = defined(b, staged(b, made(2)), "m", "f", INT_FN);
    brolga_slot from_c = defined(c, staged(c, made(3)), "m", "f", INT_FN);

    cr_assert_eq(from_a, from_b);
    cr_assert_eq(from_a, from_c);
    committed(b);
    cr_assert_eq(called(from_a), 2);
    brolga_txn_abort(c);
    cr_assert_eq(called(from_a), 2);
    committed(a);
    cr_assert_eq(called(from_a), 1);
    cr_assert_eq(stats().version, 3);
}

Test(txn, the_number_of_a_staged_slot_is_final, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(4));
    brolga_slot import = imported(txn, unit, "m", "f", INT_FN);
    brolga_slot definition = defined(txn, unit, "m", "f", INT_FN);

    committed(txn);
    cr_assert_eq(import, definition);
    cr_assert_eq(found("m", "f"), import);
    cr_assert_eq(called(import), 4);
}

static brolga_slot number_of(brolga_txn *txn, const char *symbol)
{
    brolga_slot slot = 0;

    cr_assert_eq(brolga_txn_slot(txn, "m", symbol, INT_FN, &slot), BROLGA_OK);
    return slot;
}

Test(txn, numbers_are_known_before_there_is_a_unit, .init = world_open,
     .fini = world_close)
{
    uint64_t slots = stats().slots;
    brolga_txn *txn = begun();
    brolga_slot f = number_of(txn, "f"), unused = number_of(txn, "unused");
    brolga_unit *unit;

    cr_assert_neq(f, unused);
    cr_assert_eq(number_of(txn, "f"), f);
    unit = staged(txn, made(4));
    cr_assert_eq(imported(txn, unit, "m", "f", INT_FN), f);
    cr_assert_eq(defined(txn, unit, "m", "f", INT_FN), f);
    committed(txn);
    cr_assert_eq(called(f), 4);
    cr_assert_eq(stats().slots, slots + 1); /* What nobody uses is gone. */
    txn = begun();
    cr_assert_eq(number_of(txn, "f"), f);
    (void)number_of(txn, "other");
    cr_assert_eq(brolga_txn_slot(txn, NULL, "f", INT_FN, &f), BROLGA_EINVAL);
    brolga_txn_abort(txn);
    cr_assert_eq(stats().slots, slots + 1);
}

/* --- the host's say on signatures --------------------------------------- */

static enum brolga_compat answer;
static char asked[160];

static enum brolga_compat compatible(void *arg, const char *module,
                                     const char *symbol, const char *old_sig,
                                     const char *new_sig)
{
    cr_assert_eq(arg, asked);
    (void)snprintf(asked, sizeof asked, "%s.%s: %s -> %s", module, symbol,
                   old_sig, new_sig);
    return answer;
}

static void open_with_callback(void)
{
    asked[0] = '\0';
    world_open_with(
        &(struct brolga_got_opts){.compatible = compatible, .arg = asked});
    (void)published("m", "f", "A", 1);
    cr_assert_str_eq(asked, ""); /* Nothing to compare with. */
    (void)published("m", "f", "A", 2);
    cr_assert_str_eq(asked, "");
}

Test(txn, the_host_may_patch_a_slot, .init = open_with_callback,
     .fini = world_close)
{
    brolga_slot f = found("m", "f"), slot = 0;

    answer = BROLGA_COMPAT_PATCH;
    (void)published("m", "f", "B", 3);
    cr_assert_str_eq(asked, "m.f: A -> B");
    cr_assert_eq(found("m", "f"), f);
    cr_assert_eq(called(f), 3);
    /* The slot's signature is the new code's. */
    cr_assert_eq(brolga_got_find(got, "m", "f", "B", &slot), BROLGA_OK);
    cr_assert_eq(brolga_got_find(got, "m", "f", "A", &slot), BROLGA_ENOENT);
    cr_assert_eq(stats().slots, 1);
}

Test(txn, c7_an_aborted_patch_changes_nothing, .init = open_with_callback,
     .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_slot slot;

    answer = BROLGA_COMPAT_PATCH;
    (void)defined(txn, staged(txn, made(3)), "m", "f", "B");
    brolga_txn_abort(txn);
    cr_assert_eq(brolga_got_find(got, "m", "f", "A", &slot), BROLGA_OK);
    cr_assert_eq(called(slot), 2);
    cr_assert_eq(stats().slots, 1);
}

Test(txn, the_host_may_ask_for_a_fresh_slot, .init = open_with_callback,
     .fini = world_close)
{
    brolga_slot f = found("m", "f");

    answer = BROLGA_COMPAT_FRESH;
    (void)published("m", "f", "B", 3);
    cr_assert_str_eq(asked, "m.f: A -> B");
    cr_assert_neq(found("m", "f"), f);
    cr_assert_eq(called_by_name("m", "f"), 3);
}

Test(txn, the_host_may_refuse, .init = open_with_callback, .fini = world_close)
{
    brolga_txn *txn = begun();
    struct jit_unit *code = made(3);

    answer = BROLGA_COMPAT_REFUSE;
    (void)defined(txn, staged(txn, code), "m", "f", "B");
    refused(txn, BROLGA_REFUSED_COMPAT, "refused", "f");
    cr_assert_eq(jit_releases(code), 1);
    cr_assert_eq(called_by_name("m", "f"), 2);
}

/* --- want of memory ----------------------------------------------------- */

/* Stages and commits all that there is; stops at the first failure. */
static int whole_transaction(struct jit_unit *code, brolga_word value,
                             struct brolga_report *report)
{
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_slot slot;
    brolga_txn *txn;
    int err;

    cr_assert(jit_make_constant(code, value));
    opts = jit_opts(code, "unit", BROLGA_RECLAIM);
    err = brolga_txn_begin(got, &txn);
    if (err != BROLGA_OK) {
        jit_trap(code);
        return err;
    }
    err = brolga_txn_unit(txn, &opts, &unit);
    if (err != BROLGA_OK)
        jit_trap(code); /* It stays the caller's. */
    if (err == BROLGA_OK)
        err = brolga_txn_slot(txn, "m", "asked", "A", &slot);
    if (err == BROLGA_OK)
        err = brolga_txn_replace(txn, "m");
    if (err == BROLGA_OK)
        err = brolga_txn_define(txn, unit, "m", "f", "B", code->text, NULL);
    if (err == BROLGA_OK)
        err = brolga_txn_define(txn, unit, "m", "new", "A", code->text, NULL);
    if (err == BROLGA_OK)
        err = brolga_txn_import(txn, unit, "m", "f", "B", "a.c:1", &slot);
    if (err == BROLGA_OK)
        return brolga_txn_commit(txn, report);
    brolga_txn_abort(txn);
    return err;
}

/* Fails the n-th allocation for every n until the transaction succeeds. */
static void starve(void)
{
    struct jit_unit *code = &units[units_made];
    struct brolga_report report;
    int err = BROLGA_ENOMEM;
    uint64_t n = 0;

    while (err != BROLGA_OK) {
        int64_t blocks = brolga__alloc_live();
        struct brolga_got_stats before = stats(), after;

        cr_assert_lt(n, 100);
        brolga__alloc_fail_nth(++n);
        err = whole_transaction(code, 50, &report);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        if (err == BROLGA_EREFUSED) {
            cr_assert_eq(report.refusal, BROLGA_REFUSED_MEMORY);
            cr_assert_neq(report.text[0], '\0', "a refusal without a text");
        } else {
            cr_assert_eq(err, BROLGA_ENOMEM);
        }
        after = stats();
        cr_assert_eq(jit_releases(code), 1);
        cr_assert_eq(brolga__alloc_live(), blocks, "request %d: %d blocks\n",
                     (int)n, (int)(brolga__alloc_live() - blocks));
        cr_assert_eq(after.version, before.version);
        cr_assert_eq(after.slots, before.slots);
        cr_assert_eq(after.units_live, before.units_live);
        cr_assert_eq(called_by_name("m", "f"), 1);
        cr_assert_eq(called_by_name("m", "g"), 2);
    }
    units_made++;
    cr_assert_gt(n, 5); /* It did fail at several places. */
    cr_assert_eq(called_by_name("m", "f"), 50);
}

Test(txn, c7_want_of_memory_leaves_nothing_behind, .init = world_open,
     .fini = world_close)
{
    (void)published("m", "f", "A", 1);
    (void)published("m", "g", "A", 2);
    starve();
}

/* What was staged before a failure stays staged: the transaction goes on. */
Test(txn, c7_want_of_memory_leaves_no_patch_behind)
{
    int64_t blocks = brolga__alloc_live();
    brolga_txn *txn;
    brolga_slot slot;
    uint64_t n = 0;
    int err = BROLGA_ENOMEM;

    world_open_with(
        &(struct brolga_got_opts){.compatible = compatible, .arg = asked});
    answer = BROLGA_COMPAT_PATCH;
    (void)published("m", "f", "A", 1);
    txn = begun();
    while (err != BROLGA_OK) {
        struct jit_unit *code = made(7);
        brolga_unit *unit = staged(txn, code);

        cr_assert_lt(n, 20);
        brolga__alloc_fail_nth(++n);
        err = brolga_txn_define(txn, unit, "m", "f", "B", code->text, &slot);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_eq(brolga_got_find(got, "m", "f", "A", &slot), BROLGA_OK);
    }
    cr_assert_gt(n, 1);
    committed(txn);
    cr_assert_eq(called_by_name("m", "f"), 7);
    cr_assert_eq(stats().slots, 1);
    world_close();
    cr_assert_eq(brolga__alloc_live(), blocks);
}

Test(txn, beginning_fails_without_memory, .init = world_open,
     .fini = world_close)
{
    brolga_txn *txn = NULL;

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_txn_begin(got, &txn), BROLGA_ENOMEM);
    cr_assert_null(txn);
}

Test(txn, a_got_is_created_whole_or_not_at_all)
{
    int64_t before = brolga__alloc_live();
    brolga_epoch *ep;
    brolga_got *fresh = NULL;
    int err = BROLGA_ENOMEM;

    cr_assert_eq(brolga_epoch_create(&ep), BROLGA_OK);
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        cr_assert_lt(n, 50);
        brolga__alloc_fail_nth(n);
        err = brolga_got_create(ep, NULL, &fresh);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_null(fresh);
        cr_assert_eq(brolga__alloc_live(), before + 1);
    }
    brolga_got_destroy(fresh);
    cr_assert_eq(brolga_epoch_destroy(ep), BROLGA_OK);
    cr_assert_eq(brolga__alloc_live(), before);
}
