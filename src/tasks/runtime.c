/*
 * Runtimes: creation, destruction, and the reclaimer's thread, which also
 * takes the time of running tasks. In a runtime without workers it does only
 * that, and starts with the first drive: the rest is for its host to do, by
 * brolga_reclaim_step().
 */
#include "tasks/tasks.h"

#include "alloc.h"
#include "plat.h"
#include "shield.h"
#include "tasks/hard.h"

/* While something waits to be reclaimed the reclaimer looks again after a
 * pause that doubles from the first to the second. */
#define PAUSE_FIRST     (100 * BROLGA_US)
#define PAUSE_LAST      (20 * BROLGA_MS)
/* While commits follow upon each other faster than one is done with, a pause
 * is no longer than this, nor do they end it. */
#define PAUSE_PRESSED   (2 * BROLGA_MS)
/* Limits of tasks up to here are kept to the task; beyond, workers keep some
 * records in stock. */
#define TASKS_MAX_EXACT 65536
/* How long a task may run while others wait for its worker. */
#define TIME_SLICE      (10 * BROLGA_MS)

/* --- the reclaimer ------------------------------------------------------ */

/*
 * The reclaimer rests while nothing waits. Who has something for it adds to
 * reclaim_word, then looks whether it rests; it says that it rests, then looks
 * at the word again (edge Z: both are sequentially consistent, so that one
 * sees the other).
 */
static void wake_reclaimer(struct brolga *rt, uint32_t if_rests)
{
    (void)brolga__add_seq_cst(&rt->reclaim_word, 1);            /* Z */
    if (brolga__load_seq_cst(&rt->reclaimer_rests) >= if_rests) /* Z */
        brolga__plat_wake(&rt->reclaim_word, 1);
}

void brolga__reclaimer_notify(void *arg)
{
    wake_reclaimer(arg, BROLGA__RESTS_TIMED);
}

void brolga__reclaimer_watch(struct brolga *rt)
{
    if (brolga__load_seq_cst(&rt->reclaimer_rests) == BROLGA__RESTS_FOR_EVER)
        wake_reclaimer(rt, BROLGA__RESTS_FOR_EVER);
}

/* Whether the worker's task has run since the last look. */
static bool overruns(struct brolga__worker *worker)
{
    uint64_t turns = brolga__load_relaxed(&worker->turns);
    bool same = turns == worker->turns_seen;

    worker->turns_seen = turns;
    return same;
}

/* Whether the one who drives it is to return by now. */
static bool is_overdue(struct brolga__worker *worker, uint64_t now_ns)
{
    return brolga__load_relaxed(&worker->until_ns) <= now_ns;
}

/* Whether others wait for the worker. */
static bool is_wanted(struct brolga__worker *worker)
{
    return brolga__runq_count(&worker->queue) > 0 ||
           brolga__load_relaxed(&worker->next) != NULL ||
           brolga__load_relaxed(&worker->rt->injected) > 0;
}

/* Whether tasks were run in joins for the first time since it was asked. */
static bool has_joiners(struct brolga__worker *worker)
{
    uint64_t nested = brolga__load_relaxed(&worker->nested);
    bool more = nested != worker->nested_seen;

    worker->nested_seen = nested;
    return more;
}

/* Tasks whose time is up while others wait, or their driver is to return, are
 * asked to yield. Those who run them in joins are parted from them: they may
 * have been canceled. */
static void watch_time_slices(struct brolga *rt, uint64_t now_ns)
{
    bool wanted = false, overdue = false, joined = false, forks = false;

    for (uint32_t i = 0; i < rt->worker_count; i++) {
        struct brolga__worker *worker = &rt->workers[i];
        bool by_others, by_driver;

        if (!overruns(worker))
            continue;
        by_others = is_wanted(worker);
        by_driver = is_overdue(worker, now_ns);
        if (by_others || by_driver)
            brolga__store_relaxed(&worker->preempt, true);
        wanted |= by_others;
        overdue |= by_driver;
        joined |= has_joiners(worker);
        forks |= !brolga__forks_empty(&worker->forks);
    }
    if (wanted || overdue || joined) /* Sends every poll to its slow path. */
        (void)brolga__epoch_begin_round(rt->epoch);
    if (wanted || forks) /* Someone may take over what waits. */
        brolga__wake_one(rt);
}

/* Whether somebody might overrun a time slice. */
static bool busy(struct brolga *rt)
{
    return brolga__load_seq_cst(&rt->idle_count) < rt->worker_count;
}

/* Whether a task was switched to since it was asked. */
static bool has_run(struct brolga *rt)
{
    uint64_t turns = 0;
    bool more;

    for (uint32_t i = 0; i < rt->worker_count; i++)
        turns += brolga__load_relaxed(&rt->workers[i].turns);
    more = turns != rt->turns_seen;
    rt->turns_seen = turns;
    return more;
}

