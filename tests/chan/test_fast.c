/*
 * Goal: values that pass while nobody waits come out whole, once, and in the
 * order of their sender, whatever the other end does meanwhile; and who waits
 * is never passed by a newcomer.
 * Method: threads that are no tasks send and receive as fast as they can, in
 * channels of several kinds, so that the ends meet at every distance: empty,
 * full, wrapping, growing. Each element carries its number several times.
 */
#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(fast, name, .init = world_open, .fini = world_close, .timeout = 60)

enum { SENDERS = 2, RECEIVERS = 2, MESSAGES = 20000 };

struct message {
    uint64_t sender;
    uint64_t number; /* 1, 2, 3, ... */
    uint64_t sum;    /* of the two */
};

struct side {
    brolga_chan *chan;
    uint64_t sender;
    uint64_t count;
    uint64_t broken; /* messages that are not whole */
    uint64_t behind; /* messages older than one before, of the same sender */
    pthread_t thread;
};

static _Atomic uint32_t gate;

static void wait_at_gate(void)
{
    while (brolga__load_relaxed(&gate) == 0)
        (void)sched_yield();
}

static void *send_messages(void *arg)
{
    struct side *side = arg;

    wait_at_gate();
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        struct message message = {side->sender, i, side->sender + i};

        until(brolga_try_send(side->chan, &message) == BROLGA_OK);
        side->count++;
    }
    return NULL;
}

static void *receive_messages(void *arg)
{
    struct side *side = arg;
    uint64_t last[SENDERS] = {0};
    struct message got;
    int result;

    wait_at_gate();
    while ((result = brolga_try_recv(side->chan, &got)) != BROLGA_ECLOSED) {
        if (result != BROLGA_OK) {
            (void)sched_yield();
            continue;
        }
        side->broken +=
            got.sender >= SENDERS || got.sender + got.number != got.sum;
        side->behind += got.number <= last[got.sender % SENDERS];
        last[got.sender % SENDERS] = got.number;
        side->count++;
    }
    return NULL;
}

static void start_sides(struct side *sides, int count, brolga_chan *chan,
                        void *(*fn)(void *))
{
    for (int i = 0; i < count; i++) {
        sides[i] = (struct side){.chan = chan, .sender = (uint64_t)i};
        cr_assert_eq(pthread_create(&sides[i].thread, NULL, fn, &sides[i]), 0);
    }
}

static uint64_t join_sides(struct side *sides, int count)
{
    uint64_t sum = 0;

    for (int i = 0; i < count; i++) {
        cr_assert_eq(pthread_join(sides[i].thread, NULL), 0);
        cr_assert_eq(sides[i].broken, 0);
        cr_assert_eq(sides[i].behind, 0);
        sum += sides[i].count;
    }
    return sum;
}

