/*
 * Goal: send, give and receive do what chan.h promises: who waits, for how
 * long, in which order, and who owns the value afterwards (C9).
 * Method: tasks that make one call each; the test's thread, which is no task,
 * plays the other side with calls that never wait. A test goes on when the
 * channel's statistics show that a task waits, so nothing depends on timing.
 */
#include "chan/world.h"

#include <brolga/look.h>

#define CHAN_TEST(name)                                                        \
    Test(op, name, .init = world_open, .fini = world_close, .timeout = 20)

/* --- who waits ---------------------------------------------------------- */

CHAN_TEST(a_rendezvous_send_ends_when_the_value_is_taken)
{
    brolga_chan *chan = chan_of(NULL, 0);
    struct call call = {.chan = chan, .word = 41};
    brolga_word got = 0;

    start_waiting(&call, run_send);
    cr_assert_eq(stats_of(chan).depth, 0);
    cr_assert_eq(stats_of(chan).sent, 0);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, 41);
    cr_assert_eq(finish(&call), BROLGA_OK);
    cr_assert_eq(stats_of(chan).sent, 1);
    cr_assert_eq(stats_of(chan).received, 1);
    brolga_chan_release(chan);
}

CHAN_TEST(a_receiver_that_waits_gets_the_value_directly)
{
    brolga_chan *chan = chan_of(NULL, 0);
    struct call call = {.chan = chan};

    cr_assert_eq(try_send_word(chan, 1), BROLGA_EAGAIN);
    start_waiting(&call, run_recv);
    cr_assert_eq(try_send_word(chan, 42), BROLGA_OK);
    cr_assert_eq(finish(&call), BROLGA_OK);
    cr_assert_eq(call.word, 42);
    brolga_chan_release(chan);
}

CHAN_TEST(a_bounded_channel_holds_its_capacity_and_no_more)
{
    brolga_chan *chan = chan_of(NULL, 3);
    brolga_word got;

    for (brolga_word i = 0; i < 3; i++)
        cr_assert_eq(try_send_word(chan, i), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 3), BROLGA_EAGAIN);
    cr_assert_eq(stats_of(chan).depth, 3);
    cr_assert_eq(stats_of(chan).capacity, 3);
    for (brolga_word i = 0; i < 3; i++) {
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert_eq(got, i);
    }
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_EAGAIN);
    brolga_chan_release(chan);
}

CHAN_TEST(senders_are_served_in_the_order_in_which_they_came)
{
    brolga_chan *chan = chan_of(NULL, 1);
    struct call call[3];
    brolga_word got;

    cr_assert_eq(try_send_word(chan, 0), BROLGA_OK);
    for (int i = 0; i < 3; i++) {
        call[i] = (struct call){.chan = chan, .word = i + 1};
        start_waiting(&call[i], run_send);
    }
    for (brolga_word i = 0; i < 4; i++) {
        /* The freed slot goes to who waits, not to a newcomer. */
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert_eq(got, i);
        cr_assert_eq(try_send_word(chan, 9), i < 3 ? BROLGA_EAGAIN : BROLGA_OK);
    }
    for (int i = 0; i < 3; i++)
        cr_assert_eq(finish(&call[i]), BROLGA_OK);
    brolga_chan_release(chan);
}

CHAN_TEST(receivers_are_served_in_the_order_in_which_they_came)
{
    brolga_chan *chan = chan_of(NULL, 2);
    struct call call[3];

    for (int i = 0; i < 3; i++) {
        call[i] = (struct call){.chan = chan};
        start_waiting(&call[i], run_recv);
    }
    for (int i = 0; i < 3; i++)
        cr_assert_eq(try_send_word(chan, 100 + i), BROLGA_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(finish(&call[i]), BROLGA_OK);
        cr_assert_eq(call[i].word, 100 + i);
    }
    brolga_chan_release(chan);
}

