/*
 * Goal: every subscriber gets every value from its subscription on, in one
 * order, as its own copy; a full subscription makes the sender wait or drops
 * its oldest, as it said; a send happens for all or for none; nobody who has
 * left makes anybody wait.
 * Method: the test's thread subscribes, sends and receives by calls that never
 * wait; tasks send where waiting is the point. Handles count the copies.
 */
#include <brolga/broadcast.h>

#include "chan/world.h"

#define CHAN_TEST(name)                                                        \
    Test(broadcast, name, .init = world_open, .fini = world_close,             \
         .timeout = 30)

static brolga_broadcast *broadcast_of(const brolga_type *type)
{
    brolga_broadcast *broadcast = NULL;

    cr_assert_eq(brolga_broadcast_create(type, &broadcast), BROLGA_OK);
    return broadcast;
}

static brolga_chan *subscribe(brolga_broadcast *broadcast, size_t capacity,
                              bool drop_oldest)
{
    struct brolga_subscription_opts opts = {.capacity = capacity,
                                            .drop_oldest = drop_oldest};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_broadcast_subscribe(broadcast, &opts, &chan),
                 BROLGA_OK);
    return chan;
}

static void leave(brolga_chan *chan)
{
    brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, NULL);
}

static int try_word(brolga_broadcast *broadcast, brolga_word word)
{
    return brolga_broadcast_try_send(broadcast, &word);
}

static struct brolga_broadcast_stats look(brolga_broadcast *broadcast)
{
    struct brolga_broadcast_stats stats;

    brolga_broadcast_stats(broadcast, &stats);
    return stats;
}

/* Receives at once; the results of failures are negative, words are not. */
static brolga_word take(brolga_chan *chan)
{
    brolga_word word = 0;
    int result = brolga_try_recv(chan, &word);

    return result == BROLGA_OK ? word : result;
}

/* A task that sends one word. */
struct sending {
    brolga_broadcast *broadcast;
    brolga_word word;
    uint64_t deadline_ns;
    int result;
    brolga_task *task;
};

static brolga_word run_sending(void *arg)
{
    struct sending *sending = arg;

    sending->result = brolga_broadcast_send(sending->broadcast, &sending->word,
                                            sending->deadline_ns);
    return 0;
}

static void start_sending(struct sending *sending)
{
    if (sending->deadline_ns == 0)
        sending->deadline_ns = BROLGA_FOREVER;
    sending->result = 1;
    cr_assert_eq(brolga_spawn(rt, run_sending, sending, NULL, &sending->task),
                 BROLGA_OK);
}

