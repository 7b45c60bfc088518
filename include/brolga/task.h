/*
 * Tasks: fibers on worker threads, tasks on threads of their own, and threads
 * of the host that attach.
 *
 * A task runs until it parks, ends, or reaches a *safepoint*: its start, every
 * call here or in chan.h that can park, and brolga_safepoint(). There it moves
 * its view forward to the newest version. Code between two safepoints calls
 * through one version only.
 */
#ifndef BROLGA_TASK_H
#define BROLGA_TASK_H

#include <brolga/base.h>
#include <brolga/got.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A runtime: workers, a GOT, an epoch and one reclaimer. */
typedef struct brolga brolga;

/** A task. The handle is the spawner's until it joins or detaches. */
typedef struct brolga_task brolga_task;

/** What tasks belong to, see scope.h. */
typedef struct brolga_scope brolga_scope;

#define BROLGA_NO_WORKERS UINT32_MAX

struct brolga_event;

/** What is done when no task can ever run again: see docs/tasks.md. */
enum brolga_deadlocks {
    BROLGA_DEADLOCKS_AUTO,   /* As FAIL, but only while all threads of the
                                process are known to wait for tasks. */
    BROLGA_DEADLOCKS_FAIL,   /* It is reported, and the innermost scopes fail.
                                The host says that nobody but tasks acts on
                                tasks, but between brolga_outside_enter() and
                                brolga_outside_leave(). */
    BROLGA_DEADLOCKS_REPORT, /* The same, but it is only reported. */
    BROLGA_DEADLOCKS_OFF,    /* Nobody looks. */
    BROLGA_DEADLOCKS_AUTO_REPORT /* As AUTO, but it is only reported. */
};

struct brolga_opts {
    uint32_t workers;   /* 0 = one per processor; BROLGA_NO_WORKERS = none:
                            the host calls brolga_drive(). */
    size_t stack_bytes; /* Of a fiber by default; 0 = 256 KiB. Memory is used
                            as it is touched. */
    uint32_t tasks_max; /* 0 = 16,777,216 */
    bool no_traps;      /* Leave signals alone: see brolga_create(). */
    uint32_t blocking_threads; /* At most, for io.h; 0 = 4. */
    uint64_t cleanup_ns;       /* For the handlers of brolga_defer(), when a
                                  task ends; 0 = 1 s. */
    uint64_t cancel_grace_ns;  /* After which a task that was canceled and still
                                  runs is named; 0 = 1 s. */
    uint64_t stall_ns; /* After which old code that is still held is told, and
                          after twice that, and so on; 0 = 10 s, BROLGA_FOREVER
                          = never. */
    enum brolga_deadlocks deadlocks; /* Always OFF with BROLGA_NO_WORKERS. */
    struct brolga_got_opts got;
    /* Replaced by BROLGA_STRESS in the environment, if that is there. */
    struct brolga_stress stress;
    /* Called by the reclaimer's thread when a version has been adopted by all
     * tasks, a unit released, a canceled task has not ended in time, no task
     * can run again, or something old is held for long: a host may print it.
     * May be NULL; then the last three are written to standard error. */
    void (*on_event)(void *arg, const struct brolga_event *event);
    /* With BROLGA_NO_WORKERS: called, by any thread, when a task has become
     * ready and a thread more could drive. It must not block, nor drive itself,
     * but have brolga_drive() called soon, from a loop or an executor. */
    void (*on_ready)(void *arg);
    void *arg;
};

/** What the reclaimer tells the host. */
enum brolga_event_kind {
    BROLGA_EVENT_ADOPTED,  /* Every task is in `version` or a newer one. */
    BROLGA_EVENT_RELEASED, /* `unit` has been released. */
    BROLGA_EVENT_STUCK,    /* `task` was canceled, and has not ended. */
    BROLGA_EVENT_DEADLOCK, /* No task can run again; `text` says why. */
    BROLGA_EVENT_STALLED   /* Old code has been held for stall_ns; `text` and
                              `json` say by whom, as brolga_stalls_text(). */
};
struct brolga_event {
    enum brolga_event_kind kind;
    uint64_t version;
    const char *unit;  /* NULL but for RELEASED. */
    uint64_t after_ns; /* Since the commit, since the unit was retired, since
                          the task was canceled, or since the oldest of what is
                          held was replaced. */
    uint64_t task;     /* The rest is for STUCK. */
    const char *task_name;
    uint64_t scope;        /* The scope that the task is in. */
    const char *parked_in; /* "sleep", "foreign code", ...; NULL: it runs. */
    const char
        *text; /* For DEADLOCK and STALLED; until the callback returns. */
    const char *json; /* For STALLED. */
};

