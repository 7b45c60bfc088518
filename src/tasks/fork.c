/*
 * Forks: a deque of them for each worker.
 *
 * The owner pushes and pops at the bottom; thieves take at the top, the oldest
 * first. It is the deque of D. Chase and Y. Lev, of bounded size; whoever forks
 * into a full one keeps the fork to itself.
 *
 *   AR A thief sees the fork that it takes: release store of the bottom in push
 *      -> load of it in steal.
 *   AS Of the owner's pop and a thief's steal of the last fork one gets it. The
 *      pop stores the bottom (a read-modify-write) and then loads the top; a
 *      thief loads the top and then the bottom, and moves the top by a CAS. All
 *      of these are sequentially consistent.
 *   AT The joiner sees the task that runs a fork: release store of `state` in
 *      take -> acquire load in join.
 *
 * tests/model/deque.pml checks AR and AS.
 *
 * Invariant: the forks in a worker's deque belong to the task that runs on it,
 * and to those who run that one in their joins (brolga__run_child). When the
 * task leaves the worker, what is left becomes tasks (flush). So a task finds
 * each of its forks either at the bottom of the deque of the worker that it is
 * on, or marked as taken. Forks of one task are linked, the last one first:
 * they are joined in that order, and who ends by a failure awaits what others
 * have of it, since that may use its frames.
 */
#include "tasks/tasks.h"

#include "arch.h"

#include <brolga/fork.h>

enum {
    PRIVATE, /* In no deque: the join calls the function. */
    QUEUED,  /* In a deque. */
    TAKEN    /* It has a task. */
};

#define MASK (BROLGA__FORKS - 1)
_Static_assert((BROLGA__FORKS & MASK) == 0, "a power of two");

static int32_t state_of(struct brolga_fork *fork)
{
    return brolga__load_acquire(&fork->state); /* AT: take */
}

/* --- the deque ---------------------------------------------------------- */

static inline bool push(struct brolga__forks *forks, struct brolga_fork *fork)
{
    int64_t bottom = brolga__load_relaxed(&forks->bottom); /* ours alone */
    int64_t top = brolga__load_acquire(&forks->top);       /* AS: a free slot */

    if (brolga__unlikely(bottom - top >= BROLGA__FORKS))
        return false;
    brolga__store_relaxed(&forks->slot[bottom & MASK], fork);
    brolga__store_release(&forks->bottom, bottom + 1); /* AR: steal */
    return true;
}

/* Takes the newest fork; false if a thief has it. */
static inline bool pop(struct brolga__forks *forks)
{
    int64_t bottom = brolga__load_relaxed(&forks->bottom) - 1;
    int64_t top;
    bool ours;

    (void)brolga__swap_seq_cst(&forks->bottom, bottom); /* AS */
    top = brolga__load_seq_cst(&forks->top);            /* AS */
    if (brolga__likely(top < bottom))
        return true;
    /* It is the last one, or gone. */
    ours = top == bottom &&
           brolga__cas_seq_cst(&forks->top, &top, bottom + 1); /* AS */
    brolga__store_relaxed(&forks->bottom, bottom + 1);
    return ours;
}

/* Takes the oldest fork; NULL if there is none, or someone was faster. */
static struct brolga_fork *steal(struct brolga__forks *forks)
{
    int64_t top = brolga__load_seq_cst(&forks->top);       /* AS */
    int64_t bottom = brolga__load_seq_cst(&forks->bottom); /* AR, AS */
    struct brolga_fork *fork;

    if (top >= bottom)
        return NULL;
    fork = brolga__load_relaxed(&forks->slot[top & MASK]);
    return brolga__cas_seq_cst(&forks->top, &top, top + 1) ? fork : NULL;
}

/* --- forks that become tasks -------------------------------------------- */

/* The fork's task, made of a record that is there, so that nothing can fail
 * once the fork is taken. */
static void take(struct brolga_fork *fork, brolga_task *task)
{
    brolga__task_of_fork(task, fork);
    fork->task = task;
    brolga__store_release(&fork->state, TAKEN); /* AT: join */
}

brolga_task *brolga__forks_steal(struct brolga *rt, struct brolga__forks *forks)
{
    struct brolga_fork *fork;
    brolga_task *task;

    if (brolga__forks_empty(forks) ||
        brolga__task_create(rt, NULL, &task) != BROLGA_OK)
        return NULL;
    fork = steal(forks);
    if (fork == NULL) {
        brolga__task_uncreate(task);
        return NULL;
    }
    take(fork, task);
    return task;
}

