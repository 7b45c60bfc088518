/*
 * Goal: a barrier commit waits for every kind of task that may call, for none
 * of those that rest, and names who does not come.
 * Method: tasks at gates of the test, which run from safepoint to safepoint,
 * without safepoints, parked, or in foreign code; and commits with a deadline.
 */
#include "tasks/world.h"

#define SOON brolga_after_ns(20 * BROLGA_MS)
#define LATE brolga_after_ns(WAIT_LIMIT_NS)

static struct jit_unit made[1024];
static unsigned made_count;

/* The slot that call_through() calls. */
static brolga_slot through;

static brolga_txn *staged(brolga_word value)
{
    struct jit_unit *code = &made[made_count++ % brolga__lengthof(made)];
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_txn *txn;

    cr_assert(jit_make_constant(code, value));
    opts = jit_opts(code, "m", BROLGA_RECLAIM);
    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "number", FN, code->text, NULL),
        BROLGA_OK);
    return txn;
}

static void commits(void)
{
    struct brolga_report report;
    int err = brolga_txn_commit_barrier(staged(1), LATE, &report);

    cr_assert_eq(err, BROLGA_OK, "%s\n", report.text);
}

static void times_out(struct brolga_report *report)
{
    uint64_t version = brolga_got_version(brolga_runtime_got(rt));

    cr_assert_eq(brolga_txn_commit_barrier(staged(1), SOON, report),
                 BROLGA_ETIMEOUT);
    cr_assert_eq(report->refusal, BROLGA_REFUSED_BARRIER);
    cr_assert_eq(brolga_got_version(brolga_runtime_got(rt)), version);
}

/* It times out, and names this task; `how` says in which words. On a busy
 * machine others may have come late as well. */
static void blames(brolga_task *task, const char *name, const char *how)
{
    struct brolga_report report;

    cr_assert(wait_until(
        (times_out(&report), strstr(report.text, "; nor ha") == NULL)));
    cr_assert_eq(report.task, brolga_task_id(task), "%s\n", report.text);
    cr_assert_str_eq(report.task_name, name);
    cr_assert_not_null(strstr(report.text, how), "%s\n", report.text);
}

Test(barrier, an_idle_runtime_needs_no_waiting, .init = world_open,
     .fini = world_close)
{
    commits();
}

Test(barrier, tasks_that_reach_safepoints_are_waited_for, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task[3];

    for (int i = 0; i < 3; i++)
        task[i] = spawned_as(gate_run, &gate,
                             &(struct brolga_spawn_opts){.thread = i == 2});
    cr_assert(wait_until(brolga__load_acquire(&gate.arrived) >= 2));
    for (int i = 0; i < 5; i++)
        commits();
    gate_open(&gate);
    for (int i = 0; i < 3; i++)
        (void)joined(task[i]);
}

Test(barrier, tasks_that_rest_are_not_needed, .init = world_open,
     .fini = world_close)
{
    struct gate parked = {0}, blocked = {0}, slept = {0};
    brolga_task *a = spawned(gate_park, &parked);
    brolga_task *b = spawned(gate_block, &blocked);
    brolga_task *c = spawned_as(gate_park, &slept,
                                &(struct brolga_spawn_opts){.thread = true});

    cr_assert(gate_reached(&parked) && gate_reached(&blocked) &&
              gate_reached(&slept));
    commits();
    gate_open_for(&parked, a);
    gate_open_for(&slept, c);
    gate_open(&blocked);
    (void)joined(a);
    (void)joined(b);
    (void)joined(c);
}

Test(barrier, who_comes_to_no_safepoint_is_named, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0}, others = {0};
    brolga_task *task = spawned_as(
        gate_spin, &gate, &(struct brolga_spawn_opts){.name = "spinner"});
    brolga_task *other = spawned(gate_run, &others);

    cr_assert(gate_reached(&gate) && gate_reached(&others));
    blames(task, "spinner", "has not come to a safepoint");
    gate_open(&gate);
    (void)joined(task);
    commits();
    gate_open(&others);
    (void)joined(other);
}

Test(barrier, a_thread_that_comes_to_no_safepoint_is_named, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task =
        spawned_as(gate_spin, &gate,
                   &(struct brolga_spawn_opts){.name = "own", .thread = true});

    cr_assert(gate_reached(&gate));
    blames(task, "own", "has not come to a safepoint");
    gate_open(&gate);
    (void)joined(task);
}

static brolga_word call_through(void *arg)
{
    return call_slot_here(through, arg);
}