/* Whether somebody was to be woken and could not. */
static bool was_refused(struct brolga *rt)
{
    uint32_t refused = brolga__load_relaxed(&rt->refused); /* Z */
    bool more = refused != rt->refused_seen;

    rt->refused_seen = refused;
    return more;
}

struct slices {
    uint64_t end_ns; /* Of this one. */
    bool active;     /* In the last one some task ran. */
};

/* Returns when to look again. After a slice in which nothing ran, nor should
 * have, not before somebody gets busy: so those who do so for some microseconds
 * at a time, again and again, wake us once a slice and not every time. */
static uint64_t watch(struct brolga *rt, struct slices *slices, uint64_t now_ns)
{
    if (now_ns >= slices->end_ns) {
        watch_time_slices(rt, now_ns);
        slices->active = has_run(rt);
        slices->end_ns = now_ns + TIME_SLICE;
    }
    slices->active |= was_refused(rt);
    return slices->active || busy(rt) ? slices->end_ns : BROLGA_FOREVER;
}

/* Without workers the host's steps see to that (brolga_reclaim_step). */
static uint64_t trim_due(struct brolga *rt, uint64_t now_ns)
{
    uint64_t due_ns;

    if (rt->opts.workers == BROLGA_NO_WORKERS)
        return BROLGA_FOREVER;
    brolga__reclaim_pause(rt->got);
    due_ns = brolga__trim_due(rt, now_ns);
    brolga__reclaim_resume(rt->got);
    return due_ns;
}

struct pace {
    uint64_t pause_ns; /* The next one, while something waits. */
    bool pressed;      /* News came before the last was done with. */
};

/* News that comes after a long pause finds us as wide awake as the first. */
static void set_pace(struct pace *pace, bool waiting, bool news)
{
    uint64_t longest_ns = PAUSE_LAST;

    pace->pressed =
        waiting && news && (pace->pressed || pace->pause_ns <= PAUSE_PRESSED);
    if (pace->pressed)
        longest_ns = PAUSE_PRESSED;
    pace->pause_ns = !waiting || (news && !pace->pressed)
                         ? PAUSE_FIRST
                         : brolga__earlier(pace->pause_ns * 2, longest_ns);
}

/* Sleeps until `wake_ns`, whatever comes; nobody wakes us for it. */
static void rest_briefly(struct brolga *rt, uint64_t wake_ns)
{
    brolga__store_relaxed(&rt->reclaimer_rests, BROLGA__RESTS_BRIEFLY);
    (void)brolga__plat_wait(&rt->reclaim_word,
                            brolga__load_relaxed(&rt->reclaim_word), wake_ns);
    brolga__store_relaxed(&rt->reclaimer_rests, BROLGA__AWAKE);
}

/* Sleeps until `wake_ns`, or until someone adds to the word seen. */
static void take_rest(struct brolga *rt, uint32_t seen, uint64_t now_ns,
                      uint64_t wake_ns)
{
    enum brolga__rest rest = wake_ns > now_ns + TIME_SLICE
                                 ? BROLGA__RESTS_FOR_EVER
                                 : BROLGA__RESTS_TIMED;

    (void)brolga__swap_seq_cst(&rt->reclaimer_rests, rest); /* Z */
    if (rest == BROLGA__RESTS_FOR_EVER) {
        now_ns = brolga__plat_now_ns();
        /* A worker that got busy before it could see us rest. */
        if (busy(rt))
            wake_ns = brolga__earlier(wake_ns, now_ns + TIME_SLICE);
        /* Or one that was, and whose tasks have parked. */
        wake_ns = brolga__earlier(wake_ns, trim_due(rt, now_ns));
    }
    if (brolga__load_seq_cst(&rt->reclaim_word) == seen) /* Z */
        (void)brolga__plat_wait(&rt->reclaim_word, seen, wake_ns);
    brolga__store_relaxed(&rt->reclaimer_rests, BROLGA__AWAKE);
}

