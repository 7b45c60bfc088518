/*
 * Fork and join: work that a task does itself unless somebody is idle.
 *
 *     static brolga_word sum(void *arg)
 *     {
 *         struct part *part = arg, left, right;
 *         struct brolga_fork fork;
 *
 *         if (part->count < 1000)
 *             return sum_plainly(part);
 *         split(part, &left, &right);
 *         brolga_fork(&fork, sum, &right);
 *         return sum(&left) + brolga_fork_join(&fork);
 *     }
 *
 * A fork costs a few stores. Its join mostly finds that nobody has taken it,
 * and calls the function in place. An idle worker takes the oldest fork of a
 * task, which is the largest piece of work, and runs it as a task of its own.
 *
 * So one cannot tell on which task a forked function will run: brolga_self() is
 * the forking task or another one. It may do all that tasks may, park included.
 * When the forking task parks, what it has forked and not joined becomes tasks.
 *
 * If a forked function fails, its join fails: the joining task panics with its
 * message. If the joining task is canceled, so is what it waits for.
 */
#ifndef BROLGA_FORK_H
#define BROLGA_FORK_H

#include <brolga/base.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A fork, in the frame of the function that makes it. All is Brolga's. */
struct brolga_fork {
    brolga_task_fn fn;
    void *arg;
    struct brolga_fork *outer; /* The one that is joined after this one. */
    brolga_scope *home;
    brolga_task *task; /* Set once somebody has taken it. */
    brolga_shared_int state;
};

/**
 * Offer a call of fn(arg) to idle workers, until brolga_fork_join().
 *
 * Owns:     `fork` is a local variable of the caller; it and what `arg` points
 *           to stay until it is joined. Forks are joined in the reverse order,
 *           each by the task that made it, before the function returns.
 * Threads:  any; outside fibers the join just calls the function.
 * Blocks:   no.
 */
BROLGA_API void brolga_fork(struct brolga_fork *fork, brolga_task_fn fn,
                            void *arg);

/**
 * Call a fork's function, unless somebody has; then await it.
 *
 * Blocks:   until the call has returned, also if the task is canceled, which
 *           the call then is too. A safepoint.
 * Returns:  the function's result.
 */
BROLGA_API brolga_word brolga_fork_join(struct brolga_fork *fork);

#ifdef __cplusplus
}
#endif
#endif
