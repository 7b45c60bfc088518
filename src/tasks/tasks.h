/*
 * The tasks layer's door: tasks, carriers, workers, the runtime; parking.
 *
 * A *task* is what runs. A *worker* owns a queue of ready tasks; there are as
 * many as may run at the same time. A *carrier* is an OS thread that runs
 * tasks while it holds a worker; a carrier whose task blocks in foreign code
 * gives its worker up to another carrier.
 */
#ifndef BROLGA_SRC_TASKS_TASKS_H
#define BROLGA_SRC_TASKS_TASKS_H

#include <brolga/look.h>
#include <brolga/scope.h>
#include <brolga/task.h>

#include "atomic.h"
#include "base.h"
#include "epoch/epoch.h"
#include "got/got.h"
#include "list.h"
#include "lock.h"
#include "tasks/ctx.h"
#include "tasks/pool.h"
#include "tasks/stack.h"
#include "tasks/timer.h"

#include <pthread.h>
#include <setjmp.h>

/*
 * A task's permit: who may touch it next. See wait.c for the diagram.
 */
enum brolga__permit {
    BROLGA__RUNNING,          /* On a carrier, or in a queue of ready tasks. */
    BROLGA__NOTIFIED,         /* Same; its next park returns at once. */
    BROLGA__PARKED,           /* Context saved; whoever unparks it queues it. */
    BROLGA__SCANNING,         /* Parked, and the reclaimer reads its stack. */
    BROLGA__SCANNING_NOTIFIED /* Same; the reclaimer queues it when done. */
};

enum brolga__task_kind {
    BROLGA__FIBER,   /* On a stack of the runtime, on any carrier. */
    BROLGA__THREAD,  /* On an OS thread that the runtime made for it. */
    BROLGA__ATTACHED /* A thread of the host. */
};

enum brolga__entry {
    BROLGA__ENTRY_FUNCTION,
    BROLGA__ENTRY_SLOT,
    BROLGA__ENTRY_LOOP
};

/* Why a task or a scope is canceled: the first reason stays. */
enum brolga__reason {
    BROLGA__NO_REASON,
    BROLGA__CANCELED,
    BROLGA__DEADLINE, /* Of a scope. */
    BROLGA__REASONS
};

/* Watermark and version of a task that has not run: no code of a unit can be
 * on its stack, and it is in no version. */
#define BROLGA__NOT_STARTED UINT64_MAX

/* Callee-saved registers, at the most, of the processors we know. */
#define BROLGA__SPILL_WORDS 32

/* What the last search of a task's stack found; see scan.c. */
struct brolga__holds {
    uint64_t set;   /* The generation of the suspects that were looked for. */
    uint64_t parks; /* The task's parks at that time. */
    struct brolga__found found;
};

/* Whether a task's frames may be read though it is not parked (block.c). */
enum brolga__blocked {
    BROLGA__NOT_BLOCKED,
    BROLGA__BLOCKED,         /* In foreign code; frames below `sp` rest. */
    BROLGA__BLOCKED_SCANNING /* Same, and the reclaimer reads them. */
};

/* For plain threads that wait for a task's end. */
enum brolga__ended {
    BROLGA__RUNS,
    BROLGA__AWAITED, /* A thread sleeps until it ends. */
    BROLGA__ENDED
};

struct brolga__carrier;

/* What brolga_defer() keeps; see defer.c. */
struct brolga__defer {
    struct brolga__defer *next;
    void (*fn)(void *arg);
    void *arg;
    brolga_unit *pinned; /* Holds `fn`. */
};

/* See scope.c for what the lock guards and who may look. */
struct brolga_scope {
    struct brolga *rt;
    uint64_t id;
    brolga_task *owner;  /* NULL: the root. */
    brolga_scope *outer; /* The next one that the owner has open. */
    enum brolga_scope_policy policy;
    uint32_t failures_max;
    uint64_t deadline_ns; /* With those that enclose it. */
    struct brolga__timer timer;
    bool timed; /* The timer has been armed. */
    bool told;  /* The owner has been told of the reason. Written by it. */

