/*
 * Workers and carriers: who runs which task, and how idle ones sleep.
 *
 * A worker that finds nothing searches for a while (it steals, and looks at
 * the injected tasks); then its carrier sleeps with it. At most one searcher is
 * woken at a time: it wakes the next one when it has found something.
 *
 *   S  No task is left behind while a worker sleeps. Who pushes: push (seq_cst
 *      RMW of a tail or of `injected`), then look at `idle_count` and
 *      `searching`. Who goes to sleep: count itself idle and stop searching
 *      (seq_cst RMWs), then look at every queue. In the one order of these
 *      operations one of the two is first, so the other one sees it.
 *      tests/model/idle.pml checks this.
 *   T  A woken carrier sees its worker: release store of carrier->wake ->
 *      acquire load in sleep_until_woken().
 *   U  An injected task is seen whole: inject_lock.
 */
#include "tasks/runq.h"
#include "tasks/tasks.h"

#include "alloc.h"
#include "arch.h"
#include "plat.h"

#include <stdio.h>

/* How often a searcher looks everywhere before it sleeps: about 50 us, which
 * is what waking a sleeping thread costs on a virtual machine. */
#define SEARCH_ROUNDS   64
#define RELAX_PER_ROUND 32
/* Tasks that a worker runs between two looks at the injected ones. */
#define LOOK_EVERY      61

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
        if (!brolga__runq_empty(&rt->workers[i])) /* S */
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
    if (brolga_epoch_join(rt->epoch, &carrier->member) != BROLGA_OK)
        goto fail;
    if (pthread_create(&carrier->thread, NULL, carrier_main, carrier) != 0) {
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
    } else {
        (void)brolga__sub_seq_cst(&rt->searching, 1);
    }
    return worker != NULL;
}

/*
 * After a push: if someone sleeps and nobody searches, wake a searcher. Whoever
 * finds that there was nobody to wake looks again: while it was counted as a
 * searcher, another pusher may have relied on it.
 */
static void wake_one(struct brolga *rt)
{
    uint32_t none;

    if (rt->opts.workers == BROLGA_NO_WORKERS) /* The host's threads drive. */
        return;
    do {
        if (brolga__load_seq_cst(&rt->idle_count) == 0 || /* S */
            brolga__load_seq_cst(&rt->searching) != 0)    /* S */
            return;
        none = 0;
        if (!brolga__cas_seq_cst(&rt->searching, &none, 1))
            return;
    } while (!start_searcher(rt) && work_visible(rt));
}

void brolga__schedule(brolga_task *task)
{
    struct brolga__carrier *carrier = brolga__carrier_self();
    struct brolga *rt = task->rt;

    brolga__note_since(task);
    if (carrier == NULL || carrier->rt != rt || carrier->worker == NULL ||
        !brolga__runq_push(carrier->worker, task))
        inject(rt, task);
    wake_one(rt);
}

/* One more of what only the worker's carrier counts. */
static void count(_Atomic uint64_t *counter)
{
    brolga__store_relaxed(counter, brolga__load_relaxed(counter) + 1);
}

/* --- finding a task ----------------------------------------------------- */

