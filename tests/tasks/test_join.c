/*
 * Goal: a join that runs the task it waits for does what a join does that
 * parks: it hears of a cancel, ends with the window of a handler, lets the
 * reclaimer see its stack, gives the thread back, and stays in its runtime.
 * Method: one worker, so that nobody else can take the child and every join is
 * one that runs it; a child that does not end before the test has seen what is
 * to happen meanwhile.
 */
#include "tasks/world.h"

#include "plat.h"

#include <stdlib.h>

static void world_open_alone(void)
{
    world_open_with(
        &(struct brolga_opts){.workers = 1, .cleanup_ns = 20 * BROLGA_MS});
}

/* A task that spawns a child and joins it. */
struct parent {
    brolga_task_fn child;
    struct gate gate; /* The child's. */
    _Atomic int err;  /* Of the join; 1: it has not returned. */
};

static brolga_word spawn_and_join(void *arg)
{
    struct parent *parent = arg;
    brolga_task *child;
    int err = brolga_spawn(brolga_runtime(), parent->child, &parent->gate, NULL,
                           &child);

    if (err == BROLGA_OK)
        err = brolga_join(child, BROLGA_FOREVER, NULL, NULL);
    brolga__store_release(&parent->err, err);
    if (err != BROLGA_OK)
        brolga_detach(child);
    return err;
}

static brolga_task *joining(struct parent *parent)
{
    brolga_task *task;

    brolga__store_relaxed(&parent->err, 1);
    task = spawned(spawn_and_join, parent);
    cr_assert(gate_reached(&parent->gate));
    return task;
}

static bool joined_with(struct parent *parent, int err)
{
    return wait_until(brolga__load_acquire(&parent->err) == err);
}

/* --- interrupting the joiner -------------------------------------------- */

/* Its entry lies in the queue still, though it has been claimed. Without that,
 * nothing is there for which somebody would take the time of slices. (Where the
 * joiner's slice was over before it joined, there is the joiner itself.) */
static void drop_entry(void)
{
    brolga_task *joiner = brolga__runq_pop(&brolga__worker_self(rt)->queue);

    if (joiner != NULL)
        brolga__schedule(joiner);
}

static brolga_word gate_poll(void *arg)
{
    drop_entry();
    return gate_run(arg);
}

static brolga_word gate_yield(void *arg)
{
    struct gate *gate = arg;

    drop_entry();
    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        brolga_yield();
    return 0;
}

static brolga_word nothing(void *arg)
{
    return (brolga_word)(intptr_t)arg;
}

/* From child to child, each of which is run in a join. */
static brolga_word gate_join(void *arg)
{
    struct gate *gate = arg;
    brolga_word failed = 0;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0) {
        brolga_task *child;

        failed |= brolga_spawn(brolga_runtime(), nothing, NULL, NULL, &child) ||
                  brolga_join(child, BROLGA_FOREVER, NULL, NULL);
    }
    return failed;
}

static void canceled_while(brolga_task_fn child)
{
    struct parent parent = {.child = child};
    brolga_task *task = joining(&parent);
    uint64_t begin_ns = brolga__load_relaxed(&rt->clock_ns);

    /* Nothing but the cancel parts them: not what came before. */
    cr_assert(wait_until(brolga__load_relaxed(&rt->clock_ns) >
                         begin_ns + 30 * BROLGA_MS));
    brolga_cancel(task);
    cr_assert(joined_with(&parent, BROLGA_ECANCELED));
    gate_open(&parent.gate);
    (void)joined(task);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0)); /* The child, too. */
}

Test(join, c8_it_hears_of_a_cancel_while_the_child_polls, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    canceled_while(gate_poll);
}

Test(join, c8_it_hears_of_a_cancel_while_the_child_yields, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    canceled_while(gate_yield);
}

Test(join, c8_it_hears_of_a_cancel_while_the_child_joins, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    canceled_while(gate_join);
}