    _Atomic uint32_t reason; /* enum brolga__reason; written under the lock. */
    _Atomic uint32_t refs;   /* The owner's, and those of who cancels. */
    brolga_scope *todo;      /* In a list of one who cancels; cancel_lock. */

    struct brolga__lock lock;
    bool closed;
    uint64_t live; /* Tasks that are in it. */
    brolga_scope *inner;
    struct brolga__list tasks;    /* Live ones. */
    struct brolga__list failures; /* Ended ones, with a reference. */
    uint32_t failures_kept;
    struct brolga_scope_report report;
};

struct brolga_task {
    /* First: compiled code holds this address. Written by the task. */
    struct brolga_view view;
    struct brolga__version *version; /* Whose slots the view has. */

    /* Written by the task, or by its carrier while it is switched out. */
    struct brolga__ctx ctx;
    /* A FIBER's. Of a THREAD: where its own frames lie; see thread.c. */
    struct brolga__stack stack;
    struct brolga *rt;
    brolga_task *next; /* In one queue of ready, or list of free tasks. */
    uint64_t parks;    /* Times it has parked. */
    bool adopt_at_top; /* Stays in its version at inner safepoints. */
    bool holding;      /* Holds `version`: adopt_at_top, and it has started. */

    /* Written when the task is spawned. */
    bool is_fiber; /* For ever, also of the tasks that use the record next. */
    enum brolga__task_kind kind;
    enum brolga__entry entry;
    brolga_task_fn fn;
    brolga_slot slot;
    void *arg;
    brolga_unit *pinned; /* Holds `fn` until the task has started. */
    size_t stack_bytes;
    uint64_t id;
    char name[32];
    brolga_scope *home; /* The scope it is in; NULL: the root. */
    uint64_t home_id;
    bool competes; /* May win a scope of policy ANY. */

    /* Scopes and handlers; written by the task. */
    brolga_scope *scope;          /* The innermost that it has open, or NULL. */
    struct brolga__defer *defers; /* The last one first. */
    bool told;                    /* It has seen that it is canceled. */
    bool cleaning;                /* Parks though it is canceled. scopes_lock */
    uint64_t cleanup_until_ns;
    uint64_t heard_of;         /* The scope that it joined last, and */
    struct brolga__list heard; /* the failures in it, with a reference. */

    int io_error; /* The system's last refusal, as libuv numbers it. */

    /* Written by anyone who wakes, cancels or scans the task. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t permit;
    _Atomic uint32_t canceled;    /* enum brolga__reason */
    _Atomic uint64_t canceled_ns; /* Since when. */
    _Atomic bool named_stuck;     /* Set by the reclaimer. */
    _Atomic bool awaits;          /* It joins a scope. */
    _Atomic uint64_t ends_by_ns;  /* It cleans up until then; 0: not yet. */
    struct brolga__lock scopes_lock;
    brolga_scope *outermost;      /* That it has open. scopes_lock */
    struct brolga__list in_scope; /* home->tasks or ->failures, or `heard` */
    _Atomic bool timed_out;       /* Set by the timer, read after a park. */
    struct brolga__timer timer;

    /* For reports and the reclaimer; written by the task. */
    struct brolga__carrier *_Atomic carrier; /* Whom it runs on, or NULL. */
    const char *_Atomic parked_in;           /* NULL while it runs. */
    _Atomic uint64_t in_version;             /* version->number */
    _Atomic uint64_t watermark; /* Its stack is clean up to this stamp. */
    _Atomic uint32_t blocked;   /* enum brolga__blocked */
    _Atomic bool top;           /* No frame of a unit is on its stack. */
    _Atomic uint64_t since_ns;  /* Its state changed, by rt->clock_ns. */
    _Atomic size_t stack_used;  /* The most, at a switch. */
    uintptr_t spilled_sp;       /* Lowest word to read while blocked. */
    uintptr_t spilled[BROLGA__SPILL_WORDS]; /* Registers at block_begin. */
    pthread_mutex_t holds_lock;
    struct brolga__holds holds; /* holds_lock */

