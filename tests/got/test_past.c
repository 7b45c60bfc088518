/*
 * Goal: an older version is restored slot by slot, as a new version; what that
 * needs is kept for as many commits as the host has asked for, and no longer;
 * what cannot be restored is refused.
 * Method: commits of every kind, restored one after the other and in random
 * order; what the slots return is compared with notes.
 */
#include "got/world.h"

static void open_history(void)
{
    world_open_with(&(struct brolga_got_opts){.history = 4, .versions_max = 8});
}

static void rolled_back(uint64_t version)
{
    struct brolga_report report;
    int err = brolga_got_rollback(got, version, &report);

    cr_assert_eq(err, BROLGA_OK, "%s\n", report.text);
    cr_assert_eq(report.version, brolga_got_version(got));
    cr_assert_gt(report.version, version);
}

static void not_rolled_back(uint64_t version, enum brolga_refusal why,
                            const char *word)
{
    struct brolga_report report;
    uint64_t before = brolga_got_version(got);

    cr_assert_eq(brolga_got_rollback(got, version, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, why, "%s\n", report.text);
    cr_assert_not_null(strstr(report.text, word), "%s\n", report.text);
    cr_assert_eq(brolga_got_version(got), before);
}

static bool defines(const char *module, const char *symbol,
                    const char *signature)
{
    brolga_slot slot;

    return brolga_got_find(got, module, symbol, signature, &slot) == BROLGA_OK;
}

Test(past, changed_code_is_brought_back, .init = open_history,
     .fini = world_close)
{
    (void)published("m", "f", INT_FN, 1); /* v2 */
    (void)published("m", "f", INT_FN, 2); /* v3 */
    (void)published("n", "g", INT_FN, 3); /* v4 */
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    rolled_back(2); /* v5 */
    cr_assert_eq(called_by_name("m", "f"), 1);
    cr_assert_not(defines("n", "g", NULL));
    rolled_back(4); /* v6: what was taken back, again. */
    cr_assert_eq(called_by_name("m", "f"), 2);
    cr_assert_eq(called_by_name("n", "g"), 3);
    cr_assert_eq(stats().units_live, 2);
}

Test(past, only_what_is_asked_for_is_kept, .init = open_history,
     .fini = world_close)
{
    for (int i = 0; i < 8; i++) {
        (void)published("m", "f", INT_FN, i); /* v2 to v9 */
        reclaimed();
    }
    cr_assert_eq(stats().oldest_version, 5);
    cr_assert_eq(stats().units_retired, 4);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(jit_releases(&units[i]), i < 3 ? 1 : 0, "%d\n", i);
    not_rolled_back(4, BROLGA_REFUSED_HISTORY, "oldest that is kept is 5");
    not_rolled_back(9, BROLGA_REFUSED_HISTORY, "it is the current one");
    not_rolled_back(10, BROLGA_REFUSED_HISTORY, "the current one is 9");
    rolled_back(5);
    cr_assert_eq(called_by_name("m", "f"), 3);
    cr_assert_not(brolga__got_reclaim(got) && stats().versions_live == 1);
}

Test(past, without_history_nothing_is_kept, .init = world_open,
     .fini = world_close)
{
    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    not_rolled_back(2, BROLGA_REFUSED_HISTORY, "no history is kept");
}

Test(past, a_changed_signature_gets_its_slot_back, .init = open_history,
     .fini = world_close)
{
    brolga_slot slot, user;
    brolga_txn *txn;
    brolga_unit *unit;

    (void)published("m", "f", INT_FN, 1); /* v2 */
    slot = found("m", "f");
    (void)published_user("u", "g", "m", "f", &user); /* v3 */
    txn = begun();                                   /* v4: both change. */
    unit = staged(txn, made(2));
    (void)defined(txn, unit, "m", "f", "(Fn [] Int)");
    unit = staged(txn, made(3));
    (void)imported(txn, unit, "m", "f", "(Fn [] Int)");
    (void)defined(txn, unit, "u", "g", INT_FN);
    committed(txn);
    cr_assert_neq(found("m", "f"), slot);
    reclaimed();
    rolled_back(3);
    cr_assert_eq(found("m", "f"), slot);
    cr_assert(defines("m", "f", INT_FN));
    cr_assert_not(defines("m", "f", "(Fn [] Int)"));
    cr_assert_eq(called(slot), 1);
    cr_assert_eq(called_by_name("u", "g"), 1);
}

Test(past, a_slot_that_went_keeps_its_number_for_its_return,
     .init = open_history, .fini = world_close)
{
    brolga_slot slot;

    (void)published("m", "f", INT_FN, 1); /* v2 */
    slot = found("m", "f");
    emptied("m", false);                  /* v3 */
    (void)published("n", "g", INT_FN, 2); /* v4 */
    cr_assert_neq(found("n", "g"), slot);
    cr_assert_neq(code_at(slot), (const void *)units[0].text);
    rolled_back(2);
    cr_assert_eq(found("m", "f"), slot);
    cr_assert_eq(called(slot), 1);
}

Test(past, kept_units_come_back, .init = open_history, .fini = world_close)
{
    brolga_txn *txn = begun();
    brolga_unit *unit = staged_as(txn, made(1), "k", BROLGA_KEEP);

    (void)defined(txn, unit, "m", "f", INT_FN);
    committed(txn); /* v2 */
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(stats().units_kept, 1);
    rolled_back(2);
    cr_assert_eq(stats().units_kept, 0);
    cr_assert_eq(called_by_name("m", "f"), 1);
}

Test(past, c7_tasks_that_run_a_new_slot_are_a_reason_to_refuse,
     .init = open_history, .fini = world_close)
{
    brolga_slot slot;

    (void)published("m", "f", INT_FN, 1); /* v2 */
    (void)published("n", "g", INT_FN, 2); /* v3 */
    slot = found("n", "g");
    cr_assert_eq(brolga__slot_enter(got, slot), BROLGA_OK);
    not_rolled_back(2, BROLGA_REFUSED_IMPORTERS, "1 running task");
    brolga__slot_leave(got, slot);
    rolled_back(2);
}

Test(past, a_restoration_is_a_transaction, .init = open_history,
     .fini = world_close)
{
    struct jit_unit *code = made(9);
    struct brolga_unit_opts opts = jit_opts(code, "x", BROLGA_RECLAIM);
    struct brolga_report report;
    brolga_txn *txn = begun();
    brolga_unit *unit;

    (void)staged(txn, code);
    cr_assert_eq(brolga_txn_restore(txn, 1), BROLGA_EINVAL);
    brolga_txn_abort(txn);
    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    txn = begun();
    cr_assert_eq(brolga_txn_restore(txn, 0), BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_restore(txn, 2), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_EINVAL);
    cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_OK);
    (void)published("m", "f", INT_FN, 3); /* After the check. */
    cr_assert_eq(brolga_txn_check(txn, &report), BROLGA_OK);
    brolga_epoch_offline(member);
    cr_assert_eq(brolga_txn_commit_barrier(txn, BROLGA_NOW, &report),
                 BROLGA_OK);
    brolga_epoch_online(member);
    cr_assert_eq(called_by_name("m", "f"), 1);
}

