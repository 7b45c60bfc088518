/*
 * Goal: a task runs once, its end is heard once, its failure stays its own
 * (C8), and its record goes back.
 * Method: tasks of every kind of end, joined from threads and from tasks.
 */
#include "tasks/world.h"

#include <unistd.h>
#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

static brolga_word twice(void *arg)
{
    return 2 * (brolga_word)(intptr_t)arg;
}

Test(task, join_gives_the_result, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    cr_assert_eq(joined(spawned(twice, (void *)21)), 42);
    cr_assert_eq(joined(spawned(twice, (void *)-5)), -10);
    cr_assert_eq(brolga_join(spawned(twice, NULL), BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
}

#define MANY 4000

static _Atomic uint64_t sum;

static brolga_word add_to_sum(void *arg)
{
    (void)brolga__add_relaxed(&sum, (uint64_t)(uintptr_t)arg);
    return (brolga_word)(intptr_t)arg;
}

Test(task, thousands_run_once_each, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    static brolga_task *tasks[MANY];

    brolga__store_relaxed(&sum, 0);
    for (intptr_t i = 0; i < MANY; i++)
        tasks[i] = spawned(add_to_sum, (void *)i);
    for (intptr_t i = 0; i < MANY; i++)
        cr_assert_eq(joined(tasks[i]), i);
    cr_assert_eq(brolga__load_relaxed(&sum), (uint64_t)MANY * (MANY - 1) / 2);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

Test(task, detached_ones_run_too, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    brolga__store_relaxed(&sum, 0);
    for (intptr_t i = 1; i <= 50; i++)
        if (i % 2 == 0)
            cr_assert_eq(brolga_spawn(rt, add_to_sum, (void *)i, NULL, NULL),
                         BROLGA_OK);
        else
            brolga_detach(spawned(add_to_sum, (void *)i));
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    cr_assert_eq(brolga__load_relaxed(&sum), 50 * 51 / 2);
}

Test(task, nothing_to_call_is_refused, .init = world_open, .fini = world_close)
{
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn(rt, NULL, NULL, NULL, &task), BROLGA_EINVAL);
    cr_assert_eq(brolga_spawn_slot(rt, 0, NULL, NULL, &task), BROLGA_EINVAL);
    cr_assert_eq(brolga_spawn_loop(rt, 0, NULL, NULL, &task), BROLGA_EINVAL);
    /* Slots that are not defined. */
    cr_assert_eq(brolga_spawn_slot(rt, 1, NULL, NULL, &task), BROLGA_ENOENT);
    cr_assert_eq(brolga_spawn_slot(rt, 4000000, NULL, NULL, &task),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_spawn_loop(rt, 4000000, NULL, NULL, &task),
                 BROLGA_ENOENT);
    cr_assert_null(task);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

struct inside {
    brolga_task *self;
    brolga *runtime;
    bool canceled;
};

static brolga_word look_inside(void *arg)
{
    struct inside *inside = arg;

    inside->self = brolga_self();
    inside->runtime = brolga_runtime();
    inside->canceled = brolga_canceled();
    return (brolga_word)brolga_task_id(brolga_self());
}

Test(task, knows_itself_and_its_runtime, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct inside inside = {.canceled = true};
    brolga_task *task = spawned(look_inside, &inside);
    uint64_t id = brolga_task_id(task);

    cr_assert_neq(id, 0);
    cr_assert_eq(joined(task), (brolga_word)id);
    cr_assert_eq(inside.self, task);
    cr_assert_eq(inside.runtime, rt);
    cr_assert_not(inside.canceled);
    cr_assert_null(brolga_self());
    cr_assert_null(brolga_runtime());
    cr_assert_not(brolga_canceled());
    cr_assert_eq(brolga_task_id(NULL), 0);
}

Test(task, numbers_are_not_used_again, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    uint64_t last = 0;

    for (int i = 0; i < 100; i++) {
        brolga_task *task = spawned(twice, NULL);

        cr_assert_gt(brolga_task_id(task), last);
        last = brolga_task_id(task);
        (void)joined(task);
    }
}

/* --- failing ------------------------------------------------------------ */

static brolga_word fail(void *arg)
{
    brolga_panic("no crane %d of %s", 7, (const char *)arg);
}

static void join_failed(const struct brolga_spawn_opts *opts)
{
    brolga_task *task = spawned_as(fail, "flock", opts);
    uint64_t id = brolga_task_id(task);
    struct brolga_failure failure;
    brolga_word result = 77;

    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, &failure),
                 BROLGA_EFAILED);
    cr_assert_eq(result, 77);
    cr_assert_eq(failure.task, id);
    cr_assert_str_eq(failure.message, "no crane 7 of flock");
    cr_assert_str_eq(failure.name, "a name of more than thirty-one ");
}

Test(task, c8_a_failure_reaches_the_joiner_alone, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *bystander = spawned(gate_park, &gate);
    struct brolga_spawn_opts opts = {
        .name = "a name of more than thirty-one bytes"};

    join_failed(&opts);
    opts.thread = true;
    join_failed(&opts);
    cr_assert_eq(brolga_join(spawned(fail, "x"), BROLGA_FOREVER, NULL, NULL),
                 BROLGA_EFAILED);
    gate_open_for(&gate, bystander);
    cr_assert_eq(joined(bystander), 0);
}

Test(task, a_long_message_is_cut, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct brolga_failure failure;
    char text[1000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(
        brolga_join(spawned(fail, text), BROLGA_FOREVER, NULL, &failure),
        BROLGA_EFAILED);
    cr_assert_eq(strlen(failure.message), sizeof failure.message - 1);
}

Test(task, a_stack_beyond_the_limit_is_refused, .init = world_open,
     .fini = world_close)
{
    struct brolga_spawn_opts opts = {.stack_bytes = (size_t)2 << 30};
    brolga_task *task = NULL;

    cr_assert_eq(brolga_spawn(rt, twice, NULL, &opts, &task), BROLGA_ELIMIT);
    cr_assert_null(task);
    cr_assert_eq(brolga_tasks_live(rt), 0);
}

struct starved {
    struct brolga_failure failure;
    int spawned, joined;
};

/* A stack of a size that the pool has none of; the only worker asks for it
 * when this task waits for the child. */
static brolga_word starve_child(void *arg)
{
    struct brolga_spawn_opts opts = {.stack_bytes = (size_t)16 << 20};
    struct starved *starved = arg;
    brolga_task *child;

    starved->spawned =
        brolga_spawn(brolga_runtime(), twice, NULL, &opts, &child);
    if (starved->spawned != BROLGA_OK)
        return 0;
    brolga__alloc_fail_nth(1);
    starved->joined =
        brolga_join(child, BROLGA_FOREVER, NULL, &starved->failure);
    brolga__alloc_fail_nth(0);
    return 0;
}

Test(task, c8_a_stack_that_cannot_be_had_fails_the_task, .timeout = 30)
{
    struct starved starved = {.joined = BROLGA_OK};

    world_open_with(&(struct brolga_opts){.workers = 1});
    (void)joined(spawned(starve_child, &starved));
    cr_assert_eq(starved.spawned, BROLGA_OK);
    cr_assert_eq(starved.joined, BROLGA_EFAILED);
    cr_assert(strstr(starved.failure.message, "stack") != NULL, "%s\n",
              starved.failure.message);
    world_close();
}

/* What is written to standard error, up to the call of heard(). */
static FILE *ear;
static int mouth;

static void listen(void)
{
    ear = tmpfile();
    cr_assert_not_null(ear);
    (void)fflush(stderr);
    mouth = dup(STDERR_FILENO);
    cr_assert_geq(dup2(fileno(ear), STDERR_FILENO), 0);
}

static const char *heard(void)
{
    static char text[512];
    size_t bytes;

    (void)fflush(stderr);
    (void)dup2(mouth, STDERR_FILENO);
    (void)close(mouth);
    rewind(ear);
    bytes = fread(text, 1, sizeof text - 1, ear);
    text[bytes] = '\0';
    (void)fclose(ear);
    return text;
}

Test(task, c8_a_failure_that_nobody_hears_is_written, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct brolga_spawn_opts opts = {.name = "lost"};
    brolga_task *task;
    const char *text;

    listen();
    cr_assert_eq(brolga_spawn(rt, fail, "early", &opts, NULL), BROLGA_OK);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    task = spawned_as(fail, "late", &opts);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    brolga_detach(task);
    cr_assert_eq(
        brolga_join(spawned(fail, "joined"), BROLGA_FOREVER, NULL, NULL),
        BROLGA_EFAILED);
    /* The first one's line is written before its worker goes on. */
    cr_assert_eq(brolga_destroy(rt), BROLGA_OK);
    text = heard();
    world_open();
    cr_assert(strstr(text, "'lost' failed: no crane 7 of early") != NULL,
              "%s\n", text);
    cr_assert(strstr(text, "'lost' failed: no crane 7 of late") != NULL, "%s\n",
              text);
    cr_assert_null(strstr(text, "joined"));
}

static brolga_word fail_without_memory(void *arg)
{
    brolga__alloc_fail_nth(1);
    return fail(arg);
}

Test(task, c8_a_failure_without_memory_is_one_and_is_written, .timeout = 30)
{
    struct brolga_failure failure = {.task = 0};
    brolga_task *task;
    const char *text;
    int err;

    /* No worker takes memory meanwhile. */
    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    task = spawned(fail_without_memory, "mine");
    listen();
    (void)brolga_drive(rt, BROLGA_FOREVER);
    text = heard();
    err = brolga_join(task, BROLGA_NOW, NULL, &failure);
    world_close();
    cr_assert_eq(err, BROLGA_EFAILED);
    cr_assert_eq(failure.kind, BROLGA_FAILURE_PANIC);
    cr_assert(strstr(failure.message, "no memory") != NULL, "%s\n",
              failure.message);
    cr_assert(strstr(text, "failed: no crane 7 of mine") != NULL, "%s\n", text);
}

/* Handles of failed tasks, given up or not. */
static void fail_some(void)
{
    brolga_task *kept[20];

    world_open();
    for (int i = 0; i < 20; i++)
        kept[i] = spawned(fail, "some");
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    for (int i = 0; i < 10; i++)
        cr_assert_eq(
            brolga_join(kept[i], brolga_after_ns(WAIT_LIMIT_NS), NULL, NULL),
            BROLGA_EFAILED);
    cr_assert_eq(brolga_destroy(rt), BROLGA_OK);
}

Test(task, what_failures_said_is_freed, .timeout = 30)
{
    int64_t before = brolga__alloc_live(), one = 0;
    struct brolga_failure failure;

    fail_some();
    cr_assert_eq(brolga__alloc_live(), before);
    world_open();
    for (int i = 0; i < 1000; i++) {
        brolga_task *task = spawned(fail, "many");

        if (i == 500)
            one = brolga__alloc_live();
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, &failure),
                     BROLGA_EFAILED);
    }
    cr_assert_leq(brolga__alloc_live(), one + 2);
    world_close();
}

