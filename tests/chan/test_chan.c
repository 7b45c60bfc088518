/*
 * Goal: a channel ends well: those who wait learn it, with the reason, and
 * every value is received, handed back or dropped by a named rule (C9).
 * Method: close and leave while tasks and plain waiters wait; count handles.
 */
#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(chan, name, .init = world_open, .fini = world_close, .timeout = 20)

CHAN_TEST(receivers_drain_a_closed_channel_and_then_learn_it)
{
    brolga_chan *chan = chan_of(NULL, 4);
    brolga_word got;

    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_OK);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, "done"), BROLGA_OK);
    cr_assert(stats_of(chan).closed);
    cr_assert_eq(try_send_word(chan, 3), BROLGA_ECLOSED);
    for (brolga_word i = 1; i <= 2; i++) {
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert_eq(got, i);
    }
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    cr_assert_eq(got, 2);
    brolga_chan_release(chan);
}

CHAN_TEST(closing_twice_changes_nothing)
{
    brolga_chan *chan = chan_of(NULL, 0);
    char text[32] = "untouched";
    int code = 1;

    cr_assert_eq(brolga_chan_reason(chan, &code, text, sizeof(text)),
                 BROLGA_EAGAIN);
    cr_assert_str_eq(text, "untouched");
    cr_assert_eq(brolga_chan_close(chan, BROLGA_EFAILED, "first"), BROLGA_OK);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, "second"), BROLGA_ECLOSED);
    cr_assert_eq(brolga_chan_reason(chan, &code, text, sizeof(text)),
                 BROLGA_OK);
    cr_assert_eq(code, BROLGA_EFAILED);
    cr_assert_str_eq(text, "first");
    cr_assert_eq(brolga_chan_reason(chan, NULL, text, 3), BROLGA_OK);
    cr_assert_str_eq(text, "fi");
    brolga_chan_release(chan);
}

CHAN_TEST(closing_wakes_receivers_that_wait)
{
    brolga_chan *chan = chan_of(NULL, 3);
    struct call call[4];

    for (int i = 0; i < 4; i++) {
        call[i] = (struct call){.chan = chan, .word = -1};
        start_waiting(&call[i], run_recv);
    }
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(finish(&call[i]), BROLGA_ECLOSED);
        cr_assert_eq(call[i].word, -1);
    }
    brolga_chan_release(chan);
}

CHAN_TEST(closing_wakes_senders_who_keep_their_values)
{
    brolga_chan *chan = chan_of(handle_type(), 1);
    struct call call[4];
    brolga_word got;

    cr_assert_eq(try_send_word(chan, 50), BROLGA_OK);
    for (int i = 0; i < 4; i++) {
        call[i] = (struct call){.chan = chan, .word = i + 1};
        start_waiting(&call[i], run_send);
    }
    cr_assert_eq(handles_live, 5);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(finish(&call[i]), BROLGA_ECLOSED);
    cr_assert_eq(handles_live, 1);
    /* What was in the channel already stays to be received. */
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 50);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    brolga_chan_release(chan);
}

CHAN_TEST(closing_wakes_any_number_once_each)
{
    enum { COUNT = 150 }; /* several batches */
    static struct brolga_waiter waiter[COUNT];
    static brolga_word elem[COUNT];
    static _Atomic int wakes[COUNT];
    brolga_chan *chan = chan_of(NULL, 0);

    for (int i = 0; i < COUNT; i++) {
        waiter[i].wake = count_wake;
        waiter[i].arg = &wakes[i];
        cr_assert_eq(brolga_chan_offer(chan, &waiter[i], BROLGA_RECV, &elem[i]),
                     BROLGA_EAGAIN);
    }
    cr_assert_eq(stats_of(chan).receivers_waiting, COUNT);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(wakes[i], 1);
        cr_assert_eq(brolga_chan_withdraw(&waiter[i]), BROLGA_ECLOSED);
    }
    cr_assert_eq(stats_of(chan).receivers_waiting, 0);
    brolga_chan_release(chan);
}

struct greedy {
    brolga_chan *chan;
    int received;
};

static void receive_in_wake(void *arg)
{
    struct greedy *greedy = arg;
    brolga_word got;

    if (brolga_try_recv(greedy->chan, &got) == BROLGA_OK)
        greedy->received++;
}

CHAN_TEST(closing_takes_nothing_from_senders_that_it_has_not_woken_yet)
{
    enum { COUNT = 100 }; /* several batches */
    static struct brolga_waiter waiter[COUNT];
    static brolga_word elem[COUNT];

    for (size_t capacity = 0; capacity < 2; capacity++) {
        struct greedy greedy = {.chan = chan_of(NULL, capacity)};

        if (capacity == 1)
            cr_assert_eq(try_send_word(greedy.chan, 1), BROLGA_OK);
        for (int i = 0; i < COUNT; i++) {
            waiter[i].wake = receive_in_wake;
            waiter[i].arg = &greedy;
            cr_assert_eq(brolga_chan_offer(greedy.chan, &waiter[i], BROLGA_GIVE,
                                           &elem[i]),
                         BROLGA_EAGAIN);
        }
        cr_assert_eq(brolga_chan_close(greedy.chan, BROLGA_OK, NULL),
                     BROLGA_OK);
        for (int i = 0; i < COUNT; i++)
            cr_assert_eq(brolga_chan_withdraw(&waiter[i]), BROLGA_ECLOSED);
        cr_assert_eq((size_t)greedy.received, capacity);
        brolga_chan_release(greedy.chan);
    }
}

static _Atomic int sends;