    /* End of life: guarded by end_lock but for the atomics. */
    pthread_mutex_t end_lock;
    bool ended;
    bool failed;
    bool detached;
    enum brolga_failure_kind failed_by;
    brolga_word result;
    char message[256];
    uintptr_t trapped_at;                 /* Of the instruction, or 0. */
    uint16_t function_at, function_bytes; /* Its function, in `message`. */
    brolga_task *joiner;                  /* A task that waits for the end. */
    void (*at_end)(void *arg); /* Called at the end, however it comes. */
    void *at_end_arg;
    _Atomic uint32_t ended_word; /* enum brolga__ended; threads wait on it. */
    _Atomic uint32_t refs;       /* The run and the handle. */

    struct brolga__list registered;     /* In a shard of the registry. */
    struct brolga_epoch_member *member; /* Of a THREAD or ATTACHED task. */
    jmp_buf *thread_exit;               /* Where a failed THREAD goes. */

    /* Of a task that ends on a second stack; see second.c for when they are
     * written. */
    struct brolga__ctx first;
    struct brolga__stack second;
};

#define BROLGA__RUNQ_SIZE 256

/*
 * Written by the carrier that holds it, but for the queue's head.
 */
struct brolga__worker {
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t head; /* Taken: CAS. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t tail; /* Owner pushes. */
    brolga_task *_Atomic ring[BROLGA__RUNQ_SIZE];

    struct brolga *rt;
    uint32_t number;
    uint32_t seed;       /* For the order of victims. */
    uint32_t since_look; /* Tasks run since the last look at the injected. */
    _Atomic uint64_t runs;
    _Atomic uint64_t steals;
    _Atomic uint64_t parks;
    uint64_t runs_seen;               /* The monitor's. */
    _Atomic bool preempt;             /* The running task's time is up. */
    struct brolga__carrier *carrier;  /* Asleep with it, or NULL. idle_lock */
    struct brolga__worker *idle_next; /* idle_lock */
    bool idle;                        /* idle_lock */
};

/* What a task asks of its carrier when it switches back to it. */
enum brolga__request {
    BROLGA__REQUEST_YIELD,
    BROLGA__REQUEST_PARK,
    BROLGA__REQUEST_END,
    BROLGA__REQUEST_REQUEUE /* It has come back from foreign code. */
};

/* An OS thread that runs tasks. Never freed while the runtime lives. */
struct brolga__carrier {
    struct brolga *rt;
    struct brolga__ctx ctx;        /* The thread's own stack. */
    struct brolga__worker *worker; /* NULL while its task blocks. */
    brolga_task *task;
    enum brolga__request request;
    struct brolga_epoch_member *member;
    pthread_t thread;
    _Atomic uint32_t wake;         /* Sleeps while 0. */
    struct brolga__carrier *next;  /* rt->carriers; idle_lock */
    struct brolga__carrier *spare; /* rt->spares; idle_lock */
    bool searching;                /* Counted in rt->searching. */
    bool driven;                   /* A host's thread in brolga_drive(). */
};

#define BROLGA__SHARDS 16

struct brolga {
    struct brolga_opts opts;
    brolga_epoch *epoch;
    brolga_got *got;
    uint32_t worker_count;
    struct brolga__worker *workers;

    /* Tasks that no worker owns yet. */
    _Alignas(BROLGA__CACHE_LINE) pthread_mutex_t inject_lock; /* Leaf. */
    brolga_task *inject_first, *inject_last;
    _Atomic uint32_t injected;

