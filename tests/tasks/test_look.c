/*
 * Goal: what is shown of tasks and workers is so; a canceled task that goes on
 * is named, and only such a one.
 * Method: tasks that the test holds in each state; a grace period of some
 * milliseconds, and an ear for what is told.
 */
#include "tasks/world.h"

#include <pthread.h>
#include <string.h>

static struct brolga_task_info seen[16];
static size_t seen_count;

static void note(void *arg, const struct brolga_task_info *info)
{
    (void)arg;
    if (seen_count < brolga__lengthof(seen))
        seen[seen_count++] = *info;
}

/* What is shown of a task; NULL if it is not. */
static const struct brolga_task_info *shown(uint64_t id)
{
    seen_count = 0;
    (void)brolga_tasks_each(rt, note, NULL);
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i].id == id)
            return &seen[i];
    return NULL;
}

static bool shown_as(brolga_task *task, enum brolga_task_state state)
{
    const struct brolga_task_info *info = shown(brolga_task_id(task));

    return info != NULL && info->state == state;
}

Test(look, each_state_is_shown, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct gate parks = {0}, blocks = {0}, spins[2] = {{0}, {0}};
    struct gate ready = {0};
    brolga_task *parked = spawned(gate_park, &parks);
    brolga_task *blocked = spawned(gate_block, &blocks);
    brolga_task *running[2], *fresh, *threaded;
    struct gate thread_gate = {0};

    cr_assert(gate_reached(&parks) && gate_reached(&blocks));
    threaded = spawned_as(gate_park, &thread_gate,
                          &(struct brolga_spawn_opts){.thread = true});
    cr_assert(gate_reached(&thread_gate));
    /* Both workers are kept busy, so that nobody else gets one. */
    for (int i = 0; i < 2; i++)
        running[i] = spawned(gate_spin, &spins[i]);
    cr_assert(gate_reached(&spins[0]) && gate_reached(&spins[1]));
    fresh = spawned(gate_park, &ready);

    cr_assert(wait_until(shown_as(parked, BROLGA_TASK_PARKED)));
    cr_assert_str_eq(shown(brolga_task_id(parked))->parked_in, "gate");
    cr_assert(wait_until(shown_as(threaded, BROLGA_TASK_PARKED)));
    cr_assert_eq(shown(brolga_task_id(threaded))->kind, BROLGA_KIND_THREAD);
    cr_assert(shown_as(blocked, BROLGA_TASK_BLOCKED));
    cr_assert(shown_as(running[0], BROLGA_TASK_RUNNING));
    cr_assert_eq(shown(brolga_task_id(running[0]))->version, 1);
    cr_assert(shown_as(fresh, BROLGA_TASK_NEW));
    cr_assert_eq(shown(brolga_task_id(fresh))->version, 0);
    gate_open_for(&parks, parked);
    cr_assert(wait_until(shown_as(parked, BROLGA_TASK_READY)));
    cr_assert_eq(brolga_tasks_each(rt, note, NULL), 6);

    gate_open(&ready);
    gate_open(&blocks);
    gate_open(&spins[0]);
    gate_open(&spins[1]);
    gate_open_for(&thread_gate, threaded);
    (void)joined(parked), (void)joined(blocked), (void)joined(fresh);
    (void)joined(running[0]), (void)joined(running[1]), (void)joined(threaded);
    cr_assert_eq(brolga_tasks_each(rt, note, NULL), 0);
}

Test(look, states_have_names, .timeout = 30)
{
    cr_assert_str_eq(brolga_task_state_name(BROLGA_TASK_NEW), "new");
    cr_assert_str_eq(brolga_task_state_name(BROLGA_TASK_READY), "ready");
    cr_assert_str_eq(brolga_task_state_name(BROLGA_TASK_RUNNING), "running");
    cr_assert_str_eq(brolga_task_state_name(BROLGA_TASK_PARKED), "parked");
    cr_assert_str_eq(brolga_task_state_name(BROLGA_TASK_BLOCKED), "blocked");
}

/* Parks below a frame of 20 KiB. */
static brolga_word park_deep(void *arg)
{
    volatile char bytes[20 << 10];

    bytes[0] = bytes[sizeof bytes - 1] = 1;
    return gate_park(arg) + bytes[0] + bytes[sizeof bytes - 1];
}

