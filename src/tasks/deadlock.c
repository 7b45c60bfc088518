/*
 * Deadlocks: when no task can ever run again.
 *
 * The reclaimer looks when things have come to rest. It decides by holding all
 * tasks, each by its permit (wait.c). A task that is held is parked; whatever
 * else could wake it is looked at meanwhile:
 *
 *   - another task: none runs. All are held; and
 *     - fibers: no worker was given to anyone since before the first was held
 *       (`starts`), and nothing is in a queue. So none ran meanwhile, nor was
 *       one begun, nor is one in the middle of its end.
 *     - threads: as many are held as there are (rt->threads), so that none of
 *       them begins or ends.
 *     A thread may have run until it was held, and have unparked a task that
 *     had been: the permit shows it. So in the end all are looked at once more;
 *     if all are held still, then at the moment in between all were parked.
 *   - a timer, of a call or of a scope: none is armed, and timers.lock, under
 *     which they fire, is held from before the first task was until the end.
 *   - the loop, or a job: the task itself says that it waits for one
 *     (brolga__wait.outside). Each of these wakes the task that waits for it
 *     and no other; but a wake that comes late makes a task look at what it
 *     waits for once more, and park again, which changes nothing.
 *   - threads of the host: the host says that they do not, but between
 *     brolga_outside_enter() and _leave(); or there are no more threads in the
 *     process than ours, those that never do, and those that wait for a task
 *     that is held: the task knows that (`end`). Only a task's end lets these
 *     go on, and a thread can only be begun by one that runs.
 *
 * What a task waits for comes true before it is unparked, by somebody who has
 * not parked yet then. So if all this holds, no wait will ever end.
 *
 * While they are held, their records and frames are read for the report, and
 * those that are to fail are canceled: they run when they are let go.
 *
 * Who fails. A scope counts if it has tasks that have not been told to end. Of
 * those the ones that lie deepest, in which nobody joins a task outside; if all
 * of them do, all. If there are none but the root: its tasks that join nobody,
 * else all. Each report tells someone who had not been told, so that this ends.
 *
 * When it looks. Who brings something to rest adds to `hints`: the last worker
 * to become idle, a thread's task when it parks while all workers are idle, and
 * others that end what kept us from a verdict. A hint wakes the reclaimer, but
 * after a look only when 5 ms have passed since it began: so programs that come
 * to rest all the time pay for one look in that time.
 *
 *   BA No hint is lost: who gives one adds to `hints`, then looks at `alert`;
 *      the reclaimer sets `alert`, then reads `hints`. All are sequentially
 *      consistent: one sees the other. While `alert` is not set, there is a
 *      time at which the reclaimer looks by itself.
 *   BB The last to rest knows it. A worker counts itself idle; a thread parks,
 *      or begins to wait for a task, then adds 0 to that count. Both modify one
 *      word: the later one sees the other, and so does the reclaimer that looks
 *      for it.
 *   BC What a thread does in its end, when it is not held, is seen. It unparks,
 *      or spawns, and then takes itself out of rt->threads (release, thread.c);
 *      the reclaimer reads that (acquire), then the queues, then whether the
 *      worker that may have emptied them was started, then the permits.
 *
 * tests/model/deadlock.pml checks the order of a look, and the hints.
 *
 * Locks, from the outside in: the reclaimer's, timers.lock, then `lock`, then
 * those that scope.c lists, or a channel's.
 */
#include "tasks/tasks.h"

#include "plat.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How long it waits until it looks again at what is only about to come to rest,
 * or at threads that it does not know: doubled each time. */
#define PAUSE_FIRST (100 * BROLGA_US)
#define PAUSE_LAST  BROLGA_S
/* From one look to the next. With very many tasks one that finds nothing may
 * take so long that this is not enough: then some times what it took. */
#define REST        (5 * BROLGA_MS)
#define REST_TIMES  10

/* --- hints -------------------------------------------------------------- */

static bool is_off(const struct brolga *rt)
{
    return rt->opts.deadlocks == BROLGA_DEADLOCKS_OFF;
}

static bool only_reports(const struct brolga *rt)
{
    return rt->opts.deadlocks == BROLGA_DEADLOCKS_REPORT ||
           rt->opts.deadlocks == BROLGA_DEADLOCKS_AUTO_REPORT;
}

static bool counts_threads(const struct brolga *rt)
{
    return rt->opts.deadlocks == BROLGA_DEADLOCKS_AUTO ||
           rt->opts.deadlocks == BROLGA_DEADLOCKS_AUTO_REPORT;
}

