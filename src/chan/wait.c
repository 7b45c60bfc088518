/*
 * Waiters: offer, result, withdraw. pass.c has the diagram of their states.
 *
 * Who copied a value drops it: the copy that a send makes sits in the waiter
 * until the value is taken, and if it never is, the waiter's owner drops it,
 * on its own thread. So closing a channel costs nothing for the values of
 * those who wait, and a sender that has failed has left nothing behind.
 */
#include "chan/fast.h"
#include "chan/parcel.h"

/* --- copies ------------------------------------------------------------- */

/* Others run, if this task's time is up. A task that is canceled meanwhile
 * sends no more; one that was before may, for its sends that take no time may,
 * too. */
static int pause_copy(void *arg)
{
    const int *reason_before = arg;
    int reason;

    brolga_safepoint();
    reason = brolga_cancel_reason();
    return reason == *reason_before ? BROLGA_OK : reason;
}

int brolga__copy_in_task(const brolga_type *type, const void *elem,
                         brolga_word *out, struct brolga_leases *leases,
                         bool may_pause)
{
    struct brolga_copy_opts opts = {.leases = leases};
    int reason;

    if (may_pause && brolga_view_self() != NULL) {
        reason = brolga_cancel_reason();
        opts.pause = pause_copy;
        opts.arg = &reason;
    }
    return brolga_copy_with(type, elem, out, &opts, NULL);
}

int brolga__waiter_copy(struct brolga_waiter *waiter, bool may_pause)
{
    /* What is not plain is a word, so there is room for it in the waiter. */
    int err = brolga__parcel_copy(waiter->chan->type, waiter->elem,
                                  &waiter->copy, may_pause);

    if (err != BROLGA_OK)
        return err;
    waiter->elem = &waiter->copy;
    waiter->copied = true;
    return BROLGA_OK;
}

int brolga__waiter_wrap(struct brolga_waiter *waiter)
{
    brolga_word word;
    int err;

    if (!waiter->chan->parcels || !brolga__lease_any())
        return BROLGA_OK;
    memcpy(&word, waiter->elem, sizeof(word));
    err = brolga__parcel_wrap(word, &waiter->copy);
    if (err != BROLGA_OK)
        return err;
    waiter->elem = &waiter->copy;
    waiter->copied = true;
    return BROLGA_OK;
}

/* --- waiters ------------------------------------------------------------ */

void brolga__waiter_undo(struct brolga_waiter *waiter)
{
    if (waiter->copied && waiter->op == BROLGA_GIVE)
        brolga__parcel_unwrap(waiter->copy);
    else if (waiter->copied)
        brolga__parcel_drop(waiter->chan->type, waiter->copy);
    waiter->copied = false;
}

static bool pass_fast(struct brolga_waiter *waiter)
{
    if (waiter->op == BROLGA_RECV)
        return brolga__chan_take_fast(waiter->chan, waiter->elem);
    return brolga__chan_put_fast(waiter->chan, waiter->elem);
}

int brolga_chan_offer(brolga_chan *chan, struct brolga_waiter *waiter,
                      enum brolga_op op, void *elem)
{
    int err = brolga__waiter_prepare(waiter, chan, op, elem, false);

    if (err != BROLGA_OK)
        return err;
    if (!pass_fast(waiter))
        err = brolga__waiter_offer(waiter);
    if (err == BROLGA_OK)
        brolga__parcel_arrived(chan, (int)op, elem);
    else if (err != BROLGA_EAGAIN)
        brolga__waiter_undo(waiter);
    return err;
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

    if (result == BROLGA_OK)
        brolga__parcel_arrived(waiter->chan, waiter->op, waiter->elem);
    else
        brolga__waiter_undo(waiter);
    return result;
}

static void describe_wait(const void *on, char *text, size_t bytes)
{
    const struct brolga_waiter *waiter = on;

    brolga__chan_describe(waiter->chan, text, bytes);
}

const struct brolga__wait brolga__wait_chan = {.describe = describe_wait};
