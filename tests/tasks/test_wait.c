/*
 * Goal: no wake-up is lost, none is needed twice; deadlines and cancellation
 * end a park.
 * Method: the order of park and unpark both ways; then two tasks that hand a
 * turn to and fro, which stops at the first lost wake-up.
 */
#include "tasks/world.h"

Test(wait, a_parked_task_says_where_and_goes_on_when_unparked, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert(wait_until(is_parked(task)));
    cr_assert_str_eq(brolga__load_relaxed(&task->parked_in), "gate");
    brolga__unpark(task); /* For no reason: it parks again. */
    cr_assert(wait_until(is_parked(task)));
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 0);
}

struct early {
    _Atomic int stage;
    int results[3];
};

static brolga_word park_after_unpark(void *arg)
{
    struct early *early = arg;

    brolga__store_release(&early->stage, 1);
    while (brolga__load_acquire(&early->stage) != 2)
        (void)sched_yield();
    early->results[0] = brolga__park("early", BROLGA_FOREVER);
    early->results[1] = brolga__park("early", BROLGA_NOW);
    early->results[2] = brolga__park("early", brolga_after_ns(BROLGA_MS));
    return 5;
}

static void unpark_early(const struct brolga_spawn_opts *opts)
{
    struct early early = {0};
    brolga_task *task = spawned_as(park_after_unpark, &early, opts);

    cr_assert(wait_until(brolga__load_acquire(&early.stage) == 1));
    brolga__unpark(task);
    brolga__unpark(task); /* They do not add up. */
    brolga__store_release(&early.stage, 2);
    cr_assert_eq(joined(task), 5);
    cr_assert_eq(early.results[0], BROLGA_OK);
    cr_assert_eq(early.results[1], BROLGA_ETIMEOUT);
    cr_assert_eq(early.results[2], BROLGA_ETIMEOUT);
}

/* The reclaimer reads the stack: whoever wakes the task leaves it to it. */
Test(wait, an_unpark_during_a_scan_is_left_to_the_scanner, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);
    uint32_t permit = BROLGA__PARKED;

    cr_assert(wait_until(is_parked(task)));
    cr_assert(brolga__cas_acq_rel(&task->permit, &permit, BROLGA__SCANNING));
    for (int i = 0; i < 2; i++) {
        gate_open_for(&gate, task);
        cr_assert_eq(brolga__load_acquire(&task->permit),
                     BROLGA__SCANNING_NOTIFIED);
    }
    cr_assert_eq(brolga_join(task, BROLGA_NOW, NULL, NULL), BROLGA_ETIMEOUT);
    (void)brolga__swap_acq_rel(&task->permit, BROLGA__RUNNING);
    brolga__schedule(task);
    cr_assert_eq(joined(task), 0);
}

Test(wait, an_early_unpark_is_remembered_once, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    unpark_early(NULL);
    unpark_early(&(struct brolga_spawn_opts){.thread = true});
}

/* --- turns -------------------------------------------------------------- */

static void play_out(const struct brolga_spawn_opts *white,
                     const struct brolga_spawn_opts *black)
{
    struct players players = {.turn = 0};
    brolga_task *a = spawned_as(play_white, &players, white);
    brolga_task *b = spawned_as(play_black, &players, black);

    cr_assert_geq(joined(a), 2 * TURNS - 1);
    cr_assert_eq(joined(b), 2 * TURNS);
}

Test(wait, no_wake_up_is_lost_between_fibers, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    play_out(NULL, NULL);
}

Test(wait, no_wake_up_is_lost_between_a_fiber_and_a_thread, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    play_out(NULL, &(struct brolga_spawn_opts){.thread = true});
}

/* --- cancellation ------------------------------------------------------- */

struct cancelable {
    _Atomic int stage;
    int result;
    bool seen;
};

static brolga_word sleep_long(void *arg)
{
    struct cancelable *cancelable = arg;

    brolga__store_release(&cancelable->stage, 1);
    cancelable->result = brolga_sleep_until(BROLGA_FOREVER);
    cancelable->seen = brolga_canceled();
    return 0;
}

static void cancel_parked(const struct brolga_spawn_opts *opts)
{
    struct cancelable cancelable = {0};
    brolga_task *task = spawned_as(sleep_long, &cancelable, opts);

    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    brolga_cancel(task);
    (void)joined(task);
    cr_assert_eq(cancelable.result, BROLGA_ECANCELED);
    cr_assert(cancelable.seen);
}

Test(wait, c8_cancel_ends_a_park, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    cancel_parked(NULL);
    cancel_parked(&(struct brolga_spawn_opts){.thread = true});
}

