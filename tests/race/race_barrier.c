/*
 * Goal: C1 and C2 through cells. With barrier commits a task that calls through
 * a table of fixed cells sees a transaction whole or not at all, and one
 * version between two of its safepoints.
 * Method: as race_calls, but the pair is called through two cells. Fibers that
 * sleep, yield, join, fork and go into foreign code; threads; a loop that
 * adopts at top safepoints only and yields in between. Commits come from a
 * thread of the host and from a task; some have deadlines that are too short.
 */
#include "race/reloads.h"

#include <brolga/fork.h>

#define TASKS 6

static const void *table_left[1], *table_right[1];
static _Atomic bool stop;
static _Atomic uint64_t commits, timeouts, refusals;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static brolga_word number;

static brolga_word call(const void **table)
{
    return jit_call(__atomic_load_n(table, __ATOMIC_RELAXED), NULL);
}

static brolga_word call_left(void)
{
    return call(table_left);
}

static brolga_word call_right(void)
{
    return call(table_right);
}

#include "race/pair.h"

static brolga_word call_once(void *arg)
{
    call_pairs(arg);
    return 0;
}

static void fork_some(struct caller *caller)
{
    struct caller other = {.random = race_random(&caller->random)};
    struct brolga_fork fork;

    brolga_fork(&fork, call_once, &other);
    call_pairs(caller);
    (void)brolga_fork_join(&fork);
}

static void join_one(struct caller *caller)
{
    struct caller other = {.random = race_random(&caller->random)};
    brolga_task *task;

    race_ok(brolga_spawn(brolga_runtime(), call_once, &other, NULL, &task));
    race_ok(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
}

static void any_safepoint(struct caller *caller)
{
    switch (race_random(&caller->random) % 16) {
    case 0:
    case 1:
        brolga_yield();
        break;
    case 2:
        (void)brolga_sleep_until(
            brolga_after_ns(race_random(&caller->random) % 100000));
        break;
    case 3:
        brolga_block_begin();
        brolga_block_end();
        break;
    case 4:
        fork_some(caller);
        brolga_safepoint();
        break;
    case 5:
        join_one(caller);
        break;
    default:
        brolga_safepoint();
    }
}

static brolga_word run(void *arg)
{
    struct caller *caller = arg;

    while (!brolga__load_relaxed(&stop)) {
        call_pairs(caller);
        any_safepoint(caller);
    }
    return 0;
}

/* One call of the loop: one version, though it yields and sleeps. */
static brolga_word step(void *arg)
{
    struct caller *caller = arg;
    brolga_word first = call(table_left);

    for (int i = 0; i < 3; i++) {
        race_check(call(table_left) == first && call(table_right) == first,
                   "a step of two versions");
        if (race_random(&caller->random) % 8 == 0)
            (void)brolga_sleep_until(brolga_after_ns(20000));
        else
            brolga_yield();
        caller->calls += 2;
    }
    race_check(call(table_right) == first, "a step of two versions");
    return brolga__load_relaxed(&stop) ? BROLGA_DONE : BROLGA_OK;
}

static void commit_pair(brolga_got *got, uint64_t deadline_ns)
{
    struct brolga_report report;
    brolga_txn *txn;
    int err;

    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "left", "number", "int()", false, number + 1, NULL);
    storm_stage(txn, "right", "number", "int()", false, number + 1, NULL);
    err = brolga_txn_commit_barrier(txn, deadline_ns, &report);
    if (err == BROLGA_OK) {
        number++;
        (void)brolga__add_relaxed(&commits, 1);
        return;
    }
    race_check(err == BROLGA_ETIMEOUT ||
                   report.refusal == BROLGA_REFUSED_LIMIT ||
                   report.refusal == BROLGA_REFUSED_STRESS,
               "%s", report.text);
    (void)brolga__add_relaxed(err == BROLGA_ETIMEOUT ? &timeouts : &refusals,
                              1);
}

static uint64_t any_deadline(uint64_t *random)
{
    return race_random(random) % 4 == 0
               ? brolga_after_ns(race_random(random) % 200000)
               : brolga_after_ns(20 * BROLGA_S);
}

/* One turn each: the number is theirs together. */
static brolga_word commit_all(void *arg)
{
    uint64_t random = race_state(1000);
    brolga_got *got = arg;

    while (!race_over()) {
        if (pthread_mutex_trylock(&turn) == 0) {
            commit_pair(got, any_deadline(&random));
            pthread_mutex_unlock(&turn);
        }
        brolga_yield();
    }
    return 0;
}

static void attach(brolga_got *got)
{
    brolga_cells *cells;

    race_ok(brolga_cells_attach(got, "left", table_left, 1, &cells));
    race_ok(brolga_cells_attach(got, "right", table_right, 1, &cells));
}

/* A unit that calls step(), so that the loop has a frame of a unit below. */
static brolga_slot commit_stepper(brolga_got *got)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "stepper", "step", "int()", true, 0, NULL);
    race_check(storm_commit(txn), "stepper");
    return storm_slot(got, "stepper", "step");
}

int main(int argc, char **argv)
{
    struct caller caller[TASKS];
    brolga_task *task[TASKS], *committer;
    struct jit_call stepping = {.fn = step, .arg = &caller[0]};
    uint64_t calls = 0, random;
    brolga_slot slot;
    brolga_got *got;
    brolga *rt;

    race_begin(argc, argv);
    random = race_state(2000);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    got = brolga_runtime_got(rt);
    attach(got);
    slot = commit_stepper(got);
    commit_pair(got, BROLGA_FOREVER);
    for (unsigned i = 0; i < TASKS; i++) {
        struct brolga_spawn_opts opts = {.thread = i == 1,
                                         .adopt_at_top = i == 0};

        caller[i] = (struct caller){.random = race_state(i)};
        if (i == 0)
            race_ok(brolga_spawn_loop(rt, slot, &stepping, &opts, &task[i]));
        else
            race_ok(brolga_spawn(rt, run, &caller[i], &opts, &task[i]));
    }
    race_ok(brolga_spawn(rt, commit_all, got, NULL, &committer));
    while (!race_over()) {
        pthread_mutex_lock(&turn);
        commit_pair(got, any_deadline(&random));
        pthread_mutex_unlock(&turn);
    }
    race_ok(brolga_join(committer, BROLGA_FOREVER, NULL, NULL));
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
        race_check(caller[i].calls > 0, "task %u never called", i);
        calls += caller[i].calls;
    }
    storm_settle(rt, 3);
    race_check(brolga__load_relaxed(&commits) > 3, "only %lld commits",
               (long long)number);
    race_ok(brolga_destroy(rt));
    printf("%llu calls, %llu versions, %llu timeouts, %llu refusals\n",
           (unsigned long long)calls,
           (unsigned long long)brolga__load_relaxed(&commits),
           (unsigned long long)brolga__load_relaxed(&timeouts),
           (unsigned long long)brolga__load_relaxed(&refusals));
    return 0;
}
