/*
 * Goal: a send by a site takes the value in every mode, or hands it back; what
 * arrives is equal and the receiver's alone; a channel may ask for less than a
 * move; what cannot cross is refused in the sender, who learns why.
 * Method: one thread, which is no task, sends and receives without waiting, or
 * tasks that make one call. Every block of memory is counted.
 */
#include "copy/copy.h" /* First: the world has names of its own. */

#include "chan/world.h"

#include <stdio.h>
#include <stdlib.h>

#define SITE_TEST(name)                                                        \
    Test(site, name, .init = world_open, .fini = world_close, .timeout = 20)

/* --- lists -------------------------------------------------------------- */

static brolga_types *exact;
static const brolga_type *list_type;
static int64_t blocks;

/* A registry of a model whose counts are exact; the world's is not. */
static void open_lists(void)
{
    struct brolga_model counts = brolga_model_cranelisp();

    counts.exact_counts = true;
    cr_assert_eq(brolga_types_create(&counts, &exact), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(exact, "(List Int)", &list_type, NULL),
                 BROLGA_OK);
    blocks = brolga__alloc_live();
}

/* Nothing is left of the values and channels of the test. */
static void close_lists(void)
{
    cr_assert_eq(brolga__alloc_live(), blocks);
    brolga_types_destroy(exact);
}

static int64_t count_of(brolga_word value)
{
    return fields(value)[-1];
}

static brolga_word share(brolga_word value)
{
    fields(value)[-1]++;
    return value;
}

/* 1 and 2, and then nothing. */
static brolga_word one_two(void)
{
    return cons(1, cons(2, 0));
}

static bool is_one_two(brolga_word list)
{
    return list != 0 && count_of(list) == 1 && fields(list)[1] == 1 &&
           fields(fields(list)[2])[1] == 2 && fields(fields(list)[2])[2] == 0;
}

static brolga_word receive(brolga_chan *chan)
{
    brolga_word got = 0;

    cr_assert_eq(brolga_try_recv(chan, &got), BROLGA_OK);
    return got;
}

static brolga_chan *list_chan(size_t capacity, enum brolga_mode gives)
{
    struct brolga_chan_opts opts = {.capacity = capacity, .gives = gives};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(list_type, &opts, &chan), BROLGA_OK);
    return chan;
}

static struct brolga_site_stats site_stats(const struct brolga_site *site)
{
    struct brolga_site_stats stats;

    brolga_site_stats(site, &stats);
    return stats;
}

static void forget(struct brolga_site *site)
{
    brolga_sites_forget(site, sizeof(*site));
}

/* --- the modes ---------------------------------------------------------- */

SITE_TEST(a_move_passes_the_word_itself)
{
    static struct brolga_site site = {.mode = BROLGA_MOVE};
    brolga_word list, sent;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_MODE_DEFAULT);
    for (int i = 0; i < 3; i++) { /* Its first use is slower. */
        sent = list = one_two();
        cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
        cr_assert_eq(receive(chan), sent);
        brolga_drop_word(list_type, sent);
    }
    cr_assert_eq(site_stats(&site).moved, 3);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}

SITE_TEST(a_check_keeps_what_is_unique_and_copies_the_rest)
{
    static struct brolga_site site = {.mode = BROLGA_CHECK};
    brolga_word list, sent, mine, got;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_MODE_DEFAULT);
    sent = list = one_two();
    mine = share(fields(list)[2]);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    got = receive(chan);
    cr_assert_eq(got, sent);
    cr_assert_neq(fields(got)[2], mine);
    cr_assert_eq(count_of(mine), 1);
    cr_assert(is_one_two(got));
    brolga_drop_word(list_type, got);
    brolga_drop_word(list_type, mine);
    cr_assert_eq(site_stats(&site).checked, 1);
    cr_assert_eq(site_stats(&site).kept, 1);
    cr_assert_eq(site_stats(&site).replaced, 1);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}

SITE_TEST(a_copy_drops_the_original)
{
    static struct brolga_site site;
    brolga_word list, mine, got;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_MODE_DEFAULT);
    mine = list = one_two();
    (void)share(mine);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    cr_assert_eq(count_of(mine), 1);
    got = receive(chan);
    cr_assert_neq(got, mine);
    cr_assert(is_one_two(got));
    brolga_drop_word(list_type, got);
    brolga_drop_word(list_type, mine);
    cr_assert_eq(site_stats(&site).copied, 1);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}