static enum brolga_compat patch(void *arg, const char *module,
                                const char *symbol, const char *old_sig,
                                const char *new_sig)
{
    (void)arg;
    (void)module;
    (void)symbol;
    (void)old_sig;
    (void)new_sig;
    return BROLGA_COMPAT_PATCH;
}

Test(past, a_patched_slot_gets_its_signature_back)
{
    brolga_slot slot;

    world_open_with(
        &(struct brolga_got_opts){.history = 4, .compatible = patch});
    (void)published("m", "f", "one", 1); /* v2 */
    slot = found("m", "f");
    (void)published("m", "f", "two", 2);   /* v3 */
    (void)published("m", "f", "two", 3);   /* v4 */
    (void)published("m", "f", "three", 4); /* v5 */
    rolled_back(2);
    cr_assert(defines("m", "f", "one"));
    rolled_back(4);
    cr_assert(defines("m", "f", "two"));
    cr_assert_eq(called_by_name("m", "f"), 3);
    cr_assert_eq(found("m", "f"), slot);
    world_close();
}

Test(past, cells_follow, .init = open_history, .fini = world_close)
{
    brolga_cells *cells = NULL;
    uint32_t index;

    cr_assert_eq(brolga_cells_attach(got, "m", NULL, 4, &cells), BROLGA_OK);
    (void)published("m", "f", INT_FN, 1); /* v2 */
    cr_assert_eq(brolga_cells_index(cells, found("m", "f"), &index), BROLGA_OK);
    (void)published("m", "f", INT_FN, 2); /* v3 */
    emptied("m", false);                  /* v4 */
    rolled_back(3);
    cr_assert_eq(jit_call(brolga_cells_base(cells)[index], NULL), 2);
    rolled_back(2);
    cr_assert_eq(jit_call(brolga_cells_base(cells)[index], NULL), 1);
}

