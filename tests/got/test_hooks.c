/*
 * Goal: hooks are called around a commit in their order, with no lock held;
 * whoever says no, or fails, leaves no trace, and who had agreed is told.
 * Method: hooks that write a letter each into a log, over a GOT without tasks,
 * so that they are called as they are; want of memory at every point.
 */
#include "got/world.h"

static char log_text[64];
static unsigned released;

/* What a hook of these tests does. */
struct act {
    char letter;
    int before, migrate; /* What they return. */
    const char *why;
};

static void note(char c)
{
    size_t used = strlen(log_text);

    cr_assert_lt(used, sizeof log_text - 1);
    /* Nobody has it: this would hang otherwise. */
    (void)pthread_mutex_lock(&got->lock);
    (void)pthread_mutex_unlock(&got->lock);
    log_text[used] = c;
    log_text[used + 1] = '\0';
}

static void put_why(const struct act *act, char *why, size_t bytes)
{
    if (act->why != NULL)
        (void)snprintf(why, bytes, "%s", act->why);
}

static int before(void *arg, char *why, size_t bytes)
{
    const struct act *act = arg;

    note('b');
    note(act->letter);
    put_why(act, why, bytes);
    return act->before;
}

static int migrate(void *arg, char *why, size_t bytes)
{
    const struct act *act = arg;

    note('m');
    note(act->letter);
    put_why(act, why, bytes);
    return act->migrate;
}

static void after(void *arg)
{
    note('a');
    note(((const struct act *)arg)->letter);
}

static void called_off(void *arg)
{
    note('o');
    note(((const struct act *)arg)->letter);
}

static void release(void *arg)
{
    (void)arg;
    released++;
}

static int hook(brolga_txn *txn, struct act *act)
{
    const struct brolga_hooks hooks = {.name = "cache",
                                       .before = before,
                                       .migrate = migrate,
                                       .after = after,
                                       .called_off = called_off,
                                       .release = release,
                                       .arg = act};

    return brolga_txn_hook(txn, &hooks);
}

static void hooked(brolga_txn *txn, struct act *act)
{
    cr_assert_eq(hook(txn, act), BROLGA_OK);
}

static void open_log(void)
{
    world_open();
    log_text[0] = '\0';
    released = 0;
}

static brolga_txn *staged_number(brolga_word value)
{
    brolga_txn *txn = begun();

    (void)defined(txn, staged(txn, made(value)), "m", "f", INT_FN);
    return txn;
}

Test(hooks, c9_are_called_in_their_order_with_no_lock_held, .init = open_log,
     .fini = world_close)
{
    struct act x = {.letter = 'x'}, y = {.letter = 'y'};
    brolga_txn *txn = staged_number(1);

    hooked(txn, &x);
    hooked(txn, &y);
    committed(txn);
    cr_assert_str_eq(log_text, "bybxmxmyaxay");
    cr_assert_eq(released, 2);
    cr_assert_eq(called_by_name("m", "f"), 1);
}

Test(hooks, c7_a_veto_leaves_no_trace_and_who_agreed_is_told, .init = open_log,
     .fini = world_close)
{
    struct act x = {.letter = 'x', .before = 1, .why = "busy with an order"};
    struct act y = {.letter = 'y'}, z = {.letter = 'z'};
    struct brolga_report report;
    brolga_txn *txn = staged_number(1);

    hooked(txn, &z);
    hooked(txn, &x);
    hooked(txn, &y);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_VETO);
    cr_assert_str_eq(brolga_refusal_name(report.refusal), "veto");
    cr_assert_str_eq(report.text, "cache objects: busy with an order");
    cr_assert_str_eq(report.hook, "cache");
    cr_assert_str_eq(log_text, "bybxoy");
    cr_assert_eq(released, 3);
    cr_assert_eq(jit_releases(&units[0]), 1); /* At once: it did not run. */
    cr_assert_eq(brolga_got_version(got), 1);
}

Test(hooks, c7_a_migration_that_fails_leaves_no_trace, .init = open_log,
     .fini = world_close)
{
    struct act x = {.letter = 'x'}, y = {.letter = 'y', .migrate = -1};
    struct brolga_report report;
    brolga_txn *txn = staged_number(1);

    hooked(txn, &x);
    hooked(txn, &y);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_HOOK);
    cr_assert_str_eq(report.text, "migrate of cache: no reason given");
    cr_assert_str_eq(log_text, "bybxmxmyoxoy");
    cr_assert_eq(brolga_got_version(got), 1);
    cr_assert_eq(stats().units_retired, 1);
    reclaimed(); /* Its code has run: it goes as old code does. */
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(stats().slots, 0);
    cr_assert_eq(stats().retired_bytes, 0);
}

Test(hooks, what_has_run_stays_while_a_stack_holds_it, .init = open_log,
     .fini = world_close)
{
    struct act x = {.letter = 'x', .migrate = 1};
    brolga_txn *txn = staged_number(1);

    hooked(txn, &x);
    stack.words[3] = (uintptr_t)units[0].text;
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_EREFUSED);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 0);
    stack.words[3] = 0;
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(hooks, a_refusal_before_asks_nobody, .init = open_log, .fini = world_close)
{
    struct act x = {.letter = 'x'};
    brolga_txn *txn = begun();

    (void)imported(txn, staged(txn, made(1)), "no", "f", INT_FN);
    hooked(txn, &x);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_EREFUSED);
    cr_assert_str_eq(log_text, "");
    cr_assert_eq(released, 1);
    txn = begun();
    hooked(txn, &x);
    brolga_txn_abort(txn);
    cr_assert_str_eq(log_text, "");
    cr_assert_eq(released, 2);
}