CHAN_TEST(an_unbounded_channel_takes_all_up_to_its_cap)
{
    struct brolga_chan_opts opts = {.unbounded = true, .bytes_max = 8000};
    brolga_chan *chan;
    brolga_word got;

    cr_assert_eq(brolga_chan_create(NULL, &opts, &chan), BROLGA_OK);
    for (brolga_word i = 0; i < 1000; i++)
        cr_assert_eq(try_send_word(chan, i), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 1000), BROLGA_ELIMIT);
    for (brolga_word i = 0; i < 1000; i++) {
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        cr_assert_eq(got, i);
    }
    cr_assert_eq(try_send_word(chan, 1001), BROLGA_OK);
    brolga_chan_release(chan);
}

CHAN_TEST(blocking_calls_are_for_tasks)
{
    brolga_chan *chan = chan_of(NULL, 1);
    brolga_word word = 5;

    cr_assert_eq(brolga_send(chan, &word, BROLGA_NOW), BROLGA_ESTATE);
    cr_assert_eq(brolga_give(chan, &word, BROLGA_NOW), BROLGA_ESTATE);
    cr_assert_eq(brolga_recv(chan, &word, BROLGA_NOW), BROLGA_ESTATE);
    cr_assert_eq(stats_of(chan).sent, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(an_attached_thread_may_wait)
{
    brolga_chan *chan = chan_of(NULL, 0);
    struct call call = {.chan = chan, .word = 77};
    brolga_word got = 0;

    cr_assert_eq(brolga_attach_thread(rt, "test"), BROLGA_OK);
    start(&call, run_send);
    cr_assert_eq(brolga_recv_word(chan, &got, BROLGA_FOREVER), BROLGA_OK);
    cr_assert_eq(got, 77);
    cr_assert_eq(finish(&call), BROLGA_OK);
    brolga_detach_thread();
    brolga_chan_release(chan);
}

/* --- for how long ------------------------------------------------------- */

CHAN_TEST(waiting_ends_at_the_deadline_and_not_before)
{
    brolga_chan *chan = chan_of(NULL, 0);
    uint64_t deadline_ns = brolga_after_ns(20 * BROLGA_MS);
    struct call recv = {.chan = chan, .deadline_ns = deadline_ns, .word = 3};
    struct call send = {.chan = chan_of(NULL, 0), .deadline_ns = deadline_ns};

    start(&recv, run_recv);
    start(&send, run_send);
    cr_assert_eq(finish(&recv), BROLGA_ETIMEOUT);
    cr_assert_geq(brolga_now_ns(), deadline_ns);
    cr_assert_eq(finish(&send), BROLGA_ETIMEOUT);
    cr_assert_eq(recv.word, 3);
    cr_assert_eq(stats_of(chan).receivers_waiting, 0);
    cr_assert_eq(stats_of(send.chan).senders_waiting, 0);
    /* Neither is there any more for those who come later. */
    cr_assert_eq(try_send_word(chan, 1), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(send.chan, &recv.word), BROLGA_EAGAIN);
    brolga_chan_release(send.chan);
    brolga_chan_release(chan);
}

CHAN_TEST(now_never_waits_but_does_what_can_be_done)
{
    brolga_chan *chan = chan_of(NULL, 1);
    struct call call = {.chan = chan, .now = true, .word = 6};

    cr_assert_eq(call_in_task(&call, run_recv), BROLGA_ETIMEOUT);
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_OK);
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_ETIMEOUT);
    call.word = 0;
    cr_assert_eq(call_in_task(&call, run_recv), BROLGA_OK);
    cr_assert_eq(call.word, 6);
    brolga_chan_release(chan);
}

CHAN_TEST(a_cancel_ends_the_waiting)
{
    brolga_chan *chan = chan_of(NULL, 0);
    struct call recv = {.chan = chan};
    struct call send = {.chan = chan_of(NULL, 0)};

    start_waiting(&recv, run_recv);
    start_waiting(&send, run_send);
    brolga_cancel(recv.task);
    brolga_cancel(send.task);
    cr_assert_eq(finish(&recv), BROLGA_ECANCELED);
    cr_assert_eq(finish(&send), BROLGA_ECANCELED);
    cr_assert_eq(stats_of(chan).receivers_waiting, 0);
    cr_assert_eq(stats_of(send.chan).senders_waiting, 0);
    brolga_chan_release(send.chan);
    brolga_chan_release(chan);
}

struct after_cancel {
    brolga_chan *empty, *full;
    int first, recv, send, wait;
};

