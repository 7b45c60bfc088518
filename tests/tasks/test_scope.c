/*
 * Goal: a scope awaits all of its tasks, hears of all their failures, and
 * cancellation reaches everything below it and nothing else.
 * Method: a task of the test opens scopes, and notes what it and the tasks in
 * them see; each test is a small tree with one thing going wrong.
 */
#include "tasks/world.h"

#include <string.h>

/* What one task did in a scope. */
struct child {
    _Atomic int started, ended;
    int seen; /* What its park returned. */
};

/* Waits for ever, until it is told to end. */
static brolga_word wait_told(void *arg)
{
    struct child *child = arg;

    (void)brolga__add_release(&child->started, 1);
    child->seen = brolga_sleep_until(BROLGA_FOREVER);
    (void)brolga__add_release(&child->ended, 1);
    return child->seen;
}

static brolga_word ends(void *arg)
{
    return (brolga_word)(intptr_t)arg;
}

static brolga_word fails(void *arg)
{
    brolga_panic("no %s", (const char *)arg);
}

static void start(brolga_task_fn fn, void *arg, const char *name)
{
    struct brolga_spawn_opts opts = {.name = name};
    int err = brolga_spawn(brolga_runtime(), fn, arg, &opts, NULL);

    if (err != BROLGA_OK)
        brolga_panic("spawn: %s", brolga_error_name(err));
}

static brolga_scope *opened(enum brolga_scope_policy policy,
                            uint64_t deadline_ns)
{
    struct brolga_scope_opts opts = {.policy = policy,
                                     .deadline_ns = deadline_ns};
    brolga_scope *scope = NULL;
    int err = brolga_scope_open(&opts, &scope);

    if (err != BROLGA_OK)
        brolga_panic("open: %s", brolga_error_name(err));
    return scope;
}

static void wait_started(struct child *child)
{
    while (brolga__load_acquire(&child->started) == 0)
        brolga_yield();
}

/* What a test's own task notes, for the test to assert on. */
struct notes {
    struct child child[3];
    struct brolga_scope_report report;
    struct brolga_failure failures[8];
    size_t visited;
    int result, inside, after;
    brolga_scope *scope;
    struct gate gate;
    uint64_t deadline_ns[2];
    _Atomic int order;
};

static struct notes notes;

static void note_failure(void *arg, const struct brolga_failure *failure)
{
    (void)arg;
    if (notes.visited < brolga__lengthof(notes.failures))
        notes.failures[notes.visited] = *failure;
    notes.visited++;
}

static void open_world(void)
{
    memset(&notes, 0, sizeof notes);
    world_open();
}

#define promise(name)                                                          \
    Test(scope, name, .timeout = 30, .init = open_world, .fini = world_close)

/* --- joining ------------------------------------------------------------ */

static brolga_word slow(void *arg)
{
    struct child *child = arg;

    for (int i = 0; i < 50; i++)
        brolga_yield();
    (void)brolga__add_release(&child->ended, 1);
    return 0;
}

static brolga_word join_three(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ALL, 0);

    (void)arg;
    for (int i = 0; i < 3; i++)
        start(slow, &notes.child[i], "slow");
    notes.result = brolga_scope_join(scope, &notes.report);
    for (int i = 0; i < 3; i++)
        notes.after += brolga__load_relaxed(&notes.child[i].ended);
    return 0;
}

promise(join_waits_for_all)
{
    (void)joined(spawned(join_three, NULL));
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.after, 3);
    cr_assert_eq(notes.report.tasks, 3);
    cr_assert_eq(notes.report.ended, 3);
    cr_assert_eq(notes.report.failed + notes.report.canceled, 0);
    cr_assert_neq(notes.report.scope, 0);
}

static brolga_word grow(void *arg)
{
    intptr_t depth = (intptr_t)arg;

    (void)brolga__add_relaxed(&notes.order, 1);
    if (depth > 0) {
        start(grow, (void *)(depth - 1), "twig");
        start(grow, (void *)(depth - 1), "twig");
    }
    return 0;
}

static brolga_word join_tree(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ALL, 0);

    start(grow, arg, "trunk");
    notes.result = brolga_scope_join(scope, &notes.report);
    notes.after = brolga__load_relaxed(&notes.order);
    return 0;
}

