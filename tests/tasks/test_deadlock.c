/*
 * Goal: when no task can ever run again, and only then, this is reported, and
 * the innermost scopes are told; what waited for them goes on.
 *
 * Method: small programs that come to rest in a known way, in a runtime whose
 * host has said that it acts on no task. For what is no deadlock, tests wait
 * until the reclaimer has looked twice while all was at rest.
 */
#include <brolga/brolga.h>

#include "plat.h"
#include "stacks.h"
#include "tasks/pool.h"
#include "world.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* --- the world ---------------------------------------------------------- */

static struct brolga__lock news_lock;
static char news[9000]; /* The last report. */
static uint64_t news_ns;
static _Atomic int reports;

static void on_event(void *arg, const struct brolga_event *event)
{
    (void)arg;
    if (event->kind != BROLGA_EVENT_DEADLOCK)
        return;
    brolga__lock_take(&news_lock);
    (void)snprintf(news, sizeof news, "%s", event->text);
    news_ns = brolga_now_ns();
    brolga__lock_leave(&news_lock);
    (void)brolga__add_release(&reports, 1);
}

static void deadlock_world(enum brolga_deadlocks deadlocks)
{
    news[0] = '\0';
    brolga__store_relaxed(&reports, 0);
    world_open_with(&(struct brolga_opts){
        .workers = 2, .deadlocks = deadlocks, .on_event = on_event});
}

static bool reported(void)
{
    return wait_until(brolga__load_acquire(&reports) > 0);
}

static bool news_have(const char *text)
{
    bool have;

    brolga__lock_take(&news_lock);
    have = strstr(news, text) != NULL;
    brolga__lock_leave(&news_lock);
    return have;
}

/* A look begins after each of two hints, so the first one has ended. */
static bool looked_once(void)
{
    uint64_t looks = brolga__load_relaxed(&rt->deadlock.looks);

    brolga__deadlock_hint(rt);
    return wait_until(brolga__load_relaxed(&rt->deadlock.looks) > looks);
}

static bool nobody_complains(void)
{
    return looked_once() && looked_once() && looked_once() &&
           brolga__load_acquire(&reports) == 0;
}

static brolga_chan *channel(const char *name, size_t capacity)
{
    struct brolga_chan_opts opts = {.name = name, .capacity = capacity};
    brolga_chan *chan = NULL;

    return brolga_chan_create(NULL, &opts, &chan) == BROLGA_OK ? chan : NULL;
}

static int spawn_named(brolga_task_fn fn, void *arg, const char *name,
                       brolga_task **out)
{
    struct brolga_spawn_opts opts = {.name = name};

    return brolga_spawn(brolga_runtime(), fn, arg, &opts, out);
}

/* --- tasks that wait ---------------------------------------------------- */

/* Receives from the first channel, then sends to the second. */
struct link {
    brolga_chan *from, *to;
    bool sends_first;
    int result;
    _Atomic int cleaned;
};

static void clean(void *arg)
{
    (void)brolga__add_release(&((struct link *)arg)->cleaned, 1);
}

static brolga_word relay(void *arg)
{
    struct link *link = arg;
    brolga_word word = 7;

    if (brolga_defer(clean, link) != BROLGA_OK)
        return -1;
    if (link->sends_first)
        link->result = brolga_send_word(link->to, word, BROLGA_FOREVER);
    else
        link->result = brolga_recv_word(link->from, &word, BROLGA_FOREVER);
    if (link->result != BROLGA_OK)
        return link->result;
    if (!link->sends_first)
        link->result = brolga_send_word(link->to, word, BROLGA_FOREVER);
    else
        link->result = brolga_recv_word(link->from, &word, BROLGA_FOREVER);
    return link->result;
}

struct pair {
    struct link link[2];
    brolga_chan *chan[2];
    struct brolga_scope_report report;
    int joined, after;
    char text[4000];
};

static void pair_make(struct pair *pair, bool sends_first)
{
    memset(pair, 0, sizeof *pair);
    pair->chan[0] = channel("left", 0);
    pair->chan[1] = channel("right", 0);
    for (int i = 0; i < 2; i++)
        pair->link[i] = (struct link){.from = pair->chan[i],
                                      .to = pair->chan[1 - i],
                                      .sends_first = sends_first};
}

static void pair_free(struct pair *pair)
{
    brolga_chan_release(pair->chan[0]);
    brolga_chan_release(pair->chan[1]);
}

