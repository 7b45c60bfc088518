/*
 * Goal: every ready task gets its turn: behind those before it, on another
 * worker if its own is busy, and after a time slice if it must be taken.
 * Method: one worker where order is to be seen; a worker that is kept busy
 * where another must help.
 */
#include "tasks/world.h"

/* --- fairness ----------------------------------------------------------- */

#define RACERS 4
#define LAPS   200

static _Atomic int racing;
static int laps[RACERS];
static int worst_lead;

static brolga_word race(void *arg)
{
    int self = (int)(intptr_t)arg;

    (void)brolga__add_relaxed(&racing, 1);
    while (brolga__load_relaxed(&racing) < RACERS)
        brolga_yield();
    for (int i = 0; i < LAPS; i++) {
        int lead;

        laps[self]++; /* One worker: no two at once. */
        for (int other = 0; other < RACERS; other++) {
            lead = laps[self] - laps[other];
            worst_lead = lead > worst_lead ? lead : worst_lead;
        }
        brolga_yield();
    }
    return 0;
}

Test(worker, yield_lets_all_others_run_first, .timeout = 30)
{
    brolga_task *tasks[RACERS];

    world_open_with(&(struct brolga_opts){.workers = 1});
    memset(laps, 0, sizeof laps);
    worst_lead = 0;
    brolga__store_relaxed(&racing, 0);
    for (intptr_t i = 0; i < RACERS; i++)
        tasks[i] = spawned(race, (void *)i);
    for (int i = 0; i < RACERS; i++)
        (void)joined(tasks[i]);
    /* Nobody is overtaken by more than the lap that is being run. */
    cr_assert_leq(worst_lead, 2, "%d laps ahead\n", worst_lead);
    world_close();
}

Test(worker, c8_a_task_that_only_polls_is_made_to_yield, .timeout = 60)
{
    struct gate gate = {0};
    brolga_task *hog, *opener;

    /* One worker: the opener runs only if the hog is taken off it. */
    world_open_with(&(struct brolga_opts){.workers = 1});
    hog = spawned(gate_run, &gate);
    cr_assert(gate_reached(&gate));
    gate.arrived = 0;
    opener = spawned(gate_run, &gate);
    cr_assert(gate_reached(&gate));
    gate_open(&gate);
    (void)joined(hog);
    (void)joined(opener);
    world_close();
}

/* --- stealing ----------------------------------------------------------- */

static brolga_word note_thread(void *arg)
{
    brolga__store_release((_Atomic uint64_t *)arg, brolga__plat_thread_id());
    return 0;
}

/* Spawns a task to its own worker and stays on it until that task has run. */
static brolga_word spawn_and_spin(void *arg)
{
    _Atomic uint64_t *runner = arg;
    brolga_task *child;

    if (brolga_spawn(brolga_runtime(), note_thread, arg, NULL, &child) !=
        BROLGA_OK)
        return -1;
    while (brolga__load_acquire(runner) == 0)
        (void)sched_yield();
    if (brolga_join(child, BROLGA_FOREVER, NULL, NULL) != BROLGA_OK)
        return -1;
    return brolga__load_acquire(runner) != 0;
}

Test(worker, a_task_of_a_busy_worker_runs_elsewhere, .timeout = 60,
     .init = world_open, .fini = world_close)
{
    for (int i = 0; i < 20; i++) {
        _Atomic uint64_t runner = 0;

        cr_assert_eq(joined(spawned(spawn_and_spin, (void *)&runner)), 1);
    }
}

#define CHILDREN 1000

static _Atomic int children_run;

static brolga_word count_child(void *arg)
{
    (void)arg;
    (void)brolga__add_relaxed(&children_run, 1);
    return 0;
}

/* More than a worker's queue holds: the rest goes to the injected ones. */
static brolga_word spawn_children(void *arg)
{
    int failed = 0;

    (void)arg;
    for (int i = 0; i < CHILDREN; i++)
        failed += brolga_spawn(brolga_runtime(), count_child, NULL, NULL,
                               NULL) != BROLGA_OK;
    return failed;
}

Test(worker, a_full_queue_overflows_without_loss, .timeout = 60)
{
    world_open_with(&(struct brolga_opts){.workers = 1});
    brolga__store_relaxed(&children_run, 0);
    cr_assert_eq(joined(spawned(spawn_children, NULL)), 0);
    cr_assert(wait_until(brolga__load_relaxed(&children_run) == CHILDREN));
    world_close();
}

/* Each task spawns two until the depth is reached. */
static brolga_word spawn_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    brolga_task *left, *right;
    brolga_word a = 0, b = 0;

    if (depth == 0)
        return 1;
    if (brolga_spawn(brolga_runtime(), spawn_tree, (void *)(depth - 1), NULL,
                     &left) != BROLGA_OK ||
        brolga_spawn(brolga_runtime(), spawn_tree, (void *)(depth - 1), NULL,
                     &right) != BROLGA_OK)
        return -1000000;
    (void)brolga_join(left, BROLGA_FOREVER, &a, NULL);
    (void)brolga_join(right, BROLGA_FOREVER, &b, NULL);
    return a + b;
}

Test(worker, a_tree_of_tasks_adds_up, .timeout = 60)
{
    world_open_with(&(struct brolga_opts){.workers = 4});
    cr_assert_eq(joined(spawned(spawn_tree, (void *)10)), 1 << 10);
    world_close();
}

