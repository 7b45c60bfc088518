/*
 * Goal: an operation that is offered is done once, with one wake, or is
 * withdrawn and then has not happened.
 * Method: offers from a thread that is no task, completed by calls that never
 * wait; then two threads that offer, complete and withdraw at the same time,
 * with a count of every value.
 */
#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(wait, name, .init = world_open, .fini = world_close, .timeout = 30)

static struct brolga_waiter counting(void)
{
    return (struct brolga_waiter){.wake = count_wake, .arg = &woken};
}

CHAN_TEST(an_offer_that_can_be_done_is_done_at_once)
{
    brolga_chan *chan = chan_of(NULL, 1);
    struct brolga_waiter waiter = counting();
    brolga_word out = 5, in = 0;

    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_SEND, &out),
                 BROLGA_OK);
    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_RECV, &in), BROLGA_OK);
    cr_assert_eq(in, 5);
    cr_assert_eq(woken, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(a_receive_that_waits_is_completed_with_one_wake)
{
    brolga_chan *chan = chan_of(NULL, 1);
    struct brolga_waiter waiter = counting();
    brolga_word in = 0;

    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_RECV, &in),
                 BROLGA_EAGAIN);
    cr_assert_eq(brolga_waiter_result(&waiter), BROLGA_EAGAIN);
    cr_assert_eq(try_send_word(chan, 6), BROLGA_OK);
    cr_assert_eq(woken, 1);
    cr_assert_eq(brolga_waiter_result(&waiter), BROLGA_OK);
    cr_assert_eq(in, 6);
    cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 7), BROLGA_OK); /* into the buffer */
    cr_assert_eq(woken, 1);
    cr_assert_eq(in, 6);
    brolga_chan_release(chan);
}

CHAN_TEST(a_send_that_waits_is_completed_by_a_receiver)
{
    const brolga_type *type = handle_type();
    brolga_chan *chan = chan_of(type, 0);
    struct brolga_waiter waiter = counting();
    brolga_word out = 8, in = 0;

    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_SEND, &out),
                 BROLGA_EAGAIN);
    cr_assert_eq(handles_live, 1);
    cr_assert_eq(brolga_try_recv(chan, &in), BROLGA_OK);
    cr_assert_eq(in, 8);
    cr_assert_eq(woken, 1);
    cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_OK);
    cr_assert_eq(handles_live, 1); /* the receiver's */
    brolga_chan_release(chan);
}

CHAN_TEST(what_is_withdrawn_does_not_happen)
{
    const brolga_type *type = handle_type();
    brolga_chan *chan = chan_of(type, 0);
    struct brolga_waiter waiter = counting();
    brolga_word out = 1, in = 2;

    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_SEND, &out),
                 BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_ECANCELED);
    cr_assert_eq(handles_live, 0);
    cr_assert_eq(brolga_try_recv(chan, &in), BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_offer(chan, &waiter, BROLGA_RECV, &in),
                 BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_ECANCELED);
    cr_assert_eq(try_send_word(chan, 3), BROLGA_EAGAIN);
    cr_assert_eq(in, 2);
    cr_assert_eq(woken, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(any_of_those_who_wait_can_be_withdrawn)
{
    for (int out = 0; out < 3; out++) {
        brolga_chan *chan = chan_of(NULL, 0);
        struct brolga_waiter waiter[3];
        brolga_word elem[3] = {0, 1, 2}, got;

        for (int i = 0; i < 3; i++) {
            waiter[i] = counting();
            cr_assert_eq(
                brolga_chan_offer(chan, &waiter[i], BROLGA_GIVE, &elem[i]),
                BROLGA_EAGAIN);
        }
        cr_assert_eq(brolga_chan_withdraw(&waiter[out]), BROLGA_ECANCELED);
        for (int i = 0; i < 3; i++) {
            if (i == out)
                continue;
            cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
            cr_assert_eq(got, i);
            cr_assert_eq(brolga_chan_withdraw(&waiter[i]), BROLGA_OK);
        }
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_EAGAIN);
        brolga_chan_release(chan);
    }
}

