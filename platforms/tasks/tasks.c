/*
 * What a task needs while it runs, or while somebody waits for it, is in a
 * record of its own; the cell points to it, and outlives it. Both are under one
 * lock, which is held for some stores only, and never across a call that may
 * let others run.
 *
 * Who waits receives from a channel that carries nothing, and that the task
 * closes at its end. It is made for the first who waits.
 */
#include "tasks.h"

#include "closures.h"
#include "host.h"
#include "run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCKS 64

struct task_run {
    struct cell *cell;
    brolga_word closure;
    brolga_task *handle; /* NULL once it has ended. */
    brolga_chan *done;   /* NULL until somebody waits. */
    pthread_cond_t end;  /* For those who must not be told of anything else. */
    unsigned waiters;    /* They keep the record. */
};

static pthread_mutex_t lock[LOCKS];
static pthread_once_t locks_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t spawned, ended;

/* --- the record --------------------------------------------------------- */

static void make_locks(void)
{
    for (unsigned i = 0; i < LOCKS; i++)
        (void)pthread_mutex_init(&lock[i], NULL);
}

static pthread_mutex_t *lock_of(const struct cell *cell)
{
    return &lock[(uintptr_t)cell / sizeof *cell % LOCKS];
}

static void run_free(struct task_run *run)
{
    if (run == NULL)
        return;
    brolga_chan_release(run->done);
    (void)pthread_cond_destroy(&run->end);
    free(run);
}

/* Under the lock: the record, if nobody needs it any more. */
static struct task_run *run_take(struct cell *cell)
{
    struct task_run *run = cell->run;

    if (run == NULL || !cell->ended || run->waiters > 0)
        return NULL;
    cell->run = NULL;
    return run;
}

/* --- the task ----------------------------------------------------------- */

static void finish(struct task_run *run, brolga_word result)
{
    struct cell *cell = run->cell;
    struct task_run *unused;

    (void)pthread_mutex_lock(lock_of(cell));
    cell->result = result;
    cell->ended = true;
    (void)atomic_fetch_add_explicit(&ended, 1, memory_order_relaxed);
    brolga_detach(run->handle);
    run->handle = NULL;
    if (run->done != NULL)
        (void)brolga_chan_close(run->done, BROLGA_OK, NULL);
    (void)pthread_cond_broadcast(&run->end);
    unused = run_take(cell);
    (void)pthread_mutex_unlock(lock_of(cell));
    run_free(unused);
}

static brolga_word body(void *arg)
{
    struct task_run *run = arg;
    brolga_word io = call0(run->closure);

    finish(run, element_in(element_at(run->cell->row), fields(io)[1]));
    return 0;
}

/* The lock is held until the handle is where the task looks for it. The record
 * may be gone when this returns. */
static int start(brolga *rt, struct task_run *run)
{
    struct brolga_spawn_opts opts = {.name = NULL};
    struct cell *cell = run->cell;
    char name[32];
    int err;

    (void)snprintf(name, sizeof name, "spawn-%s",
                   element_at(cell->row)->suffix);
    opts.name = name;
    (void)pthread_mutex_lock(lock_of(cell));
    cell->run = run;
    err = brolga_spawn(rt, body, run, &opts, &run->handle);
    (void)pthread_mutex_unlock(lock_of(cell));
    return err;
}

brolga_word task_spawn(unsigned row, brolga_word closure)
{
    brolga *rt = run_enter();
    struct task_run *run = calloc(1, sizeof *run);
    struct cell *cell = cell_make(CELL_TASK, row);
    int err = run == NULL ? BROLGA_ENOMEM : BROLGA_OK;

    (void)pthread_once(&locks_once, make_locks);
    closure_pin(closure);
    if (err == BROLGA_OK) {
        run->cell = cell;
        run->closure = closure;
        (void)pthread_cond_init(&run->end, NULL);
        (void)atomic_fetch_add_explicit(&spawned, 1, memory_order_relaxed);
        err = start(rt, run);
    }
    if (err != BROLGA_OK)
        host_refuse("spawn-%s: %s", element_at(row)->suffix,
                    brolga_strerror(err));
    return cell_value(cell);
}

/* --- waiting for it ----------------------------------------------------- */

/* A canceled task gets no result of a call that waits, but await-... has no
 * other result than the task's. So what it waits for is canceled as well, as in
 * a scope, and this thread waits. */
static void wait_hard(struct cell *cell)
{
    brolga_block_begin();
    (void)pthread_mutex_lock(lock_of(cell));
    if (!cell->ended)
        brolga_cancel(cell->run->handle);
    while (!cell->ended)
        (void)pthread_cond_wait(&cell->run->end, lock_of(cell));
    (void)pthread_mutex_unlock(lock_of(cell));
    brolga_block_end();
}

