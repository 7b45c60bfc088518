/*
 * Select: one of several operations, in several channels.
 *
 * The arms' waiters share one claim word, that of the first arm. All channels
 * are locked, in the order of their addresses, while the arms are attempted
 * and then enqueued. So the select is either not in any queue or in all of
 * them, and needs no claim of its own to complete somebody else's waiter:
 * without that, two selects that meet in two channels would each have to claim
 * themselves and the other at the same time.
 *
 * After one arm was claimed, the others stay in their queues, dead, until they
 * meet a completer, who unlinks them, or until the owner does. The owner takes
 * the lock of every arm's channel before it lets the memory go.
 */
#include "chan/parcel.h"

#include <stdio.h>
#include <string.h>

/* The distinct channels of the enabled arms, by address. */
struct channels {
    brolga_chan *at[BROLGA_SELECT_MAX];
    size_t count;
};

static void insert_sorted(struct channels *set, brolga_chan *chan)
{
    size_t i = set->count;

    while (i > 0 && (uintptr_t)set->at[i - 1] > (uintptr_t)chan)
        i--;
    if (i > 0 && set->at[i - 1] == chan)
        return;
    for (size_t j = set->count; j > i; j--)
        set->at[j] = set->at[j - 1];
    set->at[i] = chan;
    set->count++;
}

static void lock_all(struct channels *set, const struct brolga_arm *arms,
                     size_t count)
{
    set->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (arms[i].chan != NULL)
            insert_sorted(set, arms[i].chan);
    }
    for (size_t i = 0; i < set->count; i++)
        brolga__chan_lock(set->at[i]);
}

static void unlock_all(const struct channels *set)
{
    for (size_t i = 0; i < set->count; i++)
        brolga__chan_unlock(set->at[i]);
}

/* Any number below `count`; the state is guarded by the channel's lock. The
 * high bits of such a generator are good enough to be fair. */
static size_t random_below(brolga_chan *chan, size_t count)
{
    chan->random = chan->random * UINT64_C(6364136223846793005) +
                   UINT64_C(1442695040888963407);
    return (size_t)(chan->random >> 33) % count;
}

/* --- arms --------------------------------------------------------------- */

/* Settles all arms; `done` is the one that was done, or `count`. */
static void settle_arms(struct brolga_arm *arms, size_t count, size_t done)
{
    for (size_t i = 0; i < count; i++) {
        if (arms[i].chan != NULL)
            brolga__waiter_settle(&arms[i].waiter,
                                  i == done ? BROLGA_OK : BROLGA_ECANCELED);
    }
}

/* Sites are for what is given. */
static struct brolga_site *site_of(const struct brolga_arm *arm)
{
    return arm->op == BROLGA_GIVE ? arm->site : NULL;
}

static int prepare_arms(struct brolga_arm *arms, size_t count,
                        void (*wake)(void *arg), void *arg, bool may_pause)
{
    size_t enabled = 0;

    if (count > BROLGA_SELECT_MAX)
        return BROLGA_EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct brolga_arm *arm = &arms[i];
        int err;

        if (arm->chan == NULL)
            continue;
        err = brolga__waiter_prepare(&arm->waiter, arm->chan, arm->op,
                                     arm->elem, site_of(arm), may_pause);
        if (err != BROLGA_OK) {
            settle_arms(arms, i, i);
            return err;
        }
        arm->waiter.wake = wake;
        arm->waiter.arg = arg;
        enabled++;
    }
    return enabled > 0 ? BROLGA_OK : BROLGA_EINVAL;
}

/* Attempts the arms from a random one on; all locks are held. */
static int attempt_arms(struct brolga_arm *arms, size_t count, size_t first,
                        struct brolga__wake *wake, size_t *chosen)
{
    for (size_t n = 0; n < count; n++) {
        size_t i = (first + n) % count;
        int err;

        if (arms[i].chan == NULL)
            continue;
        err = brolga__chan_attempt(arms[i].chan, &arms[i].waiter, wake);
        if (err != BROLGA_EAGAIN) {
            *chosen = i;
            return err;
        }
    }
    return BROLGA_EAGAIN;
}

static void enqueue_arms(struct brolga_arm *arms, size_t count)
{
    brolga_shared_int *claim = &arms[0].waiter.own_claim;

    brolga__store_relaxed(claim, 0); /* L */
    for (size_t i = 0; i < count; i++) {
        if (arms[i].chan != NULL)
            brolga__waiter_enqueue(&arms[i].waiter, claim, (int32_t)i + 1);
    }
}

/* The arm was done. */
static void arrived(const struct brolga_arm *arm)
{
    brolga__parcel_arrived(arm->chan, (int)arm->op, arm->elem);
}

