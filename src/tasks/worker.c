/*
 * Workers and carriers: who runs which task, and how idle ones sleep.
 *
 * A worker that finds nothing searches for a while (it steals, and looks at
 * the injected tasks); then its carrier sleeps with it. At most one searcher is
 * woken at a time: it wakes the next one when it has found something.
 *
 *   S  No task is left behind that only a sleeper could run. The owner of a
 *      worker runs what is in its queue and its hand-over slot before it rests.
 *      Two kinds of tasks have no such owner. The injected ones: who injects
 *      counts (seq_cst RMW of `injected`), then looks at `idle_count` and
 *      `searching`. And those in the queue of a worker whose carrier gives it
 *      up: that one moves its slot to the queue, counts the worker idle
 *      (seq_cst RMW), looks whether there is work, and then at `searching`. Who
 *      goes to sleep: count itself idle and stop searching (seq_cst RMWs), then
 *      look at `injected` and every queue. In the one order of these operations
 *      one of the two is first, so the other one sees it: what was pushed
 *      before the RMW of `idle_count` is seen after a later one.
 *      tests/model/idle.pml checks this.
 *
 *      That others help an owner is a matter of speed, and its pushes are not
 *      ordered before its look at `idle_count`. If that look misses a sleeper,
 *      or the slot's task waits behind one that does not end, the monitor
 *      (runtime.c) wakes someone after a time slice. So it does, again and
 *      again, when there was no thread to be had for a worker.
 *   T  A woken carrier sees its worker: release store of carrier->wake ->
 *      acquire load in sleep_until_woken().
 *   U  An injected task is seen whole: inject_lock.
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "arch.h"
#include "plat.h"
#include "tasks/hard.h"

#include <stdio.h>
#include <stdlib.h>

/* How often a searcher looks everywhere before it sleeps: about 50 us, which
 * is what waking a sleeping thread costs on a virtual machine. */
#define SEARCH_ROUNDS   64
#define RELAX_PER_ROUND 32
/* Tasks that a worker runs between two looks at the injected ones. */
#define LOOK_EVERY      61
/* Tasks from the hand-over slot between two from the queue. */
#define IN_A_ROW_MAX    31

static _Thread_local struct brolga__carrier *carrier_tls;

__attribute__((noinline)) struct brolga__carrier *brolga__carrier_self(void)
{
    struct brolga__carrier *carrier = carrier_tls;

    /* Keeps callers from merging two calls across a switch. */
    __asm__ __volatile__("" : "+r"(carrier));
    return carrier;
}

__attribute__((noinline)) void
brolga__carrier_set_self(struct brolga__carrier *carrier)
{
    carrier_tls = carrier;
}

/* --- injected tasks ----------------------------------------------------- */

static void inject(struct brolga *rt, brolga_task *task)
{
    task->next = NULL;
    (void)pthread_mutex_lock(&rt->inject_lock);
    if (rt->inject_last == NULL)
        rt->inject_first = task;
    else
        rt->inject_last->next = task;
    rt->inject_last = task;
    (void)brolga__add_seq_cst(&rt->injected, 1); /* S */
    (void)pthread_mutex_unlock(&rt->inject_lock);
}

static brolga_task *take_injected(struct brolga *rt)
{
    brolga_task *task;

    if (brolga__load_relaxed(&rt->injected) == 0)
        return NULL;
    (void)pthread_mutex_lock(&rt->inject_lock);
    task = rt->inject_first;
    if (task != NULL) {
        rt->inject_first = task->next;
        if (rt->inject_first == NULL)
            rt->inject_last = NULL;
        (void)brolga__sub_seq_cst(&rt->injected, 1);
    }
    (void)pthread_mutex_unlock(&rt->inject_lock);
    return task;
}

static bool work_visible(struct brolga *rt)
{
    if (brolga__load_seq_cst(&rt->injected) > 0) /* S */
        return true;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (!brolga__runq_empty(&rt->workers[i].queue)) /* S */
            return true;
    return false;
}

/* --- idle workers, all under idle_lock ---------------------------------- */

static void idle_push(struct brolga__worker *worker,
                      struct brolga__carrier *carrier)
{
    struct brolga *rt = worker->rt;

    brolga__assert(!worker->idle);
    worker->idle = true;
    worker->carrier = carrier;
    worker->idle_next = rt->idle;
    rt->idle = worker;
    (void)brolga__add_seq_cst(&rt->idle_count, 1); /* S */
}

/* An idle worker, out of the list, with the carrier that sleeps with it. */
static struct brolga__worker *idle_pop(struct brolga *rt)
{
    struct brolga__worker *worker = rt->idle;

    if (worker == NULL)
        return NULL;
    rt->idle = worker->idle_next;
    rt->starts++;
    worker->idle = false;
    (void)brolga__sub_seq_cst(&rt->idle_count, 1);
    return worker;
}

static void carrier_wake(struct brolga__carrier *carrier)
{
    brolga__store_release(&carrier->wake, 1); /* T */
    brolga__plat_wake(&carrier->wake, 1);
}

