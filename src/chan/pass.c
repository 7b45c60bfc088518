/*
 * How one value passes from a sender to a receiver, under the channel's lock:
 * from the sender straight to a receiver that waits, else through the buffer.
 *
 * A waiter lives through these states; the words in brackets are its fields:
 *
 *        offer            claim               complete
 *   new ------> waiting ---------> claimed ------------> done
 *      [queued]    |    [claim=arm]        [result, A]
 *                  | withdraw, or claimed through another channel
 *                  v
 *              unlinked
 *
 * The claim word belongs to one waiter, or is shared by the arms of a select,
 * whose waiters are in queues under different locks. It decides which of them
 * is done: exactly one compare-and-swap succeeds. It orders nothing, hence is
 * relaxed: the loser does nothing but unlink the waiter under its own lock,
 * and the winner's work is published through `result` (edge A).
 *
 * Two waiters are never claimed for one hand-over: the other party holds the
 * locks of all channels in which it is going to wait, so is in no queue yet.
 */
#include "chan/chan.h"

#include <string.h>

/* --- queues ------------------------------------------------------------- */

void brolga__queue_push(struct brolga__queue *queue,
                        struct brolga_waiter *waiter)
{
    brolga__assert(!waiter->queued);
    waiter->queued = true;
    waiter->next = NULL;
    waiter->prev = queue->last;
    if (queue->last != NULL)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
    queue->count++;
}

void brolga__queue_remove(struct brolga__queue *queue,
                          struct brolga_waiter *waiter)
{
    if (!waiter->queued)
        return;
    if (waiter->prev != NULL)
        waiter->prev->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->prev = waiter->prev;
    else
        queue->last = waiter->prev;
    waiter->queued = false;
    queue->count--;
}

struct brolga__queue *brolga__chan_queue(brolga_chan *chan,
                                         const struct brolga_waiter *waiter)
{
    return waiter->op == BROLGA_RECV ? &chan->receivers : &chan->senders;
}

struct brolga_waiter *brolga__queue_claim(struct brolga__queue *queue)
{
    struct brolga_waiter *waiter;

    /* Ends: every turn makes the queue shorter. */
    while ((waiter = queue->first) != NULL) {
        int32_t nobody = 0;

        brolga__queue_remove(queue, waiter);
        /* Relaxed: see the head of this file. */
        if (brolga__cas_relaxed(waiter->claim, &nobody, waiter->arm))
            return waiter;
    }
    return NULL;
}

struct brolga__wake brolga__waiter_complete(struct brolga_waiter *waiter,
                                            int result)
{
    struct brolga__wake wake = {waiter->wake, waiter->arg};

    brolga__assert(!waiter->queued);
    brolga__assert(result != BROLGA_EAGAIN);
    /* From here on the waiter's memory may be gone. */
    brolga__store_release(&waiter->result, result); /* A: waiter_result */
    return wake;
}

/* --- values ------------------------------------------------------------- */

static void move_elem(const brolga_chan *chan, void *to, const void *from)
{
    if (brolga__likely(chan->bytes == sizeof(brolga_word)))
        memcpy(to, from, sizeof(brolga_word));
    else
        memcpy(to, from, chan->bytes);
}

/* A value goes from a sender to a receiver without being buffered. */
static void hand_over(brolga_chan *chan, void *to, const void *from)
{
    move_elem(chan, to, from);
    chan->sent++;
    chan->received++;
}

/* Makes sure that the buffer has a free slot, or says why not. */
static int make_room(brolga_chan *chan)
{
    struct brolga__ring *ring = &chan->ring;

    if (chan->unbounded && ring->count >= chan->count_max)
        return BROLGA_ELIMIT;
    if (ring->count < ring->slots)
        return BROLGA_OK;
    return chan->unbounded ? brolga__ring_grow(ring) : BROLGA_EAGAIN;
}

static int put(brolga_chan *chan, const void *elem, struct brolga__wake *wake)
{
    struct brolga_waiter *receiver;
    int err;

    if (brolga__load_relaxed(&chan->closed)) /* L */
        return BROLGA_ECLOSED;
    receiver = brolga__queue_claim(&chan->receivers);
    if (receiver != NULL) {
        hand_over(chan, receiver->elem, elem);
        *wake = brolga__waiter_complete(receiver, BROLGA_OK);
        return BROLGA_OK;
    }
    err = make_room(chan);
    if (err == BROLGA_OK) {
        brolga__ring_push(&chan->ring, elem);
        chan->sent++;
    }
    return err;
}

/* A slot became free: the first sender that waits gets it. */
static void refill(brolga_chan *chan, struct brolga__wake *wake)
{
    struct brolga_waiter *sender;

    if (brolga__load_relaxed(&chan->closed)) /* L; senders keep their values. */
        return;
    sender = brolga__queue_claim(&chan->senders);
    if (sender == NULL)
        return;
    brolga__ring_push(&chan->ring, sender->elem);
    chan->sent++;
    *wake = brolga__waiter_complete(sender, BROLGA_OK);
}

static int take(brolga_chan *chan, void *elem, struct brolga__wake *wake)
{
    struct brolga_waiter *sender;

    if (chan->ring.count > 0) {
        brolga__ring_pop(&chan->ring, elem);
        chan->received++;
        refill(chan, wake);
        return BROLGA_OK;
    }
    if (brolga__load_relaxed(&chan->closed)) /* L */
        return BROLGA_ECLOSED;
    sender = brolga__queue_claim(&chan->senders);
    if (sender == NULL)
        return BROLGA_EAGAIN;
    hand_over(chan, elem, sender->elem);
    *wake = brolga__waiter_complete(sender, BROLGA_OK);
    return BROLGA_OK;
}

int brolga__chan_attempt(brolga_chan *chan, struct brolga_waiter *waiter,
                         struct brolga__wake *wake)
{
    brolga__check(chan->sent ==
                  chan->received + chan->dropped + chan->ring.count);
    if (waiter->op == BROLGA_RECV)
        return take(chan, waiter->elem, wake);
    return put(chan, waiter->elem, wake);
}