#if !defined(CRITERION_STAND_IN) && !defined(BROLGA__ASAN)
static brolga_word overflow(void *arg)
{
    volatile char bytes[1000];

    bytes[0] = 1;
    return arg == NULL ? bytes[0] : overflow(arg) + bytes[0];
}

Test(task, c8_a_stack_overflow_traps, .signal = SIGSEGV, .timeout = 30)
{
    world_open();
    (void)joined(spawned(overflow, &ear));
}
#endif

/* --- joining ------------------------------------------------------------ */

Test(task, a_join_that_times_out_keeps_the_handle, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    brolga_task *task = spawned(gate_park, &gate);

    cr_assert_eq(brolga_join(task, BROLGA_NOW, NULL, NULL), BROLGA_ETIMEOUT);
    cr_assert_eq(brolga_join(task, brolga_after_ns(BROLGA_MS), NULL, NULL),
                 BROLGA_ETIMEOUT);
    gate_open_for(&gate, task);
    cr_assert_eq(joined(task), 0);
}

struct joins {
    brolga_task *other;
    uint64_t deadline_ns;
    int first, second;
    brolga_word result;
};

static brolga_word join_other(void *arg)
{
    struct joins *joins = arg;

    joins->first =
        brolga_join(joins->other, joins->deadline_ns, &joins->result, NULL);
    return 0;
}

