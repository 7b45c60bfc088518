/*
 * Goal: a task for each message runs the newest code, and holds none while it
 * waits (C3, C5); its end is that of its channel or what the slot says.
 * Method: two functions of this program pose as the code of units; commits
 * switch the slot between them, and the functions note who was called.
 */
#include <criterion/criterion.h>

#include "plat.h"
#include "stacks.h"

#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(each, name, .init = world_open, .fini = world_close, .timeout = 60)

struct notes {
    brolga_chan *acks; /* what was called for each message: 1 or 2 */
    brolga_slot slot;  /* for tasks that call it themselves */
    brolga_chan *chan;
    int ends; /* what the slot returns for a message that is negative */
};

static int note(struct notes *notes, void *elem, brolga_word who)
{
    brolga_word word;

    memcpy(&word, elem, sizeof(word));
    if (word < 0)
        return notes->ends;
    return brolga_try_send(notes->acks, &who);
}

static int first(void *state, void *elem)
{
    return note(state, elem, 1);
}

static int second(void *state, void *elem)
{
    return note(state, elem, 2);
}

static _Atomic int released;

static void count_release(void *arg)
{
    (void)arg;
    (void)brolga__add_relaxed(&released, 1);
}

/* The next version, in which the slot is `fn`. */
static brolga_slot publish(int (*fn)(void *, void *))
{
    union {
        int (*fn)(void *, void *);
        const void *code;
    } cast = {.fn = fn};
    struct brolga_unit_opts opts = {.name = fn == first ? "first" : "second",
                                    .text = cast.code,
                                    .text_bytes = 8,
                                    .policy = BROLGA_RECLAIM,
                                    .release = count_release};
    struct brolga_report report;
    brolga_unit *unit;
    brolga_slot slot;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "f", "(Fn [] Int)", cast.code, &slot),
        BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK, "%s\n",
                 report.text);
    return slot;
}

static struct brolga_got_stats got_stats(void)
{
    struct brolga_got_stats stats;

    brolga_got_stats(brolga_runtime_got(rt), &stats);
    return stats;
}

/* A commit may be refused while too many versions are in use: they are not,
 * once the reclaimer has seen that nobody views them. */
static brolga_slot publish_when_possible(int (*fn)(void *, void *))
{
    until(got_stats().versions_live <= 4);
    return publish(fn);
}

static brolga_word next_ack(brolga_chan *acks)
{
    brolga_word who = 0;

    until(brolga_try_recv(acks, &who) == BROLGA_OK);
    return who;
}

static brolga_task *spawn_each(struct notes *notes, brolga_slot slot)
{
    brolga_task *task = NULL;

    notes->acks = chan_of(NULL, 8);
    notes->chan = chan_of(NULL, 8);
    notes->slot = slot;
    cr_assert_eq(brolga_spawn_each(rt, notes->chan, slot, notes, NULL, &task),
                 BROLGA_OK);
    return task;
}

static brolga_word end(struct notes *notes, brolga_task *task)
{
    brolga_word result = 99;

    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    brolga_chan_release(notes->chan);
    brolga_chan_release(notes->acks);
    return result;
}

CHAN_TEST(each_message_runs_the_code_that_was_newest_when_it_was_sent)
{
    struct notes notes = {0};
    brolga_task *task = spawn_each(&notes, publish(first));

    cr_assert_eq(try_send_word(notes.chan, 1), BROLGA_OK);
    cr_assert_eq(next_ack(notes.acks), 1);
    for (int i = 0; i < 40; i++) {
        int (*fn)(void *, void *) = i % 2 == 0 ? second : first;

        (void)publish_when_possible(fn);
        cr_assert_eq(try_send_word(notes.chan, 2), BROLGA_OK);
        cr_assert_eq(next_ack(notes.acks), fn == first ? 1 : 2);
    }
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(end(&notes, task), BROLGA_OK);
}

CHAN_TEST(a_task_that_waits_holds_no_old_code)
{
    struct notes notes = {0};
    brolga_task *task = spawn_each(&notes, publish(first));

    cr_assert_eq(try_send_word(notes.chan, 1), BROLGA_OK);
    cr_assert_eq(next_ack(notes.acks), 1);
    released = 0;
    (void)publish(second);
    /* The task gets no message meanwhile, and need not run. */
    until(released == 1);
    cr_assert_eq(try_send_word(notes.chan, 1), BROLGA_OK);
    cr_assert_eq(next_ack(notes.acks), 2);
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(end(&notes, task), BROLGA_OK);
}

