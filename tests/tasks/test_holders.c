/*
 * Goal: whatever keeps old code is named, with why, where and since when, and
 * nothing else is.
 *
 * Method: one holder of each kind is made to hold a unit of its own, beside
 * tasks that hold nothing though they might seem to. Then all units are
 * replaced by one commit, and each must be reported with its own holder only.
 */
#include "world.h"

#include <string.h>

enum {
    PARKED,
    BLOCKED,
    OWN_THREAD,
    PINNED,
    CLOSED_OVER,
    TO_BE_CALLED,
    DEFERRED,
    NOBODY,
    UNITS
};

static const char *const symbols[UNITS] = {"parked",   "blocked", "thread",
                                           "pinned",   "closure", "callback",
                                           "deferred", "nobody"};

static const enum brolga_hold reasons[UNITS] = {
    BROLGA_HOLD_FRAME,   BROLGA_HOLD_BLOCKED, BROLGA_HOLD_FRAME,
    BROLGA_HOLD_PIN,     BROLGA_HOLD_CLOSURE, BROLGA_HOLD_CALLBACK,
    BROLGA_HOLD_CALLBACK};

static struct jit_unit codes[2 * UNITS + 1];

static void name_it(void *arg, const void *address, char *text, size_t bytes)
{
    const struct jit_unit *code = arg;

    (void)address;
    (void)snprintf(text, bytes, "code %d (jit.c:%d)", (int)(code - codes),
                   (int)(code - codes) + 1);
}

static void stage_in(brolga_txn *txn, const char *symbol, struct jit_unit *code,
                     brolga_slot *slot, brolga_unit **unit)
{
    struct brolga_unit_opts opts;

    cr_assert(jit_make_caller(code, 0));
    opts = jit_opts(code, symbol, BROLGA_RECLAIM);
    opts.describe = name_it;
    cr_assert_eq(brolga_txn_unit(txn, &opts, unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, *unit, "m", symbol, FN, code->text, slot),
        BROLGA_OK);
}

/* All units at once, at codes[first] and what follows. */
static void publish_all(int first, brolga_slot slots[UNITS],
                        brolga_unit *units[UNITS])
{
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    for (int i = 0; i < UNITS; i++)
        stage_in(txn, symbols[i], &codes[first + i], &slots[i], &units[i]);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
}

/* --- what is seen ------------------------------------------------------- */

struct sights {
    unsigned count;
    unsigned of[UNITS];
    unsigned strangers;
    struct brolga_holder last[UNITS];
};

static void see(void *arg, const struct brolga_holder *holder)
{
    struct sights *sights = arg;

    sights->count++;
    for (int i = 0; i < UNITS; i++) {
        if (strcmp(holder->unit, symbols[i]) != 0)
            continue;
        sights->of[i]++;
        sights->last[i] = *holder;
        return;
    }
    sights->strangers++;
}

static struct sights look(void)
{
    struct sights sights = {.count = 0};

    cr_assert_eq(brolga_holders(rt, see, &sights), sights.count);
    return sights;
}

/* Each unit has its one holder, with the right reason. */
static bool all_are_named(const uint64_t tasks[UNITS])
{
    struct sights sights = look();

    if (sights.count != NOBODY || sights.strangers != 0)
        return false;
    for (int i = 0; i < NOBODY; i++)
        if (sights.of[i] != 1 || sights.last[i].reason != reasons[i] ||
            sights.last[i].task != tasks[i])
            return false;
    return true;
}

/* --- those that hold nothing -------------------------------------------- */

struct innocents {
    struct gate parked, running, blocked;
    brolga_task *task[3];
};

static void bring_in(struct innocents *innocents)
{
    innocents->task[0] = spawned(gate_park, &innocents->parked);
    innocents->task[1] = spawned(gate_run, &innocents->running);
    innocents->task[2] = spawned(gate_block, &innocents->blocked);
    cr_assert(gate_reached(&innocents->parked));
    cr_assert(gate_reached(&innocents->running));
    cr_assert(gate_reached(&innocents->blocked));
}