SITE_TEST(a_demotion_holds_from_the_next_send_on)
{
    static struct brolga_site site = {.mode = BROLGA_MOVE};
    static const enum brolga_mode modes[] = {BROLGA_MOVE, BROLGA_CHECK,
                                             BROLGA_COPY};
    struct brolga_site_stats stats;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_MODE_DEFAULT);
    for (int i = 0; i < 3; i++) {
        brolga_word list = one_two();

        (void)brolga_site_demote(&site, modes[i], "weaker");
        cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
        brolga_drop_word(list_type, receive(chan));
    }
    stats = site_stats(&site);
    cr_assert_eq(stats.moved, 1);
    cr_assert_eq(stats.checked, 1);
    cr_assert_eq(stats.copied, 1);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}

/* What a model does not say cannot be relied upon. */
SITE_TEST(counts_that_are_not_exact_are_copied)
{
    static struct brolga_site site = {.mode = BROLGA_CHECK};
    int64_t before = brolga__alloc_live();
    const brolga_type *type;
    brolga_word list, sent, got;
    brolga_chan *chan;

    cr_assert_eq(brolga_type_parse(types, "(List Int)", &type, NULL),
                 BROLGA_OK);
    chan = chan_of(type, 1);
    sent = list = one_two();
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    got = receive(chan);
    cr_assert_neq(got, sent);
    brolga_drop_word(type, got);
    brolga_chan_release(chan);
    cr_assert_eq(site_stats(&site).copied, 1);
    forget(&site);
    cr_assert_leq(brolga__alloc_live(), before + 1); /* The type's arena. */
}

SITE_TEST(plain_words_go_as_they_are)
{
    static struct brolga_site site;
    brolga_chan *chan = chan_of(NULL, 2);
    brolga_word word = 5;

    cr_assert_eq(brolga_try_send_site(chan, &site, &word), BROLGA_OK);
    cr_assert_eq(brolga_try_send_site(chan, &site, &word), BROLGA_OK);
    cr_assert_eq(receive(chan), 5);
    cr_assert_eq(site_stats(&site).moved, 2);
    brolga_chan_release(chan);
    forget(&site);
}

/* --- channels that ask for less ----------------------------------------- */

SITE_TEST(a_channel_may_want_what_is_given_to_be_checked)
{
    static struct brolga_site site = {.mode = BROLGA_MOVE};
    brolga_word list, mine, got;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_CHECK);
    list = one_two();
    mine = share(list);
    cr_assert_eq(brolga_try_give(chan, &list), BROLGA_OK);
    got = receive(chan);
    cr_assert_neq(got, mine);
    cr_assert(is_one_two(got));
    cr_assert(is_one_two(mine));
    brolga_drop_word(list_type, got);
    cr_assert_eq(brolga_try_send_site(chan, &site, &mine), BROLGA_OK);
    brolga_drop_word(list_type, receive(chan));
    cr_assert_eq(site_stats(&site).moved, 0);
    cr_assert_eq(site_stats(&site).checked, 1);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}

SITE_TEST(a_channel_may_want_copies)
{
    brolga_word list, sent, got;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_COPY);
    sent = list = one_two();
    cr_assert_eq(brolga_try_give(chan, &list), BROLGA_OK);
    got = receive(chan);
    cr_assert_neq(got, sent); /* Which was freed after the copy was made. */
    cr_assert(is_one_two(got));
    brolga_drop_word(list_type, got);
    brolga_chan_release(chan);
    close_lists();
}

SITE_TEST(an_unknown_policy_is_refused)
{
    struct brolga_chan_opts opts = {.gives = (enum brolga_mode)4};
    brolga_chan *chan = NULL;

    cr_assert_eq(brolga_chan_create(NULL, &opts, &chan), BROLGA_EINVAL);
    cr_assert_null(chan);
}

/* --- handed back -------------------------------------------------------- */

static void hand_back(enum brolga_mode mode, brolga_chan *chan, int result)
{
    struct brolga_site site = {.mode = (int32_t)mode};
    brolga_word list = one_two(), mine = share(list);
    brolga_word kept = one_two(), tail = share(fields(kept)[2]);

    cr_assert_eq(brolga_try_send_site(chan, &site, &list), result);
    cr_assert_eq(brolga_try_send_site(chan, &site, &kept), result);
    /* Both are the caller's, by one reference, whatever has become of them. */
    brolga_drop_word(list_type, list);
    cr_assert(is_one_two(mine));
    brolga_drop_word(list_type, mine);
    cr_assert(is_one_two(kept));
    brolga_drop_word(list_type, kept);
    brolga_drop_word(list_type, tail);
    cr_assert_eq(site_stats(&site).moved + site_stats(&site).checked +
                     site_stats(&site).copied,
                 0);
    forget(&site);
}

