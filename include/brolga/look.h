/*
 * Looking on: what the tasks and workers of a runtime are doing. Cheap enough
 * to be always there: nothing is counted by more than a store a switch.
 */
#ifndef BROLGA_LOOK_H
#define BROLGA_LOOK_H

#include <brolga/base.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

enum brolga_task_kind {
    BROLGA_KIND_FIBER,   /* On a stack of the runtime. */
    BROLGA_KIND_THREAD,  /* On a thread that the runtime made for it. */
    BROLGA_KIND_ATTACHED /* A thread of the host. */
};

enum brolga_task_state {
    BROLGA_TASK_NEW,     /* It has not run yet, and has no stack. */
    BROLGA_TASK_READY,   /* It waits for a worker. */
    BROLGA_TASK_RUNNING, /* It runs. */
    BROLGA_TASK_PARKED,  /* It waits in a call of Brolga. */
    BROLGA_TASK_BLOCKED  /* It is in foreign code: brolga_block_begin(). */
};

struct brolga_task_info {
    uint64_t id;
    char name[32];
    enum brolga_task_kind kind;
    enum brolga_task_state state;
    const char *parked_in; /* "recv", "sleep", ...; NULL if it is not PARKED. */
    uint64_t since_ns;     /* When it came into its state, to about 10 ms. */
    uint64_t version;      /* In which it resolves its calls; 0: none yet. */
    uint64_t scope;        /* The number of the scope it is in; 0: the root. */
    int canceled;          /* Why: BROLGA_OK: it is not; _ECANCELED, ... */
    size_t stack_bytes;    /* Of its stack; 0: not known. */
    size_t stack_used;     /* The most that was in use when it switched. */
    /* Of values, by Brolga's own allocator: what it has had made, by copying
     * or otherwise, and what it has freed. Never less than before. */
    uint64_t made_bytes;
    uint64_t freed_bytes;
};

/**
 * Visit every task that has been spawned or attached and has not ended. Each
 * is shown as it is at that moment; tasks that start or end meanwhile may be
 * shown or not.
 *
 * Threads:  any, but not from a callback of Brolga; `visit` is called on the
 *           caller under a lock, and must not call Brolga.
 * Returns:  the number of tasks visited.
 */
BROLGA_API size_t brolga_tasks_each(
    brolga *rt, void (*visit)(void *arg, const struct brolga_task_info *task),
    void *arg);

/**
 * How many tasks have failed since the runtime was created, joined or not.
 *
 * Threads:  any.
 */
BROLGA_API uint64_t brolga_tasks_failed(brolga *rt);

/** A word for a state: "new", "ready", "running", "parked", "blocked". */
BROLGA_API const char *brolga_task_state_name(enum brolga_task_state state);

struct brolga_worker_stats {
    uint64_t runs;   /* Times that it switched to a task. */
    uint64_t steals; /* Times that it took tasks from another worker. */
    uint64_t parks;  /* Times that a task parked on it. */
    uint32_t ready;  /* Tasks in its queue now. */
};

/**
 * What a worker has done so far, as of about now.
 *
 * Threads:  any.
 * Returns:  BROLGA_OK, BROLGA_ENOENT if there is no such worker.
 */
BROLGA_API int brolga_worker_stats(brolga *rt, uint32_t worker,
                                   struct brolga_worker_stats *out);

/* --- deadlocks ---------------------------------------------------------- */

/**
 * Copy what the last report of a deadlock said: a line for the whole, then one
 * for each task: who waits in what call for what. Tasks that are told
 * BROLGA_EDEADLOCK find it here.
 *
 * Threads:  any.
 * Returns:  the length of the report, which may not have fitted; 0 if there
 *           was none. `text` ends with a NUL if `bytes` is not 0.
 */
BROLGA_API size_t brolga_deadlock_text(brolga *rt, char *text, size_t bytes);

/**
 * Say that from now until brolga_outside_leave() the calling thread may act on
 * tasks: spawn, send by brolga_try_send(), cancel, ... Meanwhile there is no
 * deadlock, but while it waits in brolga_join() without a deadline. A thread
 * that acts when a task has called, signaled or written something must have
 * said so before that. They nest.
 *
 * Threads:  any that is no task; one runtime at a time.
 * Blocks:   no.
 */
BROLGA_API void brolga_outside_enter(brolga *rt);
BROLGA_API void brolga_outside_leave(brolga *rt);

/**
 * Say that the calling thread never acts on tasks: one that writes a log, say.
 * For BROLGA_DEADLOCKS_AUTO and _AUTO_REPORT: they take any other thread of the
 * process for one that may act, but while it waits in brolga_join() without a
 * deadline. It ends with brolga_bystander_leave(), before the thread does. One
 * that acts seldom is a bystander that says so by brolga_outside_enter().
 *
 * Threads:  any that is no task.
 * Blocks:   no.
 */
BROLGA_API void brolga_bystander_enter(brolga *rt);
BROLGA_API void brolga_bystander_leave(brolga *rt);

#ifdef __cplusplus
}
#endif
#endif