/* Under the lock: what to wait in. */
static brolga_chan *done_of(struct task_run *run)
{
    char name[32];
    struct brolga_chan_opts opts = {.name = name};
    int err = BROLGA_OK;

    (void)snprintf(name, sizeof name, "end of task %llu",
                   (unsigned long long)brolga_task_id(run->handle));
    if (run->done == NULL)
        err = brolga_chan_create(NULL, &opts, &run->done);
    run_check(err, "await");
    run->waiters++;
    return run->done;
}

static bool leave(struct cell *cell)
{
    struct task_run *unused;
    bool has_ended;

    (void)pthread_mutex_lock(lock_of(cell));
    cell->run->waiters--;
    has_ended = cell->ended;
    unused = run_take(cell);
    (void)pthread_mutex_unlock(lock_of(cell));
    run_free(unused);
    return has_ended;
}

/* Whether it has ended; without a deadline it has. */
static bool wait_for(struct cell *cell, uint64_t deadline_ns)
{
    brolga_chan *done = NULL;
    brolga_word nothing;
    int err;

    (void)pthread_mutex_lock(lock_of(cell));
    if (!cell->ended)
        done = done_of(cell->run);
    (void)pthread_mutex_unlock(lock_of(cell));
    if (done == NULL)
        return true;
    err = brolga_recv_word(done, &nothing, deadline_ns);
    run_check(err, "await");
    if (err != BROLGA_ECLOSED && deadline_ns == BROLGA_FOREVER)
        wait_hard(cell);
    return leave(cell);
}

static brolga_word result_of(const struct cell *cell)
{
    return element_out(element_at(cell->row), cell->result);
}

brolga_word task_await(brolga_word task)
{
    struct cell *cell = cell_of(task, CELL_TASK, "await");

    (void)run_enter();
    (void)wait_for(cell, BROLGA_FOREVER);
    return result_of(cell);
}

brolga_word task_await_for(brolga_word task, int64_t ms)
{
    struct cell *cell = cell_of(task, CELL_TASK, "await-for");

    (void)run_enter();
    return wait_for(cell, run_deadline(ms)) ? host_some(result_of(cell)) : 0;
}

/* --- and what else there is --------------------------------------------- */

static bool cancel(struct cell *cell)
{
    bool lives;

    (void)pthread_mutex_lock(lock_of(cell));
    lives = !cell->ended;
    if (lives)
        brolga_cancel(cell->run->handle);
    (void)pthread_mutex_unlock(lock_of(cell));
    return lives;
}

brolga_word task_cancel(brolga_word task)
{
    struct cell *cell = cell_of(task, CELL_TASK, "cancel");

    (void)run_enter();
    return cancel(cell);
}

bool task_has_ended(brolga_word task)
{
    struct cell *cell = cell_of(task, CELL_TASK, "task-done");
    bool has_ended;

    (void)run_enter();
    (void)pthread_mutex_lock(lock_of(cell));
    has_ended = cell->ended;
    (void)pthread_mutex_unlock(lock_of(cell));
    return has_ended;
}

brolga_word task_scope(unsigned row, brolga_word closure, uint64_t deadline_ns)
{
    struct brolga_scope_opts opts = {.policy = BROLGA_SCOPE_COLLECT,
                                     .deadline_ns = deadline_ns};
    brolga_scope *scope;
    brolga_word io;

    (void)run_enter();
    run_check(brolga_scope_open(&opts, &scope), "scope");
    io = call0(closure);
    run_check(brolga_scope_join(scope, NULL), "scope");
    return element_out(element_at(row), fields(io)[1]);
}

uint64_t tasks_spawned(void)
{
    return atomic_load_explicit(&spawned, memory_order_relaxed);
}

uint64_t tasks_running(void)
{
    uint64_t gone = atomic_load_explicit(&ended, memory_order_relaxed);

    return tasks_spawned() - gone; /* The later read is no less. */
}

static void cancel_one(void *arg, struct cell *cell)
{
    (void)arg;
    if (cell->kind == CELL_TASK)
        (void)cancel(cell);
}

static void wait_one(void *arg, struct cell *cell)
{
    if (cell->kind == CELL_TASK)
        (void)wait_for(cell, *(uint64_t *)arg);
}

void tasks_end_all(uint64_t deadline_ns)
{
    cells_each(cancel_one, NULL);
    cells_each(wait_one, &deadline_ns);
}
