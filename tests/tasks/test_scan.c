/*
 * Goal: a unit stays exactly as long as a task may return into it, and whoever
 * keeps it is named (C5, C6).
 * Method: tasks of each kind stand in a frame of a real unit, in each way a
 * task can stand; the unit is replaced; it must stay, then go.
 */
#include "tasks/world.h"

static struct jit_unit codes[4];

/* --- who holds ---------------------------------------------------------- */

struct seen {
    struct brolga_holder holder; /* The last one. */
    char unit[32], parked_in[32];
    size_t count;
};

static void see(void *arg, const struct brolga_holder *holder)
{
    struct seen *seen = arg;

    seen->holder = *holder;
    seen->count++;
    (void)snprintf(seen->unit, sizeof seen->unit, "%s", holder->unit);
    (void)snprintf(seen->parked_in, sizeof seen->parked_in, "%s",
                   holder->parked_in != NULL ? holder->parked_in : "");
}

static struct seen holders(void)
{
    struct seen seen = {.count = 0};
    size_t count = brolga_holders(rt, see, &seen);

    cr_assert_eq(seen.count, count);
    return seen;
}

/* Eventually there is one holder of unit "f", with this reason. */
static bool held_by(enum brolga_hold reason, uint64_t task,
                    const char *parked_in)
{
    struct seen seen = holders();

    return seen.count == 1 && seen.holder.reason == reason &&
           strcmp(seen.unit, "f") == 0 && seen.holder.task == task &&
           strcmp(seen.parked_in, parked_in) == 0;
}

static bool frame_is_named(struct jit_unit *code)
{
    uintptr_t at = holders().holder.address, low = (uintptr_t)code->text;

    return at >= low && at < low + code->bytes;
}

/* --- frames ------------------------------------------------------------- */

/* A task that stands at the gate with a frame of m.f below it. */
static brolga_task *standing(struct jit_call *call,
                             const struct brolga_spawn_opts *opts)
{
    brolga_slot slot = published_caller("f", &codes[0], 100);
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn_slot(rt, slot, call, opts, &task), BROLGA_OK);
    cr_assert(gate_reached(call->arg));
    return task;
}

static void replace_and_leave(struct gate *gate, brolga_task *task,
                              enum brolga_hold reason, const char *parked_in)
{
    (void)published_constant("f", &codes[1], 2);
    cr_assert(wait_until(held_by(reason, brolga_task_id(task), parked_in)));
    cr_assert(stays(&codes[0]));
    if (reason == BROLGA_HOLD_FRAME || reason == BROLGA_HOLD_BLOCKED)
        cr_assert(frame_is_named(&codes[0]));
    gate_open_for(gate, task);
    cr_assert_eq(joined(task), 100);
    cr_assert(released(&codes[0]));
    cr_assert_eq(holders().count, 0);
    cr_assert_eq(jit_releases(&codes[1]), 0);
}

Test(scan, c5_a_frame_of_a_parked_fiber_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_park, &gate};
    struct brolga_spawn_opts opts = {.name = "crane"};
    brolga_task *task = standing(&call, &opts);

    cr_assert(wait_until(is_parked(task)));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(
        wait_until(held_by(BROLGA_HOLD_FRAME, brolga_task_id(task), "gate")));
    cr_assert_str_eq(holders().holder.task_name, "crane");
    cr_assert_eq(holders().holder.version, 2);
    cr_assert_neq(holders().holder.since_ns, 0);
    cr_assert(frame_is_named(&codes[0]));
    cr_assert(stays(&codes[0]));
    /* A wake-up for no reason lets it look again, not the unit go. */
    brolga__unpark(task);
    cr_assert(wait_until(is_parked(task)));
    cr_assert(stays(&codes[0]));
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 100);
    cr_assert(released(&codes[0]));
}

Test(scan, c5_a_frame_of_a_parked_thread_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_park, &gate};
    brolga_task *task =
        standing(&call, &(struct brolga_spawn_opts){.thread = true});

    replace_and_leave(&gate, task, BROLGA_HOLD_FRAME, "gate");
}