static int finish_sending(struct sending *sending)
{
    cr_assert_eq(brolga_join(sending->task, BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
    return sending->result;
}

/* --- who gets what ------------------------------------------------------ */

CHAN_TEST(every_subscriber_gets_every_value_from_its_subscription_on)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_chan *first = subscribe(broadcast, 8, false), *second;

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    second = subscribe(broadcast, 8, true);
    cr_assert_eq(try_word(broadcast, 2), BROLGA_OK);
    cr_assert_eq(try_word(broadcast, 3), BROLGA_OK);
    for (brolga_word i = 1; i <= 3; i++)
        cr_assert_eq(take(first), i);
    for (brolga_word i = 2; i <= 3; i++)
        cr_assert_eq(take(second), i);
    cr_assert_eq(take(first), BROLGA_EAGAIN);
    cr_assert_eq(take(second), BROLGA_EAGAIN);
    cr_assert_eq(look(broadcast).subscribers, 2);
    cr_assert_eq(look(broadcast).sent, 3);
    leave(first);
    leave(second);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(each_copy_is_the_subscribers_own)
{
    const brolga_type *type = string_type();
    int64_t live = brolga__alloc_live();
    brolga_broadcast *broadcast = broadcast_of(type);
    brolga_chan *one = subscribe(broadcast, 1, false);
    brolga_chan *two = subscribe(broadcast, 1, true);
    brolga_word mine = string_of("crane"), a = 0, b = 0;

    cr_assert_eq(brolga_broadcast_try_send(broadcast, &mine), BROLGA_OK);
    brolga_drop(type, &mine);
    cr_assert_eq(brolga_try_recv(one, &a), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(two, &b), BROLGA_OK);
    cr_assert_neq(a, b);
    cr_assert(string_is(a, "crane"));
    brolga_drop(type, &a);
    cr_assert(string_is(b, "crane"));
    brolga_drop(type, &b);
    leave(one);
    leave(two);
    brolga_broadcast_release(broadcast);
    cr_assert_eq(brolga__alloc_live(), live);
}

CHAN_TEST(without_subscribers_a_value_goes_nowhere)
{
    brolga_broadcast *broadcast = broadcast_of(handle_type());
    brolga_chan *chan;

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    cr_assert_eq(handles_copied, 0);
    chan = subscribe(broadcast, 1, false);
    cr_assert_eq(take(chan), BROLGA_EAGAIN);
    leave(chan);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(a_subscription_is_selected_from_like_a_channel)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_chan *chans[] = {subscribe(broadcast, 2, false),
                            subscribe(broadcast, 2, true)};

    for (size_t i = 0; i < 2; i++) {
        brolga_chan *other = chan_of(NULL, 0);
        brolga_word in = 0;
        struct brolga_arm arms[] = {
            {.chan = other, .op = BROLGA_RECV, .elem = &in},
            {.chan = chans[i], .op = BROLGA_RECV, .elem = &in}};
        size_t chosen = 9;

        woken = 0;
        cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                     BROLGA_EAGAIN);
        cr_assert_eq(try_word(broadcast, 7), BROLGA_OK);
        cr_assert_eq(woken, 1);
        cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_OK);
        cr_assert_eq(chosen, 1);
        cr_assert_eq(in, 7);
        cr_assert_eq(take(chans[1 - i]), 7);
        brolga_chan_release(other);
    }
    leave(chans[0]);
    leave(chans[1]);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(only_the_broadcast_puts_values_into_a_subscription)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);

    for (int drop = 0; drop < 2; drop++) {
        brolga_chan *chan = subscribe(broadcast, 4, drop == 1);
        struct call call = {.chan = chan, .word = 1};

        cr_assert_eq(try_send_word(chan, 1), BROLGA_ESTATE);
        cr_assert_eq(call_in_task(&call, run_send), BROLGA_ESTATE);
        cr_assert_eq(call_in_task(&call, run_give), BROLGA_ESTATE);
        cr_assert_eq(stats_of(chan).sent, 0);
        leave(chan);
    }
    brolga_broadcast_release(broadcast);
}

/* --- a full subscription ------------------------------------------------ */

