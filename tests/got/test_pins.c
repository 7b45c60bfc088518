/*
 * Goal: a named pin keeps its unit like any other pin, says what for as long as
 * it is there, and leaves nothing; what has been entered for a unit elsewhere
 * is withdrawn once, before its last grace period, however the unit ends.
 * Method: the reasons of a unit are read back as reports do; hooks that note
 * what they see when they are called.
 */
#include "got/world.h"

/* The unit's reasons, the newest first, each with a comma. */
static const char *reasons(brolga_unit *unit)
{
    static char all[256];
    char one[64];

    all[0] = '\0';
    for (size_t i = 0; brolga__unit_pin_reason(unit, i, one, sizeof one); i++)
        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s,", one);
    return all;
}

/* Publishes m.f from a new unit; what it was before retires. */
static brolga_unit *publish(struct jit_unit *unit)
{
    brolga_txn *txn = begun();
    brolga_unit *handle = staged(txn, unit);

    (void)defined(txn, handle, "m", "f", INT_FN);
    committed(txn);
    return handle;
}

static void reclaim(void)
{
    for (int i = 0; i < 10; i++) {
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
}

/* --- pins --------------------------------------------------------------- */

Test(pins, c5_a_named_pin_keeps_the_unit_and_says_what_for, .init = world_open,
     .fini = world_close)
{
    struct jit_unit *first = made(1);
    brolga_unit *unit = publish(first);
    brolga_pin *a, *b, *c;

    cr_assert_str_eq(reasons(unit), "");
    cr_assert_eq(brolga_pin_create(unit, "timer", &a), BROLGA_OK);
    cr_assert_eq(brolga_pin_create(unit, "callback 'on_line'", &b), BROLGA_OK);
    cr_assert_eq(brolga_pin_code(got, first->text, "hook", &c), BROLGA_OK);
    cr_assert_str_eq(reasons(unit), "hook,callback 'on_line',timer,");
    (void)publish(made(2));
    reclaim();
    cr_assert_eq(jit_releases(first), 0);
    brolga_pin_destroy(b);
    cr_assert_str_eq(reasons(unit), "hook,timer,");
    brolga_pin_destroy(c);
    cr_assert_str_eq(reasons(unit), "timer,");
    brolga_pin_destroy(NULL);
    reclaim();
    cr_assert_eq(jit_releases(first), 0);
    brolga_pin_destroy(a);
    reclaim();
    cr_assert_eq(jit_releases(first), 1);
}

Test(pins, code_of_no_unit_needs_none, .init = world_open, .fini = world_close)
{
    int64_t live = brolga__alloc_live();
    brolga_pin *pin = NULL;
    brolga_unit *unit;

    cr_assert_eq(brolga_pin_code(got, &live, "x", &pin), BROLGA_ENOENT);
    cr_assert_eq(brolga__alloc_live(), live);
    unit = publish(made(1));
    live = brolga__alloc_live();
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_pin_create(unit, "x", &pin), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_pin_code(got, (void *)unit->low, "x", &pin),
                 BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_null(pin);
    cr_assert_eq(brolga__load_relaxed(&unit->pins), 0);
    cr_assert_eq(brolga__alloc_live(), live);
}

/* --- withdrawal --------------------------------------------------------- */

struct hook {
    struct jit_unit *unit;
    int called, order, releases;
    uint64_t round;
};

static int order;

static void note(void *arg)
{
    struct hook *hook = arg;

    hook->called++;
    hook->order = ++order;
    hook->releases = jit_releases(hook->unit);
    hook->round = brolga__epoch_round(epoch);
    /* A host's hook may use the GOT. */
    (void)brolga_got_version(got);
}

static void hook_on(brolga_unit *unit, struct hook *hook, struct jit_unit *code)
{
    *hook = (struct hook){.unit = code};
    cr_assert_eq(brolga_unit_on_withdraw(unit, note, hook), BROLGA_OK);
}

Test(pins, c5_a_unit_is_withdrawn_before_its_last_grace_period,
     .init = world_open, .fini = world_close)
{
    struct jit_unit *code = made(1);
    brolga_unit *unit = publish(code);
    struct hook first, second;
    int steps = 0;

    order = 0;
    hook_on(unit, &first, code);
    hook_on(unit, &second, code);
    (void)publish(made(2));
    while (first.called == 0) {
        cr_assert_lt(++steps, 100);
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
    cr_assert_eq(second.order, 1); /* The last one first. */
    cr_assert_eq(first.order, 2);
    cr_assert_eq(jit_releases(code), 0);
    for (int i = 0; i < 10; i++) /* The member has not passed the round. */
        (void)brolga__got_reclaim(got);
    cr_assert_eq(jit_releases(code), 0);
    reclaim();
    cr_assert_eq(jit_releases(code), 1);
    cr_assert_eq(first.called + second.called, 2);
}

Test(pins, an_abort_and_the_end_of_the_got_withdraw_too, .init = world_open)
{
    struct jit_unit *aborted = made(1), *live = made(2);
    struct hook first, second;
    brolga_txn *txn = begun();

    hook_on(staged(txn, aborted), &first, aborted);
    brolga_txn_abort(txn);
    cr_assert_eq(first.called, 1);
    cr_assert_eq(first.releases, 0); /* Before the release. */
    hook_on(publish(live), &second, live);
    world_close();
    cr_assert_eq(first.called, 1);
    cr_assert_eq(second.called, 1);
    cr_assert_eq(second.releases, 0);
}

Test(pins, without_memory_there_is_no_hook, .init = world_open,
     .fini = world_close)
{
    struct jit_unit *code = made(1);
    brolga_unit *unit = publish(code);
    struct hook hook = {.unit = code};

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_unit_on_withdraw(unit, note, &hook), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    (void)publish(made(2));
    reclaim();
    cr_assert_eq(hook.called, 0);
}

/* --- signals ------------------------------------------------------------ */

#include <signal.h>

static void handle_by(int number, const void *code)
{
    struct sigaction action = {0};
    union {
        const void *address;
        void (*handler)(int);
    } cast = {code};

    action.sa_handler = code == NULL ? SIG_DFL : cast.handler;
    cr_assert_eq(sigaction(number, &action, NULL), 0);
}

Test(pins, c5_a_signals_handler_keeps_its_unit, .init = world_open,
     .fini = world_close)
{
    struct jit_unit *code = made(1);

    (void)publish(code);
    handle_by(SIGUSR2, (char *)code->text + 1);
    (void)publish(made(2));
    reclaim();
    cr_assert_eq(jit_releases(code), 0);
    handle_by(SIGUSR2, NULL);
    reclaim();
    cr_assert_eq(jit_releases(code), 1);
}
