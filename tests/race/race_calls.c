/*
 * Goal: C1 and C2. A transaction is seen whole or not at all, and a task stays
 * in one version between two of its safepoints, which never goes back.
 * Method: tasks call a pair of functions of two modules that each return the
 * number of the transaction that made them, through their view, while a thread
 * commits new pairs as fast as it can. The pair must be equal and never smaller
 * than the last one. Some tasks are fibers, some threads; some adopt at top
 * safepoints only.
 */
#include "race/reloads.h"

#define TASKS 8

static brolga_slot left, right;
static _Atomic bool stop;

static brolga_word call(brolga_slot slot)
{
    return jit_call(brolga_view_self()->slots[slot], NULL);
}

static brolga_word call_left(void)
{
    return call(left);
}

static brolga_word call_right(void)
{
    return call(right);
}

#include "race/pair.h"

static brolga_word run(void *arg)
{
    struct caller *caller = arg;

    while (!brolga__load_relaxed(&stop)) {
        call_pairs(caller);
        storm_safepoint(&caller->random);
    }
    return (brolga_word)caller->calls;
}

static bool commit_pair(brolga_got *got, brolga_word number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "left", "number", "int()", false, number, NULL);
    storm_stage(txn, "right", "number", "int()", false, number, NULL);
    return storm_commit(txn);
}

static brolga_word commit_all(brolga_got *got)
{
    brolga_word number = 1;

    while (!race_over())
        if (commit_pair(got, number + 1)) {
            number++;
            race_check(storm_slot(got, "left", "number") == left,
                       "the slot's number has changed");
        } else {
            sched_yield(); /* The cap on versions: tasks must adopt first. */
        }
    return number;
}

int main(int argc, char **argv)
{
    struct caller caller[TASKS];
    brolga_task *task[TASKS];
    brolga_word calls, commits, total = 0;
    brolga *rt;

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_check(commit_pair(brolga_runtime_got(rt), 1), "first commit");
    left = storm_slot(brolga_runtime_got(rt), "left", "number");
    right = storm_slot(brolga_runtime_got(rt), "right", "number");
    for (unsigned i = 0; i < TASKS; i++) {
        caller[i] = (struct caller){.random = race_state(i)};
        race_ok(brolga_spawn(rt, run, &caller[i],
                             &(struct brolga_spawn_opts){
                                 .thread = i == 0, .adopt_at_top = i == 1},
                             &task[i]));
    }
    commits = commit_all(brolga_runtime_got(rt));
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(task[i], BROLGA_FOREVER, &calls, NULL));
        race_check(calls > 0, "task %u never called", i);
        total += calls;
    }
    storm_settle(rt, 2);
    race_check(commits > 3, "only %lld commits", (long long)commits);
    race_ok(brolga_destroy(rt));
    printf("%lld calls, %lld versions\n", (long long)total, (long long)commits);
    return 0;
}