static void *send_and_release(void *arg)
{
    if (try_send_word(arg, 1) == BROLGA_OK)
        (void)brolga__add_relaxed(&sends, 1);
    brolga_chan_release(arg);
    return NULL;
}

CHAN_TEST(whoever_releases_last_drops_what_all_have_sent)
{
    for (int round = 0; round < 300; round++) {
        brolga_chan *chan = chan_of(handle_type(), 8);
        pthread_t thread[2];

        for (int i = 0; i < 2; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, send_and_release,
                                        brolga_chan_retain(chan)),
                         0);
        (void)send_and_release(chan);
        for (int i = 0; i < 2; i++)
            cr_assert_eq(pthread_join(thread[i], NULL), 0);
        cr_assert_eq(sends, 3 * (round + 1));
        cr_assert_eq(handles_live, 0);
    }
}

CHAN_TEST(the_last_reference_drops_what_nobody_received)
{
    const brolga_type *type = handle_type();
    brolga_chan *chan = chan_of(type, 8);
    int64_t live = brolga__alloc_live();

    for (brolga_word i = 1; i <= 5; i++)
        cr_assert_eq(try_send_word(chan, i), BROLGA_OK);
    cr_assert_eq(brolga_chan_retain(chan), chan);
    brolga_chan_release(chan);
    cr_assert_eq(handles_live, 5);
    brolga_chan_release(chan);
    cr_assert_eq(handles_live, 0);
    cr_assert_eq(brolga__alloc_live(), live - 2); /* channel and buffer */
    brolga_chan_release(NULL);
}

CHAN_TEST(the_last_sender_to_leave_closes)
{
    brolga_chan *chan = chan_of(NULL, 2);
    struct call call = {.chan = chan};
    char text[32];
    int code;

    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_OK);
    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_OK);
    start_waiting(&call, run_recv);
    brolga_chan_leave(chan, BROLGA_SEND, BROLGA_EFAILED, "parser died");
    cr_assert_not(stats_of(chan).closed);
    brolga_chan_leave(chan, BROLGA_SEND, BROLGA_OK, NULL);
    cr_assert_eq(finish(&call), BROLGA_ECLOSED);
    /* A failure is not hidden by those who leave in peace. */
    cr_assert_eq(brolga_chan_reason(chan, &code, text, sizeof(text)),
                 BROLGA_OK);
    cr_assert_eq(code, BROLGA_EFAILED);
    cr_assert_str_eq(text, "parser died");
    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_ECLOSED);
    brolga_chan_release(chan);
}

CHAN_TEST(the_last_receiver_to_leave_closes_and_drops)
{
    brolga_chan *chan = chan_of(handle_type(), 2);
    struct call call = {.chan = chan, .word = 3};
    struct brolga_chan_stats stats;
    brolga_word got;

    cr_assert_eq(brolga_chan_join(chan, BROLGA_RECV), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_OK);
    start_waiting(&call, run_send);
    brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, "gone home");
    cr_assert_eq(finish(&call), BROLGA_ECLOSED);
    cr_assert_eq(handles_live, 0);
    stats = stats_of(chan);
    cr_assert_eq(stats.dropped, 2);
    cr_assert_eq(stats.sent, stats.received + stats.dropped + stats.depth);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    brolga_chan_release(chan);
}

CHAN_TEST(an_end_is_a_reference)
{
    brolga_chan *chan = chan_of(NULL, 1);
    brolga_word got;

    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_OK);
    cr_assert_eq(brolga_chan_join(chan, BROLGA_RECV), BROLGA_OK);
    brolga_chan_release(chan);
    cr_assert_eq(try_send_word(chan, 8), BROLGA_OK);
    brolga_chan_leave(chan, BROLGA_SEND, BROLGA_OK, NULL);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 8);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, NULL);
}

CHAN_TEST(options_that_contradict_each_other_are_refused)
{
    struct brolga_chan_opts both = {.unbounded = true, .capacity = 3};
    struct brolga_chan_opts cap = {.capacity = 3, .bytes_max = 100};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(NULL, &both, &chan), BROLGA_EINVAL);
    cr_assert_eq(brolga_chan_create(NULL, &cap, &chan), BROLGA_EINVAL);
    cr_assert_null(chan);
}

CHAN_TEST(creation_without_memory_leaves_nothing)
{
    struct brolga_chan_opts opts = {.capacity = 100};
    brolga_chan *chan = NULL;
    int64_t live = brolga__alloc_live();

    for (uint64_t nth = 1; nth <= 2; nth++) {
        brolga__alloc_fail_nth(nth);
        cr_assert_eq(brolga_chan_create(NULL, &opts, &chan), BROLGA_ENOMEM);
        brolga__alloc_fail_nth(0);
    }
    opts.capacity = SIZE_MAX / 4;
    cr_assert_eq(brolga_chan_create(NULL, &opts, &chan), BROLGA_ENOMEM);
    cr_assert_null(chan);
    cr_assert_eq(brolga__alloc_live(), live);
}

CHAN_TEST(it_knows_its_name_and_type)
{
    const char *name = "a name that is longer than thirty-one bytes";
    struct brolga_chan_opts opts = {.name = name, .unbounded = true};
    const brolga_type *type = string_type();
    brolga_chan *chan;

    cr_assert_eq(brolga_chan_create(type, &opts, &chan), BROLGA_OK);
    cr_assert_eq(brolga_chan_type(chan), type);
    cr_assert_eq(strncmp(brolga_chan_name(chan), name, 31), 0);
    cr_assert_eq(strlen(brolga_chan_name(chan)), 31);
    cr_assert_eq(stats_of(chan).capacity, SIZE_MAX);
    brolga_chan_release(chan);
}