/* A scope of two tasks that wait for one another. */
static brolga_word open_pair(void *arg)
{
    struct pair *pair = arg;
    brolga_scope *scope;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK ||
        spawn_named(relay, &pair->link[0], "ping", NULL) != BROLGA_OK ||
        spawn_named(relay, &pair->link[1], "pong", NULL) != BROLGA_OK)
        return -1;
    pair->joined = brolga_scope_join(scope, &pair->report);
    (void)brolga_deadlock_text(brolga_runtime(), pair->text, sizeof pair->text);
    pair->after = brolga_cancel_reason();
    return 1;
}

/* --- deadlocks ---------------------------------------------------------- */

static void check_pair(struct pair *pair)
{
    cr_assert_eq(pair->link[0].result, BROLGA_EDEADLOCK);
    cr_assert_eq(pair->link[1].result, BROLGA_EDEADLOCK);
    cr_assert_eq(pair->link[0].cleaned, 1);
    cr_assert_eq(pair->link[1].cleaned, 1);
    cr_assert_eq(pair->joined, BROLGA_EDEADLOCK);
    cr_assert_eq(pair->report.canceled, 2);
    cr_assert_eq(pair->after, BROLGA_OK);
    cr_assert(strstr(pair->text, "'ping'") != NULL);
    cr_assert(strstr(pair->text, "'pong'") != NULL);
}

Test(deadlock, tasks_that_receive_from_one_another_fail, .timeout = 60)
{
    struct pair pair;

    pair_make(&pair, false);
    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(open_pair, &pair)), 1);
    check_pair(&pair);
    cr_assert(reported());
    cr_assert(news_have("waits in recv on channel 'left'"));
    cr_assert(news_have("waits in recv on channel 'right'"));
    cr_assert(news_have("waits in scope"));
    world_close();
    pair_free(&pair);
}

Test(deadlock, tasks_that_send_to_one_another_fail, .timeout = 60)
{
    struct pair pair;

    pair_make(&pair, true);
    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(open_pair, &pair)), 1);
    check_pair(&pair);
    cr_assert(reported());
    cr_assert(news_have("waits in send on channel 'left'"));
    world_close();
    pair_free(&pair);
}

/* Each joins the other. */
struct circle {
    brolga_task *task[2];
    _Atomic int ready;
    _Atomic int result[2];
};

static brolga_word join_other(struct circle *circle, int other)
{
    int result;

    while (brolga__load_acquire(&circle->ready) == 0)
        (void)brolga_yield();
    result = brolga_join(circle->task[other], BROLGA_FOREVER, NULL, NULL);
    brolga__store_relaxed(&circle->result[1 - other], result);
    if (result != BROLGA_OK)
        brolga_detach(circle->task[other]);
    return 0;
}

static brolga_word join_second(void *arg)
{
    return join_other(arg, 1);
}

static brolga_word join_first(void *arg)
{
    return join_other(arg, 0);
}

Test(deadlock, tasks_that_join_one_another_fail, .timeout = 60)
{
    struct circle circle = {.ready = 0};

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    brolga_outside_enter(rt);
    circle.task[0] = spawned(join_second, &circle);
    circle.task[1] = spawned(join_first, &circle);
    brolga__store_release(&circle.ready, 1);
    brolga_outside_leave(rt);
    cr_assert(reported());
    cr_assert(news_have("in a circle: "));
    cr_assert(wait_until(brolga_tasks_live(rt) == 0));
    /* Both are told; but the second may find that the first has ended. */
    cr_assert(brolga__load_relaxed(&circle.result[0]) == BROLGA_EDEADLOCK ||
              brolga__load_relaxed(&circle.result[1]) == BROLGA_EDEADLOCK);
    world_close();
}

/* --- who is told -------------------------------------------------------- */

/* Opens the pair, and then sends a word to those who wait for it. */
struct house {
    struct pair pair;
    brolga_chan *done;
    int received;
    brolga_word word;
};

static brolga_word open_and_tell(void *arg)
{
    struct house *house = arg;

    (void)open_pair(&house->pair);
    return brolga_send_word(house->done, 42, BROLGA_FOREVER);
}

static brolga_word wait_for_word(void *arg)
{
    struct house *house = arg;

    house->received =
        brolga_recv_word(house->done, &house->word, BROLGA_FOREVER);
    return house->received;
}

