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

#include <brolga/fork.h>
#include <brolga/look.h>
#include <brolga/scope.h>
#include <brolga/task.h>

#include "alloc.h"
#include "atomic.h"
#include "base.h"
#include "epoch/epoch.h"
#include "got/got.h"
#include "list.h"
#include "lock.h"
#include "tasks/ctx.h"
#include "tasks/hard.h"
#include "tasks/pool.h"
#include "tasks/runq.h"
#include "tasks/stack.h"
#include "tasks/timer.h"

#include <pthread.h>
#include <setjmp.h>

/*
 * A task's permit: who may touch it next. See wait.c for the diagram.
 */
enum brolga__permit {
    BROLGA__RUNNING,  /* On a carrier, or in a queue of ready tasks. */
    BROLGA__NOTIFIED, /* Same; its next park returns at once. */
    BROLGA__PARKED,   /* Context saved; whoever unparks it queues it. */
    BROLGA__SCANNING, /* Parked, and the reclaimer reads its stack. */
    BROLGA__SCANNING_NOTIFIED, /* Same; the reclaimer queues it when done. */
    BROLGA__RESTING /* Parked, and its stack holds no code of any unit. */
};

enum brolga__task_kind {
    BROLGA__FIBER,   /* On a stack of the runtime, on any carrier. */
    BROLGA__THREAD,  /* On an OS thread that the runtime made for it. */
    BROLGA__ATTACHED /* A thread of the host. */
};

enum brolga__entry {
    BROLGA__ENTRY_FUNCTION,
    BROLGA__ENTRY_SLOT,
    BROLGA__ENTRY_LOOP,
    BROLGA__ENTRY_FORK /* As a function; see fork.c. */
};

/* Why a task or a scope is canceled: the first reason stays. */
enum brolga__reason {
    BROLGA__NO_REASON,
    BROLGA__CANCELED,
    BROLGA__DEADLINE, /* Of a scope. */
    BROLGA__DEADLOCK, /* See deadlock.c. */
    BROLGA__REASONS
};

/* Watermark and version of a task that has not run: no code of a unit can be
 * on its stack, and it is in no version. */
#define BROLGA__NOT_STARTED UINT64_MAX

/* Callee-saved registers, at the most, of the processors we know. */
#define BROLGA__SPILL_WORDS 32

/* What a task in foreign code can return to; see block.c. Of one that stands at
 * the gate on its own thread, `sp` alone; see safepoint.c. */
struct brolga__spilled {
    uintptr_t sp; /* The lowest word of its frames to read; 0: neither. */
    uintptr_t word[BROLGA__SPILL_WORDS]; /* Registers at block_begin. */
};

/* What the last search of a task's stack found; see scan.c. */
struct brolga__holds {
    uint64_t set;   /* The generation of the suspects that were looked for. */
    uint64_t parks; /* The task's parks at that time. */
    struct brolga__found found;
};

/* Whether a task's frames may be read though it is not parked (block.c). */
enum brolga__blocked {
    BROLGA__NOT_BLOCKED,
    BROLGA__BLOCKED,         /* In foreign code; frames from `sp` up rest. */
    BROLGA__BLOCKED_SCANNING /* Same, and the reclaimer reads them. */
};

/*
 * What brolga_task.end says: nothing yet (0), one of these, or the task that
 * waits for the end. See task.c.
 */
#define BROLGA__END_ENDED    ((uintptr_t)1)
#define BROLGA__END_DETACHED ((uintptr_t)2) /* Nobody will ask. */
#define BROLGA__END_AWAITED  ((uintptr_t)3) /* A thread sleeps. */

/* How a thread that is no task waits for one. */
enum brolga__awaited {
    BROLGA__AWAITED_FOR_A_WHILE,
    BROLGA__AWAITED_FOR_EVER,
    BROLGA__AWAITED_FROM_OUTSIDE /* The same; it has called outside_enter(). */
};

struct brolga__carrier;

/*
 * What parks may say besides a word: what they wait for; one for each kind. A
 * parked task that waits for something `outside` will be woken by somebody who
 * is no task. See deadlock.c.
 */
struct brolga__wait {
    bool outside;
    /* The task whose end is awaited; NULL: none. */
    brolga_task *(*task)(const void *on);
    /* Writes "on channel 'x'"; NULL: there is nothing to say. For a task that
     * is held (brolga__hold()). */
    void (*describe)(const void *on, char *text, size_t bytes);
};

#define BROLGA__NAME_WORDS 4 /* A name of 31 bytes with its NUL. */

/* What brolga_defer() keeps; see defer.c. */
struct brolga__defer {
    struct brolga__defer *next;
    void (*fn)(void *arg);
    void *arg;
    brolga_unit *pinned; /* Holds `fn`. */
};

/* How a task failed; made when it does. */
struct brolga__why {
    uint16_t function_at, function_bytes; /* Its function, in `message`. */
    uintptr_t trapped_at;                 /* Of the instruction, or 0. */
    char message[256];
};

/* What a task has left that ends on a second stack; see second.c. */
struct brolga__left {
    struct brolga__ctx ctx;      /* Where it was. */
    struct brolga__stack second; /* Where it is, as it came from the pool. */
};

/* What a layer above has for a task until its end, when it is called, by
 * whoever ends the task. */