void brolga__deadlock_hint(struct brolga *rt)
{
    if (is_off(rt))
        return;
    (void)brolga__add_seq_cst(&rt->deadlock.hints, 1); /* BA */
    if (brolga__load_seq_cst(&rt->deadlock.alert))     /* BA */
        brolga__reclaimer_notify(rt);
}

void brolga__deadlock_idle(struct brolga *rt)
{
    if (brolga__load_seq_cst(&rt->idle_count) == rt->worker_count)
        brolga__deadlock_hint(rt);
}

void brolga__deadlock_thread_parked(struct brolga *rt)
{
    if (!is_off(rt) &&
        brolga__add_seq_cst(&rt->idle_count, 0) == rt->worker_count) /* BB */
        brolga__deadlock_hint(rt);
}

/* --- threads of the host ------------------------------------------------ */

/* How often the calling thread has entered, of one runtime. */
static _Thread_local unsigned outside_depth;

void brolga_outside_enter(brolga *rt)
{
    if (outside_depth++ == 0)
        (void)brolga__add_seq_cst(&rt->deadlock.outside, 1);
}

void brolga_outside_leave(brolga *rt)
{
    brolga__assert(outside_depth > 0);
    if (--outside_depth > 0)
        return;
    (void)brolga__sub_seq_cst(&rt->deadlock.outside, 1);
    brolga__deadlock_hint(rt);
}

void brolga_bystander_enter(brolga *rt)
{
    (void)brolga__add_seq_cst(&rt->deadlock.bystanders, 1);
    brolga__deadlock_hint(rt);
}

void brolga_bystander_leave(brolga *rt)
{
    (void)brolga__sub_seq_cst(&rt->deadlock.bystanders, 1);
}

enum brolga__awaited brolga__deadlock_join_begin(struct brolga *rt,
                                                 uint64_t deadline_ns)
{
    enum brolga__awaited how = BROLGA__AWAITED_FOR_A_WHILE;

    if (deadline_ns == BROLGA_FOREVER)
        how = outside_depth > 0 ? BROLGA__AWAITED_FROM_OUTSIDE
                                : BROLGA__AWAITED_FOR_EVER;
    (void)brolga__add_relaxed(&rt->deadlock.joiners[how], 1);
    return how;
}

void brolga__deadlock_join_end(struct brolga *rt, enum brolga__awaited how)
{
    (void)brolga__add_relaxed(&rt->deadlock.joiners[how], -1);
}

/* --- what tasks wait for ------------------------------------------------ */

static void describe_outside(const void *on, char *text, size_t bytes)
{
    (void)on;
    (void)snprintf(text, bytes, "%s", "for the world outside");
}

static brolga_task *joined_task(const void *on)
{
    return (brolga_task *)on;
}

static void describe_joined(const void *on, char *text, size_t bytes)
{
    char name[32];
    uint64_t id;

    (void)brolga__identity((brolga_task *)on, &id, name);
    (void)snprintf(text, bytes, "of task %llu '%s'", (unsigned long long)id,
                   name);
}

const struct brolga__wait brolga__wait_outside = {.outside = true,
                                                  .describe = describe_outside};
const struct brolga__wait brolga__wait_task = {.task = joined_task,
                                               .describe = describe_joined};

/* --- a look ------------------------------------------------------------- */

enum verdict {
    ALIVE,   /* Something can run. Whoever brings it to rest gives a hint. */
    UNSURE,  /* Something is about to end that gives none. */
    CROWDED, /* A thread of the host may act, or end without a hint. */
    DEAD
};

struct look {
    struct brolga *rt;
    struct brolga__deadlock *deadlock;
    uint64_t number;
    enum verdict verdict;
    uint64_t starts;
    brolga_task *first_held, *last_held; /* By task->next. */
    uint64_t tasks;                      /* That are held... */
    uint32_t threads;                    /* ...and are no fibers. */
    uint32_t joiners;   /* Threads of the host that wait for them... */
    uint32_t outside;   /* ...of which these may act otherwise. */
    uint64_t signature; /* Of who waits for what. */

    /* Who fails. */
    uint32_t depth; /* Of the scopes; 0: the root. */
    bool all;       /* Also those that wait for others. */
    uint64_t told;  /* Scopes, or tasks of the root. */
    uint64_t first; /* The first one's number. */
};

