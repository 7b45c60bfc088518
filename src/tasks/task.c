/*
 * Tasks: spawning, the end, joining, failing.
 *
 * The end and the handle meet in one word, `end`:
 *
 *   0         the task runs, and nobody waits
 *   a task    that task waits for the end
 *   AWAITED   a thread that is no task does, on `ended_word`
 *   DETACHED  nobody will ask
 *   ENDED     the result is there
 *
 * The run swaps ENDED in as the last thing that it does to the record, and
 * then wakes who was there. Of the run and the handle the later one lets the
 * record go: the joiner (or detacher) that finds ENDED, or the run that finds
 * DETACHED. They share one reference; a scope that awaits the task has another
 * one, and so has each list of failures that it is in.
 *
 *   W  Who finds ENDED sees the result, and all that the task did: the run's
 *      swap -> the acquire load or CAS in join and detach.
 *   V  All that was done to a record comes before its next use: sub_acq_rel of
 *      refs, or the acquire load that finds the last one.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"
#include "tasks/hard.h"
#include "vheap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- records ------------------------------------------------------------ */

static inline void reset(brolga_task *task,
                         const struct brolga_spawn_opts *opts)
{
    struct brolga *rt = task->rt;

    /* The permit is not touched: a late unpark may come at any time, and a
     * notification that is left over makes one park return early. */
    task->view.slots = NULL;
    task->view.seen = 0;
    task->view.round = brolga__stress_round(rt);
    task->version = NULL;
    task->under = NULL;
    brolga__store_relaxed(&task->kind,
                          opts->thread ? BROLGA__THREAD : BROLGA__FIBER);
    brolga__store_relaxed(&task->adopt_at_top, opts->adopt_at_top);
    task->holding = task->told = false;
    task->result = 0;
    task->io_error = 0;
    brolga__store_relaxed(&task->end, 0);
    brolga__store_relaxed(&task->refs, 1);
    brolga__store_relaxed(&task->ended_word, 0);
    brolga__store_relaxed(&task->in_version, BROLGA__NOT_STARTED);
    brolga__store_relaxed(&task->top, false);
    task->home = NULL;
    brolga__store_relaxed(&task->home_id, 0);
    brolga__store_relaxed(&task->stack_bytes,
                          (uint32_t)(opts->stack_bytes != 0
                                         ? opts->stack_bytes
                                         : rt->opts.stack_bytes));
    brolga__store_relaxed(&task->stack_used, 0);
    brolga__store_relaxed(&task->values.made_bytes, 0);
    brolga__store_relaxed(&task->values.freed_bytes, 0);
    task->values.heap = NULL;
}

/* Nobody uses its values any more; while its heap ends it has none. */
static void end_heap(brolga_task *task, bool failed)
{
    struct brolga__vheap *heap = task->values.heap;

    task->values.heap = NULL;
    if (heap != NULL)
        brolga__vheap_end(heap, failed);
}

/* For tasks that fail when there is no memory to say how. */
static const struct brolga__why unkept = {
    .message = "no memory for the message, which is on standard error"};

void brolga__task_forget_why(brolga_task *task)
{
    if (task->why != &unkept)
        brolga__free((void *)task->why);
    task->why = NULL;
}

/* Makes a record clean that has been through more than most. */
__attribute__((noinline)) static void clean(brolga_task *task)
{
    task->worn = task->cleaning = task->failed = false;
    task->spilled = NULL; /* Of a fiber; a thread sets its own. */
    brolga__store_relaxed(&task->canceled, BROLGA__NO_REASON);
    brolga__store_relaxed(&task->canceled_ns, 0);
    brolga__store_relaxed(&task->named_stuck, false);
    brolga__store_relaxed(&task->ends_by_ns, 0);
    task->failed_by = BROLGA_FAILURE_PANIC;
    brolga__task_forget_why(task);
}

