/*
 * Goal: hooks of a commit run in tasks: in the view that they are promised,
 * behind the closed gate, and so that neither a panic nor a trap nor one that
 * does not end harms anybody else.
 * Method: units of real code and hooks that look around, or misbehave, around
 * commits from a thread and from a task, with and without workers.
 */
#include "tasks/world.h"

#define LATE brolga_after_ns(WAIT_LIMIT_NS)

static struct jit_unit made[64];
static unsigned made_count;
static brolga_slot number;

static brolga_word call_number(void)
{
    return jit_call(brolga_view_self()->slots[number], NULL);
}

static struct jit_unit *make(brolga_word value)
{
    struct jit_unit *code = &made[made_count++ % brolga__lengthof(made)];

    cr_assert(jit_make_constant(code, value));
    return code;
}

static brolga_txn *staged_code(struct jit_unit *code)
{
    struct brolga_unit_opts opts = jit_opts(code, "m", BROLGA_RECLAIM);
    brolga_unit *unit;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "number", FN, code->text, &number),
        BROLGA_OK);
    return txn;
}

static void publish(brolga_word value)
{
    cr_assert_eq(brolga_txn_commit(staged_code(make(value)), NULL), BROLGA_OK);
}

/* --- what they see ------------------------------------------------------- */

struct seen {
    brolga_word before, migrate, after, called_off;
    _Atomic int released;
};

static int look_before(void *arg, char *why, size_t bytes)
{
    (void)why;
    (void)bytes;
    brolga_yield();
    ((struct seen *)arg)->before = call_number();
    return BROLGA_OK;
}

static int look_migrate(void *arg, char *why, size_t bytes)
{
    (void)why;
    (void)bytes;
    brolga_yield(); /* It stays in the version that is to come. */
    ((struct seen *)arg)->migrate = call_number();
    return BROLGA_OK;
}

static void look_after(void *arg)
{
    ((struct seen *)arg)->after = call_number();
}

static void look_called_off(void *arg)
{
    ((struct seen *)arg)->called_off = call_number();
}

static void count_release(void *arg)
{
    (void)brolga__add_release(&((struct seen *)arg)->released, 1);
}

static struct brolga_hooks looking(struct seen *seen)
{
    return (struct brolga_hooks){.name = "m",
                                 .before = look_before,
                                 .migrate = look_migrate,
                                 .after = look_after,
                                 .called_off = look_called_off,
                                 .release = count_release,
                                 .arg = seen};
}

static void hooked(brolga_txn *txn, const struct brolga_hooks *hooks)
{
    cr_assert_eq(brolga_txn_hook(txn, hooks), BROLGA_OK);
}

static void sees_old_and_new(bool barrier)
{
    struct seen seen = {0};
    struct brolga_hooks hooks = looking(&seen);
    struct brolga_report report;
    brolga_txn *txn;
    int err;

    publish(1);
    txn = staged_code(make(2));
    hooked(txn, &hooks);
    err = barrier ? brolga_txn_commit_barrier(txn, LATE, &report)
                  : brolga_txn_commit(txn, &report);
    cr_assert_eq(err, BROLGA_OK, "%s\n", report.text);
    cr_assert_str_eq(report.after, "");
    cr_assert_eq(seen.before, 1);
    cr_assert_eq(seen.migrate, 2);
    cr_assert_eq(seen.after, 2);
    cr_assert_eq(seen.called_off, 0);
    cr_assert(wait_until(brolga__load_acquire(&seen.released) == 1));
}

Test(errand, before_is_in_the_old_version_and_the_rest_in_the_new,
     .init = world_open, .fini = world_close)
{
    sees_old_and_new(false);
}

Test(errand, behind_the_gate_too, .init = world_open, .fini = world_close)
{
    sees_old_and_new(true);
}

static brolga_word commit_in_task(void *arg)
{
    return brolga_txn_commit_barrier(arg, LATE, NULL);
}

Test(errand, a_task_may_commit_with_hooks, .fini = world_close)
{
    struct seen seen = {0};
    struct brolga_hooks hooks = looking(&seen);
    brolga_txn *txn;

    world_open_with(&(struct brolga_opts){.workers = 1});
    publish(1);
    txn = staged_code(make(2));
    hooked(txn, &hooks);
    cr_assert_eq(joined(spawned(commit_in_task, txn)), BROLGA_OK);
    cr_assert_eq(seen.after, 2);
}

Test(errand, without_workers_too, .fini = world_close)
{
    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    sees_old_and_new(true);
}

/* A migration calls a slot that no published table has room for. */
Test(errand, a_migration_may_call_what_is_new, .init = world_open,
     .fini = world_close)
{
    struct jit_unit *code = make(7);
    struct brolga_unit_opts opts = jit_opts(code, "m", BROLGA_RECLAIM);
    struct seen seen = {0};
    struct brolga_hooks hooks = {.migrate = look_migrate, .arg = &seen};
    brolga_unit *unit;
    brolga_txn *txn;
    char name[16];

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    for (int i = 0; i < 1100; i++) {
        (void)snprintf(name, sizeof name, "f%d", i);
        cr_assert_eq(
            brolga_txn_define(txn, unit, "m", name, FN, code->text, &number),
            BROLGA_OK);
    }
    cr_assert_gt(number, 1024);
    hooked(txn, &hooks);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
    cr_assert_eq(seen.migrate, 7);
}

