/*
 * Spans: a job's numbers, cut up as workers come free.
 *
 * A span is a task in the job's scope. It does a chunk, looks how long that
 * took, and makes the next one larger or smaller. When a chunk has taken long
 * enough to be worth a thread's waking, and there is nothing in its worker's
 * queue for others to steal, it splits: the second half of what is left becomes
 * a span of its own, in that queue. So there is one split for each theft, and
 * a few more; a job that is over soon has none, and stays on one worker (lazy
 * binary splitting, after Tzannes, Caragea, Barua and Vishkin, PPoPP 2010).
 *
 * The scope's policy is ALL: the first span that fails cancels the others, and
 * spans that have not begun end at once. The caller runs no span itself, so
 * that a failure is one of a span, and the call returns.
 *
 *   A  What spans have written is seen by the caller: their end -> its join of
 *      the scope. What they have under the job's lock needs no more.
 *
 * A span's `env` is used by it alone. It is copied for a new span while the
 * old one is between two elements, and handed on under the lock by spans that
 * have ended. So there is one owner at a time, as its counts require, and the
 * caller's own is one of them.
 */
#include "par/par.h"

#include "alloc.h"
#include "arch.h"

/* A chunk is to take about that long, but be no more than a share of what its
 * span has left, so that all spans end at about the same time. */
#define CHUNK_TICKS (2 * (uint64_t)BROLGA__TICKS_LONG)
#define CHUNK_SHARE 4

static brolga_word run_span(void *arg);
static void end_span(void *arg);

/* --- making spans ------------------------------------------------------- */

/* A span whose env is ready; NULL: no memory, or it cannot be copied. `from`
 * is between two elements. */
static struct brolga__span *make(struct brolga__job *job,
                                 const struct brolga__span *from)
{
    struct brolga__span *span;

    brolga__lock_take(&job->lock);
    span = job->spare;
    if (span != NULL)
        job->spare = span->next;
    brolga__lock_leave(&job->lock);
    if (span != NULL)
        return span;
    span = brolga__alloc_zero(sizeof *span);
    if (span == NULL)
        return NULL;
    span->job = job;
    span->env = from->env;
    if (job->env_type != NULL) {
        if (brolga_copy_word(job->env_type, from->env, &span->env, NULL) !=
            BROLGA_OK) {
            brolga__free(span);
            return NULL;
        }
        span->has_env = true;
    }
    return span;
}

static void set(struct brolga__span *span, size_t begin, size_t end,
                size_t chunk)
{
    span->at = span->begin = begin;
    span->end = end;
    span->chunk = chunk;
    span->task = 0;
    span->done = false;
    span->partial = NULL;
    span->next = NULL;
}

static int start(struct brolga__span *span)
{
    struct brolga__job *job = span->job;
    struct brolga__start how = {.entry = BROLGA__ENTRY_FUNCTION,
                                .fn = run_span,
                                .arg = span,
                                .at_end = end_span,
                                .at_end_arg = span};
    struct brolga_spawn_opts opts = {.scope = job->scope};

    return brolga__spawn(job->rt, &how, &opts, NULL);
}

static void put_spare(struct brolga__span *span)
{
    struct brolga__job *job = span->job;

    brolga__lock_take(&job->lock);
    span->next = job->spare;
    job->spare = span;
    brolga__lock_leave(&job->lock);
}

/* --- running one -------------------------------------------------------- */

/* Whether somebody could do with half of what is left: there is nothing of
 * ours that could be stolen instead. */
static bool is_wanted(const struct brolga__span *span)
{
    struct brolga *rt = span->job->rt;
    struct brolga__worker *worker;

    if (rt->worker_count == 1 || span->end - span->begin <= span->chunk)
        return false;
    worker = brolga__worker_self(rt);
    return worker != NULL && brolga__runq_count(&worker->queue) == 0;
}