static brolga_task *steal(struct brolga__worker *worker)
{
    struct brolga *rt = worker->rt;
    uint32_t start;

    /* xorshift: any order will do that is not the same for all. */
    worker->seed ^= worker->seed << 13;
    worker->seed ^= worker->seed >> 17;
    worker->seed ^= worker->seed << 5;
    start = worker->seed % rt->worker_count;
    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct brolga__worker *victim =
            &rt->workers[(start + i) % rt->worker_count];
        brolga_task *task =
            victim == worker ? NULL : brolga__runq_steal(worker, victim);

        if (task != NULL) {
            count(&worker->steals);
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
        wake_one(rt);
}

static brolga_task *search(struct brolga__carrier *carrier)
{
    struct brolga *rt = carrier->rt;
    int rounds = rt->worker_count > 1 ? SEARCH_ROUNDS : 1;

    begin_search(carrier);
    for (int i = 0; i < rounds; i++) {
        brolga_task *task = take_injected(rt);

        if (task == NULL)
            task = steal(carrier->worker);
        if (task != NULL || brolga__load_relaxed(&rt->stopping))
            return task;
        for (int j = 0; j < RELAX_PER_ROUND; j++)
            brolga__cpu_relax();
        /* A searcher calls through no view: let grace periods pass. */
        brolga_epoch_quiesce(carrier->member);
    }
    return NULL;
}

static brolga_task *find_task(struct brolga__carrier *carrier)
{
    struct brolga__worker *worker = carrier->worker;
    brolga_task *task = NULL;

    if (++worker->since_look >= LOOK_EVERY) {
        worker->since_look = 0;
        task = take_injected(worker->rt);
    }
    if (task == NULL)
        task = brolga__runq_pop(worker);
    if (task == NULL)
        task = search(carrier);
    end_search(carrier, task != NULL);
    return task;
}

/* --- running a task ----------------------------------------------------- */

static void fiber_main(void *arg)
{
    brolga_task *task = arg;

    brolga__ctx_entered(&task->ctx);
    task->result = brolga__task_call(task);
    brolga__switch_out(BROLGA__REQUEST_END);
}

/* A task gets its stack when it first runs. */
static bool give_stack(brolga_task *task)
{
    struct brolga *rt = task->rt;
    int err = brolga__stack_take(&rt->stacks, task->stack_bytes, &task->stack);

    if (err != BROLGA_OK) {
        task->failed = true;
        task->failed_by = BROLGA_FAILURE_NO_STACK;
        (void)snprintf(task->message, sizeof task->message,
                       "no stack for the task: %s", brolga_strerror(err));
        return false;
    }
    brolga__ctx_init(&task->ctx, task->stack.low, task->stack.high, fiber_main,
                     task);
    brolga__store_relaxed(&task->watermark, brolga__got_stamp(rt->got));
    return true;
}

static void end_fiber(brolga_task *task)
{
    brolga__unregister(task);
    brolga__ctx_fini(&task->ctx);
    brolga__stack_put(&task->rt->stacks, &task->stack);
    brolga__task_end(task);
}

/* Behind all others. A task that is alone need not wake anyone for itself. */
static void yield(brolga_task *task, struct brolga__carrier *carrier)
{
    bool alone = brolga__runq_empty(carrier->worker);

    /* Its time was up because others wait: if it is the injected ones, they
     * should not wait for LOOK_EVERY slices more. */
    if (brolga__load_relaxed(&carrier->worker->preempt))
        carrier->worker->since_look = LOOK_EVERY;
    if (!brolga__runq_push(carrier->worker, task))
        inject(task->rt, task);
    if (!alone)
        wake_one(task->rt);
}

static void park(brolga_task *task)
{
    uint32_t permit = BROLGA__RUNNING;

    if (brolga__cas_acq_rel(&task->permit, &permit,
                            BROLGA__PARKED)) /* M: notify, look_at_parked */
        return; /* From here on the task may be running elsewhere. */
    /* It was notified meanwhile: an ordinary unpark (L). */
    brolga__assert(permit == BROLGA__NOTIFIED);
    (void)brolga__swap_acq_rel(&task->permit, BROLGA__RUNNING);
    brolga__schedule(task);
}

static void serve(brolga_task *task, struct brolga__carrier *carrier)
{
    switch (carrier->request) {
    case BROLGA__REQUEST_PARK:
        count(&carrier->worker->parks);
        park(task);
        break;
    case BROLGA__REQUEST_END:
        end_fiber(task);
        break;
    case BROLGA__REQUEST_YIELD:
        yield(task, carrier);
        break;
    case BROLGA__REQUEST_REQUEUE: /* The carrier has no worker. */
        brolga__schedule(task);
        break;
    }
}

static void run_task(struct brolga__carrier *carrier, brolga_task *task)
{
    struct brolga__worker *worker = carrier->worker;

    if (task->ctx.sp == 0 && !give_stack(task)) {
        brolga__unregister(task);
        brolga__task_end(task);
        return;
    }
    brolga__store_relaxed(&worker->preempt, false);
    count(&worker->runs);
    brolga__note_since(task);
    carrier->task = task;
    brolga__store_relaxed(&task->carrier, carrier);
    brolga__task_refresh(task, carrier->member,
                         brolga__load_relaxed(&task->top), task->ctx.sp);
    brolga__view_set_self(&task->view);
    brolga__ctx_switch(&carrier->ctx, &task->ctx, false);
    brolga__view_set_self(NULL);
    brolga__note_stack(task, task->ctx.high - task->ctx.sp);
    carrier->task = NULL;
    brolga__store_relaxed(&task->carrier, NULL);
    serve(task, carrier);
}

void brolga__switch_out(enum brolga__request request)
{
    brolga_task *task = brolga_self();
    struct brolga__carrier *carrier = brolga__load_relaxed(&task->carrier);

    carrier->request = request;
    brolga__ctx_switch(&task->ctx, &carrier->ctx,
                       request == BROLGA__REQUEST_END);
}

void brolga_yield(void)
{
    brolga_task *task = brolga_self();

    if (task->kind == BROLGA__FIBER)
        brolga__switch_out(BROLGA__REQUEST_YIELD);
    else
        brolga__safepoint_here(task);
}

/* --- carriers ----------------------------------------------------------- */

static void sleep_until_woken(struct brolga__carrier *carrier)
{
    brolga_epoch_offline(carrier->member);
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
        wake_one(rt);
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

    (void)pthread_mutex_lock(&rt->idle_lock);
    idle_push(carrier->worker, NULL);
    carrier->worker = NULL;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    if (work_visible(rt)) /* S: as in rest() */
        wake_one(rt);
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

    if (brolga__carrier_self() != NULL || brolga_self() != NULL ||
        brolga_epoch_join(rt->epoch, &carrier.member) != BROLGA_OK)
        return 0;
    (void)brolga__add_relaxed(&rt->threads, 1);
    if (brolga__worker_acquire(&carrier)) {
        brolga__carrier_set_self(&carrier);
        brolga__ctx_init_thread(&carrier.ctx);
        brolga__store_relaxed(&rt->clock_ns, brolga__plat_now_ns());
        brolga__signal_stack_enter(rt, &signals);
        while (carrier.worker != NULL && (task = find_task(&carrier)) != NULL) {
            uint64_t now_ns;

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

static void worker_init(struct brolga *rt, uint32_t number)
{
    struct brolga__worker *worker = &rt->workers[number];

    worker->rt = rt;
    worker->number = number;
    worker->seed = number * UINT32_C(2654435761) + 1;
    idle_push(worker, NULL);
}

int brolga__workers_start(struct brolga *rt)
{
    (void)pthread_mutex_init(&rt->inject_lock, NULL);
    (void)pthread_mutex_init(&rt->idle_lock, NULL);
    rt->workers = brolga__alloc_line(rt->worker_count * sizeof *rt->workers);
    if (rt->workers == NULL)
        return BROLGA_ENOMEM;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        worker_init(rt, i);
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
    brolga__free(rt->workers);
    (void)pthread_mutex_destroy(&rt->inject_lock);
    (void)pthread_mutex_destroy(&rt->idle_lock);
}