promise(what_a_task_spawns_is_in_its_scope)
{
    (void)joined(spawned(join_tree, (void *)6));
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.after, 127);
    cr_assert_eq(notes.report.tasks, 127);
}

static brolga_word join_wrongly(void *arg)
{
    brolga_scope *outer = opened(BROLGA_SCOPE_ALL, 0);
    brolga_scope *inner = opened(BROLGA_SCOPE_ALL, 0);

    (void)arg;
    notes.inside = brolga_scope_join(outer, NULL);
    notes.result = brolga_scope_join(inner, NULL);
    notes.after = brolga_scope_join(outer, NULL);
    return 0;
}

promise(only_the_innermost_scope_can_be_joined)
{
    brolga_scope *scope = NULL;

    (void)joined(spawned(join_wrongly, NULL));
    cr_assert_eq(notes.inside, BROLGA_ESTATE);
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.after, BROLGA_OK);
    cr_assert_eq(brolga_scope_open(NULL, &scope), BROLGA_ESTATE);
    cr_assert_null(scope);
}

static brolga_word open_badly(void *arg)
{
    struct brolga_scope_opts opts = {.policy = (enum brolga_scope_policy)7};
    brolga_scope *scope = NULL;

    (void)arg;
    notes.inside = brolga_scope_open(&opts, &scope);
    brolga__alloc_fail_nth(1);
    notes.result = brolga_scope_open(NULL, &scope);
    brolga__alloc_fail_nth(0);
    return scope == NULL && brolga_self()->scope == NULL;
}

promise(opening_says_what_is_wrong)
{
    cr_assert_eq(joined(spawned(open_badly, NULL)), 1);
    cr_assert_eq(notes.inside, BROLGA_EINVAL);
    cr_assert_eq(notes.result, BROLGA_ENOMEM);
}

static brolga_word open_without_timer(void *arg)
{
    struct brolga_scope_opts opts = {.deadline_ns =
                                         brolga_after_ns(WAIT_LIMIT_NS)};
    brolga_scope *scope = NULL;

    (void)arg;
    brolga__alloc_fail_nth(2); /* The scope, then the timers' heap. */
    notes.result = brolga_scope_open(&opts, &scope);
    brolga__alloc_fail_nth(0);
    return scope == NULL && brolga_self()->scope == NULL;
}

promise(a_deadline_that_cannot_be_kept_is_refused)
{
    cr_assert_eq(joined(spawned(open_without_timer, NULL)), 1);
    cr_assert_eq(notes.result, BROLGA_ENOMEM);
}

/* --- policies ----------------------------------------------------------- */

static brolga_word fail_one(void *arg)
{
    brolga_scope *scope = opened(*(enum brolga_scope_policy *)arg, 0);

    start(wait_told, &notes.child[0], "sibling");
    wait_started(&notes.child[0]);
    start(fails, "luck", "unlucky");
    notes.inside = brolga_sleep_until(BROLGA_FOREVER);
    notes.result = brolga_scope_join(scope, &notes.report);
    notes.after = brolga_cancel_reason();
    (void)brolga_scope_each_failure(&notes.report, note_failure, NULL);
    return 0;
}

promise(all_a_failure_cancels_siblings_and_the_opener)
{
    enum brolga_scope_policy policy = BROLGA_SCOPE_ALL;

    (void)joined(spawned(fail_one, &policy));
    cr_assert_eq(notes.inside, BROLGA_ECANCELED);
    cr_assert_eq(notes.child[0].seen, BROLGA_ECANCELED);
    cr_assert_eq(notes.result, BROLGA_EFAILED);
    cr_assert_eq(notes.after, BROLGA_OK);
    cr_assert_eq(notes.report.failed, 1);
    cr_assert_eq(notes.report.canceled, 1);
    cr_assert_str_eq(notes.report.first.name, "unlucky");
    cr_assert_str_eq(notes.report.first.message, "no luck");
    cr_assert_eq(notes.visited, 1);
    cr_assert_eq(notes.failures[0].task, notes.report.first.task);
}

static brolga_word collect(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_COLLECT, 0);

    (void)arg;
    start(fails, "bread", "one");
    start(fails, "milk", "two");
    start(slow, &notes.child[0], "three");
    start(fails, "salt", "four");
    notes.result = brolga_scope_join(scope, &notes.report);
    (void)brolga_scope_each_failure(&notes.report, note_failure, NULL);
    return (brolga_word)notes.report.failed;
}