struct brolga__kept {
    void (*end)(struct brolga__kept *kept);
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
    struct brolga_fork *forks; /* The owner's when it was opened. */

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
    uint32_t depth;   /* As of `look`; deadlock.c. */
    uint64_t look;    /* The last look for deadlocks that came here. */
    uint64_t excused; /* The last look in which it waited for others. */
    struct brolga_scope_report report;
};

/*
 * A free record is clean but for what task.c sets when it is taken. The fields
 * that every task uses come first, a few cache lines in the order of their use:
 * the first two are all that a yield touches, the third is for parks and the
 * next ones for the beginning and the end.
 * What only few tasks have lies elsewhere: how it failed in memory of its own,
 * the rest with who needs it. There may be millions of records.
 */
struct brolga_task {
    /* First: compiled code holds this address. Written by the task. */
    _Alignas(BROLGA__CACHE_LINE) struct brolga_view view;
    struct brolga__version *version; /* Whose slots the view has. */
    /* Written by the task, or by its carrier while it is switched out. */
    struct brolga__ctx ctx;
    struct brolga *rt;

    brolga_task *under; /* Who runs it in its join; see worker.c. */
    struct brolga__carrier *_Atomic carrier; /* Whom it runs on, or NULL. */
    _Atomic uint64_t since_ns;   /* Its state changed, by rt->clock_ns. */
    _Atomic uint32_t stack_used; /* The most, at a switch. */
    _Atomic uint32_t permit;     /* Written by anyone who wakes it. */
    bool is_fiber; /* For ever, also of the tasks that use the record next. */
    _Atomic uint8_t kind;      /* enum brolga__task_kind */
    _Atomic bool adopt_at_top; /* Stays in its version at inner safepoints. */
    _Atomic bool top;          /* No frame of a unit is on its stack. */
    bool holding;  /* Holds `version`: adopt_at_top, and it has started. */
    bool told;     /* It has seen that it is canceled. */
    bool cleaning; /* Parks though it is canceled. scopes_lock */
    bool failed;
    uint64_t parks; /* Times it has parked. */
    /* What it waits for while it is parked; NULL: not said. */
    const struct brolga__wait *wait;
    const void *wait_on;

    /* A FIBER's. Of a THREAD: where its own frames lie; see thread.c. */
    struct brolga__stack stack;
    const char *_Atomic parked_in; /* NULL while it runs. */
    bool competes;                 /* May win a scope of policy ANY. */
    uint8_t failed_by;             /* enum brolga_failure_kind */
    uint8_t place;                 /* In its block; for ever. */
    bool holds_some;               /* Code of a unit, in the park of `holds`. */
    bool worn; /* It has failed or been cleaning: to be made clean. */

    /* What it is to do. */
    uint8_t entry; /* enum brolga__entry */
    brolga_slot slot;
    _Atomic uint32_t stack_bytes;
    brolga_task_fn fn;
    void *arg;
    /* Holds `fn` until the task has started, and what it has others run. */
    brolga_unit *_Atomic pinned;
    void (*at_end)(void *arg); /* Called at the end, however it comes. */
    void *at_end_arg;
    brolga_word result;
    const struct brolga__why *why; /* It failed; NULL: it did not. */
    int io_error; /* The system's last refusal, as libuv numbers it. */

    /* Written by anyone who starts, cancels, joins or scans it. */
    _Atomic uint32_t canceled;   /* enum brolga__reason */
    _Atomic uintptr_t end;       /* BROLGA__END_... */
    _Atomic uint32_t refs;       /* See task.c. */
    _Atomic uint32_t ended_word; /* 1 for a thread that sleeps on it. */
    _Atomic uint64_t watermark;  /* Its stack is clean up to this stamp. */
    _Atomic uint64_t in_version; /* version->number */
    _Atomic uint32_t blocked;    /* enum brolga__blocked */
    _Atomic bool fresh; /* Spawned, and nobody has claimed it; runq.c */
    bool named;
    bool held;                /* By brolga__hold(); its caller's. */
    _Atomic uint8_t awaited;  /* enum brolga__awaited; when `end` is AWAITED */
    _Atomic bool timed_out;   /* Set by the timer, read after a park. */
    _Atomic bool named_stuck; /* Set by the reclaimer. */
    _Atomic bool awaits;      /* It joins a scope. */
    _Atomic bool found_some;  /* In its last search; see `holds`. */
    union {
        uint32_t trimmed; /* Of a fiber; the reclaimer's, see trim.c. */
        _Atomic uint32_t thread_number; /* Of others; see sample.c. */
    };
    brolga_task *next; /* In the list of injected, free or held tasks. */
    struct brolga__left *left; /* It is on a second stack; NULL: not. */

    _Atomic uint64_t id; /* For anyone who looks on; 0: the record is free. */
    uint64_t number;     /* The same, for good. */
    brolga_scope *home;  /* The scope it is in; NULL: the root. */
    _Atomic uint64_t home_id;
    struct brolga__account values; /* Its own; see alloc.h. */
    brolga_scope *scope;          /* The innermost that it has open, or NULL. */
    struct brolga__defer *defers; /* The last one first. Changed by the task,
                                     under holds_lock. */
    struct brolga_fork *forks;    /* To be joined; the last one first. */
    struct brolga__kept *kept;    /* Of the layer above, or NULL. */

