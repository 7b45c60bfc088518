/*
 * Goal: whatever tasks do with one another, each body runs once, each handle
 * yields its task's own result once, nobody is forgotten, and nobody's view or
 * code goes away under him: C1, C2, C3, C5, C8 in the scheduler.
 *
 * Method: worlds, each a runtime with random options. In each, roots grow
 * random trees. A task does a few random things: it spawns children, on
 * workers, on threads or into scopes, with handles or without; it joins one,
 * also with a deadline that is short, or detaches it, or cancels it; it yields,
 * polls, parks, unparks whoever it finds on a board, or blocks in foreign code;
 * in the end it returns a number of its own, or panics. Most do so in a frame
 * of a unit. Meanwhile one thread commits new units, one drives, and the main
 * thread cancels roots. A child must not see an older version than its parent
 * has at the spawn, nor a parent than the child at its end. A released unit
 * traps. In the end of a world as many tasks have ended as were begun, as many
 * handles have been given up as were given, and no memory or unit is left.
 *
 *   race_spawn [--seconds S] [--seed N]
 *
 * With BROLGA_HARD=1 in the environment, and a debug build, the scheduler takes
 * its rare paths often.
 */
#include "race/reloads.h"
#include "wait_until.h"

#include <brolga/brolga.h>

#include "alloc.h"
#include "tasks/tasks.h"

#include <sched.h>

enum { ROOTS = 6, DEPTH = 6, KEPT = 4, STEPS = 8, BOARD = 64, BUDGET = 2000 };

/* What a task is told, and tells whoever joins it. */
struct job {
    uint64_t random;
    brolga_word number; /* Its result. */
    brolga_word seen;   /* Its parent's version, later its own at its end. */
    _Atomic uint32_t runs;
    _Atomic uint32_t refs; /* Its own, and that of the handle. */
    brolga_scope *scope;   /* That it is in, or NULL. */
    int depth;
    bool heard; /* Somebody has a handle. */
    bool panics;
};

struct child {
    brolga_task *task;
    struct job *job;
};

/* A running task's own. */
struct worker {
    struct job *job;
    uint64_t random;
    brolga_word seen;
    struct child kept[KEPT];
    uint32_t count;
};

static brolga *rt;
static brolga_slot enter, left, right;
static _Atomic bool stop;
static brolga_task *_Atomic board[BOARD];
static _Atomic int64_t budget; /* Tasks that may be spawned in a round. */
static _Atomic uint64_t begun, ended, given, given_up;
static _Atomic uint64_t joins, failures, timeouts, cancels, detaches, refused;
static uint64_t commits, worlds, rounds, driven;

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return race_random(random) % limit;
}

static void add(_Atomic uint64_t *count)
{
    (void)brolga__add_relaxed(count, 1);
}

/* --- jobs --------------------------------------------------------------- */

static struct job *job_new(uint64_t *random, int depth, brolga_word seen,
                           bool handle)
{
    struct job *job = brolga__alloc_zero(sizeof *job);

    race_check(job != NULL, "no memory");
    job->random = race_random(random);
    job->number = (brolga_word)(race_random(random) >> 8);
    job->seen = seen;
    job->depth = depth;
    job->heard = handle;
    brolga__store_relaxed(&job->refs, handle ? 2 : 1);
    return job;
}

static void job_drop(struct job *job)
{
    if (brolga__sub_acq_rel(&job->refs, 1) == 1)
        brolga__free(job);
}

/* --- views -------------------------------------------------------------- */

/* Both halves are of one transaction, and not of an older one than before. */
static void look(struct worker *self)
{
    const void *const *slots = brolga_view_self()->slots;
    brolga_word a = jit_call(slots[left], NULL);
    brolga_word b = jit_call(slots[right], NULL);

    race_check(a == b, "half of %lld, half of %lld", (long long)a,
               (long long)b);
    race_check(a >= self->seen, "back from %lld to %lld", (long long)self->seen,
               (long long)a);
    self->seen = a;
}

/* --- children ----------------------------------------------------------- */

static brolga_word work(void *arg);

static struct child forget(struct worker *self, uint32_t i)
{
    struct child child = self->kept[i];

    self->kept[i] = self->kept[--self->count];
    add(&given_up);
    return child;
}

