/*
 * Goal: of several operations exactly one is done; the others change nothing.
 * Method: one side is a select, in a task or offered by the test's thread; the
 * other side is played by calls that never wait.
 */
#include "chan/world.h"

#define CHAN_TEST(name)                                                        \
    Test(select, name, .init = world_open, .fini = world_close, .timeout = 20)

static int offer(struct brolga_arm *arms, size_t count, size_t *chosen)
{
    return brolga_select_offer(arms, count, count_wake, &woken, chosen);
}

CHAN_TEST(the_arm_that_is_possible_is_done)
{
    brolga_chan *a = chan_of(NULL, 1), *b = chan_of(NULL, 1);
    brolga_word from_a = 0, from_b = 0;
    struct brolga_arm arms[] = {
        {.chan = a, .op = BROLGA_RECV, .elem = &from_a},
        {.chan = b, .op = BROLGA_RECV, .elem = &from_b}};
    size_t chosen = 9;

    cr_assert_eq(try_send_word(b, 4), BROLGA_OK);
    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 1);
    cr_assert_eq(from_b, 4);
    cr_assert_eq(stats_of(a).receivers_waiting, 0);
    brolga_chan_release(a);
    brolga_chan_release(b);
}

CHAN_TEST(of_several_that_are_possible_each_is_picked_sometimes)
{
    brolga_chan *chan[3];
    brolga_word got;
    struct brolga_arm arms[3];
    int picked[3] = {0};
    size_t chosen = 9;

    for (int i = 0; i < 3; i++) {
        chan[i] = chan_of(NULL, 1);
        arms[i] = (struct brolga_arm){
            .chan = chan[i], .op = BROLGA_RECV, .elem = &got};
        cr_assert_eq(try_send_word(chan[i], i), BROLGA_OK);
    }
    for (int i = 0; i < 300; i++) {
        cr_assert_eq(offer(arms, 3, &chosen), BROLGA_OK);
        cr_assert_eq((size_t)got, chosen);
        picked[chosen]++;
        cr_assert_eq(try_send_word(chan[chosen], got), BROLGA_OK);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_gt(picked[i], 50, "arm %d: %d\n", i, picked[i]);
        brolga_chan_release(chan[i]);
    }
}

CHAN_TEST(one_arm_is_completed_with_one_wake_and_the_others_are_dead)
{
    brolga_chan *a = chan_of(NULL, 0), *b = chan_of(NULL, 0);
    brolga_word from_a = 0, to_b = 7, got = 0;
    struct brolga_arm arms[] = {{.chan = a, .op = BROLGA_RECV, .elem = &from_a},
                                {.chan = b, .op = BROLGA_SEND, .elem = &to_b}};
    size_t chosen = 9;

    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(b, &got), BROLGA_OK);
    cr_assert_eq(got, 7);
    /* The other arm waits still, but nobody may be handed anything by it. */
    cr_assert_eq(try_send_word(a, 1), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(b, &got), BROLGA_EAGAIN);
    cr_assert_eq(woken, 1);
    cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 1);
    cr_assert_eq(from_a, 0);
    cr_assert_eq(stats_of(a).receivers_waiting, 0);
    brolga_chan_release(a);
    brolga_chan_release(b);
}

