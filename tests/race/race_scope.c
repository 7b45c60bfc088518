/*
 * Goal: whatever happens in a tree of scopes at the same time, every task ends,
 * no task outlives the scope that it is in, every report is right, and handlers
 * run once.
 *
 * Method: rounds. In each, a few roots grow random trees: a task may open a
 * scope of a random policy and deadline, spawn children of random fates into
 * it, and join it, or end without; fates are to succeed at once or after some
 * yields, to panic, to sleep, to cancel something. Meanwhile the main thread
 * cancels roots. Every task counts itself in what it is spawned into, and out,
 * with how it ended, in a deferred handler that runs last. So when a scope is
 * joined, its record must agree with the report.
 *
 *   race_scope [--seconds S] [--seed N]
 */
#include <brolga/brolga.h>

#include "alloc.h"
#include "atomic.h"
#include "race.h"

#include <sched.h>

enum { ROOTS = 6, DEPTH = 4, CHILDREN = 5, RECORDS = 1 << 14 };

enum fate { SUCCEED, DAWDLE, PANIC, SLEEP, CANCEL, GROW, LEAVE_OPEN, FATES };

/* A scope as its tasks see it. */
struct record {
    brolga_scope *scope;
    struct record *above; /* The one that its opener is in, or NULL. */
    _Atomic uint64_t spawned, ended, panicked;
    _Atomic uint64_t handled; /* Handlers that have run. */
    _Atomic bool closed;      /* Joined, as its opener sees it. */
    enum brolga_scope_policy policy;
    bool doomed;  /* It will be canceled, whatever happens... */
    bool cancels; /* ...by its opener; otherwise from above. */
};

struct job {
    struct record *in;
    uint64_t random;
    int depth;
    enum fate fate;
    bool panics;
};

static brolga *rt;
static struct record records[RECORDS];
static _Atomic uint32_t records_used;
static _Atomic uint64_t joins, failures, cancels, timeouts, winners, left_open;

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return race_random(random) % limit;
}

/* --- a scope's record --------------------------------------------------- */

static struct record *record_new(struct record *above,
                                 enum brolga_scope_policy policy)
{
    uint32_t i = brolga__add_relaxed(&records_used, 1);
    struct record *record;

    if (i >= RECORDS)
        return NULL;
    record = &records[i];
    memset(record, 0, sizeof *record);
    record->above = above;
    record->policy = policy;
    record->doomed = above != NULL && above->doomed;
    return record;
}

/* The last that a task does, on its own stack. */
static void count_end(void *arg)
{
    struct job *job = arg;
    struct record *in = job->in;

    if (in != NULL) {
        race_check(!brolga__load_acquire(&in->closed), "%s",
                   "a task outlives its scope");
        (void)brolga__add_relaxed(&in->ended, 1);
        if (job->panics)
            (void)brolga__add_relaxed(&in->panicked, 1);
    }
    brolga__free(job);
}

static void count_handler(void *arg)
{
    struct job *job = arg;

    /* Parking works here, canceled or not. */
    if (below(&job->random, 8) == 0)
        race_check(brolga_sleep_until(brolga_now_ns() + 1000) == BROLGA_OK,
                   "%s", "a handler cannot park");
    if (job->in != NULL)
        (void)brolga__add_relaxed(&job->in->handled, 1);
}

static void check_report(const struct record *record, int result,
                         const struct brolga_scope_report *report)
{
    uint64_t panicked = brolga__load_relaxed(&record->panicked);

    race_check(report->tasks == brolga__load_relaxed(&record->spawned),
               "%llu tasks", (unsigned long long)report->tasks);
    race_check(report->tasks == brolga__load_relaxed(&record->ended), "%llu",
               (unsigned long long)report->tasks);
    race_check(report->tasks == brolga__load_relaxed(&record->handled), "%llu",
               (unsigned long long)report->tasks);
    race_check(report->tasks ==
                   report->ended + report->failed + report->canceled,
               "%s", "the sum is wrong");
    /* Besides, a task may fail for a scope that it left open. */
    race_check(report->failed >= panicked, "%llu failed, %llu panicked",
               (unsigned long long)report->failed,
               (unsigned long long)panicked);
    if (record->policy == BROLGA_SCOPE_ANY && report->winner != 0)
        race_check(result == BROLGA_OK && report->ended > 0, "%d", result);
    else if (report->failed > 0)
        race_check(result == BROLGA_EFAILED, "%d", result);
    else
        race_check(result != BROLGA_EFAILED, "%d", result);
    if (report->failed > 0)
        race_check(report->first.message[0] != '\0', "%s", "no message");
}