Test(barrier, who_stays_in_a_version_is_named_with_its_function,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {.fn = gate_park, .arg = &gate};
    struct jit_unit code;
    brolga_task *task;

    through = published_caller("waiter", &code, 0);
    task = spawned_as(
        call_through, &call,
        &(struct brolga_spawn_opts){.name = "stayer", .adopt_at_top = true});
    cr_assert(gate_reached(&gate) && wait_until(is_parked(task)));
    blames(task, "stayer", "parked in gate");
    gate_open_for(&gate, task);
    (void)joined(task);
    commits();
}

static brolga_word step(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    brolga_yield();
    return brolga__load_acquire(&gate->open) != 0 ? BROLGA_DONE : BROLGA_OK;
}

/* A loop stands between two calls, not within one, though that yields. */
Test(barrier, a_loop_stands_at_top_safepoints, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    struct jit_call call = {.fn = step, .arg = &gate};
    struct jit_unit code;
    brolga_task *task = NULL;
    brolga_slot slot = published_caller("step", &code, 0);

    cr_assert_eq(brolga_spawn_loop(
                     rt, slot, &call,
                     &(struct brolga_spawn_opts){.adopt_at_top = true}, &task),
                 BROLGA_OK);
    cr_assert(gate_reached(&gate));
    for (int i = 0; i < 5; i++)
        commits();
    gate_open(&gate);
    (void)joined(task);
}

struct committer {
    struct gate *gate;
    int commits;
    int err;
};

static brolga_word commit_some(void *arg)
{
    struct committer *committer = arg;

    for (int i = 0; i < 3 && committer->err == BROLGA_OK; i++) {
        brolga_txn *txn;

        committer->err =
            brolga_txn_begin(brolga_runtime_got(brolga_runtime()), &txn);
        if (committer->err == BROLGA_OK)
            committer->err = brolga_txn_commit_barrier(txn, LATE, NULL);
        committer->commits += committer->err == BROLGA_OK;
    }
    return committer->commits;
}

Test(barrier, tasks_may_commit_and_all_at_once, .init = world_open,
     .fini = world_close)
{
    struct committer committer[4] = {{0}};
    struct gate gate = {0};
    brolga_task *task[4], *other = spawned(gate_run, &gate);
    uint64_t version = brolga_got_version(brolga_runtime_got(rt));

    cr_assert(gate_reached(&gate));
    for (int i = 0; i < 4; i++)
        task[i] = spawned_as(commit_some, &committer[i],
                             &(struct brolga_spawn_opts){.thread = i == 3});
    for (int i = 0; i < 4; i++)
        cr_assert_eq(joined(task[i]), 3);
    gate_open(&gate);
    (void)joined(other);
    cr_assert_eq(brolga_got_version(brolga_runtime_got(rt)), version + 12);
}

Test(barrier, an_attached_thread_may_commit, .init = world_open,
     .fini = world_close)
{
    cr_assert_eq(brolga_attach_thread(rt, "host"), BROLGA_OK);
    commits();
    cr_assert_eq(brolga__self()->version->number,
                 brolga_got_version(brolga_runtime_got(rt)));
    brolga_detach_thread();
}

static brolga_word commit_while_driven(void *arg)
{
    struct committer *committer = arg;

    gate_open(committer->gate);
    return commit_some(arg);
}

Test(barrier, a_host_that_drives_needs_no_other_thread)
{
    struct gate gate = {0};
    struct committer committer = {.gate = &gate};
    brolga_task *task, *other;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    commits(); /* Nobody drives. */
    other = spawned(gate_run, &gate);
    task = spawned(commit_while_driven, &committer);
    while (brolga_tasks_live(rt) > 0)
        (void)brolga_drive(rt, SOON);
    cr_assert_eq(joined(task), 3);
    (void)joined(other);
    while (brolga_reclaim_step(rt))
        continue;
    world_close();
}

static brolga_word spawn_many(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0) {
        brolga_task *task;

        if (brolga_spawn(brolga_runtime(), gate_block, gate,
                         &(struct brolga_spawn_opts){.thread = true},
                         &task) == BROLGA_OK)
            brolga_detach(task);
        brolga_yield();
        while (brolga_tasks_live(brolga_runtime()) > 8 &&
               brolga__load_acquire(&gate->open) == 0)
            (void)brolga_sleep_until(brolga_after_ns(BROLGA_MS));
    }
    return 0;
}

/* Threads are made between two safepoints, and carriers under a lock. */
Test(barrier, starting_threads_does_not_wait_at_the_gate, .init = world_open,
     .fini = world_close)
{
    static struct gate gate; /* Threads may outlive the test's frame. */
    brolga_task *task = spawned(spawn_many, &gate);

    cr_assert(gate_reached(&gate));
    for (int i = 0; i < 5; i++)
        commits();
    gate_open(&gate);
    (void)joined(task);
}