static brolga_word open_house(void *arg)
{
    struct house *house = arg;
    brolga_scope *scope;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK ||
        spawn_named(wait_for_word, house, "waits", NULL) != BROLGA_OK ||
        spawn_named(open_and_tell, house, "tells", NULL) != BROLGA_OK)
        return -1;
    return brolga_scope_join(scope, NULL);
}

Test(deadlock, those_who_wait_for_a_scope_that_fails_go_on, .timeout = 60)
{
    struct house house = {.received = -1};

    pair_make(&house.pair, false);
    house.done = channel("done", 0);
    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(open_house, &house)), BROLGA_OK);
    check_pair(&house.pair);
    cr_assert_eq(house.received, BROLGA_OK);
    cr_assert_eq(house.word, 42);
    world_close(); /* Whoever tells of it is joined. */
    cr_assert_eq(brolga__load_acquire(&reports), 1);
    brolga_chan_release(house.done);
    pair_free(&house.pair);
}

/* When the scope has failed, nobody sends the word. */
static brolga_word open_and_forget(void *arg)
{
    struct house *house = arg;

    (void)open_pair(&house->pair);
    return wait_for_word(house);
}

Test(deadlock, what_then_rests_fails_too, .timeout = 60)
{
    struct house house = {.received = -1};

    pair_make(&house.pair, false);
    house.done = channel("done", 4);
    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(open_and_forget, &house)), BROLGA_EDEADLOCK);
    check_pair(&house.pair);
    cr_assert_eq(house.received, BROLGA_EDEADLOCK);
    cr_assert(wait_until(brolga__load_acquire(&reports) == 2));
    world_close();
    brolga_chan_release(house.done);
    pair_free(&house.pair);
}

/* A task of the root that joins another one gets to know how that ends. */
static brolga_word join_waiter(void *arg)
{
    brolga_task *task;
    brolga_word result = 0;

    if (spawn_named(wait_for_word, arg, "child", &task) != BROLGA_OK)
        return -1;
    if (brolga_join(task, BROLGA_FOREVER, &result, NULL) != BROLGA_OK)
        return -2;
    return result;
}

Test(deadlock, a_joiner_is_not_told_what_its_task_is, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(join_waiter, &house)), BROLGA_EDEADLOCK);
    cr_assert(reported());
    cr_assert(news_have("waits in join of task"));
    world_close();
    brolga_chan_release(house.done);
}

static brolga_word select_nothing(void *arg)
{
    struct house *house = arg;
    struct brolga_arm arms[2] = {
        {.chan = house->done, .op = BROLGA_RECV, .elem = &house->word},
        {.chan = house->done, .op = BROLGA_RECV, .elem = &house->word}};
    size_t chosen;

    return brolga_select(arms, 2, BROLGA_FOREVER, &chosen);
}

Test(deadlock, the_report_says_what_a_select_waits_for, .timeout = 60)
{
    struct house house = {.done = channel("both", 0)};

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned(select_nothing, &house)), BROLGA_EDEADLOCK);
    cr_assert(reported());
    cr_assert(news_have("waits in select recv on channel 'both'"));
    world_close();
    brolga_chan_release(house.done);
}

Test(deadlock, an_attached_thread_is_told, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(brolga_attach_thread(rt, "main"), BROLGA_OK);
    cr_assert_eq(wait_for_word(&house), BROLGA_EDEADLOCK);
    brolga_detach_thread();
    world_close(); /* Whoever tells of it is joined. */
    cr_assert_eq(brolga__load_acquire(&reports), 1);
    brolga_chan_release(house.done);
}

Test(deadlock, a_thread_of_its_own_is_told, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    struct brolga_spawn_opts opts = {.thread = true};

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(joined(spawned_as(wait_for_word, &house, &opts)),
                 BROLGA_EDEADLOCK);
    world_close();
    brolga_chan_release(house.done);
}

/* --- reports only ------------------------------------------------------- */

Test(deadlock, a_mere_report_comes_once_and_tells_nobody, .timeout = 60)
{
    struct house house = {.done = channel("done", 0), .received = -1};
    brolga_task *task;

    deadlock_world(BROLGA_DEADLOCKS_REPORT);
    task = spawned(wait_for_word, &house);
    cr_assert(reported());
    cr_assert(looked_once() && looked_once() && looked_once());
    cr_assert_eq(brolga__load_acquire(&reports), 1);
    cr_assert_eq(brolga_try_send(house.done, &(brolga_word){5}), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_OK);
    world_close();
    brolga_chan_release(house.done);
}

