/*
 * Waiters: offer, result, withdraw. pass.c has the diagram of their states.
 *
 * Closing a channel costs nothing for the values of those who wait: their
 * owners, who made copies of them, drop those on their own threads (ready.c).
 */
#include "chan/fast.h"
#include "chan/parcel.h"

static bool pass_fast(struct brolga_waiter *waiter)
{
    if (waiter->op == BROLGA_RECV)
        return brolga__chan_take_fast(waiter->chan, waiter->elem);
    return brolga__chan_put_fast(waiter->chan, waiter->elem);
}

static int offer(brolga_chan *chan, struct brolga_waiter *waiter,
                 enum brolga_op op, void *elem, struct brolga_site *site)
{
    int err = brolga__waiter_prepare(waiter, chan, op, elem, site, false);

    if (err != BROLGA_OK)
        return err;
    if (!pass_fast(waiter))
        err = brolga__waiter_offer(waiter);
    if (err != BROLGA_EAGAIN)
        brolga__waiter_settle(waiter, err);
    if (err == BROLGA_OK)
        brolga__parcel_arrived(chan, (int)op, elem);
    return err;
}

int brolga_chan_offer(brolga_chan *chan, struct brolga_waiter *waiter,
                      enum brolga_op op, void *elem)
{
    return offer(chan, waiter, op, elem, NULL);
}

int brolga_chan_offer_site(brolga_chan *chan, struct brolga_waiter *waiter,
                           struct brolga_site *site, void *elem)
{
    return offer(chan, waiter, BROLGA_GIVE, elem, site);
}

int brolga_waiter_result(const struct brolga_waiter *waiter)
{
    return brolga__load_acquire(&waiter->result); /* A: waiter_complete */
}

/*
 * A waiter that is found in its queue cannot be claimed any more, and one that
 * is not has been completed: both are done under the lock that we take.
 */
static int unlink_waiter(struct brolga_waiter *waiter)
{
    brolga_chan *chan = waiter->chan;
    bool was_queued;

    brolga__chan_lock(chan);
    was_queued = waiter->queued;
    brolga__queue_remove(brolga__chan_queue(chan, waiter), waiter);
    brolga__chan_unlock(chan);
    return was_queued ? BROLGA_ECANCELED : brolga_waiter_result(waiter);
}

int brolga__waiter_end(struct brolga_waiter *waiter)
{
    int result = brolga__load_acquire(&waiter->result); /* A */

    if (result == BROLGA_EAGAIN)
        result = unlink_waiter(waiter);
    brolga__assert(result != BROLGA_EAGAIN);
    return result;
}

int brolga_chan_withdraw(struct brolga_waiter *waiter)
{
    int result = brolga__waiter_end(waiter);

    brolga__waiter_settle(waiter, result);
    if (result == BROLGA_OK)
        brolga__parcel_arrived(waiter->chan, waiter->op, waiter->elem);
    return result;
}

static void describe_wait(const void *on, char *text, size_t bytes)
{
    const struct brolga_waiter *waiter = on;

    brolga__chan_describe(waiter->chan, text, bytes);
}

const struct brolga__wait brolga__wait_chan = {.describe = describe_wait};
