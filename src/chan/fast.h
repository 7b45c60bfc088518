/*
 * The fast paths: one value into the buffer, or out of it, under one end's
 * lock, when nobody waits and the channel's kind does not ask for more. Where
 * they fail nothing has happened, and the slow path (wait.c) looks closer.
 *
 * They are inline and know no waiter: a value costs one read-modify-write, and
 * touches the end's line and the slot's.
 */
#ifndef BROLGA_SRC_CHAN_FAST_H
#define BROLGA_SRC_CHAN_FAST_H

#include "chan/chan.h"

/* Looks how many slots are free for sure; 0 if the slow path must decide. The
 * tail's lock is held. */
uint64_t brolga__chan_find_slots(brolga_chan *chan);

/* The same for values; the head's lock is held. */
uint64_t brolga__chan_find_values(brolga_chan *chan);

/* Puts an element into the buffer; false if that is not possible so simply. */
static inline bool brolga__chan_put_fast(brolga_chan *chan, const void *elem)
{
    struct brolga__end *tail = &chan->ring.tail;
    bool done;

    if (!chan->buffered)
        return false;
    brolga__spin_take(&tail->lock);
    done = brolga__likely(tail->room > 0) || brolga__chan_find_slots(chan) > 0;
    if (brolga__likely(done)) {
        tail->room--;
        brolga__ring_put(&chan->ring, elem);
    }
    brolga__spin_leave(&tail->lock);
    return done;
}

/* Takes the oldest element out of the buffer; false as above. */
static inline bool brolga__chan_take_fast(brolga_chan *chan, void *elem)
{
    struct brolga__end *head = &chan->ring.head;
    bool done;

    if (!chan->buffered)
        return false;
    brolga__spin_take(&head->lock);
    done = brolga__likely(head->room > 0) || brolga__chan_find_values(chan) > 0;
    if (brolga__likely(done)) {
        head->room--;
        brolga__ring_take(&chan->ring, elem);
    }
    brolga__spin_leave(&head->lock);
    return done;
}

#endif