Test(deadlock, when_off_nobody_looks, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    brolga_task *task;

    deadlock_world(BROLGA_DEADLOCKS_OFF);
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    brolga__deadlock_hint(rt);
    cr_assert_eq(brolga__load_relaxed(&rt->deadlock.looks), 0);
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    world_close();
    brolga_chan_release(house.done);
}

/* --- what is no deadlock ------------------------------------------------ */

/* Waits for a word beside a task that is not stuck. */
static void waits_beside(brolga_task_fn fn, void *arg,
                         const struct brolga_spawn_opts *opts,
                         struct gate *gate)
{
    struct house house = {.done = channel("done", 0)};
    brolga_task *other, *task;

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    other = spawned_as(fn, arg, opts);
    cr_assert(gate == NULL || gate_reached(gate));
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    cr_assert(nobody_complains());
    if (gate != NULL)
        gate_open(gate);
    else
        brolga_cancel(other);
    (void)joined(other);
    cr_assert_eq(joined(task), BROLGA_EDEADLOCK); /* Now it is one. */
    cr_assert(reported());
    world_close();
    brolga_chan_release(house.done);
}

static brolga_word sleep_long(void *arg)
{
    (void)arg;
    return brolga_sleep_until(brolga_after_ns(1000 * BROLGA_S));
}

Test(deadlock, one_who_sleeps_is_not_stuck, .timeout = 60)
{
    waits_beside(sleep_long, NULL, NULL, NULL);
}

static brolga_word scope_with_deadline(void *arg)
{
    struct brolga_scope_opts opts = {.deadline_ns =
                                         brolga_after_ns(1000 * BROLGA_S)};
    brolga_scope *scope;

    (void)arg;
    if (brolga_scope_open(&opts, &scope) != BROLGA_OK)
        return -1;
    while (!brolga_canceled())
        (void)brolga__park("word", BROLGA_FOREVER);
    return brolga_scope_join(scope, NULL);
}

Test(deadlock, one_with_a_deadline_is_not_stuck, .timeout = 60)
{
    waits_beside(scope_with_deadline, NULL, NULL, NULL);
}

Test(deadlock, one_in_foreign_code_is_not_stuck, .timeout = 60)
{
    struct gate gate = {0};

    waits_beside(gate_block, &gate, NULL, &gate);
}

Test(deadlock, one_that_runs_on_its_own_thread_is_not_stuck, .timeout = 60)
{
    struct gate gate = {0};

    waits_beside(gate_spin, &gate, &(struct brolga_spawn_opts){.thread = true},
                 &gate);
}

static void job(void *arg)
{
    struct gate *gate = arg;

    (void)brolga__add_release(&gate->arrived, 1);
    while (brolga__load_acquire(&gate->open) == 0)
        (void)sched_yield();
}

static brolga_word wait_for_job(void *arg)
{
    return brolga__pool_run("job", job, arg, BROLGA_FOREVER);
}

Test(deadlock, one_whose_job_runs_is_not_stuck, .timeout = 60)
{
    struct gate gate = {0};

    waits_beside(wait_for_job, &gate, NULL, &gate);
}

Test(deadlock, nobody_is_stuck_while_someone_outside_may_act, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    brolga_task *task;

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    brolga_outside_enter(rt);
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    cr_assert(nobody_complains());
    cr_assert_eq(brolga_try_send(house.done, &(brolga_word){5}), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_OK);
    brolga_outside_leave(rt);
    world_close();
    brolga_chan_release(house.done);
}

Test(deadlock, one_outside_that_joins_does_not_act, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    brolga_word result = 0;
    brolga_task *task;

    deadlock_world(BROLGA_DEADLOCKS_FAIL);
    brolga_outside_enter(rt);
    task = spawned(wait_for_word, &house);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_EDEADLOCK);
    brolga_outside_leave(rt);
    world_close();
    brolga_chan_release(house.done);
}

/* --- by itself ---------------------------------------------------------- */

/* Threads of an earlier world that have ended, and have been joined, count for
 * a moment longer: the system has not let go of them. None begins here, so the
 * least number of a while is right. */
static uint32_t count_others(void)
{
    uint64_t until_ns = brolga_after_ns(50 * BROLGA_MS);
    uint32_t least = brolga__plat_threads();

    while (brolga_now_ns() < until_ns) {
        uint32_t now = brolga__plat_threads();

        if (now < least)
            least = now;
        (void)sched_yield();
    }
    return least - 1;
}

