/*
 * What the tests of the GOT share: an epoch with one member, which is the test
 * itself, a GOT, units of real code, and a pretended stack that stands for the
 * tasks of the layer above.
 */
#ifndef BROLGA_TESTS_GOT_WORLD_H
#define BROLGA_TESTS_GOT_WORLD_H

#include <criterion/criterion.h>

#include "alloc.h"
#include "got/got.h"
#include "jit.h"

#include <stdio.h>

#define INT_FN "(Fn [Int] Int)"

static brolga_epoch *epoch;
static brolga_epoch_member *member;
static brolga_got *got;

/* Units in the order in which they were made. */
static struct jit_unit units[512];
static unsigned units_made;

/* The pretended stack: searched for suspects unless it is hidden. */
#define STACK_WORDS 16

static struct {
    uintptr_t words[STACK_WORDS];
    uint64_t watermark;
    bool hidden;
    int looks;
} stack;

static int notified;

static void stack_look(void *arg, const struct brolga__suspects *set)
{
    uintptr_t low = (uintptr_t)stack.words;
    struct brolga__found found = {0};

    (void)arg;
    if (stack.watermark >= set->stamp)
        return;
    stack.looks++;
    if (stack.hidden) {
        brolga__reclaim_unseen(got, stack.watermark);
        return;
    }
    brolga__suspects_scan(set, low, low + sizeof stack.words, &found);
    brolga__reclaim_held(got, set, &found);
    if (found.count == 0)
        stack.watermark = set->stamp;
}

static void count_notice(void *arg)
{
    (void)arg;
    notified++;
}

static inline void world_open_with(const struct brolga_got_opts *opts)
{
    memset(&stack, 0, sizeof stack);
    units_made = 0;
    notified = 0;
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
    cr_assert_eq(brolga_got_create(epoch, opts, &got), BROLGA_OK);
    got->stacks.look = stack_look;
    got->stacks.notify = count_notice;
}

static inline void world_open(void)
{
    world_open_with(NULL);
}

/* Every unit has been released exactly once in the end, kept ones too. */
static inline void world_close(void)
{
    brolga_got_destroy(got);
    brolga_epoch_leave(member);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
    for (unsigned i = 0; i < units_made; i++)
        cr_assert_eq(jit_releases(&units[i]), 1, "unit %u: %d releases\n", i,
                     jit_releases(&units[i]));
}

/* --- units and transactions --------------------------------------------- */

/* A function that returns `value`. */
static inline struct jit_unit *made(brolga_word value)
{
    struct jit_unit *unit = &units[units_made];

    cr_assert_lt(units_made, brolga__lengthof(units));
    cr_assert(jit_make_constant(unit, value));
    units_made++;
    return unit;
}

static inline brolga_txn *begun(void)
{
    brolga_txn *txn = NULL;

    cr_assert_eq(brolga_txn_begin(got, &txn), BROLGA_OK);
    return txn;
}

static inline brolga_unit *staged_as(brolga_txn *txn, struct jit_unit *code,
                                     const char *name,
                                     enum brolga_policy policy)
{
    struct brolga_unit_opts opts = jit_opts(code, name, policy);
    brolga_unit *unit = NULL;

    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    return unit;
}

static inline brolga_unit *staged(brolga_txn *txn, struct jit_unit *code)
{
    char name[16];

    (void)snprintf(name, sizeof name, "unit%u", (unsigned)(code - units));
    return staged_as(txn, code, name, BROLGA_RECLAIM);
}

static inline brolga_slot defined(brolga_txn *txn, brolga_unit *unit,
                                  const char *module, const char *symbol,
                                  const char *signature)
{
    brolga_slot slot = 0;

    cr_assert_eq(brolga_txn_define(txn, unit, module, symbol, signature,
                                   (const void *)unit->low, &slot),
                 BROLGA_OK);
    return slot;
}

static inline brolga_slot imported(brolga_txn *txn, brolga_unit *unit,
                                   const char *module, const char *symbol,
                                   const char *signature)
{
    brolga_slot slot = 0;

    cr_assert_eq(brolga_txn_import(txn, unit, module, symbol, signature,
                                   "here.c:7", &slot),
                 BROLGA_OK);
    return slot;
}

static inline void committed(brolga_txn *txn)
{
    struct brolga_report report;
    int err = brolga_txn_commit(txn, &report);

    cr_assert_eq(err, BROLGA_OK, "refused: %s\n", report.text);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_NOT);
    cr_assert_str_eq(report.text, "");
}

/* Commits, which must fail for this reason and say all of these words. */
static inline void refused(brolga_txn *txn, enum brolga_refusal reason,
                           const char *word, const char *word2)
{
    struct brolga_report report, before;
    uint64_t version = brolga_got_version(got);

    cr_assert_eq(brolga_txn_check(txn, &before), BROLGA_EREFUSED);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, reason, "%d: %s\n", report.refusal,
                 report.text);
    cr_assert_eq(before.refusal, reason);
    cr_assert_str_eq(before.text, report.text);
    cr_assert_eq(report.version, version);
    cr_assert_eq(brolga_got_version(got), version);
    cr_assert_not_null(strstr(report.text, word), "%s\n", report.text);
    cr_assert_not_null(strstr(report.text, word2), "%s\n", report.text);
}

/* Commits one unit of one function; the module's other symbols stay. */
static inline brolga_unit *published(const char *module, const char *symbol,
                                     const char *signature, brolga_word value)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(value));

    (void)defined(txn, unit, module, symbol, signature);
    committed(txn);
    return unit;
}

/* Commits one unit that imports and defines one symbol. */
static inline brolga_unit *published_user(const char *module,
                                          const char *symbol, const char *from,
                                          const char *what, brolga_slot *slot)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(1));

    *slot = imported(txn, unit, from, what, INT_FN);
    (void)defined(txn, unit, module, symbol, INT_FN);
    committed(txn);
    return unit;
}

/* Takes everything out of a module. */
static inline void emptied(const char *module, bool stale)
{
    brolga_txn *txn = begun();

    if (stale)
        brolga_txn_allow_stale(txn);
    cr_assert_eq(brolga_txn_replace(txn, module), BROLGA_OK);
    committed(txn);
}

/* --- questions ---------------------------------------------------------- */

static inline struct brolga_got_stats stats(void)
{
    struct brolga_got_stats now;

    brolga_got_stats(got, &now);
    return now;
}

static inline brolga_slot found(const char *module, const char *symbol)
{
    brolga_slot slot = 0;

    cr_assert_eq(brolga_got_find(got, module, symbol, NULL, &slot), BROLGA_OK);
    return slot;
}

static inline const void *code_at(brolga_slot slot)
{
    return brolga__load_relaxed(&got->current)->slots[slot];
}

static inline brolga_word called(brolga_slot slot)
{
    return jit_call(code_at(slot), NULL);
}

static inline brolga_word called_by_name(const char *module, const char *symbol)
{
    return called(found(module, symbol));
}

/* More steps than any unit needs if nothing holds it. */
static inline void reclaimed(void)
{
    for (int i = 0; i < 10; i++) {
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
}

#endif