Test(hooks, in_a_barrier_the_migration_is_behind_the_gate, .init = open_log,
     .fini = world_close)
{
    struct act x = {.letter = 'x'};
    struct brolga_report report;
    brolga_txn *txn = staged_number(1);

    hooked(txn, &x);
    brolga_epoch_offline(member);
    cr_assert_eq(brolga_txn_commit_barrier(txn, BROLGA_NOW, &report),
                 BROLGA_OK);
    brolga_epoch_online(member);
    cr_assert_str_eq(log_text, "bxmxax");
    txn = staged_number(2); /* This thread does not come. */
    hooked(txn, &x);
    log_text[0] = '\0';
    cr_assert_eq(brolga_txn_commit_barrier(txn, BROLGA_NOW, &report),
                 BROLGA_ETIMEOUT);
    cr_assert_str_eq(log_text, "bxox");
    cr_assert_eq(released, 2);
}

/* What other layers do behind the gate. */
static int prepare_err;

static int prepare(void *arg, struct brolga_report *report)
{
    note('p');
    note(((const struct act *)arg)->letter);
    if (prepare_err != BROLGA_OK)
        report->refusal = BROLGA_REFUSED_MESSAGES;
    return prepare_err;
}

static void published_hook(void *arg)
{
    note('P');
    note(((const struct act *)arg)->letter);
}

static brolga_txn *staged_behind(struct act *act)
{
    static const struct brolga__behind behind = {prepare, published_hook};
    const struct brolga_hooks hooks = {.before = before,
                                       .migrate = migrate,
                                       .after = after,
                                       .called_off = called_off,
                                       .release = release,
                                       .arg = act};
    brolga_txn *txn = staged_number(1);

    log_text[0] = '\0';
    cr_assert_eq(brolga__txn_hook_behind(txn, &hooks, &behind), BROLGA_OK);
    return txn;
}

Test(hooks, other_layers_prepare_first_and_are_told_behind_the_gate,
     .init = open_log, .fini = world_close)
{
    struct act x = {.letter = 'x'}, fails = {.letter = 'f', .migrate = 1};
    struct brolga_report report;

    brolga_epoch_offline(member);
    cr_assert_eq(brolga_txn_commit_barrier(staged_behind(&x), BROLGA_NOW, NULL),
                 BROLGA_OK);
    cr_assert_str_eq(log_text, "bxpxmxPxax");
    cr_assert_eq(
        brolga_txn_commit_barrier(staged_behind(&fails), BROLGA_NOW, &report),
        BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_HOOK);
    cr_assert_str_eq(log_text, "bfpfmfof");
    prepare_err = BROLGA_EREFUSED;
    cr_assert_eq(
        brolga_txn_commit_barrier(staged_behind(&x), BROLGA_NOW, &report),
        BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_MESSAGES);
    cr_assert_str_eq(log_text, "bxpxox");
    prepare_err = BROLGA_OK;
    cr_assert_eq(brolga_txn_commit(staged_behind(&x), &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_MESSAGES);
    cr_assert_str_eq(log_text, "");
    cr_assert_eq(released, 4);
    brolga_epoch_online(member);
}

Test(hooks, a_restored_version_has_hooks, .fini = world_close)
{
    struct act x = {.letter = 'x'};
    brolga_txn *txn;

    world_open_with(&(struct brolga_got_opts){.history = 2});
    log_text[0] = '\0';
    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "f", INT_FN, 2);
    txn = begun();
    hooked(txn, &x);
    cr_assert_eq(brolga_txn_restore(txn, 2), BROLGA_OK);
    committed(txn);
    cr_assert_str_eq(log_text, "bxmxax");
    cr_assert_eq(called_by_name("m", "f"), 1);
}

/* --- want of memory ------------------------------------------------------ */

/* Whether the n-th request for memory has failed; then nothing is left. */
static bool fails(uint64_t n)
{
    struct act x = {.letter = 'x'}, y = {.letter = 'y'};
    struct brolga_report report = {.text = ""};
    int64_t blocks = brolga__alloc_live();
    brolga_txn *txn = staged_number(1);
    int err;

    log_text[0] = '\0';
    released = 0;
    brolga__alloc_fail_nth(n);
    err = hook(txn, &x);
    if (err == BROLGA_OK)
        err = hook(txn, &y);
    if (err == BROLGA_OK)
        err = brolga_txn_commit(txn, &report);
    else
        brolga_txn_abort(txn);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        return false;
    if (err == BROLGA_EREFUSED)
        cr_assert_eq(report.refusal, BROLGA_REFUSED_MEMORY, "%s\n",
                     report.text);
    reclaimed();
    cr_assert_eq(jit_releases(&units[units_made - 1]), 1);
    cr_assert_eq(brolga__alloc_live(), blocks, "request %d\n", (int)n);
    cr_assert_eq(brolga_got_version(got), 2);
    cr_assert_eq(stats().slots, 1);
    return true;
}

Test(hooks, c7_without_memory_there_is_no_trace, .init = open_log,
     .fini = world_close)
{
    uint64_t n = 1;

    (void)published("k", "f", INT_FN, 5);
    reclaimed();
    while (fails(n))
        n++;
    cr_assert_geq(n, 10); /* Two hooks and eight calls, at least. */
    cr_assert_eq(released, 2);
}