SITE_TEST(what_cannot_be_sent_is_the_callers_still)
{
    brolga_chan *full, *closed;

    open_lists();
    full = list_chan(0, BROLGA_MODE_DEFAULT); /* Nobody receives. */
    closed = list_chan(1, BROLGA_MODE_DEFAULT);
    cr_assert_eq(brolga_chan_close(closed, BROLGA_OK, NULL), BROLGA_OK);
    for (int mode = BROLGA_MOVE; mode <= BROLGA_COPY; mode++) {
        hand_back((enum brolga_mode)mode, full, BROLGA_EAGAIN);
        hand_back((enum brolga_mode)mode, closed, BROLGA_ECLOSED);
    }
    brolga_chan_release(full);
    brolga_chan_release(closed);
    close_lists();
}

/* A task that sends by a site, and notes how it went. */
struct site_call {
    brolga_chan *chan;
    struct brolga_site *site;
    brolga_word word;
    uint64_t deadline_ns;
    int result;
};

static brolga_word run_site(void *arg)
{
    struct site_call *call = arg;

    call->result = brolga_send_site(call->chan, call->site, &call->word,
                                    call->deadline_ns);
    return 0;
}

SITE_TEST(a_sender_that_waits_hands_over_or_keeps)
{
    open_lists();
    for (int mode = BROLGA_MOVE; mode <= BROLGA_COPY; mode++) {
        struct brolga_site site = {.mode = mode};
        brolga_chan *chan = list_chan(0, BROLGA_MODE_DEFAULT);
        struct site_call call = {chan, &site, one_two(), BROLGA_FOREVER, 1};
        brolga_task *task;
        brolga_word got;

        cr_assert_eq(brolga_spawn(rt, run_site, &call, NULL, &task), BROLGA_OK);
        until(stats_of(chan).senders_waiting == 1);
        got = receive(chan);
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
        cr_assert_eq(call.result, BROLGA_OK);
        cr_assert(is_one_two(got));
        call.word = got;
        cr_assert_eq(brolga_spawn(rt, run_site, &call, NULL, &task), BROLGA_OK);
        until(stats_of(chan).senders_waiting == 1);
        cr_assert_eq(brolga_chan_close(chan, BROLGA_OK, NULL), BROLGA_OK);
        cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
        cr_assert_eq(call.result, BROLGA_ECLOSED);
        cr_assert(is_one_two(call.word));
        cr_assert_eq(site_stats(&site).returned, 1);
        brolga_drop_word(list_type, call.word);
        brolga_chan_release(chan);
        forget(&site);
    }
    /* Tasks leave memory to the runtime: the world's end tells. */
    brolga_types_destroy(exact);
}

SITE_TEST(a_deadline_hands_back)
{
    struct brolga_site site = {.mode = BROLGA_CHECK};
    struct site_call call = {NULL, &site, 0, BROLGA_NOW, 1};
    brolga_task *task;

    open_lists();
    call.chan = list_chan(0, BROLGA_MODE_DEFAULT);
    call.word = one_two();
    cr_assert_eq(brolga_spawn(rt, run_site, &call, NULL, &task), BROLGA_OK);
    cr_assert_eq(brolga_join(task, BROLGA_FOREVER, NULL, NULL), BROLGA_OK);
    cr_assert_eq(call.result, BROLGA_ETIMEOUT);
    cr_assert(is_one_two(call.word));
    cr_assert_eq(brolga_send_site(call.chan, &site, &call.word, BROLGA_NOW),
                 BROLGA_ESTATE); /* This thread is no task. */
    brolga_drop_word(list_type, call.word);
    brolga_chan_release(call.chan);
    forget(&site);
    brolga_types_destroy(exact);
}

/* --- offers and selects ------------------------------------------------- */

SITE_TEST(an_offer_by_a_site_is_taken_or_withdrawn)
{
    open_lists();
    for (int mode = BROLGA_MOVE; mode <= BROLGA_COPY; mode++) {
        struct brolga_waiter waiter = {.wake = count_wake, .arg = &woken};
        struct brolga_site site = {.mode = mode};
        brolga_chan *chan = list_chan(0, BROLGA_MODE_DEFAULT);
        brolga_word list = one_two(), got;

        cr_assert_eq(brolga_chan_offer_site(chan, &waiter, &site, &list),
                     BROLGA_EAGAIN);
        cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_ECANCELED);
        cr_assert(is_one_two(list));
        cr_assert_eq(brolga_chan_offer_site(chan, &waiter, &site, &list),
                     BROLGA_EAGAIN);
        got = receive(chan);
        cr_assert_eq(brolga_chan_withdraw(&waiter), BROLGA_OK);
        cr_assert(is_one_two(got));
        brolga_drop_word(list_type, got);
        brolga_chan_release(chan);
        cr_assert_eq(site_stats(&site).returned, 1);
        forget(&site);
    }
    close_lists();
}