/**
 * Create a runtime and start its workers.
 *
 * While there is a runtime, unless all have `no_traps`, Brolga handles SIGSEGV,
 * SIGBUS, SIGFPE and SIGILL. A task that traps in the code of a unit fails, and
 * it alone; so does one whose stack overflows in such code. It ends as by
 * brolga_panic(), after an overflow on a second stack; if there is no memory
 * for that, this is reported on standard error, and the process aborts. Any
 * other trap of a task, and one of a task that has already failed, is reported,
 * and then is the business of the handler that was there before, or of the
 * system's default. Builds with sanitizers leave these signals to them.
 *
 * The runtime's threads, those of tasks included, take no other signal than
 * those that a thread causes itself, and SIGPROF: the host's handlers run on
 * the host's threads.
 *
 * Owns:     `*out` belongs to the caller. `opts` may be NULL and is copied.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM, BROLGA_ELIMIT (no thread to be had),
 *           BROLGA_EINVAL (BROLGA_STRESS in the environment makes no sense;
 *           standard error says so).
 */
BROLGA_API BROLGA_NODISCARD int brolga_create(const struct brolga_opts *opts,
                                              brolga **out);

/**
 * Stop the workers, release every unit, free the runtime. Handles of tasks that
 * have ended and were neither joined nor detached are no more valid then.
 *
 * Threads:  one that is not attached, and is not a task.
 * Returns:  BROLGA_OK, or BROLGA_EBUSY with nothing changed while tasks live.
 */
BROLGA_API int brolga_destroy(brolga *rt);

/** The runtime's GOT; it lives as long as the runtime. Threads: any. */
BROLGA_API brolga_got *brolga_runtime_got(brolga *rt);

/** The runtime of the calling task; NULL outside tasks. */
BROLGA_API brolga *brolga_runtime(void);

/** The number of workers: how many fibers can run at once. Threads: any. */
BROLGA_API uint32_t brolga_workers(brolga *rt);

/** Tasks that have been spawned or attached and have not ended. */
BROLGA_API uint32_t brolga_tasks_live(brolga *rt);

/* --- spawn and join ----------------------------------------------------- */

typedef brolga_word (*brolga_task_fn)(void *arg);

struct brolga_spawn_opts {
    const char *name;    /* For reports; copied, at most 31 bytes. */
    size_t stack_bytes;  /* 0 = the runtime's default. */
    bool thread;         /* A thread of its own, for code that blocks. */
    bool adopt_at_top;   /* Stay in one version between two top safepoints;
                           false: adopt the newest one at every safepoint. */
    bool heap;           /* Its values are made in a heap of its own, which goes
                            with it if it fails: see heap.h. */
    brolga_scope *scope; /* NULL: the innermost that the caller has open, else
                            the one that the caller is in, else the root. */
};

/**
 * Start a task that calls fn(arg).
 *
 * If `fn` lies in a unit, the unit stays until the task has started, and then
 * for as long as the task's stack holds an address in it.
 *
 * A task that is spawned into a scope that has been canceled starts canceled.
 *
 * Owns:     `*out` ends with brolga_join() or brolga_detach(); with `out`
 *           NULL the task is detached from the start. Its scope awaits it in
 *           any case.
 * Threads:  any.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM, BROLGA_ELIMIT; BROLGA_EINVAL (no runtime
 *           or function, or the scope is another runtime's), BROLGA_ESTATE:
 *           the scope has been joined.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_spawn(brolga *rt, brolga_task_fn fn, void *arg,
             const struct brolga_spawn_opts *opts, brolga_task **out);

/**
 * Start a task that calls a slot: brolga_word f(void *arg), in the version
 * that is current when the task starts.
 *
 * Returns:  as brolga_spawn(), and BROLGA_ENOENT if the slot is not defined.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_spawn_slot(brolga *rt, brolga_slot slot, void *arg,
                  const struct brolga_spawn_opts *opts, brolga_task **out);

/** What a function of brolga_spawn_loop() returns to end its task normally. */
#define BROLGA_DONE 1

/**
 * Start a task that calls a slot, `int f(void *arg)`, again and again, each
 * time in the newest version, until it returns something other than
 * BROLGA_OK: BROLGA_DONE or a negative code, which becomes the result.
 *
 * Between two calls the task is at a *top* safepoint: no frame of a unit is on
 * its stack, so that it adopts new code wholly and holds no old code. While the
 * task lives, a transaction that would remove the slot is refused.
 *
 * Returns:  as brolga_spawn_slot().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_spawn_loop(brolga *rt, brolga_slot slot, void *arg,
                  const struct brolga_spawn_opts *opts, brolga_task **out);

/** What made a task fail. */
enum brolga_failure_kind {
    BROLGA_FAILURE_PANIC,          /* brolga_panic() */
    BROLGA_FAILURE_TRAP,           /* SIGSEGV, SIGBUS, SIGFPE or SIGILL */
    BROLGA_FAILURE_STACK_OVERFLOW, /* In the code of a unit. */
    BROLGA_FAILURE_NO_STACK        /* It could not be started. */
};