static void *reclaimer_main(void *arg)
{
    struct brolga *rt = arg;
    struct slices slices = {.end_ns = 0};
    struct pace pace = {PAUSE_FIRST, false};

    brolga__plat_thread_name("brolga-reclaim");
    while (!brolga__load_acquire(&rt->stopping)) {
        uint32_t seen = brolga__load_seq_cst(&rt->reclaim_word); /* Z */
        bool hard = brolga__stress_step(rt);
        bool waiting = hard ? brolga__got_reclaim(rt->got)
                            : brolga__got_reclaim_sparingly(rt->got);
        uint64_t now = brolga__plat_now_ns(), wake_ns;

        brolga__store_relaxed(&rt->clock_ns, now);
        wake_ns = brolga__look_for_stuck(rt, now);
        wake_ns = brolga__earlier(wake_ns, brolga__look_for_deadlock(rt, now));
        wake_ns = brolga__earlier(wake_ns, brolga__stalls_look(rt, now));
        wake_ns = brolga__earlier(wake_ns, brolga__trim(rt, now));
        wake_ns = brolga__earlier(wake_ns, watch(rt, &slices, now));
        if (waiting)
            wake_ns = brolga__earlier(wake_ns, now + pace.pause_ns);
        if (pace.pressed && waiting)
            rest_briefly(rt, wake_ns);
        else
            take_rest(rt, seen, now, wake_ns);
        set_pace(&pace, waiting && !hard,
                 brolga__load_relaxed(&rt->reclaim_word) != seen);
    }
    return NULL;
}

static void *watcher_main(void *arg)
{
    struct brolga *rt = arg;
    struct slices slices = {.end_ns = 0};

    brolga__plat_thread_name("brolga-watch");
    while (!brolga__load_acquire(&rt->stopping)) {
        uint32_t seen = brolga__load_seq_cst(&rt->reclaim_word); /* Z */
        uint64_t now = brolga__plat_now_ns();

        take_rest(rt, seen, now, watch(rt, &slices, now));
    }
    return NULL;
}

/* Without a thread nobody is interrupted, and the next drive tries again. */
void brolga__drives_watch(struct brolga *rt)
{
    bool watched = false;

    if (rt->opts.workers == BROLGA_NO_WORKERS &&
        !brolga__load_relaxed(&rt->watched) &&
        brolga__cas_seq_cst(&rt->watched, &watched, true)) {
        /* Who destroys the runtime waits for the drive, and sees it (AA). */
        rt->has_reclaimer =
            brolga__plat_thread_start(&rt->reclaimer, NULL, watcher_main, rt);
        if (!rt->has_reclaimer)
            brolga__store_relaxed(&rt->watched, false);
    }
}

static void on_event(void *arg, const char *unit, uint64_t version,
                     uint64_t after_ns)
{
    struct brolga *rt = arg;
    struct brolga_event event = {.kind = unit == NULL ? BROLGA_EVENT_ADOPTED
                                                      : BROLGA_EVENT_RELEASED,
                                 .version = version,
                                 .unit = unit,
                                 .after_ns = after_ns};

    if (rt->opts.on_event != NULL)
        rt->opts.on_event(rt->opts.arg, &event);
}

bool brolga_reclaim_step(brolga *rt)
{
    uint64_t now_ns = brolga__plat_now_ns();
    bool waiting;

    brolga__store_relaxed(&rt->clock_ns, now_ns);
    (void)brolga__look_for_stuck(rt, now_ns);
    (void)brolga__trim(rt, now_ns);
    (void)brolga__stress_step(rt);
    brolga__shield_raise(); /* on_event() and units' release() under a lock. */
    waiting = brolga__got_reclaim(rt->got);
    brolga__shield_lower();
    if (rt->opts.workers == BROLGA_NO_WORKERS) /* Else the reclaimer tells. */
        (void)brolga__stalls_look(rt, now_ns);
    return waiting;
}

/* --- creation and destruction ------------------------------------------- */

static void defaults(struct brolga *rt, const struct brolga_opts *opts)
{
    if (opts != NULL)
        rt->opts = *opts;
    if (rt->opts.stack_bytes == 0)
        rt->opts.stack_bytes = (size_t)256 << 10;
    if (rt->opts.tasks_max == 0)
        rt->opts.tasks_max = 1u << 24;
    rt->counts_exactly = rt->opts.tasks_max <= TASKS_MAX_EXACT;
    if (rt->opts.blocking_threads == 0)
        rt->opts.blocking_threads = 4;
    if (rt->opts.cleanup_ns == 0)
        rt->opts.cleanup_ns = BROLGA_S;
    if (rt->opts.cancel_grace_ns == 0)
        rt->opts.cancel_grace_ns = BROLGA_S;
    if (rt->opts.stall_ns == 0)
        rt->opts.stall_ns = 10 * BROLGA_S;
    if (rt->opts.workers == BROLGA_NO_WORKERS) /* The caller acts. */
        rt->opts.deadlocks = BROLGA_DEADLOCKS_OFF;
    rt->worker_count = rt->opts.workers;
    if (rt->worker_count == 0 || rt->worker_count == BROLGA_NO_WORKERS)
        rt->worker_count = brolga__plat_cpus();
}

/* Memory of values is charged to the task that runs. */
static struct brolga__account *find_account(void)
{
    brolga_task *task = brolga__self();

    return task == NULL ? NULL : &task->values;
}