CHAN_TEST(arms_that_lose_keep_their_values)
{
    const brolga_type *type = handle_type();
    brolga_chan *a = chan_of(type, 1), *b = chan_of(type, 0);
    brolga_word x = 1, y = 2, z = 3, got = 0;
    struct brolga_arm arms[] = {{.chan = a, .op = BROLGA_SEND, .elem = &x},
                                {.chan = b, .op = BROLGA_SEND, .elem = &y},
                                {.chan = b, .op = BROLGA_GIVE, .elem = &z}};
    size_t chosen = 9;

    cr_assert_eq(offer(arms, 3, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 0);
    cr_assert_eq(handles_live, 1); /* in `a`, which is full now */
    cr_assert_eq(offer(arms, 3, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(handles_live, 3);
    cr_assert_eq(brolga_select_withdraw(arms, 3, &chosen), BROLGA_ECANCELED);
    cr_assert_eq(handles_live, 1);
    cr_assert_eq(offer(arms, 3, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(b, &got), BROLGA_OK);
    cr_assert_eq(got, 2);
    cr_assert_eq(brolga_select_withdraw(arms, 3, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 1);
    cr_assert_eq(handles_live, 2); /* in `a`, and received */
    brolga_chan_release(a);
    cr_assert_eq(handles_live, 1);
    brolga_chan_release(b);
}

CHAN_TEST(a_closed_channel_is_told_until_its_arm_is_disabled)
{
    brolga_chan *a = chan_of(NULL, 0), *b = chan_of(NULL, 0);
    brolga_word got;
    struct brolga_arm arms[] = {{.chan = a, .op = BROLGA_RECV, .elem = &got},
                                {.chan = b, .op = BROLGA_RECV, .elem = &got}};
    size_t chosen = 9;

    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_close(a, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(woken, 1);
    cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_ECLOSED);
    cr_assert_eq(chosen, 0);
    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_ECLOSED);
    cr_assert_eq(chosen, 0);
    arms[0].chan = NULL;
    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_ECANCELED);
    arms[1].chan = NULL;
    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EINVAL);
    cr_assert_eq(offer(arms, 0, &chosen), BROLGA_EINVAL);
    cr_assert_eq(offer(arms, BROLGA_SELECT_MAX + 1, &chosen), BROLGA_EINVAL);
    brolga_chan_release(a);
    brolga_chan_release(b);
}

CHAN_TEST(a_select_does_not_meet_itself)
{
    brolga_chan *chan = chan_of(NULL, 0);
    brolga_word in = 0, out = 5, got = 0;
    struct brolga_arm arms[] = {{.chan = chan, .op = BROLGA_SEND, .elem = &out},
                                {.chan = chan, .op = BROLGA_RECV, .elem = &in}};
    size_t chosen = 9;

    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 5);
    cr_assert_eq(try_send_word(chan, 6), BROLGA_EAGAIN);
    cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 0);
    cr_assert_eq(in, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(a_copy_that_fails_offers_nothing)
{
    const brolga_type *type = handle_type(), *stuck;
    brolga_chan *a = chan_of(type, 1), *b;
    brolga_word x = 1;
    struct brolga_arm arms[2] = {{.chan = a, .op = BROLGA_SEND, .elem = &x}};
    size_t chosen = 9;

    cr_assert_eq(brolga_type_handle(types, "Stuck", NULL, NULL, NULL, &stuck),
                 BROLGA_OK);
    b = chan_of(stuck, 1);
    arms[1] = (struct brolga_arm){.chan = b, .op = BROLGA_SEND, .elem = &x};
    cr_assert_eq(offer(arms, 2, &chosen), BROLGA_EUNSENDABLE);
    cr_assert_eq(chosen, 9);
    cr_assert_eq(handles_live, 0);
    cr_assert_eq(stats_of(a).sent, 0);
    brolga_chan_release(a);
    brolga_chan_release(b);
}

/* --- in tasks ----------------------------------------------------------- */

struct choice {
    brolga_chan *in, *out;
    uint64_t deadline_ns;
    brolga_word received, sent;
    int result;
    size_t chosen;
    brolga_task *task;
};

static brolga_word run_select(void *arg)
{
    struct choice *choice = arg;
    struct brolga_arm arms[] = {
        {.chan = choice->in, .op = BROLGA_RECV, .elem = &choice->received},
        {.chan = choice->out, .op = BROLGA_SEND, .elem = &choice->sent}};

    choice->result =
        brolga_select(arms, 2, choice->deadline_ns, &choice->chosen);
    return 0;
}

static void start_select(struct choice *choice)
{
    cr_assert_eq(brolga_spawn(rt, run_select, choice, NULL, &choice->task),
                 BROLGA_OK);
}

static int finish_select(struct choice *choice)
{
    cr_assert_eq(brolga_join(choice->task, BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
    return choice->result;
}

CHAN_TEST(a_task_waits_for_any_of_its_arms)
{
    struct choice choice = {.in = chan_of(NULL, 0), .out = chan_of(NULL, 0)};
    brolga_word got = 0;

    choice.deadline_ns = BROLGA_FOREVER;
    choice.sent = 21;
    start_select(&choice);
    until(stats_of(choice.out).senders_waiting == 1);
    cr_assert_eq(brolga_try_recv(choice.out, &got), BROLGA_OK);
    cr_assert_eq(finish_select(&choice), BROLGA_OK);
    cr_assert_eq(choice.chosen, 1);
    cr_assert_eq(got, 21);
    start_select(&choice);
    until(stats_of(choice.out).senders_waiting == 1);
    cr_assert_eq(try_send_word(choice.in, 22), BROLGA_OK);
    cr_assert_eq(finish_select(&choice), BROLGA_OK);
    cr_assert_eq(choice.chosen, 0);
    cr_assert_eq(choice.received, 22);
    cr_assert_eq(brolga_try_recv(choice.out, &got), BROLGA_EAGAIN);
    brolga_chan_release(choice.in);
    brolga_chan_release(choice.out);
}

CHAN_TEST(waiting_ends_by_deadline_and_cancel_and_leaves_no_arm)
{
    struct choice choice = {.in = chan_of(NULL, 0), .out = chan_of(NULL, 0)};
    struct brolga_arm none[1] = {{0}};
    size_t chosen;

    choice.chosen = 9;
    choice.deadline_ns = BROLGA_NOW;
    start_select(&choice);
    cr_assert_eq(finish_select(&choice), BROLGA_ETIMEOUT);
    choice.deadline_ns = brolga_after_ns(5 * BROLGA_MS);
    start_select(&choice);
    cr_assert_eq(finish_select(&choice), BROLGA_ETIMEOUT);
    cr_assert_geq(brolga_now_ns(), choice.deadline_ns);
    choice.deadline_ns = BROLGA_FOREVER;
    start_select(&choice);
    until(stats_of(choice.in).receivers_waiting == 1);
    brolga_cancel(choice.task);
    cr_assert_eq(finish_select(&choice), BROLGA_ECANCELED);
    cr_assert_eq(choice.chosen, 9);
    cr_assert_eq(stats_of(choice.in).receivers_waiting, 0);
    cr_assert_eq(stats_of(choice.out).senders_waiting, 0);
    cr_assert_eq(brolga_select(none, 1, BROLGA_NOW, &chosen), BROLGA_ESTATE);
    brolga_chan_release(choice.in);
    brolga_chan_release(choice.out);
}

CHAN_TEST(two_selects_meet_in_exactly_one_channel)
{
    for (int round = 0; round < 200; round++) {
        brolga_chan *a = chan_of(NULL, 0), *b = chan_of(NULL, 0);
        struct choice one = {.in = a, .out = b, .sent = 1};
        struct choice two = {.in = b, .out = a, .sent = 2};

        one.deadline_ns = two.deadline_ns = BROLGA_FOREVER;
        start_select(&one);
        start_select(&two);
        cr_assert_eq(finish_select(&one), BROLGA_OK);
        cr_assert_eq(finish_select(&two), BROLGA_OK);
        cr_assert_eq(one.chosen + two.chosen, 1);
        cr_assert_eq(one.received, one.chosen == 0 ? 2 : 0);
        cr_assert_eq(two.received, two.chosen == 0 ? 1 : 0);
        brolga_chan_release(a);
        brolga_chan_release(b);
    }
}