/* Attempts prepared arms; if that is in vain, and `may_wait`, enqueues them. */
static int offer_arms(struct brolga_arm *arms, size_t count, bool may_wait,
                      size_t *chosen)
{
    struct brolga__wake wake = {NULL, NULL};
    struct channels set;
    int err;

    lock_all(&set, arms, count);
    brolga__assert(set.count > 0);
    err = attempt_arms(arms, count, random_below(set.at[0], count), &wake,
                       chosen);
    if (err == BROLGA_EAGAIN && may_wait)
        enqueue_arms(arms, count);
    unlock_all(&set);
    brolga__wake_call(&wake);
    if (err == BROLGA_OK) {
        brolga__chan_after(arms[*chosen].chan, arms[*chosen].op);
        arrived(&arms[*chosen]);
    }
    if (err != BROLGA_EAGAIN || !may_wait)
        settle_arms(arms, count, err == BROLGA_OK ? *chosen : count);
    return err;
}

int brolga_select_offer(struct brolga_arm *arms, size_t count,
                        void (*wake)(void *arg), void *arg, size_t *chosen)
{
    int err = prepare_arms(arms, count, wake, arg, false);

    brolga__assert(wake != NULL);
    return err == BROLGA_OK ? offer_arms(arms, count, true, chosen) : err;
}

/* --- the end ------------------------------------------------------------ */

/* Whether someone has claimed an arm. What they did is to be seen once their
 * channel's lock has been taken, or the arm's result. */
static int32_t claimed_arm(const struct brolga_arm *arms)
{
    return brolga__load_relaxed(&arms[0].waiter.own_claim);
}

int brolga_select_withdraw(struct brolga_arm *arms, size_t count,
                           size_t *chosen)
{
    int32_t claimed;
    int result;

    for (size_t i = 0; i < count; i++) {
        struct brolga_waiter *waiter = &arms[i].waiter;
        brolga_chan *chan = arms[i].chan;

        if (chan == NULL)
            continue;
        brolga__chan_lock(chan);
        brolga__queue_remove(brolga__chan_queue(chan, waiter), waiter);
        brolga__chan_unlock(chan);
    }
    /* No arm is in a queue now: nobody can claim one any more. */
    claimed = claimed_arm(arms);
    if (claimed == 0) {
        settle_arms(arms, count, count);
        return BROLGA_ECANCELED;
    }
    result = brolga_waiter_result(&arms[claimed - 1].waiter);
    brolga__assert(result != BROLGA_EAGAIN);
    *chosen = (size_t)claimed - 1;
    settle_arms(arms, count, result == BROLGA_OK ? *chosen : count);
    if (result == BROLGA_OK)
        arrived(&arms[*chosen]);
    return result;
}

struct waits {
    const struct brolga_arm *arms;
    size_t count;
};

static void describe_wait(const void *on, char *text, size_t bytes)
{
    const struct waits *waits = on;
    const char *between = "";
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < waits->count && at + 1 < bytes; i++) {
        const struct brolga_arm *arm = &waits->arms[i];

        if (arm->chan == NULL)
            continue;
        (void)snprintf(text + at, bytes - at, "%s%s ", between,
                       arm->op == BROLGA_RECV ? "recv" : "send");
        at += strlen(text + at);
        brolga__chan_describe(arm->chan, text + at, bytes - at);
        at += strlen(text + at);
        between = ", ";
    }
}

static const struct brolga__wait wait_select = {.describe = describe_wait};

/* Parks until an arm is claimed, or for as long as that may take. */
static int park_until_claimed(struct brolga_arm *arms, size_t count,
                              uint64_t deadline_ns, size_t *chosen)
{
    struct waits waits = {arms, count};
    int parked = BROLGA_OK;
    int result;

    while (parked == BROLGA_OK && claimed_arm(arms) == 0)
        parked = brolga__park_on("select", &wait_select, &waits, deadline_ns);
    result = brolga_select_withdraw(arms, count, chosen);
    return result == BROLGA_ECANCELED ? parked : result;
}

static int select_arms(struct brolga_arm *arms, size_t count,
                       uint64_t deadline_ns, size_t *chosen)
{
    bool may_wait;
    int canceled, err;

    if (brolga_view_self() == NULL)
        return BROLGA_ESTATE;
    canceled = brolga_cancel_reason();
    may_wait = canceled == BROLGA_OK && deadline_ns != BROLGA_NOW;
    err = prepare_arms(arms, count, brolga__wake_task, brolga__self(), true);
    if (err == BROLGA_OK)
        err = offer_arms(arms, count, may_wait, chosen);
    if (err != BROLGA_EAGAIN)
        return err;
    if (!may_wait)
        return canceled != BROLGA_OK ? canceled : BROLGA_ETIMEOUT;
    return park_until_claimed(arms, count, deadline_ns, chosen);
}

int brolga_select(struct brolga_arm *arms, size_t count, uint64_t deadline_ns,
                  size_t *chosen)
{
    return brolga__chan_finish(select_arms(arms, count, deadline_ns, chosen));
}
