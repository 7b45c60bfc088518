/*
 * Goal: what a task defers is called once, at its end, whatever that is, in
 * reverse order, with time to park in it.
 * Method: handlers that write down their turn, in tasks with every kind of end.
 */
#include "tasks/world.h"

#include <string.h>

/* The turns, as text, e.g. "cba"; written by one task at a time. */
static char turns[64];
static int parked, late, after_window;

static void turn(void *arg)
{
    size_t n = strlen(turns);

    if (n + 1 < sizeof turns)
        turns[n] = *(const char *)arg;
}

static void defer_turn(const char *name)
{
    if (brolga_defer(turn, (void *)(uintptr_t)name) != BROLGA_OK)
        abort();
}

enum end { RETURN, PANIC, CANCEL };

static brolga_word defer_three(void *arg)
{
    defer_turn("a");
    defer_turn("b");
    defer_turn("c");
    if (*(enum end *)arg == PANIC)
        brolga_panic("three");
    if (*(enum end *)arg == CANCEL)
        return brolga_sleep_until(BROLGA_FOREVER);
    return 5;
}

static void open_world(void)
{
    memset(turns, 0, sizeof turns);
    world_open();
}

#define promise(name)                                                          \
    Test(defer, name, .timeout = 30, .init = open_world, .fini = world_close)

static void check_end(enum end end, const struct brolga_spawn_opts *opts)
{
    brolga_task *task;
    brolga_word result = 0;
    int err;

    memset(turns, 0, sizeof turns);
    task = spawned_as(defer_three, &end, opts);
    if (end == CANCEL)
        brolga_cancel(task);
    err = brolga_join(task, brolga_after_ns(WAIT_LIMIT_NS), &result, NULL);
    cr_assert_eq(err, end == PANIC ? BROLGA_EFAILED : BROLGA_OK);
    cr_assert_eq(result, end == RETURN   ? 5
                         : end == CANCEL ? BROLGA_ECANCELED
                                         : 0);
    cr_assert_str_eq(turns, "cba");
}

promise(handlers_run_in_reverse_at_every_end)
{
    for (enum end end = RETURN; end <= CANCEL; end++) {
        check_end(end, NULL);
        check_end(end, &(struct brolga_spawn_opts){.thread = true});
    }
}

promise(only_tasks_defer)
{
    cr_assert_eq(brolga_defer(turn, NULL), BROLGA_ESTATE);
    cr_assert_eq(brolga_undefer(turn, NULL), BROLGA_ENOENT);
    cr_assert_eq(brolga_attach_thread(rt, "host"), BROLGA_OK);
    defer_turn("h");
    cr_assert_str_eq(turns, "");
    brolga_detach_thread();
    cr_assert_str_eq(turns, "h");
}

static brolga_word take_back(void *arg)
{
    static const char one[] = "a", two[] = "b";

    (void)arg;
    defer_turn(one);
    defer_turn(two);
    defer_turn(one);
    late = brolga_undefer(turn, (void *)(uintptr_t)one);
    parked = brolga_undefer(turn, turns);
    return 0;
}

promise(undefer_takes_the_newest_back)
{
    (void)joined(spawned(take_back, NULL));
    cr_assert_eq(late, BROLGA_OK);
    cr_assert_eq(parked, BROLGA_ENOENT);
    cr_assert_str_eq(turns, "ba");
}

static brolga_word defer_without_memory(void *arg)
{
    int err;

    (void)arg;
    brolga__alloc_fail_nth(1);
    err = brolga_defer(turn, NULL);
    brolga__alloc_fail_nth(0);
    return err;
}

promise(no_memory_is_said_at_once)
{
    cr_assert_eq(joined(spawned(defer_without_memory, NULL)), BROLGA_ENOMEM);
    cr_assert_str_eq(turns, "");
}

/* --- the window --------------------------------------------------------- */