static brolga_word sleep_after_cancel(void *arg)
{
    struct cancelable *cancelable = arg;

    brolga__store_release(&cancelable->stage, 1);
    while (!brolga_canceled())
        brolga_yield();
    return sleep_long(arg);
}

Test(wait, c8_a_canceled_task_does_not_park, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct cancelable cancelable = {0};
    brolga_task *task = spawned(sleep_after_cancel, &cancelable);

    cr_assert(wait_until(brolga__load_acquire(&cancelable.stage) == 1));
    brolga_cancel(task);
    (void)joined(task);
    cr_assert_eq(cancelable.result, BROLGA_ECANCELED);
}

/* --- sleep -------------------------------------------------------------- */

struct nap {
    uint64_t when_ns, woke_ns;
    int result, turn;
};

static _Atomic int naps;

static brolga_word take_nap(void *arg)
{
    struct nap *nap = arg;

    nap->result = brolga_sleep_until(nap->when_ns);
    nap->woke_ns = brolga_now_ns();
    nap->turn = brolga__add_relaxed(&naps, 1);
    return 0;
}

#define NAPS 8

/* All of them, in a mixed order; false if one came too late to its bed. */
static bool sleep_in_order(struct nap *nap, uint64_t margin_ns)
{
    uint64_t start = brolga_after_ns(margin_ns);
    brolga_task *tasks[NAPS];
    bool in_time;

    brolga__store_relaxed(&naps, 0);
    for (int i = 0; i < NAPS; i++) {
        nap[i].when_ns = start + (uint64_t)(i * 5 % NAPS) * BROLGA_MS;
        tasks[i] = spawned(take_nap, &nap[i]);
    }
    for (int i = 0; i < NAPS; i++)
        cr_assert(wait_until(is_parked(tasks[i]) || brolga_now_ns() > start));
    in_time = brolga_now_ns() < start;
    for (int i = 0; i < NAPS; i++)
        (void)joined(tasks[i]);
    return in_time;
}

static bool woke_in_order(const struct nap *nap)
{
    for (int i = 0; i < NAPS; i++)
        if (nap[i].turn != i * 5 % NAPS)
            return false;
    return true;
}

/* A task that the system sets aside for a time slice as it wakes is overtaken
 * by the next one, rightly: so one of several nights must be in order. */
Test(wait, sleepers_wake_in_the_order_of_their_times, .timeout = 60)
{
    struct nap nap[NAPS] = {{0}};
    uint64_t margin_ns = 10 * BROLGA_MS;
    bool in_order = false;

    /* One worker runs them in the order in which the timers make them ready. */
    world_open_with(&(struct brolga_opts){.workers = 1});
    for (int night = 0; night < 10 && !in_order; night++) {
        while (!sleep_in_order(nap, margin_ns))
            margin_ns *= 2;
        for (int i = 0; i < NAPS; i++) {
            cr_assert_eq(nap[i].result, BROLGA_OK);
            cr_assert_geq(nap[i].woke_ns, nap[i].when_ns);
        }
        in_order = woke_in_order(nap);
    }
    cr_assert(in_order);
    world_close();
}

Test(wait, sleeping_until_the_past_returns_at_once, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct nap nap = {.when_ns = BROLGA_NOW, .result = -1};

    (void)joined(spawned(take_nap, &nap));
    cr_assert_eq(nap.result, BROLGA_OK);
}

static brolga_word park_without_memory(void *arg)
{
    (void)arg;
    brolga__alloc_fail_nth(1);
    return brolga__park("memory", brolga_after_ns(WAIT_LIMIT_NS));
}

static brolga_word nap_without_memory(void *arg)
{
    brolga__alloc_fail_nth(1);
    return take_nap(arg);
}

/* A park with a deadline needs a timer; without one it is a yield. */
Test(wait, a_deadline_holds_without_memory_too, .timeout = 30)
{
    int64_t before = brolga__alloc_live();
    struct nap nap = {.result = -1};

    world_open_with(&(struct brolga_opts){.workers = 1});
    cr_assert_eq(joined(spawned(park_without_memory, NULL)), BROLGA_OK);
    nap.when_ns = brolga_after_ns(5 * BROLGA_MS);
    (void)joined(spawned(nap_without_memory, &nap));
    brolga__alloc_fail_nth(0);
    cr_assert_eq(nap.result, BROLGA_OK);
    cr_assert_geq(nap.woke_ns, nap.when_ns);
    world_close();
    cr_assert_eq(brolga__alloc_live(), before);
}
