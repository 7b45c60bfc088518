/*
 * Goal: the loop runs the messages of each sender in order; a call is answered
 * or taken back, never both; a poll that is closed answers all, also those who
 * come after.
 * Method: a loop of the test's own; calls that are kept until something else
 * answers them.
 */
#include "tasks/loop.h"
#include "tasks/world.h"

#include <sys/socket.h>
#include <unistd.h>

static struct brolga__ioloop *loop;

static void open_loop(void)
{
    world_open();
    cr_assert_eq(brolga_attach_thread(rt, "test"), BROLGA_OK);
    cr_assert_eq(brolga__ioloop_create(&loop), BROLGA_OK);
}

static void nothing_open(struct brolga__ioloop *at, void *arg)
{
    *(bool *)arg = at == loop;
}

static void close_loop(void)
{
    bool told = false;

    brolga__ioloop_destroy(loop, nothing_open, &told);
    cr_assert(told);
    brolga_detach_thread();
    world_close();
}

/* --- messages ----------------------------------------------------------- */

enum { SENDERS = 3, MESSAGES = 2000 };

struct numbered {
    struct brolga__message message;
    int sender, number;
};

/* The loop's: what it has seen of each sender. */
static int next_number[SENDERS];
static bool in_order;
static _Atomic int seen_count;

static void run_numbered(struct brolga__ioloop *at,
                         struct brolga__message *message)
{
    struct numbered *numbered =
        brolga__container_of(message, struct numbered, message);

    (void)at;
    if (numbered->number != next_number[numbered->sender]++)
        in_order = false;
    (void)brolga__add_release(&seen_count, 1);
}

static brolga_word send_numbered(void *arg)
{
    struct numbered *all = arg;

    for (int i = 0; i < MESSAGES; i++)
        brolga__ioloop_send(loop, &all[i].message);
    return 0;
}

Test(loop, messages_of_each_sender_arrive_once_and_in_order)
{
    static struct numbered all[SENDERS][MESSAGES];
    brolga_task *tasks[SENDERS];

    open_loop();
    in_order = true;
    brolga__store_relaxed(&seen_count, 0);
    for (int i = 0; i < SENDERS; i++) {
        next_number[i] = 0;
        for (int j = 0; j < MESSAGES; j++)
            all[i][j] = (struct numbered){{NULL, run_numbered}, i, j};
    }
    for (int i = 0; i < SENDERS; i++)
        tasks[i] = spawned(send_numbered, all[i]);
    for (int i = 0; i < SENDERS; i++)
        cr_assert_eq(joined(tasks[i]), 0);
    cr_assert(
        wait_until(brolga__load_acquire(&seen_count) == SENDERS * MESSAGES));
    cr_assert(in_order);
    close_loop();
}

/* --- calls -------------------------------------------------------------- */

static struct brolga__call *kept; /* The loop's. */
static int undone;                /* The loop's. */

static void run_keep(struct brolga__ioloop *at, struct brolga__message *message)
{
    (void)at;
    kept = brolga__container_of(message, struct brolga__call, start);
}

static void undo_keep(struct brolga__call *call)
{
    undone += kept == call;
    kept = NULL;
}

static void run_answer(struct brolga__ioloop *at,
                       struct brolga__message *message)
{
    struct brolga__call *call = kept;

    (void)at;
    (void)message;
    kept = NULL;
    if (call != NULL)
        brolga__call_answer(call, 123);
}

static int keep(bool takes_back, uint64_t deadline_ns)
{
    struct brolga__call call = {.start = {NULL, run_keep},
                                .undo = takes_back ? undo_keep : NULL};

    return brolga__call(loop, &call, "test", deadline_ns);
}

static brolga_word keep_for_ever(void *arg)
{
    return keep(*(bool *)arg, BROLGA_FOREVER);
}

enum { ROUNDS = 500 };

/* A message each round, because the one before may still be on its way. */
static void answer(int round)
{
    static struct brolga__message messages[ROUNDS];

    messages[round].run = run_answer;
    brolga__ioloop_send(loop, &messages[round]);
}

Test(loop, a_call_that_is_taken_back_is_out_of_the_loops_hands)
{
    bool takes_back = true;
    brolga_task *task;

    open_loop();
    undone = 0;
    cr_assert_eq(keep(true, brolga_after_ns(BROLGA_MS)), BROLGA_ETIMEOUT);
    cr_assert_eq(undone, 1);
    task = spawned(keep_for_ever, &takes_back);
    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    cr_assert_eq(joined(task), BROLGA_ECANCELED);
    cr_assert_eq(undone, 2);
    cr_assert_null(kept);
    close_loop();
}

