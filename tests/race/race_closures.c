/*
 * Goal: while code is replaced again and again, closures of any version can be
 * made, copied, sent, frozen, called and dropped by many tasks; none is called
 * after its unit is gone, and every unit goes once its last closure is dropped
 * (C5).
 *
 * Method: a storm of reloads enters each new unit's function in a table of
 * closures. Tasks make closures of the version that they are in and send them;
 * others call what they receive, which must give what was captured, keep some
 * for a while, freeze some, and send some on. Released units trap.
 *
 *   race_closures [--seconds S] [--seed N]
 */
#include <brolga/chan.h>
#include <brolga/closures.h>
#include <brolga/lease.h>

#include "alloc.h"
#include "reloads.h"

#include <sched.h>

enum { TASKS = 6, KEPT = 16 };

static brolga *rt;
static brolga_closures *closures;
static struct brolga_model model;
static const brolga_type *type;
static brolga_chan *chan;
static brolga_slot slot;
static _Atomic bool stop;

struct party {
    uint64_t random;
    uint64_t made, called, frozen;
    brolga_word kept[KEPT];
    size_t kept_count;
    brolga_task *task;
};

static struct party parties[TASKS];

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static uint32_t below(struct party *self, uint32_t limit)
{
    return (uint32_t)(race_random(&self->random) >> 33) % limit;
}

/* A closure of the version that the task is in, as compiled code makes one: it
 * captures what that version's function returns. */
static brolga_word make_closure(void)
{
    const void *code = brolga_view_self()->slots[slot];
    brolga_word closure = model.alloc(16, model.arg);

    race_ok(brolga_closures_pin(closures, code));
    fields(closure)[0] = (brolga_word)(uintptr_t)code;
    fields(closure)[1] = jit_call(code, NULL);
    return closure;
}

/* Closures keep their code, also across safepoints. */
static void call_closure(struct party *self, brolga_word closure)
{
    const void *code = (const void *)(uintptr_t)fields(closure)[0];

    race_check(jit_call(code, NULL) == fields(closure)[1], "%s",
               "another function");
    self->called++;
}

static void keep(struct party *self, brolga_word closure)
{
    size_t at =
        self->kept_count < KEPT ? self->kept_count++ : below(self, KEPT);

    if (self->kept[at] != 0) {
        call_closure(self, self->kept[at]);
        brolga_drop_word(type, self->kept[at]);
    }
    self->kept[at] = closure;
}

static void send_on(brolga_word closure)
{
    int err = brolga_try_send(chan, &closure);

    race_check(err == BROLGA_OK || err == BROLGA_EAGAIN, "result %d", err);
}

static void freeze(struct party *self, brolga_word closure)
{
    brolga_region *region;
    brolga_word frozen;

    race_ok(brolga_freeze(type, closure, &frozen, &region, NULL, NULL));
    race_ok(brolga_lease_keep(region));
    send_on(frozen);
    call_closure(self, frozen);
    brolga_drop_word(type, closure);
    self->frozen++;
}

/* Leases only on what is kept. */
static void compact(struct party *self)
{
    struct brolga_root root[KEPT];

    for (size_t i = 0; i < self->kept_count; i++)
        root[i] = (struct brolga_root){type, self->kept[i]};
    race_ok(brolga_lease_compact(root, self->kept_count));
}

static void use(struct party *self, brolga_word closure)
{
    call_closure(self, closure);
    switch (below(self, 4)) {
    case 0:
        keep(self, closure);
        break;
    case 1:
        freeze(self, closure);
        break;
    case 2:
        send_on(closure);
        brolga_drop_word(type, closure);
        break;
    default:
        brolga_drop_word(type, closure);
        break;
    }
}

static brolga_word run_party(void *arg)
{
    struct party *self = arg;
    brolga_word closure;

    while (!brolga__load_relaxed(&stop)) {
        if (below(self, 2) == 0) {
            closure = make_closure();
            self->made++;
            if (brolga_try_send(chan, &closure) == BROLGA_OK)
                brolga_drop_word(type, closure);
            else
                use(self, closure);
        }
        if (brolga_try_recv(chan, &closure) == BROLGA_OK)
            use(self, closure);
        if (below(self, 64) == 0)
            compact(self);
        brolga_yield();
    }
    for (size_t i = 0; i < self->kept_count; i++)
        brolga_drop_word(type, self->kept[i]);
    return 0;
}

/* --- reloads ------------------------------------------------------------ */

static brolga_types *types;

static bool reload(brolga_word value)
{
    static const char *const texts[] = {"Int"};
    struct brolga_closure closure = {
        .name = "version", .captures = 1, .texts = texts};
    struct storm_unit *code;
    brolga_unit *unit;
    brolga_txn *txn;

    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    code = storm_stage(txn, "m", "f", "(Fn [] Int)", false, value, &unit);
    closure.code = code->jit.text;
    race_ok(brolga_closures_add(closures, unit, types, &closure, 1, NULL));
    return storm_commit(txn);
}

static void storm(void)
{
    brolga_word version = 1;

    while (!race_over()) {
        if (reload(version + 1))
            version++;
        (void)sched_yield();
    }
    race_check(version > 3, "%s", "no reloads");
    printf("%lld versions, ", (long long)version);
}

int main(int argc, char **argv)
{
    struct brolga_chan_opts opts = {.capacity = 32};
    struct brolga_closures_stats stats;
    uint64_t made = 0, called = 0, frozen = 0;

    race_begin(argc, argv);
    model = brolga_model_cranelisp();
    race_ok(brolga_closures_create(&closures));
    brolga_closures_model(closures, &model);
    race_ok(brolga_types_create(&model, &types));
    race_ok(brolga_type_parse(types, "(Fn [] Int)", &type, NULL));
    race_ok(brolga_chan_create(type, &opts, &chan));
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_check(reload(1), "%s", "first commit");
    slot = storm_slot(brolga_runtime_got(rt), "m", "f");
    for (unsigned i = 0; i < TASKS; i++) {
        struct brolga_spawn_opts how = {.thread = i == 0};

        parties[i].random = race_state(i);
        race_ok(
            brolga_spawn(rt, run_party, &parties[i], &how, &parties[i].task));
    }
    storm();
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < TASKS; i++) {
        race_ok(brolga_join(parties[i].task, BROLGA_FOREVER, NULL, NULL));
        race_check(parties[i].made > 0, "party %u made none", i);
        made += parties[i].made;
        called += parties[i].called;
        frozen += parties[i].frozen;
    }
    brolga_chan_release(chan);
    race_check(brolga_regions_list(NULL, 0) == 0, "%s", "regions are left");
    storm_settle(rt, 1);
    brolga_closures_stats(closures, &stats);
    race_check(stats.functions == 1 && stats.units == 1, "%zu functions",
               stats.functions);
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(types);
    brolga_closures_destroy(closures);
    race_check(brolga__alloc_live() == 0, "%s", "memory is left");
    printf("%llu closures, %llu calls, %llu frozen\n", (unsigned long long)made,
           (unsigned long long)called, (unsigned long long)frozen);
    return 0;
}