static void *carrier_main(void *arg);

/* Starts a thread for a worker whose carrier is in foreign code. */
static struct brolga__carrier *carrier_create(struct brolga *rt)
{
    struct brolga__carrier *carrier = brolga__alloc_line(sizeof *carrier);

    if (carrier == NULL)
        return NULL;
    carrier->rt = rt;
    if (brolga__epoch_enlist(rt->epoch, &carrier->member) != BROLGA_OK)
        goto fail;
    if (!brolga__plat_thread_start(&carrier->thread, NULL, carrier_main,
                                   carrier)) {
        brolga_epoch_leave(carrier->member);
        goto fail;
    }
    carrier->next = rt->carriers;
    rt->carriers = carrier;
    rt->carrier_count++;
    return carrier;

fail:
    brolga__free(carrier);
    return NULL;
}

/* A carrier for a worker, asleep; NULL if there is none to be had. */
static struct brolga__carrier *carrier_for(struct brolga__worker *worker)
{
    struct brolga *rt = worker->rt;
    struct brolga__carrier *carrier = worker->carrier;

    worker->carrier = NULL;
    if (carrier != NULL)
        return carrier;
    carrier = rt->spares;
    if (carrier != NULL) {
        rt->spares = carrier->spare;
        return carrier;
    }
    return carrier_create(rt);
}

/* Wakes a worker as a searcher, which the caller has counted in `searching`.
 * False, and counted no more, if there was no idle worker after all. */
static bool start_searcher(struct brolga *rt)
{
    struct brolga__carrier *carrier = NULL;
    struct brolga__worker *worker;

    (void)pthread_mutex_lock(&rt->idle_lock);
    worker = idle_pop(rt);
    if (worker != NULL) {
        carrier = carrier_for(worker);
        if (carrier == NULL)
            idle_push(worker, NULL);
        else {
            carrier->worker = worker;
            carrier->searching = true;
        }
    }
    (void)pthread_mutex_unlock(&rt->idle_lock);
    if (carrier != NULL) {
        carrier_wake(carrier);
        brolga__reclaimer_watch(rt);
        return true;
    }
    (void)brolga__sub_seq_cst(&rt->searching, 1);
    if (worker == NULL)
        return false;
    /* All may sleep now though there is work: the monitor tries again. */
    (void)brolga__add_relaxed(&rt->refused, 1); /* Z publishes it. */
    brolga__reclaimer_notify(rt);
    return true;
}

/*
 * After a push: if someone sleeps and nobody searches, wake a searcher. Whoever
 * finds that there was nobody to wake looks again: while it was counted as a
 * searcher, another pusher may have relied on it.
 */
void brolga__wake_one(struct brolga *rt)
{
    uint32_t none;

    if (rt->opts.workers == BROLGA_NO_WORKERS) { /* The host's threads drive. */
        if (rt->opts.on_ready != NULL &&
            brolga__load_seq_cst(&rt->idle_count) > 0) /* S */
            rt->opts.on_ready(rt->opts.arg);
        return;
    }
    do {
        if (brolga__load_seq_cst(&rt->idle_count) == 0 || /* S */
            brolga__load_seq_cst(&rt->searching) != 0)    /* S */
            return;
        none = 0;
        if (!brolga__cas_seq_cst(&rt->searching, &none, 1))
            return;
    } while (!start_searcher(rt) && work_visible(rt));
}

/* --- ready tasks -------------------------------------------------------- */

/*
 * More is ready than the worker will run at once: should someone else come?
 * Waking a thread costs more than many tasks take. So it is done when several
 * wait, or when the running task has kept its worker for a while. A task that
 * is left to its worker by this is run after the current one, and at the end
 * of the time slice, if that does not come before, somebody is woken for it.
 */
void brolga__attract(struct brolga__worker *worker, bool several)
{
    struct brolga *rt = worker->rt;

    if (brolga__likely(brolga__load_relaxed(&rt->idle_count) == 0) ||
        brolga__load_relaxed(&rt->searching) != 0)
        return;
    if (several || brolga__hard(2) ||
        brolga__cpu_ticks() - worker->since_ticks > BROLGA__TICKS_LONG)
        brolga__wake_one(rt);
}

/* There is no memory for a larger queue. */
static __attribute__((noinline)) void
push_elsewhere(struct brolga__worker *worker, brolga_task *task, bool spawned)
{
    /* A stale entry of its record may have got there first. */
    if (!spawned || brolga__claim(task))
        inject(worker->rt, task);
}

/* Behind all others of the worker; without memory, of all workers. */
static inline void push(struct brolga__worker *worker, brolga_task *task,
                        bool spawned)
{
    if (brolga__unlikely(!brolga__runq_push(&worker->queue, task, spawned)))
        push_elsewhere(worker, task, spawned);
}

/* For a caller that holds no worker. */
static void submit(brolga_task *task)
{
    inject(task->rt, task);
    brolga__wake_one(task->rt);
}

void brolga__schedule(brolga_task *task)
{
    struct brolga__worker *worker = brolga__worker_self(task->rt);

    if (worker == NULL) {
        submit(task);
        return;
    }
    push(worker, task, false);
    brolga__attract(worker, true);
}