static void spawn(struct worker *self, brolga_scope *scope)
{
    bool handle = self->count < KEPT && below(&self->random, 3) > 0;
    struct brolga_spawn_opts opts = {.thread = below(&self->random, 50) == 0,
                                     .adopt_at_top = false,
                                     .scope = scope};
    struct child child = {NULL, NULL};
    int err;

    if (brolga__add_relaxed(&budget, -1) <= 0)
        return;
    if (below(&self->random, 20) == 0)
        opts.stack_bytes = (size_t)256 << 10;
    look(self);
    child.job =
        job_new(&self->random, self->job->depth - 1, self->seen, handle);
    child.job->scope = scope != NULL ? scope : self->job->scope;
    add(&begun);
    err = brolga_spawn(rt, work, child.job, &opts, handle ? &child.task : NULL);
    if (err != BROLGA_OK) {
        race_check(err == BROLGA_ELIMIT, "%s", brolga_error_name(err));
        add(&refused);
        (void)brolga__add_relaxed(&begun, -1);
        brolga__free(child.job);
        return;
    }
    if (!handle)
        return;
    add(&given);
    brolga__store_release(&board[below(&self->random, BOARD)], child.task);
    self->kept[self->count++] = child;
}

static void check_result(struct worker *self, struct job *job, int err,
                         brolga_word result, const struct brolga_failure *why)
{
    race_check(brolga__load_relaxed(&job->runs) == 1, "it has not run");
    race_check((err == BROLGA_EFAILED) == job->panics, "%d", err);
    if (err == BROLGA_OK)
        race_check(result == job->number, "the result of another one");
    else
        race_check(strcmp(why->message, "by fate") == 0, "%s", why->message);
    if (self->seen < job->seen)
        self->seen = job->seen;
    look(self);
    add(err == BROLGA_OK ? &joins : &failures);
}

/* Whether the handle is gone. */
static bool join(struct worker *self, uint32_t i, uint64_t deadline_ns)
{
    struct job *job = self->kept[i].job;
    struct brolga_failure why;
    brolga_word result = -1;
    int err = brolga_join(self->kept[i].task, deadline_ns, &result, &why);

    if (err == BROLGA_ETIMEOUT || err == BROLGA_ECANCELED) {
        add(err == BROLGA_ETIMEOUT ? &timeouts : &cancels);
        return false;
    }
    (void)forget(self, i);
    check_result(self, job, err, result, &why);
    job_drop(job);
    return true;
}

static void detach(struct worker *self, uint32_t i)
{
    struct child child = forget(self, i);

    brolga_detach(child.task);
    job_drop(child.job);
    add(&detaches);
}

static void in_scope(struct worker *self)
{
    struct brolga_scope_opts opts = {
        .policy = (enum brolga_scope_policy)below(&self->random, 3)};
    struct brolga_scope_report report;
    brolga_scope *scope;

    if (below(&self->random, 2) == 0)
        opts.deadline_ns =
            brolga_after_ns(below(&self->random, 200) * BROLGA_US);
    race_ok(brolga_scope_open(&opts, &scope));
    for (uint64_t n = below(&self->random, 4); n > 0; n--)
        spawn(self, scope);
    if (self->count > 0 && below(&self->random, 2) == 0)
        (void)join(self, 0, BROLGA_FOREVER);
    race_check(brolga_scope_join(scope, &report) != BROLGA_ESTATE, "no scope");
    race_check(report.tasks == report.ended + report.failed + report.canceled,
               "the sum is wrong");
}

/* --- what a task does --------------------------------------------------- */

static void unpark_someone(struct worker *self)
{
    brolga_task *task =
        brolga__load_acquire(&board[below(&self->random, BOARD)]);

    if (task != NULL)
        brolga__unpark(task);
}

/* While it runs its scope lives. Those who have run it in their joins hear of
 * it, too, and are parted from it next. */
static void cancel_all_of_us(struct worker *self)
{
    if (self->job->scope == NULL)
        return;
    brolga_scope_cancel(self->job->scope);
    brolga_yield();
}

static void block(struct worker *self)
{
    uint64_t looks = below(&self->random, 20);

    brolga_block_begin();
    for (; looks > 0; looks--)
        (void)sched_yield();
    brolga_block_end();
}