static void join_in_handler(void *arg)
{
    (void)spawn_and_join(arg);
}

static brolga_word spawn_and_join_at_end(void *arg)
{
    return brolga_defer(join_in_handler, arg);
}

Test(join, in_a_handler_it_ends_with_the_window, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    struct parent parent = {.child = gate_poll, .err = 1};
    brolga_task *task = spawned(spawn_and_join_at_end, &parent);

    cr_assert(joined_with(&parent, BROLGA_ETIMEOUT));
    gate_open(&parent.gate);
    (void)joined(task);
    cr_assert(wait_until(brolga_tasks_live(rt) == 0)); /* The child, too. */
}

/* --- a chain of joiners -------------------------------------------------- */

/* The first runs the second in its join, and that the third, which cancels
 * all: the second is parked, wakes up on another worker, and ends, while the
 * third still parks the first. */
struct chain {
    brolga_scope *scope;
    _Atomic int ended; /* By the second. */
    _Atomic int joined;
};

static brolga_word chain_third(void *arg)
{
    struct chain *chain = arg;

    brolga_scope_cancel(chain->scope);
    brolga_yield();
    return 0;
}

static brolga_word chain_second(void *arg)
{
    struct chain *chain = arg;
    brolga_task *third;
    int err = brolga_spawn(rt, chain_third, arg, NULL, &third);

    if (err != BROLGA_OK)
        return err;
    err = brolga_join(third, BROLGA_FOREVER, NULL, NULL);
    if (err != BROLGA_OK)
        brolga_detach(third);
    (void)brolga__add_relaxed(&chain->ended, 1);
    return err;
}

static brolga_word chain_first(void *arg)
{
    struct chain *chain = arg;
    brolga_task *second;
    int err = brolga_scope_open(NULL, &chain->scope);

    if (err != BROLGA_OK ||
        brolga_spawn(rt, chain_second, arg, NULL, &second) != BROLGA_OK)
        return -1;
    err = brolga_join(second, BROLGA_FOREVER, NULL, NULL);
    if (err != BROLGA_OK)
        brolga_detach(second);
    (void)brolga__add_relaxed(&chain->joined, 1);
    err = brolga_scope_join(chain->scope, NULL);
    return err == BROLGA_ESTATE;
}

Test(join, c8_those_in_a_chain_of_joiners_go_on_apart, .timeout = 60)
{
    struct chain chain = {.scope = NULL};
    int rounds = 2000;

    /* Rare paths, where the build has them: else it is a matter of luck. */
    cr_assert_eq(setenv("BROLGA_HARD", "1", 1), 0);
    world_open_with(&(struct brolga_opts){.workers = 3});
    cr_assert_eq(unsetenv("BROLGA_HARD"), 0);
    for (int i = 0; i < rounds; i++) {
        cr_assert_eq(joined(spawned(chain_first, &chain)), 0);
        cr_assert_eq(brolga__load_relaxed(&chain.ended), i + 1);
        cr_assert_eq(brolga__load_relaxed(&chain.joined), i + 1);
    }
    world_close();
}

/* --- the joiner's stack ------------------------------------------------- */

static struct jit_unit codes[3];

static int gate_step(void *arg)
{
    struct gate *gate = arg;

    if (brolga__load_relaxed(&gate->arrived) == 0)
        drop_entry();
    (void)brolga__add_release(&gate->arrived, 1);
    return brolga__load_acquire(&gate->open) ? BROLGA_DONE : BROLGA_OK;
}

static brolga_word step(void *arg)
{
    return gate_step(arg);
}

struct server {
    brolga_slot loop;
    struct jit_call call;
    struct gate gate;
};

static brolga_word serve_and_join(void *arg)
{
    struct server *server = arg;
    brolga_task *child;
    int err = brolga_spawn_loop(rt, server->loop, &server->call, NULL, &child);

    return err != BROLGA_OK ? err
                            : brolga_join(child, BROLGA_FOREVER, NULL, NULL);
}