static brolga_word run_after_cancel(void *arg)
{
    struct after_cancel *test = arg;
    brolga_word word;

    test->first = brolga_recv(test->empty, &word, BROLGA_FOREVER);
    test->recv = brolga_recv(test->full, &word, BROLGA_FOREVER);
    test->send = brolga_send(test->full, &word, BROLGA_FOREVER);
    test->wait = brolga_send(test->full, &word, BROLGA_FOREVER);
    return 0;
}

CHAN_TEST(a_canceled_task_does_what_needs_no_waiting)
{
    struct after_cancel test = {.empty = chan_of(NULL, 1),
                                .full = chan_of(NULL, 1)};
    brolga_task *task;

    cr_assert_eq(try_send_word(test.full, 1), BROLGA_OK);
    cr_assert_eq(brolga_spawn(rt, run_after_cancel, &test, NULL, &task),
                 BROLGA_OK);
    until(stats_of(test.empty).receivers_waiting == 1);
    brolga_cancel(task);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    cr_assert_eq(test.first, BROLGA_ECANCELED);
    cr_assert_eq(test.recv, BROLGA_OK);
    cr_assert_eq(test.send, BROLGA_OK);
    cr_assert_eq(test.wait, BROLGA_ECANCELED);
    brolga_chan_release(test.empty);
    brolga_chan_release(test.full);
}

/* --- who owns the value ------------------------------------------------- */

CHAN_TEST(a_receiver_owns_a_copy_that_shares_nothing)
{
    const brolga_type *type = string_type();
    int64_t live = brolga__alloc_live();
    brolga_chan *chan = chan_of(type, 1);
    brolga_word mine = string_of("crane"), got = 0;

    cr_assert_eq(brolga_try_send(chan, &mine), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_neq(got, mine);
    cr_assert(string_is(got, "crane"));
    brolga_drop(type, &mine);
    cr_assert(string_is(got, "crane"));
    brolga_drop(type, &got);
    brolga_chan_release(chan);
    cr_assert_eq(brolga__alloc_live(), live);
}

CHAN_TEST(a_waiting_send_copies_before_it_waits)
{
    const brolga_type *type = string_type();
    brolga_word mine = string_of("before");
    struct call call = {.chan = chan_of(type, 0), .word = mine};
    brolga_word got = 0;

    start_waiting(&call, run_send);
    memcpy((void *)(uintptr_t)(mine + 8), "after!", 6);
    cr_assert_eq(brolga_try_recv(call.chan, &got), BROLGA_OK);
    cr_assert(string_is(got, "before"));
    cr_assert_eq(finish(&call), BROLGA_OK);
    brolga_drop(type, &mine);
    brolga_drop(type, &got);
    brolga_chan_release(call.chan);
}

CHAN_TEST(a_given_value_crosses_without_a_copy)
{
    const brolga_type *type = string_type();
    brolga_chan *chan = chan_of(type, 1);
    brolga_word mine = string_of("moved"), got = 0;

    cr_assert_eq(brolga_try_give(chan, &mine), BROLGA_OK);
    cr_assert_eq(brolga_try_give(chan, &mine), BROLGA_EAGAIN);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, mine);
    brolga_drop(type, &got);
    brolga_chan_release(chan);
}

CHAN_TEST(a_waiting_give_hands_the_value_over_or_back)
{
    const brolga_type *type = handle_type();
    struct call call = {.chan = chan_of(type, 0), .word = 12};
    brolga_word got = 0;

    start_waiting(&call, run_give);
    cr_assert_eq(brolga_try_recv(call.chan, &got), BROLGA_OK);
    cr_assert_eq(got, 12);
    cr_assert_eq(finish(&call), BROLGA_OK);
    start_waiting(&call, run_give);
    brolga_cancel(call.task);
    cr_assert_eq(finish(&call), BROLGA_ECANCELED);
    cr_assert_eq(handles_copied, 0);
    cr_assert_eq(handles_live, 0);
    brolga_chan_release(call.chan);
}

