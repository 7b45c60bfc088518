/*
 * Send, give, receive: once, or until it works.
 *
 * A blocking operation is: try; if that is in vain, offer a waiter whose wake
 * unparks this task, and park until it was completed. Parks may return for no
 * reason; deadline and cancel may come at the same time as a completion, and
 * then the completion counts, for the value has moved. The wake that follows
 * such a completion finds a task that does something else by now, whose next
 * park returns for no reason.
 */
#include "chan/chan.h"

/* Parks until the waiter is completed. What ends the waiting early withdraws
 * it; but if it was completed meanwhile, that counts. */
static int park_until_done(struct brolga_waiter *waiter, const char *where,
                           uint64_t deadline_ns)
{
    int parked = BROLGA_OK;
    int result;

    while (parked == BROLGA_OK && brolga_waiter_result(waiter) == BROLGA_EAGAIN)
        parked =
            brolga__park_on(where, &brolga__wait_chan, waiter, deadline_ns);
    result = brolga_chan_withdraw(waiter);
    return result == BROLGA_ECANCELED ? parked : result;
}

static int wait_for(struct brolga_waiter *waiter, uint64_t deadline_ns)
{
    const char *where = waiter->op == BROLGA_RECV ? "recv" : "send";
    int err;

    err = brolga_cancel_reason();
    if (err != BROLGA_OK)
        return err;
    if (deadline_ns == BROLGA_NOW)
        return BROLGA_ETIMEOUT;
    waiter->wake = brolga__wake_task;
    waiter->arg = brolga_self();
    err = brolga__waiter_offer(waiter);
    return err == BROLGA_EAGAIN ? park_until_done(waiter, where, deadline_ns)
                                : err;
}

/* Whether copying a value is known to be in vain. Only a hint: another thread
 * may change that at any time; but copying costs more than looking. */
static int look_before_copy(brolga_chan *chan, bool may_wait)
{
    int err = BROLGA_OK;

    if (brolga__load_relaxed(&chan->closed)) /* a hint */
        return BROLGA_ECLOSED;
    if (may_wait || chan->unbounded || chan->plain)
        return BROLGA_OK;
    brolga__lock_take(&chan->lock);
    if (chan->ring.count == chan->capacity && chan->receivers.count == 0)
        err = BROLGA_EAGAIN;
    brolga__lock_leave(&chan->lock);
    return err;
}

static int prepare(struct brolga_waiter *waiter, brolga_chan *chan,
                   enum brolga_op op, void *elem, bool may_wait)
{
    int err = BROLGA_OK;

    if (op == BROLGA_SEND)
        err = look_before_copy(chan, may_wait);
    return err == BROLGA_OK ? brolga__waiter_prepare(waiter, chan, op, elem)
                            : err;
}

static int once(brolga_chan *chan, enum brolga_op op, void *elem)
{
    struct brolga_waiter waiter;
    int err = prepare(&waiter, chan, op, elem, false);

    if (err != BROLGA_OK)
        return err;
    err = brolga__waiter_try(&waiter);
    if (err != BROLGA_OK)
        brolga__waiter_undo(&waiter);
    return err;
}

static int until(brolga_chan *chan, enum brolga_op op, void *elem,
                 uint64_t deadline_ns)
{
    struct brolga_waiter waiter;
    int err;

    if (brolga_view_self() == NULL)
        return BROLGA_ESTATE;
    err = prepare(&waiter, chan, op, elem, true);
    if (err != BROLGA_OK)
        return err;
    err = brolga__waiter_try(&waiter);
    if (err == BROLGA_EAGAIN)
        err = wait_for(&waiter, deadline_ns);
    if (err != BROLGA_OK)
        brolga__waiter_undo(&waiter);
    return err;
}

int brolga_send(brolga_chan *chan, const void *elem, uint64_t deadline_ns)
{
    /* A send only reads the element, whatever the pointer's type says. */
    return brolga__chan_finish(
        until(chan, BROLGA_SEND, (void *)elem, deadline_ns));
}

int brolga_give(brolga_chan *chan, void *elem, uint64_t deadline_ns)
{
    return brolga__chan_finish(until(chan, BROLGA_GIVE, elem, deadline_ns));
}

int brolga_recv(brolga_chan *chan, void *elem, uint64_t deadline_ns)
{
    return brolga__chan_finish(until(chan, BROLGA_RECV, elem, deadline_ns));
}

int brolga_try_send(brolga_chan *chan, const void *elem)
{
    return brolga__chan_finish(once(chan, BROLGA_SEND, (void *)elem));
}

int brolga_try_give(brolga_chan *chan, void *elem)
{
    return brolga__chan_finish(once(chan, BROLGA_GIVE, elem));
}

int brolga_try_recv(brolga_chan *chan, void *elem)
{
    return brolga__chan_finish(once(chan, BROLGA_RECV, elem));
}

static bool takes_words(const brolga_chan *chan)
{
    return chan->type == NULL || brolga_type_is_word(chan->type);
}

int brolga_send_word(brolga_chan *chan, brolga_word word, uint64_t deadline_ns)
{
    if (!takes_words(chan))
        return BROLGA_EINVAL;
    return brolga_send(chan, &word, deadline_ns);
}

int brolga_recv_word(brolga_chan *chan, brolga_word *word, uint64_t deadline_ns)
{
    if (!takes_words(chan))
        return BROLGA_EINVAL;
    return brolga_recv(chan, word, deadline_ns);
}
