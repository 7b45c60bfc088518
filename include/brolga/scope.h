/*
 * Scopes: tasks that are started together, and end before their starter goes
 * on.
 *
 * A task opens a scope, spawns tasks into it, and joins it. Joining waits for
 * all of them, also when the joiner has been canceled: then they are canceled
 * first. So a task never outlives the scope that it is in, and no failure goes
 * unheard. What a task spawns goes into the innermost scope that it has open,
 * else into the scope that the task itself is in; in the end that is the
 * runtime's root scope, which nobody joins.
 *
 * Cancellation goes down the tree: from a scope to its tasks and to the scopes
 * that they have open. It is a state, not an event: from then on every call
 * that can park fails with BROLGA_ECANCELED, BROLGA_ETIMEOUT if a scope's
 * deadline was the cause, or BROLGA_EDEADLOCK if no task could run again. It
 * holds for the tasks in a scope, and for the task
 * that has opened it until it joins.
 */
#ifndef BROLGA_SCOPE_H
#define BROLGA_SCOPE_H

#include <brolga/base.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the end of a task means for the others in its scope. */
enum brolga_scope_policy {
    BROLGA_SCOPE_ALL,    /* The first failure cancels the others. */
    BROLGA_SCOPE_ANY,    /* The first success cancels the others. Tasks that
                            others than the owner spawned without naming the
                            scope do not compete. */
    BROLGA_SCOPE_COLLECT /* Nothing. */
};

struct brolga_scope_opts {
    enum brolga_scope_policy policy;
    uint64_t deadline_ns;  /* Absolute; 0 = none of its own. An enclosing
                              scope's earlier one wins. */
    uint32_t failures_max; /* Failures that are kept for the report; 0 = 64.
                              All are counted. */
};

/**
 * Open a scope: the calling task's innermost one until it is joined.
 *
 * Owns:     `*out` ends with brolga_scope_join(); a task that ends with scopes
 *           open has their tasks canceled and awaited first, and fails if one
 *           of them had failed. `opts` may be NULL.
 * Threads:  tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK; BROLGA_ESTATE outside tasks; BROLGA_EINVAL,
 *           BROLGA_ENOMEM, BROLGA_ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_scope_open(const struct brolga_scope_opts *opts, brolga_scope **out);

/** What became of a scope's tasks. */
struct brolga_scope_report {
    uint64_t scope;    /* Its number. */
    uint64_t tasks;    /* Spawned into it; the sum of the next three. */
    uint64_t ended;    /* Normally. */
    uint64_t failed;   /* By a panic. */
    uint64_t canceled; /* Normally, after they had been told so. */
    uint64_t winner;   /* ANY: the first task to end normally, or 0... */
    brolga_word value; /* ...and its result. */
    struct brolga_failure first; /* The first failure, if failed > 0. */
};

/**
 * Wait until all tasks of a scope have ended, and close it.
 *
 * If the caller is canceled, so are they; they are awaited all the same.
 *
 * Owns:     the scope is gone, except after ESTATE. `report` may be NULL. What
 *           brolga_scope_each_failure() shows of it stays until the calling
 *           task's next join of a scope, or its end.
 * Threads:  the task that opened it.
 * Blocks:   until then. A safepoint.
 * Returns:  BROLGA_OK: none has failed; with ANY, one ended normally.
 *           BROLGA_EFAILED: one has failed; with ANY, and none ended normally.
 *           BROLGA_ECANCELED, BROLGA_ETIMEOUT, BROLGA_EDEADLOCK: the scope was
 *           canceled, its deadline has passed, or its tasks could never run
 *           again, and a task or the opener was told so.
 *           BROLGA_ENOENT: with ANY, if there was no task to win.
 *           BROLGA_ESTATE: not the caller's innermost scope, or a fork made in
 *           it has not been joined; nothing is done.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_scope_join(brolga_scope *scope, struct brolga_scope_report *report);

/**
 * Visit the failures of a scope that the calling task has just joined, in the
 * order in which they came, beginning with the first.
 *
 * Threads:  the task that joined it; `visit` must not join.
 * Returns:  how many were visited: at most failures_max.
 */
BROLGA_API size_t brolga_scope_each_failure(
    const struct brolga_scope_report *report,
    void (*visit)(void *arg, const struct brolga_failure *failure), void *arg);

/**
 * Cancel a scope: all of its tasks, those that are spawned into it later, the
 * scopes below, and its opener until it joins. Idempotent.
 *
 * Threads:  any that knows that it has not been joined. Not the root scope.
 * Blocks:   no.
 */
BROLGA_API void brolga_scope_cancel(brolga_scope *scope);

/**
 * The root scope: what is spawned into it stands on its own. Failures of tasks
 * without a handle are written to standard error.
 *
 * Threads:  any.
 */
BROLGA_API brolga_scope *brolga_scope_root(brolga *rt);

/** The number of a scope, as reports show it; 0 for the root and for NULL. */
BROLGA_API uint64_t brolga_scope_id(const brolga_scope *scope);

/** The deadline by which the calling task is canceled; BROLGA_FOREVER if
 * there is none. */
BROLGA_API uint64_t brolga_deadline_ns(void);

/**
 * Why calls of the calling task that can park fail at present.
 *
 * Threads:  any; BROLGA_OK outside tasks.
 * Returns:  BROLGA_OK, BROLGA_ECANCELED, BROLGA_ETIMEOUT, BROLGA_EDEADLOCK.
 */
BROLGA_API int brolga_cancel_reason(void);

/* --- cleaning up -------------------------------------------------------- */

/**
 * Have fn(arg) called at the calling task's end, however it comes: by return,
 * by panic, by a trap, canceled or not. The last one that was deferred is
 * called first.
 *
 * They run when the task's open scopes have been closed, on the task's own
 * stack, or a second one after an overflow. The frames of a panic or a trap are
 * still there.
 * Calls that park work in them though the task is canceled, until the time for
 * cleaning up is over (brolga_opts.cleanup_ns, one second); then these fail
 * with BROLGA_ETIMEOUT. A panic in a handler fails the task; the other handlers
 * still run. So does a trap, unless the task has failed before. If `fn` lies in
 * a unit, the unit stays until then.
 *
 * Threads:  tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_ESTATE outside tasks, BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_defer(void (*fn)(void *arg), void *arg);

/**
 * Take the handler back that was deferred last with the same fn and arg,
 * without calling it.
 *
 * Threads:  tasks.
 * Returns:  BROLGA_OK, BROLGA_ENOENT.
 */
BROLGA_API int brolga_undefer(void (*fn)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
