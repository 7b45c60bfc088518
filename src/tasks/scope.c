/*
 * Scopes: who awaits whom, and how cancellation finds everyone.
 *
 * The tree: a scope has tasks (`home`); a task has a chain of open scopes, from
 * `outermost` along `inner` to `scope`. The root scope has no list and no lock:
 * nobody joins it or cancels it.
 *
 * Canceling sets a reason in a scope and then goes to everything below it. It
 * never misses anything, because whatever is put into the tree looks at the
 * reason above it in the critical section in which it is put in, and canceling
 * sets the reason before or in the critical section in which it looks there:
 *
 *   into a scope      its lock         guards tasks, inner, reason, live
 *   a task's first    its scopes_lock  guards outermost; `canceled` is set
 *                                      before it is taken
 *
 * So the later one of the two sees the earlier one. A reason that is there
 * stays, so a subtree that has one need not be entered. tests/model/scope.pml
 * checks this, and that a join returns after the last end, and once.
 *
 * No recursion: scopes yet to be visited are in a list (`todo`), each with a
 * reference, under the runtime's cancel_lock.
 *
 * A task leaves its scope as the last thing that it does; what its end means
 * for the others is done before, while the scope must still await it.
 *
 * Locks, from the outside in: timers.lock, cancel_lock, a scope's lock, a
 * task's scopes_lock, the scheduler's. All of them are held without parking.
 *
 *   AY  Who frees a scope comes after all others who used it: sub_acq_rel of
 *       refs.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"

#include <stdio.h>
#include <string.h>

#define FAILURES_KEPT 64

void brolga__scopes_init(struct brolga *rt)
{
    (void)pthread_mutex_init(&rt->cancel_lock, NULL);
    rt->root.rt = rt;
    rt->root.policy = BROLGA_SCOPE_COLLECT;
    rt->root.deadline_ns = BROLGA_FOREVER;
}

void brolga__scopes_fini(struct brolga *rt)
{
    (void)pthread_mutex_destroy(&rt->cancel_lock);
}

static void retain(brolga_scope *scope)
{
    (void)brolga__add_relaxed(&scope->refs, 1);
}

static void release(brolga_scope *scope)
{
    if (brolga__sub_acq_rel(&scope->refs, 1) == 1) /* AY */
        brolga__free(scope);
}

int brolga__reason_code(uint32_t reason)
{
    static const int codes[BROLGA__REASONS] = {
        [BROLGA__NO_REASON] = BROLGA_OK,
        [BROLGA__CANCELED] = BROLGA_ECANCELED,
        [BROLGA__DEADLINE] = BROLGA_ETIMEOUT,
        [BROLGA__DEADLOCK] = BROLGA_EDEADLOCK};

    return codes[reason];
}

/* --- canceling ---------------------------------------------------------- */

/* Tells one task; returns its outermost scope, with a reference, if what is
 * below is to be told too. */
static brolga_scope *tell_task(brolga_task *task, uint32_t reason,
                               uint64_t now_ns)
{
    uint32_t none = BROLGA__NO_REASON;
    brolga_scope *below;

    /* Relaxed: scopes_lock, and the permit (L), publish it. */
    if (!brolga__cas_relaxed(&task->canceled, &none, reason))
        return NULL;
    brolga__store_relaxed(&task->canceled_ns, now_ns);
    brolga__lock_take(&task->scopes_lock);
    below = task->cleaning ? NULL : task->outermost;
    if (below != NULL)
        retain(below);
    brolga__lock_leave(&task->scopes_lock);
    brolga__unpark(task);
    return below;
}

static brolga_scope *push(brolga_scope *todo, brolga_scope *scope)
{
    if (scope == NULL)
        return todo;
    scope->todo = todo;
    return scope;
}

/* Tells a scope and its tasks; returns the list with what is below. */
static brolga_scope *tell_scope(brolga_scope *scope, uint32_t reason,
                                uint64_t now_ns, brolga_scope *todo)
{
    brolga__lock_take(&scope->lock);
    if (brolga__load_relaxed(&scope->reason) != BROLGA__NO_REASON) {
        brolga__lock_leave(&scope->lock);
        return todo;
    }
    brolga__store_relaxed(&scope->reason, reason);
    brolga__list_each (node, &scope->tasks) {
        brolga_task *task = brolga__container_of(node, brolga_task, in_scope);

        todo = push(todo, tell_task(task, reason, now_ns));
    }
    if (scope->inner != NULL) {
        retain(scope->inner);
        todo = push(todo, scope->inner);
    }
    brolga__lock_leave(&scope->lock);
    brolga__unpark(scope->owner); /* Its calls fail too. */
    return todo;
}

