/*
 * What a broadcast does to one of its subscriptions: wait for room, and put
 * values in. Nobody else puts values there, so that room that was seen stays.
 *
 * A subscription that drops never makes anybody wait: a value for which there
 * is no room takes the place of the oldest. The *gap* counts those that were
 * dropped since a value was received; they were older than the next one, so
 * that whoever receives that one has missed them.
 */
#include <brolga/broadcast.h>

#include "chan/parcel.h"

void brolga__chan_subscribe(brolga_chan *chan, bool drops)
{
    chan->fed = true;
    chan->drops = drops;
    if (drops) /* Receivers must count the gaps: in the slow path. */
        chan->buffered = false;
}

int brolga__chan_has_room(brolga_chan *chan)
{
    struct brolga_waiter waiter = {.chan = chan, .op = BROLGA__ROOM};

    return brolga__waiter_try(&waiter);
}

int brolga__chan_await_room(brolga_chan *chan, uint64_t deadline_ns)
{
    struct brolga_waiter waiter = {.chan = chan, .op = BROLGA__ROOM};

    return brolga__waiter_wait(&waiter, deadline_ns);
}

/* Takes the oldest value out; the lock is held. */
static void drop_oldest(brolga_chan *chan, brolga_word *word)
{
    if (chan->plain)
        brolga__end_pass(&chan->ring.head); /* H */
    else
        brolga__ring_take(&chan->ring, word);
    chan->dropped++;
    chan->gap++;
}

bool brolga__chan_feed(brolga_chan *chan, const void *elem)
{
    struct brolga__wake wake = {NULL, NULL};
    bool closed, full = false;
    brolga_word oldest = 0;
    int err = BROLGA_OK;

    brolga__chan_lock(chan);
    closed = brolga__load_relaxed(&chan->closed); /* L */
    if (!closed) {
        full = brolga__ring_count(&chan->ring) == chan->capacity;
        brolga__assert(!full || chan->drops);
        if (full)
            drop_oldest(chan, &oldest);
        err = brolga__chan_place(chan, elem, &wake);
    }
    brolga__chan_unlock(chan);
    brolga__assert(err == BROLGA_OK); /* Its buffer has all its memory. */
    brolga__wake_call(&wake);
    if (full && !chan->plain)
        brolga__parcel_drop(chan->type, oldest);
    return !closed;
}

uint64_t brolga_chan_missed(brolga_chan *subscription)
{
    uint64_t missed;

    brolga__chan_lock(subscription);
    missed = subscription->missed;
    subscription->missed = 0;
    brolga__chan_unlock(subscription);
    return missed;
}
