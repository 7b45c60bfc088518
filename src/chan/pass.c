/*
 * How one value passes from a sender to a receiver, under the channel's lock:
 * from the sender straight to a receiver that waits, else through the buffer.
 * And when it may pass without all that: the looks around of the fast paths.
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
 * The claim word is shared by the arms of a select, whose waiters are in queues
 * under different locks. It decides which of them is done: exactly one
 * compare-and-swap succeeds. It orders nothing, hence is relaxed: the loser
 * does nothing but unlink the waiter under its own lock, and the winner's work
 * is published through `result` (edge A). A waiter of one channel has no claim
 * word: whoever unlinks it has it.
 *
 * Two waiters are never claimed for one hand-over: the other party holds the
 * locks of all channels in which it is going to wait, so is in no queue yet.
 */
#include "chan/chan.h"
#include "chan/fast.h"

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
        if (waiter->claim == NULL ||
            brolga__cas_relaxed(waiter->claim, &nobody, waiter->arm))
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

/* A value goes from a sender to a receiver without being buffered. */
static void hand_over(brolga_chan *chan, void *to, const void *from)
{
    brolga__move(to, from, chan->bytes);
    chan->direct++;
}

/* Makes sure that the buffer has a free slot, or says why not. */
static int make_room(brolga_chan *chan)
{
    size_t count = brolga__ring_count(&chan->ring);

    if (count >= chan->capacity)
        return chan->unbounded ? BROLGA_ELIMIT : BROLGA_EAGAIN;
    if (count < chan->ring.slots)
        return BROLGA_OK;
    return brolga__ring_grow(&chan->ring);
}

int brolga__chan_place(brolga_chan *chan, const void *elem,
                       struct brolga__wake *wake)
{
    struct brolga_waiter *receiver = brolga__queue_claim(&chan->receivers);
    int err;

    if (receiver != NULL) {
        hand_over(chan, receiver->elem, elem);
        *wake = brolga__waiter_complete(receiver, BROLGA_OK);
        return BROLGA_OK;
    }
    err = make_room(chan);
    if (err == BROLGA_OK)
        brolga__ring_put(&chan->ring, elem);
    return err;
}

static int put(brolga_chan *chan, const void *elem, struct brolga__wake *wake)
{
    int err;

    if (brolga__load_relaxed(&chan->closed)) /* L */
        return BROLGA_ECLOSED;
    if (chan->fed)
        return BROLGA_ESTATE;
    err = brolga__chan_place(chan, elem, wake);
    if (chan->one_shot && err == BROLGA_OK)
        brolga__store_relaxed(&chan->closed, true); /* L */
    return err;
}

/* Whether a broadcast may put a value in: room that it finds stays. */
static int find_room(const brolga_chan *chan)
{
    if (brolga__load_relaxed(&chan->closed)) /* L */
        return BROLGA_ECLOSED;
    if (chan->drops || brolga__ring_count(&chan->ring) < chan->capacity)
        return BROLGA_OK;
    return BROLGA_EAGAIN;
}

/* A slot became free: the first sender that waits gets it. It is woken at once,
 * not when many slots are free: it may be the one for whom its receiver waits
 * next. In a stream that costs little: woken, it finds the many slots that were
 * freed until it runs. */
static void refill(brolga_chan *chan, struct brolga__wake *wake)
{
    struct brolga_waiter *sender;

    if (brolga__load_relaxed(&chan->closed)) /* L; senders keep their values. */
        return;
    sender = brolga__queue_claim(&chan->senders);
    if (sender == NULL)
        return;
    if (sender->op != BROLGA__ROOM)
        brolga__ring_put(&chan->ring, sender->elem);
    *wake = brolga__waiter_complete(sender, BROLGA_OK);
}