promise(collect_lets_the_others_be_and_lists_all)
{
    int found = 0;

    cr_assert_eq(joined(spawned(collect, NULL)), 3);
    cr_assert_eq(notes.result, BROLGA_EFAILED);
    cr_assert_eq(notes.report.ended, 1);
    cr_assert_eq(brolga__load_relaxed(&notes.child[0].ended), 1);
    cr_assert_eq(notes.visited, 3);
    cr_assert_eq(notes.failures[0].task, notes.report.first.task);
    for (int i = 0; i < 3; i++)
        found |= strcmp(notes.failures[i].message, "no bread") == 0  ? 1
                 : strcmp(notes.failures[i].message, "no milk") == 0 ? 2
                 : strcmp(notes.failures[i].message, "no salt") == 0 ? 4
                                                                     : 0;
    cr_assert_eq(found, 7);
}

static brolga_word collect_few(void *arg)
{
    struct brolga_scope_opts opts = {.policy = BROLGA_SCOPE_COLLECT,
                                     .failures_max = 2};
    brolga_scope *scope = NULL, *next;

    (void)arg;
    if (brolga_scope_open(&opts, &scope) != BROLGA_OK)
        return -1;
    for (int i = 0; i < 20; i++)
        start(fails, "more", "one of many");
    notes.result = brolga_scope_join(scope, &notes.report);
    (void)brolga_scope_each_failure(&notes.report, note_failure, NULL);
    next = opened(BROLGA_SCOPE_ALL, 0);
    notes.after = brolga_scope_join(next, NULL);
    return (brolga_word)brolga_scope_each_failure(&notes.report, note_failure,
                                                  NULL);
}

promise(failures_are_kept_up_to_a_limit_and_until_the_next_join)
{
    cr_assert_eq(joined(spawned(collect_few, NULL)), 0);
    cr_assert_eq(notes.report.failed, 20);
    cr_assert_eq(notes.visited, 2);
}

static brolga_word helper(void *arg)
{
    (void)brolga__add_release(&((struct child *)arg)->ended, 1);
    return 0;
}

/* Spawns a helper, which does not compete, and wins later. */
static brolga_word race_with_help(void *arg)
{
    start(helper, &notes.child[1], "helper");
    while (brolga__load_acquire(&notes.child[1].ended) == 0)
        brolga_yield();
    for (int i = 0; i < 20; i++)
        brolga_yield();
    return (brolga_word)(intptr_t)arg;
}

static brolga_word race_any(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ANY, 0);

    start(wait_told, &notes.child[0], "loser");
    start(fails, "chance", "breaks down");
    start(race_with_help, arg, "winner");
    notes.result = brolga_scope_join(scope, &notes.report);
    return 0;
}

promise(any_the_first_success_wins_and_cancels_the_rest)
{
    (void)joined(spawned(race_any, (void *)42));
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_neq(notes.report.winner, 0);
    cr_assert_eq(notes.report.value, 42);
    cr_assert_eq(notes.child[0].seen, BROLGA_ECANCELED);
    cr_assert_eq(notes.report.failed, 1);
    cr_assert_eq(notes.report.canceled, 1);
    cr_assert_eq(notes.report.ended, 2);
}

static brolga_word race_nobody(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ANY, 0);

    (void)arg;
    notes.inside = brolga_scope_join(scope, &notes.report);
    scope = opened(BROLGA_SCOPE_ANY, 0);
    start(fails, "a", "a");
    start(fails, "b", "b");
    notes.result = brolga_scope_join(scope, &notes.report);
    return 0;
}

promise(any_without_a_winner_says_why)
{
    (void)joined(spawned(race_nobody, NULL));
    cr_assert_eq(notes.inside, BROLGA_ENOENT);
    cr_assert_eq(notes.result, BROLGA_EFAILED);
    cr_assert_eq(notes.report.failed, 2);
    cr_assert_eq(notes.report.winner, 0);
}

/* --- canceling ---------------------------------------------------------- */

/* child[1] is in a scope below a task of the scope, child[2] in one that the
 * opener has opened inside. */
static brolga_word open_below(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ALL, 0);

    start(wait_told, &notes.child[1], "below");
    (void)arg;
    return brolga_scope_join(scope, NULL);
}