#define WAITERS 100

CHAN_TEST(a_task_that_waits_has_no_stack)
{
    brolga_slot slot = publish(first);
    struct notes notes = {.acks = chan_of(NULL, WAITERS)};
    struct brolga_chan_stats stats;
    brolga_task *tasks[WAITERS];

    notes.chan = chan_of(NULL, 0);
    for (int i = 0; i < WAITERS; i++)
        cr_assert_eq(
            brolga_spawn_each(rt, notes.chan, slot, &notes, NULL, &tasks[i]),
            BROLGA_OK);
    do {
        (void)sched_yield();
        brolga_chan_stats(notes.chan, &stats);
    } while (stats.receivers_waiting < WAITERS);
    until(stacks_in_use(rt, rt->opts.stack_bytes) == 0);
    for (int i = 0; i < WAITERS; i++) {
        until(try_send_word(notes.chan, 1) == BROLGA_OK);
        cr_assert_eq(next_ack(notes.acks), 1);
    }
    for (int i = 0; i < WAITERS / 2; i++) { /* Some by a cancel, */
        brolga_word result = 0;

        brolga_cancel(tasks[i]);
        cr_assert_eq(brolga_join(tasks[i], BROLGA_FOREVER, &result, NULL),
                     BROLGA_OK);
        cr_assert_eq(result, BROLGA_ECANCELED);
    }
    /* and the others by the end of the channel. */
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    for (int i = WAITERS / 2; i < WAITERS; i++)
        cr_assert_eq(brolga_join(tasks[i], BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
    brolga_chan_release(notes.acks);
    brolga_chan_release(notes.chan);
}

CHAN_TEST(what_was_sent_before_the_end_is_called_for)
{
    struct notes notes = {0};
    brolga_task *task = spawn_each(&notes, publish(first));

    for (int i = 0; i < 5; i++)
        cr_assert_eq(try_send_word(notes.chan, i), BROLGA_OK);
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(next_ack(notes.acks), 1);
    cr_assert_eq(end(&notes, task), BROLGA_OK);
}

CHAN_TEST(the_slot_ends_the_task_with_its_result)
{
    static const int results[] = {BROLGA_DONE, BROLGA_EIO, BROLGA_ECLOSED};
    brolga_slot slot = publish(first);

    for (size_t i = 0; i < 3; i++) {
        struct notes notes = {.ends = results[i]};
        brolga_task *task = spawn_each(&notes, slot);

        cr_assert_eq(try_send_word(notes.chan, -1), BROLGA_OK);
        cr_assert_eq(end(&notes, task), results[i]);
    }
}

CHAN_TEST(a_cancel_ends_the_task)
{
    struct notes notes = {0};
    brolga_task *task = spawn_each(&notes, publish(first));

    until(stats_of(notes.chan).receivers_waiting == 1);
    brolga_cancel(task);
    cr_assert_eq(end(&notes, task), BROLGA_ECANCELED);
}

CHAN_TEST(the_task_keeps_its_channel)
{
    struct notes notes = {0};
    brolga_task *task = spawn_each(&notes, publish(first));
    brolga_word result = 99;

    cr_assert_eq(brolga_chan_join(notes.chan, BROLGA_SEND), BROLGA_OK);
    brolga_chan_release(notes.chan);
    cr_assert_eq(try_send_word(notes.chan, 1), BROLGA_OK);
    cr_assert_eq(next_ack(notes.acks), 1);
    brolga_chan_leave(notes.chan, BROLGA_SEND, BROLGA_OK, NULL);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_OK);
    brolga_chan_release(notes.acks);
}

CHAN_TEST(elements_too_large_for_a_stack_are_refused)
{
    const brolga_type *type;
    brolga_task *task = NULL;
    brolga_chan *chan;

    cr_assert_eq(
        brolga_type_struct(types, "Huge", BROLGA_EACH_BYTES_MAX + 8, 8, &type),
        BROLGA_OK);
    chan = chan_of(type, 1);
    cr_assert_eq(brolga_spawn_each(rt, chan, publish(first), NULL, NULL, &task),
                 BROLGA_EINVAL);
    cr_assert_null(task);
    brolga_chan_release(chan);
}

/* --- C3 for every way to receive ---------------------------------------- */

static int call_slot(struct notes *notes, brolga_word word)
{
    union {
        const void *code;
        int (*fn)(void *, void *);
    } cast = {.code = brolga_view_self()->slots[notes->slot]};

    return cast.fn(notes, &word);
}

/* Receives in the way that the message before it has asked for, with no other
 * safepoint between the receive and the call. */
static brolga_word receive_and_call(void *arg)
{
    struct notes *notes = arg;
    brolga_word way = 0;
    int err = BROLGA_OK;

    while (err == BROLGA_OK) {
        if (way == 0) {
            err = brolga_recv(notes->chan, &way, BROLGA_FOREVER);
        } else if (way == 1) {
            /* No safepoint while nothing is there. */
            until(stats_of(notes->chan).depth > 0 ||
                  stats_of(notes->chan).closed);
            err = brolga_try_recv(notes->chan, &way);
        } else {
            struct brolga_arm arm = {
                .chan = notes->chan, .op = BROLGA_RECV, .elem = &way};
            size_t chosen;

            until(stats_of(notes->chan).depth > 0 ||
                  stats_of(notes->chan).closed);
            err = brolga_select(&arm, 1, BROLGA_FOREVER, &chosen);
        }
        if (err == BROLGA_OK)
            err = call_slot(notes, way);
    }
    return err;
}

CHAN_TEST(a_receiver_views_at_least_what_the_sender_did)
{
    struct notes notes = {.slot = publish(first)};
    brolga_word result = 0;
    brolga_task *task;

    notes.acks = chan_of(NULL, 1);
    notes.chan = chan_of(NULL, 1);
    cr_assert_eq(brolga_spawn(rt, receive_and_call, &notes, NULL, &task),
                 BROLGA_OK);
    for (int i = 0; i < 60; i++) {
        int (*fn)(void *, void *) = i % 2 == 0 ? second : first;

        (void)publish_when_possible(fn);
        cr_assert_eq(try_send_word(notes.chan, i % 3), BROLGA_OK);
        cr_assert_eq(next_ack(notes.acks), fn == first ? 1 : 2);
    }
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_ECLOSED);
    brolga_chan_release(notes.chan);
    brolga_chan_release(notes.acks);
}