CHAN_TEST(a_send_that_is_in_vain_copies_nothing)
{
    const brolga_type *type = handle_type();
    brolga_chan *chan = chan_of(type, 1);
    struct call call = {.chan = chan, .word = 1};

    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    handles_copied = 0;
    cr_assert_eq(try_send_word(chan, 2), BROLGA_EAGAIN);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_ECLOSED);
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_ECLOSED);
    cr_assert_eq(handles_copied, 0);
    brolga_chan_release(chan);
}

CHAN_TEST(a_send_that_fails_drops_its_copy)
{
    const brolga_type *type = handle_type();
    struct call call = {.chan = chan_of(type, 0), .word = 1, .now = true};

    handles_live = 1; /* the caller's */
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_ETIMEOUT);
    call.now = false;
    call.deadline_ns = brolga_after_ns(BROLGA_MS);
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_ETIMEOUT);
    call.deadline_ns = 0;
    start_waiting(&call, run_send);
    brolga_cancel(call.task);
    cr_assert_eq(finish(&call), BROLGA_ECANCELED);
    start_waiting(&call, run_send);
    cr_assert_eq(brolga_chan_close(call.chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(finish(&call), BROLGA_ECLOSED);
    cr_assert_eq(handles_copied, 4);
    cr_assert_eq(handles_live, 1);
    brolga_chan_release(call.chan);
}

CHAN_TEST(a_send_at_the_cap_drops_its_copy)
{
    struct brolga_chan_opts opts = {.unbounded = true, .bytes_max = 8};
    brolga_chan *chan;

    cr_assert_eq(brolga_chan_create(handle_type(), &opts, &chan), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 1), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 2), BROLGA_ELIMIT);
    cr_assert_eq(handles_live, 1);
    brolga_chan_release(chan);
    cr_assert_eq(handles_live, 0);
}

CHAN_TEST(a_value_that_cannot_cross_is_refused_in_the_sender)
{
    const brolga_type *type;
    struct call call = {.word = 9};

    cr_assert_eq(brolga_type_handle(types, "Stuck", NULL, NULL, NULL, &type),
                 BROLGA_OK);
    call.chan = chan_of(type, 1);
    cr_assert_eq(try_send_word(call.chan, 9), BROLGA_EUNSENDABLE);
    cr_assert_eq(call_in_task(&call, run_send), BROLGA_EUNSENDABLE);
    cr_assert_eq(stats_of(call.chan).sent, 0);
    brolga_chan_release(call.chan);
}

CHAN_TEST(a_send_without_memory_fails_and_leaves_nothing)
{
    const brolga_type *type = string_type();
    struct brolga_chan_opts opts = {.unbounded = true};
    brolga_word mine = string_of("x");
    brolga_chan *chan;
    int64_t live;

    cr_assert_eq(brolga_chan_create(type, &opts, &chan), BROLGA_OK);
    live = brolga__alloc_live();
    for (uint64_t nth = 1; nth <= 2; nth++) { /* the copy, then the ring */
        brolga__alloc_fail_nth(nth);
        cr_assert_eq(brolga_try_send(chan, &mine), BROLGA_ENOMEM);
        brolga__alloc_fail_nth(0);
        cr_assert_eq(brolga__alloc_live(), live);
    }
    cr_assert_eq(brolga_try_send(chan, &mine), BROLGA_OK);
    cr_assert_eq(stats_of(chan).sent, 1);
    brolga_drop(type, &mine);
    brolga_chan_release(chan);
}

/* --- elements that are no words ----------------------------------------- */

struct point {
    double x, y, z;
};

CHAN_TEST(structs_cross_whole_through_the_buffer_and_by_hand)
{
    const brolga_type *type;
    struct point sent = {1.5, -2.5, 3.5}, got = {0};
    brolga_chan *chan;
    brolga_word word = 0;

    cr_assert_eq(brolga_type_struct(types, "Point", sizeof(struct point),
                                    _Alignof(struct point), &type),
                 BROLGA_OK);
    chan = chan_of(type, 1);
    cr_assert_eq(brolga_try_send(chan, &sent), BROLGA_OK);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(memcmp(&sent, &got, sizeof(got)), 0);
    cr_assert_eq(brolga_send_word(chan, 1, BROLGA_NOW), BROLGA_EINVAL);
    cr_assert_eq(brolga_recv_word(chan, &word, BROLGA_NOW), BROLGA_EINVAL);
    brolga_chan_release(chan);
}

