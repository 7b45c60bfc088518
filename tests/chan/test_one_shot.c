/*
 * Goal: a one-shot channel takes one value, at once, and closes; whoever waits
 * for it gets the value, or learns why there will be none.
 * Method: tasks that wait while the test's thread sends, leaves or closes; and
 * many senders at the same time, of which one must win.
 */
#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(one_shot, name, .init = world_open, .fini = world_close, .timeout = 30)

static brolga_chan *one_shot_of(const brolga_type *type)
{
    struct brolga_chan_opts opts = {.one_shot = true};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(type, &opts, &chan), BROLGA_OK);
    return chan;
}

CHAN_TEST(it_takes_one_value_and_closes)
{
    brolga_chan *chan = one_shot_of(NULL);
    brolga_word got = 0;
    int code = 1;

    cr_assert_eq(stats_of(chan).capacity, 1);
    cr_assert_eq(try_send_word(chan, 5), BROLGA_OK);
    cr_assert(stats_of(chan).closed);
    cr_assert_eq(try_send_word(chan, 6), BROLGA_ECLOSED);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 5);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_ECLOSED);
    cr_assert_eq(brolga_chan_reason(chan, &code, NULL, 0), BROLGA_OK);
    cr_assert_eq(code, BROLGA_OK);
    cr_assert_eq(stats_of(chan).sent, 1);
    cr_assert_eq(stats_of(chan).received, 1);
    brolga_chan_release(chan);
}

CHAN_TEST(a_send_does_not_wait_for_the_receiver)
{
    brolga_chan *chan = one_shot_of(string_type());
    struct call call = {.chan = chan, .word = string_of("answer")};
    brolga_word got = 0;

    cr_assert_eq(call_in_task(&call, run_give), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert(string_is(got, "answer"));
    brolga_drop(brolga_chan_type(chan), &got);
    brolga_chan_release(chan);
}

CHAN_TEST(of_those_who_wait_one_gets_it_and_the_others_learn_the_end)
{
    brolga_chan *chan = one_shot_of(NULL);
    struct call call[3];

    for (int i = 0; i < 3; i++) {
        call[i] = (struct call){.chan = chan};
        start_waiting(&call[i], run_recv);
    }
    cr_assert_eq(try_send_word(chan, 7), BROLGA_OK);
    cr_assert_eq(finish(&call[0]), BROLGA_OK);
    cr_assert_eq(call[0].word, 7);
    cr_assert_eq(finish(&call[1]), BROLGA_ECLOSED);
    cr_assert_eq(finish(&call[2]), BROLGA_ECLOSED);
    brolga_chan_release(chan);
}

CHAN_TEST(a_sender_that_leaves_without_an_answer_says_why)
{
    brolga_chan *chan = one_shot_of(NULL);
    struct call call = {.chan = chan};
    char text[32];
    int code;

    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_OK);
    start_waiting(&call, run_recv);
    brolga_chan_leave(chan, BROLGA_SEND, BROLGA_EFAILED, "no such row");
    cr_assert_eq(finish(&call), BROLGA_ECLOSED);
    cr_assert_eq(brolga_chan_reason(chan, &code, text, sizeof(text)),
                 BROLGA_OK);
    cr_assert_eq(code, BROLGA_EFAILED);
    cr_assert_str_eq(text, "no such row");
    brolga_chan_release(chan);
}

CHAN_TEST(leaving_after_the_answer_changes_nothing)
{
    brolga_chan *chan = one_shot_of(handle_type());
    brolga_word got = 0;
    int code = 1;

    cr_assert_eq(brolga_chan_join(chan, BROLGA_SEND), BROLGA_OK);
    cr_assert_eq(brolga_chan_join(chan, BROLGA_RECV), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 4), BROLGA_OK);
    brolga_chan_leave(chan, BROLGA_SEND, BROLGA_EFAILED, "late");
    cr_assert_eq(brolga_chan_reason(chan, &code, NULL, 0), BROLGA_OK);
    cr_assert_eq(code, BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 4);
    cr_assert_eq(handles_live, 1);
    brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, NULL);
    brolga_chan_release(chan);
}

CHAN_TEST(an_answer_that_nobody_wants_is_dropped)
{
    brolga_chan *chan = one_shot_of(handle_type());

    cr_assert_eq(try_send_word(chan, 4), BROLGA_OK);
    cr_assert_eq(handles_live, 1);
    brolga_chan_release(chan);
    cr_assert_eq(handles_live, 0);
}

CHAN_TEST(a_select_sends_to_it_and_receives_from_it)
{
    brolga_chan *chan = one_shot_of(NULL), *other = chan_of(NULL, 0);
    struct call call = {.chan = chan}, late = {.chan = chan};
    brolga_word out = 8, in = 0;
    struct brolga_arm send[] = {
        {.chan = other, .op = BROLGA_RECV, .elem = &in},
        {.chan = chan, .op = BROLGA_SEND, .elem = &out}};
    struct brolga_arm recv[] = {{.chan = other, .op = BROLGA_RECV, .elem = &in},
                                {.chan = chan, .op = BROLGA_RECV, .elem = &in}};
    size_t chosen = 9;

    start_waiting(&call, run_recv);
    cr_assert_eq(brolga_select_offer(recv, 2, count_wake, &woken, &chosen),
                 BROLGA_EAGAIN);
    start_waiting(&late, run_recv);
    cr_assert_eq(brolga_select_offer(send, 2, count_wake, &woken, &chosen),
                 BROLGA_OK);
    cr_assert_eq(chosen, 1);
    cr_assert_eq(finish(&call), BROLGA_OK);
    cr_assert_eq(call.word, 8);
    cr_assert_eq(finish(&late), BROLGA_ECLOSED);
    cr_assert_eq(brolga_select_withdraw(recv, 2, &chosen), BROLGA_ECLOSED);
    cr_assert_eq(chosen, 1);
    brolga_chan_release(chan);
    brolga_chan_release(other);
}

static void *send_once(void *arg)
{
    if (try_send_word(arg, 1) == BROLGA_OK)
        (void)brolga__add_relaxed(&woken, 1);
    return NULL;
}

CHAN_TEST(of_many_senders_one_wins)
{
    for (int round = 0; round < 200; round++) {
        brolga_chan *chan = one_shot_of(NULL);
        struct call call = {.chan = chan};
        pthread_t thread[3];

        woken = 0;
        start(&call, run_recv);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(pthread_create(&thread[i], NULL, send_once, chan), 0);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(pthread_join(thread[i], NULL), 0);
        cr_assert_eq(finish(&call), BROLGA_OK);
        cr_assert_eq(woken, 1);
        cr_assert_eq(stats_of(chan).sent, 1);
        brolga_chan_release(chan);
    }
}

CHAN_TEST(options_that_contradict_each_other_are_refused)
{
    struct brolga_chan_opts more = {.one_shot = true, .capacity = 2};
    struct brolga_chan_opts all = {.one_shot = true, .unbounded = true};
    struct brolga_chan_opts one = {.one_shot = true, .capacity = 1};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(NULL, &more, &chan), BROLGA_EINVAL);
    cr_assert_eq(brolga_chan_create(NULL, &all, &chan), BROLGA_EINVAL);
    cr_assert_eq(brolga_chan_create(NULL, &one, &chan), BROLGA_OK);
    brolga_chan_release(chan);
}