static void count_result(int result, const struct brolga_scope_report *report)
{
    (void)brolga__add_relaxed(&joins, 1);
    (void)brolga__add_relaxed(&failures, result == BROLGA_EFAILED);
    (void)brolga__add_relaxed(&cancels, result == BROLGA_ECANCELED);
    (void)brolga__add_relaxed(&timeouts, result == BROLGA_ETIMEOUT);
    (void)brolga__add_relaxed(&winners, report->winner != 0);
}

static void visit_failure(void *arg, const struct brolga_failure *failure)
{
    race_check(failure->message[0] != '\0', "%s", "no message");
    ++*(uint64_t *)arg;
}

static void join(struct record *record)
{
    struct brolga_scope_report report;
    uint64_t visited = 0, most;
    int result = brolga_scope_join(record->scope, &report);

    race_check(result != BROLGA_ESTATE, "%d", result);
    brolga__store_release(&record->closed, true);
    check_report(record, result, &report);
    count_result(result, &report);
    most = report.failed < 3 ? report.failed : 3;
    (void)brolga_scope_each_failure(&report, visit_failure, &visited);
    race_check(visited == most, "%llu visited", (unsigned long long)visited);
}

/* --- tasks -------------------------------------------------------------- */

static brolga_word work(void *arg);

static void spawn(struct record *in, uint64_t *random, int depth,
                  brolga_task **out)
{
    struct brolga_spawn_opts opts = {.thread = below(random, 64) == 0,
                                     .scope = in != NULL ? in->scope : NULL};
    struct job *job = brolga__alloc_zero(sizeof *job);

    race_check(job != NULL, "%s", "no memory");
    job->in = in;
    job->random = race_random(random);
    job->depth = depth;
    job->fate = (enum fate)below(&job->random, FATES);
    if (in != NULL) /* It may have ended before brolga_spawn() returns. */
        (void)brolga__add_relaxed(&in->spawned, 1);
    race_ok(brolga_spawn(rt, work, job, &opts, out));
}

static struct record *open_one(struct job *job)
{
    struct brolga_scope_opts opts = {
        .policy = (enum brolga_scope_policy)below(&job->random, 3),
        .failures_max = 3};
    struct record *record;

    if (below(&job->random, 3) == 0)
        opts.deadline_ns =
            brolga_now_ns() + below(&job->random, 300 * BROLGA_US);
    record = record_new(job->in, opts.policy);
    if (record != NULL)
        race_ok(brolga_scope_open(&opts, &record->scope));
    return record;
}

/* Of a scope that its opener did not join: it has been closed by now. */
static void check_left_open(void *arg)
{
    struct record *record = arg;

    race_check(brolga__load_relaxed(&record->spawned) ==
                   brolga__load_relaxed(&record->ended),
               "%s", "a task was left behind");
    brolga__store_release(&record->closed, true);
}

static void leave(struct record *record)
{
    (void)brolga__add_relaxed(&left_open, 1);
    race_ok(brolga_defer(check_left_open, record));
}

/* Spawns children, some of them with a handle; returns how many have one. In a
 * doomed scope the canceling comes at any time, in between or after. */
static int spawn_some(struct record *record, struct job *job,
                      brolga_task *handles[CHILDREN])
{
    uint64_t children = below(&job->random, CHILDREN + 1);
    uint64_t cancel_at = below(&job->random, CHILDREN + 1);
    bool handle = job->fate != LEAVE_OPEN;
    int kept = 0;

    for (uint64_t i = 0; i < children; i++) {
        if (record->cancels && i == cancel_at)
            brolga_scope_cancel(record->scope);
        if (handle && below(&job->random, 4) == 0)
            spawn(record, &job->random, job->depth - 1, &handles[kept++]);
        else
            spawn(record, &job->random, job->depth - 1, NULL);
    }
    if (record->cancels && cancel_at >= children)
        brolga_scope_cancel(record->scope);
    return kept;
}

/* Who is not in the scope any more has ended for everybody. */
static void join_handles(brolga_task *const *handles, int count)
{
    for (int i = 0; i < count; i++) {
        int err = brolga_join(handles[i], BROLGA_NOW, NULL, NULL);

        race_check(err == BROLGA_OK || err == BROLGA_EFAILED, "%d", err);
    }
}

static void grow(struct job *job)
{
    struct record *record = open_one(job);
    brolga_task *handles[CHILDREN];
    int kept;

    if (record == NULL) /* Enough for this round. */
        return;
    if (!record->doomed)
        record->doomed = record->cancels = below(&job->random, 3) == 0;
    kept = spawn_some(record, job, handles);
    if (below(&job->random, 3) == 0)
        (void)brolga_sleep_until(brolga_now_ns() +
                                 below(&job->random, 200 * BROLGA_US));
    if (below(&job->random, 4) == 0 && job->depth > 1)
        grow(&(struct job){.in = record,
                           .random = race_random(&job->random),
                           .depth = job->depth - 1});
    if (job->fate == LEAVE_OPEN && below(&job->random, 4) == 0) {
        leave(record);
        return;
    }
    join(record);
    join_handles(handles, kept);
}