Test(scan, c5_a_frame_in_foreign_code_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_block, &gate};
    brolga_task *task = standing(&call, NULL);

    replace_and_leave(&gate, task, BROLGA_HOLD_BLOCKED, "foreign code");
}

Test(scan, c5_a_frame_of_a_thread_in_foreign_code_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_block, &gate};
    brolga_task *task =
        standing(&call, &(struct brolga_spawn_opts){.thread = true});

    replace_and_leave(&gate, task, BROLGA_HOLD_BLOCKED, "foreign code");
}

Test(scan, c5_a_task_that_reaches_no_safepoint_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_spin, &gate};
    brolga_task *task = standing(&call, NULL);

    replace_and_leave(&gate, task, BROLGA_HOLD_RUNNING, "");
}

Test(scan, c5_a_running_task_finds_the_unit_on_its_own_stack, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_run, &gate};
    brolga_task *task = standing(&call, NULL);

    replace_and_leave(&gate, task, BROLGA_HOLD_FRAME, "");
}

static struct jit_unit other_code;

/* Its stack is known as well as that of a parked task. */
Test(scan, c5_a_running_task_keeps_no_unit_that_it_is_not_in, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_run, &gate};
    brolga_task *task;

    (void)published_constant("other", &other_code, 1);
    task = standing(&call, NULL);
    (void)published_constant("f", &codes[1], 2);
    (void)published_constant("other", &codes[2], 2);
    cr_assert(released(&other_code));
    cr_assert(wait_until(held_by(BROLGA_HOLD_FRAME, brolga_task_id(task), "")));
    cr_assert(stays(&codes[0]));
    gate_open(&gate);
    cr_assert_eq(joined(task), 100);
    cr_assert(released(&codes[0]));
}

Test(scan, c5_a_running_thread_finds_the_unit_on_its_own_stack, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {gate_run, &gate};
    brolga_task *task =
        standing(&call, &(struct brolga_spawn_opts){.thread = true});

    replace_and_leave(&gate, task, BROLGA_HOLD_FRAME, "");
}

/* --- a thread of the host ----------------------------------------------- */

struct host {
    struct jit_call call;
    brolga_slot slot;
    brolga_task *_Atomic task;
    brolga_word result;
    int err;
};

static void *attach_and_call(void *arg)
{
    struct host *host = arg;

    host->err = brolga_attach_thread(rt, "host");
    if (host->err != BROLGA_OK)
        return NULL;
    brolga__store_release(&host->task, brolga_self());
    host->result = call_slot_here(host->slot, &host->call);
    brolga_detach_thread();
    return NULL;
}

Test(scan, c5_a_frame_of_an_attached_thread_keeps_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct host host = {.call = {gate_park, &gate}};
    pthread_t thread;

    host.slot = published_caller("f", &codes[0], 100);
    cr_assert_eq(pthread_create(&thread, NULL, attach_and_call, &host), 0);
    cr_assert(gate_reached(&gate));
    cr_assert(wait_until(is_parked(brolga__load_acquire(&host.task))));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(wait_until(
        held_by(BROLGA_HOLD_FRAME,
                brolga_task_id(brolga__load_acquire(&host.task)), "gate")));
    cr_assert(stays(&codes[0]));
    gate_open_for(&gate, brolga__load_acquire(&host.task));
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(host.err, BROLGA_OK);
    cr_assert_eq(host.result, 100);
    cr_assert(released(&codes[0]));
}

/* --- those who do not hold ---------------------------------------------- */

struct leaver {
    struct gate inside, outside;
    struct jit_call call;
    brolga_slot slot;
};

/* So that nothing of the call stays in the caller's frame. */
__attribute__((noinline)) static brolga_word call_and_return(void *arg)
{
    struct leaver *leaver = arg;

    return call_slot_here(leaver->slot, &leaver->call);
}

/* What calls have left behind on the stack is not told from what is in use:
 * so later ones must have overwritten it. */
__attribute__((noinline)) static void overwrite_stack(void)
{
    volatile char bytes[4096];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0;
}

static brolga_word leave_and_go_on(void *arg)
{
    struct leaver *leaver = arg;
    brolga_word result = call_and_return(leaver);

    overwrite_stack();
    (void)gate_run(&leaver->outside);
    return result;
}