static void with_a_child(struct worker *self)
{
    uint32_t i;

    if (self->count == 0) {
        spawn(self, NULL);
        if (self->count == 0)
            return;
    }
    i = (uint32_t)below(&self->random, self->count);
    switch (below(&self->random, 8)) {
    case 0:
        detach(self, i);
        break;
    case 1:
        brolga_cancel(self->kept[i].task);
        break;
    case 2:
        (void)join(self, i, BROLGA_NOW);
        break;
    case 3:
        (void)join(self, i,
                   brolga_after_ns(below(&self->random, 100) * BROLGA_US));
        break;
    default:
        (void)join(self, i, BROLGA_FOREVER);
    }
}

static void step(struct worker *self)
{
    switch (below(&self->random, 17)) {
    case 16:
        cancel_all_of_us(self);
        break;
    case 0:
    case 1:
        brolga_yield();
        break;
    case 2:
        brolga_safepoint();
        break;
    case 3:
        (void)brolga__park(
            "race", brolga_after_ns(below(&self->random, 100) * BROLGA_US));
        break;
    case 4:
    case 5:
        unpark_someone(self);
        break;
    case 6:
        block(self);
        break;
    case 7:
        if (self->job->depth > 0)
            in_scope(self);
        break;
    case 8:
        if (self->job->depth > 0)
            spawn(self, NULL);
        break;
    default:
        if (self->job->depth > 0)
            with_a_child(self);
    }
    look(self);
}

static brolga_word do_steps(void *arg)
{
    struct worker *self = arg;

    look(self);
    for (uint64_t n = below(&self->random, STEPS); n > 0; n--)
        step(self);
    return 0;
}

/* Once it is canceled its joins return at once. */
static void give_up_children(struct worker *self)
{
    while (self->count > 0)
        if (!join(self, self->count - 1, BROLGA_FOREVER))
            detach(self, self->count - 1);
}

static void count_end(void *arg)
{
    add(&ended);
    job_drop(arg);
}

static brolga_word work(void *arg)
{
    struct job *job = arg;
    struct worker self = {.job = job, .random = job->random, .seen = job->seen};
    struct jit_call call = {do_steps, &self};
    brolga_word number = job->number;

    race_check(brolga__add_relaxed(&job->runs, 1) == 0, "it has run before");
    if (below(&self.random, 4) == 0)
        (void)do_steps(&self);
    else
        (void)jit_call(brolga_view_self()->slots[enter], &call);
    give_up_children(&self);
    look(&self);
    job->seen = self.seen;
    job->panics = job->heard && below(&self.random, 16) == 0;
    if (job->panics) {
        race_ok(brolga_defer(count_end, job));
        brolga_panic("by fate");
    }
    count_end(job);
    return number;
}

/* --- what goes on meanwhile --------------------------------------------- */

static bool commit_next(brolga_word number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    (void)storm_stage(txn, "m", "enter", "(Fn [] Int)", true, number, NULL);
    (void)storm_stage(txn, "m", "left", "(Fn [] Int)", false, number, NULL);
    (void)storm_stage(txn, "n", "right", "(Fn [] Int)", false, number, NULL);
    return storm_commit(txn);
}

/* A new version for every few tasks. */
static void *commit_all_the_time(void *arg)
{
    brolga_word number = 1;

    (void)arg;
    while (!brolga__load_relaxed(&stop)) {
        uint64_t next = brolga__load_relaxed(&begun) + 20;
        unsigned looks = 0;

        if (commit_next(number + 1)) {
            number++;
            commits++;
        }
        while (!brolga__load_relaxed(&stop) &&
               brolga__load_relaxed(&begun) < next &&
               wait_pause(BROLGA_FOREVER, &looks))
            continue;
    }
    return NULL;
}

static void *drive_all_the_time(void *arg)
{
    (void)arg;
    while (!brolga__load_relaxed(&stop)) {
        unsigned looks = 99; /* To the first that sleeps. */
        uint64_t runs = brolga_drive(rt, brolga_after_ns(100 * BROLGA_US));

        driven += runs;
        if (runs == 0)
            (void)wait_pause(BROLGA_FOREVER, &looks);
    }
    return NULL;
}

/* --- worlds ------------------------------------------------------------- */