static void split(struct brolga__span *span)
{
    struct brolga__span *half = make(span->job, span);
    size_t middle = span->begin + (span->end - span->begin) / 2;

    if (half == NULL)
        return;
    set(half, middle, span->end, span->chunk);
    span->end = middle;
    if (start(half) == BROLGA_OK)
        return;
    span->end = half->end; /* There is no task to be had. */
    put_spare(half);
}

/* The end of the chunk that is next. */
static size_t chunk_end(const struct brolga__span *span)
{
    size_t left = span->end - span->begin;
    size_t share = left / CHUNK_SHARE + 1;

    if (span->job->opts->chunk != 0)
        share = left;
    return span->begin + (span->chunk < share ? span->chunk : share);
}

/* The size of the next chunk, after one of this size took so long. */
static void adapt(struct brolga__span *span, size_t size, uint64_t ticks)
{
    if (span->job->opts->chunk != 0 || size < span->chunk)
        return;
    if (ticks < CHUNK_TICKS / 2)
        span->chunk *= 2;
    else if (ticks > 2 * CHUNK_TICKS && span->chunk > 1)
        span->chunk /= 2;
}

/* Whether chunks take long enough for half of the rest to be worth a theft; one
 * by a worker that sleeps, and must be woken first, is dearer. */
static bool is_worth(const struct brolga__job *job, uint64_t ticks)
{
    bool is_cheap = brolga__load_relaxed(&job->rt->searching) > 0;

    return ticks >= (is_cheap ? CHUNK_TICKS / 32 : CHUNK_TICKS / 4);
}

static void stop(struct brolga__job *job, int err)
{
    brolga__store_relaxed(&job->stop, true);
    brolga__lock_take(&job->lock);
    if (job->err == BROLGA_OK)
        job->err = err;
    brolga__lock_leave(&job->lock);
}

static brolga_word run_span(void *arg)
{
    struct brolga__span *span = arg;
    struct brolga__job *job = span->job;

    int err = brolga_cancel_reason();

    span->task = brolga_task_id(brolga_self());
    /* Ends: every turn does some of what is left. */
    while (err == BROLGA_OK && span->begin < span->end &&
           !brolga__load_relaxed(&job->stop)) {
        size_t end = chunk_end(span), size = end - span->begin;
        uint64_t ticks = brolga__cpu_ticks();

        span->at = span->begin;
        err = job->body(span, span->begin, end);
        if (err != BROLGA_OK)
            break;
        span->begin = end;
        ticks = brolga__cpu_ticks() - ticks;
        adapt(span, size, ticks);
        if (is_worth(job, ticks) && is_wanted(span))
            split(span);
        brolga_safepoint();
        err = brolga_cancel_reason();
    }
    if (err != BROLGA_OK)
        stop(job, err);
    span->done = true;
    return BROLGA_OK;
}

/* However it came to its end; it may not have begun. */
static void end_span(void *arg)
{
    struct brolga__span *span = arg;
    struct brolga__job *job = span->job;
    struct brolga__span **list;

    brolga__lock_take(&job->lock);
    if (!span->done && span->at < job->failed_at) {
        job->failed_at = span->at;
        job->failed_task = span->task;
    }
    /* Who has failed may have left its env in any state. */
    list = span->done ? &job->spare : &job->ended;
    span->next = *list;
    *list = span;
    brolga__lock_leave(&job->lock);
}

/* --- the whole ---------------------------------------------------------- */

struct finder {
    uint64_t task;
    struct brolga_failure *out;
};

static void find_failure(void *arg, const struct brolga_failure *failure)
{
    struct finder *finder = arg;

    if (failure->task == finder->task)
        *finder->out = *failure;
}

static void tell(const struct brolga__job *job,
                 const struct brolga_scope_report *report,
                 struct brolga_par_failure *failure)
{
    struct finder finder = {job->failed_task, &failure->failure};

    failure->index = job->failed_at;
    failure->failure = report->first;
    (void)brolga_scope_each_failure(report, find_failure, &finder);
}

