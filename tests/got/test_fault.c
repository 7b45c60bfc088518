/*
 * Goal: C7. Whatever fails in a transaction, and wherever, everything is as it
 * was: the version's root and table, slots with their numbers and references,
 * modules, cells, units and where they are found, and memory.
 * Method: transactions of every kind, of which the n-th request for memory
 * fails for each n, or which are refused for each reason, or aborted; the whole
 * of the GOT is put into a number before and after.
 */
#include "got/world.h"

/* --- the whole of the GOT ------------------------------------------------ */

static uint64_t mixed;

static void mix(uint64_t value)
{
    mixed = (mixed ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
}

static void mix_slot(const struct brolga__slot *slot)
{
    mix((uintptr_t)slot);
    mix(slot->number);
    mix((uintptr_t)slot->code);
    mix((uintptr_t)slot->owner);
    mix(slot->refs);
    mix(slot->past);
    mix(slot->removed);
    mix(slot->staged);
    mix(slot->doomed);
    mix(slot->cell);
    mix((uintptr_t)slot->sibling);
    for (const char *c = slot->signature; *c != '\0'; c++)
        mix((unsigned char)*c);
}

static void mix_units(const struct brolga__list *list)
{
    brolga__list_each (node, list) {
        const struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        mix((uintptr_t)unit);
        mix(unit->state);
        mix(unit->import_count);
        mix(unit->owned_slots);
        mix(unit->live_slots);
        mix(unit->doomed_slots);
        mix(unit->past);
        mix(unit->pins);
    }
}

static void mix_cells(const struct brolga_cells *cells)
{
    for (uint32_t i = 0; cells != NULL && i < cells->count; i++) {
        mix((uintptr_t)cells->base[i]);
        mix(cells->taken[i]);
    }
}

/* The order of numbers to be used again may differ, their set may not. */
static uint64_t whole(void)
{
    const struct brolga__version *current = brolga__load_relaxed(&got->current);
    struct brolga_unit *range = brolga__load_relaxed(&got->ranges);

    mixed = 1;
    mix((uintptr_t)current);
    mix(current->number);
    for (uint32_t i = 0; i < current->used; i++)
        mix((uintptr_t)current->slots[i]);
    mix(brolga__load_relaxed(&current->holds));
    for (brolga_slot n = 1; n < got->slot_end; n++)
        if (got->slots[n] != NULL)
            mix_slot(got->slots[n]);
    mix(got->slots_used);
    brolga__list_each (node, &got->modules) {
        const struct brolga__module *module =
            brolga__container_of(node, struct brolga__module, link);

        mix((uintptr_t)module);
        mix(module->staged);
        mix_cells(module->cells);
    }
    mix_units(&got->live);
    mix_units(&got->retired);
    mix_units(&got->kept);
    for (; range != NULL; range = brolga__load_relaxed(&range->ranges_next))
        mix((uintptr_t)range);
    mix(got->retired_bytes);
    mix(got->past_count);
    mix(got->commits);
    mix(brolga__load_relaxed(&epoch->gate) % BROLGA__GATES);
    return mixed;
}

/* --- the stage ----------------------------------------------------------- */

static brolga_cells *cells;

static enum brolga_compat compatible(void *arg, const char *module,
                                     const char *symbol, const char *old_sig,
                                     const char *new_sig)
{
    (void)arg;
    (void)module;
    (void)symbol;
    (void)old_sig;
    return strcmp(new_sig, "patch") == 0    ? BROLGA_COMPAT_PATCH
           : strcmp(new_sig, "refuse") == 0 ? BROLGA_COMPAT_REFUSE
                                            : BROLGA_COMPAT_FRESH;
}

/* Modules of all kinds, and a past; as many spare tables as there will be. */
static void open_all(void)
{
    brolga_slot slot;

    world_open_with(
        &(struct brolga_got_opts){.history = 3, .compatible = compatible});
    cr_assert_eq(brolga_cells_attach(got, "celled", NULL, 3, &cells),
                 BROLGA_OK);
    (void)published("celled", "f", "A", 1);
    (void)published("plain", "f", INT_FN, 2);
    (void)published("plain", "g", "A", 3);
    (void)published("patched", "f", "A", 4);
    (void)published_user("user", "f", "plain", "f", &slot);
    (void)slot;
    (void)published("plain", "g", "A", 5);
    reclaimed();
}

struct attempt {
    brolga_txn *txn;
    brolga_unit *unit;
    struct jit_unit *code;
};

static int begin(struct attempt *attempt)
{
    struct brolga_unit_opts opts;
    int err;

    attempt->code = &units[units_made];
    cr_assert(jit_make_constant(attempt->code, 77));
    err = brolga_txn_begin(got, &attempt->txn);
    if (err != BROLGA_OK) {
        jit_trap(attempt->code);
        return err;
    }
    opts = jit_opts(attempt->code, "attempt", BROLGA_RECLAIM);
    err = brolga_txn_unit(attempt->txn, &opts, &attempt->unit);
    if (err != BROLGA_OK) {
        jit_trap(attempt->code);
        brolga_txn_abort(attempt->txn);
    }
    return err;
}

static int define(struct attempt *attempt, const char *module,
                  const char *symbol, const char *signature)
{
    return brolga_txn_define(attempt->txn, attempt->unit, module, symbol,
                             signature, attempt->code->text, NULL);
}

static int import(struct attempt *attempt, const char *module,
                  const char *symbol, const char *signature)
{
    brolga_slot slot;

    return brolga_txn_import(attempt->txn, attempt->unit, module, symbol,
                             signature, "a.c:1", &slot);
}

/* --- what is tried ------------------------------------------------------- */

/* A new module with imports, and changed code of every kind. */
static int stage_good(struct attempt *attempt)
{
    int err = define(attempt, "celled", "f", "A");

    if (err == BROLGA_OK)
        err = define(attempt, "celled", "new", "A");
    if (err == BROLGA_OK)
        err = define(attempt, "fresh", "f", "A");
    if (err == BROLGA_OK)
        err = define(attempt, "patched", "f", "patch");
    if (err == BROLGA_OK)
        err = import(attempt, "plain", "f", INT_FN);
    if (err == BROLGA_OK)
        err = import(attempt, "fresh", "f", "A");
    if (err == BROLGA_OK)
        err = brolga_txn_replace(attempt->txn, "fresh");
    return err;
}

static int stage_duplicate(struct attempt *attempt)
{
    int err = define(attempt, "fresh", "f", "A");

    return err == BROLGA_OK ? define(attempt, "fresh", "f", "B") : err;
}

static int stage_import(struct attempt *attempt)
{
    int err = define(attempt, "fresh", "f", "A");

    return err == BROLGA_OK ? import(attempt, "nowhere", "g", "A") : err;
}

static int stage_signature(struct attempt *attempt)
{
    return import(attempt, "plain", "f", "B");
}

static int stage_importers(struct attempt *attempt)
{
    return define(attempt, "plain", "f", "B");
}

static int stage_removal(struct attempt *attempt)
{
    return brolga_txn_replace(attempt->txn, "plain");
}

static int stage_refused(struct attempt *attempt)
{
    return define(attempt, "patched", "f", "refuse");
}

static int stage_cells(struct attempt *attempt)
{
    int err = BROLGA_OK;

    for (int i = 0; err == BROLGA_OK && i < 4; i++) {
        char name[3] = {'c', (char)('0' + i), '\0'};

        err = define(attempt, "celled", name, "A");
    }
    return err;
}

static const struct {
    int (*stage)(struct attempt *attempt);
    enum brolga_refusal refusal;
} kinds[] = {
    {stage_good, BROLGA_REFUSED_NOT},
    {stage_duplicate, BROLGA_REFUSED_DUPLICATE},
    {stage_import, BROLGA_REFUSED_IMPORT},
    {stage_signature, BROLGA_REFUSED_SIGNATURE},
    {stage_importers, BROLGA_REFUSED_IMPORTERS},
    {stage_removal, BROLGA_REFUSED_IMPORTERS},
    {stage_refused, BROLGA_REFUSED_COMPAT},
    {stage_cells, BROLGA_REFUSED_LIMIT},
};

/* How a transaction that is staged ends. */
static int commit(brolga_txn *txn, struct brolga_report *report)
{
    return brolga_txn_commit(txn, report);
}

static int commit_barrier(brolga_txn *txn, struct brolga_report *report)
{
    int err;

    brolga_epoch_offline(member);
    err = brolga_txn_commit_barrier(txn, BROLGA_NOW, report);
    brolga_epoch_online(member);
    return err;
}

/* Nobody comes: this thread is online. */
static int time_out(brolga_txn *txn, struct brolga_report *report)
{
    return brolga_txn_commit_barrier(txn, BROLGA_NOW, report);
}

static int drop(brolga_txn *txn, struct brolga_report *report)
{
    *report = (struct brolga_report){.refusal = BROLGA_REFUSED_MEMORY};
    brolga_txn_abort(txn);
    return BROLGA_EREFUSED;
}

typedef int ending(brolga_txn *txn, struct brolga_report *report);

static enum brolga_refusal expected(size_t kind, ending *end)
{
    if (end == time_out && kinds[kind].refusal == BROLGA_REFUSED_NOT)
        return BROLGA_REFUSED_BARRIER;
    return kinds[kind].refusal;
}

/* Whether the n-th request failed: then everything must be as it was. */
static bool try_once(size_t kind, ending *end, uint64_t n)
{
    uint64_t before = whole();
    int64_t blocks = brolga__alloc_live();
    struct brolga_report report = {.refusal = BROLGA_REFUSED_NOT};
    struct attempt attempt;
    int err;

    brolga__alloc_fail_nth(n);
    err = begin(&attempt);
    if (err == BROLGA_OK) {
        err = kinds[kind].stage(&attempt);
        if (err == BROLGA_OK)
            err = end(attempt.txn, &report);
        else
            brolga_txn_abort(attempt.txn);
    }
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK) {
        cr_assert_eq(kinds[kind].refusal, BROLGA_REFUSED_NOT, "kind %d\n",
                     (int)kind);
        units_made++;
        return false;
    }
    cr_assert_eq(whole(), before, "kind %d, request %d: %s\n", (int)kind,
                 (int)n, report.text);
    cr_assert_eq(brolga__alloc_live(), blocks, "kind %d, request %d\n",
                 (int)kind, (int)n);
    cr_assert_eq(jit_releases(attempt.code), 1);
    (void)munmap(attempt.code->text, attempt.code->bytes);
    if (err == BROLGA_ENOMEM || report.refusal == BROLGA_REFUSED_MEMORY)
        return end != drop || err == BROLGA_ENOMEM;
    cr_assert_eq(report.refusal, expected(kind, end), "kind %d: %s: %s\n",
                 (int)kind, brolga_error_name(err), report.text);
    return false;
}