void brolga__launch(brolga_task *task, struct brolga__worker *worker)
{
    if (worker == NULL) {
        submit(task);
        return;
    }
    brolga__store_release(&task->fresh, true); /* AM: claim */
    if (brolga__hard(8))                       /* A stale entry may claim it. */
        brolga__hard_pause();
    push(worker, task, true);
    brolga__attract(worker, brolga__runq_count(&worker->queue) > 1);
}

void brolga__hand_over(brolga_task *task)
{
    struct brolga__worker *worker = brolga__worker_self(task->rt);
    brolga_task *old;

    if (worker == NULL) {
        submit(task);
        return;
    }
    /* Only the owner puts a task in, so NULL does not change. */
    if (brolga__load_relaxed(&worker->next) == NULL) {
        brolga__store_release(&worker->next, task); /* AP: take_next */
        brolga__attract(worker, false);
        return;
    }
    old = brolga__swap_acq_rel(&worker->next, task); /* AP */
    if (old != NULL)
        push(worker, old, false);
    brolga__attract(worker, true);
}

/* --- finding a task ----------------------------------------------------- */

/* The task in a worker's hand-over slot. */
static brolga_task *take_next(struct brolga__worker *worker)
{
    if (brolga__load_relaxed(&worker->next) == NULL)
        return NULL;
    return brolga__swap_acq_rel(&worker->next, NULL); /* AP: hand_over */
}

static uint32_t random_start(struct brolga__worker *worker)
{
    /* xorshift: any order will do that is not the same for all. */
    worker->seed ^= worker->seed << 13;
    worker->seed ^= worker->seed >> 17;
    worker->seed ^= worker->seed << 5;
    return worker->seed % worker->rt->worker_count;
}

/* With `all`, also what a worker would run next: only after it has not come to
 * that for a while. */
static brolga_task *steal(struct brolga__worker *worker, bool all)
{
    struct brolga *rt = worker->rt;
    uint32_t start = random_start(worker);

    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct brolga__worker *victim =
            &rt->workers[(start + i) % rt->worker_count];
        brolga_task *task;

        if (victim == worker)
            continue;
        if (brolga__hard(4))
            task = take_next(victim);
        else
            task = brolga__runq_steal(&worker->queue, &victim->queue);
        if (task == NULL)
            task = brolga__forks_steal(rt, &victim->forks);
        if (task == NULL && all)
            task = take_next(victim);
        if (task != NULL) {
            brolga__store_relaxed(&worker->steals,
                                  brolga__load_relaxed(&worker->steals) + 1);
            return task;
        }
    }
    return NULL;
}

static void begin_search(struct brolga__carrier *carrier)
{
    if (carrier->searching)
        return;
    carrier->searching = true;
    (void)brolga__add_seq_cst(&carrier->rt->searching, 1);
}

/* The last searcher to find something wakes the next: there may be more. */
static void end_search(struct brolga__carrier *carrier, bool found)
{
    struct brolga *rt = carrier->rt;

    if (!carrier->searching)
        return;
    carrier->searching = false;
    if (brolga__sub_seq_cst(&rt->searching, 1) == 1 && found) /* S */
        brolga__wake_one(rt);
}

static brolga_task *search(struct brolga__carrier *carrier)
{
    struct brolga *rt = carrier->rt;
    int rounds = rt->worker_count > 1 ? SEARCH_ROUNDS : 1;

    begin_search(carrier);
    for (int i = 0; i < rounds; i++) {
        brolga_task *task = take_injected(rt);

        if (task == NULL)
            task = steal(carrier->worker, i >= rounds / 4);
        if (task != NULL || brolga__load_relaxed(&rt->stopping))
            return task;
        for (int j = 0; j < RELAX_PER_ROUND; j++)
            brolga__cpu_relax();
        /* A searcher calls through no view: let grace periods pass. */
        brolga_epoch_quiesce(carrier->member);
    }
    return NULL;
}

/*
 * Has the processor fetch what the next tasks will need while this one runs:
 * of the next but one its record, and of the next, whose record is there by
 * now, its stack. What is read of that record may be changing, if another
 * worker has taken the task meanwhile; then a wrong place is fetched.
 */
__attribute__((no_sanitize("thread"))) static inline void
fetch_ahead(struct brolga__worker *worker)
{
    const brolga_task *next = brolga__runq_peek(&worker->queue, 0);
    const char *record = (const char *)brolga__runq_peek(&worker->queue, 1);
    uintptr_t sp;

    if (record != NULL) {
        __builtin_prefetch(record);
        __builtin_prefetch(record + BROLGA__CACHE_LINE);
    }
    if (next == NULL)
        return;
    sp = __atomic_load_n(&next->ctx.sp, __ATOMIC_RELAXED);
    if (sp == 0) /* It has no stack yet. */
        return;
    if (__atomic_load_n(&next->view.seen, __ATOMIC_RELAXED) !=
        brolga__epoch_round(worker->rt->epoch)) {
        brolga__fetch_safepoint(next, sp);
    } else {
        __builtin_prefetch((const void *)sp);
        __builtin_prefetch((const void *)(sp + BROLGA__CACHE_LINE));
    }
}