Test(look, name_stack_time_and_scope_are_shown, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct brolga_spawn_opts opts = {.name = "crane", .stack_bytes = 64 << 10};
    uint64_t before_ns = brolga_now_ns();
    brolga_task *task = spawned_as(park_deep, &gate, &opts);
    const struct brolga_task_info *info;

    cr_assert(wait_until(shown_as(task, BROLGA_TASK_PARKED)));
    info = shown(brolga_task_id(task));
    cr_assert_str_eq(info->name, "crane");
    cr_assert_eq(info->kind, BROLGA_KIND_FIBER);
    cr_assert_eq(info->scope, 0);
    cr_assert_eq(info->canceled, BROLGA_OK);
    cr_assert_eq(info->stack_bytes, 64 << 10);
#ifndef BROLGA__ASAN /* It keeps such bytes elsewhere. */
    cr_assert_gt(info->stack_used, 20 << 10);
#endif
    cr_assert_lt(info->stack_used, 64 << 10);
    cr_assert_leq(info->since_ns, brolga_now_ns());
    cr_assert_geq(info->since_ns + 10 * BROLGA_S, before_ns);
    gate_open_for(&gate, task);
    (void)joined(task);
}

struct inner {
    struct gate gate;
    brolga_task *task;
    uint64_t scope;
};

static brolga_word open_one(void *arg)
{
    struct inner *inner = arg;
    brolga_scope *scope;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK ||
        brolga_spawn(brolga_runtime(), gate_park, &inner->gate, NULL,
                     &inner->task) != BROLGA_OK)
        return -1;
    inner->scope = brolga_scope_id(scope);
    return brolga_scope_join(scope, NULL);
}

Test(look, the_scope_of_a_task_is_shown, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct inner inner = {.task = NULL};
    brolga_task *task = spawned(open_one, &inner);

    cr_assert(gate_reached(&inner.gate));
    cr_assert(wait_until(is_parked(task))); /* What is shown orders nothing. */
    cr_assert(shown_as(task, BROLGA_TASK_PARKED));
    cr_assert_neq(inner.scope, 0);
    cr_assert_eq(shown(brolga_task_id(inner.task))->scope, inner.scope);
    brolga_cancel(task);
    cr_assert_eq(shown(brolga_task_id(task))->canceled, BROLGA_ECANCELED);
    cr_assert_eq(shown(brolga_task_id(inner.task))->canceled, BROLGA_ECANCELED);
    gate_open_for(&inner.gate, inner.task);
    (void)joined(task);
    (void)joined(inner.task);
}

/* --- workers ------------------------------------------------------------ */