CHAN_TEST(closing_completes_offers_and_hands_values_back)
{
    const brolga_type *type = handle_type();
    brolga_chan *chan = chan_of(type, 0);
    struct brolga_waiter copied = counting(), given = counting();
    brolga_word a = 1, b = 2;

    handles_live = 2; /* ours */
    cr_assert_eq(brolga_chan_offer(chan, &copied, BROLGA_SEND, &a),
                 BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_offer(chan, &given, BROLGA_GIVE, &b),
                 BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(woken, 2);
    cr_assert_eq(brolga_chan_withdraw(&copied), BROLGA_ECLOSED);
    cr_assert_eq(brolga_chan_withdraw(&given), BROLGA_ECLOSED);
    cr_assert_eq(handles_live, 2);
    cr_assert_eq(brolga_chan_offer(chan, &given, BROLGA_GIVE, &b),
                 BROLGA_ECLOSED);
    brolga_chan_release(chan);
}

/* --- two threads -------------------------------------------------------- */

enum { ROUNDS = 20000 };

struct sums {
    brolga_chan *chan;
    int64_t sum;
    int64_t count;
    int64_t waited;
    _Atomic int wakes;
};

/* Receives by offers, and withdraws every third of them at once. */
static void *receive_by_offers(void *arg)
{
    struct sums *sums = arg;

    for (int i = 0;; i++) {
        struct brolga_waiter waiter = {.wake = count_wake, .arg = &sums->wakes};
        brolga_word got;
        int result = brolga_chan_offer(sums->chan, &waiter, BROLGA_RECV, &got);

        if (result == BROLGA_EAGAIN) {
            while (i % 3 != 0 && brolga_waiter_result(&waiter) == BROLGA_EAGAIN)
                (void)sched_yield();
            result = brolga_chan_withdraw(&waiter);
            sums->waited += result != BROLGA_ECANCELED;
        }
        if (result == BROLGA_ECLOSED)
            return NULL;
        if (result == BROLGA_OK) {
            sums->sum += got;
            sums->count++;
        }
    }
}

/* Gives 1 .. ROUNDS by offers; what is withdrawn is given again. */
static void give_all(struct sums *sums)
{
    brolga_word next = 1;

    for (int i = 0; next <= ROUNDS; i++) {
        struct brolga_waiter waiter = {.wake = count_wake, .arg = &sums->wakes};
        int result = brolga_chan_offer(sums->chan, &waiter, BROLGA_GIVE, &next);

        if (result == BROLGA_EAGAIN) {
            while (i % 5 != 0 && brolga_waiter_result(&waiter) == BROLGA_EAGAIN)
                (void)sched_yield();
            result = brolga_chan_withdraw(&waiter);
            sums->waited += result != BROLGA_ECANCELED;
        }
        if (result == BROLGA_OK)
            next++;
    }
}

static void exchange(size_t capacity)
{
    brolga_chan *chan = chan_of(NULL, capacity);
    struct sums in = {.chan = chan}, out = {.chan = chan};
    pthread_t receiver;

    cr_assert_eq(pthread_create(&receiver, NULL, receive_by_offers, &in), 0);
    give_all(&out);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(pthread_join(receiver, NULL), 0);
    cr_assert_eq(in.count, ROUNDS);
    cr_assert_eq(in.sum, (int64_t)ROUNDS * (ROUNDS + 1) / 2);
    /* One wake for each operation that another thread completed. The last
     * ones have been called: the thread that calls them has ended. */
    cr_assert_eq(in.wakes, in.waited);
    cr_assert_eq(out.wakes, out.waited);
    cr_assert_gt(in.waited + out.waited, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(offers_of_two_threads_lose_and_double_nothing)
{
    exchange(0);
    exchange(1);
    exchange(7);
}