static void nap(void *arg)
{
    (void)arg;
    parked = brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    late = brolga_cancel_reason();
}

static brolga_word nap_at_end(void *arg)
{
    (void)arg;
    if (brolga_defer(nap, NULL) != BROLGA_OK)
        abort();
    return brolga_sleep_until(BROLGA_FOREVER);
}

promise(a_handler_of_a_canceled_task_can_park)
{
    brolga_task *task = spawned(nap_at_end, NULL);

    parked = late = -99;
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(parked, BROLGA_OK);
    cr_assert_eq(late, BROLGA_OK);
}

/* Held by a handler until the test has canceled the task once more. */
static struct gate in_handler;

static void wait_at_gate(void *arg)
{
    (void)arg;
    (void)gate_park(&in_handler);
    parked = brolga_sleep_until(brolga_after_ns(BROLGA_MS));
}

static brolga_word gate_at_end(void *arg)
{
    (void)arg;
    return brolga_defer(wait_at_gate, NULL);
}

promise(a_cancel_that_comes_meanwhile_is_not_felt)
{
    brolga_task *task;

    memset(&in_handler, 0, sizeof in_handler);
    parked = -99;
    task = spawned(gate_at_end, NULL);
    cr_assert(gate_reached(&in_handler));
    brolga_cancel(task);
    gate_open_for(&in_handler, task);
    (void)joined(task);
    cr_assert_eq(parked, BROLGA_OK);
}

static void sleep_on(void *arg)
{
    (void)arg;
    parked = brolga_sleep_until(BROLGA_FOREVER);
    late = brolga_cancel_reason();
    turn("x");
}

static brolga_word overstay(void *arg)
{
    (void)arg;
    defer_turn("y");
    if (brolga_defer(sleep_on, NULL) != BROLGA_OK)
        abort();
    return 0;
}

Test(defer, the_window_ends, .timeout = 30)
{
    memset(turns, 0, sizeof turns);
    world_open_with(
        &(struct brolga_opts){.workers = 1, .cleanup_ns = 5 * BROLGA_MS});
    (void)joined(spawned(overstay, NULL));
    cr_assert_eq(parked, BROLGA_ETIMEOUT);
    cr_assert_eq(late, BROLGA_ETIMEOUT);
    cr_assert_str_eq(turns, "xy");
    world_close();
}

static brolga_word sleeper(void *arg)
{
    *(int *)arg = brolga_sleep_until(BROLGA_FOREVER);
    return 0;
}

static void open_in_window(void *arg)
{
    brolga_scope *scope;

    (void)arg;
    if (brolga_scope_open(NULL, &scope) != BROLGA_OK ||
        brolga_spawn(brolga_runtime(), sleeper, &parked, NULL, NULL) !=
            BROLGA_OK)
        abort();
    after_window = brolga_scope_join(scope, NULL);
}

static brolga_word spawn_at_end(void *arg)
{
    (void)arg;
    return brolga_defer(open_in_window, NULL);
}

Test(defer, a_scope_in_the_window_ends_with_it, .timeout = 30)
{
    world_open_with(
        &(struct brolga_opts){.workers = 1, .cleanup_ns = 5 * BROLGA_MS});
    (void)joined(spawned(spawn_at_end, NULL));
    cr_assert_eq(parked, BROLGA_ETIMEOUT);
    cr_assert_eq(after_window, BROLGA_ETIMEOUT);
    world_close();
}

/* --- order and panics --------------------------------------------------- */

static brolga_word child_turn(void *arg)
{
    (void)brolga_sleep_until(BROLGA_FOREVER);
    turn(arg);
    return 0;
}

static brolga_word scope_and_defer(void *arg)
{
    brolga_scope *scope;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK)
        return -1;
    defer_turn("h");
    return brolga_spawn(brolga_runtime(), child_turn, arg, NULL, NULL);
}