static inline int create(struct brolga *rt, struct brolga__worker *worker,
                         const struct brolga_spawn_opts *opts,
                         brolga_task **out)
{
    static const struct brolga_spawn_opts defaults;
    int err;

    if (opts == NULL)
        opts = &defaults;
    if (opts->stack_bytes > BROLGA__STACK_SIZE_MAX)
        return BROLGA_ELIMIT;
    err = brolga__record_take(rt, worker, !opts->thread, out);
    if (err != BROLGA_OK)
        return err;
    reset(*out, opts);
    if (brolga__unlikely(opts->heap) &&
        brolga__vheap_create(&(*out)->values.heap) != BROLGA_OK) {
        brolga__task_uncreate(*out);
        return BROLGA_ENOMEM;
    }
    (*out)->number = brolga__next_id(rt, worker);
    return BROLGA_OK;
}

int brolga__task_create(struct brolga *rt, const struct brolga_spawn_opts *opts,
                        brolga_task **out)
{
    return create(rt, brolga__worker_self(rt), opts, out);
}

static inline void unref(brolga_task *task, struct brolga__worker *worker)
{
    if (brolga__load_acquire(&task->refs) != 1 && /* V: others have one */
        brolga__sub_acq_rel(&task->refs, 1) != 1) /* V */
        return;
    if (brolga__unlikely(task->worn || task->failed ||
                         brolga__load_relaxed(&task->canceled) !=
                             BROLGA__NO_REASON))
        clean(task);
    brolga__record_put(task, worker);
}

void brolga__task_unref(brolga_task *task)
{
    unref(task, brolga__worker_self(task->rt));
}

/* --- spawning ----------------------------------------------------------- */

/* Gives up what kept the code of a task's entry. */
static void let_go(brolga_task *task)
{
    brolga__unpin_code(brolga__load_relaxed(&task->pinned));
    brolga__store_relaxed(&task->pinned, NULL);
    if (task->slot != 0)
        brolga__slot_leave(task->rt->got, task->slot);
    task->slot = 0;
}

void brolga__task_uncreate(brolga_task *task)
{
    end_heap(task, true);
    brolga__record_ended(task->rt, brolga__worker_self(task->rt));
    brolga__task_unref(task);
}

/* Takes back a task that could not be started. */
static void unmake(brolga_task *task)
{
    let_go(task);
    if (task->home != NULL) {
        brolga__scope_leave(task, true);
        brolga__task_unref(task); /* The scope's. */
    }
    brolga__task_uncreate(task);
}

static int start_thread(brolga_task *task, bool past_gate)
{
    int err = brolga__thread_start(task, past_gate);

    if (err == BROLGA_OK)
        return BROLGA_OK;
    brolga__identify(task, 0, NULL);
    unmake(task);
    return err;
}

/* Whether the calling thread is a member that the reclaimer waits for: not in
 * foreign code. */
static bool is_online(struct brolga *rt)
{
    brolga_task *self = brolga__self();
    struct brolga__carrier *carrier;

    if (self != NULL)
        return self->rt == rt &&
               brolga__load_relaxed(&self->blocked) == BROLGA__NOT_BLOCKED;
    carrier = brolga__carrier_self(); /* It searches for tasks. */
    return carrier != NULL && carrier->rt == rt;
}

brolga_unit *brolga__pin_code(struct brolga *rt, void (*fn)(void))
{
    const void *address = brolga__function_address(fn);
    brolga_unit *unit = is_online(rt)
                            ? brolga__ranges_pin(rt->got, (uintptr_t)address)
                            : brolga_got_pin_address(rt->got, address);

    if (unit != NULL)
        brolga__unit_pin_is_for(unit, BROLGA__PIN_CALLBACK);
    return unit;
}

void brolga__unpin_code(brolga_unit *unit)
{
    if (unit != NULL)
        brolga__unit_unpin_for(unit, BROLGA__PIN_CALLBACK);
}

/* What may fail before the task is shown to anyone. */
static inline int admit(brolga_task *task, const struct brolga__start *how,
                        const struct brolga_spawn_opts *opts)
{
    int err = brolga__scope_enter(task, opts);

    if (err == BROLGA_OK && how->slot != 0)
        err = brolga__slot_enter(task->rt->got, how->slot);
    if (brolga__unlikely(err != BROLGA_OK))
        unmake(task);
    return err;
}

