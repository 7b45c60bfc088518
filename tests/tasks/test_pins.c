/*
 * Goal: whatever is to call code later keeps its unit, is named with what it is
 * and the task that it belongs to, and lets the unit go when it is done (C5,
 * C6).
 * Method: each of them in turn is all that keeps a replaced unit; the report
 * must have it and nothing else; it ends, and the unit goes.
 */
#include "tasks/world.h"

#include <brolga/io.h>
#include <signal.h>

static struct jit_unit codes[4];
static brolga_word (*fn_of_unit)(void *arg);
static void (*handler_of_unit)(void *arg);

/* --- who holds ---------------------------------------------------------- */

struct seen {
    struct brolga_holder holder; /* The last one. */
    size_t count;
};

static void see(void *arg, const struct brolga_holder *holder)
{
    struct seen *seen = arg;

    /* Searches are conservative: what a task defers may lie on its stack. */
    if (holder->reason == BROLGA_HOLD_FRAME)
        return;
    seen->holder = *holder;
    seen->count++;
}

/* The one pin that there is is this. */
static bool pinned_by(const char *what, uint64_t task, uint64_t pins)
{
    struct seen seen = {.count = 0};

    (void)brolga_holders(rt, see, &seen);
    return seen.count == 1 &&
           seen.holder.reason ==
               (task == 0 ? BROLGA_HOLD_PIN : BROLGA_HOLD_CALLBACK) &&
           strcmp(seen.holder.what, what) == 0 && seen.holder.task == task &&
           seen.holder.pins == pins;
}

/* --- a unit that is replaced -------------------------------------------- */

static brolga_unit *unit;

/* m.f from codes[0], whose function tests may call by its address. */
static void open_with_unit(void)
{
    world_open();
    cr_assert(jit_make_constant(&codes[0], 1));
    (void)published("f", &codes[0], BROLGA_RECLAIM, &unit);
    memcpy(&fn_of_unit, &codes[0].text, sizeof fn_of_unit);
    memcpy(&handler_of_unit, &codes[0].text, sizeof handler_of_unit);
}

static void replace(void)
{
    (void)published_constant("f", &codes[1], 2);
}

#define PINNED(name)                                                           \
    Test(pins, name, .timeout = 60, .init = open_with_unit, .fini = world_close)

PINNED(c5_a_callback_keeps_its_unit_by_name)
{
    brolga_pin *callback, *timer;

    cr_assert_eq(brolga_pin_create(unit, "callback 'on_line'", &callback),
                 BROLGA_OK);
    cr_assert_eq(
        brolga_pin_code(brolga_runtime_got(rt), codes[0].text, "timer", &timer),
        BROLGA_OK);
    replace();
    brolga_pin_destroy(callback);
    cr_assert(wait_until(pinned_by("timer", 0, 1)));
    cr_assert(stays(&codes[0]));
    brolga_pin_destroy(timer);
    cr_assert(released(&codes[0]));
}

PINNED(c5_pins_without_a_reason_are_counted)
{
    brolga_unit_pin(unit);
    brolga_unit_pin(unit);
    replace();
    cr_assert(wait_until(pinned_by("", 0, 2)));
    brolga_unit_unpin(unit);
    brolga_unit_unpin(unit);
    cr_assert(released(&codes[0]));
}

static brolga_word defer_and_park(void *arg)
{
    if (brolga_defer(handler_of_unit, NULL) != BROLGA_OK ||
        brolga_defer(handler_of_unit, arg) != BROLGA_OK)
        return 1;
    return gate_park(arg);
}

PINNED(c5_a_cleanup_handler_keeps_its_unit_by_name)
{
    struct gate gate = {0};
    brolga_task *task = spawned(defer_and_park, &gate);

    cr_assert(wait_until(is_parked(task)));
    replace();
    cr_assert(
        wait_until(pinned_by("cleanup handler", brolga_task_id(task), 2)));
    cr_assert(stays(&codes[0]));
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 0);
    cr_assert(released(&codes[0]));
}

Test(pins, c5_a_function_to_be_called_keeps_its_unit_by_name, .timeout = 60)
{
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    (void)published_constant("f", &codes[0], 41);
    memcpy(&fn_of_unit, &codes[0].text, sizeof fn_of_unit);
    task = spawned(fn_of_unit, NULL);
    (void)published_constant("f", &codes[1], 2);
    cr_assert(stays(&codes[0]));
    cr_assert(pinned_by("function to be called", brolga_task_id(task), 1));
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(task), 41);
    while (brolga_reclaim_step(rt))
        continue;
    cr_assert_eq(jit_releases(&codes[0]), 1);
    world_close();
}

PINNED(c5_a_signals_handler_keeps_its_unit_by_name)
{
    struct sigaction action = {0}, before;

    memcpy(&action.sa_handler, &codes[0].text, sizeof action.sa_handler);
    cr_assert_eq(sigaction(SIGUSR2, &action, &before), 0);
    replace();
    cr_assert(wait_until(pinned_by("handler of SIGUSR2", 0, 0)));
    cr_assert(stays(&codes[0]));
    cr_assert_eq(sigaction(SIGUSR2, &before, NULL), 0);
    cr_assert(released(&codes[0]));
}