    /* --- what few tasks use --- */

    _Atomic uint64_t name[BROLGA__NAME_WORDS];
    struct brolga__timer timer;

    /* Scopes and cancellation. */
    struct brolga__lock scopes_lock;
    struct brolga__lock holds_lock;
    brolga_scope *outermost;      /* That it has open. scopes_lock */
    struct brolga__list in_scope; /* home->tasks or ->failures, or `heard` */
    _Atomic uint64_t canceled_ns; /* Since when. */
    _Atomic uint64_t ends_by_ns;  /* It cleans up until then, if it does. */
    uint64_t heard_of;            /* The scope that it joined last, and */
    struct brolga__list heard;    /* the failures in it, with a reference. */

    struct brolga__holds holds; /* Its stack, when searched. holds_lock */
    /* Of a fiber in foreign code, or that stands, its carrier's, else NULL; of
     * a thread, its own. */
    struct brolga__spilled *spilled;
    struct brolga_epoch_member *member; /* Of a THREAD or ATTACHED task. */
    jmp_buf *thread_exit;               /* Where a failed THREAD goes. */
};

#if !defined(BROLGA__ASAN) && !defined(BROLGA__TSAN)
_Static_assert(sizeof(brolga_task) <= 10 * BROLGA__CACHE_LINE,
               "a parked task should cost little more than its stack");
#endif

/* Whether a permit says that the task is parked. */
static inline bool brolga__permit_is_parked(uint32_t permit)
{
    return permit == BROLGA__PARKED || permit == BROLGA__RESTING ||
           permit == BROLGA__SCANNING || permit == BROLGA__SCANNING_NOTIFIED;
}

/* Records are made in blocks, which last as long as the runtime. */
#define BROLGA__BLOCK_TASKS 32

struct brolga__block {
    struct brolga__block *next;
    _Atomic uint32_t resting; /* A bit a record: see wait.c. */
    brolga_task task[BROLGA__BLOCK_TASKS];
};

#define BROLGA__STOCK_STACKS 16

/* What a worker keeps at hand, so that starting and ending a task takes no
 * lock; used by the thread that holds the worker. */
struct brolga__stock {
    brolga_task *tasks; /* Free records of fibers. */
    uint32_t count;
    _Atomic uint32_t stacks; /* In `stack`: of the default size, warm. */
    unsigned size_class;     /* Theirs. */
    struct brolga__stack stack[BROLGA__STOCK_STACKS];
    uint64_t next_id, last_id;
    _Atomic uint64_t taken; /* Tasks that began here, */
    _Atomic uint64_t ended; /* and that ended here; record.c */
};

/* Forks that a deque holds; the rest is for its task alone. */
#define BROLGA__FORKS 1024

struct brolga__forks {
    _Alignas(BROLGA__CACHE_LINE) _Atomic int64_t top;    /* Taken: CAS. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic int64_t bottom; /* The owner's end. */
    struct brolga_fork *_Atomic slot[BROLGA__FORKS];
};

/*
 * Written by the carrier that holds it, but for the queue's head, the top of
 * the forks and `next`, which others may take.
 */
struct brolga__worker {
    struct brolga__forks forks; /* Of the task that runs. */
    struct brolga__runq queue;
    brolga_task *_Atomic next; /* The hand-over slot: to be run first. */

    struct brolga *rt;
    uint32_t number;
    uint32_t seed;        /* For the order of victims. */
    uint32_t since_look;  /* Tasks run since the last look at the injected. */
    uint32_t in_a_row;    /* Tasks run from the slot since the last other. */
    uint64_t since_ticks; /* When the running task was switched to. */
    struct brolga__stock stock;
    _Atomic uint64_t turns;  /* Tasks run that began a time slice, */
    _Atomic uint64_t nested; /* and those that were run in joins. */
    _Atomic uint64_t steals;
    _Atomic uint64_t parks;
    uint64_t turns_seen, nested_seen; /* The monitor's. */
    _Atomic bool preempt;             /* The running task's time is up. */
    _Atomic uint64_t until_ns;        /* When who drives it is to return. */
    struct brolga__carrier *carrier;  /* Asleep with it, or NULL. idle_lock */
    struct brolga__worker *idle_next; /* idle_lock */
    bool idle;                        /* idle_lock */
};

/* What is to be done for a task after it has been switched away from, by whom
 * the switch leads to. */
enum brolga__request {
    BROLGA__REQUEST_NONE,
    BROLGA__REQUEST_YIELD,
    BROLGA__REQUEST_PARK,
    BROLGA__REQUEST_END,
    BROLGA__REQUEST_SHED,    /* To park without its stack. */
    BROLGA__REQUEST_REQUEUE, /* It has come back from foreign code. */
    BROLGA__REQUESTS
};

/* An OS thread that runs tasks. Never freed while the runtime lives. */
struct brolga__carrier {
    struct brolga *rt;
    struct brolga__ctx ctx;         /* The thread's own stack. */
    _Atomic uint32_t thread_number; /* For sample.c. */
    struct brolga__worker *worker;  /* NULL while its task blocks. */
    struct brolga__ctx dead; /* Of a task that has ended, until someone */
    struct brolga__stack dead_stack; /* else runs. */
    struct brolga_epoch_member *member;
    struct brolga__spilled spilled; /* Of its task in foreign code. */
    pthread_t thread;
    _Atomic uint32_t wake;         /* Sleeps while 0. */
    struct brolga__carrier *next;  /* rt->carriers; idle_lock */
    struct brolga__carrier *spare; /* rt->spares; idle_lock */
    bool searching;                /* Counted in rt->searching. */
    bool driven;                   /* A host's thread in brolga_drive(). */
};