/*
 * What the worker has at hand. Tasks that wake one another through the slot
 * give way to the queue after some turns, and the queue to the injected ones.
 */
static inline brolga_task *next_ready(struct brolga__worker *worker)
{
    brolga_task *task = NULL;

    if (brolga__unlikely(++worker->since_look >= LOOK_EVERY)) {
        worker->since_look = 0;
        task = take_injected(worker->rt);
        if (task != NULL)
            return task;
    }
    if (brolga__load_relaxed(&worker->next) != NULL &&
        worker->in_a_row < IN_A_ROW_MAX && !brolga__hard(4)) {
        worker->in_a_row++;
        task = take_next(worker);
        if (task != NULL)
            return task;
    }
    worker->in_a_row = 0;
    task = brolga__runq_pop_fast(&worker->queue);
    if (brolga__likely(task != NULL)) {
        fetch_ahead(worker);
        return task;
    }
    task = take_next(worker);
    return task != NULL ? task : take_injected(worker->rt);
}

static brolga_task *find_task(struct brolga__carrier *carrier)
{
    brolga_task *task = next_ready(carrier->worker);

    if (task == NULL)
        task = search(carrier);
    end_search(carrier, task != NULL);
    return task;
}

/* --- running a task ----------------------------------------------------- */

static struct brolga__carrier *serve(struct brolga__passed passed);

static void fiber_main(void *arg, struct brolga__passed passed)
{
    brolga_task *task = arg;

    brolga__ctx_entered(&task->ctx);
    (void)serve(passed);
    task->result = brolga__task_call(task);
}

static int take_stack(struct brolga__worker *worker, brolga_task *task)
{
    struct brolga__stock *stock = &worker->stock;
    uint32_t left = brolga__load_relaxed(&stock->stacks);
    size_t bytes = brolga__load_relaxed(&task->stack_bytes);

    if (brolga__likely(left > 0 && bytes == worker->rt->opts.stack_bytes)) {
        task->stack = stock->stack[--left];
        brolga__store_relaxed(&stock->stacks, left);
        return BROLGA_OK;
    }
    return brolga__stack_take(&worker->rt->stacks, bytes, &task->stack);
}

static void put_stack(struct brolga__worker *worker,
                      const struct brolga__stack *stack)
{
    struct brolga__stock *stock = &worker->stock;
    uint32_t there = brolga__load_relaxed(&stock->stacks);

    if (brolga__likely(there < BROLGA__STOCK_STACKS &&
                       stack->size_class == stock->size_class)) {
        stock->stack[there] = *stack;
        brolga__store_relaxed(&stock->stacks, there + 1);
    } else {
        brolga__stack_put(&worker->rt->stacks, stack);
    }
}

static void fail_without_stack(brolga_task *task, int err)
{
    struct brolga__why why = {.trapped_at = 0};

    (void)snprintf(why.message, sizeof why.message, "no stack for the task: %s",
                   brolga_strerror(err));
    brolga__task_fail(task, BROLGA_FAILURE_NO_STACK, &why);
    brolga__task_end(task);
}

/* A task gets its stack when it first runs. If there is none, it ends. */
static bool give_stack(struct brolga__worker *worker, brolga_task *task)
{
    struct brolga *rt = task->rt;
    int err = take_stack(worker, task);

    if (err != BROLGA_OK) {
        brolga__store_relaxed(&task->carrier, NULL);
        fail_without_stack(task, err);
        return false;
    }
    brolga__ctx_init(&task->ctx, task->stack.low, task->stack.high, fiber_main,
                     task);
    brolga__store_relaxed(&task->watermark, brolga__got_stamp(rt->got));
    return true;
}

/* Nothing runs on the stack of the task that has ended any more. */
static void bury(struct brolga__carrier *carrier)
{
    brolga__ctx_fini(&carrier->dead);
    put_stack(carrier->worker, &carrier->dead_stack);
}

/* Behind all others. */
static inline void yield(brolga_task *task, struct brolga__worker *worker)
{
    push(worker, task, false);
    if (brolga__unlikely(brolga__load_relaxed(&worker->rt->idle_count) > 0))
        brolga__attract(worker, brolga__runq_count(&worker->queue) > 1);
}

static void park(brolga_task *task, struct brolga__worker *worker)
{
    uint32_t permit = BROLGA__RUNNING;

    brolga__store_relaxed(&worker->parks,
                          brolga__load_relaxed(&worker->parks) + 1);
    if (brolga__cas_acq_rel(&task->permit, &permit,
                            BROLGA__PARKED)) /* M: notify, look_at_parked */
        return; /* From here on the task may be running elsewhere. */
    /* It was notified meanwhile: an ordinary unpark (L). */
    brolga__assert(permit == BROLGA__NOTIFIED);
    (void)brolga__swap_acq_rel(&task->permit, BROLGA__RUNNING);
    brolga__schedule(task);
}