/* Takes over a reference to the scope. */
static void cancel_from(brolga_scope *scope, uint32_t reason, uint64_t now_ns)
{
    struct brolga *rt = scope->rt;
    brolga_scope *todo;

    (void)pthread_mutex_lock(&rt->cancel_lock);
    todo = push(NULL, scope);
    /* Ends: each scope below is pushed by the one that sets its reason, and
     * nothing is put below a scope with a reason that has none. */
    while (todo != NULL) {
        scope = todo;
        todo = tell_scope(scope, reason, now_ns, scope->todo);
        release(scope);
    }
    (void)pthread_mutex_unlock(&rt->cancel_lock);
    brolga__watch_canceled(rt, now_ns);
}

void brolga__cancel_scope(brolga_scope *scope, enum brolga__reason reason)
{
    retain(scope);
    cancel_from(scope, reason, brolga__plat_now_ns());
}

void brolga_scope_cancel(brolga_scope *scope)
{
    brolga__assert(scope->owner != NULL); /* Not the root. */
    brolga__cancel_scope(scope, BROLGA__CANCELED);
}

void brolga__cancel_task(brolga_task *task, enum brolga__reason reason)
{
    uint64_t now_ns = brolga__plat_now_ns();
    brolga_scope *below = tell_task(task, reason, now_ns);

    if (below != NULL)
        cancel_from(below, reason, now_ns);
    else
        brolga__watch_canceled(task->rt, now_ns);
}

void brolga_cancel(brolga_task *task)
{
    brolga__cancel_task(task, BROLGA__CANCELED);
}

/* On the timers' thread, under their lock. */
static void deadline_passed(struct brolga__timer *timer)
{
    brolga__cancel_scope(brolga__container_of(timer, brolga_scope, timer),
                         BROLGA__DEADLINE);
}

/* --- what a task is told ------------------------------------------------ */

/* Of the scopes around the task the innermost knows what all know. */
static int scope_says(brolga_scope *scope)
{
    uint32_t reason = brolga__load_relaxed(&scope->reason);

    if (brolga__unlikely(reason != BROLGA__NO_REASON))
        scope->told = true;
    return brolga__reason_code(reason);
}

/* While it cleans up, what came before no longer counts. */
static int interrupted_cleaning(brolga_task *task)
{
    int code = BROLGA_OK;

    if (task->scope != NULL)
        code = scope_says(task->scope);
    if (code == BROLGA_OK &&
        brolga__plat_now_ns() >= brolga__load_relaxed(&task->ends_by_ns))
        code = BROLGA_ETIMEOUT;
    return code;
}

int brolga__interrupted(brolga_task *task)
{
    uint32_t reason;

    if (brolga__unlikely(task->cleaning))
        return interrupted_cleaning(task);
    reason = brolga__load_relaxed(&task->canceled);
    if (brolga__unlikely(reason != BROLGA__NO_REASON)) {
        task->told = true;
        return brolga__reason_code(reason);
    }
    return task->scope == NULL ? BROLGA_OK : scope_says(task->scope);
}

int brolga_cancel_reason(void)
{
    brolga_task *task = brolga__self();

    return task == NULL ? BROLGA_OK : brolga__interrupted(task);
}

bool brolga_canceled(void)
{
    return brolga_cancel_reason() != BROLGA_OK;
}

static uint64_t deadline_of(const brolga_task *task)
{
    uint64_t deadline_ns = BROLGA_FOREVER;

    if (task->scope != NULL)
        deadline_ns = task->scope->deadline_ns;
    else if (task->home != NULL && !task->cleaning)
        deadline_ns = task->home->deadline_ns;
    if (task->cleaning)
        deadline_ns = brolga__earlier(deadline_ns,
                                      brolga__load_relaxed(&task->ends_by_ns));
    return deadline_ns;
}

uint64_t brolga_deadline_ns(void)
{
    brolga_task *task = brolga__self();

    return task == NULL ? BROLGA_FOREVER : deadline_of(task);
}

/* --- opening ------------------------------------------------------------ */

/* Puts a scope below the task's innermost one, or below the task, and takes
 * over the reason that is there. With a deadline of its own it may be too late
 * already; one that it has from above is told of from there, when all in
 * between are told. */