/* Looking for deadlocks; see deadlock.c. */
struct brolga__deadlock {
    _Atomic uint32_t outside;    /* Who may act from outside. */
    _Atomic uint32_t bystanders; /* Threads of the host that never do. */
    _Atomic uint32_t hints;      /* Times that it was worth while to look. */
    _Atomic bool alert;          /* A hint is to wake the reclaimer. */
    /* Threads in brolga_join(), for about as long as they wait without a
     * deadline; by enum brolga__awaited. */
    _Atomic uint32_t joiners[3];

    /* The reclaimer's. */
    uint32_t hints_seen;
    bool again;             /* Though nobody gives another hint... */
    uint64_t not_before_ns; /* ...then; 0: at the next one. */
    uint64_t pause_ns;
    _Atomic uint64_t looks; /* Begun; tests wait for them. */
    uint64_t reported;      /* The signature of the last report. */

    struct brolga__lock lock; /* Guards the text; written by the reclaimer. */
    size_t length;
    char text[8192];
};

/* Giving back what stacks no longer use; see trim.c. */
struct brolga__trim {
    struct brolga__block *next; /* To be swept; NULL: none. */
    uint64_t step_ns;           /* When to go on with that. */
    uint64_t due_ns;            /* The next sweep. */
    uint64_t parks;             /* Of all workers, when that was set. */
};

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
    uint64_t starts;            /* Times that one got a worker. idle_lock */
    _Atomic bool stopping;
    pthread_mutex_t idle_lock; /* Leaf, but for a new thread's creation. */
    struct brolga__worker *idle;
    struct brolga__carrier *spares;
    struct brolga__carrier *carriers; /* All there ever were. */
    uint32_t carrier_count;

    /* Records of tasks; see record.c. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic int64_t live; /* Others' share. */
    bool counts_exactly;                               /* Here only. */
    _Atomic uint64_t next_id;
    _Atomic uint64_t failed;    /* Tasks, ever. */
    _Atomic uint32_t threads;   /* Of THREAD tasks, that have not gone. */
    pthread_mutex_t free_lock;  /* Leaf. */
    brolga_task *free_tasks[2]; /* Of threads; of fibers. */
    struct brolga__block *_Atomic blocks; /* Freed at the end. */
    struct brolga__stacks_pool stacks;
    struct brolga__timers timers;
    struct brolga__pool pool;

    /* Handles and the loop's thread, from the first use on (io_handle.c); a
     * library without them never sets it. */
    pthread_mutex_t io_lock; /* Held while they are made. */
    struct brolga__io *_Atomic io;
    void (*io_stop)(struct brolga__io *io);
    _Atomic uint32_t io_threads; /* 1 when the loop's thread is there. */

    /* Canceling: see scope.c. */
    brolga_scope root;
    _Atomic uint64_t next_scope;
    pthread_mutex_t cancel_lock;
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t stuck_at_ns; /* look.c */
    /* The time, to about a time slice: a clock that costs a load. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t clock_ns;

    struct brolga__deadlock deadlock;
    struct brolga__trim trim; /* The reclaimer's lock. */

    pthread_t reclaimer;
    _Atomic bool watched;             /* `reclaimer` was, or is being, started
                                         for those who drive. */
    bool has_reclaimer;               /* It is there. */
    uint64_t turns_seen;              /* The reclaimer's. */
    _Atomic uint32_t refused;         /* Times that there was no carrier for a
                                         worker that was to be woken. */
    uint32_t refused_seen;            /* The reclaimer's. */
    _Atomic uint32_t reclaim_word;    /* The reclaimer sleeps on it. */
    _Atomic uint32_t reclaimer_rests; /* enum brolga__rest */
    bool traps;                       /* It counts in trap.c. */
    struct {
        _Atomic uint64_t safepoints; /* Since the beginning. */
        _Atomic bool wanted;         /* A reload. */
        pthread_mutex_t lock;        /* Guards the rest. */
        void (*reload)(void *arg);   /* Has it done; must not block. */
        void *arg;
    } stress;                  /* See stress.c. */
    uint64_t stalled_since_ns; /* The reclaimer's; stalls.c */
    uint64_t stall_due_ns;
};

/* How the reclaimer's thread sleeps, for those who may have to wake it. */
enum brolga__rest {
    BROLGA__AWAKE,
    BROLGA__RESTS_BRIEFLY, /* It is pressed, and will soon look anyway. */
    BROLGA__RESTS_TIMED,   /* Until a time that is at most a time slice away. */
    BROLGA__RESTS_FOR_EVER /* Or longer; no worker is busy. */
};

/* --- the scheduler (worker.c) ------------------------------------------- */

/* The carrier of the calling thread, or NULL; never inlined, because a fiber
 * may wake up on another thread. */
struct brolga__carrier *brolga__carrier_self(void);
void brolga__carrier_set_self(struct brolga__carrier *carrier);