SITE_TEST(arms_that_were_not_done_keep_their_values)
{
    open_lists();
    for (int mode = BROLGA_MOVE; mode <= BROLGA_COPY; mode++) {
        struct brolga_site site = {.mode = mode};
        brolga_chan *open = list_chan(1, BROLGA_MODE_DEFAULT);
        brolga_chan *full = list_chan(0, BROLGA_MODE_DEFAULT);
        brolga_word list = one_two(), other = one_two();
        struct brolga_arm arms[] = {
            {.chan = full, .op = BROLGA_GIVE, .elem = &other, .site = &site},
            {.chan = open, .op = BROLGA_GIVE, .elem = &list, .site = &site},
        };
        size_t chosen = 9;

        cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                     BROLGA_OK);
        cr_assert_eq(chosen, 1);
        brolga_drop_word(list_type, receive(open));
        list = one_two();
        arms[1].chan = NULL;
        cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                     BROLGA_EAGAIN);
        cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen),
                     BROLGA_ECANCELED);
        cr_assert(is_one_two(other));
        cr_assert_eq(brolga_select_offer(arms, 2, count_wake, &woken, &chosen),
                     BROLGA_EAGAIN);
        brolga_drop_word(list_type, receive(full));
        cr_assert_eq(brolga_select_withdraw(arms, 2, &chosen), BROLGA_OK);
        cr_assert_eq(chosen, 0);
        brolga_drop_word(list_type, list);
        brolga_chan_release(open);
        brolga_chan_release(full);
        forget(&site);
    }
    close_lists();
}

/* --- refused ------------------------------------------------------------ */

SITE_TEST(a_refusal_tells_the_way_to_the_culprit)
{
    struct brolga_site site = {.mode = BROLGA_CHECK};
    struct brolga_copy_error why;
    const brolga_type *handle, *type;
    brolga_word some, list, mine;
    brolga_chan *chan;

    open_lists();
    cr_assert_eq(brolga_type_handle(exact, "Task", NULL, NULL, NULL, &handle),
                 BROLGA_OK);
    cr_assert_eq(brolga_type_parse(exact, "(List (Option Task))", &type, NULL),
                 BROLGA_OK);
    chan = chan_of(type, 1);
    some = model.alloc(16, model.arg);
    fields(some)[0] = 1;
    fields(some)[1] = 77;
    list = cons(some, 0);
    /* A copy is refused, a check is not: nothing shares the handle. */
    cr_assert_eq(brolga_try_send(chan, &list), BROLGA_EUNSENDABLE);
    cr_assert_eq(brolga_send_why(chan, NULL, &list, &why), BROLGA_EUNSENDABLE);
    cr_assert_str_eq(why.path, "field 1 of Cons -> field 1 of Some");
    cr_assert_eq(brolga_send_why(chan, &site, &list, &why), BROLGA_OK);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    list = receive(chan);
    mine = share(some);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_EUNSENDABLE);
    cr_assert_eq(brolga_send_why(chan, &site, &list, &why), BROLGA_EUNSENDABLE);
    cr_assert_str_eq(why.path, "field 1 of Cons -> field 1 of Some");
    cr_assert_neq(why.text[0], '\0');
    cr_assert_eq(site_stats(&site).refused, 1);
    cr_assert_eq(count_of(mine), 2);
    fields(mine)[-1] = 1;
    /* A site that has given up checking does so where copies are refused. */
    brolga__store_relaxed(&site.vain, 16);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    cr_assert_eq(site_stats(&site).checked, 2);
    brolga_chan_release(chan);
    forget(&site);
    brolga_types_destroy(exact);
}

SITE_TEST(a_debugging_host_hears_of_moves_that_are_none)
{
    struct brolga_site site = {.mode = BROLGA_MOVE};
    brolga_word list, mine;
    brolga_chan *chan;

    open_lists();
    chan = list_chan(2, BROLGA_MODE_DEFAULT);
    cr_assert_eq(setenv("BROLGA_DEBUG_RC", "1", 1), 0);
    brolga__store_relaxed(&brolga__rc_wanted, BROLGA__RC_UNKNOWN);
    list = one_two();
    mine = share(fields(list)[2]);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_EINVAL);
    brolga_drop_word(list_type, mine);
    cr_assert_eq(brolga_try_send_site(chan, &site, &list), BROLGA_OK);
    brolga__store_relaxed(&brolga__rc_wanted, BROLGA__RC_OFF);
    cr_assert_eq(site_stats(&site).refused, 1);
    brolga_chan_release(chan);
    forget(&site);
    close_lists();
}