static void send_away(struct innocents *innocents)
{
    gate_open_for(&innocents->parked, innocents->task[0]);
    gate_open(&innocents->running);
    gate_open(&innocents->blocked);
    for (int i = 0; i < 3; i++)
        (void)joined(innocents->task[i]);
}

/* --- those that hold something ------------------------------------------ */

struct deferrer {
    struct gate gate;
    void (*fn)(void *arg);
    struct jit_call call;
};

__attribute__((noinline)) static int defer(struct deferrer *deferrer)
{
    return brolga_defer(deferrer->fn, &deferrer->call);
}

/* A search is conservative: what an earlier call has left in a hole of the
 * frames to come would hold the unit, too. */
__attribute__((noinline)) static void overwrite_stack(void)
{
    volatile char bytes[8 << 10];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
}

static brolga_word defer_and_park(void *arg)
{
    struct deferrer *deferrer = arg;

    if (defer(deferrer) != BROLGA_OK)
        return -1;
    overwrite_stack();
    return gate_park(&deferrer->gate);
}

static void (*function_of(const struct jit_unit *code))(void *arg)
{
    union {
        const void *address;
        void (*fn)(void *arg);
    } cast = {code->text};

    return cast.fn;
}

static brolga_word give_gate(void *arg)
{
    (void)arg;
    return 0;
}

Test(holders, c6_each_kind_of_holder_is_named_and_nobody_else, .timeout = 120)
{
    struct gate parked = {0}, blocked = {0}, own = {0};
    struct jit_call calls[3] = {
        {gate_park, &parked}, {gate_block, &blocked}, {gate_park, &own}};
    struct deferrer deferrer = {.call = {give_gate, NULL}};
    struct innocents innocents = {.task = {NULL}};
    brolga_slot slots[UNITS];
    brolga_unit *units[UNITS], *newer[UNITS];
    brolga_task *task[4], *defers;
    uint64_t ids[UNITS] = {0};

    world_open_with(&(struct brolga_opts){.workers = 6});
    publish_all(0, slots, units);
    for (int i = 0; i < 3; i++) {
        struct brolga_spawn_opts opts = {.name = symbols[i],
                                         .thread = i == OWN_THREAD};

        cr_assert_eq(
            brolga_spawn_slot(rt, slots[i], &calls[i], &opts, &task[i]),
            BROLGA_OK);
        cr_assert(gate_reached(calls[i].arg));
        ids[i] = brolga_task_id(task[i]);
    }
    brolga_unit_pin(units[PINNED]);
    brolga__unit_pin_for(units[CLOSED_OVER], BROLGA__PIN_CLOSURE);
    brolga__unit_pin_for(units[TO_BE_CALLED], BROLGA__PIN_CALLBACK);
    deferrer.fn = function_of(&codes[DEFERRED]);
    defers = spawned(defer_and_park, &deferrer);
    cr_assert(gate_reached(&deferrer.gate));
    ids[DEFERRED] = brolga_task_id(defers);
    bring_in(&innocents);
    publish_all(UNITS, slots, newer);
    cr_assert(wait_until(all_are_named(ids)));
    /* One that runs may hold any until it has looked at itself. */
    cr_assert(stays(&codes[PARKED]));
    cr_assert(wait_until(all_are_named(ids)));
    for (int i = 0; i < 100; i++)
        cr_assert(all_are_named(ids)); /* It stays so. */
    cr_assert_str_eq(look().last[PARKED].function, "code 0 (jit.c:1)");
    cr_assert_str_eq(look().last[PARKED].parked_in, "gate");
    cr_assert_str_eq(look().last[OWN_THREAD].task_name, "thread");
    cr_assert_eq(look().last[PINNED].pins, 1);
    cr_assert_eq(look().last[PARKED].bytes, codes[PARKED].bytes);
    cr_assert_neq(look().last[PARKED].since_ns, 0);
    cr_assert_neq(look().last[PARKED].task_since_ns, 0);
    cr_assert(released(&codes[NOBODY]));

    send_away(&innocents);
    gate_open_for(&parked, task[0]);
    gate_open(&blocked);
    gate_open_for(&own, task[2]);
    gate_open_for(&deferrer.gate, defers);
    for (int i = 0; i < 3; i++)
        (void)joined(task[i]);
    (void)joined(defers);
    brolga_unit_unpin(units[PINNED]);
    brolga__unit_unpin_for(units[CLOSED_OVER], BROLGA__PIN_CLOSURE);
    brolga__unit_unpin_for(units[TO_BE_CALLED], BROLGA__PIN_CALLBACK);
    for (int i = 0; i < UNITS; i++)
        cr_assert(released(&codes[i]));
    cr_assert_eq(look().count, 0);
    world_close();
}