static void link_scope(brolga_task *task, brolga_scope *scope, bool own)
{
    brolga_scope *outer = scope->outer;
    struct brolga__lock *lock =
        outer != NULL ? &outer->lock : &task->scopes_lock;
    uint32_t reason = BROLGA__NO_REASON;

    brolga__lock_take(lock);
    if (outer != NULL) {
        outer->inner = scope;
        reason = brolga__load_relaxed(&outer->reason);
    } else {
        task->outermost = scope;
        if (!task->cleaning)
            reason = brolga__load_relaxed(&task->canceled);
    }
    /* Before anyone else can reach it: we hold the only way to it. */
    if (reason == BROLGA__NO_REASON && own &&
        scope->deadline_ns <= brolga__plat_now_ns())
        reason = BROLGA__DEADLINE;
    brolga__store_relaxed(&scope->reason, reason);
    brolga__lock_leave(lock);
    task->scope = scope;
}

static void unlink_scope(brolga_task *task, brolga_scope *scope)
{
    brolga_scope *outer = scope->outer;
    struct brolga__lock *lock =
        outer != NULL ? &outer->lock : &task->scopes_lock;

    brolga__lock_take(lock);
    if (outer != NULL)
        outer->inner = NULL;
    else
        task->outermost = NULL;
    brolga__lock_leave(lock);
    task->scope = outer;
}

static void init(brolga_scope *scope, brolga_task *task,
                 const struct brolga_scope_opts *opts)
{
    scope->rt = task->rt;
    scope->id = brolga__add_relaxed(&task->rt->next_scope, 1) + 1;
    scope->owner = task;
    scope->outer = task->scope;
    scope->forks = task->forks;
    scope->policy = opts->policy;
    scope->failures_max =
        opts->failures_max != 0 ? opts->failures_max : FAILURES_KEPT;
    scope->timer.fire = deadline_passed;
    brolga__store_relaxed(&scope->refs, 1);
    brolga__list_init(&scope->tasks);
    brolga__list_init(&scope->failures);
    scope->report.scope = scope->id;
}

/* Whether the deadline is not that of a scope above, which will tell us. What
 * is left for cleaning up has no timer, so that a scope in it needs one. */
static bool set_deadline(brolga_task *task, brolga_scope *scope,
                         uint64_t own_ns)
{
    scope->deadline_ns = deadline_of(task);
    if (own_ns != 0 && own_ns < scope->deadline_ns) {
        scope->deadline_ns = own_ns;
        return true;
    }
    return task->cleaning && scope->outer == NULL;
}

static int arm(brolga_scope *scope)
{
    int err;

    if (scope->deadline_ns == BROLGA_FOREVER ||
        brolga__load_relaxed(&scope->reason) != BROLGA__NO_REASON)
        return BROLGA_OK;
    err = brolga__timer_arm(&scope->rt->timers, &scope->timer,
                            scope->deadline_ns);
    scope->timed = err == BROLGA_OK;
    return err;
}

int brolga_scope_open(const struct brolga_scope_opts *opts, brolga_scope **out)
{
    static const struct brolga_scope_opts defaults;
    brolga_task *task = brolga__self();
    brolga_scope *scope;
    bool own;
    int err;

    if (task == NULL)
        return BROLGA_ESTATE;
    if (opts == NULL)
        opts = &defaults;
    if ((unsigned)opts->policy > BROLGA_SCOPE_COLLECT)
        return BROLGA_EINVAL;
    scope = brolga__alloc_zero(sizeof *scope);
    if (scope == NULL)
        return BROLGA_ENOMEM;
    init(scope, task, opts);
    own = set_deadline(task, scope, opts->deadline_ns);
    link_scope(task, scope, own);
    err = own ? arm(scope) : BROLGA_OK;
    if (err != BROLGA_OK) {
        unlink_scope(task, scope);
        release(scope);
        return err;
    }
    *out = scope;
    return BROLGA_OK;
}

/* --- tasks in a scope --------------------------------------------------- */

static brolga_scope *scope_for(brolga_task *task,
                               const struct brolga_spawn_opts *opts)
{
    brolga_task *self = brolga__self();

    task->competes = true;
    if (opts != NULL && opts->scope != NULL)
        return opts->scope;
    if (self == NULL || self->rt != task->rt)
        return &task->rt->root;
    if (self->scope != NULL)
        return self->scope;
    task->competes = false;
    return self->home != NULL ? self->home : &task->rt->root;
}

static void born_canceled(brolga_task *task)
{
    uint64_t now_ns = brolga__plat_now_ns();

    brolga__store_relaxed(&task->canceled_ns, now_ns);
    brolga__watch_canceled(task->rt, now_ns);
}