Test(task, a_task_joins_a_task, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    struct gate gate = {0};
    struct joins joins = {.deadline_ns = BROLGA_FOREVER, .result = 9};
    brolga_task *joiner;

    joins.other = spawned(gate_park, &gate);
    joiner = spawned(join_other, &joins);
    cr_assert(wait_until(is_parked(joiner)));
    cr_assert_str_eq(brolga__load_relaxed(&joiner->parked_in), "join");
    gate_open_for(&gate, joins.other);
    (void)joined(joiner);
    cr_assert_eq(joins.first, BROLGA_OK);
    cr_assert_eq(joins.result, 0);
    joins.other = spawned(fail, "x");
    (void)joined(spawned(join_other, &joins));
    cr_assert_eq(joins.first, BROLGA_EFAILED);
}

Test(task, a_task_that_joins_may_time_out_or_be_canceled, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    struct gate gate = {0};
    struct joins joins = {.deadline_ns = brolga_after_ns(BROLGA_MS)};
    brolga_task *joiner;

    joins.other = spawned(gate_park, &gate);
    (void)joined(spawned(join_other, &joins));
    cr_assert_eq(joins.first, BROLGA_ETIMEOUT);
    joins.deadline_ns = BROLGA_FOREVER;
    joiner = spawned(join_other, &joins);
    cr_assert(wait_until(is_parked(joiner)));
    brolga_cancel(joiner);
    (void)joined(joiner);
    cr_assert_eq(joins.first, BROLGA_ECANCELED);
    gate_open_for(&gate, joins.other);
    cr_assert_eq(joined(joins.other), 0);
}

/* --- limits ------------------------------------------------------------- */