static void init_tasks(struct brolga *rt)
{
    brolga__account_by(find_account);
    (void)pthread_mutex_init(&rt->free_lock, NULL);
    brolga__stacks_init(&rt->stacks);
    brolga__timers_init(&rt->timers);
    brolga__pool_init(&rt->pool, rt->opts.blocking_threads);
    (void)pthread_mutex_init(&rt->io_lock, NULL);
    brolga__scopes_init(rt);
    brolga__store_relaxed(&rt->stuck_at_ns, BROLGA_FOREVER);
    rt->trim.due_ns = BROLGA_FOREVER;
    brolga__store_relaxed(&rt->clock_ns, brolga__plat_now_ns());
}

static void fini_tasks(struct brolga *rt)
{
    (void)pthread_mutex_destroy(&rt->io_lock);
    brolga__pool_fini(&rt->pool);
    brolga__timers_fini(&rt->timers);
    brolga__scopes_fini(rt);
    brolga__stacks_fini(&rt->stacks);
    brolga__records_fini(rt);
    (void)pthread_mutex_destroy(&rt->free_lock);
}

static int init_got(struct brolga *rt)
{
    int err = brolga__stress_open(rt);

    if (err != BROLGA_OK)
        return err;
    err = brolga_epoch_create(&rt->epoch);
    if (err != BROLGA_OK)
        goto fail;
    err = brolga_got_create(rt->epoch, &rt->opts.got, &rt->got);
    if (err != BROLGA_OK) {
        (void)brolga_epoch_destroy(rt->epoch);
        goto fail;
    }
    rt->got->stacks.look = brolga__scan_look;
    rt->got->stacks.event = on_event;
    rt->got->stacks.notify = brolga__reclaimer_notify;
    rt->got->stacks.wait_begin = brolga__barrier_wait_begin;
    rt->got->stacks.wait_end = brolga__barrier_wait_end;
    rt->got->stacks.blame = brolga__barrier_blame;
    rt->got->stacks.stays = brolga__barrier_stays;
    rt->got->stacks.run = brolga__errand_run;
    rt->got->stacks.arg = rt;
    return BROLGA_OK;
fail:
    brolga__stress_close(rt);
    return err;
}

/* Threads that wake tasks go first, then the reclaimer, which looks at the
 * workers. */
static void stop_threads(struct brolga *rt)
{
    struct brolga__io *io = brolga__load_relaxed(&rt->io);
    uint32_t threads;

    if (io != NULL)
        rt->io_stop(io);
    brolga__pool_stop(&rt->pool);
    while ((threads = brolga__load_acquire(&rt->threads)) != 0) /* AA */
        (void)brolga__plat_wait(&rt->threads, threads, BROLGA_FOREVER);
    brolga__store_release(&rt->stopping, true); /* AB: loads in the loops */
    if (rt->has_reclaimer) {
        brolga__reclaimer_notify(rt);
        (void)pthread_join(rt->reclaimer, NULL);
    }
    brolga__workers_stop(rt);
}

static void fini(struct brolga *rt)
{
    fini_tasks(rt);
    brolga__traps_close(rt);
    brolga_got_destroy(rt->got);
    (void)brolga_epoch_destroy(rt->epoch);
    brolga__stress_close(rt);
    brolga__free(rt);
}

int brolga_create(const struct brolga_opts *opts, brolga **out)
{
    struct brolga *rt = brolga__alloc_line(sizeof *rt);
    int err;

    if (rt == NULL)
        return BROLGA_ENOMEM;
    brolga__hard_init();
    defaults(rt, opts);
    err = init_got(rt);
    if (err != BROLGA_OK) {
        brolga__free(rt);
        return err;
    }
    init_tasks(rt);
    brolga__traps_open(rt);
    err = brolga__workers_start(rt);
    if (err != BROLGA_OK) {
        stop_threads(rt);
        goto fail;
    }
    if (rt->opts.workers != BROLGA_NO_WORKERS)
        rt->has_reclaimer =
            brolga__plat_thread_start(&rt->reclaimer, NULL, reclaimer_main, rt);
    if (!rt->has_reclaimer && rt->opts.workers != BROLGA_NO_WORKERS) {
        stop_threads(rt);
        err = BROLGA_ELIMIT;
        goto fail;
    }
    *out = rt;
    return BROLGA_OK;

fail:
    fini(rt);
    return err;
}

int brolga_destroy(brolga *rt)
{
    if (brolga_tasks_live(rt) > 0) /* X */
        return BROLGA_EBUSY;
    stop_threads(rt);
    fini(rt);
    return BROLGA_OK;
}

brolga_got *brolga_runtime_got(brolga *rt)
{
    return rt->got;
}

uint32_t brolga_workers(brolga *rt)
{
    return rt->worker_count;
}