static brolga_word copy_and_drop(void *arg)
{
    const brolga_type *type = arg;
    brolga_word cons = model.alloc(24, model.arg), copy;
    brolga_word *field = (brolga_word *)(uintptr_t)cons;
    int err;

    field[0] = 1;
    field[1] = 5;
    field[2] = 0;
    err = brolga_copy_word(type, cons, &copy, NULL);
    brolga_drop_word(type, cons);
    brolga_yield();
    return err == BROLGA_OK ? copy : 0;
}

/* What the tasks had made of values; they have ended, but not been joined. */
static uint64_t made_bytes, freed_bytes;

static void add_bytes(void *arg, const struct brolga_task_info *task)
{
    (void)arg;
    made_bytes += task->made_bytes;
    freed_bytes += task->freed_bytes;
}

static brolga_word look_at_self(void *arg)
{
    brolga_word copy = copy_and_drop(arg);

    made_bytes = freed_bytes = 0;
    (void)brolga_tasks_each(rt, add_bytes, NULL);
    return copy;
}

Test(op, bytes_of_values_are_charged_to_the_task, .timeout = 30,
     .init = world_open, .fini = world_close)
{
    const brolga_type *type;
    brolga_task *task;
    brolga_word copy;

    cr_assert_eq(brolga_type_parse(types, "(List Int)", &type, NULL),
                 BROLGA_OK);
    for (int i = 0; i < 2; i++) { /* The second time with a used record. */
        cr_assert_eq(brolga_spawn(rt, look_at_self, (void *)type, NULL, &task),
                     BROLGA_OK);
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, &copy, NULL), BROLGA_OK);
        cr_assert_neq(copy, 0);
        cr_assert_eq(made_bytes, 2 * 40);
        cr_assert_eq(freed_bytes, 40);
        brolga_drop_word(type, copy);
    }
}

/* --- large values ------------------------------------------------------- */

struct large {
    const brolga_type *type;
    brolga_chan *chan;
    brolga_word list;
    _Atomic bool sending;
    _Atomic bool was_seen; /* Somebody else ran during the send. */
    _Atomic int64_t live;  /* Blocks, before and after a send by a site. */
};

static brolga_word long_list(size_t count)
{
    brolga_word list = 0;

    for (size_t i = 0; i < count; i++) {
        brolga_word cons = model.alloc(24, model.arg);
        brolga_word *field = (brolga_word *)(uintptr_t)cons;

        field[0] = 1;
        field[1] = (brolga_word)i;
        field[2] = list;
        list = cons;
    }
    return list;
}

/* Sends into a buffer with room, so never parks, until it was seen. */
static brolga_word send_large(void *arg)
{
    struct large *l = arg;

    while (!brolga__load_relaxed(&l->was_seen)) {
        brolga_word got;
        int err;

        brolga__store_relaxed(&l->sending, true);
        err = brolga_send(l->chan, &l->list, BROLGA_FOREVER);
        brolga__store_relaxed(&l->sending, false);
        if (err == BROLGA_OK)
            err = brolga_recv(l->chan, &got, BROLGA_FOREVER);
        if (err != BROLGA_OK)
            return err;
        brolga_drop_word(l->type, got);
    }
    return BROLGA_OK;
}

static brolga_word watch_send(void *arg)
{
    struct large *l = arg;

    while (!brolga__load_relaxed(&l->sending))
        brolga_yield();
    brolga__store_relaxed(&l->was_seen, true);
    return 0;
}

static void open_one_worker(void)
{
    world_open_with(1);
}

static void large_open(struct large *l, size_t count)
{
    cr_assert_eq(brolga_type_parse(types, "(List Int)", &l->type, NULL),
                 BROLGA_OK);
    l->chan = chan_of(l->type, 1);
    l->list = long_list(count);
}

static void large_close(struct large *l)
{
    brolga_drop_word(l->type, l->list);
    brolga_chan_release(l->chan);
}