    /* Sleeping workers; see worker.c for the protocol. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t idle_count;
    _Atomic uint32_t searching; /* Carriers that look for work to steal. */
    _Atomic bool stopping;
    pthread_mutex_t idle_lock; /* Leaf, but for a new thread's creation. */
    struct brolga__worker *idle;
    struct brolga__carrier *spares;
    struct brolga__carrier *carriers; /* All there ever were. */
    uint32_t carrier_count;

    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t tasks_live;
    _Atomic uint64_t next_id;
    _Atomic uint32_t threads;   /* Of THREAD tasks, that have not gone. */
    pthread_mutex_t free_lock;  /* Leaf. */
    brolga_task *free_tasks[2]; /* Of threads; of fibers. */
    brolga_task *all_tasks;     /* Blocks of them, to be freed at the end. */
    struct brolga__stacks_pool stacks;
    struct brolga__timers timers;
    struct brolga__pool pool;

    /* Handles and the loop's thread, from the first use on (io_handle.c); a
     * library without them never sets it. */
    pthread_mutex_t io_lock; /* Held while they are made. */
    struct brolga__io *_Atomic io;
    void (*io_stop)(struct brolga__io *io);

    struct {
        pthread_mutex_t lock;
        struct brolga__list tasks;
    } shard[BROLGA__SHARDS];
    pthread_mutex_t walk_lock; /* One walker of the registry at a time. */

    /* Canceling: see scope.c. */
    brolga_scope root;
    _Atomic uint64_t next_scope;
    pthread_mutex_t cancel_lock;
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t stuck_at_ns; /* look.c */
    /* The time, to about a time slice: a clock that costs a load. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t clock_ns;

    pthread_t reclaimer;
    _Atomic uint32_t reclaim_word;    /* The reclaimer sleeps on it. */
    _Atomic uint32_t reclaimer_rests; /* enum brolga__rest */
    bool traps;                       /* It counts in trap.c. */
};

/* How the reclaimer's thread sleeps, for those who may have to wake it. */
enum brolga__rest {
    BROLGA__AWAKE,
    BROLGA__RESTS_TIMED,   /* Until a time that is at most a time slice away. */
    BROLGA__RESTS_FOR_EVER /* Nothing waits and no worker is busy. */
};

/* --- the scheduler (worker.c) ------------------------------------------- */

/* The carrier of the calling thread, or NULL; never inlined, because a fiber
 * may wake up on another thread. */
struct brolga__carrier *brolga__carrier_self(void);
void brolga__carrier_set_self(struct brolga__carrier *carrier);

/* Queues a task that is ready to run, and sees to it that somebody runs it. */
void brolga__schedule(brolga_task *task);

/* Switches from the calling fiber to its carrier, with a request. */
void brolga__switch_out(enum brolga__request request);

/* Gives the carrier's worker to someone else; before foreign code. */
void brolga__worker_release(struct brolga__carrier *carrier);
/* Gets a worker back if one is idle. */
bool brolga__worker_acquire(struct brolga__carrier *carrier);

int brolga__workers_start(struct brolga *rt);
void brolga__workers_stop(struct brolga *rt);

/* --- safepoints (safepoint.c) ------------------------------------------- */

/* Moves a task's view forward and looks at its stack, from the word at `sp` up,
 * if the reclaimer asked and it is no top safepoint. Called by the task, or by
 * the carrier that is about to run it. */
void brolga__task_refresh(brolga_task *task, struct brolga_epoch_member *member,
                          bool top, uintptr_t sp);

/* The same for the calling task, as it stands. */
void brolga__safepoint_here(brolga_task *task);

/* The member that answers for the calling task. */
struct brolga_epoch_member *brolga__member_of(brolga_task *task);

/*
 * For runners that call into units from a stack without their frames: a top
 * safepoint, and a bracket in which the task stays at one and may park.
 */
void brolga__top_safepoint(void);
void brolga__top_enter(void);
void brolga__top_leave(void);

/* --- tasks (task.c) ----------------------------------------------------- */

/* A fresh record with both references; NULL if there is no memory. */
int brolga__task_create(struct brolga *rt, const struct brolga_spawn_opts *opts,
                        brolga_task **out);
