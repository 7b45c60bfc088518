/*
 * Goal: stress switches do what they say, and nothing is lost by them.
 * Method: commits that are refused at random leave everything as it was, and
 * succeed in the end; polls of a task bring reloads about; forced searches of
 * stacks that are clean hold nothing.
 */
#include "world.h"

#include <stdlib.h>

static struct jit_unit codes[600];

/* --- aborts ------------------------------------------------------------- */

static int commit_once(int code, struct brolga_report *report)
{
    struct brolga_unit_opts opts;
    brolga_unit *unit;
    brolga_txn *txn;

    cr_assert(jit_make_constant(&codes[code], code));
    opts = jit_opts(&codes[code], "f", BROLGA_RECLAIM);
    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "f", FN, codes[code].text, NULL),
        BROLGA_OK);
    return brolga_txn_commit(txn, report);
}

static void let_go_of_old(void)
{
    while (brolga_reclaim_step(rt))
        continue;
}

Test(stress, c7_an_aborted_commit_leaves_no_trace_and_says_so, .timeout = 60)
{
    struct brolga_opts opts = {.workers = BROLGA_NO_WORKERS,
                               .got.history = 3,
                               .stress = {.abort = 2, .seed = 3}};
    unsigned refused = 0, done = 0;

    world_open_with(&opts);
    for (int i = 0; i < 300; i++) {
        struct brolga_got_stats before = stats();
        struct brolga_report report = {.refusal = BROLGA_REFUSED_NOT};
        uint32_t live;

        if (commit_once(i, &report) == BROLGA_OK) {
            done++;
            let_go_of_old();
            continue;
        }
        refused++;
        cr_assert_eq(report.refusal, BROLGA_REFUSED_STRESS);
        cr_assert_str_eq(brolga_refusal_name(report.refusal), "stress");
        cr_assert_neq(report.text[0], '\0');
        cr_assert_eq(report.version, before.version);
        live = stats().units_live;
        cr_assert_eq(live, before.units_live);
        cr_assert_eq(stats().slots, before.slots);
        cr_assert_eq(stats().versions_live, before.versions_live);
        cr_assert_eq(jit_releases(&codes[i]), 1);
    }
    cr_assert_gt(refused, 50);
    cr_assert_gt(done, 50);
    world_close();
}

/* --- reloads ------------------------------------------------------------ */

static brolga_word poll_often(void *arg)
{
    unsigned count = *(const unsigned *)arg;

    for (unsigned i = 0; i < count; i++)
        brolga_safepoint();
    return 0;
}

Test(stress, every_so_many_safepoints_bring_a_version, .timeout = 60)
{
    struct brolga_opts opts = {.workers = 1, .stress = {.reload = 100}};
    unsigned count = 50;
    uint64_t before;

    world_open_with(&opts);
    before = stats().version;
    (void)joined(spawned(poll_often, &count));
    cr_assert_eq(stats().version, before);
    count = 200;
    for (int i = 0; i < 50; i++)
        (void)joined(spawned(poll_often, &count));
    cr_assert(wait_until(stats().version > before));
    world_close();
}

Test(stress, without_the_switch_polls_are_two_loads, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert(gate_reached(&gate));
    cr_assert_eq((const void *)task->view.round,
                 (const void *)&rt->epoch->round);
    gate_open_for(&gate, task);
    (void)joined(task);
}

/* --- the environment ---------------------------------------------------- */

Test(stress, the_environment_is_taken_or_refused, .timeout = 60)
{
    brolga *other = NULL;

    cr_assert_eq(setenv("BROLGA_STRESS", "scan=1,abort=1000", 1), 0);
    world_open();
    cr_assert(rt->opts.stress.scan);
    cr_assert_eq(rt->got->opts.stress_abort, 1000);
    world_close();
    cr_assert_eq(setenv("BROLGA_STRESS", "scan=1,abort", 1), 0);
    cr_assert_eq(brolga_create(NULL, &other), BROLGA_EINVAL);
    cr_assert_null(other);
    cr_assert_eq(unsetenv("BROLGA_STRESS"), 0);
}

/* --- scans -------------------------------------------------------------- */

Test(stress, forced_scans_hold_nothing, .timeout = 60)
{
    struct brolga_opts opts = {.workers = 2, .stress = {.scan = true}};
    struct gate gates[4] = {{0}};
    brolga_task *task[4];

    world_open_with(&opts);
    (void)published_constant("f", &codes[0], 0);
    for (int i = 0; i < 4; i++) {
        task[i] = spawned(i % 2 == 0 ? gate_park : gate_run, &gates[i]);
        cr_assert(gate_reached(&gates[i]));
    }
    for (int i = 1; i < 20; i++) {
        (void)published_constant("f", &codes[i], i);
        cr_assert(released(&codes[i - 1]));
    }
    for (int i = 0; i < 4; i++) {
        gate_open_for(&gates[i], task[i]);
        (void)joined(task[i]);
    }
    world_close();
}