/* A world in which the threads that the process has besides this one are known
 * to do nothing: test runners and sanitizers have some. False, and no world, in
 * an emulator of user mode: it does not say how many threads there are, or
 * counts its own, which come and go. */
static bool world_by_itself_with(enum brolga_deadlocks deadlocks)
{
    uint32_t others = count_others();

    if (is_emulated())
        return false;
    deadlock_world(deadlocks);
    for (uint32_t i = 0; i < others; i++)
        brolga_bystander_enter(rt);
    return true;
}

static bool world_by_itself(void)
{
    return world_by_itself_with(BROLGA_DEADLOCKS_AUTO);
}

Test(deadlock, by_itself_it_waits_for_the_main_thread, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    brolga_task *task;

    if (!world_by_itself())
        return;
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    cr_assert(nobody_complains());
    cr_assert_eq(brolga_try_send(house.done, &(brolga_word){5}), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_OK);
    world_close();
    brolga_chan_release(house.done);
}

Test(deadlock, by_itself_it_is_noticed_when_the_main_thread_joins,
     .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    brolga_word result = 0;
    brolga_task *task;

    if (!world_by_itself())
        return;
    task = spawned(wait_for_word, &house);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_EDEADLOCK);
    world_close();
    brolga_chan_release(house.done);
}

static void *wait_at_gate(void *arg)
{
    (void)gate_spin(arg);
    return NULL;
}

struct sender {
    struct house *house;
    struct gate gate;
};

static void *send_later(void *arg)
{
    struct sender *sender = arg;

    /* Long after the main thread has begun to join. */
    for (int i = 0; i < 3; i++)
        (void)looked_once();
    return brolga_try_send(sender->house->done, &(brolga_word){5}) == BROLGA_OK
               ? NULL
               : arg;
}

Test(deadlock, by_itself_it_waits_for_other_threads_too, .timeout = 60)
{
    struct house house = {.done = channel("done", 0)};
    struct sender sender = {.house = &house};
    void *failed = NULL;
    brolga_word result = -1;
    pthread_t thread;
    brolga_task *task;

    if (!world_by_itself())
        return;
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    cr_assert_eq(pthread_create(&thread, NULL, send_later, &sender), 0);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_OK);
    cr_assert_eq(pthread_join(thread, &failed), 0);
    cr_assert(failed == NULL);
    cr_assert_eq(brolga__load_acquire(&reports), 0);
    world_close();
    brolga_chan_release(house.done);
}

Test(deadlock, by_itself_it_does_not_wait_for_bystanders, .timeout = 60)
{
    struct house house = {.received = -1};
    struct gate gate = {0};
    brolga_word result = 0;
    pthread_t thread;
    brolga_task *task;

    house.done = channel("done", 0);
    if (!world_by_itself())
        return;
    brolga_bystander_enter(rt);
    cr_assert_eq(pthread_create(&thread, NULL, wait_at_gate, &gate), 0);
    task = spawned(wait_for_word, &house);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_EDEADLOCK);
    gate_open(&gate);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    brolga_bystander_leave(rt);
    world_close();
    brolga_chan_release(house.done);
}

/* A bystander may also say that it acts after all. */
Test(deadlock, by_itself_a_mere_report_tells_nobody, .timeout = 60)
{
    struct house house = {.done = channel("done", 0), .received = -1};
    brolga_task *task;

    if (!world_by_itself_with(BROLGA_DEADLOCKS_AUTO_REPORT))
        return;
    task = spawned(wait_for_word, &house);
    cr_assert(wait_until(is_parked(task)));
    cr_assert(nobody_complains());
    brolga_outside_enter(rt);
    brolga_bystander_enter(rt);
    cr_assert(nobody_complains());
    brolga_outside_leave(rt);
    cr_assert(reported());
    cr_assert(looked_once() && looked_once() && looked_once());
    cr_assert_eq(brolga__load_acquire(&reports), 1);
    cr_assert_eq(brolga_try_send(house.done, &(brolga_word){5}), BROLGA_OK);
    cr_assert_eq(joined(task), BROLGA_OK);
    world_close();
    brolga_chan_release(house.done);
}

/* --- how soon ----------------------------------------------------------- */

#define ROUNDS 20