static brolga_word open_both(void *arg)
{
    brolga_scope *outer = opened(BROLGA_SCOPE_ALL, 0), *inner;

    (void)arg;
    start(wait_told, &notes.child[0], "child");
    start(open_below, NULL, "parent");
    inner = opened(BROLGA_SCOPE_ALL, 0);
    start(wait_told, &notes.child[2], "inner");
    for (int i = 0; i < 3; i++)
        wait_started(&notes.child[i]);
    notes.scope = outer;
    gate_park(&notes.gate); /* Until the test has done something. */
    notes.inside = brolga_scope_join(inner, NULL);
    notes.result = brolga_scope_join(outer, &notes.report);
    notes.after = brolga_cancel_reason();
    return notes.after;
}

static void check_all_told(void)
{
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(notes.child[i].seen, BROLGA_ECANCELED, "child %d\n", i);
        cr_assert_eq(brolga__load_relaxed(&notes.child[i].ended), 1);
    }
    cr_assert_eq(notes.inside, BROLGA_ECANCELED);
    cr_assert_eq(notes.result, BROLGA_ECANCELED);
    cr_assert_eq(notes.report.canceled, 2);
    cr_assert_eq(notes.report.tasks, 2);
}

promise(cancel_of_a_task_reaches_all_below_it)
{
    brolga_task *task = spawned(open_both, NULL);

    cr_assert(gate_reached(&notes.gate));
    brolga_cancel(task);
    gate_open_for(&notes.gate, task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    check_all_told();
}

promise(cancel_of_a_scope_ends_with_its_join)
{
    brolga_task *task = spawned(open_both, NULL);

    cr_assert(gate_reached(&notes.gate));
    brolga_scope_cancel(notes.scope);
    brolga_scope_cancel(notes.scope);
    gate_open_for(&notes.gate, task);
    cr_assert_eq(joined(task), BROLGA_OK);
    check_all_told();
}

static brolga_word join_gate(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_ALL, 0);

    start(gate_spin, &notes.gate, "deaf");
    start(wait_told, &notes.child[0], "listens");
    notes.result = brolga_scope_join(scope, &notes.report);
    notes.after = brolga__load_acquire(&notes.gate.open);
    (void)arg;
    return 0;
}

promise(a_canceled_joiner_still_waits)
{
    brolga_task *task = spawned(join_gate, NULL);

    cr_assert(gate_reached(&notes.gate));
    cr_assert(wait_until(is_parked(task)));
    cr_assert_str_eq(brolga__load_relaxed(&task->parked_in), "scope");
    brolga_cancel(task);
    cr_assert(wait_until(brolga__load_acquire(&notes.child[0].ended) == 1));
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(brolga_join(task, BROLGA_NOW, NULL, NULL),
                     BROLGA_ETIMEOUT);
        sched_yield();
    }
    gate_open(&notes.gate);
    (void)joined(task);
    cr_assert_eq(notes.after, 1);
    cr_assert_eq(notes.result, BROLGA_ECANCELED);
    /* The deaf one was never told. */
    cr_assert_eq(notes.report.ended, 1);
    cr_assert_eq(notes.report.canceled, 1);
}

static brolga_word open_late(void *arg)
{
    brolga_scope *scope;

    (void)arg;
    while (!brolga_canceled())
        brolga_yield();
    scope = opened(BROLGA_SCOPE_ALL, 0);
    start(wait_told, &notes.child[0], "late");
    notes.result = brolga_scope_join(scope, NULL);
    return 0;
}

promise(what_starts_canceled_is_told_too)
{
    brolga_task *task = spawned(open_late, NULL);

    brolga_cancel(task);
    (void)joined(task);
    cr_assert_eq(notes.child[0].seen, BROLGA_ECANCELED);
    cr_assert_eq(notes.result, BROLGA_ECANCELED);
}

/* --- deadlines ---------------------------------------------------------- */

static brolga_word time_out(void *arg)
{
    brolga_scope *outer = opened(BROLGA_SCOPE_ALL, *(uint64_t *)arg);
    brolga_scope *inner = opened(BROLGA_SCOPE_ALL, BROLGA_FOREVER);

    notes.deadline_ns[0] = brolga_deadline_ns();
    start(wait_told, &notes.child[0], "child");
    notes.inside = brolga_sleep_until(BROLGA_FOREVER);
    notes.after = brolga_scope_join(inner, NULL);
    notes.result = brolga_scope_join(outer, &notes.report);
    notes.deadline_ns[1] = brolga_deadline_ns();
    return brolga_cancel_reason();
}