/* --- behind the gate nobody else runs ------------------------------------ */

static _Atomic bool counting;
static _Atomic uint64_t count;

static brolga_word count_on(void *arg)
{
    (void)arg;
    while (brolga__load_relaxed(&counting)) {
        (void)brolga__add_relaxed(&count, 1);
        brolga_safepoint();
    }
    return 0;
}

static int watch_count(void *arg, char *why, size_t bytes)
{
    uint64_t *moved = arg, before = brolga__load_relaxed(&count);
    uint64_t until_ns = brolga_after_ns(2 * BROLGA_MS);

    (void)why;
    (void)bytes;
    while (brolga_now_ns() < until_ns)
        brolga_yield();
    *moved = brolga__load_relaxed(&count) - before;
    return BROLGA_OK;
}

Test(errand, nobody_runs_while_a_barrier_migrates, .init = world_open,
     .fini = world_close)
{
    uint64_t moved = 1;
    struct brolga_hooks hooks = {.migrate = watch_count, .arg = &moved};
    brolga_task *tasks[2];
    brolga_txn *txn;

    brolga__store_relaxed(&counting, true);
    for (int i = 0; i < 2; i++)
        tasks[i] = spawned(count_on, NULL);
    cr_assert(wait_until(brolga__load_relaxed(&count) > 0));
    txn = staged_code(make(1));
    hooked(txn, &hooks);
    cr_assert_eq(brolga_txn_commit_barrier(txn, LATE, NULL), BROLGA_OK);
    cr_assert_eq(moved, 0);
    brolga__store_relaxed(&counting, false);
    for (int i = 0; i < 2; i++)
        (void)joined(tasks[i]);
}

/* --- those that misbehave ------------------------------------------------ */

static int panic_before(void *arg, char *why, size_t bytes)
{
    (void)arg;
    (void)why;
    (void)bytes;
    brolga_panic("no such order");
}

static void panic_after(void *arg)
{
    (void)arg;
    brolga_panic("cannot warm up");
}

static void refused(const struct brolga_hooks *bad, bool barrier,
                    const char *what)
{
    struct seen seen = {0};
    struct brolga_hooks hooks = looking(&seen);
    struct brolga_report report;
    struct jit_unit *code;
    brolga_txn *txn;

    publish(1);
    code = make(2);
    txn = staged_code(code);
    hooked(txn, bad);
    hooked(txn, &hooks);
    cr_assert_eq(barrier ? brolga_txn_commit_barrier(txn, LATE, &report)
                         : brolga_txn_commit(txn, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_HOOK);
    cr_assert_not_null(strstr(report.text, what), "%s\n", report.text);
    cr_assert_eq(seen.called_off, 1);
    cr_assert_eq(seen.after, 0);
    cr_assert(wait_until(jit_releases(code) == 1));
}

Test(errand, c8_a_panic_refuses, .init = world_open, .fini = world_close)
{
    refused(&(struct brolga_hooks){.before = panic_before}, false,
            "before of host: no such order");
    refused(&(struct brolga_hooks){.migrate = panic_before}, true,
            "migrate of host: no such order");
}

Test(errand, a_panic_afterwards_is_told, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    brolga_txn *txn = staged_code(make(1));

    hooked(txn, &(struct brolga_hooks){.name = "cache", .after = panic_after});
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK);
    cr_assert_str_eq(report.after, "after of cache: cannot warm up");
}

static struct gate gate;

static int stay(void *arg, char *why, size_t bytes)
{
    (void)arg;
    (void)why;
    (void)bytes;
    while (brolga__load_acquire(&gate.open) == 0)
        brolga_yield();
    return BROLGA_OK;
}

/* It does not heed that it is canceled. */
Test(errand, one_that_does_not_end_is_left_behind, .init = world_open,
     .fini = world_close)
{
    struct seen seen = {0};
    struct brolga_hooks hooks = {.migrate = stay,
                                 .release = count_release,
                                 .timeout_ns = 5 * BROLGA_MS,
                                 .arg = &seen};

    gate.open = 0;
    refused(&hooks, true, "migrate of host: has not ended in time");
    cr_assert_eq(brolga__load_acquire(&seen.released), 0);
    brolga__store_release(&gate.open, 1);
    /* It goes on, and then lets its argument go. */
    cr_assert(wait_until(brolga__load_acquire(&seen.released) == 1));
}

/* Under sanitizers traps are theirs. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static int run_staged(void *arg, char *why, size_t bytes)
{
    (void)why;
    (void)bytes;
    (void)arg;
    (void)call_number();
    return BROLGA_OK;
}

Test(errand, c8_a_trap_in_staged_code_refuses, .init = world_open,
     .fini = world_close)
{
    struct brolga_report report;
    struct jit_unit *code = &made[made_count++];
    brolga_txn *txn;

    publish(1);
    cr_assert(jit_make_plain(code, jit_illegal_code));
    txn = staged_code(code);
    hooked(txn, &(struct brolga_hooks){.migrate = run_staged});
    cr_assert_eq(brolga_txn_commit_barrier(txn, LATE, &report),
                 BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_HOOK);
    cr_assert_not_null(strstr(report.text, "SIGILL"), "%s\n", report.text);
    cr_assert(wait_until(jit_releases(code) == 1));
}
#endif