static void round_of(uint64_t *random)
{
    struct job *jobs[ROOTS];
    brolga_task *roots[ROOTS];
    uint64_t deadline_ns = brolga_after_ns(60 * BROLGA_S);

    brolga__store_relaxed(&budget, BUDGET);
    for (int i = 0; i < ROOTS; i++) {
        jobs[i] = job_new(random, DEPTH, 0, true);
        add(&begun);
        race_ok(brolga_spawn(rt, work, jobs[i], NULL, &roots[i]));
    }
    for (int i = 0; i < ROOTS; i++) {
        for (uint64_t looks = below(random, 50); looks > 0; looks--)
            (void)sched_yield();
        if (below(random, 2) == 0)
            brolga_cancel(roots[i]);
    }
    for (int i = 0; i < ROOTS; i++) {
        brolga_word result = -1;
        int err = brolga_join(roots[i], deadline_ns, &result, NULL);

        race_check(err == (jobs[i]->panics ? BROLGA_EFAILED : BROLGA_OK),
                   "root %d: %d", i, err);
        race_check(err != BROLGA_OK || result == jobs[i]->number, "root %d", i);
        job_drop(jobs[i]);
    }
    while (brolga_tasks_live(rt) > 0) {
        race_check(brolga_now_ns() < deadline_ns, "%u live",
                   brolga_tasks_live(rt));
        (void)sched_yield();
    }
    race_check(begun == ended, "%llu have begun, %llu ended",
               (unsigned long long)begun, (unsigned long long)ended);
    race_check(given == given_up, "%llu handles, %llu given up",
               (unsigned long long)given, (unsigned long long)given_up);
    rounds++;
}

static struct brolga_opts options(uint64_t *random)
{
    static const uint32_t limits[] = {0, 0, 100, 1 << 20};

    return (struct brolga_opts){.workers = 1 + (uint32_t)below(random, 4),
                                .stack_bytes = (size_t)64 << 10,
                                .tasks_max = limits[below(random, 4)],
                                .cancel_grace_ns = 60 * BROLGA_S};
}

static void world_of(uint64_t *random)
{
    struct brolga_opts opts = options(random);
    uint64_t end_ns = brolga_after_ns(200 * BROLGA_MS);
    pthread_t committer, driver;

    race_ok(brolga_create(&opts, &rt));
    race_check(commit_next(1), "first commit");
    enter = storm_slot(brolga_runtime_got(rt), "m", "enter");
    left = storm_slot(brolga_runtime_got(rt), "m", "left");
    right = storm_slot(brolga_runtime_got(rt), "n", "right");
    brolga__store_relaxed(&stop, false);
    race_check(pthread_create(&committer, NULL, commit_all_the_time, NULL) == 0,
               "no thread");
    race_check(pthread_create(&driver, NULL, drive_all_the_time, NULL) == 0,
               "no thread");
    while (brolga_now_ns() < end_ns && !race_over())
        round_of(random);
    brolga__store_relaxed(&stop, true);
    (void)pthread_join(committer, NULL);
    (void)pthread_join(driver, NULL);
    storm_settle(rt, 3);
    for (int i = 0; i < BOARD; i++)
        brolga__store_relaxed(&board[i], NULL);
    race_ok(brolga_destroy(rt));
    brolga__store_relaxed(&storm_made, storm_released());
    worlds++;
}

static void check_progress(void)
{
    printf("%llu worlds, %llu rounds, %llu tasks, %llu commits: %llu joined, "
           "%llu failed, %llu timed out, %llu canceled, %llu detached, "
           "%llu refused, %llu driven\n",
           (unsigned long long)worlds, (unsigned long long)rounds,
           (unsigned long long)begun, (unsigned long long)commits,
           (unsigned long long)joins, (unsigned long long)failures,
           (unsigned long long)timeouts, (unsigned long long)cancels,
           (unsigned long long)detaches, (unsigned long long)refused,
           (unsigned long long)driven);
    race_check(rounds > 0 && commits > 0 && joins > 0 && failures > 0 &&
                   timeouts > 0 && cancels > 0 && detaches > 0,
               "not everything has happened");
}

int main(int argc, char **argv)
{
    int64_t before = brolga__alloc_live();
    uint64_t random;

    race_begin(argc, argv);
    random = race_state(0);
    while (!race_over() || worlds == 0)
        world_of(&random);
    race_check(brolga__alloc_live() == before, "%lld blocks leaked",
               (long long)(brolga__alloc_live() - before));
    check_progress();
    return 0;
}
