/*
 * Tasks: records, spawning, the end, joining, failing.
 *
 * Records are recycled but never returned while the runtime lives: a late
 * brolga__unpark() of a task that has ended touches memory that is still a
 * task's (see tasks.h). Records of threads and of fibers are kept apart: who
 * has unparked a thread must still know that it was one, though the thread may
 * have gone and its record have a new task.
 *
 * A record has two references: the run's, dropped at the end, and the
 * handle's, dropped by join or detach.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_TASKS 32

/* --- records ------------------------------------------------------------ */

/* The first record of each block links the blocks. */
static int block_add(struct brolga *rt, bool is_fiber)
{
    brolga_task *block = brolga__alloc_line(BLOCK_TASKS * sizeof *block);

    if (block == NULL)
        return BROLGA_ENOMEM;
    for (unsigned i = 0; i < BLOCK_TASKS; i++) {
        (void)pthread_mutex_init(&block[i].end_lock, NULL);
        (void)pthread_mutex_init(&block[i].holds_lock, NULL);
        block[i].rt = rt;
        block[i].is_fiber = is_fiber;
    }
    block[0].next = rt->all_tasks;
    rt->all_tasks = block;
    for (unsigned i = 1; i < BLOCK_TASKS; i++) {
        block[i].next = rt->free_tasks[is_fiber];
        rt->free_tasks[is_fiber] = &block[i];
    }
    return BROLGA_OK;
}

void brolga__tasks_fini(struct brolga *rt)
{
    while (rt->all_tasks != NULL) {
        brolga_task *block = rt->all_tasks;

        rt->all_tasks = block[0].next;
        for (unsigned i = 0; i < BLOCK_TASKS; i++) {
            (void)pthread_mutex_destroy(&block[i].end_lock);
            (void)pthread_mutex_destroy(&block[i].holds_lock);
        }
        brolga__free(block);
    }
}

static brolga_task *take_record(struct brolga *rt, bool is_fiber)
{
    brolga_task *task = NULL;

    (void)pthread_mutex_lock(&rt->free_lock);
    if (rt->free_tasks[is_fiber] != NULL ||
        block_add(rt, is_fiber) == BROLGA_OK) {
        task = rt->free_tasks[is_fiber];
        rt->free_tasks[is_fiber] = task->next;
    }
    (void)pthread_mutex_unlock(&rt->free_lock);
    return task;
}

static void reset_scopes(brolga_task *task)
{
    brolga__store_relaxed(&task->canceled, BROLGA__NO_REASON);
    brolga__store_relaxed(&task->canceled_ns, 0);
    brolga__store_relaxed(&task->named_stuck, false);
    task->home = NULL;
    task->home_id = 0;
    task->scope = task->outermost = NULL;
    task->defers = NULL;
    brolga__store_relaxed(&task->awaits, false);
    brolga__store_relaxed(&task->ends_by_ns, 0);
    task->told = task->cleaning = false;
    brolga__list_init(&task->in_scope);
    brolga__list_init(&task->heard);
    task->heard_of = 0;
}

static void reset(brolga_task *task, const struct brolga_spawn_opts *opts)
{
    struct brolga *rt = task->rt;

    /* The permit is not touched: a late unpark may come at any time, and a
     * notification that is left over makes one park return early. */
    task->view.slots = NULL;
    task->view.seen = 0;
    task->view.round = (const uint64_t *)(const void *)&rt->epoch->round;
    task->version = NULL;
    task->next = NULL;
    task->holding = false;
    task->adopt_at_top = opts->adopt_at_top;
    task->kind = opts->thread ? BROLGA__THREAD : BROLGA__FIBER;
    task->stack_bytes =
        opts->stack_bytes != 0 ? opts->stack_bytes : rt->opts.stack_bytes;
    task->pinned = NULL;
    task->slot = 0;
    reset_scopes(task);
    brolga__store_relaxed(&task->watermark, BROLGA__NOT_STARTED);
    brolga__store_relaxed(&task->in_version, BROLGA__NOT_STARTED);
    brolga__store_relaxed(&task->stack_used, 0);
    brolga__store_relaxed(&task->top, false);
    task->holds.set = 0;
    task->ended = task->failed = task->detached = false;
    task->result = 0;
    task->message[0] = '\0';
    task->failed_by = BROLGA_FAILURE_PANIC;
    task->trapped_at = 0;
    task->function_bytes = 0;
    task->joiner = NULL;
    task->at_end = NULL;
    task->io_error = 0;
    brolga__store_relaxed(&task->ended_word, BROLGA__RUNS);
    brolga__store_relaxed(&task->refs, 2);
    task->id = brolga__add_relaxed(&rt->next_id, 1) + 1;
    task->name[0] = '\0';
    if (opts->name != NULL)
        (void)snprintf(task->name, sizeof task->name, "%s", opts->name);
}