/* What a switch passes: the carrier, and a task with what it wants done. */
static inline struct brolga__passed request(struct brolga__carrier *carrier,
                                            brolga_task *task,
                                            enum brolga__request what)
{
    return (struct brolga__passed){carrier, (uintptr_t)task | what};
}

_Static_assert(BROLGA__REQUESTS <= BROLGA__CACHE_LINE, "tasks are aligned");

static void serve_rarely(struct brolga__carrier *carrier, brolga_task *left,
                         enum brolga__request what)
{
    if (left != NULL)
        brolga__store_relaxed(&left->carrier, NULL);
    if (what == BROLGA__REQUEST_END || what == BROLGA__REQUEST_SHED)
        bury(carrier);
    if (what == BROLGA__REQUEST_SHED)
        park(left, carrier->worker);
    if (what == BROLGA__REQUEST_REQUEUE) /* The carrier has no worker. */
        brolga__schedule(left);
}

/*
 * Every switch between contexts of a carrier leads here, on the other side:
 * what the last task wants done now that its context is saved. Returns the
 * carrier, which may be another one than before.
 */
static inline struct brolga__carrier *serve(struct brolga__passed passed)
{
    struct brolga__carrier *carrier = passed.by;
    uintptr_t what = passed.what % BROLGA__CACHE_LINE;
    brolga_task *left = (brolga_task *)(passed.what - what);

    /* The two that come often first: cheaper than a jump table. */
    if (brolga__likely(what == BROLGA__REQUEST_PARK)) {
        brolga__store_relaxed(&left->carrier, NULL);
        park(left, carrier->worker);
    } else if (brolga__likely(what == BROLGA__REQUEST_YIELD)) {
        brolga__store_relaxed(&left->carrier, NULL);
        yield(left, carrier->worker);
    } else if (what != BROLGA__REQUEST_NONE) {
        serve_rarely(carrier, left, (enum brolga__request)what);
    }
    return carrier;
}

/* Whether a task that runs next has nothing to catch up on: the round that it
 * has seen is that of now, and its carrier's member has announced it. */
static inline bool is_current(brolga_task *task,
                              struct brolga_epoch_member *member)
{
    uint64_t round = brolga__round_of(task);

    return task->view.seen == round &&
           brolga__load_relaxed(&member->seen) == round; /* ours alone */
}

/*
 * A task that has not run starts in the version of the one that runs before it
 * here, if that one has nothing to catch up on: this is what its first
 * safepoint would come to. Else it passes that by itself (brolga__task_call).
 */
static inline void inherit_view(brolga_task *task,
                                struct brolga__carrier *carrier)
{
    brolga_task *from = brolga__self();

    if (brolga__unlikely(from == NULL || !is_current(from, carrier->member) ||
                         brolga__load_relaxed(&from->adopt_at_top) ||
                         brolga__load_relaxed(&task->adopt_at_top)))
        return;
    task->version = from->version;
    task->view.slots = from->view.slots;
    brolga__store_relaxed(&task->in_version,
                          brolga__load_relaxed(&from->in_version));
    task->view.seen = from->view.seen;
}

/* For a task that has no context, or has something to catch up on. */
static __attribute__((noinline)) bool
prepare_slowly(struct brolga__carrier *carrier, brolga_task *task)
{
    if (task->ctx.sp != 0) {
        brolga__task_refresh(task, carrier->member,
                             brolga__load_relaxed(&task->top), task->ctx.sp);
        return true;
    }
    if (!give_stack(carrier->worker, task))
        return false;
    brolga__store_relaxed(&task->parked_in, NULL); /* See brolga__shed. */
    inherit_view(task, carrier);
    return true;
}

/* Makes everything ready for a switch to a task. False: it has no stack, and
 * has ended. */
static inline bool prepare(struct brolga__carrier *carrier, brolga_task *task)
{
    brolga__store_relaxed(&task->carrier, carrier);
    brolga__note_since(task);
    if (brolga__unlikely(task->ctx.sp == 0 ||
                         !is_current(task, carrier->member)) &&
        !prepare_slowly(carrier, task))
        return false;
    brolga__view_set_self(&task->view);
    return true;
}

/* A time slice begins. Not with a task that is run in a join: that is of the
 * joiner's own slice, or who joins what he spawns could go on for ever. */
static inline void begin_turn(struct brolga__worker *worker)
{
    if (brolga__unlikely(brolga__load_relaxed(&worker->preempt)))
        brolga__store_relaxed(&worker->preempt, false);
    brolga__store_relaxed(&worker->turns,
                          brolga__load_relaxed(&worker->turns) + 1);
    if (brolga__unlikely(brolga__load_relaxed(&worker->rt->idle_count) > 0))
        worker->since_ticks = brolga__cpu_ticks();
}

/* From the carrier's own context. */
static void run_task(struct brolga__carrier *carrier, brolga_task *task)
{
    if (!prepare(carrier, task))
        return;
    begin_turn(carrier->worker);
    (void)serve(brolga__ctx_pass(&carrier->ctx, &task->ctx, false,
                                 request(carrier, NULL, BROLGA__REQUEST_NONE)));
}