int brolga__spawn(brolga *rt, const struct brolga__start *how,
                  const struct brolga_spawn_opts *opts, brolga_task **out)
{
    struct brolga__worker *worker;
    brolga_task *task;
    int err;

    if (rt == NULL || (how->fn == NULL && how->slot == 0))
        return BROLGA_EINVAL;
    worker = brolga__worker_self(rt);
    err = create(rt, worker, opts, &task);
    if (err == BROLGA_OK)
        err = admit(task, how, opts);
    if (brolga__unlikely(err != BROLGA_OK))
        return err;
    task->entry = how->entry;
    task->fn = how->fn;
    task->slot = how->slot;
    task->arg = how->arg;
    task->at_end = how->at_end;
    task->at_end_arg = how->at_end_arg;
    if (how->fn != NULL)
        brolga__store_relaxed(&task->pinned,
                              brolga__pin_code(rt, (void (*)(void))how->fn));
    if (out == NULL) /* Then it may be gone at once. */
        brolga__store_relaxed(&task->end, BROLGA__END_DETACHED);
    brolga__note_since(task);
    if (brolga__unlikely(opts != NULL && opts->name != NULL))
        brolga__identify(task, task->number, opts->name);
    else
        brolga__show(task);
    if (brolga__likely(task->is_fiber))
        brolga__launch(task, worker);
    else
        err = start_thread(task, how->past_gate);
    if (err == BROLGA_OK && out != NULL)
        *out = task;
    return err;
}

void brolga__task_of_fork(brolga_task *task, const struct brolga_fork *fork)
{
    struct brolga_spawn_opts opts = {
        .scope = fork->home != NULL ? fork->home : &task->rt->root};
    int err = brolga__scope_enter(task, &opts);

    /* The forking task awaits it before it closes that scope. */
    brolga__assert(err == BROLGA_OK);
    (void)err;
    task->competes = false;
    task->entry = BROLGA__ENTRY_FORK;
    task->fn = fork->fn;
    task->arg = fork->arg;
    task->at_end = NULL;
    brolga__store_relaxed(&task->pinned,
                          brolga__pin_code(task->rt, (void (*)(void))fork->fn));
    brolga__note_since(task);
    brolga__show(task);
}

int brolga_spawn(brolga *rt, brolga_task_fn fn, void *arg,
                 const struct brolga_spawn_opts *opts, brolga_task **out)
{
    struct brolga__start how = {
        .entry = BROLGA__ENTRY_FUNCTION, .fn = fn, .arg = arg};

    return brolga__spawn(rt, &how, opts, out);
}

int brolga_spawn_slot(brolga *rt, brolga_slot slot, void *arg,
                      const struct brolga_spawn_opts *opts, brolga_task **out)
{
    struct brolga__start how = {
        .entry = BROLGA__ENTRY_SLOT, .slot = slot, .arg = arg};

    return brolga__spawn(rt, &how, opts, out);
}

int brolga_spawn_loop(brolga *rt, brolga_slot slot, void *arg,
                      const struct brolga_spawn_opts *opts, brolga_task **out)
{
    struct brolga__start how = {
        .entry = BROLGA__ENTRY_LOOP, .slot = slot, .arg = arg};

    return brolga__spawn(rt, &how, opts, out);
}

/* --- running ------------------------------------------------------------ */

static const void *resolve(brolga_slot slot)
{
    return brolga_view_self()->slots[slot];
}

/* Once the address is in this frame, the stack can show it. */
static brolga_word call_slot(brolga_task *task)
{
    union {
        const void *address;
        brolga_task_fn fn;
    } cast = {resolve(task->slot)};

    let_go(task);
    return cast.fn(task->arg);
}

static int call_step(brolga_slot slot, void *arg)
{
    union {
        const void *address;
        int (*fn)(void *arg);
    } cast = {resolve(slot)};

    return cast.fn(arg);
}

static brolga_word call_loop(brolga_task *task)
{
    int err;

    do {
        brolga__top_safepoint();
        err = brolga__interrupted(task);
        if (err != BROLGA_OK)
            return err;
        err = call_step(task->slot, task->arg);
    } while (err == BROLGA_OK);
    return err == BROLGA_DONE ? BROLGA_OK : err;
}