int brolga__task_create(struct brolga *rt, const struct brolga_spawn_opts *opts,
                        brolga_task **out)
{
    static const struct brolga_spawn_opts defaults;
    brolga_task *task;

    if (opts != NULL && opts->stack_bytes > BROLGA__STACK_SIZE_MAX)
        return BROLGA_ELIMIT;
    if (brolga__add_relaxed(&rt->tasks_live, 1) >= rt->opts.tasks_max) {
        (void)brolga__add_relaxed(&rt->tasks_live, (uint32_t)-1);
        return BROLGA_ELIMIT;
    }
    if (opts == NULL)
        opts = &defaults;
    task = take_record(rt, !opts->thread);
    if (task == NULL) {
        (void)brolga__add_relaxed(&rt->tasks_live, (uint32_t)-1);
        return BROLGA_ENOMEM;
    }
    reset(task, opts);
    *out = task;
    return BROLGA_OK;
}

void brolga__task_unref(brolga_task *task)
{
    struct brolga *rt = task->rt;

    /* V: all that was done to the record comes before its next use. */
    if (brolga__sub_acq_rel(&task->refs, 1) > 1)
        return;
    (void)pthread_mutex_lock(&rt->free_lock);
    task->next = rt->free_tasks[task->is_fiber];
    rt->free_tasks[task->is_fiber] = task;
    (void)pthread_mutex_unlock(&rt->free_lock);
}

/* --- spawning ----------------------------------------------------------- */

/* Gives up what kept the code of a task's entry. */
static void let_go(brolga_task *task)
{
    if (task->pinned != NULL)
        brolga_unit_unpin(task->pinned);
    task->pinned = NULL;
    if (task->slot != 0)
        brolga__slot_leave(task->rt->got, task->slot);
    task->slot = 0;
}

/* Takes back a task that could not be started. */
static void unmake(brolga_task *task)
{
    let_go(task);
    brolga__scope_leave(task, true);
    (void)brolga__sub_release(&task->rt->tasks_live, 1);
    brolga__store_relaxed(&task->refs, 1);
    brolga__task_unref(task);
}

static int start(brolga_task *task, brolga_task **out)
{
    int err;

    task->detached = out == NULL;
    brolga__note_since(task);
    brolga__register(task);
    if (task->kind == BROLGA__THREAD) {
        err = brolga__thread_start(task);
        if (err != BROLGA_OK) {
            brolga__unregister(task);
            unmake(task);
            return err;
        }
    }
    if (task->kind == BROLGA__FIBER)
        brolga__schedule(task);
    /* The task may have ended; the handle's reference is still ours. */
    if (out != NULL)
        *out = task;
    else
        brolga__task_unref(task);
    return BROLGA_OK;
}

static const void *function_address(brolga_task_fn fn)
{
    union {
        brolga_task_fn fn;
        const void *address;
    } cast = {fn};

    return cast.address;
}

int brolga__spawn(brolga *rt, const struct brolga__start *how,
                  const struct brolga_spawn_opts *opts, brolga_task **out)
{
    brolga_task *task;
    int err;

    if (rt == NULL || (how->fn == NULL && how->slot == 0))
        return BROLGA_EINVAL;
    err = brolga__task_create(rt, opts, &task);
    if (err != BROLGA_OK)
        return err;
    err = brolga__scope_enter(task, opts);
    if (err == BROLGA_OK && how->slot != 0)
        err = brolga__slot_enter(rt->got, how->slot);
    if (err != BROLGA_OK) {
        unmake(task);
        return err;
    }
    task->entry = how->entry;
    task->fn = how->fn;
    task->slot = how->slot;
    task->arg = how->arg;
    task->at_end = how->at_end;
    task->at_end_arg = how->at_end_arg;
    if (how->fn != NULL)
        task->pinned =
            brolga_got_pin_address(rt->got, function_address(how->fn));
    return start(task, out);
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
    brolga_unit *pinned = task->pinned;

    task->pinned = NULL;
    if (pinned != NULL)
        brolga_unit_unpin(pinned);
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

    brolga__top_safepoint();
    result = call_entry(task);
    brolga__task_finish(task);
    return result;
}

/* --- the end ------------------------------------------------------------ */

void brolga__task_say_failed(const brolga_task *task)
{
    fprintf(stderr, "brolga: task %llu '%s' failed: %s\n",
            (unsigned long long)task->id, task->name, task->message);
}

void brolga__task_end(brolga_task *task)
{
    brolga_task *joiner;
    bool unheard;

    if (task->at_end != NULL)
        task->at_end(task->at_end_arg);
    let_go(task); /* If it never started, or was a runner. */
    if (task->holding) {
        task->holding = false;
        brolga__version_unhold(task->version);
    }
    /* Before the joiner is told: it may destroy the runtime next, which then
     * waits for the threads but not for tasks. */
    (void)brolga__sub_release(&task->rt->tasks_live, 1); /* X: destroy */
    (void)pthread_mutex_lock(&task->end_lock);
    task->ended = true;
    joiner = task->joiner;
    unheard = task->failed && task->detached && task->home == NULL;
    (void)pthread_mutex_unlock(&task->end_lock);
    if (unheard)
        brolga__task_say_failed(task);
    /* W: load in join_thread. The system is asked only if a thread waits. */
    if (brolga__swap_acq_rel(&task->ended_word, BROLGA__ENDED) ==
        BROLGA__AWAITED)
        brolga__plat_wake(&task->ended_word, INT32_MAX);
    if (joiner != NULL)
        brolga__unpark(joiner);
    brolga__scope_leave(task, false);
    brolga__task_unref(task);
}