/** How a task failed. */
struct brolga_failure {
    uint64_t task;
    char name[32];
    char message[256];
    enum brolga_failure_kind kind;
    uintptr_t address; /* Of the instruction that trapped, else 0. */
    char function[64]; /* What its unit says of it: "score (scorer.c:12)". */
};

/**
 * Wait for a task's end and take its result.
 *
 * Owns:     the handle is gone, except after ETIMEOUT and ECANCELED.
 * Threads:  any; a thread that is not attached sleeps.
 * Blocks:   until the task has ended, the deadline, or cancellation of the
 *           caller. A safepoint.
 * Returns:  BROLGA_OK; BROLGA_EFAILED with `*failure` filled in; ECANCELED,
 *           ETIMEOUT. `result` and `failure` may be NULL.
 */
BROLGA_API int brolga_join(brolga_task *task, uint64_t deadline_ns,
                           brolga_word *result, struct brolga_failure *failure);

/**
 * Give the handle up; the task runs on. If it fails, its scope hears of it, or,
 * in the root scope, a line on standard error says so.
 */
BROLGA_API void brolga_detach(brolga_task *task);

/** The number of a task, as reports show it; 0 for NULL. */
BROLGA_API uint64_t brolga_task_id(const brolga_task *task);

/**
 * Ask a task to end, and the tasks of the scopes that it has open: from its
 * next safepoint on, calls that can park return BROLGA_ECANCELED, and
 * brolga_canceled() is true. Idempotent.
 *
 * Threads:  any that holds the handle. Blocks: no.
 */
BROLGA_API void brolga_cancel(brolga_task *task);

/* --- inside a task ------------------------------------------------------ */

/** The calling task; NULL outside tasks. */
BROLGA_API brolga_task *brolga_self(void);

/** Whether the calling task has been canceled, or its deadline has passed. */
BROLGA_API bool brolga_canceled(void);

/**
 * A safepoint's slow path; brolga_safepoint() calls it when there is
 * something to do.
 */
BROLGA_API void brolga_safepoint_slow(void);

/**
 * A safepoint: adopt a new version if there is one; let others run if this
 * task's time is up. Costs two loads and a branch otherwise.
 *
 * Threads:  tasks.
 * Blocks:   no, but others may run.
 */
static inline void brolga_safepoint(void)
{
    if (brolga_view_stale(brolga_view_self()))
        brolga_safepoint_slow();
}

/** Let other tasks of this worker run. A safepoint. Threads: tasks. */
BROLGA_API void brolga_yield(void);

/**
 * Sleep until an absolute time. A safepoint.
 *
 * Threads:  tasks.
 * Returns:  BROLGA_OK, or BROLGA_ECANCELED; BROLGA_ETIMEOUT: a deadline of the
 *           task's scope has passed.
 */
BROLGA_API int brolga_sleep_until(uint64_t when_ns);

/**
 * End the calling task as failed, with a message. Scopes that it has open are
 * canceled and awaited, and what it has deferred is called (brolga_defer());
 * its frames stay as they are until then. Nothing else is cleaned up, and locks
 * that it holds stay taken. Its joiner gets BROLGA_EFAILED. Outside tasks:
 * abort.
 */
BROLGA_API BROLGA_NORETURN void brolga_panic(const char *format, ...)
    BROLGA_PRINTF(1, 2);

/**
 * Bracket a call that may block the thread (a system call, a foreign
 * library): another thread takes over the worker's other tasks meanwhile, and
 * the reclaimer may look at this task's stack. No safepoint in between: the
 * bracketed code must not call through the view nor any other function of
 * Brolga. They do not nest.
 *
 * Threads:  tasks. brolga_block_end() may wait for a free worker. A safepoint.
 */
BROLGA_API void brolga_block_begin(void);
BROLGA_API void brolga_block_end(void);

/* --- threads of the host ------------------------------------------------ */

/**
 * Make the calling thread a task, so that it may send, receive, join, and call
 * through a view.
 *
 * Owns:     ends with brolga_detach_thread() on the same thread.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM, BROLGA_ELIMIT, BROLGA_ESTATE (it is
 *           one already).
 */
