/*
 * A million reloads of code as a JIT makes it leave nothing behind.
 *
 * Two modules are redefined by each reload. Some tasks call through their view
 * all the time, and others park in a frame of the code that is being replaced,
 * so that stacks are searched. Built with sanitizers the figures are those of
 * their own bookkeeping: then only that everything old goes is checked.
 *
 *   soak_growth [--reloads N]
 */
#include "soak/soak.h"

#include "jit.h"

#include <brolga/chan.h>

#define CALLERS 4
#define SITTERS 4

static brolga_slot value, enter;
static _Atomic bool stop;

/* One unit, freed by its release. */
static struct jit_unit *unit_new(void)
{
    struct jit_unit *unit = calloc(1, sizeof *unit);

    race_check(unit != NULL, "out of memory");
    return unit;
}

static void unit_release(void *arg)
{
    jit_unmap(arg);
    free(arg);
}

static void stage_unit(brolga_txn *txn, struct jit_unit *jit,
                       const char *module, brolga_slot *slot)
{
    struct brolga_unit_opts opts = jit_opts(jit, module, BROLGA_RECLAIM);
    brolga_unit *unit;

    opts.release = unit_release;
    race_ok(brolga_txn_unit(txn, &opts, &unit));
    race_ok(brolga_txn_define(txn, unit, module, "f", "", jit->text,
                              *slot == 0 ? slot : NULL));
}

static void stage(brolga *rt, brolga_txn *txn, uint64_t number)
{
    struct jit_unit *constant = unit_new(), *caller = unit_new();

    (void)rt;
    race_check(jit_make_constant(constant, (brolga_word)number), "no page");
    race_check(jit_make_caller(caller, 0), "no page");
    stage_unit(txn, constant, "value", &value);
    stage_unit(txn, caller, "enter", &enter);
}

static brolga_word call_value(void)
{
    return jit_call(brolga_view_self()->slots[value], NULL);
}

static brolga_word call_often(void *arg)
{
    brolga_word last = 0;

    (void)arg;
    while (!brolga__load_relaxed(&stop)) {
        for (unsigned i = 0; i < 64; i++) {
            brolga_word now = call_value();

            race_check(now >= last, "a view has gone back");
            last = now;
        }
        brolga_safepoint();
    }
    return 0;
}

static brolga_word rest(void *arg)
{
    (void)arg;
    return brolga_sleep_until(brolga_after_ns(200 * BROLGA_US));
}

static brolga_word sit_often(void *arg)
{
    struct jit_call call = {rest, NULL};

    (void)arg;
    while (!brolga__load_relaxed(&stop))
        (void)jit_call(brolga_view_self()->slots[enter], &call);
    return 0;
}

int main(int argc, char **argv)
{
    brolga_task *task[CALLERS + SITTERS];
    uint64_t count = (uint64_t)race_option(argc, argv, "--reloads", 3000);
    double most_kib = 1024;
    unsigned spread = 2; /* One for each unit. */
    brolga *rt;

    race_begin(argc, argv);
    race_ok(brolga_create(
        &(struct brolga_opts){.workers = 2, .on_event = soak_on_event}, &rt));
#if defined(SOAK_SANITIZED)
    most_kib = 1e9;
    spread = UINT32_MAX;
#endif
    soak_reload(rt, stage, 1);
    for (unsigned i = 0; i < CALLERS + SITTERS; i++)
        race_ok(brolga_spawn(rt, i < CALLERS ? call_often : sit_often, NULL,
                             NULL, &task[i]));
    soak_many(rt, stage, count, most_kib, spread);
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < CALLERS + SITTERS; i++)
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    race_ok(brolga_destroy(rt));
    return 0;
}
