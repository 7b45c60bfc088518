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
#include "chan/fast.h"
#include "chan/parcel.h"

/* Parks until the waiter is completed. What ends the waiting early withdraws
 * it; but if it was completed meanwhile, that counts. */
static inline int park_until_done(struct brolga_waiter *waiter,
                                  uint64_t deadline_ns)
{
    const char *where = waiter->op == BROLGA_RECV ? "recv" : "send";
    int parked = BROLGA_OK;
    int result;

    while (parked == BROLGA_OK && brolga__waiter_waits(waiter))
        parked =
            brolga__park_on(where, &brolga__wait_chan, waiter, deadline_ns);
    result = brolga__waiter_end(waiter);
    return result == BROLGA_ECANCELED ? parked : result;
}

/* Does a prepared operation, or leaves it in the channel and parks. That a task
 * is canceled is found by the park. Inline: see until(). */
static inline int wait_for(struct brolga_waiter *waiter, uint64_t deadline_ns)
{
    int err;

    if (deadline_ns == BROLGA_NOW) {
        err = brolga__waiter_try(waiter);
        if (err != BROLGA_EAGAIN)
            return err;
        err = brolga_cancel_reason();
        return err != BROLGA_OK ? err : BROLGA_ETIMEOUT;
    }
    waiter->wake = brolga__wake_task;
    waiter->arg = brolga__self();
    err = brolga__waiter_offer(waiter);
    return err == BROLGA_EAGAIN ? park_until_done(waiter, deadline_ns) : err;
}

int brolga__waiter_wait(struct brolga_waiter *waiter, uint64_t deadline_ns)
{
    return wait_for(waiter, deadline_ns);
}

/* Whether copying a value is known to be in vain. Only a hint: another thread
 * may change that at any time; but copying costs more than looking. */
static int look_before_copy(brolga_chan *chan, bool may_wait)
{
    int err = BROLGA_OK;

    if (brolga__load_relaxed(&chan->closed)) /* a hint */
        return BROLGA_ECLOSED;
    if (may_wait || chan->unbounded)
        return BROLGA_OK;
    brolga__spin_take(&chan->ring.tail.lock);
    if (brolga__ring_count(&chan->ring) == chan->capacity &&
        chan->receivers.count == 0)
        err = BROLGA_EAGAIN;
    brolga__spin_leave(&chan->ring.tail.lock);
    return err;
}

static int prepare(struct brolga_waiter *waiter, brolga_chan *chan,
                   enum brolga_op op, void *elem, struct brolga_site *site,
                   bool may_wait)
{
    int err = BROLGA_OK;

    if (!chan->plain &&
        (op == BROLGA_SEND || (op == BROLGA_GIVE && (site || !chan->moves))))
        err = look_before_copy(chan, may_wait);
    if (err != BROLGA_OK)
        return err;
    return brolga__waiter_prepare(waiter, chan, op, elem, site, true);
}

/* What was copied or checked only now has not been tried yet. */
static bool ready_at_once(struct brolga_waiter *waiter)
{
    return waiter->how != BROLGA_MOVE &&
           brolga__chan_put_fast(waiter->chan, waiter->elem);
}

/* What is left to be done on the waiter's side. */
static int ended(struct brolga_waiter *waiter, int result)
{
    brolga__waiter_settle(waiter, result);
    if (result == BROLGA_OK)
        brolga__parcel_arrived(waiter->chan, waiter->op, waiter->elem);
    return result;
}

/* --- the public calls --------------------------------------------------- */

/* What needs no waiter, nor a look at who waits: true if it is done. */
static inline bool at_once(brolga_chan *chan, enum brolga_op op, void *elem)
{
    if (op == BROLGA_RECV) {
        if (!brolga__chan_take_fast(chan, elem))
            return false;
        brolga__parcel_arrived(chan, BROLGA_RECV, elem);
        return true;
    }
    return (op == BROLGA_GIVE ? chan->moves && !brolga__chan_gives_slowly(chan)
                              : chan->plain) &&
           brolga__chan_put_fast(chan, elem);
}

static __attribute__((noinline)) int once_slow(brolga_chan *chan,
                                               enum brolga_op op, void *elem,
                                               struct brolga_site *site)
{
    struct brolga_waiter waiter;
    int err = prepare(&waiter, chan, op, elem, site, false);