/* Two tasks a round that wait for what nobody sends. */
struct rounds {
    brolga_chan *chan;
    struct brolga_spawn_opts kind;
    uint64_t nap_ns;          /* Before they wait. */
    bool by_itself;           /* The threads of the process are counted. */
    _Atomic uint64_t last_ns; /* When the last one was about to park... */
    uint64_t took_ns[ROUNDS]; /* ...and until the first one was told. */
    int count;
};

static brolga_word wait_in_vain(void *arg)
{
    struct rounds *rounds = arg;
    uint64_t before, now;
    brolga_word word;
    int err;

    if (rounds->nap_ns > 0)
        (void)brolga_sleep_until(brolga_after_ns(rounds->nap_ns));
    now = brolga_now_ns();
    before = brolga__load_relaxed(&rounds->last_ns);
    while (before < now && !brolga__cas_seq_cst(&rounds->last_ns, &before, now))
        continue;
    err = brolga_recv_word(rounds->chan, &word, BROLGA_FOREVER);
    now = brolga_now_ns();
    return err == BROLGA_EDEADLOCK ? (brolga_word)now : 0;
}

static brolga_word one_round(struct rounds *rounds)
{
    brolga_word told[2] = {0};
    brolga_task *task[2];
    brolga_scope *scope;
    uint64_t first;

    if (brolga_scope_open(NULL, &scope) != BROLGA_OK)
        return 1;
    for (int i = 0; i < 2; i++)
        if (brolga_spawn(rt, wait_in_vain, rounds, &rounds->kind, &task[i]) !=
            BROLGA_OK)
            return 1;
    if (brolga_scope_join(scope, NULL) != BROLGA_EDEADLOCK)
        return 1;
    for (int i = 0; i < 2; i++)
        if (brolga_join(task[i], BROLGA_FOREVER, &told[i], NULL) != BROLGA_OK)
            return 1;
    if (told[0] == 0 || told[1] == 0)
        return 1;
    first = (uint64_t)(told[0] < told[1] ? told[0] : told[1]);
    rounds->took_ns[rounds->count++] =
        first - brolga__load_relaxed(&rounds->last_ns);
    return 0;
}

static brolga_word all_rounds(void *arg)
{
    struct rounds *rounds = arg;

    for (int i = 0; i < ROUNDS; i++)
        if (one_round(rounds) != 0)
            return 1;
    return 0;
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The median of the rounds. */
static uint64_t median_of(const char *what, struct rounds *rounds)
{
    brolga_word failed = 1;
    uint64_t median;

    rounds->chan = channel("never", 0);
    if (!rounds->by_itself || !world_by_itself())
        deadlock_world(BROLGA_DEADLOCKS_FAIL);
    cr_assert_eq(
        brolga_join(spawned(all_rounds, rounds), BROLGA_FOREVER, &failed, NULL),
        BROLGA_OK);
    cr_assert_eq(failed, 0);
    world_close();
    brolga_chan_release(rounds->chan);
    cr_assert_eq(rounds->count, ROUNDS);
    qsort(rounds->took_ns, ROUNDS, sizeof *rounds->took_ns, by_size);
    median = rounds->took_ns[ROUNDS / 2];
    fprintf(stderr,
            "%s: from the last park to the failure %.2f ms (%.2f to %.2f)\n",
            what, (double)median / 1e6, (double)rounds->took_ns[0] / 1e6,
            (double)rounds->took_ns[ROUNDS - 1] / 1e6);
    return median;
}

/* Programs under sanitizers and in emulators are that much slower. */
static uint64_t soon_enough(void)
{
#if defined(BROLGA__ASAN) || defined(BROLGA__TSAN)
    return BROLGA_S;
#else
    return is_emulated() ? BROLGA_S : 10 * BROLGA_MS;
#endif
}

Test(deadlock, one_is_noticed_within_10_ms, .timeout = 60)
{
    struct rounds fibers = {.count = 0};
    struct rounds sleepers = {.nap_ns = 3 * BROLGA_MS};
    struct rounds threads = {.kind = {.thread = true}};
    struct rounds counted = {.kind = {.thread = true}, .by_itself = true};

    cr_assert_lt(median_of("fibers", &fibers), soon_enough());
    cr_assert_lt(median_of("sleepers", &sleepers), soon_enough());
    cr_assert_lt(median_of("threads", &threads), soon_enough());
    cr_assert_lt(median_of("threads, counted", &counted), soon_enough());
}