/* The calling task, or NULL. */
static inline brolga_task *brolga__self(void)
{
    return (brolga_task *)(void *)brolga_view_self();
}

/* The worker that the calling thread holds, of this runtime, or NULL. */
static inline struct brolga__worker *brolga__worker_self(struct brolga *rt)
{
    brolga_task *self = brolga__self();
    struct brolga__carrier *carrier;

    if (brolga__likely(self != NULL && self->is_fiber))
        carrier = brolga__load_relaxed(&self->carrier);
    else
        carrier = brolga__carrier_self();
    return carrier != NULL && carrier->rt == rt ? carrier->worker : NULL;
}

/* Queues a task that is ready to run behind all others, and sees to it that
 * somebody runs it. */
void brolga__schedule(brolga_task *task);
/* The same for a task that has been woken: the calling worker runs it next. */
void brolga__hand_over(brolga_task *task);
/* The same for a task that has just been spawned. */
void brolga__launch(brolga_task *task, struct brolga__worker *worker);

/* More is ready than the calling worker runs at once; see worker.c. */
void brolga__attract(struct brolga__worker *worker, bool several);

/* Wakes a worker that looks for work, unless all are busy or one does. */
void brolga__wake_one(struct brolga *rt);

/* --- entries of run queues (runq.c) ------------------------------------- */

static inline brolga_task *brolga__entry_task(brolga__entry_word entry)
{
    return (brolga_task *)(entry & ~BROLGA__SPAWNED);
}

/* Makes a spawned task the caller's to run; false if it is someone's already.
 */
static inline bool brolga__claim(brolga_task *task)
{
    bool fresh = true;

    return brolga__load_relaxed(&task->fresh) &&
           brolga__cas_acq_rel(&task->fresh, &fresh, false); /* AM */
}

/* The entry's task if it is the caller's to run, else NULL. */
static inline brolga_task *brolga__redeem(brolga__entry_word entry)
{
    brolga_task *task = brolga__entry_task(entry);

    if ((entry & BROLGA__SPAWNED) != 0 && !brolga__claim(task))
        return NULL;
    return task;
}

/* Leaves the calling fiber, with what is to be done for it then, for the next
 * task that is ready, or for its carrier; returns when it is run again. */
void brolga__switch_out(enum brolga__request what);
/* Lets the other ready tasks run first. A safepoint. */
void brolga__yield(brolga_task *task);
/* Runs a task that the caller has claimed and waits for; returns when it has
 * ended, or, having been parked meanwhile, when the caller is woken. */
void brolga__run_child(brolga_task *self, brolga_task *child);
/* Parks those who run the calling task in their joins. Before it leaves its
 * carrier, and when the reclaimer wants to see them. */
void brolga__part(brolga_task *task);
/* Parks the calling fiber and gives its stack away: when it is woken, its entry
 * is called anew. It is at a top safepoint (brolga__top_enter). */
BROLGA_NORETURN void brolga__shed(brolga_task *task);
/* Ends the calling fiber. */
BROLGA_NORETURN void brolga__fiber_end(brolga_task *task);

/* Gives the carrier's worker to someone else; before foreign code. */
void brolga__worker_release(struct brolga__carrier *carrier);
/* Gets a worker back if one is idle. */
bool brolga__worker_acquire(struct brolga__carrier *carrier);

int brolga__workers_start(struct brolga *rt);
void brolga__workers_stop(struct brolga *rt);

/* The round of now, by the task's own way to it: a load less. */
static inline uint64_t brolga__round_of(const brolga_task *task)
{
    return brolga__load_acquire(
        (const _Atomic uint64_t *)(const void *)task->view.round);
}

/* Whether a task has seen the round of now. */
static inline bool brolga__is_current(const brolga_task *task)
{
    return task->view.seen == brolga__round_of(task);
}

/* --- safepoints (safepoint.c) ------------------------------------------- */

/* Of a stack; few have more of it in use while they are parked. None of the
 * page behind, of which the processor may not even know where it lies. */
#define BROLGA__FETCHED_BYTES 512
#define BROLGA__FETCHED_PAGE  4096

/*
 * What the safepoint of a task that has not run for a while will touch: of its
 * record what a switch does not, and its stack, as far as that is searched. So
 * the processor waits for all of it at once, or, if it is done ahead, not at
 * all.
 */
static inline void brolga__fetch_safepoint(const brolga_task *task,
                                           uintptr_t sp)
{
    uintptr_t end = (sp | (BROLGA__FETCHED_PAGE - 1)) + 1;

    if (end > sp + BROLGA__FETCHED_BYTES)
        end = sp + BROLGA__FETCHED_BYTES;
    __builtin_prefetch(&task->watermark); /* `in_version` and `left`, too. */
    if (sp == 0)
        return;
    for (; sp < end; sp += BROLGA__CACHE_LINE)
        __builtin_prefetch((const void *)sp);
}

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

/* A record for a task, set to its beginnings, with one reference. BROLGA_OK,
 * BROLGA_ENOMEM, BROLGA_ELIMIT. */
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
    bool past_gate; /* On a thread of its own: the gate does not stop it. */
};

/* brolga_spawn() of anything; BROLGA_ENOENT if the slot is not defined. Only
 * on success `at_end` will be called. */
int brolga__spawn(struct brolga *rt, const struct brolga__start *how,
                  const struct brolga_spawn_opts *opts, brolga_task **out);