/* --- what the task has, it gives back ----------------------------------- */

CHAN_TEST(what_cannot_be_started_takes_nothing)
{
    struct brolga_spawn_opts opts = {.stack_bytes = (size_t)2 << 30};
    brolga_slot slot = publish(first);
    brolga_chan *chan = chan_of(NULL, 1);
    brolga_task *task = NULL;
    int64_t before;

    /* The first task's record stays, and the reclaimer gives nothing back
     * meanwhile. */
    cr_assert_eq(brolga_spawn_each(rt, chan, 4000000, NULL, NULL, &task),
                 BROLGA_ENOENT);
    until(got_stats().versions_live == 1);
    before = brolga__alloc_live();
    cr_assert_eq(brolga_spawn_each(rt, chan, 0, NULL, NULL, &task),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_spawn_each(rt, chan, 4000000, NULL, NULL, &task),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_spawn_each(rt, chan, slot, NULL, &opts, &task),
                 BROLGA_ELIMIT);
    cr_assert_null(task);
    cr_assert_eq(brolga__alloc_live(), before);
    brolga_chan_release(chan);
    cr_assert_lt(brolga__alloc_live(), before); /* It was the last one. */
}

struct starved {
    struct notes notes;
    struct brolga_failure failure;
    int spawned, joined;
};

/* A stack of a size that there is none of; the only worker asks for it when
 * this task waits for the other. */
static brolga_word starve_each(void *arg)
{
    struct brolga_spawn_opts opts = {.stack_bytes = (size_t)16 << 20};
    struct starved *starved = arg;
    struct notes *notes = &starved->notes;
    brolga_task *task;

    starved->spawned = brolga_spawn_each(brolga_runtime(), notes->chan,
                                         notes->slot, notes, &opts, &task);
    if (starved->spawned != BROLGA_OK)
        return 0;
    brolga__alloc_fail_nth(1);
    starved->joined =
        brolga_join(task, BROLGA_FOREVER, NULL, &starved->failure);
    brolga__alloc_fail_nth(0);
    return 0;
}