/* --- those that keep a version ------------------------------------------ */

static bool holds_alone(enum brolga_hold reason, uint64_t task)
{
    struct sights sights = look();

    return sights.count == 1 && sights.of[PARKED] == 1 &&
           sights.last[PARKED].reason == reason &&
           sights.last[PARKED].task == task;
}

static brolga_slot publish_one(int code, brolga_unit **unit)
{
    brolga_slot slot;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    stage_in(txn, symbols[PARKED], &codes[code], &slot, unit);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
    return slot;
}

Test(holders, c6_who_runs_without_a_safepoint_is_named_with_its_function,
     .timeout = 120, .init = world_open, .fini = world_close)
{
    struct gate gate = {0}, polling = {0}; /* Who polls moves on. */
    struct jit_call call = {gate_spin, &gate};
    struct brolga_holder last;
    brolga_unit *unit;
    brolga_slot slot = publish_one(0, &unit);
    brolga_task *task = NULL, *poller = spawned(gate_run, &polling);

    cr_assert_eq(brolga_spawn_slot(rt, slot, &call, NULL, &task), BROLGA_OK);
    cr_assert(gate_reached(&gate));
    cr_assert(gate_reached(&polling));
    (void)publish_one(1, &unit);
    cr_assert(
        wait_until(holds_alone(BROLGA_HOLD_RUNNING, brolga_task_id(task))));
#if !defined(BROLGA__TSAN) /* It puts signals off. */
    cr_assert(wait_until(look().last[PARKED].address != 0));
    do
        last = look().last[PARKED];
    while (last.address == 0);
    cr_assert_str_eq(last.function, "code 0 (jit.c:1)");
#else
    (void)last;
#endif
    gate_open(&gate);
    gate_open(&polling);
    (void)joined(task);
    (void)joined(poller);
    cr_assert(released(&codes[0]));
}

Test(holders, c6_who_stays_in_its_version_is_named, .timeout = 120,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_run, &gate};
    brolga_unit *unit;
    brolga_slot slot = publish_one(0, &unit);
    brolga_task *task = NULL;
    struct brolga_spawn_opts opts = {.adopt_at_top = true};

    cr_assert_eq(brolga_spawn_slot(rt, slot, &call, &opts, &task), BROLGA_OK);
    cr_assert(gate_reached(&gate));
    (void)publish_one(1, &unit);
    cr_assert(wait_until(holds_alone(BROLGA_HOLD_VIEW, brolga_task_id(task))));
    gate_open(&gate);
    (void)joined(task);
    cr_assert(released(&codes[0]));
}

/* --- versions whose units are kept -------------------------------------- */

static void see_version(void *arg, const struct brolga_holder *holder)
{
    struct brolga_holder *seen = arg;

    if (holder->unit[0] == '\0')
        *seen = *holder;
}

static uint64_t who_keeps_a_version(void)
{
    struct brolga_holder seen = {.task = 0};

    (void)brolga_holders(rt, see_version, &seen);
    return seen.task;
}

Test(holders, c6_who_keeps_a_version_is_named_also_without_a_unit,
     .timeout = 120, .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_spin, &gate);

    cr_assert(gate_reached(&gate));
    cr_assert(jit_make_constant(&codes[0], 1));
    (void)published("kept", &codes[0], BROLGA_KEEP, NULL);
    cr_assert(wait_until(who_keeps_a_version() == brolga_task_id(task)));
    gate_open(&gate);
    (void)joined(task);
    cr_assert(wait_until(
        brolga_holders(rt, see_version, &(struct brolga_holder){0}) == 0));
}