    if (err != BROLGA_OK)
        return brolga__chan_finish(err);
    if (!ready_at_once(&waiter))
        err = brolga__waiter_try(&waiter);
    return brolga__chan_finish(ended(&waiter, err));
}

static __attribute__((noinline)) int until_slow(brolga_chan *chan,
                                                enum brolga_op op, void *elem,
                                                struct brolga_site *site,
                                                uint64_t deadline_ns)
{
    struct brolga_waiter waiter;
    int err = prepare(&waiter, chan, op, elem, site, true);

    if (err != BROLGA_OK)
        return brolga__chan_finish(err);
    if (!ready_at_once(&waiter))
        err = wait_for(&waiter, deadline_ns);
    return brolga__chan_finish(ended(&waiter, err));
}

static inline int once(brolga_chan *chan, enum brolga_op op, void *elem)
{
    if (brolga__likely(at_once(chan, op, elem)))
        return brolga__chan_finish(BROLGA_OK);
    return once_slow(chan, op, elem, NULL);
}

/* A tail call of the slow path: after a park, each return to a caller is one
 * that the processor has predicted wrongly. */
static inline int until(brolga_chan *chan, enum brolga_op op, void *elem,
                        uint64_t deadline_ns)
{
    if (brolga__unlikely(brolga_view_self() == NULL))
        return BROLGA_ESTATE;
    if (brolga__likely(at_once(chan, op, elem)))
        return brolga__chan_finish(BROLGA_OK);
    return until_slow(chan, op, elem, NULL, deadline_ns);
}

int brolga_send(brolga_chan *chan, const void *elem, uint64_t deadline_ns)
{
    /* A send only reads the element, whatever the pointer's type says. */
    return until(chan, BROLGA_SEND, (void *)elem, deadline_ns);
}

int brolga_give(brolga_chan *chan, void *elem, uint64_t deadline_ns)
{
    return until(chan, BROLGA_GIVE, elem, deadline_ns);
}

int brolga_recv(brolga_chan *chan, void *elem, uint64_t deadline_ns)
{
    return until(chan, BROLGA_RECV, elem, deadline_ns);
}

int brolga_try_send(brolga_chan *chan, const void *elem)
{
    return once(chan, BROLGA_SEND, (void *)elem);
}

int brolga_try_give(brolga_chan *chan, void *elem)
{
    return once(chan, BROLGA_GIVE, elem);
}

int brolga_try_recv(brolga_chan *chan, void *elem)
{
    return once(chan, BROLGA_RECV, elem);
}

int brolga_send_word(brolga_chan *chan, brolga_word word, uint64_t deadline_ns)
{
    if (!chan->words)
        return BROLGA_EINVAL;
    return until(chan, BROLGA_SEND, &word, deadline_ns);
}

int brolga_recv_word(brolga_chan *chan, brolga_word *word, uint64_t deadline_ns)
{
    if (!chan->words)
        return BROLGA_EINVAL;
    return until(chan, BROLGA_RECV, word, deadline_ns);
}

/* --- sites -------------------------------------------------------------- */

/* A move that needs no look at anything else. */
static inline bool move_at_once(brolga_chan *chan, struct brolga_site *site,
                                void *elem)
{
    if (!brolga__site_moves(site) || !at_once(chan, BROLGA_GIVE, elem))
        return false;
    brolga__site_sent(site, BROLGA_MOVE);
    return true;
}

int brolga_send_site(brolga_chan *chan, struct brolga_site *site, void *elem,
                     uint64_t deadline_ns)
{
    if (brolga__unlikely(brolga_view_self() == NULL))
        return BROLGA_ESTATE;
    if (brolga__likely(move_at_once(chan, site, elem)))
        return brolga__chan_finish(BROLGA_OK);
    return until_slow(chan, BROLGA_GIVE, elem, site, deadline_ns);
}

int brolga_try_send_site(brolga_chan *chan, struct brolga_site *site,
                         void *elem)
{
    if (brolga__likely(move_at_once(chan, site, elem)))
        return brolga__chan_finish(BROLGA_OK);
    return once_slow(chan, BROLGA_GIVE, elem, site);
}