Test(each, c8_a_task_that_gets_no_stack_leaves_nothing, .timeout = 60)
{
    struct starved starved = {.joined = BROLGA_OK};
    int64_t before = brolga__alloc_live();
    brolga_task *task;

    world_open_with(1);
    starved.notes.slot = publish(first);
    starved.notes.chan = chan_of(NULL, 1);
    until(got_stats().versions_live == 1);
    cr_assert_eq(brolga_spawn(rt, starve_each, &starved, NULL, &task),
                 BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    cr_assert_eq(starved.spawned, BROLGA_OK);
    cr_assert_eq(starved.joined, BROLGA_EFAILED);
    cr_assert_not_null(strstr(starved.failure.message, "stack"));
    brolga_chan_release(starved.notes.chan);
    world_close();
    cr_assert_eq(brolga__alloc_live(), before);
}

CHAN_TEST(c7_the_slot_of_a_task_is_not_taken_away)
{
    struct notes notes = {0};
    struct brolga_report report;
    brolga_task *task = spawn_each(&notes, publish(first));
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_EREFUSED);
    cr_assert_eq(report.refusal, BROLGA_REFUSED_IMPORTERS);
    cr_assert_not_null(strstr(report.text, "1 running task calls m.f"), "%s\n",
                       report.text);
    cr_assert_eq(try_send_word(notes.chan, 1), BROLGA_OK);
    cr_assert_eq(next_ack(notes.acks), 1);
    cr_assert_eq(brolga_chan_close(notes.chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(end(&notes, task), BROLGA_OK);
    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, &report), BROLGA_OK, "%s\n",
                 report.text);
}

/* --- there is always a message ------------------------------------------ */

/* A channel that is never empty when the slot returns: a thread of the host
 * sends one for each that was received, because a send by the slot itself
 * would be a safepoint. */
struct spring {
    brolga_chan *chan;
    _Atomic int64_t received, sent;
    _Atomic bool dry;
};

static int drink(void *state, void *elem)
{
    struct spring *spring = state;
    int64_t received = brolga__add_release(&spring->received, 1) + 1;

    (void)elem;
    until(brolga__load_acquire(&spring->sent) >= received ||
          brolga__load_acquire(&spring->dry));
    return BROLGA_OK;
}

static void *flow(void *arg)
{
    struct spring *spring = arg;
    int64_t sent = 0;

    while (!brolga__load_acquire(&spring->dry)) {
        if (sent == brolga__load_acquire(&spring->received)) {
            (void)sched_yield();
            continue;
        }
        (void)try_send_word(spring->chan, 1);
        brolga__store_release(&spring->sent, ++sent);
    }
    return NULL;
}

static brolga_word tick(void *arg)
{
    brolga__store_release((_Atomic bool *)arg, true);
    return 0;
}

/* A task that finds a message whenever it looks; what `during` does meanwhile
 * must come to pass. */
static void drink_without_end(uint32_t workers,
                              void (*during)(brolga_task *drinker))
{
    struct spring spring = {.received = 0};
    brolga_word result = 0;
    brolga_task *drinker;
    pthread_t host;

    world_open_with(workers);
    spring.chan = chan_of(NULL, 4);
    cr_assert_eq(try_send_word(spring.chan, 1), BROLGA_OK);
    cr_assert_eq(pthread_create(&host, NULL, flow, &spring), 0);
    cr_assert_eq(brolga_spawn_each(rt, spring.chan, publish(drink), &spring,
                                   NULL, &drinker),
                 BROLGA_OK);
    until(brolga__load_relaxed(&spring.received) > 0);
    during(drinker);
    brolga_cancel(drinker);
    cr_assert_eq(brolga_join(drinker, BROLGA_FOREVER, &result, NULL),
                 BROLGA_OK);
    cr_assert_eq(result, BROLGA_ECANCELED);
    brolga__store_release(&spring.dry, true);
    cr_assert_eq(pthread_join(host, NULL), 0);
    brolga_chan_release(spring.chan);
    world_close();
}

static void nothing(brolga_task *drinker)
{
    (void)drinker;
}

Test(each, c8_a_cancel_ends_a_task_that_never_waits, .timeout = 60)
{
    drink_without_end(2, nothing);
}

static void another_runs(brolga_task *drinker)
{
    _Atomic bool ran = false;
    brolga_task *other;

    (void)drinker;
    cr_assert_eq(brolga_spawn(rt, tick, (void *)&ran, NULL, &other), BROLGA_OK);
    until(brolga__load_acquire(&ran));
    cr_assert_eq(brolga_join(other, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
}

Test(each, c8_a_task_that_never_waits_lets_others_run, .timeout = 60)
{
    drink_without_end(1, another_runs);
}