Test(scan, c5_a_running_task_that_left_the_unit_lets_it_go, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct leaver leaver = {.call = {gate_run, &leaver.inside}};
    brolga_task *task;

    leaver.slot = published_caller("f", &codes[0], 100);
    task = spawned(leave_and_go_on, &leaver);
    cr_assert(gate_reached(&leaver.inside));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(stays(&codes[0]));
    gate_open(&leaver.inside);
    cr_assert(gate_reached(&leaver.outside));
    /* It runs on, from one inner safepoint to the next. */
    cr_assert(released(&codes[0]));
    gate_open(&leaver.outside);
    cr_assert_eq(joined(task), 100);
}

static _Atomic int steps;

static brolga_word one_step(void *arg)
{
    (void)brolga__add_relaxed(&steps, 1);
    return brolga__load_acquire((_Atomic int *)arg);
}

Test(scan, c5_a_loop_adopts_new_code_wholly_and_holds_no_old, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    _Atomic int done = 0;
    struct jit_call call = {one_step, (void *)&done};
    brolga_slot slot = published_caller("f", &codes[0], 0);
    brolga_task *task;
    int before;

    cr_assert_eq(brolga_spawn_loop(rt, slot, &call, NULL, &task), BROLGA_OK);
    cr_assert(wait_until(brolga__load_relaxed(&steps) > 0));
    for (int i = 1; i < 4; i++) {
        cr_assert_eq(published_caller("f", &codes[i], 0), slot);
        cr_assert(released(&codes[i - 1]));
        before = brolga__load_relaxed(&steps);
        cr_assert(wait_until(brolga__load_relaxed(&steps) > before));
    }
    cr_assert_eq(brolga_tasks_live(rt), 1);
    brolga__store_release(&done, BROLGA_DONE);
    cr_assert_eq(joined(task), BROLGA_OK);
}

/* A task that stays at a top safepoint while it is parked. */
static brolga_word park_at_top(void *arg)
{
    brolga__top_enter();
    (void)gate_park(arg);
    brolga__top_leave();
    return 0;
}

Test(scan, c5_a_task_parked_at_a_top_safepoint_holds_nothing, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task;

    (void)published_constant("f", &codes[0], 1);
    task = spawned(park_at_top, &gate);
    cr_assert(wait_until(is_parked(task)));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(released(&codes[0]));
    cr_assert(is_parked(task));
    gate_open_for(&gate, task);
    (void)joined(task);
}

/* --- pins --------------------------------------------------------------- */

Test(scan, c5_a_pin_keeps_the_unit_and_is_named, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    brolga_unit *unit;

    cr_assert(jit_make_constant(&codes[0], 1));
    (void)published("f", &codes[0], BROLGA_RECLAIM, &unit);
    brolga_unit_pin(unit);
    brolga_unit_pin(unit);
    (void)published_constant("f", &codes[1], 2);
    cr_assert(wait_until(held_by(BROLGA_HOLD_PIN, 0, "")));
    cr_assert_eq(holders().holder.pins, 2);
    cr_assert(stays(&codes[0]));
    brolga_unit_unpin(unit);
    cr_assert(stays(&codes[0]));
    brolga_unit_unpin(unit);
    cr_assert(released(&codes[0]));
}

/* A function's address may be nowhere but in a register that calls preserve:
 * here it is put where those are kept. */
Test(scan, c5_registers_of_a_task_in_foreign_code_keep_the_unit, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_block, &gate);

    (void)published_constant("f", &codes[0], 1);
    cr_assert(gate_reached(&gate));
    task->spilled->word[0] = (uintptr_t)codes[0].text;
    (void)published_constant("f", &codes[1], 2);
    cr_assert(wait_until(
        held_by(BROLGA_HOLD_BLOCKED, brolga_task_id(task), "foreign code")));
    cr_assert(stays(&codes[0]));
    gate_open(&gate);
    (void)joined(task);
    cr_assert(released(&codes[0]));
}