/* --- texts -------------------------------------------------------------- */

static char text[8192];

static bool reads(const char *part)
{
    return strstr(text, part) != NULL;
}

Test(holders, c6_the_report_is_a_text_and_json, .timeout = 120,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_park, &gate};
    struct brolga_spawn_opts opts = {.name = "crane"};
    brolga_unit *unit;
    brolga_slot slot = publish_one(0, &unit);
    brolga_task *task = NULL;

    cr_assert(wait_until(brolga_stalls_text(rt, text, sizeof text) == 0));
    cr_assert_str_eq(text, "");
    (void)brolga_stalls_json(rt, text, sizeof text);
    cr_assert_str_eq(text, "{\"version\":2,\"old\":[]}");
    cr_assert_eq(brolga_spawn_slot(rt, slot, &call, &opts, &task), BROLGA_OK);
    cr_assert(gate_reached(&gate));
    cr_assert(wait_until(is_parked(task)));
    (void)publish_one(1, &unit);
    cr_assert(wait_until(holds_alone(BROLGA_HOLD_FRAME, brolga_task_id(task))));
    cr_assert_gt(brolga_stalls_text(rt, text, sizeof text), 0);
    cr_assert(reads("v2 parked, "));
    cr_assert(reads(" bytes, old for "));
    cr_assert(reads("'crane': a frame of code 0 (jit.c:1) is on its stack, "
                    "parked in gate"));
    cr_assert_gt(brolga_stalls_json(rt, text, sizeof text), 0);
    cr_assert(reads("{\"version\":3,\"old\":[{\"version\":2,\"unit\":"
                    "\"parked\",\"bytes\":"));
    cr_assert(reads("\"holders\":[{\"reason\":\"frame\",\"task\":1,"
                    "\"task_name\":\"crane\",\"function\":\"code 0 "
                    "(jit.c:1)\",\"parked_in\":\"gate\""));
    /* Cut, but ended. */
    cr_assert_gt(brolga_stalls_json(rt, text, 10), 9);
    cr_assert_str_eq(text, "{\"version");
    gate_open_for(&gate, task);
    (void)joined(task);
    cr_assert(released(&codes[0]));
}

/* --- unasked ------------------------------------------------------------ */

struct told {
    _Atomic unsigned times;
    _Atomic bool named;
};

static void on_event(void *arg, const struct brolga_event *event)
{
    struct told *told = arg;

    if (event->kind != BROLGA_EVENT_STALLED)
        return;
    if (strstr(event->text, "'crane': a frame of") != NULL &&
        strstr(event->json, "\"task_name\":\"crane\"") != NULL &&
        strcmp(event->unit, "parked") == 0 && event->version == 2 &&
        event->after_ns >= 20 * BROLGA_MS)
        brolga__store_relaxed(&told->named, true);
    (void)brolga__add_release(&told->times, 1);
}

Test(holders, c6_what_is_held_for_long_is_told_unasked, .timeout = 120)
{
    struct told told = {0};
    struct gate gate = {0};
    struct jit_call call = {gate_park, &gate};
    struct brolga_spawn_opts opts = {.name = "crane"};
    brolga_unit *unit;
    brolga_task *task = NULL;
    brolga_slot slot;
    unsigned times;

    world_open_with(&(struct brolga_opts){.workers = 2,
                                          .stall_ns = 20 * BROLGA_MS,
                                          .on_event = on_event,
                                          .arg = &told});
    slot = publish_one(0, &unit);
    cr_assert_eq(brolga_spawn_slot(rt, slot, &call, &opts, &task), BROLGA_OK);
    cr_assert(gate_reached(&gate));
    (void)publish_one(1, &unit);
    cr_assert(wait_until(brolga__load_acquire(&told.times) >= 2));
    cr_assert(brolga__load_relaxed(&told.named));
    gate_open_for(&gate, task);
    (void)joined(task);
    cr_assert(released(&codes[0]));
    times = brolga__load_acquire(&told.times);
    cr_assert_leq(times, 16); /* Each time after twice as long. */
    world_close();
}