static void check_time_out(uint64_t deadline_ns)
{
    cr_assert_eq(joined(spawned(time_out, &deadline_ns)), BROLGA_OK);
    cr_assert_eq(notes.inside, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.child[0].seen, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.after, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.result, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.deadline_ns[0], deadline_ns);
    cr_assert_eq(notes.deadline_ns[1], BROLGA_FOREVER);
}

promise(a_deadline_is_inherited_and_has_its_own_code)
{
    uint64_t soon_ns = brolga_after_ns(5 * BROLGA_MS);

    check_time_out(soon_ns);
    cr_assert_geq(brolga_now_ns(), soon_ns);
    check_time_out(1); /* Long ago. */
}

static brolga_word narrow(void *arg)
{
    uint64_t soon_ns = brolga_after_ns(BROLGA_MS);
    brolga_scope *outer = opened(BROLGA_SCOPE_ALL, BROLGA_FOREVER);
    brolga_scope *inner = opened(BROLGA_SCOPE_ALL, soon_ns);

    (void)arg;
    notes.inside = brolga_sleep_until(BROLGA_FOREVER);
    notes.result = brolga_scope_join(inner, NULL);
    notes.after = brolga_sleep_until(BROLGA_NOW);
    return brolga_scope_join(outer, NULL);
}

promise(an_inner_deadline_ends_with_its_scope)
{
    cr_assert_eq(joined(spawned(narrow, NULL)), BROLGA_OK);
    cr_assert_eq(notes.inside, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.result, BROLGA_ETIMEOUT);
    cr_assert_eq(notes.after, BROLGA_OK);
}

/* --- ends without a join ------------------------------------------------ */

static brolga_word leave_open(void *arg)
{
    (void)opened(BROLGA_SCOPE_ALL, 0);
    start(wait_told, &notes.child[0], "child");
    (void)opened(BROLGA_SCOPE_ALL, 0);
    start(wait_told, &notes.child[1], "child");
    wait_started(&notes.child[0]);
    if (arg != NULL)
        brolga_panic("%s", (const char *)arg);
    return 0;
}

static void check_left_open(void)
{
    for (int i = 0; i < 2; i++)
        cr_assert_eq(brolga__load_relaxed(&notes.child[i].ended), 1);
    cr_assert_eq(notes.child[0].seen, BROLGA_ECANCELED);
}

promise(a_task_that_returns_leaves_nobody_behind)
{
    cr_assert_eq(joined(spawned(leave_open, NULL)), 0);
    check_left_open();
}

promise(a_task_that_panics_leaves_nobody_behind)
{
    struct brolga_spawn_opts thread = {.thread = true};
    struct brolga_failure failure;

    for (int i = 0; i < 2; i++) {
        memset(&notes, 0, sizeof notes);
        cr_assert_eq(brolga_join(spawned_as(leave_open, "slipped",
                                            i == 0 ? NULL : &thread),
                                 BROLGA_FOREVER, NULL, &failure),
                     BROLGA_EFAILED);
        cr_assert_str_eq(failure.message, "slipped");
        check_left_open();
    }
}

static brolga_word leave_failure(void *arg)
{
    (void)arg;
    (void)opened(BROLGA_SCOPE_COLLECT, 0);
    start(fails, "heir", "orphan");
    return 0;
}

promise(a_failure_in_a_scope_left_open_is_heard)
{
    struct brolga_failure failure;

    cr_assert_eq(brolga_join(spawned(leave_failure, NULL), BROLGA_FOREVER, NULL,
                             &failure),
                 BROLGA_EFAILED);
    cr_assert(strstr(failure.message, "'orphan': no heir") != NULL, "%s\n",
              failure.message);
}

promise(an_attached_thread_leaves_nobody_behind)
{
    brolga_scope *scope;

    cr_assert_eq(brolga_attach_thread(rt, "host"), BROLGA_OK);
    cr_assert_eq(brolga_scope_open(NULL, &scope), BROLGA_OK);
    cr_assert_eq(brolga_spawn(rt, wait_told, &notes.child[0], NULL, NULL),
                 BROLGA_OK);
    brolga_detach_thread();
    cr_assert_eq(brolga__load_relaxed(&notes.child[0].ended), 1);
}

/* --- who is in which ---------------------------------------------------- */