/* The pin bridged the time until the stack can show the function: from here
 * on the watermark is drawn, and `fn` is in this frame. */
static brolga_word call_function(brolga_task *task)
{
    brolga_unit *pinned = brolga__load_relaxed(&task->pinned);

    brolga__store_relaxed(&task->pinned, NULL);
    brolga__unpin_code(pinned);
    return task->fn(task->arg);
}

static brolga_word call_entry(brolga_task *task)
{
    switch (task->entry) {
    case BROLGA__ENTRY_SLOT:
        return call_slot(task);
    case BROLGA__ENTRY_LOOP:
        return call_loop(task);
    case BROLGA__ENTRY_FUNCTION:
    default:
        return call_function(task);
    }
}

brolga_word brolga__task_call(brolga_task *task)
{
    brolga_word result;

    if (!brolga__is_current(task)) /* See worker.c, prepare(). */
        brolga__top_safepoint();
    result = call_entry(task);
    brolga__task_finish(task);
    return result;
}

/* --- the end ------------------------------------------------------------ */

void brolga__task_say_failed(brolga_task *task)
{
    struct brolga_failure failure;

    brolga__task_describe_failure(task, &failure);
    fprintf(stderr, "brolga: task %llu '%s' failed: %s\n",
            (unsigned long long)failure.task, failure.name, failure.message);
}

/* Nobody will hear of a failure of this task. */
static bool is_unheard(brolga_task *task)
{
    return task->failed && task->home == NULL &&
           brolga__load_relaxed(&task->end) == BROLGA__END_DETACHED;
}

/* The last touch of the record, unless nobody will ask for the result. */
static void publish_end(brolga_task *task)
{
    bool said = is_unheard(task);
    uintptr_t was;

    if (said)
        brolga__task_say_failed(task);
    was = brolga__swap_acq_rel(&task->end, BROLGA__END_ENDED); /* W */
    switch (was) {
    case 0:
        break;
    case BROLGA__END_DETACHED:
        if (!said && task->failed && task->home == NULL)
            brolga__task_say_failed(task); /* Detached at this moment. */
        brolga__task_unref(task);
        break;
    case BROLGA__END_AWAITED:
        /* The waiting thread lets the record go, but memory stays. */
        brolga__store_release(&task->ended_word, 1); /* W */
        brolga__plat_wake(&task->ended_word, INT32_MAX);
        break;
    default:
        brolga__unpark((brolga_task *)was);
    }
}

/* What comes before anyone is told. */
static inline void wind_up(brolga_task *task, struct brolga__worker *worker)
{
    if (brolga__unlikely(task->at_end != NULL))
        task->at_end(task->at_end_arg);
    if (brolga__unlikely(task->values.heap != NULL))
        end_heap(task, task->failed);
    if (brolga__unlikely(task->kept != NULL)) {
        task->kept->end(task->kept);
        task->kept = NULL;
    }
    if (brolga__unlikely(brolga__load_relaxed(&task->pinned) != NULL ||
                         task->slot != 0))
        let_go(task); /* It never started, or was a runner. */
    if (brolga__unlikely(task->failed))
        (void)brolga__add_relaxed(&task->rt->failed, 1);
    if (brolga__unlikely(task->holding)) {
        task->holding = false;
        brolga__version_unhold(task->version);
    }
    /* N: the last use of any code comes before. */
    brolga__store_release(&task->watermark, BROLGA__NOT_STARTED);
    brolga__store_relaxed(&task->id, 0); /* Shown no more. */
    /* Before the joiner is told: it may destroy the runtime next, which then
     * waits for the threads but not for tasks. */
    brolga__record_ended(task->rt, worker);
}

static void leave_scope(brolga_task *task)
{
    brolga__scope_leave(task, false);
    brolga__task_unref(task); /* The scope's. */
}

void brolga__task_end(brolga_task *task)
{
    bool in_scope = task->home != NULL;

    wind_up(task, brolga__worker_self(task->rt));
    publish_end(task);
    if (brolga__hard(8))
        brolga__hard_pause();
    if (in_scope)
        leave_scope(task);
}