Test(scan, c5_a_task_that_has_not_started_keeps_its_function, .timeout = 60)
{
    brolga_task *task = NULL;
    brolga_task_fn fn;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    (void)published_constant("f", &codes[0], 41);
    memcpy(&fn, &codes[0].text, sizeof fn);
    task = spawned(fn, NULL);
    (void)published_constant("f", &codes[1], 2);
    cr_assert(stays(&codes[0]));
    cr_assert(held_by(BROLGA_HOLD_CALLBACK, brolga_task_id(task), ""));
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(task), 41);
    while (brolga_reclaim_step(rt))
        continue;
    cr_assert_eq(jit_releases(&codes[0]), 1);
    world_close();
}

/* Takes all of module m away, though tasks may call it. */
static void empty_stale(void)
{
    struct brolga_report report;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    brolga_txn_allow_stale(txn);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK, "%s\n",
                 report.text);
}

Test(scan, c5_a_task_that_has_not_started_keeps_its_slot, .timeout = 60)
{
    brolga_task *task = NULL;
    brolga_slot slot;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    slot = published_constant("f", &codes[0], 41);
    cr_assert_eq(brolga_spawn_slot(rt, slot, NULL, NULL, &task), BROLGA_OK);
    empty_stale();
    cr_assert(stays(&codes[0]));
    cr_assert_neq(published_constant("stranger", &codes[1], 2), slot);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(task), 41);
    while (brolga_reclaim_step(rt))
        continue;
    cr_assert_eq(jit_releases(&codes[0]), 1);
    world_close();
}

Test(scan, c5_a_stale_loop_keeps_its_code_until_it_ends, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    _Atomic int done = 0;
    struct jit_call call = {one_step, (void *)&done};
    brolga_slot slot = published_caller("f", &codes[0], 0);
    brolga_task *task = NULL;
    int before;

    cr_assert_eq(brolga_spawn_loop(rt, slot, &call, NULL, &task), BROLGA_OK);
    empty_stale();
    cr_assert(stays(&codes[0]));
    cr_assert_neq(published_constant("stranger", &codes[1], 2), slot);
    before = brolga__load_relaxed(&steps);
    cr_assert(wait_until(brolga__load_relaxed(&steps) > before + 1));
    cr_assert(stays(&codes[0]));
    brolga__store_release(&done, BROLGA_DONE);
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert(released(&codes[0]));
}

/* --- versions ----------------------------------------------------------- */

struct reader {
    struct gate gate;
    brolga_slot slot;
    brolga_word before, after;
};

static brolga_word read_twice(void *arg)
{
    struct reader *reader = arg;

    reader->before = call_slot_here(reader->slot, NULL);
    (void)gate_park(&reader->gate);
    reader->after = call_slot_here(reader->slot, NULL);
    return 0;
}

static void stay_in_version(const struct brolga_spawn_opts *opts)
{
    struct reader reader = {.gate = {0}};
    brolga_task *task;

    reader.slot = published_constant("f", &codes[0], 1);
    task = spawned_as(read_twice, &reader, opts);
    cr_assert(wait_until(is_parked(task)));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(
        wait_until(held_by(BROLGA_HOLD_VIEW, brolga_task_id(task), "gate")));
    cr_assert(stays(&codes[0]));
    /* More versions than Brolga keeps tables for. */
    for (int i = 0; i < 8; i++) {
        static struct jit_unit noise[8];

        cr_assert(wait_until(stats().versions_live <= 2));
        (void)published_constant("noise", &noise[i], i);
    }
    gate_open_for(&reader.gate, task);
    (void)joined(task);
    cr_assert_eq(reader.before, 1);
    cr_assert_eq(reader.after, 1);
    cr_assert(released(&codes[0]));
}

Test(scan, c2_a_task_that_adopts_at_top_stays_in_its_version_while_parked,
     .timeout = 60, .init = world_open, .fini = world_close)
{
    stay_in_version(&(struct brolga_spawn_opts){.adopt_at_top = true});
}

Test(scan, c2_so_does_a_thread_that_adopts_at_top, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    stay_in_version(
        &(struct brolga_spawn_opts){.adopt_at_top = true, .thread = true});
}