static void exchange(const struct brolga_chan_opts *opts)
{
    struct side senders[SENDERS], receivers[RECEIVERS];
    struct brolga_chan_stats stats;
    const brolga_type *type;
    brolga_chan *chan;

    cr_assert_eq(
        brolga_type_struct(types, "Message", sizeof(struct message), 8, &type),
        BROLGA_OK);
    cr_assert_eq(brolga_chan_create(type, opts, &chan), BROLGA_OK);
    brolga__store_relaxed(&gate, 0);
    start_sides(senders, SENDERS, chan, send_messages);
    start_sides(receivers, RECEIVERS, chan, receive_messages);
    brolga__store_relaxed(&gate, 1);
    cr_assert_eq(join_sides(senders, SENDERS), SENDERS * MESSAGES);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(join_sides(receivers, RECEIVERS), SENDERS * MESSAGES);
    stats = stats_of(chan);
    cr_assert_eq(stats.sent, SENDERS * MESSAGES);
    cr_assert_eq(stats.received, SENDERS * MESSAGES);
    cr_assert_eq(stats.depth, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(messages_of_threads_stay_whole_and_in_order)
{
    static const size_t capacities[] = {1, 2, 3, 64, 1000};

    for (size_t i = 0; i < 5; i++)
        exchange(&(struct brolga_chan_opts){.capacity = capacities[i]});
}

CHAN_TEST(a_buffer_grows_while_it_is_used)
{
    exchange(&(struct brolga_chan_opts){.unbounded = true});
    exchange(
        &(struct brolga_chan_opts){.unbounded = true, .bytes_max = 100 * 24});
}

/* --- tasks -------------------------------------------------------------- */

/* Tasks that park when an end is not ready. */
static brolga_word send_words(void *arg)
{
    struct side *side = arg;

    for (brolga_word i = 1; i <= MESSAGES; i++)
        side->count +=
            brolga_send_word(side->chan, i, BROLGA_FOREVER) == BROLGA_OK;
    return 0;
}

static brolga_word receive_words(void *arg)
{
    struct side *side = arg;
    brolga_word word, last = 0;

    while (brolga_recv_word(side->chan, &word, BROLGA_FOREVER) == BROLGA_OK) {
        side->behind += word <= last;
        last = word;
        side->count++;
    }
    return 0;
}

CHAN_TEST(tasks_that_park_now_and_then_get_everything)
{
    for (size_t capacity = 1; capacity <= 16; capacity *= 4) {
        struct side from = {.chan = chan_of(NULL, capacity)}, to = from;
        struct brolga_chan_stats stats;
        brolga_task *sender, *receiver;

        cr_assert_eq(brolga_spawn(rt, receive_words, &to, NULL, &receiver),
                     BROLGA_OK);
        cr_assert_eq(brolga_spawn(rt, send_words, &from, NULL, &sender),
                     BROLGA_OK);
        cr_assert_eq(brolga_join(sender, BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(brolga_chan_close(from.chan, BROLGA_OK, NULL), BROLGA_OK);
        cr_assert_eq(brolga_join(receiver, BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(from.count, MESSAGES);
        cr_assert_eq(to.count, MESSAGES);
        cr_assert_eq(to.behind, 0);
        stats = stats_of(from.chan);
        cr_assert_gt(stats.sends_waited + stats.receives_waited, 0);
        cr_assert_eq(stats.senders_waiting + stats.receivers_waiting, 0);
        brolga_chan_release(from.chan);
    }
}

/* --- who waits comes first ---------------------------------------------- */

CHAN_TEST(a_newcomer_takes_nothing_from_a_receiver_that_waits)
{
    brolga_chan *chan = chan_of(NULL, 4);
    struct call first = {.chan = chan}, second = {.chan = chan};
    brolga_word got = 0;

    /* Both ends have passed values, so that they know of free slots. */
    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    start_waiting(&first, run_recv);
    start_waiting(&second, run_recv);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_EAGAIN);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_EAGAIN);
    cr_assert_eq(finish(&first), BROLGA_OK);
    cr_assert_eq(first.word, 2);
    cr_assert_eq(try_send_word(chan, 3), BROLGA_OK);
    cr_assert_eq(finish(&second), BROLGA_OK);
    cr_assert_eq(second.word, 3);
    cr_assert_eq(stats_of(chan).receives_waited, 2);
    brolga_chan_release(chan);
}

CHAN_TEST(a_newcomer_takes_no_slot_from_a_sender_that_waits)
{
    brolga_chan *chan = chan_of(NULL, 2);
    struct call call = {.chan = chan, .word = 3};
    brolga_word got = 0;

    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_OK);
    start_waiting(&call, run_send);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 4), BROLGA_EAGAIN);
    cr_assert_eq(finish(&call), BROLGA_OK);
    for (brolga_word i = 2; i <= 3; i++) {
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert_eq(got, i);
    }
    cr_assert_eq(stats_of(chan).sends_waited, 1);
    brolga_chan_release(chan);
}

CHAN_TEST(nobody_sends_to_a_channel_that_has_just_been_closed)
{
    brolga_chan *chan = chan_of(NULL, 8);
    brolga_word got;

    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK); /* seven slots known */
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_ECLOSED);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    brolga_chan_release(chan);
}
