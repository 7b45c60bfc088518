/*
 * Goal: a value that points into a region keeps it for exactly as long as
 * somebody who was sent it may read it: in a channel, in whoever receives it,
 * until that task ends or says that it does not use it; whichever way it goes,
 * and also when it is dropped on the way, or there is no memory.
 * Method: the test's thread freezes a list, sends it in all ways, gives its own
 * lease up, and looks which regions are left.
 */
#include <brolga/broadcast.h>
#include <brolga/lease.h>

#include "chan/world.h"

#include <pthread.h>

#define CHAN_TEST(name)                                                        \
    Test(parcel, name, .init = world_open, .fini = parcel_close, .timeout = 30)

static void parcel_close(void)
{
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(brolga_regions_list(NULL, 0), 0);
    world_close();
    cr_assert_eq(brolga__alloc_live(), 0);
}

static const brolga_type *list_type(void)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_parse(types, "(List Int)", &type, NULL),
                 BROLGA_OK);
    return type;
}

/* For tasks, which may not use the registry at the same time. */
static const brolga_type *received_type;

/* The list (1 2), frozen. */
static brolga_word frozen_list(brolga_region **region)
{
    brolga_word list = cons(1, cons(2, 0)), frozen = 0;

    if (received_type != list_type()) /* Tasks of this test may read it. */
        received_type = list_type();
    cr_assert_eq(brolga_freeze(list_type(), list, &frozen, region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(list_type(), list);
    return frozen;
}

static size_t regions(void)
{
    return brolga_regions_list(NULL, 0);
}

static bool is_right(brolga_word list)
{
    return fields(list)[1] == 1 && fields(fields(list)[2])[1] == 2;
}

/* --- one message -------------------------------------------------------- */

CHAN_TEST(a_message_keeps_its_region)
{
    brolga_chan *chan = chan_of(list_type(), 4);
    brolga_region *region;
    brolga_word word = frozen_list(&region), got;

    cr_assert_eq(try_send_word(chan, word), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(regions(), 1);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, word);
    cr_assert(is_right(got));
    cr_assert_eq(regions(), 1);
    cr_assert_eq(brolga_lease_count(), 1);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(regions(), 0);
    brolga_chan_release(chan);
}

CHAN_TEST(an_attached_thread_gives_along_what_it_had_before)
{
    brolga_chan *chan = chan_of(list_type(), 4);
    brolga_region *region;
    brolga_word word = frozen_list(&region), got;

    cr_assert_eq(try_send_word(chan, word), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(brolga_attach_thread(rt, "me"), BROLGA_OK);
    cr_assert_eq(brolga_try_give(chan, &got), BROLGA_OK);
    brolga_detach_thread();
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(regions(), 1);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert(is_right(got));
    brolga_chan_release(chan);
}

CHAN_TEST(a_message_with_a_frozen_part_keeps_its_region)
{
    brolga_chan *chan = chan_of(list_type(), 4);
    brolga_region *region;
    brolga_word list = cons(0, frozen_list(&region)), got;

    cr_assert_eq(try_send_word(chan, list), BROLGA_OK);
    brolga_drop_word(list_type(), list);
    brolga_region_release(region);
    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(fields(got)[1], 0);
    cr_assert(is_right(fields(got)[2]));
    brolga_drop_word(list_type(), got);
    cr_assert_eq(regions(), 1);
    brolga_chan_release(chan);
}

CHAN_TEST(a_channel_that_goes_lets_go)
{
    brolga_chan *chan = chan_of(list_type(), 4);
    brolga_region *region;
    brolga_word list = cons(0, frozen_list(&region));

    for (int i = 0; i < 4; i++)
        cr_assert_eq(try_send_word(chan, list), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, list), BROLGA_EAGAIN);
    brolga_drop_word(list_type(), list);
    brolga_region_release(region);
    cr_assert_eq(regions(), 1);
    brolga_chan_release(chan);
    cr_assert_eq(regions(), 0);
}

CHAN_TEST(a_give_takes_the_givers_leases_along)
{
    brolga_chan *chan = chan_of(list_type(), 1);
    brolga_region *region, *other;
    brolga_word list = cons(0, frozen_list(&region)), given = list, got;

    (void)frozen_list(&other);
    cr_assert_eq(brolga_lease_keep(region), BROLGA_OK);
    cr_assert_eq(brolga_lease_keep(other), BROLGA_OK);
    cr_assert_eq(brolga_try_give(chan, &given), BROLGA_OK);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(regions(), 2);

    /* What is not taken stays as it was. */
    given = cons(5, 0);
    cr_assert_eq(brolga_try_give(chan, &given), BROLGA_EAGAIN);
    brolga_drop_word(list_type(), given);

    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    cr_assert_eq(got, list);
    cr_assert_eq(regions(), 2);
    cr_assert_eq(
        brolga_lease_compact(&(struct brolga_root){list_type(), got}, 1),
        BROLGA_OK);
    cr_assert_eq(regions(), 1);
    cr_assert(is_right(fields(got)[2]));

    /* A give that fails gives back the same. */
    cr_assert_eq(try_send_word(chan, 0), BROLGA_OK);
    cr_assert_eq(brolga_try_give(chan, &got), BROLGA_EAGAIN);
    cr_assert_eq(got, list);
    cr_assert_eq(brolga_lease_count(), 1);
    brolga_drop_word(list_type(), got);
    brolga_chan_release(chan);
}

/* A thread that is no task, and never was: receives, and ends. */
static void *receive_outside(void *arg)
{
    struct call *call = arg;

    call->result = brolga_try_recv(call->chan, &call->word);
    if (call->result == BROLGA_OK && !is_right(call->word))
        call->result = BROLGA_EFAILED;
    return NULL;
}

CHAN_TEST(a_thread_that_ends_lets_go)
{
    brolga_chan *chan = chan_of(list_type(), 2);
    struct call receive = {.chan = chan};
    brolga_region *region;
    brolga_word list = frozen_list(&region);
    pthread_t thread;

    cr_assert_eq(try_send_word(chan, list), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(pthread_create(&thread, NULL, receive_outside, &receive), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(receive.result, BROLGA_OK);
    cr_assert_eq(regions(), 0);
    brolga_chan_release(chan);
}

/* --- tasks -------------------------------------------------------------- */

struct reader {
    brolga_chan *in, *out;
    size_t regions; /* after it has let go of what it does not use */
    bool right;
    int result;
    bool fails;
    brolga_task *task;
};

static brolga_word run_reader(void *arg)
{
    struct reader *reader = arg;
    brolga_word list;

    reader->result = brolga_recv(reader->in, &list, BROLGA_FOREVER);
    if (reader->result != BROLGA_OK)
        return 0;
    reader->right = is_right(list) && brolga_lease_count() == 1;
    if (reader->fails)
        brolga_panic("on purpose");
    if (reader->out != NULL)
        reader->result = brolga_send(reader->out, &list, BROLGA_FOREVER);
    brolga_drop_word(received_type, list);
    return 0;
}

CHAN_TEST(a_value_that_is_sent_on_and_on_keeps_its_region)
{
    enum { HOPS = 6 };
    struct reader reader[HOPS] = {0};
    brolga_chan *chan[HOPS + 1];
    brolga_region *region;
    brolga_word list = frozen_list(&region), got;

    for (int i = 0; i <= HOPS; i++)
        chan[i] = chan_of(list_type(), i % 2);
    for (int i = 0; i < HOPS; i++) {
        reader[i].in = chan[i];
        reader[i].out = chan[i + 1];
        cr_assert_eq(
            brolga_spawn(rt, run_reader, &reader[i], NULL, &reader[i].task),
            BROLGA_OK);
    }
    until(stats_of(chan[0]).receivers_waiting == 1);
    cr_assert_eq(try_send_word(chan[0], list), BROLGA_OK);
    brolga_region_release(region);
    until(brolga_try_recv(chan[HOPS], &got) == BROLGA_OK);
    for (int i = 0; i < HOPS; i++) {
        cr_assert_eq(brolga_join(reader[i].task, BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(reader[i].result, BROLGA_OK);
        cr_assert(reader[i].right);
    }
    cr_assert_eq(regions(), 1);
    cr_assert(is_right(got));
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(regions(), 0);
    for (int i = 0; i <= HOPS; i++)
        brolga_chan_release(chan[i]);
}

static void until_end_of(bool fails)
{
    brolga_chan *chan = chan_of(list_type(), 1);
    struct reader reader = {.in = chan, .fails = fails};
    struct brolga_spawn_opts opts = {0};
    brolga_region *region;

    for (int i = 0; i < 2; i++) {
        opts.thread = i == 1;
        cr_assert_eq(try_send_word(chan, frozen_list(&region)), BROLGA_OK);
        brolga_region_release(region);
        cr_assert_eq(brolga_spawn(rt, run_reader, &reader, &opts, &reader.task),
                     BROLGA_OK);
        cr_assert_eq(brolga_join(reader.task, BROLGA_FOREVER, NULL, NULL),
                     fails ? BROLGA_EFAILED : BROLGA_OK);
        cr_assert(reader.right);
        cr_assert_eq(regions(), 0);
    }
    brolga_chan_release(chan);
}

CHAN_TEST(a_task_has_its_leases_until_it_ends)
{
    until_end_of(false);
}

CHAN_TEST(a_task_that_fails_has_its_leases_until_then)
{
    until_end_of(true);
}

/* Receives many, and keeps the last one only. */
static brolga_word run_long(void *arg)
{
    struct reader *reader = arg;
    struct brolga_root root = {.type = received_type};

    for (int i = 0; i < 20; i++) {
        reader->result = brolga_recv(reader->in, &root.word, BROLGA_FOREVER);
        reader->right = brolga_lease_compact(&root, 1) == BROLGA_OK &&
                        brolga_lease_count() == 1 && is_right(root.word);
        reader->regions = regions();
    }
    return 0;
}

CHAN_TEST(a_task_lets_go_of_what_it_does_not_use)
{
    brolga_chan *chan = chan_of(list_type(), 20);
    struct reader reader = {.in = chan};
    brolga_region *region;

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(try_send_word(chan, frozen_list(&region)), BROLGA_OK);
        brolga_region_release(region);
    }
    cr_assert_eq(brolga_spawn(rt, run_long, &reader, NULL, &reader.task),
                 BROLGA_OK);
    cr_assert_eq(brolga_join(reader.task, BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(reader.result, BROLGA_OK);
    cr_assert(reader.right);
    cr_assert_eq(reader.regions, 1);
    cr_assert_eq(regions(), 0);
    brolga_chan_release(chan);
}

/* --- other ways --------------------------------------------------------- */

CHAN_TEST(whoever_waits_gets_the_leases)
{
    brolga_chan *chan = chan_of(list_type(), 0);
    struct reader reader = {.in = chan};
    brolga_region *region;

    cr_assert_eq(brolga_spawn(rt, run_reader, &reader, NULL, &reader.task),
                 BROLGA_OK);
    until(stats_of(chan).receivers_waiting == 1);
    cr_assert_eq(try_send_word(chan, frozen_list(&region)), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(brolga_join(reader.task, BROLGA_FOREVER, NULL, NULL),
                 BROLGA_OK);
    cr_assert(reader.right);
    cr_assert_eq(regions(), 0);
    brolga_chan_release(chan);
}

CHAN_TEST(a_sender_that_gives_up_has_left_nothing)
{
    brolga_chan *chan = chan_of(list_type(), 0);
    struct call send = {.chan = chan}, give = {.chan = chan};
    brolga_region *region;
    brolga_word list;

    send.word = give.word = list = frozen_list(&region);
    start_waiting(&send, run_send);
    cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
    cr_assert_eq(finish(&send), BROLGA_ECLOSED);
    cr_assert_eq(call_in_task(&give, run_give), BROLGA_ECLOSED);
    cr_assert_eq(give.word, list);
    brolga_region_release(region);
    cr_assert_eq(regions(), 0);
    brolga_chan_release(chan);
}

CHAN_TEST(a_select_passes_leases_too)
{
    brolga_chan *chan[2] = {chan_of(list_type(), 1), chan_of(list_type(), 0)};
    brolga_word got = 0, list;
    struct brolga_arm arms[2] = {
        {.chan = chan[1], .op = BROLGA_SEND, .elem = &list},
        {.chan = chan[0], .op = BROLGA_RECV, .elem = &got}};
    brolga_region *region;
    size_t chosen;

    list = frozen_list(&region);
    cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                 BROLGA_EAGAIN);
    cr_assert_eq(try_send_word(chan[0], list), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(regions(), 1);
    cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_OK);
    cr_assert_eq(chosen, 1);
    cr_assert_eq(got, list);
    cr_assert_eq(brolga_lease_count(), 1);

    /* And at once. */
    cr_assert_eq(try_send_word(chan[0], list), BROLGA_OK);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    arms[0].chan = NULL;
    cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                 BROLGA_OK);
    cr_assert(is_right(got));
    cr_assert_eq(brolga_lease_count(), 1);
    brolga_chan_release(chan[0]);
    brolga_chan_release(chan[1]);
}

CHAN_TEST(every_subscriber_gets_leases)
{
    struct brolga_subscription_opts opts = {.capacity = 1, .drop_oldest = true};
    brolga_broadcast *broadcast;
    brolga_chan *chan[3];
    brolga_region *region[2];
    brolga_word list[2], got;

    cr_assert_eq(brolga_broadcast_create(list_type(), &broadcast), BROLGA_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(brolga_broadcast_subscribe(broadcast, &opts, &chan[i]),
                     BROLGA_OK);
    for (int i = 0; i < 2; i++) {
        list[i] = frozen_list(&region[i]);
        cr_assert_eq(brolga_broadcast_try_send(broadcast, &list[i]), BROLGA_OK);
        brolga_region_release(region[i]);
    }
    cr_assert_eq(regions(), 1); /* The first one was dropped by all. */
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(brolga_try_recv(chan[i], &got), BROLGA_OK);
        cr_assert_eq(got, list[1]);
        cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
        cr_assert_eq(regions(), 1);
    }
    for (int i = 0; i < 3; i++)
        brolga_chan_leave(chan[i], BROLGA_RECV, BROLGA_OK, NULL);
    cr_assert_eq(regions(), 0);
    brolga_broadcast_release(broadcast);
}

/* --- sites -------------------------------------------------------------- */

/* Sends a value with a frozen part by a site, first where that fails. */
static void by_site(const brolga_type *type, enum brolga_mode mode)
{
    struct brolga_site site = {.name = "here", .mode = mode};
    brolga_chan *chan = chan_of(type, 1);
    brolga_region *region, *other;
    brolga_word list = cons(0, frozen_list(&region)), taken = 0;

    (void)frozen_list(&other);
    cr_assert_eq(brolga_lease_keep(region), BROLGA_OK);
    cr_assert_eq(brolga_lease_keep(other), BROLGA_OK);
    cr_assert_eq(try_send_word(chan, 0), BROLGA_OK);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_EAGAIN);
    cr_assert(is_right(fields(list)[2]));
    cr_assert_eq(brolga_lease_count(), 2);
    cr_assert_eq(brolga_try_recv(chan, &taken), BROLGA_OK);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    /* A copy has looked which leases it needs. */
    cr_assert_eq(regions(), mode == BROLGA_COPY ? 1 : 2);
    cr_assert_eq(brolga_try_recv(chan, &taken), BROLGA_OK);
    cr_assert_eq(taken == list, mode != BROLGA_COPY);
    cr_assert(is_right(fields(taken)[2]));
    brolga_drop_word(type, taken);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(regions(), 0);
    brolga_sites_forget(&site, sizeof(site));
    brolga_chan_release(chan);
}

CHAN_TEST(what_a_site_sends_has_leases)
{
    struct brolga_model exact = model;
    const brolga_type *type = NULL;
    brolga_types *registry;

    exact.exact_counts = true; /* So that checks are not copies. */
    cr_assert_eq(brolga_types_create(&exact, &registry), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(registry, "(List Int)", &type, NULL),
                 BROLGA_OK);
    by_site(type, BROLGA_MOVE);
    by_site(type, BROLGA_CHECK);
    by_site(type, BROLGA_COPY);
    brolga_types_destroy(registry);
}

/* --- a task for each message -------------------------------------------- */

/* Posed as the code of a unit: notes what came, and ends at Nil. */
static int note_each(void *state, void *elem)
{
    struct reader *reader = state;
    brolga_word list = *(brolga_word *)elem;

    if (list == 0)
        return BROLGA_DONE;
    reader->right = is_right(list);
    reader->regions = brolga_lease_count();
    brolga_drop_word(received_type, list);
    return brolga_send(reader->out, &(brolga_word){0}, BROLGA_FOREVER);
}

static brolga_slot publish_each(void)
{
    union {
        int (*fn)(void *, void *);
        const void *code;
    } cast = {.fn = note_each};
    struct brolga_unit_opts opts = {
        .name = "each", .text = cast.code, .text_bytes = 8};
    brolga_unit *unit;
    brolga_slot slot;
    brolga_txn *txn;

    cr_assert_eq(brolga_txn_begin(brolga_runtime_got(rt), &txn), BROLGA_OK);
    cr_assert_eq(brolga_txn_unit(txn, &opts, &unit), BROLGA_OK);
    cr_assert_eq(
        brolga_txn_define(txn, unit, "m", "f", "(Fn [] Int)", cast.code, &slot),
        BROLGA_OK);
    cr_assert_eq(brolga_txn_commit(txn, NULL), BROLGA_OK);
    return slot;
}

CHAN_TEST(a_task_for_each_message_has_leases_on_all_of_them)
{
    struct reader reader = {.in = chan_of(list_type(), 0),
                            .out = chan_of(NULL, 1)};
    brolga_slot slot = publish_each();
    brolga_region *region;
    brolga_word ack;

    for (int cancels = 0; cancels < 2; cancels++) {
        cr_assert_eq(
            brolga_spawn_each(rt, reader.in, slot, &reader, NULL, &reader.task),
            BROLGA_OK);
        for (size_t i = 1; i <= 3; i++) {
            until(stats_of(reader.in).receivers_waiting == 1);
            cr_assert_eq(try_send_word(reader.in, frozen_list(&region)),
                         BROLGA_OK);
            brolga_region_release(region);
            until(brolga_try_recv(reader.out, &ack) == BROLGA_OK);
            cr_assert(reader.right);
            cr_assert_eq(reader.regions, i);
            cr_assert_eq(regions(), i);
        }
        until(stats_of(reader.in).receivers_waiting == 1);
        if (cancels == 0)
            cr_assert_eq(try_send_word(reader.in, 0), BROLGA_OK);
        else
            brolga_cancel(reader.task);
        cr_assert_eq(brolga_join(reader.task, BROLGA_FOREVER, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(regions(), 0);
    }
    brolga_chan_release(reader.in);
    brolga_chan_release(reader.out);
}

/* --- no memory ---------------------------------------------------------- */

CHAN_TEST(a_send_without_memory_leaves_nothing)
{
    brolga_chan *chan = chan_of(list_type(), 1);
    brolga_region *region;
    brolga_word frozen = frozen_list(&region), list = cons(0, frozen), got;
    struct brolga_region_info info;
    int64_t live = brolga__alloc_live();
    int err = BROLGA_ENOMEM;

    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_try_send(chan, &list);
        brolga__alloc_fail_nth(0);
        brolga_region_look(region, &info);
        cr_assert_eq(info.leases, err == BROLGA_OK ? 2 : 1);
        cr_assert(err == BROLGA_OK || brolga__alloc_live() == live);
    }
    /* Receiving cannot fail, also if leases have to be joined. */
    cr_assert_eq(brolga_lease_keep(brolga_region_retain(region)), BROLGA_OK);
    for (int i = 0; i < 5; i++) {
        brolga_region *more;
        brolga_word other = frozen_list(&more);

        brolga__alloc_fail_nth(1);
        cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
        brolga__alloc_fail_nth(0);
        cr_assert_eq(brolga_lease_count(), (size_t)i + 1);
        cr_assert_eq(try_send_word(chan, other), BROLGA_OK);
        brolga_region_release(more);
        if (i == 0)
            brolga_drop_word(list_type(), got);
    }
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(brolga_lease_count(), 5);
    brolga_drop_word(list_type(), list);
    brolga_region_release(region);
    brolga_chan_release(chan);
}