/* The next task that is at hand and can be run; NULL: it is for the carrier to
 * find one, or to decide whether there is to be one. */
static inline brolga_task *next_prepared(struct brolga__carrier *carrier)
{
    brolga_task *task;

    if (brolga__unlikely(carrier->worker == NULL || carrier->driven) ||
        brolga__hard(8))
        return NULL;
    /* Ends: a task that cannot be run has ended. */
    do
        task = next_ready(carrier->worker);
    while (task != NULL && brolga__unlikely(!prepare(carrier, task)));
    if (brolga__likely(task != NULL))
        begin_turn(carrier->worker);
    return task;
}

/* From a task's context to that of the next task, if there is one. */
static inline struct brolga__passed leave(struct brolga__carrier *carrier,
                                          struct brolga__ctx *from,
                                          brolga_task *next, bool for_ever,
                                          struct brolga__passed passed)
{
    if (brolga__likely(next != NULL))
        return brolga__ctx_pass(from, &next->ctx, for_ever, passed);
    brolga__view_set_self(NULL);
    return brolga__ctx_pass(from, &carrier->ctx, for_ever, passed);
}

/* Whoever runs the task in a join is to be woken by its end, from here on. */
static brolga_task *let_go(brolga_task *task)
{
    brolga_task *joiner = task->under;

    if (joiner == NULL)
        return NULL;
    task->under = NULL;
    /* Nobody else looks at it before the child's end. */
    brolga__store_relaxed(&task->end, (uintptr_t)joiner);
    return joiner;
}

/*
 * A task that joins one that nobody has begun runs it itself: it switches to
 * it, and is switched back to at its end. Meanwhile it is not parked: it counts
 * as running, on this carrier, and nobody can run it. That lasts as long as the
 * child runs without a break; when it leaves its carrier, or comes to a
 * safepoint at which the reclaimer waits, they part: the joiner is parked, as
 * its saved context has long allowed, and the child's end will wake it. So the
 * joiner is delayed by no more than what the child does in one go, or by a time
 * slice. tests/model/join.pml checks this, with the claim and the `end` word.
 */
void brolga__part(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);
    brolga_task *joiner = let_go(task);

    while (joiner != NULL) {
        /* Before it is parked: it may run elsewhere then, and end. */
        brolga_task *outer = let_go(joiner);

        joiner->parks++;
        joiner->wait = &brolga__wait_task;
        joiner->wait_on = task;
        task = joiner;
        brolga__note_since(joiner);
        brolga__note_stack(joiner, joiner->ctx.high - joiner->ctx.sp);
        brolga__store_relaxed(&joiner->carrier, NULL);
        park(joiner, carrier->worker);
        if (brolga__hard(4))
            brolga__hard_pause();
        joiner = outer;
    }
}

void brolga__run_child(brolga_task *self, brolga_task *child)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&self->carrier);
    struct brolga__worker *worker = carrier->worker;

    brolga__store_relaxed(&self->parked_in, "join");
    if (prepare(carrier, child)) {
        brolga__store_relaxed(&worker->nested,
                              brolga__load_relaxed(&worker->nested) + 1);
        child->under = self;
        (void)serve(
            brolga__ctx_pass(&self->ctx, &child->ctx, false,
                             request(carrier, NULL, BROLGA__REQUEST_NONE)));
    }
    brolga__store_relaxed(&self->parked_in, NULL);
}

/* Before a task leaves its carrier: what only it can see goes where others find
 * it. */
static inline void settle(brolga_task *task, struct brolga__carrier *carrier)
{
    if (brolga__unlikely(task->under != NULL))
        brolga__part(task);
    if (carrier->worker != NULL &&
        brolga__unlikely(!brolga__forks_empty(&carrier->worker->forks)))
        brolga__forks_flush(task->rt, &carrier->worker->forks);
}

/* What the calling task leaves behind is its carrier's to bury: the record may
 * have its next task, or another stack, before we are off this one. */
static inline void die(brolga_task *task, struct brolga__carrier *carrier)
{
    carrier->dead = task->ctx;
    carrier->dead_stack = task->stack;
    task->ctx.sp = 0;
}

void brolga__shed(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);
    brolga_task *next;

    brolga__assert(brolga__load_relaxed(&task->top));
    if (task->under != NULL)
        brolga__part(task);
    die(task, carrier);
    next = next_prepared(carrier);
    (void)leave(carrier, &carrier->dead, next, true,
                request(carrier, task, BROLGA__REQUEST_SHED));
    abort(); /* Nobody switches back. */
}

BROLGA_NORETURN static inline void end_fiber(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);
    brolga_task *next = task->under;

    die(task, carrier);
    brolga__store_relaxed(&task->carrier, NULL);
    if (brolga__likely(next != NULL)) {
        brolga__view_set_self(&next->view);
        brolga__child_end(task, carrier->worker);
    } else {
        brolga__view_set_self(NULL);
        brolga__task_end(task);
        next = next_prepared(carrier);
    }
    (void)leave(carrier, &carrier->dead, next, true,
                request(carrier, NULL, BROLGA__REQUEST_END));
    abort(); /* Nobody switches back. */
}