/* Pins the unit that a function is in; NULL: it is in none. */
brolga_unit *brolga__pin_code(struct brolga *rt, void (*fn)(void));
/* `unit` may be NULL. */
void brolga__unpin_code(brolga_unit *unit);
/* The calling carrier's task, or one that has no stack, fails: keeps a copy of
 * why. Without memory that goes to standard error, and a word of it is kept. */
void brolga__task_fail(brolga_task *task, enum brolga_failure_kind kind,
                       const struct brolga__why *why);
/* brolga_join() by a thread that is no task, or whose task is in foreign
 * code; no safepoint. */
int brolga__join_resting(brolga_task *task, uint64_t deadline_ns,
                         struct brolga_failure *failure);
/* Writes down a failure that nobody else will hear of. */
void brolga__task_say_failed(brolga_task *task);
/* Frees that. */
void brolga__task_forget_why(brolga_task *task);
/* Says of a task that has failed how. */
void brolga__task_describe_failure(brolga_task *task,
                                   struct brolga_failure *failure);
/* Leaves the calling task, whose failure is written down and which has been
 * finished: no frame of its stack is returned to. */
BROLGA_NORETURN void brolga__task_leave(brolga_task *task);
/* Publishes the end: wakes the joiner, leaves the scope, drops the run's
 * reference. */
void brolga__task_end(brolga_task *task);
/* The same, when the one that joins it runs it. */
void brolga__child_end(brolga_task *task, struct brolga__worker *worker);

/* A record that was taken in vain. */
void brolga__task_uncreate(brolga_task *task);
/* Makes a fresh record the task of a fork. */
void brolga__task_of_fork(brolga_task *task, const struct brolga_fork *fork);
/* brolga_join() that no cancellation cuts short. */
int brolga__join_through(brolga_task *task, brolga_word *result,
                         struct brolga_failure *failure);

/* --- forks (fork.c) ----------------------------------------------------- */

/* By the owner, and a hint for others. */
static inline bool brolga__forks_empty(struct brolga__forks *forks)
{
    return brolga__load_relaxed(&forks->top) >=
           brolga__load_relaxed(&forks->bottom);
}

/* A task for the oldest fork, the caller's to run; NULL if there is none. */
brolga_task *brolga__forks_steal(struct brolga *rt,
                                 struct brolga__forks *forks);
/* Makes tasks of all forks. By the owner, whose task leaves it. */
void brolga__forks_flush(struct brolga *rt, struct brolga__forks *forks);
/* Whether the calling task has yet to join a fork that it made in a scope. */
bool brolga__forks_in(const brolga_task *task, const brolga_scope *scope);
/* Cancels and awaits what others have of the calling task's forks. */
void brolga__forks_abandon(brolga_task *task);

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
/* Cancels a task, or the tasks of a scope, for a reason. */
void brolga__cancel_task(brolga_task *task, enum brolga__reason reason);
void brolga__cancel_scope(brolga_scope *scope, enum brolga__reason reason);
/* The code that belongs to a reason. */
int brolga__reason_code(uint32_t reason);
/* What parking calls of the calling task have to say: BROLGA_OK, or why it is
 * to end. */
int brolga__interrupted(brolga_task *task);

/* --- the end of a task (defer.c) ---------------------------------------- */

/* Closes the calling task's scopes and runs its handlers. Called once more if
 * a handler panics: it goes on with the next one. */
void brolga__task_finish_slowly(brolga_task *task);
static inline void brolga__task_finish(brolga_task *task)
{
    if (brolga__unlikely(task->forks != NULL || task->scope != NULL ||
                         task->defers != NULL || task->worn))
        brolga__task_finish_slowly(task);
}

/* --- looking on (look.c) ------------------------------------------------ */

/* Names the tasks that have ignored that they were canceled for too long.
 * Called by the reclaimer; returns when to look again. */