Test(task, the_limit_of_tasks_is_reported, .timeout = 30)
{
    struct gate gate = {0};
    brolga_task *tasks[2], *third = NULL;

    world_open_with(&(struct brolga_opts){.workers = 1, .tasks_max = 2});
    tasks[0] = spawned(gate_park, &gate);
    tasks[1] = spawned(gate_park, &gate);
    cr_assert_eq(brolga_tasks_live(rt), 2);
    cr_assert_eq(brolga_spawn(rt, twice, NULL, NULL, &third), BROLGA_ELIMIT);
    cr_assert_null(third);
    cr_assert_eq(brolga_attach_thread(rt, "one more"), BROLGA_ELIMIT);
    cr_assert_eq(brolga_tasks_live(rt), 2);
    gate_open(&gate);
    for (int i = 0; i < 2; i++) {
        brolga__unpark(tasks[i]);
        (void)joined(tasks[i]);
    }
    cr_assert_eq(joined(spawned(twice, (void *)1)), 2);
    world_close();
}

Test(task, want_of_memory_starts_nothing, .timeout = 30)
{
    struct brolga_spawn_opts thread = {.thread = true};
    brolga_task *task = NULL;
    int64_t before;

    /* No worker takes memory meanwhile. */
    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_spawn(rt, twice, NULL, NULL, &task), BROLGA_ENOMEM);
    cr_assert_eq(brolga_spawn(rt, twice, NULL, NULL, &task), BROLGA_OK);
    before = brolga__alloc_live();
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_spawn(rt, twice, NULL, &thread, NULL), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(brolga__alloc_live(), before);
    cr_assert_eq(brolga_tasks_live(rt), 1);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    (void)joined(task);
    world_close();
}

Test(task, records_are_used_again, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    int64_t before;

    for (int i = 0; i < 200; i++)
        (void)joined(spawned(twice, NULL));
    before = brolga__alloc_live();
    for (int i = 0; i < 2000; i++)
        (void)joined(spawned(twice, NULL));
    cr_assert_leq(brolga__alloc_live(), before + 2);
}

/* --- slots -------------------------------------------------------------- */

Test(task, a_slot_is_called_in_the_version_at_the_start, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    static struct jit_unit codes[2];
    brolga_slot slot = published_constant("f", &codes[0], 11);
    brolga_task *task;

    cr_assert_eq(brolga_spawn_slot(rt, slot, NULL, NULL, &task), BROLGA_OK);
    cr_assert_eq(joined(task), 11);
    (void)published_constant("f", &codes[1], 12);
    cr_assert_eq(brolga_spawn_slot(rt, slot, NULL, NULL, &task), BROLGA_OK);
    cr_assert_eq(joined(task), 12);
    cr_assert(released(&codes[0]));
}

struct steps {
    struct jit_call call;
    int left;
};

static brolga_word count_down(void *arg)
{
    struct steps *steps = brolga__container_of(arg, struct steps, left);

    return --steps->left > 0 ? BROLGA_OK : BROLGA_DONE;
}

Test(task, a_loop_runs_until_it_says_so, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    static struct jit_unit codes[2];
    struct steps steps = {.left = 100};
    brolga_slot slot = published_caller("f", &codes[0], 0);
    brolga_task *task;

    steps.call = (struct jit_call){count_down, &steps.left};
    cr_assert_eq(brolga_spawn_loop(rt, slot, &steps.call, NULL, &task),
                 BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert_eq(steps.left, 0);
    slot = published_constant("g", &codes[1], BROLGA_ECLOSED);
    cr_assert_eq(brolga_spawn_loop(rt, slot, NULL, NULL, &task), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_ECLOSED);
}

Test(task, c8_a_canceled_loop_ends, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    static struct jit_unit code;
    brolga_slot slot = published_constant("f", &code, BROLGA_OK);
    brolga_task *task;

    cr_assert_eq(brolga_spawn_loop(rt, slot, NULL, NULL, &task), BROLGA_OK);
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
}

/* Takes all of module m away; what the check says of it. */
static int empty_module(struct brolga_report *report)
{
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    return brolga_txn_commit(txn, report);
}

Test(task, c7_the_slot_of_a_loop_is_not_taken_away, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    static struct jit_unit code;
    struct brolga_report report;
    brolga_slot slot = published_constant("f", &code, BROLGA_OK);
    brolga_task *task;

    cr_assert_eq(brolga_spawn_loop(rt, slot, NULL, NULL, &task), BROLGA_OK);
    cr_assert_eq(empty_module(&report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_IMPORTERS);
    cr_assert_not_null(strstr(report.text, "1 running task calls m.f as " FN),
                       "%s\n", report.text);
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(empty_module(&report), BROLGA_OK, "%s\n", report.text);
    cr_assert(released(&code));
}