/* By a task. */
static int run_in_scope(struct brolga__job *job,
                        struct brolga_par_failure *failure)
{
    struct brolga_scope_opts opts = {.policy = BROLGA_SCOPE_ALL,
                                     .deadline_ns = job->opts->deadline_ns};
    struct brolga_scope_report report;
    struct brolga__span *all;
    int err, joined;

    err = brolga_scope_open(&opts, &job->scope);
    if (err != BROLGA_OK)
        return err;
    all = brolga__alloc_zero(sizeof *all);
    if (all != NULL) {
        all->job = job;
        all->env = job->env;
        set(all, 0, job->count, job->opts->chunk != 0 ? job->opts->chunk : 1);
        err = start(all);
        if (err != BROLGA_OK)
            put_spare(all);
    } else {
        err = BROLGA_ENOMEM;
    }
    joined = brolga_scope_join(job->scope, &report);
    if (joined == BROLGA_EFAILED && failure != NULL)
        tell(job, &report, failure);
    if (joined != BROLGA_OK || err != BROLGA_OK)
        return joined != BROLGA_OK ? joined : err;
    return job->err;
}

struct outside {
    struct brolga__job *job;
    struct brolga_par_failure *failure;
};

static brolga_word run_outside(void *arg)
{
    struct outside *outside = arg;

    return run_in_scope(outside->job, outside->failure);
}

/* By anybody else. The job is on our frame: a caller that is canceled, or has
 * no more time, cancels the task and goes on waiting for it. */
static int run_from_outside(struct brolga__job *job,
                            struct brolga_par_failure *failure)
{
    struct outside outside = {job, failure};
    brolga_word result = BROLGA_OK;
    brolga_task *task;
    int err = brolga_spawn(job->rt, run_outside, &outside, NULL, &task);

    if (err != BROLGA_OK)
        return err;
    err = brolga_join(task, BROLGA_FOREVER, &result, NULL);
    if (err != BROLGA_OK && err != BROLGA_EFAILED && brolga__self() != NULL) {
        brolga_cancel(task);
        err = brolga__join_through(task, &result, NULL);
    }
    return err != BROLGA_OK ? err : (int)result;
}

int brolga__job_run(struct brolga__job *job, struct brolga_par_failure *failure)
{
    static const struct brolga_par_opts defaults;
    const brolga_task *self = brolga__self();

    if (job->opts == NULL)
        job->opts = &defaults;
    job->failed_at = job->count;
    if (job->count == 0)
        return BROLGA_OK;
    if (self != NULL && self->rt == job->rt)
        return run_in_scope(job, failure);
    return run_from_outside(job, failure);
}

static void free_all(struct brolga__job *job, struct brolga__span *span)
{
    while (span != NULL) {
        struct brolga__span *next = span->next;

        if (span->has_env)
            brolga_drop_word(job->env_type, span->env);
        brolga__free(span);
        span = next;
    }
}

void brolga__job_fini(struct brolga__job *job)
{
    free_all(job, job->spare);
    free_all(job, job->ended);
}

/* --- numbers ------------------------------------------------------------ */

struct numbers {
    struct brolga__job job;
    int (*body)(void *arg, size_t begin, size_t end);
    void *arg;
};

static int do_numbers(struct brolga__span *span, size_t begin, size_t end)
{
    struct numbers *numbers =
        brolga__container_of(span->job, struct numbers, job);

    return numbers->body(numbers->arg, begin, end);
}

int brolga_pfor(brolga *rt, size_t count,
                int (*body)(void *arg, size_t begin, size_t end), void *arg,
                const struct brolga_par_opts *opts,
                struct brolga_par_failure *failure)
{
    struct numbers numbers = {
        .job = {.rt = rt, .count = count, .opts = opts, .body = do_numbers},
        .body = body,
        .arg = arg};
    int err;

    if (rt == NULL || body == NULL)
        return BROLGA_EINVAL;
    if (failure != NULL)
        *failure = (struct brolga_par_failure){.index = 0};
    err = brolga__job_run(&numbers.job, failure);
    brolga__job_fini(&numbers.job);
    return err;
}