/* Visits the tasks that are held; `fn` may let go of the one that it gets. */
static void visit(struct look *look,
                  void (*fn)(struct look *look, brolga_task *task))
{
    brolga_task *task = look->first_held, *next;

    for (; task != NULL; task = next) {
        next = task->next;
        fn(look, task);
    }
}

/* A task that is parked is in no other list, also when it has been unparked:
 * that is left to who holds it. */
static void note_held(struct look *look, brolga_task *task)
{
    task->held = true;
    task->next = NULL;
    if (look->first_held == NULL)
        look->first_held = task;
    else
        look->last_held->next = task;
    look->last_held = task;
    look->tasks++;
    if (!task->is_fiber)
        look->threads++;
}

static void mix(struct look *look, uint64_t word)
{
    look->signature =
        (look->signature ^ word) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* Counts the thread that waits for a task that is held. */
static void count_joiner(struct look *look, brolga_task *task)
{
    if (brolga__load_acquire(&task->end) != BROLGA__END_AWAITED) /* W */
        return;
    switch (brolga__load_relaxed(&task->awaited)) {
    case BROLGA__AWAITED_FROM_OUTSIDE:
        look->outside++;
        look->joiners++;
        break;
    case BROLGA__AWAITED_FOR_EVER:
        look->joiners++;
        break;
    default:
        break;
    }
}

/* False, and no further one is to be held: something can run. */
static bool hold(void *arg, brolga_task *task)
{
    struct look *look = arg;

    if (!brolga__hold(task)) {
        look->verdict = ALIVE;
        return false;
    }
    note_held(look, task);
    count_joiner(look, task);
    if (task->wait != NULL && task->wait->outside)
        look->verdict = ALIVE;
    mix(look, task->number);
    mix(look, brolga__load_relaxed(&task->canceled));
    mix(look, (uintptr_t)task->wait);
    mix(look, (uintptr_t)task->wait_on);
    return look->verdict == DEAD;
}

static void check_held(struct look *look, brolga_task *task)
{
    if (!brolga__is_held(task))
        look->verdict = ALIVE;
}

static void let_go(struct look *look, brolga_task *task)
{
    (void)look;
    task->held = false;
    brolga__unhold(task);
}

static bool all_idle(struct look *look)
{
    struct brolga *rt = look->rt;
    bool idle;

    (void)pthread_mutex_lock(&rt->idle_lock);
    idle = brolga__load_relaxed(&rt->idle_count) == rt->worker_count;
    look->starts = rt->starts;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    return idle;
}

static bool none_ready(struct brolga *rt)
{
    if (brolga__load_seq_cst(&rt->injected) > 0)
        return false;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (!brolga__runq_empty(&rt->workers[i].queue) ||
            brolga__load_relaxed(&rt->workers[i].next) != NULL)
            return false;
    return true;
}

/* The runtime's own threads, and those of the host that never act; with
 * timers.lock. */
static uint32_t known_threads(struct brolga *rt)
{
    uint32_t known = 1; /* The reclaimer's. */

    known += rt->timers.started;
    /* Relaxed: a task has set it, and has been held since. */
    known += brolga__load_relaxed(&rt->io_threads);
    (void)pthread_mutex_lock(&rt->pool.lock);
    known += rt->pool.count;
    (void)pthread_mutex_unlock(&rt->pool.lock);
    (void)pthread_mutex_lock(&rt->idle_lock);
    known += rt->carrier_count;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    known += brolga__load_acquire(&rt->threads);
    return known + brolga__load_seq_cst(&rt->deadlock.bystanders);
}

/* Whether a thread of the host that we do not know may act on tasks. */
static bool crowded(struct look *look)
{
    return counts_threads(look->rt) &&
           brolga__plat_threads() != known_threads(look->rt) + look->joiners;
}

static bool outsiders(struct look *look)
{
    return brolga__load_seq_cst(&look->rt->deadlock.outside) != look->outside;
}

/* Holds all tasks, and says whether none of them will ever run. The order
 * matters (edge BC). */
static void judge(struct look *look)
{
    struct brolga *rt = look->rt;
    uint64_t starts = look->starts;

    look->verdict = DEAD;
    brolga__walk_while(rt, hold, look);
    if (look->verdict != DEAD)
        return;
    if (look->tasks == 0)
        look->verdict = ALIVE;
    else if (brolga__load_acquire(&rt->threads) != look->threads || /* BC */
             outsiders(look) || !none_ready(rt) || !all_idle(look) ||
             look->starts != starts)
        look->verdict = UNSURE;
    else if (crowded(look))
        look->verdict = CROWDED;
    else
        visit(look, check_held);
}

/* --- who fails ---------------------------------------------------------- */

/* The scope around a scope; NULL: the root. Its owner is held. */
static brolga_scope *around(const brolga_scope *scope)
{
    return scope->outer != NULL ? scope->outer : scope->owner->home;
}

/* Each scope is counted once a look. */
static uint32_t depth_of(struct look *look, brolga_scope *scope)
{
    uint64_t number = look->number;
    brolga_scope *at = scope;
    uint32_t depth = 0;

    /* Ends at the root, or at a scope that has been counted. */
    for (; at != NULL && at->look != number; at = around(at))
        depth++;
    if (at != NULL)
        depth += at->depth;
    for (at = scope; at != NULL && at->look != number; at = around(at)) {
        at->look = number;
        at->depth = depth--;
    }
    return scope->depth;
}

static bool is_within(brolga_task *task, const brolga_scope *scope)
{
    brolga_scope *at = task->home;

    /* Ends at the root. */
    while (at != NULL && at != scope)
        at = around(at);
    return at == scope;
}

/* The task whose end a task waits for, if that is held; else NULL. */
static brolga_task *awaited_by(brolga_task *task)
{
    brolga_task *other = NULL;

    if (task->wait != NULL && task->wait->task != NULL)
        other = task->wait->task(task->wait_on);
    return other != NULL && other->held ? other : NULL;
}

/* Whether its scope could be told to end. */
static bool may_be_told(brolga_task *task)
{
    return task->home != NULL &&
           brolga__load_relaxed(&task->home->reason) == BROLGA__NO_REASON;
}

static void excuse(struct look *look, brolga_task *task)
{
    brolga_task *other;

    if (!may_be_told(task))
        return;
    other = awaited_by(task);
    if (other != NULL && !is_within(other, task->home))
        task->home->excused = look->number;
}

static bool counts(struct look *look, brolga_task *task)
{
    return may_be_told(task) &&
           (look->all || task->home->excused != look->number);
}

static void find_deepest(struct look *look, brolga_task *task)
{
    if (counts(look, task) && depth_of(look, task->home) > look->depth)
        look->depth = depth_of(look, task->home);
}

static void note_told(struct look *look, uint64_t number)
{
    if (look->told++ == 0)
        look->first = number;
}

static void tell_scope(struct look *look, brolga_task *task)
{
    brolga_scope *scope = task->home;

    if (!counts(look, task) || depth_of(look, scope) != look->depth)
        return;
    note_told(look, scope->id);
    if (only_reports(look->rt))
        scope->excused = look->number; /* Counted once. */
    else
        brolga__cancel_scope(scope, BROLGA__DEADLOCK);
}

static void tell_root(struct look *look, brolga_task *task)
{
    if (task->home != NULL ||
        brolga__load_relaxed(&task->canceled) != BROLGA__NO_REASON ||
        (!look->all && awaited_by(task) != NULL))
        return;
    note_told(look, task->number);
    if (!only_reports(look->rt))
        brolga__cancel_task(task, BROLGA__DEADLOCK);
}

static void choose(struct look *look)
{
    visit(look, excuse);
    visit(look, find_deepest);
    if (look->depth == 0) {
        look->all = true;
        visit(look, find_deepest);
    }
    look->all = look->depth != 0 && look->all;
}

static void tell(struct look *look)
{
    if (look->depth > 0) {
        visit(look, tell_scope);
        return;
    }
    visit(look, tell_root);
    if (look->told == 0) {
        look->all = true;
        visit(look, tell_root);
    }
}

/* --- the report --------------------------------------------------------- */

/* Adds to the text, as far as there is room. */
BROLGA_PRINTF(2, 3)
static void say(struct brolga__deadlock *deadlock, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    deadlock->length = brolga__append(deadlock->text, sizeof deadlock->text,
                                      deadlock->length, format, args);
    va_end(args);
}

static bool is_full(const struct brolga__deadlock *deadlock)
{
    return deadlock->length + 1 >= sizeof deadlock->text;
}

static void say_task(struct look *look, brolga_task *task)
{
    const char *where = brolga__load_relaxed(&task->parked_in);
    char on[512] = "", name[32];
    uint64_t id;

    (void)brolga__identity(task, &id, name);
    if (task->wait != NULL && task->wait->describe != NULL)
        task->wait->describe(task->wait_on, on, sizeof on);
    say(look->deadlock, "\n  task %llu '%s' in scope %llu waits in %s%s%s",
        (unsigned long long)id, name,
        (unsigned long long)brolga__load_relaxed(&task->home_id),
        where != NULL ? where : "?", on[0] != '\0' ? " " : "", on);
}

static bool is_told(brolga_task *task)
{
    return brolga__load_relaxed(&task->canceled) == BROLGA__DEADLOCK;
}

static void say_told(struct look *look, brolga_task *task)
{
    if (is_told(task))
        say_task(look, task);
}

static void say_other(struct look *look, brolga_task *task)
{
    if (!is_told(task))
        say_task(look, task);
}

static void say_head(struct look *look)
{
    static const char *const what[] = {"task", "scope"};

    say(look->deadlock, "deadlock: none of %llu tasks can ever run again",
        (unsigned long long)look->tasks);
    if (look->told == 0 || only_reports(look->rt))
        return;
    say(look->deadlock, "; told to end: %s %llu", what[look->depth > 0],
        (unsigned long long)look->first);
    if (look->told > 1)
        say(look->deadlock, " and %llu more",
            (unsigned long long)look->told - 1);
}

/* Which comes after a task on its way to itself: the one that it joins; or
 * `first`, if that is in a scope that it joins. */
static brolga_task *next_in_cycle(brolga_task *task, brolga_task *first)
{
    brolga_task *other = awaited_by(task);

    if (other == NULL && brolga__load_relaxed(&task->awaits) &&
        is_within(first, task->scope))
        return first;
    return other;
}

/* Longer ones are not looked for. */
#define CYCLE_MAX 32

/* A cycle is said once, from its task with the lowest number on. */
static bool closes_cycle(brolga_task *first)
{
    brolga_task *task = first;

    for (int i = 0; i < CYCLE_MAX; i++) {
        task = next_in_cycle(task, first);
        if (task == NULL || task->number < first->number)
            return false;
        if (task == first)
            return true;
    }
    return false;
}

static void say_cycle(struct look *look, brolga_task *first)
{
    brolga_task *task = first;

    if (!closes_cycle(first))
        return;
    say(look->deadlock, "\n  in a circle: %llu",
        (unsigned long long)first->number);
    do {
        task = next_in_cycle(task, first);
        say(look->deadlock, " -> %llu", (unsigned long long)task->number);
    } while (task != first);
}

/* For as long as there is room. */
static void say_each(struct look *look,
                     void (*fn)(struct look *look, brolga_task *task))
{
    brolga_task *task = look->first_held;

    for (; task != NULL && !is_full(look->deadlock); task = task->next)
        fn(look, task);
}

static void report(struct look *look)
{
    struct brolga__deadlock *deadlock = look->deadlock;

    brolga__lock_take(&deadlock->lock);
    deadlock->length = 0;
    say_head(look);
    say_each(look, say_cycle);
    say_each(look, say_told);
    say_each(look, say_other);
    brolga__lock_leave(&deadlock->lock);
}

static void emit(struct look *look)
{
    struct brolga *rt = look->rt;
    struct brolga_event event = {
        .kind = BROLGA_EVENT_DEADLOCK,
        .task = look->depth == 0 ? look->first : 0,
        .scope = look->depth > 0 ? look->first : 0,
        .text = look->deadlock->text,
    };

    if (rt->opts.on_event != NULL)
        rt->opts.on_event(rt->opts.arg, &event);
    else
        fprintf(stderr, "brolga: %s\n", event.text);
}

size_t brolga_deadlock_text(brolga *rt, char *text, size_t bytes)
{
    struct brolga__deadlock *deadlock = &rt->deadlock;
    size_t length;

    brolga__lock_take(&deadlock->lock);
    length = deadlock->length;
    if (bytes > 0)
        (void)snprintf(text, bytes, "%s", deadlock->text);
    brolga__lock_leave(&deadlock->lock);
    return length;
}

/* --- when to look ------------------------------------------------------- */

/* With all held. False: the same has been reported before. */
static bool act(struct look *look)
{
    if (look->signature == look->deadlock->reported)
        return false;
    look->deadlock->reported = look->signature;
    choose(look);
    tell(look);
    report(look);
    return true;
}

/* What can be seen without holding anyone; with timers.lock. The numbers of
 * joiners are not exact, but a hint follows when they grow. */
static enum verdict glance(struct look *look)
{
    struct brolga *rt = look->rt;
    uint32_t outside = brolga__load_relaxed(
        &rt->deadlock.joiners[BROLGA__AWAITED_FROM_OUTSIDE]);
    struct look about = {
        .rt = rt,
        .outside = outside,
        .joiners =
            outside + brolga__load_relaxed(
                          &rt->deadlock.joiners[BROLGA__AWAITED_FOR_EVER])};

    if (!all_idle(look) || brolga_tasks_live(rt) == 0 || rt->timers.count > 0 ||
        outsiders(&about))
        return ALIVE;
    return crowded(&about) ? CROWDED : DEAD;
}

static enum verdict look_closely(struct look *look)
{
    struct brolga *rt = look->rt;
    bool new = false;

    brolga__reclaim_pause(rt->got); /* Nobody else holds tasks. */
    (void)pthread_mutex_lock(&rt->timers.lock);
    look->verdict = glance(look);
    if (look->verdict == DEAD)
        judge(look);
    if (look->verdict == DEAD)
        new = act(look);
    visit(look, let_go);
    (void)pthread_mutex_unlock(&rt->timers.lock);
    brolga__reclaim_resume(rt->got);
    if (new)
        emit(look);
    return look->verdict;
}

static enum verdict look_now(struct brolga *rt)
{
    struct brolga__deadlock *deadlock = &rt->deadlock;
    struct look look = {.rt = rt, .deadlock = deadlock};

    look.number = brolga__load_relaxed(&deadlock->looks) + 1;
    brolga__store_relaxed(&deadlock->looks, look.number);
    return all_idle(&look) ? look_closely(&look) : ALIVE;
}

/* Of a look that began at `now_ns`. One that found a deadlock was not in vain,
 * and the next may follow from it. */
static uint64_t rest_of(uint64_t now_ns, enum verdict verdict)
{
    uint64_t rest = 0;

    if (verdict == ALIVE)
        rest = REST_TIMES * (brolga__plat_now_ns() - now_ns);
    return rest > REST ? rest : REST;
}

/* Rests, and then looks again if there has been a hint, or, without a verdict,
 * anyway. */
static uint64_t look_again(struct brolga__deadlock *deadlock, uint64_t now_ns,
                           enum verdict verdict)
{
    deadlock->again = verdict == UNSURE || verdict == CROWDED;
    if (verdict == CROWDED && deadlock->pause_ns < REST)
        deadlock->pause_ns = REST;
    if (deadlock->again) {
        deadlock->not_before_ns = now_ns + deadlock->pause_ns;
        if (deadlock->pause_ns < PAUSE_LAST)
            deadlock->pause_ns *= 2;
    } else {
        deadlock->not_before_ns = now_ns + rest_of(now_ns, verdict);
        deadlock->pause_ns = PAUSE_FIRST;
    }
    /* In a long pause a hint counts at once. */
    if (deadlock->pause_ns <= REST)
        brolga__store_relaxed(&deadlock->alert, false);
    return deadlock->not_before_ns;
}

/* Whether it is time; if not, `not_before_ns` says when. */
static bool is_time(struct brolga__deadlock *deadlock, uint64_t now_ns)
{
    uint32_t hints;

    if (now_ns < deadlock->not_before_ns &&
        !(brolga__load_relaxed(&deadlock->alert) &&
          brolga__load_relaxed(&deadlock->hints) != deadlock->hints_seen))
        return false;
    (void)brolga__swap_seq_cst(&deadlock->alert, true); /* BA */
    hints = brolga__load_seq_cst(&deadlock->hints);     /* BA */
    if (hints == deadlock->hints_seen && !deadlock->again) {
        deadlock->not_before_ns = BROLGA_FOREVER;
        return false;
    }
    if (hints != deadlock->hints_seen)
        deadlock->pause_ns = PAUSE_FIRST;
    deadlock->hints_seen = hints;
    return true;
}

uint64_t brolga__look_for_deadlock(struct brolga *rt, uint64_t now_ns)
{
    struct brolga__deadlock *deadlock = &rt->deadlock;

    if (is_off(rt))
        return BROLGA_FOREVER;
    if (!is_time(deadlock, now_ns))
        return deadlock->not_before_ns;
    return look_again(deadlock, now_ns, look_now(rt));
}