static brolga_word spawn_around(void *arg)
{
    struct brolga_spawn_opts in_root = {
        .scope = brolga_scope_root(brolga_runtime())};
    brolga_scope *outer = opened(BROLGA_SCOPE_COLLECT, 0);
    brolga_scope *inner = opened(BROLGA_SCOPE_COLLECT, 0);
    struct brolga_spawn_opts in_outer = {.scope = outer};
    brolga_task *task = NULL;

    notes.inside =
        brolga_spawn(brolga_runtime(), gate_park, arg, &in_root, &task);
    notes.after =
        brolga_spawn(brolga_runtime(), slow, &notes.child[0], &in_outer, NULL);
    notes.result = brolga_scope_join(inner, &notes.report);
    notes.order = (int)notes.report.tasks;
    notes.result += brolga_scope_join(outer, &notes.report);
    return (brolga_word)(intptr_t)task;
}

promise(a_scope_can_be_named)
{
    brolga_task *task =
        (brolga_task *)(intptr_t)joined(spawned(spawn_around, &notes.gate));

    cr_assert_eq(notes.inside, BROLGA_OK);
    cr_assert_eq(notes.after, BROLGA_OK);
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.order, 0);
    cr_assert_eq(notes.report.tasks, 1);
    /* What is in the root has outlived both. */
    cr_assert(gate_reached(&notes.gate));
    gate_open_for(&notes.gate, task);
    cr_assert_eq(joined(task), 0);
    cr_assert_eq(brolga_scope_id(brolga_scope_root(rt)), 0);
    cr_assert_eq(brolga_scope_id(NULL), 0);
}

promise(a_scope_of_another_runtime_is_refused)
{
    struct brolga_spawn_opts opts;
    brolga *other;
    brolga_task *task = NULL;

    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = 1}, &other),
                 BROLGA_OK);
    opts = (struct brolga_spawn_opts){.scope = brolga_scope_root(other)};
    cr_assert_eq(brolga_spawn(rt, ends, NULL, &opts, &task), BROLGA_EINVAL);
    cr_assert_null(task);
    cr_assert_eq(brolga_tasks_live(rt), 0);
    cr_assert_eq(brolga_destroy(other), BROLGA_OK);
}

static brolga_word fail_to_spawn(void *arg)
{
    struct brolga_spawn_opts thread = {.thread = true};
    brolga_scope *scope = opened(BROLGA_SCOPE_ALL, 0);

    (void)arg;
    brolga__alloc_fail_nth(1);
    notes.inside = brolga_spawn(brolga_runtime(), ends, NULL, &thread, NULL);
    brolga__alloc_fail_nth(0);
    notes.result = brolga_scope_join(scope, &notes.report);
    return 0;
}

promise(a_task_that_cannot_start_is_not_awaited)
{
    (void)joined(spawned(fail_to_spawn, NULL));
    cr_assert_eq(notes.inside, BROLGA_ENOMEM);
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.report.tasks, 0);
}

static brolga_word join_handle_too(void *arg)
{
    brolga_scope *scope = opened(BROLGA_SCOPE_COLLECT, 0);
    brolga_task *task = NULL;
    brolga_word result = 0;

    if (brolga_spawn(brolga_runtime(), ends, arg, NULL, &task) != BROLGA_OK)
        return -1;
    notes.inside = brolga_join(task, BROLGA_FOREVER, &result, NULL);
    notes.result = brolga_scope_join(scope, &notes.report);
    return result;
}

promise(a_handle_works_in_a_scope)
{
    cr_assert_eq(joined(spawned(join_handle_too, (void *)9)), 9);
    cr_assert_eq(notes.inside, BROLGA_OK);
    cr_assert_eq(notes.result, BROLGA_OK);
    cr_assert_eq(notes.report.ended, 1);
}

/* --- memory ------------------------------------------------------------- */

Test(scope, gives_everything_back, .timeout = 30)
{
    int64_t before = brolga__alloc_live();

    memset(&notes, 0, sizeof notes);
    world_open();
    for (int i = 0; i < 20; i++) {
        notes.visited = 0;
        (void)joined(spawned(collect, NULL));
        (void)joined(spawned(collect_few, NULL));
        (void)joined(spawned(leave_open, NULL));
    }
    world_close();
    cr_assert_eq(brolga__alloc_live(), before);
}
