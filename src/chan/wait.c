/*
 * Waiters: offer, result, withdraw. pass.c has the diagram of their states.
 *
 * Who copied a value drops it: the copy that a send makes sits in the waiter
 * until the value is taken, and if it never is, the waiter's owner drops it,
 * on its own thread. So closing a channel costs nothing for the values of
 * those who wait, and a sender that has failed has left nothing behind.
 */
#include "chan/chan.h"

int brolga__waiter_prepare(struct brolga_waiter *waiter, brolga_chan *chan,
                           enum brolga_op op, void *elem)
{
    int err;

    waiter->chan = chan;
    waiter->op = (int32_t)op;
    waiter->elem = elem;
    waiter->queued = false;
    waiter->copied = false;
    if (op != BROLGA_SEND || chan->plain)
        return BROLGA_OK;
    /* What is not plain is a word, so there is room for it in the waiter. */
    err = brolga_copy(chan->type, elem, &waiter->copy, NULL);
    if (err != BROLGA_OK)
        return err;
    waiter->elem = &waiter->copy;
    waiter->copied = true;
    return BROLGA_OK;
}

void brolga__waiter_undo(struct brolga_waiter *waiter)
{
    if (waiter->copied)
        brolga_drop(waiter->chan->type, &waiter->copy);
    waiter->copied = false;
}

void brolga__waiter_enqueue(struct brolga_waiter *waiter,
                            brolga_shared_int *claim, int32_t arm)
{
    brolga__assert(arm != 0);
    waiter->claim = claim;
    waiter->arm = arm;
    /* Relaxed: the lock publishes the waiter. */
    brolga__store_relaxed(&waiter->result, BROLGA_EAGAIN);
    brolga__queue_push(brolga__chan_queue(waiter->chan, waiter), waiter);
}

int brolga__waiter_try(struct brolga_waiter *waiter)
{
    brolga_chan *chan = waiter->chan;
    struct brolga__wake wake = {NULL, NULL};
    int err;

    brolga__lock_take(&chan->lock);
    err = brolga__chan_attempt(chan, waiter, &wake);
    brolga__lock_leave(&chan->lock);
    brolga__wake_call(&wake);
    return err;
}

int brolga__waiter_offer(struct brolga_waiter *waiter)
{
    brolga_chan *chan = waiter->chan;
    struct brolga__wake wake = {NULL, NULL};
    int err;

    brolga__assert(waiter->wake != NULL);
    brolga__store_relaxed(&waiter->own_claim, 0); /* L */
    brolga__lock_take(&chan->lock);
    err = brolga__chan_attempt(chan, waiter, &wake);
    if (err == BROLGA_EAGAIN)
        brolga__waiter_enqueue(waiter, &waiter->own_claim, 1);
    brolga__lock_leave(&chan->lock);
    brolga__wake_call(&wake);
    return err;
}

int brolga_chan_offer(brolga_chan *chan, struct brolga_waiter *waiter,
                      enum brolga_op op, void *elem)
{
    int err = brolga__waiter_prepare(waiter, chan, op, elem);

    if (err != BROLGA_OK)
        return err;
    err = brolga__waiter_offer(waiter);
    if (err != BROLGA_OK && err != BROLGA_EAGAIN)
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

    brolga__lock_take(&chan->lock);
    was_queued = waiter->queued;
    brolga__queue_remove(brolga__chan_queue(chan, waiter), waiter);
    brolga__lock_leave(&chan->lock);
    return was_queued ? BROLGA_ECANCELED : brolga_waiter_result(waiter);
}

int brolga_chan_withdraw(struct brolga_waiter *waiter)
{
    int result = brolga_waiter_result(waiter);

    if (result == BROLGA_EAGAIN)
        result = unlink_waiter(waiter);
    brolga__assert(result != BROLGA_EAGAIN);
    if (result != BROLGA_OK)
        brolga__waiter_undo(waiter);
    return result;
}

static void describe_wait(const void *on, char *text, size_t bytes)
{
    const struct brolga_waiter *waiter = on;

    brolga__chan_describe(waiter->chan, text, bytes);
}

const struct brolga__wait brolga__wait_chan = {.describe = describe_wait};