/* Every request of a kind; one that may fail without harm does not end it. */
static void try_all(size_t kind, ending *end)
{
    uint64_t failed = 0;

    for (uint64_t n = 1; n < 60; n++) {
        bool good = kinds[kind].refusal == BROLGA_REFUSED_NOT;

        if (try_once(kind, end, n))
            failed++;
        else if (good && end != time_out && end != drop)
            break;
    }
    cr_assert_gt(failed, 3); /* It did fail at several places. */
}

static void try_kinds(ending *end, bool good_too)
{
    for (size_t kind = good_too ? 0 : 1; kind < brolga__lengthof(kinds); kind++)
        try_all(kind, end);
}

/* What grows once and stays does so in a first round. */
static void warm_up(void)
{
    struct brolga_report report;

    for (size_t kind = 1; kind < brolga__lengthof(kinds); kind++) {
        struct attempt attempt;

        cr_assert_eq(begin(&attempt), BROLGA_OK);
        cr_assert_eq(kinds[kind].stage(&attempt), BROLGA_OK);
        cr_assert_eq(brolga_txn_commit(attempt.txn, &report), BROLGA_EREFUSED);
        cr_assert_eq(report.refusal, kinds[kind].refusal, "%s\n", report.text);
        cr_assert_eq(jit_releases(attempt.code), 1);
    }
}