CHAN_TEST(a_full_subscription_that_drops_says_what_was_missed)
{
    brolga_broadcast *broadcast = broadcast_of(handle_type());
    brolga_chan *chan = subscribe(broadcast, 3, true);
    struct brolga_chan_stats stats;

    for (brolga_word i = 1; i <= 5; i++)
        cr_assert_eq(try_word(broadcast, i), BROLGA_OK);
    cr_assert_eq(handles_live, 3);
    cr_assert_eq(brolga_chan_missed(chan), 0); /* Nothing was received yet. */
    cr_assert_eq(take(chan), 3);
    cr_assert_eq(brolga_chan_missed(chan), 2);
    cr_assert_eq(brolga_chan_missed(chan), 0);
    cr_assert_eq(take(chan), 4);
    cr_assert_eq(brolga_chan_missed(chan), 0);
    for (brolga_word i = 6; i <= 9; i++)
        cr_assert_eq(try_word(broadcast, i), BROLGA_OK);
    cr_assert_eq(take(chan), 7);
    cr_assert_eq(brolga_chan_missed(chan), 2);
    stats = stats_of(chan);
    cr_assert_eq(stats.sent, 9);
    cr_assert_eq(stats.received, 3);
    cr_assert_eq(stats.dropped, 4);
    cr_assert_eq(stats.depth, 2);
    leave(chan);
    handles_live -= 3; /* received, and not dropped */
    cr_assert_eq(handles_live, 0);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(a_full_subscription_that_does_not_drop_makes_the_sender_wait)
{
    brolga_broadcast *broadcast = broadcast_of(handle_type());
    brolga_chan *slow = subscribe(broadcast, 1, false);
    brolga_chan *fast = subscribe(broadcast, 4, false);
    brolga_chan *loose = subscribe(broadcast, 1, true);
    struct sending sending = {.broadcast = broadcast, .word = 2};

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    cr_assert_eq(try_word(broadcast, 9), BROLGA_EAGAIN);
    start_sending(&sending);
    until(stats_of(slow).senders_waiting == 1);
    /* Nobody has got it while one has no room. */
    cr_assert_eq(stats_of(fast).sent, 1);
    cr_assert_eq(stats_of(loose).sent, 1);
    cr_assert_eq(try_word(broadcast, 9), BROLGA_EAGAIN);
    cr_assert_eq(take(slow), 1);
    cr_assert_eq(finish_sending(&sending), BROLGA_OK);
    cr_assert_eq(take(slow), 2);
    cr_assert_eq(take(fast), 1);
    cr_assert_eq(take(fast), 2);
    cr_assert_eq(take(loose), 2);
    cr_assert_eq(brolga_chan_missed(loose), 1);
    cr_assert_eq(look(broadcast).sent, 2);
    leave(slow);
    leave(fast);
    leave(loose);
    handles_live -= 5;
    cr_assert_eq(handles_live, 0);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(a_send_that_gives_up_has_sent_to_nobody)
{
    brolga_broadcast *broadcast = broadcast_of(handle_type());
    brolga_chan *fast = subscribe(broadcast, 4, false);
    brolga_chan *slow = subscribe(broadcast, 1, false);
    struct sending late = {.broadcast = broadcast, .word = 2};
    struct sending canceled = {.broadcast = broadcast, .word = 3};

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    late.deadline_ns = brolga_after_ns(5 * BROLGA_MS);
    start_sending(&late);
    cr_assert_eq(finish_sending(&late), BROLGA_ETIMEOUT);
    cr_assert_geq(brolga_now_ns(), late.deadline_ns);
    start_sending(&canceled);
    until(stats_of(slow).senders_waiting == 1);
    brolga_cancel(canceled.task);
    cr_assert_eq(finish_sending(&canceled), BROLGA_ECANCELED);
    cr_assert_eq(stats_of(fast).sent, 1);
    cr_assert_eq(stats_of(slow).senders_waiting, 0);
    cr_assert_eq(handles_live, 2);
    /* The turn was passed on. */
    cr_assert_eq(take(slow), 1);
    cr_assert_eq(try_word(broadcast, 4), BROLGA_OK);
    cr_assert_eq(take(slow), 4);
    leave(fast);
    leave(slow);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(a_copy_that_fails_is_sent_to_nobody)
{
    const brolga_type *stuck;
    brolga_broadcast *broadcast;
    brolga_chan *chan;
    int64_t live;

    cr_assert_eq(brolga_type_handle(types, "Stuck", NULL, NULL, NULL, &stuck),
                 BROLGA_OK);
    broadcast = broadcast_of(stuck);
    chan = subscribe(broadcast, 4, false);
    cr_assert_eq(try_word(broadcast, 1), BROLGA_EUNSENDABLE);
    leave(chan);
    brolga_broadcast_release(broadcast);

    broadcast = broadcast_of(handle_type());
    chan = subscribe(broadcast, 4, false);
    live = brolga__alloc_live();
    brolga__alloc_fail_nth(1);
    cr_assert_eq(try_word(broadcast, 1), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(brolga__alloc_live(), live);
    cr_assert_eq(stats_of(chan).sent, 0);
    cr_assert_eq(handles_live, 0);
    cr_assert_eq(look(broadcast).sent, 0);
    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    leave(chan);
    brolga_broadcast_release(broadcast);
}

/* --- leaving ------------------------------------------------------------ */

CHAN_TEST(whoever_leaves_does_not_hold_the_sender)
{
    brolga_broadcast *broadcast = broadcast_of(handle_type());
    brolga_chan *gone = subscribe(broadcast, 1, false);
    brolga_chan *closed = subscribe(broadcast, 1, false);
    brolga_chan *stays = subscribe(broadcast, 8, false);
    struct sending sending = {.broadcast = broadcast, .word = 2};

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    start_sending(&sending);
    until(stats_of(gone).senders_waiting == 1);
    leave(gone);
    until(stats_of(closed).senders_waiting == 1);
    cr_assert_eq(brolga_chan_close(closed, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(finish_sending(&sending), BROLGA_OK);
    cr_assert_eq(look(broadcast).subscribers, 1);
    cr_assert_eq(try_word(broadcast, 3), BROLGA_OK);
    for (brolga_word i = 1; i <= 3; i++)
        cr_assert_eq(take(stays), i);
    handles_live -= 3;
    cr_assert_eq(take(closed), 1); /* It was there before the end. */
    handles_live--;
    cr_assert_eq(take(closed), BROLGA_ECLOSED);
    leave(closed);
    leave(stays);
    cr_assert_eq(handles_live, 0);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(those_who_come_and_go_leave_no_memory)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_chan *stays = subscribe(broadcast, 1, true);
    int64_t live = 0;

    for (int i = 0; i < 50; i++) {
        brolga_chan *chan = subscribe(broadcast, 4, i % 2 == 0);

        cr_assert_eq(try_word(broadcast, i), BROLGA_OK);
        leave(chan);
        cr_assert_eq(try_word(broadcast, i), BROLGA_OK);
        if (i == 0)
            live = brolga__alloc_live();
    }
    cr_assert_eq(brolga__alloc_live(), live);
    cr_assert_eq(look(broadcast).subscribers, 1);
    leave(stays);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(subscribing_without_memory_leaves_nothing)
{
    brolga_broadcast *broadcast = broadcast_of(NULL), *none = NULL;
    int64_t live = brolga__alloc_live();
    brolga_chan *chan = NULL;

    for (uint64_t nth = 1; nth <= 3; nth++) { /* channel, buffer, audience */
        brolga__alloc_fail_nth(nth);
        cr_assert_eq(brolga_broadcast_subscribe(broadcast, NULL, &chan),
                     BROLGA_ENOMEM);
        brolga__alloc_fail_nth(0);
        cr_assert_eq(brolga__alloc_live(), live);
    }
    for (uint64_t nth = 1; nth <= 3; nth++) {
        brolga__alloc_fail_nth(nth);
        cr_assert_eq(brolga_broadcast_create(NULL, &none), BROLGA_ENOMEM);
        brolga__alloc_fail_nth(0);
        cr_assert_eq(brolga__alloc_live(), live);
    }
    cr_assert_null(chan);
    cr_assert_null(none);
    cr_assert_eq(brolga_broadcast_subscribe(broadcast, NULL, &chan), BROLGA_OK);
    cr_assert_eq(stats_of(chan).capacity, BROLGA_SUBSCRIPTION_CAPACITY);
    leave(chan);
    brolga_broadcast_release(broadcast);
}

/* --- the end ------------------------------------------------------------ */

CHAN_TEST(subscribers_drain_a_closed_broadcast_and_learn_the_reason)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_chan *chan = subscribe(broadcast, 2, false), *late = NULL;
    struct sending waits = {.broadcast = broadcast, .word = 3};
    struct sending behind = {.broadcast = broadcast, .word = 4};
    char text[32];
    int code;

    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    cr_assert_eq(try_word(broadcast, 2), BROLGA_OK);
    start_sending(&waits);
    until(stats_of(chan).senders_waiting == 1);
    start_sending(&behind);
    cr_assert_eq(brolga_broadcast_close(broadcast, BROLGA_EIO, "cut"),
                 BROLGA_OK);
    cr_assert_eq(brolga_broadcast_close(broadcast, BROLGA_OK, "again"),
                 BROLGA_ECLOSED);
    cr_assert_eq(finish_sending(&waits), BROLGA_ECLOSED);
    cr_assert_eq(finish_sending(&behind), BROLGA_ECLOSED);
    cr_assert_eq(try_word(broadcast, 5), BROLGA_ECLOSED);
    cr_assert_eq(brolga_broadcast_subscribe(broadcast, NULL, &late),
                 BROLGA_ECLOSED);
    cr_assert_null(late);
    cr_assert_eq(take(chan), 1);
    cr_assert_eq(take(chan), 2);
    cr_assert_eq(take(chan), BROLGA_ECLOSED);
    cr_assert_eq(brolga_chan_reason(chan, &code, text, sizeof(text)),
                 BROLGA_OK);
    cr_assert_eq(code, BROLGA_EIO);
    cr_assert_str_eq(text, "cut");
    cr_assert(look(broadcast).closed);
    cr_assert_eq(look(broadcast).sent, 2);
    leave(chan);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(the_last_reference_closes)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_chan *chan = subscribe(broadcast, 2, false);
    struct call call = {.chan = chan};

    start_waiting(&call, run_recv);
    cr_assert_eq(brolga_broadcast_retain(broadcast), broadcast);
    brolga_broadcast_release(broadcast);
    cr_assert_eq(try_word(broadcast, 1), BROLGA_OK);
    cr_assert_eq(finish(&call), BROLGA_OK);
    start_waiting(&call, run_recv);
    brolga_broadcast_release(broadcast);
    cr_assert_eq(finish(&call), BROLGA_ECLOSED);
    leave(chan);
    brolga_broadcast_release(NULL);
}

struct rival {
    brolga_broadcast *broadcast;
    int result;
};

/* A wake that runs in the middle of a delivery. */
static void close_in_wake(void *arg)
{
    struct rival *rival = arg;

    rival->result = brolga_broadcast_close(rival->broadcast, BROLGA_OK, NULL);
}

CHAN_TEST(a_close_in_the_middle_of_a_delivery_cuts_nobody_off)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    struct rival rival = {.broadcast = broadcast, .result = 1};
    brolga_chan *first = subscribe(broadcast, 2, false);
    brolga_chan *second = subscribe(broadcast, 2, false);
    struct brolga_waiter waiter = {.wake = close_in_wake, .arg = &rival};
    brolga_word in = 0;

    cr_assert_eq(brolga_chan_offer(first, &waiter, BROLGA_RECV, &in),
                 BROLGA_EAGAIN);
    cr_assert_eq(try_word(broadcast, 6), BROLGA_OK);
    cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_OK);
    cr_assert_eq(rival.result, BROLGA_OK);
    cr_assert_eq(in, 6);
    cr_assert_eq(take(second), 6);
    cr_assert_eq(take(first), BROLGA_ECLOSED);
    cr_assert_eq(take(second), BROLGA_ECLOSED);
    leave(first);
    leave(second);
    brolga_broadcast_release(broadcast);
}

CHAN_TEST(sending_may_block_in_tasks_only)
{
    brolga_broadcast *broadcast = broadcast_of(NULL);
    brolga_word word = 1;

    cr_assert_eq(brolga_broadcast_send(broadcast, &word, BROLGA_NOW),
                 BROLGA_ESTATE);
    brolga_broadcast_release(broadcast);
}