static int take(brolga_chan *chan, void *elem, struct brolga__wake *wake)
{
    struct brolga_waiter *sender;

    if (brolga__ring_count(&chan->ring) > 0) {
        brolga__ring_take(&chan->ring, elem);
        chan->missed += chan->gap;
        chan->gap = 0;
        refill(chan, wake);
        return BROLGA_OK;
    }
    if (brolga__load_relaxed(&chan->closed)) /* L */
        return BROLGA_ECLOSED;
    sender = brolga__queue_claim(&chan->senders);
    if (sender == NULL)
        return BROLGA_EAGAIN;
    brolga__assert(sender->op !=
                   BROLGA__ROOM); /* Those wait while it is full. */
    hand_over(chan, elem, sender->elem);
    *wake = brolga__waiter_complete(sender, BROLGA_OK);
    return BROLGA_OK;
}

static inline int attempt(brolga_chan *chan, const struct brolga_waiter *waiter,
                          struct brolga__wake *wake)
{
    brolga__check(brolga__ring_count(&chan->ring) <= chan->capacity);
    if (waiter->op == BROLGA_RECV)
        return take(chan, waiter->elem, wake);
    if (brolga__unlikely(waiter->op == BROLGA__ROOM))
        return find_room(chan);
    return put(chan, waiter->elem, wake);
}

int brolga__chan_attempt(brolga_chan *chan, const struct brolga_waiter *waiter,
                         struct brolga__wake *wake)
{
    return attempt(chan, waiter, wake);
}

/* --- operations --------------------------------------------------------- */

void brolga__waiter_enqueue(struct brolga_waiter *waiter,
                            brolga_shared_int *claim, int32_t arm)
{
    brolga__assert(claim == NULL || arm != 0);
    waiter->claim = claim;
    waiter->arm = arm;
    /* Relaxed: the lock publishes the waiter. */
    brolga__store_relaxed(&waiter->result, BROLGA_EAGAIN);
    brolga__queue_push(brolga__chan_queue(waiter->chan, waiter), waiter);
    if (waiter->op == BROLGA_RECV)
        waiter->chan->receives_waited++;
    else
        waiter->chan->sends_waited++;
}

int brolga__waiter_try(struct brolga_waiter *waiter)
{
    brolga_chan *chan = waiter->chan;
    struct brolga__wake wake = {NULL, NULL};
    int err;

    brolga__chan_lock(chan);
    err = attempt(chan, waiter, &wake);
    brolga__chan_unlock(chan);
    brolga__wake_call(&wake);
    if (err == BROLGA_OK)
        brolga__chan_after(chan, waiter->op);
    return err;
}

int brolga__waiter_offer(struct brolga_waiter *waiter)
{
    brolga_chan *chan = waiter->chan;
    struct brolga__wake wake = {NULL, NULL};
    int err;

    brolga__assert(waiter->wake != NULL);
    brolga__chan_lock(chan);
    err = attempt(chan, waiter, &wake);
    if (err == BROLGA_EAGAIN)
        brolga__waiter_enqueue(waiter, NULL, 0);
    brolga__chan_unlock(chan);
    brolga__wake_call(&wake);
    if (err == BROLGA_OK)
        brolga__chan_after(chan, waiter->op);
    return err;
}

/* --- the fast paths' looks around --------------------------------------- */

/* Out of line: each is called once in many operations. */

__attribute__((noinline)) uint64_t brolga__chan_find_slots(brolga_chan *chan)
{
    struct brolga__end *tail = &chan->ring.tail;
    uint64_t taken, limit = chan->ring.slots;

    if (limit > chan->capacity)
        limit = chan->capacity;
    if (brolga__load_relaxed(&chan->closed) || /* L */
        chan->receivers.count > 0 || chan->fed)
        return 0;
    taken = brolga__load_acquire(&chan->ring.head.index); /* H: ring_take */
    tail->room = limit - (brolga__load_relaxed(&tail->index) - taken);
    brolga__check(tail->room <= limit);
    return tail->room;
}

__attribute__((noinline)) uint64_t brolga__chan_find_values(brolga_chan *chan)
{
    struct brolga__end *head = &chan->ring.head;
    uint64_t put;

    if (chan->senders.count > 0)
        return 0;
    put = brolga__load_acquire(&chan->ring.tail.index); /* T: ring_put */
    head->room = put - brolga__load_relaxed(&head->index);
    brolga__check(head->room <= chan->ring.slots);
    return head->room;
}