static brolga_word park_twice(void *arg)
{
    (void)arg;
    (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    return brolga_sleep_until(brolga_after_ns(BROLGA_MS));
}

Test(look, workers_count_what_they_do, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct brolga_worker_stats stats, sum = {0};

    for (int i = 0; i < 5; i++)
        (void)joined(spawned(park_twice, NULL));
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    for (uint32_t i = 0; i < brolga_workers(rt); i++) {
        cr_assert_eq(brolga_worker_stats(rt, i, &stats), BROLGA_OK);
        sum.runs += stats.runs;
        sum.parks += stats.parks;
        cr_assert_eq(stats.ready, 0);
    }
    cr_assert_eq(sum.parks, 10);
    cr_assert_geq(sum.runs, 15);
    cr_assert_eq(brolga_worker_stats(rt, brolga_workers(rt), &stats),
                 BROLGA_ENOENT);
}

static brolga_word spawn_many(void *arg)
{
    static struct gate gates[8];

    (void)arg;
    memset(gates, 0, sizeof gates);
    for (int i = 0; i < 8; i++)
        if (brolga_spawn(brolga_runtime(), gate_run, &gates[i], NULL, NULL) !=
            BROLGA_OK)
            return -1;
    /* Does not yield: who runs one has stolen it from here. */
    for (uint64_t end_ns = brolga_after_ns(WAIT_LIMIT_NS);
         brolga_now_ns() < end_ns;) {
        int arrived = 0;

        for (int i = 0; i < 8; i++)
            arrived += brolga__load_acquire(&gates[i].arrived);
        if (arrived > 0)
            break;
    }
    for (int i = 0; i < 8; i++)
        gate_open(&gates[i]);
    return 0;
}

Test(look, steals_are_counted, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    struct brolga_worker_stats stats;
    uint64_t steals = 0;

    cr_assert_eq(joined(spawned(spawn_many, NULL)), 0);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    for (uint32_t i = 0; i < brolga_workers(rt); i++) {
        cr_assert_eq(brolga_worker_stats(rt, i, &stats), BROLGA_OK);
        steals += stats.steals;
    }
    cr_assert_gt(steals, 0);
}

/* --- stuck tasks -------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    int count;
    uint64_t task, after_ns;
    char name[32], parked_in[32];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_event(void *arg, const struct brolga_event *event)
{
    (void)arg;
    if (event->kind != BROLGA_EVENT_STUCK)
        return;
    (void)pthread_mutex_lock(&told.lock);
    told.count++;
    told.task = event->task;
    told.after_ns = event->after_ns;
    (void)snprintf(told.name, sizeof told.name, "%s", event->task_name);
    (void)snprintf(told.parked_in, sizeof told.parked_in, "%s",
                   event->parked_in != NULL ? event->parked_in : "");
    (void)pthread_mutex_unlock(&told.lock);
}

static int times_told(void)
{
    int count;

    (void)pthread_mutex_lock(&told.lock);
    count = told.count;
    (void)pthread_mutex_unlock(&told.lock);
    return count;
}

static void open_with_grace(uint64_t grace_ns)
{
    told.count = 0;
    world_open_with(&(struct brolga_opts){
        .workers = 2, .cancel_grace_ns = grace_ns, .on_event = on_event});
}

static void check_stuck(brolga_task_fn fn, const char *where)
{
    struct brolga_spawn_opts opts = {.name = "mule"};
    struct gate gate = {0};
    brolga_task *task;

    open_with_grace(3 * BROLGA_MS);
    task = spawned_as(fn, &gate, &opts);
    cr_assert(gate_reached(&gate));
    brolga_cancel(task);
    cr_assert(wait_until(times_told() == 1));
    cr_assert_eq(told.task, brolga_task_id(task));
    cr_assert_str_eq(told.name, "mule");
    cr_assert_str_eq(told.parked_in, where);
    cr_assert_geq(told.after_ns, 3 * BROLGA_MS);
    gate_open(&gate);
    (void)joined(task);
    cr_assert_eq(times_told(), 1);
    world_close();
}

Test(look, c6_a_task_that_ignores_its_cancel_is_named, .timeout = 30)
{
    check_stuck(gate_run, "");
    check_stuck(gate_spin, "");
    check_stuck(gate_block, "foreign code");
}

Test(look, who_waits_for_its_tasks_is_not_named_but_they_are, .timeout = 30)
{
    struct inner inner = {.task = NULL};
    brolga_task *task;

    open_with_grace(3 * BROLGA_MS);
    task = spawned(open_one, &inner);
    cr_assert(gate_reached(&inner.gate));
    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    cr_assert(wait_until(times_told() == 1));
    cr_assert_eq(told.task, brolga_task_id(inner.task));
    gate_open_for(&inner.gate, inner.task);
    (void)joined(task);
    (void)joined(inner.task);
    cr_assert_eq(times_told(), 1);
    world_close();
}

static brolga_word obey(void *arg)
{
    (void)brolga__add_release(&((struct gate *)arg)->arrived, 1);
    return brolga_sleep_until(BROLGA_FOREVER);
}

Test(look, who_ends_in_time_is_not_named, .timeout = 30)
{
    struct gate gate = {0}, mule = {0};
    brolga_task *task, *last;

    open_with_grace(500 * BROLGA_MS);
    for (int i = 0; i < 10; i++) {
        task = spawned(obey, &gate);
        brolga_cancel(task);
        cr_assert_eq(joined(task), BROLGA_ECANCELED);
    }
    /* When this one has been named, those would have been, too. */
    last = spawned(gate_run, &mule);
    brolga_cancel(last);
    cr_assert(wait_until(times_told() >= 1));
    cr_assert_eq(told.task, brolga_task_id(last));
    cr_assert_eq(times_told(), 1);
    gate_open(&mule);
    (void)joined(last);
    world_close();
}

static brolga_word fail_now(void *arg)
{
    (void)arg;
    brolga_panic("on purpose");
}

Test(look, failed_tasks_are_counted, .init = world_open, .fini = world_close)
{
    brolga_task *task;

    (void)joined(spawned(gate_block, &(struct gate){.open = 1}));
    cr_assert_eq(brolga_tasks_failed(rt), 0);
    for (int i = 0; i < 3; i++) {
        task = spawned_as(fail_now, NULL,
                          &(struct brolga_spawn_opts){.thread = i == 2});
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL),
                     BROLGA_EFAILED);
    }
    cr_assert_eq(brolga_tasks_failed(rt), 3);
}