/* Drops a reference; the last one recycles the record. */
void brolga__task_unref(brolga_task *task);
/* Runs a task's entry on the calling stack; returns its result. */
brolga_word brolga__task_call(brolga_task *task);
/* What a task is to do. With a slot, the slot's number and code stay until the
 * task ends; with `at_end`, that is called when it ends however it does, also
 * if it never ran, on a stack that is not the task's; it must not park. */
struct brolga__start {
    enum brolga__entry entry;
    brolga_task_fn fn;
    brolga_slot slot;
    void *arg;
    void (*at_end)(void *arg);
    void *at_end_arg;
};

/* brolga_spawn() of anything; BROLGA_ENOENT if the slot is not defined. Only
 * on success `at_end` will be called. */
int brolga__spawn(struct brolga *rt, const struct brolga__start *how,
                  const struct brolga_spawn_opts *opts, brolga_task **out);
/* Writes down a failure that nobody else will hear of. */
void brolga__task_say_failed(const brolga_task *task);
/* Says of a task that has failed how. */
void brolga__task_describe_failure(const brolga_task *task,
                                   struct brolga_failure *failure);
/* Leaves the calling task, whose failure is written down and which has been
 * finished: no frame of its stack is returned to. */
BROLGA_NORETURN void brolga__task_leave(brolga_task *task);
/* Publishes the end: wakes the joiner, leaves the scope, drops the run's
 * reference. */
void brolga__task_end(brolga_task *task);
/* Frees all records. */
void brolga__tasks_fini(struct brolga *rt);

/* --- scopes (scope.c) --------------------------------------------------- */

void brolga__scopes_init(struct brolga *rt);
void brolga__scopes_fini(struct brolga *rt);
/* Finds the scope for a task that is being spawned and puts it in, so that the
 * scope awaits it. BROLGA_OK, BROLGA_EINVAL, BROLGA_ESTATE. */
int brolga__scope_enter(brolga_task *task,
                        const struct brolga_spawn_opts *opts);
/* The task has ended, or (`never`) could not be started. The scope may be gone
 * when it returns. */
void brolga__scope_leave(brolga_task *task, bool never);
/* Cancels and awaits what the calling task has left open. If a task in it has
 * failed, so has this one. */
void brolga__scopes_abandon(brolga_task *task);
/* Lets go of the failures that the calling task has last heard of. */
void brolga__scope_forget(brolga_task *task);
/* What parking calls of the calling task have to say: BROLGA_OK, or why it is
 * to end. */
int brolga__interrupted(brolga_task *task);

/* --- the end of a task (defer.c) ---------------------------------------- */

/* Closes the calling task's scopes and runs its handlers. Called once more if
 * a handler panics: it goes on with the next one. */
void brolga__task_finish(brolga_task *task);

/* --- looking on (look.c) ------------------------------------------------ */

/* Names the tasks that have ignored that they were canceled for too long.
 * Called by the reclaimer; returns when to look again. */
uint64_t brolga__look_for_stuck(struct brolga *rt, uint64_t now_ns);
/* A task has been canceled: one is to look after the grace period. */
void brolga__watch_canceled(struct brolga *rt, uint64_t now_ns);
/* A task switches out, or a thread parks, with `used` bytes of its stack. */
static inline void brolga__note_stack(brolga_task *task, size_t used)
{
    if (used > brolga__load_relaxed(&task->stack_used))
        brolga__store_relaxed(&task->stack_used, used);
}
/* A task's state changes now. Relaxed, as all that is only for reports. */
static inline void brolga__note_since(brolga_task *task)
{
    brolga__store_relaxed(&task->since_ns,
                          brolga__load_relaxed(&task->rt->clock_ns));
}
/* --- foreign code (block.c) --------------------------------------------- */

/* The two halves of brolga_block_end() for a task that has trapped: nobody
 * reads its frames any more; then it gets a worker and goes on. */