BROLGA_API BROLGA_NODISCARD int brolga_attach_thread(brolga *rt,
                                                     const char *name);

/** Undo brolga_attach_thread(). */
BROLGA_API void brolga_detach_thread(void);

/**
 * Run ready tasks on the calling thread until there are none or the deadline
 * has passed; for hosts with BROLGA_NO_WORKERS.
 *
 * A task that comes to safepoints, but does not wait, gives way to others after
 * a time slice, and lets the call return within about 20 ms of the deadline.
 * For that the first drive of a runtime starts a thread, which takes the time
 * and runs no tasks.
 *
 * Threads:  any that is not a task; several may drive at once.
 * Returns:  the number of times that a task was switched to.
 */
BROLGA_API uint64_t brolga_drive(brolga *rt, uint64_t deadline_ns);

/* --- who holds what ----------------------------------------------------- */

/** Why something old is still alive. */
enum brolga_hold {
    BROLGA_HOLD_VIEW,     /* A task calls through the version still. */
    BROLGA_HOLD_RUNNING,  /* A task has not reached a safepoint since. */
    BROLGA_HOLD_FRAME,    /* A frame of a parked task returns into the unit. */
    BROLGA_HOLD_BLOCKED,  /* So does a frame of a task in foreign code. */
    BROLGA_HOLD_PIN,      /* The host pins the unit. */
    BROLGA_HOLD_CLOSURE,  /* Closures over its code do. */
    BROLGA_HOLD_CALLBACK, /* Functions of it that are to be called do: of tasks
                             that have not begun, brolga_defer(), ... */
    BROLGA_HOLD_CALLER    /* A unit that stays, or tasks, can call it through a
                             slot that is gone: brolga_txn_allow_stale(). */
};

struct brolga_holder {
    enum brolga_hold reason;
    uint64_t version; /* The last version that used the unit. */
    const char *unit; /* Its name; "": it is the version alone that is held, and
                         no unit waits for it. */
    uint64_t since_ns; /* When it was replaced, monotonic. */
    size_t bytes;      /* Of the unit's text, or of the version's table. */
    uint64_t task;     /* 0: it is no task. */
    char task_name[32];
    uint64_t task_since_ns; /* When that task came into its state, to about
                               10 ms. */
    uintptr_t address;     /* The frame's address in the unit, or 0. Of one that
                          runs: where it was found, in this unit or another. */
    char function[64];     /* The function at it, if known; else "". */
    const char *parked_in; /* "recv", "sleep", ...; NULL if not parked. */
    uint64_t pins;         /* For PIN, CLOSURE and CALLBACK: how many. For
                              CALLER: tasks that call it by number. */
    char caller[48];       /* For CALLER: the unit that can; "": tasks. */
    char what[64]; /* For PIN and CALLBACK: "cleanup handler", "handler of
                      SIGUSR1", or what brolga_pin_create() was told; "": not
                      known. */
};

/**
 * Report every holder of every retired RECLAIM unit, and of every version that
 * is not current any more.
 *
 * Stacks of tasks that rest are looked at for it. A thread that runs a task
 * which has not come to a safepoint is asked where it is, by a signal, SIGURG,
 * unless the host handles that, or the thread sleeps in the system.
 *
 * Units that are there only to be gone back to (`history`) are no stall, and
 * left out, as are KEEP units.
 *
 * Threads:  any, but not from a callback of Brolga; `visit` is called on the
 *           caller and must not call Brolga.
 * Blocks:   while the reclaimer is at work, which does not wait.
 * Returns:  the number of holders visited.
 */
BROLGA_API size_t brolga_holders(
    brolga *rt, void (*visit)(void *arg, const struct brolga_holder *holder),
    void *arg);

/**
 * Write the same as a text: a line for each old version and unit, with its age
 * and its size, followed by one for each holder. Nothing old: "".
 *
 * Threads:  as brolga_holders().
 * Returns:  the length of the whole, which may not have fitted; `text` ends
 *           with a NUL if `bytes` is not 0.
 */
BROLGA_API size_t brolga_stalls_text(brolga *rt, char *text, size_t bytes);

/** The same as a JSON object: docs/reload.md has its fields. */
BROLGA_API size_t brolga_stalls_json(brolga *rt, char *text, size_t bytes);

/** A word for a reason: "frame", "pin", ... */
BROLGA_API const char *brolga_hold_name(enum brolga_hold reason);

/**
 * One bounded step of the reclaimer, for hosts without its thread and for
 * tests; any thread, one at a time.
 *
 * Returns:  whether something is still waiting to be reclaimed.
 */
BROLGA_API bool brolga_reclaim_step(brolga *rt);

#ifdef __cplusplus
}
#endif
#endif