Test(past, c7_want_of_memory_leaves_nothing_behind, .init = open_history,
     .fini = world_close)
{
    struct brolga_report report;
    int64_t live;
    uint64_t n = 0;
    int err;

    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    (void)published("m", "g", INT_FN, 3);
    live = brolga__alloc_live();
    do {
        brolga__alloc_fail_nth(++n);
        err = brolga_got_rollback(got, 2, &report);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(brolga__alloc_live(), live);
        cr_assert_eq(called_by_name("m", "f"), 2);
        cr_assert_eq(brolga_got_version(got), 4);
    } while (n < 100);
    cr_assert_eq(err, BROLGA_OK);
    cr_assert_gt(n, 3);
    cr_assert_eq(called_by_name("m", "f"), 1);
}

#define SLOTS 5

/* What each version defines; 0: not. */
static brolga_word noted[200][SLOTS];

static void check_note(uint64_t version)
{
    for (int i = 0; i < SLOTS; i++) {
        char name[2] = {(char)('a' + i), '\0'};

        cr_assert_eq(defines("m", name, NULL), noted[version][i] != 0);
        if (noted[version][i] != 0)
            cr_assert_eq(called_by_name("m", name), noted[version][i]);
    }
}

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *seed >> 33;
}

/* One unit that defines some of the symbols, and maybe all that there is. */
static void commit_some(uint64_t *seed, brolga_word value)
{
    brolga_txn *txn = begun();
    uint64_t version = brolga_got_version(got);
    bool all = draw(seed) % 3 == 0;
    brolga_unit *unit = staged(txn, made(value));

    if (all)
        cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    else
        memcpy(noted[version + 1], noted[version], sizeof noted[0]);
    for (int i = 0; i < SLOTS; i++) {
        char name[2] = {(char)('a' + i), '\0'};

        if (draw(seed) % 2 == 0)
            continue;
        (void)defined(txn, unit, "m", name,
                      draw(seed) % 4 == 0 ? "other" : INT_FN);
        noted[version + 1][i] = value;
    }
    committed(txn);
}

Test(past, random_histories_are_restored, .init = open_history,
     .fini = world_close)
{
    uint64_t seed = 11;

    for (brolga_word step = 1; step < 190; step++) {
        uint64_t version = brolga_got_version(got);
        uint64_t oldest = stats().oldest_version;

        if (draw(&seed) % 3 == 0 && oldest < version) {
            uint64_t to = oldest + draw(&seed) % (version - oldest);

            rolled_back(to);
            memcpy(noted[version + 1], noted[to], sizeof noted[0]);
        } else {
            commit_some(&seed, step);
        }
        check_note(version + 1);
        if (draw(&seed) % 2 == 0)
            reclaimed();
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
    reclaimed();
    cr_assert_leq(stats().units_retired, 5);
}