Test(scan, c5_a_parked_task_without_frames_of_it_lets_a_unit_go, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct reader reader = {.gate = {0}};
    brolga_task *task;

    reader.slot = published_constant("f", &codes[0], 1);
    task = spawned(gate_park, &reader.gate);
    cr_assert(wait_until(is_parked(task)));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(released(&codes[0]));
    gate_open_for(&reader.gate, task);
    (void)joined(task);
}

/* --- many tasks --------------------------------------------------------- */

#define CROWD 700

Test(scan, c5_each_of_many_parked_tasks_counts, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    static brolga_task *tasks[CROWD];
    static struct gate gates[CROWD];
    static struct jit_call calls[CROWD];
    brolga_slot slot = published_caller("f", &codes[0], 1);

    for (int i = 0; i < CROWD; i++) {
        calls[i] = (struct jit_call){gate_park, &gates[i]};
        cr_assert_eq(brolga_spawn_slot(rt, slot, &calls[i], NULL, &tasks[i]),
                     BROLGA_OK);
    }
    for (int i = 0; i < CROWD; i++)
        cr_assert(wait_until(is_parked(tasks[i])));
    (void)published_constant("f", &codes[1], 2);
    cr_assert(wait_until(holders().count == CROWD));
    cr_assert(stays(&codes[0]));
    for (int i = 0; i < CROWD; i++) {
        if (i == CROWD - 1) /* One is enough. */
            cr_assert(stays(&codes[0]));
        gate_open_for(&gates[i], tasks[i]);
        cr_assert_eq(joined(tasks[i]), 1);
    }
    cr_assert(released(&codes[0]));
}

/* The players' frames hold the unit, so each park is searched anew. */
Test(scan, no_wake_up_is_lost_while_stacks_are_searched, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct players players = {.turn = 0};
    struct jit_call white = {play_white, &players};
    struct jit_call black = {play_black, &players};
    brolga_slot slot = published_caller("f", &codes[0], 0);
    brolga_task *a, *b;

    cr_assert_eq(brolga_spawn_slot(rt, slot, &white, NULL, &a), BROLGA_OK);
    cr_assert_eq(brolga_spawn_slot(rt, slot, &black, NULL, &b), BROLGA_OK);
    cr_assert(wait_until(brolga__load_acquire(&players.turn) > 0));
    (void)published_constant("f", &codes[1], 2);
    while (brolga__load_acquire(&players.turn) < 2 * TURNS)
        (void)brolga_reclaim_step(rt);
    cr_assert_geq(joined(a), 2 * TURNS - 1);
    cr_assert_eq(joined(b), 2 * TURNS);
    cr_assert(released(&codes[0]));
}

/* Tasks move, versions come and go, and somebody always asks. */
Test(scan, c6_holders_may_be_asked_while_everything_moves, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    static struct jit_unit moving[60];
    struct gate gate = {0};
    struct jit_call call = {gate_run, &gate};
    brolga_slot slot = published_caller("f", &moving[0], 0);
    brolga_task *tasks[6];

    for (int i = 0; i < 6; i++) {
        struct brolga_spawn_opts opts = {.thread = i % 3 == 0,
                                         .adopt_at_top = i % 2 == 0};

        cr_assert_eq(brolga_spawn_slot(rt, slot, &call, &opts, &tasks[i]),
                     BROLGA_OK);
    }
    for (int i = 1; i < 60; i++) {
        cr_assert(wait_until(stats().versions_live < 8));
        (void)published_constant("f", &moving[i], i);
        (void)brolga_reclaim_step(rt);
        for (int j = 0; j < 5; j++)
            (void)holders();
    }
    gate_open(&gate);
    for (int i = 0; i < 6; i++)
        (void)joined(tasks[i]);
    cr_assert(wait_until(holders().count == 0));
}

Test(scan, reasons_have_names)
{
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_VIEW), "view");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_RUNNING), "running");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_FRAME), "frame");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_BLOCKED), "blocked");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_PIN), "pin");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_CLOSURE), "closure");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_CALLBACK), "callback");
    cr_assert_str_eq(brolga_hold_name(BROLGA_HOLD_CALLER), "caller");
}