Test(op, others_run_while_a_large_value_is_sent, .timeout = 120,
     .init = open_one_worker, .fini = world_close)
{
    struct large l = {.list = 0};
    brolga_task *sender, *watcher;
    brolga_word result;

    large_open(&l, 500000);
    cr_assert_eq(brolga_spawn(rt, send_large, &l, NULL, &sender), BROLGA_OK);
    cr_assert_eq(brolga_spawn(rt, watch_send, &l, NULL, &watcher), BROLGA_OK);
    cr_assert_eq(brolga_join(sender, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_OK);
    cr_assert_eq(brolga_join(watcher, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    large_close(&l);
}

/* Gives copies of a list away by a site that copies, until it was seen. */
static brolga_word give_large(void *arg)
{
    static struct brolga_site site = {.mode = BROLGA_COPY};
    struct large *l = arg;
    int err = BROLGA_OK;

    while (err == BROLGA_OK && !brolga__load_relaxed(&l->was_seen)) {
        brolga_word list;

        err = brolga_copy_word(l->type, l->list, &list, NULL);
        if (err != BROLGA_OK)
            return err;
        brolga__store_relaxed(&l->live, brolga__alloc_live());
        err = brolga_send_site(l->chan, &site, &list, BROLGA_FOREVER);
    }
    brolga_sites_forget(&site, sizeof(site));
    return brolga_chan_close(l->chan, BROLGA_OK, NULL);
}

/* Has it been sent, but not yet been dropped where it came from? */
static brolga_word watch_drop(void *arg)
{
    struct large *l = arg;
    brolga_word got;

    while (brolga_recv(l->chan, &got, BROLGA_FOREVER) == BROLGA_OK) {
        if (brolga__alloc_live() > brolga__load_relaxed(&l->live) + 1000)
            brolga__store_relaxed(&l->was_seen, true);
        brolga_drop_word(l->type, got);
    }
    return 0;
}

Test(op, others_run_while_the_original_of_a_copy_is_dropped, .timeout = 120,
     .init = open_one_worker, .fini = world_close)
{
    struct large l = {.list = 0};
    brolga_task *sender, *watcher;
    brolga_word result;

    large_open(&l, 500000);
    cr_assert_eq(brolga_spawn(rt, watch_drop, &l, NULL, &watcher), BROLGA_OK);
    cr_assert_eq(brolga_spawn(rt, give_large, &l, NULL, &sender), BROLGA_OK);
    cr_assert_eq(brolga_join(sender, BROLGA_FOREVER, &result, NULL), BROLGA_OK);
    cr_assert_eq(result, BROLGA_OK);
    cr_assert_eq(brolga_join(watcher, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    large_close(&l);
}

static brolga_word cancel_sender(void *arg)
{
    brolga_cancel(arg);
    return 0;
}

/* Cancels itself by another task that can run in the send only. */
static brolga_word send_and_be_canceled(void *arg)
{
    struct large *l = arg;
    int err = BROLGA_OK;

    while (err == BROLGA_OK) {
        brolga_task *other;
        brolga_word got;

        err = brolga_spawn(rt, cancel_sender, brolga_self(), NULL, &other);
        if (err != BROLGA_OK)
            return err;
        brolga_detach(other);
        err = brolga_send(l->chan, &l->list, BROLGA_FOREVER);
        if (err == BROLGA_OK) {
            /* It was not canceled in the send, so perhaps after it. */
            err = brolga_try_recv(l->chan, &got);
            if (err == BROLGA_OK)
                brolga_drop_word(l->type, got);
        }
    }
    return err;
}

Test(op, a_task_that_is_canceled_sends_a_large_value_no_more, .timeout = 120,
     .init = open_one_worker, .fini = world_close)
{
    struct large l = {.list = 0};
    brolga_task *sender;
    brolga_word result = 0;
    int64_t live;

    large_open(&l, 500000);
    live = brolga__alloc_live();
    cr_assert_eq(brolga_spawn(rt, send_and_be_canceled, &l, NULL, &sender),
                 BROLGA_OK);
    (void)brolga_join(sender, BROLGA_FOREVER, &result, NULL);
    cr_assert_eq(result, BROLGA_ECANCELED);
    cr_assert_lt(brolga__alloc_live(), live + 1000);
    large_close(&l);
}