int brolga__scope_enter(brolga_task *task, const struct brolga_spawn_opts *opts)
{
    brolga_scope *scope = scope_for(task, opts);
    uint32_t reason = BROLGA__NO_REASON;
    bool closed;

    if (scope->rt != task->rt)
        return BROLGA_EINVAL;
    if (scope->owner == NULL) /* The root: nobody waits. */
        return BROLGA_OK;
    brolga__lock_take(&scope->lock);
    closed = scope->closed;
    if (!closed) {
        task->home = scope;
        brolga__store_relaxed(&task->home_id, scope->id);
        brolga__store_relaxed(&task->refs, 2); /* The scope's. */
        scope->live++;
        scope->report.tasks++;
        brolga__list_push_back(&scope->tasks, &task->in_scope);
        reason = brolga__load_relaxed(&scope->reason);
        brolga__store_relaxed(&task->canceled, reason);
    }
    brolga__lock_leave(&scope->lock);
    if (reason != BROLGA__NO_REASON)
        born_canceled(task);
    return closed ? BROLGA_ESTATE : BROLGA_OK;
}

static void keep_failure(brolga_scope *scope, brolga_task *task)
{
    if (scope->report.failed++ == 0)
        brolga__task_describe_failure(task, &scope->report.first);
    if (scope->failures_kept == scope->failures_max)
        return;
    scope->failures_kept++;
    (void)brolga__add_relaxed(&task->refs, 1);
    brolga__list_push_back(&scope->failures, &task->in_scope);
}

/* Counts an end; says whether it cancels the others. */
static bool settle(brolga_scope *scope, brolga_task *task)
{
    bool cancels = false;

    brolga__lock_take(&scope->lock);
    brolga__list_remove(&task->in_scope);
    if (task->failed && task->entry == BROLGA__ENTRY_FORK) {
        scope->report.ended++; /* The task that joins it fails by it. */
    } else if (task->failed) {
        keep_failure(scope, task);
        cancels = scope->policy == BROLGA_SCOPE_ALL;
    } else if (task->told) {
        scope->report.canceled++;
    } else {
        scope->report.ended++;
        if (scope->policy == BROLGA_SCOPE_ANY && task->competes &&
            scope->report.winner == 0) {
            scope->report.winner = task->number;
            scope->report.value = task->result;
            cancels = true;
        }
    }
    brolga__lock_leave(&scope->lock);
    return cancels;
}

static void forget_spawn(brolga_scope *scope, brolga_task *task)
{
    brolga__lock_take(&scope->lock);
    brolga__list_remove(&task->in_scope);
    scope->report.tasks--;
    brolga__lock_leave(&scope->lock);
}

void brolga__scope_leave(brolga_task *task, bool never)
{
    brolga_scope *scope = task->home;
    brolga_task *owner = NULL;

    if (scope == NULL)
        return;
    if (never)
        forget_spawn(scope, task);
    else if (settle(scope, task))
        brolga__cancel_scope(scope, BROLGA__CANCELED);
    brolga__lock_take(&scope->lock);
    if (--scope->live == 0)
        owner = scope->owner;
    brolga__lock_leave(&scope->lock);
    /* The scope may be gone; a task's memory stays. */
    if (owner != NULL)
        brolga__unpark(owner);
}

/* --- joining ------------------------------------------------------------ */

static bool all_left(brolga_scope *scope)
{
    bool all;

    brolga__lock_take(&scope->lock);
    all = scope->live == 0;
    scope->closed = all;
    brolga__lock_leave(&scope->lock);
    return all;
}

static int result_of(const brolga_scope *scope)
{
    const struct brolga_scope_report *report = &scope->report;
    int code = brolga__reason_code(brolga__load_relaxed(&scope->reason));

    if (report->winner != 0)
        return BROLGA_OK;
    if (report->failed > 0)
        return BROLGA_EFAILED;
    if (code != BROLGA_OK && (report->canceled > 0 || scope->told))
        return code;
    return scope->policy == BROLGA_SCOPE_ANY ? BROLGA_ENOENT : BROLGA_OK;
}

/* The result is that of something around the scope: that has been told, too. */
static void pass_on(brolga_task *task, brolga_scope *outer, int result)
{
    if (result != BROLGA_ECANCELED && result != BROLGA_ETIMEOUT &&
        result != BROLGA_EDEADLOCK)
        return;
    if (result == brolga__reason_code(brolga__load_relaxed(&task->canceled)) &&
        !task->cleaning)
        task->told = true;
    if (outer != NULL &&
        result == brolga__reason_code(brolga__load_relaxed(&outer->reason)))
        outer->told = true;
}

void brolga__scope_forget(brolga_task *task)
{
    struct brolga__list *node;

    if (brolga__likely(task->heard_of == 0))
        return;
    while ((node = brolga__list_pop_front(&task->heard)) != NULL)
        brolga__task_unref(brolga__container_of(node, brolga_task, in_scope));
    task->heard_of = 0;
}