void brolga__child_end(brolga_task *task, struct brolga__worker *worker)
{
    bool in_scope = task->home != NULL;

    wind_up(task, worker);
    /* Whoever looks at it does so next on this thread. */
    brolga__store_relaxed(&task->end, BROLGA__END_ENDED);
    if (brolga__unlikely(in_scope))
        leave_scope(task);
}

static void say(brolga_task *task, const char *what,
                const struct brolga__why *why)
{
    uint64_t id;
    char name[32];

    (void)brolga__identity(task, &id, name);
    fprintf(stderr, "brolga: task %llu '%s' %s: %s\n",
            (unsigned long long)task->number, name, what, why->message);
}

void brolga__task_fail(brolga_task *task, enum brolga_failure_kind kind,
                       const struct brolga__why *why)
{
    struct brolga__why *kept = brolga__alloc(sizeof *kept);

    task->failed = true;
    task->failed_by = (uint8_t)kind;
    if (kept == NULL) {
        say(task, "failed", why);
        task->why = &unkept;
        return;
    }
    *kept = *why;
    task->why = kept;
}

/* Of more than one the first counts; a later one comes from a handler. */
static void panic(brolga_task *task, const struct brolga__why *why)
{
    if (task->failed)
        say(task, "failed again", why);
    else
        brolga__task_fail(task, BROLGA_FAILURE_PANIC, why);
}

/* A fiber's stack is simply left; a thread goes back to where it was called. */
void brolga__task_leave(brolga_task *task)
{
    if (brolga__unlikely(task->left != NULL))
        brolga__second_stack_leave(task);
    if (task->kind == BROLGA__THREAD)
        longjmp(*task->thread_exit, 1);
    brolga__fiber_end(task);
}

/* Handlers run here, above the frames that panicked, which they may still
 * refer to. */
void brolga_panic(const char *format, ...)
{
    brolga_task *task = brolga__self();
    struct brolga__why why = {.trapped_at = 0};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why.message, sizeof why.message, format, args);
    va_end(args);
    if (task == NULL || task->kind == BROLGA__ATTACHED) {
        fprintf(stderr, "brolga: panic outside a task: %s\n", why.message);
        abort();
    }
    /* What comes next needs the task's worker. */
    if (brolga__load_relaxed(&task->blocked) != BROLGA__NOT_BLOCKED)
        brolga_block_end();
    panic(task, &why);
    brolga__task_finish(task);
    brolga__task_leave(task);
}

/* --- joining ------------------------------------------------------------ */

static bool has_ended(brolga_task *task)
{
    return brolga__load_acquire(&task->end) == BROLGA__END_ENDED; /* W */
}

/* Says who waits; false if the task has ended. */
static bool await(brolga_task *task, uintptr_t who)
{
    uintptr_t nobody = 0;

    return brolga__cas_acq_rel(&task->end, &nobody, who); /* W */
}

/* Nobody waits any more; false if the task has ended. */
static bool give_up(brolga_task *task, uintptr_t who)
{
    return brolga__cas_acq_rel(&task->end, &who, 0); /* W */
}

/* Waits as a plain thread: the memory of tasks stays. */
static int sleep_until_ended(brolga_task *task, uint64_t deadline_ns)
{
    if (!await(task, BROLGA__END_AWAITED))
        return BROLGA_OK;
    brolga__deadlock_thread_parked(task->rt);
    while (brolga__load_acquire(&task->ended_word) == 0) /* W */
        if (!brolga__plat_wait(&task->ended_word, 0, deadline_ns) &&
            give_up(task, BROLGA__END_AWAITED))
            return BROLGA_ETIMEOUT;
    return BROLGA_OK;
}

static int join_thread(brolga_task *task, uint64_t deadline_ns)
{
    struct brolga *rt = task->rt;
    enum brolga__awaited how = brolga__deadlock_join_begin(rt, deadline_ns);
    int err;

    brolga__store_relaxed(&task->awaited, how); /* Published by W. */
    err = sleep_until_ended(task, deadline_ns);
    brolga__deadlock_join_end(rt, how);
    return err;
}