Test(loop, a_call_without_undo_is_awaited_though_its_task_is_canceled)
{
    bool takes_back = false;
    brolga_task *task;

    open_loop();
    task = spawned(keep_for_ever, &takes_back);
    cr_assert(wait_until(is_parked(task)));
    brolga_cancel(task);
    cr_assert_eq(brolga_join(task, brolga_after_ns(10 * BROLGA_MS), NULL, NULL),
                 BROLGA_ETIMEOUT);
    answer(0);
    cr_assert_eq(joined(task), 123);
    close_loop();
}

/* An answer is sent at about the time of the deadline. */
Test(loop, an_answer_or_the_deadline_comes_first_and_the_result_says_which)
{
    int answered = 0, late = 0;
    bool takes_back = true;

    open_loop();
    undone = 0;
    for (int i = 0; i < ROUNDS; i++) {
        brolga_task *task = spawned(keep_for_ever, &takes_back);
        brolga_word result;

        cr_assert(wait_until(is_parked(task)));
        if (i % 2 == 0)
            answer(i);
        brolga_cancel(task);
        if (i % 2 != 0)
            answer(i);
        result = joined(task);
        cr_assert(result == 123 || result == BROLGA_ECANCELED);
        answered += result == 123;
        late += result == BROLGA_ECANCELED;
    }
    /* An answer that was sent before the cancel cannot come second. */
    cr_assert_geq(answered, ROUNDS / 2);
    cr_assert_eq(undone, late);
    close_loop();
}

/* --- polls -------------------------------------------------------------- */

struct closing {
    struct brolga__call call;
    struct brolga__poll *poll;
};

static void poll_closed(void *arg)
{
    brolga__call_answer(arg, BROLGA_OK);
}

static void run_close(struct brolga__ioloop *at,
                      struct brolga__message *message)
{
    struct closing *closing =
        brolga__container_of(message, struct closing, call.start);

    brolga__poll_close(at, closing->poll, poll_closed, &closing->call);
}

static void close_poll(struct brolga__poll *poll)
{
    struct closing closing = {.call = {.start = {NULL, run_close}},
                              .poll = poll};

    cr_assert_eq(brolga__call(loop, &closing.call, "close", BROLGA_FOREVER),
                 BROLGA_OK);
}

static struct brolga__poll *made_poll(int fd)
{
    struct brolga__poll *poll = brolga__poll_create(fd);

    cr_assert_not_null(poll);
    return poll;
}

static int wait_reading(struct brolga__poll *poll, uint64_t deadline_ns)
{
    return brolga__poll_wait(loop, poll, BROLGA__READING, "read", deadline_ns);
}

Test(loop, a_closed_poll_answers_those_who_come_after)
{
    struct brolga__poll *polls[2];
    int fds[2];

    open_loop();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int used = 0; used < 2; used++) { /* Whether libuv knew of it. */
        polls[used] = made_poll(fds[0]);
        if (used)
            cr_assert_eq(wait_reading(polls[used], brolga_after_ns(BROLGA_MS)),
                         BROLGA_ETIMEOUT);
        close_poll(polls[used]);
        cr_assert_eq(wait_reading(polls[used], brolga_after_ns(WAIT_LIMIT_NS)),
                     BROLGA_ECLOSED);
        brolga__poll_free(polls[used]);
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
    close_loop();
}

struct reading {
    struct brolga__poll *poll;
    enum brolga__way way;
};

static brolga_word poll_one(void *arg)
{
    struct reading *one = arg;

    return brolga__poll_wait(loop, one->poll, one->way, "poll",
                             brolga_after_ns(WAIT_LIMIT_NS));
}

Test(loop, ready_to_write_does_not_wake_the_reader)
{
    struct reading reader = {.way = BROLGA__READING};
    struct reading writer = {.way = BROLGA__WRITING};
    struct brolga__poll *poll;
    brolga_task *task;
    int fds[2];

    open_loop();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    poll = reader.poll = writer.poll = made_poll(fds[0]);
    task = spawned(poll_one, &reader);
    cr_assert(wait_until(is_parked(task)));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(poll_one(&writer), BROLGA_OK);
    cr_assert(is_parked(task));
    cr_assert_eq(write(fds[1], "x", 1), 1);
    cr_assert_eq(joined(task), BROLGA_OK);
    /* Level: what has not been read is there for the next who asks. */
    cr_assert_eq(poll_one(&reader), BROLGA_OK);
    close_poll(poll);
    brolga__poll_free(poll);
    (void)close(fds[0]);
    (void)close(fds[1]);
    close_loop();
}