/* Of more than one the first counts; a later one comes from a handler. */
static void fail(brolga_task *task, const char *message)
{
    if (task->failed) {
        fprintf(stderr, "brolga: task %llu '%s' failed again: %s\n",
                (unsigned long long)task->id, task->name, message);
        return;
    }
    task->failed = true;
    memcpy(task->message, message, sizeof task->message);
}

/* A fiber's stack is simply left; a thread goes back to where it was called. */
void brolga__task_leave(brolga_task *task)
{
    if (brolga__unlikely(task->first.high != 0))
        brolga__second_stack_leave(task);
    if (task->kind == BROLGA__THREAD)
        longjmp(*task->thread_exit, 1);
    brolga__switch_out(BROLGA__REQUEST_END);
    abort(); /* Nobody switches back. */
}

/* Handlers run here, above the frames that panicked, which they may still
 * refer to. */
void brolga_panic(const char *format, ...)
{
    brolga_task *task = brolga_self();
    char message[sizeof task->message];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (task == NULL || task->kind == BROLGA__ATTACHED) {
        fprintf(stderr, "brolga: panic outside a task: %s\n", message);
        abort();
    }
    fail(task, message);
    brolga__task_finish(task);
    brolga__task_leave(task);
}

/* --- joining ------------------------------------------------------------ */

/* Waits as a plain thread: the memory of tasks stays. */
static int join_thread(brolga_task *task, uint64_t deadline_ns)
{
    uint32_t word = BROLGA__RUNS;

    (void)brolga__cas_acq_rel(&task->ended_word, &word, BROLGA__AWAITED);
    while (brolga__load_acquire(&task->ended_word) != BROLGA__ENDED) /* W */
        if (!brolga__plat_wait(&task->ended_word, BROLGA__AWAITED, deadline_ns))
            return BROLGA_ETIMEOUT;
    return BROLGA_OK;
}

static bool ended_or_joined(brolga_task *task, brolga_task *joiner)
{
    bool ended;

    (void)pthread_mutex_lock(&task->end_lock);
    ended = task->ended;
    task->joiner = ended ? NULL : joiner;
    (void)pthread_mutex_unlock(&task->end_lock);
    return ended;
}

static int join_task(brolga_task *task, brolga_task *self, uint64_t deadline_ns)
{
    int err = BROLGA_OK;

    while (!ended_or_joined(task, self)) {
        if (err != BROLGA_OK)
            break;
        err = brolga__park("join", deadline_ns);
    }
    return ended_or_joined(task, NULL) ? BROLGA_OK : err;
}

void brolga__task_describe_failure(const brolga_task *task,
                                   struct brolga_failure *failure)
{
    *failure = (struct brolga_failure){
        .task = task->id, .kind = task->failed_by, .address = task->trapped_at};
    memcpy(failure->name, task->name, sizeof failure->name);
    memcpy(failure->message, task->message, sizeof failure->message);
    memcpy(failure->function, task->message + task->function_at,
           task->function_bytes);
}

int brolga_join(brolga_task *task, uint64_t deadline_ns, brolga_word *result,
                struct brolga_failure *failure)
{
    brolga_task *self = brolga_self();
    int err = self == NULL ? join_thread(task, deadline_ns)
                           : join_task(task, self, deadline_ns);

    if (err != BROLGA_OK)
        return err;
    if (task->failed) {
        err = BROLGA_EFAILED;
        if (failure != NULL)
            brolga__task_describe_failure(task, failure);
    } else if (result != NULL) {
        *result = task->result;
    }
    brolga__task_unref(task);
    if (self != NULL)
        brolga_safepoint();
    return err;
}

void brolga_detach(brolga_task *task)
{
    bool unheard;

    (void)pthread_mutex_lock(&task->end_lock);
    task->detached = true;
    unheard = task->ended && task->failed && task->home_id == 0;
    (void)pthread_mutex_unlock(&task->end_lock);
    if (unheard)
        brolga__task_say_failed(task);
    brolga__task_unref(task);
}

/* --- small things ------------------------------------------------------- */

uint64_t brolga_task_id(const brolga_task *task)
{
    return task == NULL ? 0 : task->id;
}

brolga_task *brolga_self(void)
{
    return (brolga_task *)(void *)brolga_view_self();
}

brolga *brolga_runtime(void)
{
    brolga_task *task = brolga_self();

    return task == NULL ? NULL : task->rt;
}