void brolga__block_claim(brolga_task *task);
void brolga__block_resume(brolga_task *task);

/* --- traps (trap.c) ----------------------------------------------------- */

/* The first runtime that wants traps installs their handlers, and the last one
 * to go removes them. */
void brolga__traps_open(struct brolga *rt);
void brolga__traps_close(struct brolga *rt);

/* --- second stacks (second.c) ------------------------------------------- */

/* The calling thread's emergency stack, and its stack for signal handlers if
 * that was ours to give. */
struct brolga__signal_stack {
    bool taken, given;
    struct brolga__stack stack;
};

/* For threads that run tasks, around all that these do. Without memory for a
 * stack there is none, and then an overflow ends the process. */
void brolga__signal_stack_enter(struct brolga *rt,
                                struct brolga__signal_stack *out);
void brolga__signal_stack_leave(struct brolga *rt,
                                const struct brolga__signal_stack *stack);

/* The top of the calling thread's emergency stack; 0: it has none. */
uintptr_t brolga__emergency_stack(void);

/* Moves the calling task, whose thread is on its emergency stack, to a second
 * stack, where it calls entry(arg), which must not return. Of the stack that it
 * was on, the words from `lowest` up may still be used. Returns if there is no
 * memory: BROLGA_ENOMEM, BROLGA_ELIMIT. */
int brolga__second_stack_enter(brolga_task *task, uintptr_t lowest,
                               void (*entry)(void *arg), void *arg);

/* Goes back to the first stack, where nothing is of use any more, gives the
 * second one back, and leaves the calling task. */
BROLGA_NORETURN void brolga__second_stack_leave(brolga_task *task);

/* --- OS threads (thread.c) ---------------------------------------------- */

int brolga__thread_start(brolga_task *task);

/* --- the registry and stacks (scan.c) ----------------------------------- */

void brolga__register(brolga_task *task);
void brolga__unregister(brolga_task *task);
/* Visits the tasks in the registry, each under the lock of its shard. */
void brolga__walk(struct brolga *rt,
                  void (*visit)(void *arg, brolga_task *task), void *arg);
/* Looks at every stack for suspects: brolga__stacks.look. */
void brolga__scan_look(void *rt, const struct brolga__suspects *set);
/* Looks at the words from `sp` up of a task that the caller owns. */
void brolga__scan_stack(brolga_task *task, const struct brolga__suspects *set,
                        uintptr_t sp);

/* --- the reclaimer (runtime.c) ------------------------------------------ */

/* Something is to be reclaimed: wakes the reclaimer's thread. */
void brolga__reclaimer_notify(void *rt);
/* A worker gets busy: lets the reclaimer's thread take its time. */
void brolga__reclaimer_watch(struct brolga *rt);

/* --- parking (wait.c) --------------------------------------------------- */

/**
 * Parks the calling task until brolga__unpark(), the deadline or a cancel.
 * Returns at once if it was unparked since its last park. May return BROLGA_OK
 * for no reason: callers check what they wait for, and park again. A safepoint.
 *
 * `where` is a short static word for reports: "recv", "sleep".
 *
 * Returns: BROLGA_OK, BROLGA_ETIMEOUT, BROLGA_ECANCELED. The two failures are
 * only reported when the permit was not there: a caller checks what it waits
 * for before it believes them.
 */
int brolga__park(const char *where, uint64_t deadline_ns);

/**
 * Parks the calling task until brolga__unpark(), whatever its cancellation:
 * for what has been begun and must end first. May return for no reason.
 */
void brolga__await(const char *where);

/**
 * Makes a task's park return; remembered if it does not park now. The memory
 * of tasks is never returned while the runtime lives, so that a late unpark
 * of a task that has ended (and even of its successor) does no harm beyond a
 * park that returns for no reason.
 *
 * Everything the caller did before is seen by the task after its park.
 */
void brolga__unpark(brolga_task *task);

#endif