void brolga__forks_flush(struct brolga *rt, struct brolga__forks *forks)
{
    /* Ends: nobody pushes meanwhile. */
    while (!brolga__forks_empty(forks)) {
        brolga_task *task;

        if (brolga__task_create(rt, NULL, &task) == BROLGA_OK) {
            struct brolga_fork *fork = steal(forks);

            if (fork == NULL) { /* A thief was faster. */
                brolga__task_uncreate(task);
                continue;
            }
            take(fork, task);
            brolga__launch(task, brolga__worker_self(rt));
        } else { /* No memory: what is left waits for its join. */
            struct brolga_fork *fork = steal(forks);

            if (fork != NULL)
                brolga__store_relaxed(&fork->state, PRIVATE);
        }
    }
}

/* --- the public functions ----------------------------------------------- */

void brolga_fork(struct brolga_fork *fork, brolga_task_fn fn, void *arg)
{
    brolga_task *self = brolga__self();
    struct brolga__carrier *carrier;

    fork->fn = fn;
    fork->arg = arg;
    brolga__store_relaxed(&fork->state, PRIVATE);
    if (brolga__unlikely(self == NULL))
        return;
    fork->outer = self->forks;
    self->forks = fork;
    carrier = brolga__load_relaxed(&self->carrier);
    if (brolga__unlikely(carrier == NULL || carrier->worker == NULL))
        return; /* A thread, or in foreign code. */
    fork->home = self->scope != NULL ? self->scope : self->home;
    brolga__store_relaxed(&fork->state, QUEUED);
    if (brolga__unlikely(!push(&carrier->worker->forks, fork)))
        brolga__store_relaxed(&fork->state, PRIVATE);
    else if (brolga__unlikely(brolga__load_relaxed(&self->rt->idle_count) > 0))
        brolga__attract(carrier->worker, true);
}

/* A thief has taken the fork, and is about to say so. */
static brolga_task *task_of(struct brolga_fork *fork)
{
    for (unsigned i = 0; state_of(fork) != TAKEN; i++) { /* AT */
        if (i % 64 == 63) /* It has perhaps lost its processor. */
            brolga_yield();
        else
            brolga__cpu_relax();
    }
    return fork->task;
}

/* Awaits a fork that has a task; canceled, it cancels that. */
__attribute__((noinline)) static brolga_word await(struct brolga_fork *fork)
{
    brolga_task *task = task_of(fork);
    struct brolga_failure failure;
    brolga_word result = 0;
    int err = brolga_join(task, BROLGA_FOREVER, &result, &failure);

    if (err != BROLGA_OK && err != BROLGA_EFAILED) {
        brolga_cancel(task);
        err = brolga__join_through(task, &result, &failure);
    }
    if (err == BROLGA_EFAILED)
        brolga_panic("fork %llu: %s", (unsigned long long)failure.task,
                     failure.message);
    return result;
}

brolga_word brolga_fork_join(struct brolga_fork *fork)
{
    brolga_task *self = brolga__self();

    if (brolga__unlikely(self == NULL))
        return fork->fn(fork->arg);
    brolga__assert(self->forks == fork); /* The last one first. */
    self->forks = fork->outer;
    if (brolga__likely(state_of(fork) == QUEUED)) {
        struct brolga__carrier *carrier = brolga__load_relaxed(&self->carrier);

        if (brolga__unlikely(!pop(&carrier->worker->forks)))
            return await(fork);
    } else if (state_of(fork) == TAKEN) {
        return await(fork);
    }
    brolga_safepoint();
    return fork->fn(fork->arg);
}

void brolga__forks_abandon(brolga_task *task)
{
    struct brolga_fork *fork;

    /* Ends: nothing is forked meanwhile. */
    while ((fork = task->forks) != NULL) {
        brolga_task *child;

        task->forks = fork->outer;
        if (state_of(fork) == PRIVATE)
            continue;
        if (state_of(fork) == QUEUED &&
            pop(&brolga__load_relaxed(&task->carrier)->worker->forks))
            continue;
        child = task_of(fork);
        brolga_cancel(child);
        (void)brolga__join_through(child, NULL, NULL);
    }
}
