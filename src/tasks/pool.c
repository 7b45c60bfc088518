/*
 * A job's states, and who moves them:
 *
 *   QUEUED --- a thread takes it ---> TAKEN --- run() has returned ---> DONE
 *      |
 *      +------ its task withdraws it: out of the list, under the lock
 *
 * Taking and withdrawing are done under the pool's lock, so one of them comes
 * first. From DONE on the job's memory is the task's again.
 *
 *   AC  What run() wrote is seen by the task: release store of the job's state
 *       -> acquire loads in wait_for().
 *
 * Threads are started as jobs come that no idle one is there for, and stay.
 */
#include "tasks/pool.h"

#include <brolga/io.h>

#include "alloc.h"
#include "plat.h"
#include "tasks/tasks.h"

enum state { QUEUED, TAKEN, DONE };

struct job {
    struct brolga__list link; /* pool->lock */
    void (*run)(void *arg);
    void *arg;
    brolga_task *task;
    _Atomic uint32_t state; /* enum state */
};

/* --- the threads -------------------------------------------------------- */

static void do_job(struct job *job)
{
    brolga_task *task = job->task;

    job->run(job->arg);
    brolga__store_release(&job->state, DONE); /* AC: wait_for */
    /* The job is gone; the memory of tasks is not. */
    brolga__unpark(task);
}

/* The oldest job; NULL when the pool stops. */
static struct job *take_job(struct brolga__pool *pool)
{
    struct job *job;

    (void)pthread_mutex_lock(&pool->lock);
    pool->idle++;
    while (pool->queued == 0 && !pool->stopping)
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    pool->idle--;
    if (pool->queued == 0) {
        (void)pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    job = brolga__container_of(pool->jobs.next, struct job, link);
    brolga__list_remove(&job->link);
    pool->queued--;
    brolga__store_relaxed(&job->state, TAKEN);
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *thread_main(void *arg)
{
    struct brolga__pool *pool = arg;
    struct job *job;

    brolga__plat_thread_name("brolga-block");
    while ((job = take_job(pool)) != NULL)
        do_job(job);
    return NULL;
}

/* Under the lock. That a thread is missing matters only if there is none. */
static int add_thread(struct brolga__pool *pool)
{
    if (pool->queued <= pool->idle || pool->count == pool->count_max)
        return BROLGA_OK;
    if (pool->threads == NULL)
        pool->threads = brolga__alloc(pool->count_max * sizeof *pool->threads);
    if (pool->threads == NULL)
        return BROLGA_ENOMEM;
    if (brolga__plat_thread_start(&pool->threads[pool->count], NULL,
                                  thread_main, pool))
        pool->count++;
    return pool->count > 0 ? BROLGA_OK : BROLGA_ELIMIT;
}

void brolga__pool_init(struct brolga__pool *pool, uint32_t count_max)
{
    pool->count_max = count_max;
    brolga__list_init(&pool->jobs);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
}

void brolga__pool_stop(struct brolga__pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    brolga__assert(pool->queued == 0);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->count; i++)
        (void)pthread_join(pool->threads[i], NULL);
}

void brolga__pool_fini(struct brolga__pool *pool)
{
    brolga__free(pool->threads);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
}

/* --- the tasks ---------------------------------------------------------- */

static int submit(struct brolga__pool *pool, struct job *job)
{
    int err;

    (void)pthread_mutex_lock(&pool->lock);
    brolga__list_push_back(&pool->jobs, &job->link);
    pool->queued++;
    err = add_thread(pool);
    if (err != BROLGA_OK) {
        brolga__list_remove(&job->link);
        pool->queued--;
    } else {
        (void)pthread_cond_signal(&pool->work);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return err;
}

/* Whether no thread had taken the job, and now none will. */
static bool withdraw(struct brolga__pool *pool, struct job *job)
{
    bool queued;

    (void)pthread_mutex_lock(&pool->lock);
    queued = brolga__load_relaxed(&job->state) == QUEUED;
    if (queued) {
        brolga__list_remove(&job->link);
        pool->queued--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return queued;
}

static int wait_for(struct brolga__pool *pool, struct job *job,
                    const char *where, uint64_t deadline_ns)
{
    int err = BROLGA_OK;

    while (brolga__load_acquire(&job->state) != DONE) { /* AC: do_job */
        err = brolga__park_on(where, &brolga__wait_outside, NULL, deadline_ns);
        if (err != BROLGA_OK)
            break;
    }
    if (err == BROLGA_OK)
        return BROLGA_OK;
    if (withdraw(pool, job))
        return err;
    while (brolga__load_acquire(&job->state) != DONE) /* AC: do_job */
        brolga__await_on(where, &brolga__wait_outside, NULL);
    return BROLGA_OK;
}

int brolga__pool_run(const char *where, void (*run)(void *arg), void *arg,
                     uint64_t deadline_ns)
{
    brolga_task *task = brolga__self();
    struct job job = {.run = run, .arg = arg, .task = task};
    struct brolga__pool *pool;
    int err;

    if (task == NULL)
        return BROLGA_ESTATE;
    err = brolga__interrupted(task);
    if (err != BROLGA_OK)
        return err;
    if (deadline_ns != BROLGA_FOREVER && deadline_ns <= brolga_now_ns())
        return BROLGA_ETIMEOUT;
    pool = &task->rt->pool;
    err = submit(pool, &job);
    if (err == BROLGA_OK)
        err = wait_for(pool, &job, where, deadline_ns);
    brolga_safepoint();
    return err;
}

/* --- functions of the host ---------------------------------------------- */

struct blocking {
    brolga_blocking_fn fn;
    void *arg;
    brolga_word result;
};

static void call(void *arg)
{
    struct blocking *work = arg;

    work->result = work->fn(work->arg);
}

int brolga_blocking(brolga_blocking_fn fn, void *arg, uint64_t deadline_ns,
                    brolga_word *result)
{
    struct blocking work = {.fn = fn, .arg = arg};
    brolga *rt = brolga_runtime();
    brolga_task *task = brolga__self();
    brolga_unit *pinned;
    int err;

    if (rt == NULL)
        return BROLGA_ESTATE;
    if (fn == NULL)
        return BROLGA_EINVAL;
    /* Nobody reads the stack on which it will run. */
    pinned = brolga__pin_code(rt, (void (*)(void))fn);
    brolga__store_relaxed(&task->pinned, pinned);
    err = brolga__pool_run("blocking", call, &work, deadline_ns);
    brolga__store_relaxed(&task->pinned, NULL);
    brolga__unpin_code(pinned);
    if (err == BROLGA_OK && result != NULL)
        *result = work.result;
    return err;
}