static void hear(brolga_task *task, brolga_scope *scope)
{
    struct brolga__list *node;

    brolga__scope_forget(task);
    while ((node = brolga__list_pop_front(&scope->failures)) != NULL)
        brolga__list_push_back(&task->heard, node);
    task->heard_of = scope->id;
    task->worn = true;
}

static void describe_wait(const void *on, char *text, size_t bytes)
{
    brolga_scope *scope = (brolga_scope *)on;

    brolga__lock_take(&scope->lock);
    (void)snprintf(text, bytes, "%llu, for %llu of its tasks",
                   (unsigned long long)scope->id,
                   (unsigned long long)scope->live);
    brolga__lock_leave(&scope->lock);
}

static const struct brolga__wait wait_scope = {.describe = describe_wait};

/* Waits, and takes the scope out of the tree. Its tasks have ended then, so
 * that nobody but one who cancels still has it. */
static int close_scope(brolga_task *task, brolga_scope *scope,
                       struct brolga_scope_report *report)
{
    brolga_scope *outer = scope->outer;
    int result;

    brolga__store_relaxed(&task->awaits, true); /* For reports. */
    /* Ends when the tasks do: it is not ours to leave them behind. */
    while (!all_left(scope))
        brolga__await_on("scope", &wait_scope, scope);
    brolga__store_relaxed(&task->awaits, false);
    unlink_scope(task, scope);
    if (scope->timed)
        brolga__timer_disarm(&task->rt->timers, &scope->timer);
    result = result_of(scope);
    pass_on(task, outer, result);
    hear(task, scope);
    if (report != NULL)
        *report = scope->report;
    release(scope);
    return result;
}

int brolga_scope_join(brolga_scope *scope, struct brolga_scope_report *report)
{
    brolga_task *task = brolga__self();
    int result;

    if (task == NULL || task->scope != scope || brolga__forks_in(task, scope))
        return BROLGA_ESTATE;
    result = close_scope(task, scope, report);
    brolga_safepoint();
    return result;
}

/* A task fails by the failure of another one. */
static void fail_by(brolga_task *task, const struct brolga_failure *first)
{
    struct brolga__why why = {.trapped_at = 0};

    (void)snprintf(why.message, sizeof why.message, "task %llu '%s': %.190s",
                   (unsigned long long)first->task, first->name,
                   first->message); /* What fits. */
    brolga__task_fail(task, BROLGA_FAILURE_PANIC, &why);
}

/* Nobody will ask for these failures: the first one becomes the task's own, and
 * the others are written down. */
static void surface(brolga_task *task, const struct brolga_scope_report *report)
{
    uint64_t written = 0;

    if (report->failed == 0)
        return;
    if (!task->failed) {
        fail_by(task, &report->first);
        brolga__task_unref(brolga__container_of(
            brolga__list_pop_front(&task->heard), brolga_task, in_scope));
        written++;
    }
    brolga__list_each (node, &task->heard) {
        brolga__task_say_failed(
            brolga__container_of(node, brolga_task, in_scope));
        written++;
    }
    if (report->failed > written)
        fprintf(stderr, "brolga: scope %llu: %llu more tasks have failed\n",
                (unsigned long long)report->scope,
                (unsigned long long)(report->failed - written));
}

void brolga__scopes_abandon(brolga_task *task)
{
    struct brolga_scope_report report;

    /* Ends: nothing is opened meanwhile. */
    while (task->scope != NULL) {
        brolga__cancel_scope(task->scope, BROLGA__CANCELED);
        (void)close_scope(task, task->scope, &report);
        surface(task, &report);
    }
}

size_t brolga_scope_each_failure(
    const struct brolga_scope_report *report,
    void (*visit)(void *arg, const struct brolga_failure *failure), void *arg)
{
    brolga_task *task = brolga__self();
    struct brolga_failure failure;
    size_t visited = 0;

    if (task == NULL || report->scope == 0 || task->heard_of != report->scope)
        return 0;
    brolga__list_each (node, &task->heard) {
        brolga__task_describe_failure(
            brolga__container_of(node, brolga_task, in_scope), &failure);
        visit(arg, &failure);
        visited++;
    }
    return visited;
}

/* --- small things ------------------------------------------------------- */

brolga_scope *brolga_scope_root(brolga *rt)
{
    return &rt->root;
}

uint64_t brolga_scope_id(const brolga_scope *scope)
{
    return scope == NULL ? 0 : scope->id;
}