promise(scopes_are_closed_before_handlers_run)
{
    (void)joined(spawned(scope_and_defer, "c"));
    cr_assert_str_eq(turns, "ch");
}

static void panic_turn(void *arg)
{
    turn(arg);
    brolga_panic("handler %s", (const char *)arg);
}

static brolga_word panic_in_handlers(void *arg)
{
    defer_turn("a");
    if (brolga_defer(panic_turn, "b") != BROLGA_OK ||
        brolga_defer(panic_turn, "c") != BROLGA_OK)
        abort();
    defer_turn("d");
    if (arg != NULL)
        brolga_panic("first of all");
    return 7;
}

static void check_panics(void *arg, const char *message,
                         const struct brolga_spawn_opts *opts)
{
    struct brolga_failure failure;

    memset(turns, 0, sizeof turns);
    cr_assert_eq(brolga_join(spawned_as(panic_in_handlers, arg, opts),
                             BROLGA_FOREVER, NULL, &failure),
                 BROLGA_EFAILED);
    cr_assert_str_eq(turns, "dcba");
    cr_assert_str_eq(failure.message, message);
}

promise(c8_a_panic_in_a_handler_stops_no_other)
{
    struct brolga_spawn_opts thread = {.thread = true};

    check_panics(NULL, "handler c", NULL);
    check_panics("", "first of all", NULL);
    check_panics(NULL, "handler c", &thread);
    check_panics("", "first of all", &thread);
}

/* The frames of a panic are there as long as handlers run. */
static void read_local(void *arg)
{
    turn(arg);
}

static brolga_word panic_over_local(void *arg)
{
    volatile char local[2] = {'L', 0};

    (void)arg;
    if (brolga_defer(read_local, (void *)(uintptr_t)local) != BROLGA_OK)
        abort();
    brolga_panic("over it");
}

promise(the_stack_of_a_panic_is_still_there)
{
    cr_assert_eq(brolga_join(spawned(panic_over_local, NULL), BROLGA_FOREVER,
                             NULL, NULL),
                 BROLGA_EFAILED);
    cr_assert_str_eq(turns, "L");
}

/* --- code that is replaced ---------------------------------------------- */

static struct jit_unit code;
static brolga_slot handler_slot;

__attribute__((noinline)) static void defer_handler(void)
{
    union {
        const void *address;
        void (*fn)(void *arg);
    } handler = {brolga_view_self()->slots[handler_slot]};

    if (brolga_defer(handler.fn, NULL) != BROLGA_OK)
        abort();
}

/* So that no frame that is gone keeps the unit by a word that it left. */
__attribute__((noinline)) static void wipe_stack(void)
{
    volatile char bytes[8 << 10];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
}

static brolga_word defer_slot(void *arg)
{
    defer_handler();
    wipe_stack();
    return gate_park(arg);
}

promise(c5_a_handler_keeps_its_unit)
{
    static struct jit_unit next; /* Released when the runtime is destroyed. */
    struct gate gate = {0};
    brolga_task *task;

    handler_slot = published_constant("f", &code, 1);
    task = spawned(defer_slot, &gate);
    cr_assert(gate_reached(&gate));
    cr_assert(wait_until(is_parked(task)));
    (void)published_constant("f", &next, 2);
    cr_assert(stays(&code));
    gate_open_for(&gate, task);
    (void)joined(task);
    cr_assert(released(&code));
}

/* --- memory ------------------------------------------------------------- */

Test(defer, gives_everything_back, .timeout = 30)
{
    int64_t before = brolga__alloc_live();
    enum end ends[] = {RETURN, PANIC};

    world_open();
    for (int i = 0; i < 20; i++) {
        memset(turns, 0, sizeof turns);
        (void)brolga_join(spawned(defer_three, &ends[i % 2]), BROLGA_FOREVER,
                          NULL, NULL);
        (void)joined(spawned(take_back, NULL));
    }
    world_close();
    cr_assert_eq(brolga__alloc_live(), before);
}