/* Wakes come when everyone sleeps, again and again (edge S). */
Test(worker, sleeping_workers_are_woken, .timeout = 60)
{
    world_open_with(&(struct brolga_opts){.workers = 3});
    for (int i = 0; i < 50; i++) {
        cr_assert(wait_until(brolga__load_relaxed(&rt->idle_count) == 3));
        brolga__store_relaxed(&children_run, 0);
        for (int j = 0; j < 3; j++)
            cr_assert_eq(brolga_spawn(rt, count_child, NULL, NULL, NULL),
                         BROLGA_OK);
        cr_assert(wait_until(brolga__load_relaxed(&children_run) == 3));
    }
    world_close();
}

/* --- waking a worker ---------------------------------------------------- */

static _Atomic bool spawner_is_back;

static void *spawn_one(void *arg)
{
    brolga_task *task;

    if (brolga_spawn(rt, count_child, NULL, NULL, &task) == BROLGA_OK)
        *(brolga_task **)arg = task;
    brolga__store_release(&spawner_is_back, true);
    return NULL;
}

/* Whether the spawner was counted as one who wakes a searcher, and then no
 * more: it has found the list of idle workers empty. */
static bool found_nobody(bool *counted)
{
    if (brolga__load_seq_cst(&rt->searching) != 0)
        *counted = true;
    else if (*counted)
        return true;
    return brolga__load_acquire(&spawner_is_back);
}

/*
 * Who has pushed a task finds a worker that sleeps, is counted as a searcher,
 * and then finds that worker gone. It comes back while others rely on the
 * count, so that only the one who gives up the count can see to the task. The
 * worker is taken out of the list here, and put back later.
 */
Test(worker, who_finds_nobody_to_wake_looks_again, .timeout = 60)
{
    brolga_task *task = NULL;
    struct brolga__worker *worker;
    pthread_t spawner;
    bool counted = false;

    world_open_with(&(struct brolga_opts){.workers = 1});
    brolga__store_relaxed(&spawner_is_back, false);
    cr_assert(wait_until(brolga__load_seq_cst(&rt->idle_count) == 1 &&
                         brolga__load_seq_cst(&rt->searching) == 0));
    (void)pthread_mutex_lock(&rt->idle_lock);
    worker = rt->idle;
    rt->idle = NULL;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    cr_assert_not_null(worker);
    cr_assert_eq(pthread_create(&spawner, NULL, spawn_one, &task), 0);
    cr_assert(wait_until(found_nobody(&counted)));
    (void)pthread_mutex_lock(&rt->idle_lock);
    rt->idle = worker;
    (void)pthread_mutex_unlock(&rt->idle_lock);
    cr_assert_eq(pthread_join(spawner, NULL), 0);
    cr_assert_not_null(task);
    (void)joined(task);
    world_close();
}

/* --- the host's own threads --------------------------------------------- */

Test(worker, without_workers_the_host_drives, .timeout = 30)
{
    struct gate gate = {0};
    brolga_task *task;
    uint64_t runs;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    cr_assert_eq(brolga_drive(rt, BROLGA_FOREVER), 0);
    task = spawned(gate_park, &gate);
    cr_assert_eq(gate.arrived, 0);
    runs = brolga_drive(rt, BROLGA_FOREVER);
    cr_assert_eq(runs, 1);
    cr_assert_eq(gate.arrived, 1);
    cr_assert_eq(brolga_drive(rt, BROLGA_FOREVER), 0);
    gate_open_for(&gate, task);
    cr_assert_eq(brolga_drive(rt, BROLGA_FOREVER), 1);
    (void)joined(task);
    world_close();
}

Test(worker, driving_stops_at_the_deadline, .timeout = 30)
{
    struct gate gate = {0};
    brolga_task *tasks[2];

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    tasks[0] = spawned(gate_park, &gate);
    tasks[1] = spawned(gate_park, &gate);
    cr_assert_eq(brolga_drive(rt, BROLGA_NOW), 1);
    cr_assert_eq(gate.arrived, 1);
    cr_assert_eq(brolga_drive(rt, BROLGA_NOW), 1);
    cr_assert_eq(gate.arrived, 2);
    gate_open(&gate);
    for (int i = 0; i < 2; i++)
        brolga__unpark(tasks[i]);
    cr_assert_eq(brolga_drive(rt, BROLGA_FOREVER), 2);
    for (int i = 0; i < 2; i++)
        (void)joined(tasks[i]);
    world_close();
}

static void *drive_tree(void *arg)
{
    while (brolga__load_acquire((_Atomic int *)arg) == 0)
        (void)brolga_drive(rt, BROLGA_FOREVER);
    return NULL;
}

Test(worker, several_threads_drive_at_once, .timeout = 60)
{
    _Atomic int stop = 0;
    pthread_t threads[2];
    brolga_task *task;

    world_open_with(&(struct brolga_opts){.workers = BROLGA_NO_WORKERS});
    for (int i = 0; i < 2; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, drive_tree, (void *)&stop), 0);
    task = spawned(spawn_tree, (void *)8);
    cr_assert_eq(joined(task), 1 << 8);
    brolga__store_release(&stop, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    world_close();
}

static brolga_word drive_inside(void *arg)
{
    (void)arg;
    return (brolga_word)brolga_drive(rt, BROLGA_FOREVER);
}

Test(worker, a_task_does_not_drive, .timeout = 30, .init = world_open,
     .fini = world_close)
{
    cr_assert_eq(joined(spawned(drive_inside, NULL)), 0);
}