/* Whether a task may run the one that it waits for, if nobody has begun it:
 * that takes no queue, no wake, and mostly no park. Not if its wait ends with
 * its time to clean up, for which a timer is needed; nor on a host's thread,
 * which is to have it back between two tasks. */
static bool may_run(brolga_task *self, brolga_task *task)
{
    return self->is_fiber && self->rt == task->rt && !self->cleaning &&
           !brolga__load_relaxed(&self->carrier)->driven &&
           brolga__interrupted(self) == BROLGA_OK;
}

static int join_task(brolga_task *task, brolga_task *self, uint64_t deadline_ns)
{
    int err = BROLGA_OK;

    if (deadline_ns == BROLGA_FOREVER && may_run(self, task) &&
        !brolga__hard(8) && brolga__claim(task)) {
        brolga__run_child(self, task);
        if (has_ended(task))
            return BROLGA_OK;
        /* We were parted, and it knows that we wait. */
    } else if (!await(task, (uintptr_t)self)) {
        return BROLGA_OK;
    }
    while (!has_ended(task) && err == BROLGA_OK)
        err = brolga__park_on("join", &brolga__wait_task, task, deadline_ns);
    if (err != BROLGA_OK && give_up(task, (uintptr_t)self))
        return err;
    return BROLGA_OK;
}

void brolga__task_describe_failure(brolga_task *task,
                                   struct brolga_failure *failure)
{
    const struct brolga__why *why = task->why;
    uint64_t id;

    *failure = (struct brolga_failure){
        .task = task->number,
        .kind = (enum brolga_failure_kind)task->failed_by,
        .address = why->trapped_at};
    (void)brolga__identity(task, &id, failure->name);
    memcpy(failure->message, why->message, sizeof failure->message);
    memcpy(failure->function, why->message + why->function_at,
           why->function_bytes);
}

/* Takes the result of a task that has ended, and lets go of it. */
static int take_result(brolga_task *task, brolga_word *result,
                       struct brolga_failure *failure)
{
    int err = BROLGA_OK;

    if (brolga__unlikely(task->failed)) {
        err = BROLGA_EFAILED;
        if (failure != NULL)
            brolga__task_describe_failure(task, failure);
    } else if (result != NULL) {
        *result = task->result;
    }
    brolga__task_unref(task);
    return err;
}

int brolga_join(brolga_task *task, uint64_t deadline_ns, brolga_word *result,
                struct brolga_failure *failure)
{
    brolga_task *self = brolga__self();
    int err = BROLGA_OK;

    if (!has_ended(task))
        err = self == NULL ? join_thread(task, deadline_ns)
                           : join_task(task, self, deadline_ns);
    if (err != BROLGA_OK)
        return err;
    err = take_result(task, result, failure);
    if (self != NULL)
        brolga_safepoint();
    return err;
}

int brolga__join_resting(brolga_task *task, uint64_t deadline_ns,
                         struct brolga_failure *failure)
{
    int err = has_ended(task) ? BROLGA_OK : join_thread(task, deadline_ns);

    return err == BROLGA_OK ? take_result(task, NULL, failure) : err;
}

int brolga__join_through(brolga_task *task, brolga_word *result,
                         struct brolga_failure *failure)
{
    if (await(task, (uintptr_t)brolga__self()))
        while (!has_ended(task))
            brolga__await_on("fork", &brolga__wait_task, task);
    return take_result(task, result, failure);
}

void brolga_detach(brolga_task *task)
{
    uintptr_t nobody = 0;

    if (brolga__cas_acq_rel(&task->end, &nobody, BROLGA__END_DETACHED)) /* W */
        return;
    if (task->failed && task->home == NULL)
        brolga__task_say_failed(task);
    brolga__task_unref(task);
}

/* --- small things ------------------------------------------------------- */

uint64_t brolga_task_id(const brolga_task *task)
{
    return task == NULL ? 0 : task->number;
}

brolga_task *brolga_self(void)
{
    return (brolga_task *)(void *)brolga_view_self();
}

brolga *brolga_runtime(void)
{
    brolga_task *task = brolga__self();

    return task == NULL ? NULL : task->rt;
}