void brolga__fiber_end(brolga_task *task)
{
    end_fiber(task);
}

void brolga__ctx_done(void)
{
    end_fiber(brolga__self());
}

/* Leaves for `next`, which is prepared; NULL: for the carrier. */
static inline void switch_to(brolga_task *task, struct brolga__carrier *carrier,
                             brolga_task *next, enum brolga__request what)
{
    brolga__note_stack(task,
                       task->ctx.high - (uintptr_t)__builtin_frame_address(0));
    (void)serve(
        leave(carrier, &task->ctx, next, false, request(carrier, task, what)));
}

void brolga__switch_out(enum brolga__request what)
{
    brolga_task *task = brolga__self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    settle(task, carrier);
    switch_to(task, carrier, next_prepared(carrier), what);
}

/* Nobody else is ready here: a yield is a safepoint, and that is all. */
static bool stays(struct brolga__carrier *carrier)
{
    struct brolga__worker *worker = carrier->worker;

    return worker != NULL && !carrier->driven && !brolga__hard(2);
}

void brolga__yield(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);
    struct brolga__worker *worker = carrier->worker;
    brolga_task *next;

    /* If its time was up because injected ones wait, they should not wait for
     * LOOK_EVERY slices more. */
    if (brolga__unlikely(worker != NULL &&
                         brolga__load_relaxed(&worker->preempt)))
        worker->since_look = LOOK_EVERY;
    settle(task, carrier);
    next = next_prepared(carrier);
    if (brolga__unlikely(next == NULL) && stays(carrier)) {
        brolga__store_relaxed(&worker->preempt, false);
        brolga__safepoint_here(task);
        return;
    }
    switch_to(task, carrier, next, BROLGA__REQUEST_YIELD);
}

void brolga_yield(void)
{
    brolga_task *task = brolga__self();

    if (task->is_fiber)
        brolga__yield(task);
    else
        brolga__safepoint_here(task);
}

/* --- carriers ----------------------------------------------------------- */

/* The carrier is offline. */
static void sleep_until_woken(struct brolga__carrier *carrier)
{
    while (brolga__load_acquire(&carrier->wake) == 0) /* T: carrier_wake */
        (void)brolga__plat_wait(&carrier->wake, 0, BROLGA_FOREVER);
    brolga__store_relaxed(&carrier->wake, 0);
    brolga__store_relaxed(&carrier->rt->clock_ns, brolga__plat_now_ns());
    brolga_epoch_online(carrier->member);
}

/* To sleep with the worker, or, without one, as a spare carrier. */
static void rest(struct brolga__carrier *carrier)
{
    struct brolga *rt = carrier->rt;
    bool stopping;

    (void)pthread_mutex_lock(&rt->idle_lock);
    stopping = brolga__load_relaxed(&rt->stopping);
    if (!stopping && carrier->worker != NULL) {
        idle_push(carrier->worker, carrier);
        carrier->worker = NULL;
    } else if (!stopping) {
        carrier->spare = rt->spares;
        rt->spares = carrier;
    }
    (void)pthread_mutex_unlock(&rt->idle_lock);
    if (stopping)
        return;
    if (work_visible(rt))
        brolga__wake_one(rt);
    else
        brolga__deadlock_idle(rt);
    brolga_epoch_offline(carrier->member);
    sleep_until_woken(carrier);
}

static void *carrier_main(void *arg)
{
    struct brolga__carrier *carrier = arg;
    struct brolga *rt = carrier->rt;
    struct brolga__signal_stack signals;
    brolga_task *task;

    brolga__plat_thread_name("brolga-worker");
    brolga__signal_stack_enter(rt, &signals);
    brolga__carrier_set_self(carrier);
    brolga__ctx_init_thread(&carrier->ctx);
    brolga__store_relaxed(&carrier->thread_number,
                          (uint32_t)brolga__plat_thread_id());
    sleep_until_woken(carrier);
    while (!brolga__load_relaxed(&rt->stopping)) {
        task = carrier->worker == NULL ? NULL : find_task(carrier);
        if (task != NULL)
            run_task(carrier, task);
        else
            rest(carrier);
    }
    brolga__signal_stack_leave(rt, &signals);
    brolga_epoch_leave(carrier->member);
    return NULL;
}

/* --- foreign code ------------------------------------------------------- */

void brolga__worker_release(struct brolga__carrier *carrier)
{
    struct brolga *rt = carrier->rt;
    brolga_task *handed = take_next(carrier->worker);

    /* S: into sight, for nobody looks at slots before a sleep. */
    if (handed != NULL)
        push(carrier->worker, handed, false);
    brolga__store_relaxed(&carrier->worker->until_ns, BROLGA_FOREVER);
    (void)pthread_mutex_lock(&rt->idle_lock);
    idle_push(carrier->worker, NULL);
    carrier->worker = NULL;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    if (work_visible(rt)) /* S: as in rest() */
        brolga__wake_one(rt);
    else
        brolga__deadlock_idle(rt);
}