Test(fault, c7_commits_leave_no_trace, .init = open_all, .fini = world_close)
{
    warm_up();
    try_kinds(commit, true);
    cr_assert_eq(called_by_name("fresh", "f"), 77);
}

Test(fault, c7_barriers_leave_no_trace, .init = open_all, .fini = world_close)
{
    warm_up();
    try_kinds(commit_barrier, true);
    cr_assert_eq(called_by_name("fresh", "f"), 77);
}

Test(fault, c7_barriers_that_time_out_leave_no_trace, .init = open_all,
     .fini = world_close)
{
    warm_up();
    try_kinds(time_out, true);
    cr_assert_eq(called_by_name("celled", "f"), 1);
}

Test(fault, c7_aborts_leave_no_trace, .init = open_all, .fini = world_close)
{
    warm_up();
    try_kinds(drop, true);
    cr_assert_eq(called_by_name("celled", "f"), 1);
}

Test(fault, c7_restorations_leave_no_trace, .init = open_all,
     .fini = world_close)
{
    uint64_t version = stats().oldest_version, n = 0;
    struct brolga_report report;
    int err;

    do {
        uint64_t before = whole();
        int64_t blocks = brolga__alloc_live();

        brolga__alloc_fail_nth(++n);
        err = brolga_got_rollback(got, version, &report);
        brolga__alloc_fail_nth(0);
        cr_assert_lt(n, 100);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(whole(), before, "request %d\n", (int)n);
        cr_assert_eq(brolga__alloc_live(), blocks);
    } while (true);
    cr_assert_gt(n, 3);
}