uint64_t brolga__look_for_stuck(struct brolga *rt, uint64_t now_ns);
/* A task has been canceled: one is to look after the grace period. */
void brolga__watch_canceled(struct brolga *rt, uint64_t now_ns);
/* A task switches out, or a thread parks, with `used` bytes of its stack. */
static inline void brolga__note_stack(brolga_task *task, size_t used)
{
    /* Less than a stack can be large. */
    if (used > brolga__load_relaxed(&task->stack_used))
        brolga__store_relaxed(&task->stack_used, (uint32_t)used);
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

int brolga__thread_start(brolga_task *task, bool past_gate);

/* --- records of tasks (record.c) ---------------------------------------- */

/* The slow paths of the functions below. */
int brolga__record_fetch(struct brolga *rt, struct brolga__worker *worker,
                         bool is_fiber, brolga_task **out);
void brolga__record_count(struct brolga *rt, int64_t change);
void brolga__record_return(brolga_task *task, struct brolga__worker *worker);
uint64_t brolga__id_fetch(struct brolga *rt, struct brolga__worker *worker);

/* Records that a worker takes or puts back at a time, and keeps at the most. */
#define BROLGA__STOCK_BATCH BROLGA__BLOCK_TASKS
#define BROLGA__STOCK_MAX   (4 * BROLGA__STOCK_BATCH)

/* All of these take the worker that the calling thread holds, or NULL. */

static inline void brolga__stock_count(_Atomic uint64_t *count)
{
    brolga__store_release(count, brolga__load_relaxed(count) + 1); /* AQ */
}

/* A free record, counted as live; BROLGA_OK, BROLGA_ENOMEM, or BROLGA_ELIMIT:
 * there are as many tasks as are allowed. */
static inline int brolga__record_take(struct brolga *rt,
                                      struct brolga__worker *worker,
                                      bool is_fiber, brolga_task **out)
{
    brolga_task *task;

    if (brolga__unlikely(worker == NULL || !is_fiber ||
                         worker->stock.tasks == NULL || rt->counts_exactly))
        return brolga__record_fetch(rt, worker, is_fiber, out);
    task = worker->stock.tasks;
    worker->stock.tasks = task->next;
    worker->stock.count--;
    brolga__stock_count(&worker->stock.taken);
    *out = task;
    return BROLGA_OK;
}

/* The task counts as live no more; its record is still in use. */
static inline void brolga__record_ended(struct brolga *rt,
                                        struct brolga__worker *worker)
{
    if (brolga__likely(worker != NULL && !rt->counts_exactly))
        brolga__stock_count(&worker->stock.ended);
    else
        brolga__record_count(rt, -1);
}

static inline void brolga__stock_push(struct brolga__stock *stock,
                                      brolga_task *task)
{
    task->next = stock->tasks;
    stock->tasks = task;
    stock->count++;
}

/* Gives a record back. */
static inline void brolga__record_put(brolga_task *task,
                                      struct brolga__worker *worker)
{
    if (brolga__unlikely(worker == NULL || !task->is_fiber ||
                         worker->stock.count == BROLGA__STOCK_MAX ||
                         brolga__hard(4)))
        brolga__record_return(task, worker);
    else
        brolga__stock_push(&worker->stock, task);
}

/* A number that no other task has had. */
static inline uint64_t brolga__next_id(struct brolga *rt,
                                       struct brolga__worker *worker)
{
    if (brolga__unlikely(worker == NULL ||
                         worker->stock.next_id == worker->stock.last_id))
        return brolga__id_fetch(rt, worker);
    return ++worker->stock.next_id;
}

/* Frees all records. */
void brolga__records_fini(struct brolga *rt);

/* Shows the task to those who look on, with its number and name; NULL: none. */
void brolga__identify(brolga_task *task, uint64_t id, const char *name);
/* The same without a name. */
static inline void brolga__show(brolga_task *task)
{
    if (brolga__unlikely(task->named))
        brolga__identify(task, task->number, NULL);
    else
        brolga__store_release(&task->id, task->number); /* AO: identity */
}
/* Who a task is; false if the record is free, or changes hands. */
bool brolga__identity(brolga_task *task, uint64_t *id, char name[32]);

/* Visits the records in use, without stopping anyone: a task may end, and its
 * record have another one, during the visit. */
void brolga__walk(struct brolga *rt,
                  void (*visit)(void *arg, brolga_task *task), void *arg);
/* The same without those that rest: it costs little for them. */
void brolga__walk_restless(struct brolga *rt,
                           void (*visit)(void *arg, brolga_task *task),
                           void *arg);
/* The same, for as long as the visitor returns true. */
void brolga__walk_while(struct brolga *rt,
                        bool (*visit)(void *arg, brolga_task *task), void *arg);

/* --- searching stacks (scan.c) ------------------------------------------ */

/* Looks at every stack for suspects: brolga__stacks.look. */
void brolga__scan_look(void *rt, const struct brolga__suspects *set);
/* Looks at the words from `sp` up of a task that the caller owns. */
void brolga__scan_stack(brolga_task *task, const struct brolga__suspects *set,
                        uintptr_t sp);

/* The same of one that is known to be clean: changes nothing. */
void brolga__scan_in_vain(brolga_task *task, const struct brolga__suspects *set,
                          uintptr_t sp);
/* For a report, while the reclaimer is paused: looks for ranges of its own on
 * the stack of a task that rests, and leaves no trace; false: it does not. */
bool brolga__scan_apart(brolga_task *task, const struct brolga__suspects *set,
                        struct brolga__found *found);
/* What the task has found itself, if it has looked for this set. */
bool brolga__scan_known(brolga_task *task, const struct brolga__suspects *set,
                        struct brolga__found *found);

/* --- what is held, and by whom (holders.c, stalls.c, sample.c) ---------- */

/* Something old that is still there. */
struct brolga__old {
    struct brolga_unit *unit; /* NULL: the table of a version, with no unit. */
    uint64_t version;         /* The last that it belonged to. */
    uint64_t first_version;
    uint64_t since_ns;
    size_t bytes;
    uint64_t dead_stamp, pins;
    uint32_t pins_for[BROLGA__PINS_FOR];
    uint32_t runners; /* Tasks that call a slot of it that is gone. */
    bool suspect, version_alive;
};

/* Tells of everything old, then of who holds it. Either may be NULL. */
struct brolga__holders {
    void (*old)(void *arg, const struct brolga__old *old);
    void (*holder)(void *arg, const struct brolga_holder *holder);
    void *arg;
};
size_t brolga__holders_tell(struct brolga *rt,
                            const struct brolga__holders *to);

/* Tells the host if something has been old for too long. Returns when to look
 * again. */
uint64_t brolga__stalls_look(struct brolga *rt, uint64_t now_ns);

/* Where a task that runs is: an address in a unit, or 0. */
uintptr_t brolga__sample(struct brolga *rt, brolga_task *task);

/* --- stress switches (stress.c) ----------------------------------------- */

/* Reads the environment; BROLGA_EINVAL after a message. Before there is a GOT.
 */
int brolga__stress_open(struct brolga *rt);
void brolga__stress_close(struct brolga *rt);
/* What polls of the runtime's tasks compare with. */
const uint64_t *brolga__stress_round(struct brolga *rt);
/* A task is at a safepoint, while reloads are wanted. */
void brolga__stress_count(struct brolga *rt);
static inline void brolga__stress_safepoint(struct brolga *rt)
{
    if (brolga__unlikely(rt->opts.stress.reload != 0))
        brolga__stress_count(rt);
}
/* Who reloads the same code, or NULL: nobody. Called by the reclaimer. */
void brolga__stress_reloader(struct brolga *rt, void (*reload)(void *arg),
                             void *arg);
/* Does what has become due; whether the reclaimer is not to rest. */
bool brolga__stress_step(struct brolga *rt);

/* --- barrier commits (barrier.c) ---------------------------------------- */

/* The task's frames from `sp` up rest, though it is not switched out; or do so
 * no more (safepoint.c). */
void brolga__frames_note(brolga_task *task, uintptr_t sp);
void brolga__frames_forget(brolga_task *task);

/* What a task is shown as parked in that stands at the gate. */
extern const char brolga__at_gate[];

/* Of struct brolga__stacks: the caller's task, if it is one, rests while it
 * waits for others; and who has not come to the gate. */
void brolga__barrier_wait_begin(void *rt);
void brolga__barrier_wait_end(void *rt);
void brolga__barrier_blame(void *rt, struct brolga_report *report);
bool brolga__barrier_stays(void *rt, struct brolga_report *report);

/* What a commit has to be done in a task (errand.c). */
int brolga__errand_run(void *rt, const struct brolga__errand *errand,
                       char *message, size_t bytes);

/* --- deadlocks (deadlock.c) --------------------------------------------- */

/* Something has come to rest: is there a deadlock? Does nothing but an atomic
 * addition or two, and wakes the reclaimer at most once in a while. */
void brolga__deadlock_hint(struct brolga *rt);
/* The same, if all workers are idle: for a worker that is, now. */
void brolga__deadlock_idle(struct brolga *rt);
/* The same for the calling thread's task, which has just parked. */
void brolga__deadlock_thread_parked(struct brolga *rt);
/* The calling thread, which is no task, will wait for one until the deadline:
 * how. Then, what that was: it does so no more. */
enum brolga__awaited brolga__deadlock_join_begin(struct brolga *rt,
                                                 uint64_t deadline_ns);
void brolga__deadlock_join_end(struct brolga *rt, enum brolga__awaited how);
/* By the reclaimer: looks, if it is time; returns when to look again. */
uint64_t brolga__look_for_deadlock(struct brolga *rt, uint64_t now_ns);

/* --- memory of stacks (trim.c) ------------------------------------------ */

/* By the reclaimer: one step, if it is time; returns when to come again. */
uint64_t brolga__trim(struct brolga *rt, uint64_t now_ns);
/* When that is; by its own thread. */
uint64_t brolga__trim_due(struct brolga *rt, uint64_t now_ns);

/* --- the reclaimer (runtime.c) ------------------------------------------ */

/* Something is to be reclaimed: wakes the reclaimer's thread. */
void brolga__reclaimer_notify(void *rt);

/* A worker gets busy: lets the reclaimer's thread take its time. */
void brolga__reclaimer_watch(struct brolga *rt);
/* The same in a runtime without workers, where that thread does nothing else
 * and starts now, if it has not yet. */
void brolga__drives_watch(struct brolga *rt);

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

/* The same, and says what it waits for: `on` is for `wait`. */
int brolga__park_on(const char *where, const struct brolga__wait *wait,
                    const void *on, uint64_t deadline_ns);

/**
 * Parks the calling task until brolga__unpark(), whatever its cancellation:
 * for what has been begun and must end first. May return for no reason.
 */
void brolga__await(const char *where);
void brolga__await_on(const char *where, const struct brolga__wait *wait,
                      const void *on);

/* For parks that end when a thread that is no task has done something. */
extern const struct brolga__wait brolga__wait_outside;
/* For parks that end with a task. */
extern const struct brolga__wait brolga__wait_task;

/* Keeps a parked task from running until brolga__unhold(), and lets the caller
 * read its frames and its record. False if it is not parked. One caller at a
 * time: who holds the reclaimer's lock. */
bool brolga__hold(brolga_task *task);
/* Whether nobody has unparked it since. */
bool brolga__is_held(brolga_task *task);
void brolga__unhold(brolga_task *task);
/* The same for a fiber on whose stack there is no code of units: it rests. */
void brolga__unhold_resting(brolga_task *task);

/**
 * The same for a fiber at a top safepoint that needs nothing on its stack: it
 * parks without one, and does not return but has its entry called anew. It
 * returns if there is nothing to wait for.
 */
void brolga__park_bare(const char *where, const struct brolga__wait *wait,
                       const void *on);

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