Test(join, c5_a_stack_is_looked_at_while_the_child_is_a_loop, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    struct server server = {.call = {step, &server.gate}};
    brolga_task *task;

    (void)published_constant("f", &codes[0], 1);
    server.loop = published_caller("g", &codes[1], 0);
    task = spawned(serve_and_join, &server);
    cr_assert(gate_reached(&server.gate));
    (void)published_constant("f", &codes[2], 2);
    cr_assert(released(&codes[0]));
    gate_open(&server.gate);
    cr_assert_eq(joined(task), 0);
}

static void looked_at_while(brolga_task_fn child)
{
    struct parent parent = {.child = child};
    brolga_task *task;

    (void)published_constant("f", &codes[0], 1);
    task = joining(&parent);
    (void)published_constant("f", &codes[1], 2);
    cr_assert(released(&codes[0]));
    cr_assert_eq(jit_releases(&codes[1]), 0);
    gate_open(&parent.gate);
    (void)joined(task);
}

Test(join, c5_a_stack_is_looked_at_while_the_child_polls, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    looked_at_while(gate_poll);
}

Test(join, c5_a_stack_is_looked_at_while_the_child_yields, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    looked_at_while(gate_yield);
}

Test(join, c5_a_stack_is_looked_at_while_the_child_joins, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    looked_at_while(gate_join);
}

/* --- whose thread it is ------------------------------------------------- */

Test(join, a_thread_that_drives_gets_back_in_time, .timeout = 60)
{
    struct gate gate = {0};
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    task = spawned(gate_join, &gate);
    for (int i = 0; i < 3; i++)
        cr_assert_gt(brolga_drive(rt, BROLGA_NOW), 0);
    gate_open(&gate);
    (void)brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(joined(task), 0);
    world_close();
}

/* The child is in the queue of a worker of `rt`, which is kept busy until the
 * joiner, of another runtime, waits, or has run the child itself. */
struct foreigner {
    brolga_task *_Atomic child;
    _Atomic uint64_t spawned_on, ran_on;
};

static brolga_word note_thread(void *arg)
{
    struct foreigner *foreigner = arg;

    brolga__store_release(&foreigner->ran_on, brolga__plat_thread_id());
    return 7;
}

static brolga_word spawn_for_another(void *arg)
{
    struct foreigner *foreigner = arg;
    brolga_task *child;

    if (brolga_spawn(rt, note_thread, arg, NULL, &child) != BROLGA_OK)
        return -1;
    brolga__store_release(&foreigner->spawned_on, brolga__plat_thread_id());
    brolga__store_release(&foreigner->child, child);
    while (brolga__load_acquire(&child->end) == 0 &&
           brolga__load_acquire(&foreigner->ran_on) == 0)
        (void)sched_yield();
    return 0;
}

static brolga_word join_another(void *arg)
{
    struct foreigner *foreigner = arg;
    brolga_word result = 0;

    (void)brolga_join(brolga__load_acquire(&foreigner->child), BROLGA_FOREVER,
                      &result, NULL);
    return result;
}

Test(join, a_task_of_another_runtime_runs_there, .timeout = 60,
     .init = world_open_alone, .fini = world_close)
{
    struct foreigner foreigner = {.child = NULL};
    brolga_task *task = spawned(spawn_for_another, &foreigner), *joiner;
    brolga *other;

    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = 1}, &other),
                 BROLGA_OK);
    cr_assert(wait_until(brolga__load_acquire(&foreigner.child) != NULL));
    cr_assert_eq(brolga_spawn(other, join_another, &foreigner, NULL, &joiner),
                 BROLGA_OK);
    cr_assert_eq(joined(joiner), 7);
    (void)joined(task);
    cr_assert_eq(foreigner.ran_on, foreigner.spawned_on);
    cr_assert(wait_until(brolga_destroy(other) == BROLGA_OK));
}