static void dawdle(struct job *job)
{
    for (uint64_t i = below(&job->random, 20); i > 0; i--)
        brolga_yield();
}

/* For ever, if somebody is to be told: whoever is missed is found missing. */
static brolga_word sleep_some(struct job *job)
{
    if (job->in != NULL && job->in->doomed)
        return brolga_sleep_until(BROLGA_FOREVER);
    return brolga_sleep_until(brolga_now_ns() +
                              below(&job->random, 2 * BROLGA_MS));
}

/* Also a sibling may be spawned, into a scope that may be canceled by now. */
static brolga_word do_fate(struct job *job)
{
    switch (job->fate) {
    case DAWDLE:
        dawdle(job);
        if (job->in != NULL && job->depth > 0)
            spawn(job->in, &job->random, job->depth - 1, NULL);
        return 0;
    case PANIC:
        dawdle(job);
        job->panics = true;
        brolga_panic("by fate");
    case SLEEP:
        return sleep_some(job);
    case CANCEL:
        dawdle(job);
        if (job->in != NULL) /* Also one above it: its opener waits for us. */
            brolga_scope_cancel(job->in->above != NULL &&
                                        below(&job->random, 2) == 0
                                    ? job->in->above->scope
                                    : job->in->scope);
        return brolga_cancel_reason();
    case GROW:
    case LEAVE_OPEN:
        if (job->depth > 0)
            grow(job);
        return brolga_cancel_reason();
    case SUCCEED:
    default:
        return 0;
    }
}

static brolga_word work(void *arg)
{
    struct job *job = arg;

    race_ok(brolga_defer(count_end, job));
    race_ok(brolga_defer(count_handler, job));
    return do_fate(job);
}

/* --- rounds ------------------------------------------------------------- */

static brolga_word root(void *arg)
{
    struct job job = *(struct job *)arg;

    job.fate = GROW;
    grow(&job);
    return 0;
}

static void round_of(uint64_t *random)
{
    struct job jobs[ROOTS];
    brolga_task *roots[ROOTS];

    brolga__store_relaxed(&records_used, 0);
    for (int i = 0; i < ROOTS; i++) {
        jobs[i] = (struct job){.random = race_random(random), .depth = DEPTH};
        race_ok(brolga_spawn(rt, root, &jobs[i], NULL, &roots[i]));
    }
    for (int i = 0; i < ROOTS; i++) {
        for (uint64_t looks = below(random, 100); looks > 0; looks--)
            (void)sched_yield();
        if (below(random, 2) == 0)
            brolga_cancel(roots[i]);
    }
    for (int i = 0; i < ROOTS; i++) {
        int err =
            brolga_join(roots[i], brolga_after_ns(60 * BROLGA_S), NULL, NULL);

        race_check(err == BROLGA_OK || err == BROLGA_EFAILED, "root %d: %d", i,
                   err);
    }
    /* All were in the scope of a root, so that nobody is left. */
    for (uint64_t end_ns = brolga_after_ns(10 * BROLGA_S);
         brolga_tasks_live(rt) > 0 && brolga_now_ns() < end_ns;)
        continue;
    race_check(brolga_tasks_live(rt) == 0, "%u live", brolga_tasks_live(rt));
}

static void check_progress(uint64_t rounds)
{
    printf("%llu rounds, %llu joins: %llu failed, %llu canceled, %llu timed "
           "out, %llu won, %llu left open\n",
           (unsigned long long)rounds,
           (unsigned long long)brolga__load_relaxed(&joins),
           (unsigned long long)brolga__load_relaxed(&failures),
           (unsigned long long)brolga__load_relaxed(&cancels),
           (unsigned long long)brolga__load_relaxed(&timeouts),
           (unsigned long long)brolga__load_relaxed(&winners),
           (unsigned long long)brolga__load_relaxed(&left_open));
    race_check(rounds > 0 && joins > 0 && failures > 0 && cancels > 0 &&
                   winners > 0 && left_open > 0,
               "%s", "not everything has happened");
}

int main(int argc, char **argv)
{
    struct brolga_opts opts = {.workers = 4,
                               .stack_bytes = 64 << 10,
                               .cleanup_ns = BROLGA_FOREVER,
                               .cancel_grace_ns = 60 * BROLGA_S};
    int64_t before = brolga__alloc_live();
    uint64_t random, rounds = 0;

    race_begin(argc, argv);
    random = race_state(0);
    race_ok(brolga_create(&opts, &rt));
    for (; !race_over(); rounds++)
        round_of(&random);
    race_ok(brolga_destroy(rt));
    race_check(brolga__alloc_live() == before, "%lld blocks leaked",
               (long long)(brolga__alloc_live() - before));
    check_progress(rounds);
    return 0;
}