bool brolga__worker_acquire(struct brolga__carrier *carrier)
{
    struct brolga *rt = carrier->rt;
    struct brolga__worker *worker;

    (void)pthread_mutex_lock(&rt->idle_lock);
    worker = idle_pop(rt);
    if (worker != NULL) {
        struct brolga__carrier *sleeper = worker->carrier;

        worker->carrier = NULL;
        carrier->worker = worker;
        if (sleeper != NULL) { /* It sleeps on, as a spare. */
            sleeper->spare = rt->spares;
            rt->spares = sleeper;
        }
    }
    (void)pthread_mutex_unlock(&rt->idle_lock);
    if (worker != NULL)
        brolga__reclaimer_watch(rt);
    return worker != NULL;
}

/* --- a host's thread as a carrier --------------------------------------- */

uint64_t brolga_drive(brolga *rt, uint64_t deadline_ns)
{
    struct brolga__carrier carrier = {.rt = rt, .driven = true};
    struct brolga__signal_stack signals;
    uint64_t runs = 0;
    brolga_task *task;

    if (brolga__carrier_self() != NULL || brolga__self() != NULL ||
        brolga_epoch_join(rt->epoch, &carrier.member) != BROLGA_OK)
        return 0;
    (void)brolga__add_relaxed(&rt->threads, 1);
    brolga__drives_watch(rt);
    if (brolga__worker_acquire(&carrier)) {
        brolga__carrier_set_self(&carrier);
        brolga__ctx_init_thread(&carrier.ctx);
        brolga__store_relaxed(&rt->clock_ns, brolga__plat_now_ns());
        brolga__signal_stack_enter(rt, &signals);
        while (carrier.worker != NULL && (task = find_task(&carrier)) != NULL) {
            uint64_t now_ns;

            /* It may be another worker than before. */
            brolga__store_relaxed(&carrier.worker->until_ns, deadline_ns);
            run_task(&carrier, task);
            runs++;
            now_ns = brolga__plat_now_ns();
            brolga__store_relaxed(&rt->clock_ns, now_ns);
            if (now_ns >= deadline_ns)
                break;
        }
        brolga__signal_stack_leave(rt, &signals);
        brolga__carrier_set_self(NULL);
        if (carrier.worker != NULL)
            brolga__worker_release(&carrier);
    }
    brolga_epoch_leave(carrier.member);
    (void)brolga__sub_release(&rt->threads, 1); /* AA: load in destroy */
    brolga__plat_wake(&rt->threads, 1);
    return runs;
}

/* --- start and stop ----------------------------------------------------- */

static int worker_init(struct brolga *rt, uint32_t number)
{
    struct brolga__worker *worker = &rt->workers[number];
    int err = brolga__runq_init(&worker->queue);

    worker->rt = rt;
    worker->number = number;
    worker->seed = number * UINT32_C(2654435761) + 1;
    worker->stock.size_class = brolga__stack_class(rt->opts.stack_bytes);
    brolga__store_relaxed(&worker->until_ns, BROLGA_FOREVER);
    idle_push(worker, NULL);
    return err;
}

int brolga__workers_start(struct brolga *rt)
{
    (void)pthread_mutex_init(&rt->inject_lock, NULL);
    (void)pthread_mutex_init(&rt->idle_lock, NULL);
    rt->workers = brolga__alloc_line(rt->worker_count * sizeof *rt->workers);
    if (rt->workers == NULL)
        return BROLGA_ENOMEM;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (worker_init(rt, i) != BROLGA_OK)
            return BROLGA_ENOMEM;
    if (rt->opts.workers == BROLGA_NO_WORKERS)
        return BROLGA_OK;
    /* Threads are made now, so that want of them shows at creation. */
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct brolga__carrier *carrier = carrier_create(rt);

        if (carrier == NULL)
            return BROLGA_ELIMIT;
        carrier->spare = rt->spares;
        rt->spares = carrier;
    }
    return BROLGA_OK;
}

void brolga__workers_stop(struct brolga *rt)
{
    struct brolga__carrier *carrier, *next;

    /* `stopping` is set: whoever takes the lock after this sees it, so nobody
     * goes to sleep any more. */
    (void)pthread_mutex_lock(&rt->idle_lock);
    (void)pthread_mutex_unlock(&rt->idle_lock);
    for (carrier = rt->carriers; carrier != NULL; carrier = carrier->next)
        carrier_wake(carrier);
    for (carrier = rt->carriers; carrier != NULL; carrier = next) {
        next = carrier->next;
        (void)pthread_join(carrier->thread, NULL);
        brolga__free(carrier);
    }
    for (uint32_t i = 0; rt->workers != NULL && i < rt->worker_count; i++)
        brolga__runq_fini(&rt->workers[i].queue);
    brolga__free(rt->workers);
    (void)pthread_mutex_destroy(&rt->inject_lock);
    (void)pthread_mutex_destroy(&rt->idle_lock);
}
