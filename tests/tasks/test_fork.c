/*
 * Goal: every forked function is called once and its result is that of the
 * join, whoever calls it; forks outlive parks; failures and cancellation come
 * through; nothing is left behind.
 * Method: recursion on one and more workers, with functions that note where
 * they run, park, block, fail and wait.
 */
#include "world.h"

#include <brolga/fork.h>

#define promise(name, workers_)                                                \
    static void name##_open(void)                                              \
    {                                                                          \
        world_open_with(&(struct brolga_opts){.workers = workers_});           \
    }                                                                          \
    Test(fork, name, .timeout = 60, .init = name##_open, .fini = world_close)

static brolga_word fib(void *arg)
{
    brolga_word n = (brolga_word)arg, one;
    struct brolga_fork fork;

    if (n < 2)
        return n;
    brolga_fork(&fork, fib, (void *)(n - 1));
    one = fib((void *)(n - 2));
    return one + brolga_fork_join(&fork);
}

promise(a_task_alone_does_it_all, 1)
{
    cr_assert_eq(joined(spawned(fib, (void *)20)), 6765);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

promise(workers_share_it, 4)
{
    for (int i = 0; i < 20; i++)
        cr_assert_eq(joined(spawned(fib, (void *)18)), 2584);
}

Test(fork, outside_fibers_the_join_calls, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct brolga_spawn_opts thread = {.thread = true};

    cr_assert_eq(fib((void *)10), 55);
    cr_assert_eq(joined(spawned_as(fib, (void *)10, &thread)), 55);
}

/* --- who runs it -------------------------------------------------------- */

struct seen {
    struct gate gate;
    brolga_task *_Atomic self; /* Of the last call. */
    _Atomic int calls;
};

static brolga_word see(void *arg)
{
    struct seen *seen = arg;

    brolga__store_relaxed(&seen->self, brolga_self());
    return brolga__add_relaxed(&seen->calls, 1) + 1;
}

static brolga_word fork_in_place(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork;

    brolga_fork(&fork, see, seen);
    return brolga_fork_join(&fork) == 1 &&
           brolga__load_relaxed(&seen->self) == brolga_self();
}

promise(nobody_idle_it_runs_in_place, 1)
{
    struct seen seen = {.calls = 0};

    cr_assert_eq(joined(spawned(fork_in_place, &seen)), true);
}

static brolga_word fork_and_park(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork;
    bool early;

    brolga_fork(&fork, see, seen);
    (void)gate_park(&seen->gate);
    early = brolga__load_relaxed(&seen->calls) == 1;
    return brolga_fork_join(&fork) == 1 && early &&
           brolga__load_relaxed(&seen->self) != brolga_self();
}

promise(when_its_task_parks_it_becomes_a_task, 1)
{
    struct seen seen = {.calls = 0};
    brolga_task *task = spawned(fork_and_park, &seen);

    cr_assert(gate_reached(&seen.gate));
    cr_assert(wait_until(brolga__load_relaxed(&seen.calls) == 1));
    gate_open_for(&seen.gate, task);
    cr_assert_eq(joined(task), true);
}

static brolga_word fork_and_block(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork;

    brolga_fork(&fork, see, seen);
    (void)gate_block(&seen->gate);
    return brolga_fork_join(&fork) == 1;
}

promise(when_its_task_blocks_it_becomes_a_task, 1)
{
    struct seen seen = {.calls = 0};
    brolga_task *task = spawned(fork_and_block, &seen);

    cr_assert(wait_until(brolga__load_relaxed(&seen.calls) == 1));
    gate_open(&seen.gate);
    cr_assert_eq(joined(task), true);
}

static brolga_word fork_and_spin(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork;

    brolga_fork(&fork, see, seen);
    (void)gate_spin(&seen->gate);
    return brolga_fork_join(&fork) == 1 &&
           brolga__load_relaxed(&seen->self) != brolga_self();
}

promise(an_idle_worker_takes_it, 2)
{
    struct seen seen = {.calls = 0};
    brolga_task *task = spawned(fork_and_spin, &seen);

    cr_assert(wait_until(brolga__load_relaxed(&seen.calls) == 1));
    gate_open(&seen.gate);
    cr_assert_eq(joined(task), true);
}

/* --- many, and deep ----------------------------------------------------- */

#define MANY (BROLGA__FORKS * 3)

static brolga_word fork_many(void *arg)
{
    static struct brolga_fork fork[MANY];
    struct seen *seen = arg;
    brolga_word sum = 0;

    for (int i = 0; i < MANY; i++)
        brolga_fork(&fork[i], see, seen);
    for (int i = MANY; i-- > 0;)
        sum += brolga_fork_join(&fork[i]);
    return sum;
}

promise(more_than_a_deque_holds, 2)
{
    struct seen seen = {.calls = 0};

    cr_assert_eq(joined(spawned(fork_many, &seen)),
                 (brolga_word)MANY * (MANY + 1) / 2);
}

/* Leaves park and yield now and then, so that forks move. */
static brolga_word restless(void *arg)
{
    brolga_word n = (brolga_word)arg, one;
    struct brolga_fork fork;

    if (n < 2) {
        if (n == 1)
            brolga_yield();
        else
            (void)brolga_sleep_until(brolga_after_ns(10 * BROLGA_US));
        return n;
    }
    brolga_fork(&fork, restless, (void *)(n - 1));
    one = restless((void *)(n - 2));
    return one + brolga_fork_join(&fork);
}

promise(forks_and_parks_mix, 3)
{
    cr_assert_eq(joined(spawned(restless, (void *)15)), 610);
}

static brolga_word join_children(void *arg)
{
    brolga_word n = (brolga_word)arg, one = 0, two;
    struct brolga_fork fork;
    brolga_task *task;

    if (n < 2)
        return n;
    brolga_fork(&fork, join_children, (void *)(n - 1));
    if (brolga_spawn(brolga_runtime(), join_children, (void *)(n - 2), NULL,
                     &task) != BROLGA_OK)
        return -1000000;
    (void)brolga_join(task, BROLGA_FOREVER, &one, NULL);
    two = brolga_fork_join(&fork);
    return one + two;
}

promise(forks_and_spawns_mix, 2)
{
    cr_assert_eq(joined(spawned(join_children, (void *)15)), 610);
}

/* --- failures and cancellation ------------------------------------------ */

static brolga_word fail(void *arg)
{
    (void)gate_park(arg);
    brolga_panic("broken");
}

static brolga_word fork_to_fail(void *arg)
{
    struct gate *gate = arg, mine = {0};
    struct brolga_fork fork;

    brolga_fork(&fork, fail, gate);
    brolga__store_relaxed(&mine.open, 1);
    (void)gate_park(&mine);
    brolga_yield(); /* The fork parks, so this one goes on. */
    (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    return brolga_fork_join(&fork);
}

promise(the_join_of_a_failed_fork_fails, 2)
{
    struct gate gate = {.open = 1};
    brolga_task *task = spawned(fork_to_fail, &gate);
    struct brolga_failure failure = {.message = ""};

    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, &failure),
                 BROLGA_EFAILED);
    cr_assert_not_null(strstr(failure.message, "broken"), "%s",
                       failure.message);
}

static brolga_word wait_for_cancel(void *arg)
{
    struct seen *seen = arg;

    (void)brolga__add_release(&seen->gate.arrived, 1);
    while (brolga_sleep_until(BROLGA_FOREVER) == BROLGA_OK)
        continue;
    (void)brolga__add_relaxed(&seen->calls, 1);
    return 7;
}

static brolga_word fork_and_wait(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork;

    brolga_fork(&fork, wait_for_cancel, seen);
    brolga_yield();
    (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    return brolga_fork_join(&fork);
}

promise(a_canceled_join_cancels_and_awaits, 2)
{
    struct seen seen = {.calls = 0};
    brolga_task *task = spawned(fork_and_wait, &seen);

    cr_assert(gate_reached(&seen.gate));
    brolga_cancel(task);
    cr_assert_eq(joined(task), 7);
    cr_assert_eq(brolga__load_relaxed(&seen.calls), 1);
}

/* The forked function uses the frame of a task that has panicked. */
static brolga_word panic_with_fork(void *arg)
{
    struct seen *seen = arg, mine = {.calls = 0};
    struct brolga_fork fork;

    brolga_fork(&fork, wait_for_cancel, &mine);
    while (brolga__load_acquire(&mine.gate.arrived) == 0)
        (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    brolga__store_release(&seen->gate.arrived, 1);
    brolga_panic("with a fork");
}

promise(who_panics_awaits_its_forks, 2)
{
    struct seen seen = {.calls = 0};
    brolga_task *task = spawned(panic_with_fork, &seen);

    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_EFAILED);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

static brolga_word panic_before(void *arg)
{
    struct brolga_fork fork;

    brolga_fork(&fork, see, arg);
    brolga_panic("before the join");
}

promise(what_nobody_has_taken_is_not_called, 1)
{
    struct seen seen = {.calls = 0};

    cr_assert_eq(
        brolga_join(spawned(panic_before, &seen), BROLGA_FOREVER, NULL, NULL),
        BROLGA_EFAILED);
    cr_assert_eq(brolga__load_relaxed(&seen.calls), 0);
}

/* --- scopes ------------------------------------------------------------- */

static brolga_word fork_in_scope(void *arg)
{
    struct brolga_fork fork;
    brolga_scope *scope;
    int early;

    (void)arg;
    if (brolga_scope_open(NULL, &scope) != BROLGA_OK)
        return -1;
    brolga_fork(&fork, fib, (void *)10);
    early = brolga_scope_join(scope, NULL);
    if (brolga_fork_join(&fork) != 55)
        return -2;
    return early == BROLGA_ESTATE ? brolga_scope_join(scope, NULL) : -3;
}

/* A fork from before the scope may be joined in it, or after it. */
static brolga_word fork_around_scope(void *arg)
{
    struct brolga_fork before, first;
    brolga_scope *scope;

    (void)arg;
    brolga_fork(&before, fib, (void *)10);
    brolga_fork(&first, fib, (void *)9);
    if (brolga_scope_open(NULL, &scope) != BROLGA_OK)
        return -1;
    if (brolga_fork_join(&first) != 34)
        return -2;
    if (brolga_scope_join(scope, NULL) != BROLGA_OK)
        return -3;
    return brolga_fork_join(&before);
}

promise(forks_and_scopes_need_not_nest, 2)
{
    cr_assert_eq(joined(spawned(fork_around_scope, NULL)), 55);
}

promise(a_scope_is_joined_after_its_forks, 2)
{
    cr_assert_eq(joined(spawned(fork_in_scope, NULL)), BROLGA_OK);
}

/* --- memory ------------------------------------------------------------- */

static brolga_word fork_without_memory(void *arg)
{
    struct seen *seen = arg;
    struct brolga_fork fork[3];
    brolga_word sum = 0;

    for (int i = 0; i < 3; i++)
        brolga_fork(&fork[i], see, seen);
    brolga__alloc_fail_nth(1);
    brolga_yield();
    (void)brolga_sleep_until(brolga_now_ns() + 1);
    brolga__alloc_fail_nth(0);
    for (int i = 3; i-- > 0;)
        sum += brolga_fork_join(&fork[i]);
    return sum;
}

promise(without_memory_the_join_calls, 1)
{
    struct seen seen = {.calls = 0};

    cr_assert_eq(joined(spawned(fork_without_memory, &seen)), 6);
}

Test(fork, gives_everything_back, .timeout = 60)
{
    int64_t before = brolga__alloc_live();

    world_open();
    cr_assert_eq(joined(spawned(fib, (void *)15)), 610);
    cr_assert_eq(joined(spawned(restless, (void *)8)), 21);
    world_close();
    cr_assert_eq(brolga__alloc_live(), before);
}
