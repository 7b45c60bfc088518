/*
 * The channel layer's door: the channel, its buffer, and those who wait.
 *
 *   ring.c    the buffer
 *   fast.h    one value into or out of the buffer, when nobody waits
 *   pass.c    how one value passes otherwise: put, take, wait, complete
 *   wait.c    offer and withdraw
 *   ready.c   values that are copied, checked or moved
 *   parcel.c  messages that have leases, and whose leases those are then
 *   op.c      send, give, receive; blocking ones park between the two
 *   select.c  several channels at once
 *   chan.c    creation, references, ends, closing, statistics
 *   each.c    a task for each message
 *   listed.c  which channels there are, by type
 *   retype.c  messages whose type changes
 *   feed.c    values from a broadcast; broadcast.c  the broadcast
 *
 * The buffer has two ends with a lock each, so that a sender and a receiver on
 * two processors share no cache line but those of the values, and now and then
 * look at where the other is. Whoever has both locks, the tail's first, may
 * change anything; that is what "the lock" of a channel means in the files
 * above. Whoever has one may pass one value at that end, if its `room` says so:
 *
 *   tail.room > 0  =>  the channel is open, no receiver waits, and as many
 *                      slots are free, at least
 *   head.room > 0  =>  no sender waits, and as many values are there, at least
 *
 * Waiters come and go, and channels close, under both locks only; to leave them
 * sets both rooms to 0. So while one end's lock is held, what the rooms were
 * found from stays true but for what the other end adds to it.
 *
 * Edges of the layer:
 *
 *   L  Everything "under the lock": spin.h, edge A.
 *   T  Values in the buffer: store_release of tail.index in brolga__ring_put ->
 *      load_acquire in brolga__chan_find_values. Without it a receiver might
 *      read a slot before the sender has written it.
 *   H  Free slots: store_release of head.index in brolga__ring_take ->
 *      load_acquire in brolga__chan_find_slots. Without it a sender might
 *      overwrite a slot before the receiver has read it.
 *   A  An operation that was completed by another: whoever sees `result` set
 *      sees the value moved, and the completer does not touch the waiter any
 *      more: store_release in brolga__waiter_complete -> load_acquire in
 *      brolga_waiter_result, brolga__waiter_waits and brolga__waiter_end. So
 *      the owner may let the waiter's memory go.
 *   R  The last reference sees what all others did: sub_acq_rel in
 *      brolga_chan_release, with itself.
 *
 * Invariants of an open channel, outside the lock. A waiter is *live* if its
 * claim is still free; only one of a select that was done is not.
 *
 *   sent = received + dropped + depth
 *   a live receiver waits  =>  depth = 0 and no other live sender waits
 *   a live sender waits    =>  depth = capacity
 */
#ifndef BROLGA_SRC_CHAN_CHAN_H
#define BROLGA_SRC_CHAN_CHAN_H

#include <brolga/chan.h>

#include "atomic.h"
#include "base.h"
#include "copy/parts.h"
#include "list.h"
#include "spin.h"
#include "tasks/tasks.h"

#include <string.h>

/* --- the buffer (ring.c) ------------------------------------------------ */

/*
 * One end of a ring: where values go in, or come out. All that an operation
 * there needs is in its line; what both ends have is kept equal.
 */
struct brolga__end {
    _Alignas(BROLGA__CACHE_LINE) struct brolga__spin lock;
    uint64_t room;          /* Operations that need no look around. */
    _Atomic uint64_t index; /* Values that ever passed here; T, H */
    unsigned char *at;      /* Both ends: the slots, ... */
    uint64_t mask;          /* ... how many, less one, ... */
    size_t bytes;           /* ... and the size of each. */
};

/* A queue of elements of one size, in a power of two of slots. */
struct brolga__ring {
    struct brolga__end tail;
    struct brolga__end head;
    size_t slots;
    size_t align;
};

/* Makes an empty ring; BROLGA_OK or BROLGA_ENOMEM. It has at least as many
 * slots as asked for. No slots, no memory. */
int brolga__ring_init(struct brolga__ring *ring, size_t slots, size_t bytes,
                      size_t align);

/* Frees the memory; whatever elements are left are forgotten. */
void brolga__ring_free(struct brolga__ring *ring);

/* Makes `to` what `from` is, but for the locks, and `from` a ring without slots
 * or elements. Both locks of `from` are held. */
void brolga__ring_move(struct brolga__ring *to, struct brolga__ring *from);

/* Doubles the slots; BROLGA_OK, or BROLGA_ENOMEM with nothing changed. Both
 * locks are held. */
int brolga__ring_grow(struct brolga__ring *ring);

/* Gives it other slots, as many, for elements of another size, which are in
 * them already; returns the old ones. Both locks are held. */
unsigned char *brolga__ring_refit(struct brolga__ring *ring, unsigned char *at,
                                  size_t bytes, size_t align);

/* Slots for as many elements of another size; NULL: no memory, or none. */
unsigned char *brolga__ring_slots(const struct brolga__ring *ring, size_t bytes,
                                  size_t align);

/* Elements in it; exact while both ends rest. */
static inline size_t brolga__ring_count(const struct brolga__ring *ring)
{
    /* Relaxed: locks, or a guess. */
    return (size_t)(brolga__load_relaxed(&ring->tail.index) -
                    brolga__load_relaxed(&ring->head.index));
}

/* The slot of an end's next operation. */
static inline unsigned char *brolga__end_slot(const struct brolga__end *end)
{
    /* Relaxed: only holders of the end's lock write it. */
    return end->at +
           (brolga__load_relaxed(&end->index) & end->mask) * end->bytes;
}

static inline void brolga__move(void *to, const void *from, size_t bytes)
{
    if (brolga__likely(bytes == sizeof(brolga_word)))
        memcpy(to, from, sizeof(brolga_word));
    else
        memcpy(to, from, bytes);
}

/* Publishes that an end's next slot has been filled, or emptied. */
static inline void brolga__end_pass(struct brolga__end *end)
{
    brolga__store_release(&end->index,
                          brolga__load_relaxed(&end->index) + 1); /* T, H */
}

/* Adds the newest element; there must be a free slot. The tail's lock is
 * held. */
static inline void brolga__ring_put(struct brolga__ring *ring, const void *elem)
{
    struct brolga__end *tail = &ring->tail;

    brolga__move(brolga__end_slot(tail), elem, tail->bytes);
    brolga__end_pass(tail); /* T: find_values */
}

/* Removes the oldest element; there must be one. The head's lock is held. */
static inline void brolga__ring_take(struct brolga__ring *ring, void *elem)
{
    struct brolga__end *head = &ring->head;

    brolga__move(elem, brolga__end_slot(head), head->bytes);
    brolga__end_pass(head); /* H: find_slots */
}

/* --- the channel -------------------------------------------------------- */

/* Waiters in the order in which they came. */
struct brolga__queue {
    struct brolga_waiter *first, *last;
    size_t count;
};

/* An entry of the list of all whose elements have a type (listed.c). */
struct brolga__listed {
    struct brolga__list link;
    const brolga_type *type;
    struct brolga_chan *chan; /* NULL: it is a broadcast */
};

struct brolga_chan {
    /* Never changes, but behind the gate of a barrier, for another type. */
    const brolga_type *type; /* NULL: plain words */
    size_t bytes;            /* of an element */
    size_t capacity;         /* most elements in the buffer */
    bool unbounded;
    bool one_shot;
    bool fed;      /* A subscription: only its broadcast puts values in, ... */
    bool drops;    /* ... and drops the oldest where there is no room. */
    bool buffered; /* It has a buffer for which the fast paths do. */
    bool plain;    /* Copying is copying bytes; dropping does nothing. */
    bool moves;    /* What is given goes as it is. */
    enum brolga_mode gives; /* How else. */
    bool words;             /* Elements are words. */
    bool parcels;           /* Elements may have leases; parcel.h. */
    char name[32];

    struct brolga__ring ring;

    /*
     * Guarded by both locks of the ring: written under both, read under any.
     * Those of several channels nest in select.c only, in the order of
     * addresses. Neither copying, dropping nor waking is done under them.
     */
    _Alignas(BROLGA__CACHE_LINE) struct brolga__queue senders;
    struct brolga__queue receivers;
    _Atomic bool closed; /* Read outside the lock, too, as a hint only. */
    uint64_t direct;     /* values that never were in the buffer */
    uint64_t dropped;    /* values that nobody took out of the buffer */
    uint64_t gap;        /* values dropped since one was taken; feed.c */
    uint64_t missed;     /* the same, before one was taken */
    uint64_t sends_waited;
    uint64_t receives_waited;
    uint64_t random; /* select's choice */
    uint32_t joined_senders;
    uint32_t joined_receivers;
    int reason_code;
    char reason_text[160];
    struct brolga__list runners; /* each.h */
    _Atomic bool changing;       /* its type; retype.c */
    struct brolga_chan *found;   /* listed.c */

    _Atomic uint32_t refs; /* R */
    struct brolga__listed listed;
};

/* What follows from the type of elements; nobody uses the channel. */
void brolga__chan_set_type(brolga_chan *chan, const brolga_type *type);

/* --- what there is (listed.c) ------------------------------------------- */

/* Enters what is new; without a type, nothing is done. */
void brolga__list_enter(struct brolga__listed *entry, const brolga_type *type,
                        brolga_chan *chan);
void brolga__list_leave(struct brolga__listed *entry);

/* Its type has changed. */
void brolga__list_change(struct brolga__listed *entry, const brolga_type *type);

/* All channels of types with this fingerprint, linked by `found`, each with a
 * reference; and how many broadcasts there are. One caller at a time. */
brolga_chan *brolga__list_find(uint64_t fingerprint, size_t *broadcasts);

/* --- the lock ----------------------------------------------------------- */

/* Without the fast paths (a rendezvous, a one-shot) the tail's lock does for
 * both. */
static inline void brolga__chan_lock(brolga_chan *chan)
{
    brolga__spin_take(&chan->ring.tail.lock);
    if (chan->buffered)
        brolga__spin_take(&chan->ring.head.lock);
}

static inline void brolga__chan_unlock(brolga_chan *chan)
{
    /* What the fast paths knew may not be so any more. */
    chan->ring.tail.room = 0;
    chan->ring.head.room = 0;
    if (chan->buffered)
        brolga__spin_leave(&chan->ring.head.lock);
    brolga__spin_leave(&chan->ring.tail.lock);
}

/* What a waiter may wait for besides enum brolga_op: room, in which its owner
 * will put a value. Only the broadcast of a subscription does. */
enum { BROLGA__ROOM = BROLGA_RECV + 1 };

/* --- passing values (pass.c); most with the lock held ------------------- */

/* A call to make after the lock has been left; `fn` NULL: none. */
struct brolga__wake {
    void (*fn)(void *arg);
    void *arg;
};

static inline void brolga__wake_call(const struct brolga__wake *wake)
{
    if (wake->fn != NULL)
        wake->fn(wake->arg);
}

void brolga__queue_push(struct brolga__queue *queue,
                        struct brolga_waiter *waiter);

/* Does nothing to a waiter that is in no queue. */
void brolga__queue_remove(struct brolga__queue *queue,
                          struct brolga_waiter *waiter);

/* The queue in which a waiter belongs. */
struct brolga__queue *brolga__chan_queue(brolga_chan *chan,
                                         const struct brolga_waiter *waiter);

/*
 * The first waiter that can be claimed, claimed and unlinked: the caller must
 * complete it. Those that cannot are unlinked, too. NULL if there is none.
 */
struct brolga_waiter *brolga__queue_claim(struct brolga__queue *queue);

/* Publishes how a claimed waiter's operation came out. It may be gone at once,
 * hence the wake is returned. */
struct brolga__wake brolga__waiter_complete(struct brolga_waiter *waiter,
                                            int result);

/* Gives a value to a receiver that waits, or to the buffer: BROLGA_OK,
 * BROLGA_EAGAIN, ELIMIT, ENOMEM. `wake->fn` must be NULL before. */
int brolga__chan_place(brolga_chan *chan, const void *elem,
                       struct brolga__wake *wake);

/*
 * Does a waiter's operation if that is possible now. `wake->fn` must be NULL
 * before. BROLGA_OK, BROLGA_EAGAIN, ECLOSED, ELIMIT, ENOMEM; ESTATE for a
 * send to a subscription.
 */
int brolga__chan_attempt(brolga_chan *chan, const struct brolga_waiter *waiter,
                         struct brolga__wake *wake);

/* Puts a prepared waiter into its queue; the lock is held. It is completed by
 * whoever sets `claim` to `arm`. */
void brolga__waiter_enqueue(struct brolga_waiter *waiter,
                            brolga_shared_int *claim, int32_t arm);

/* Attempts a prepared waiter's operation once; takes the lock and wakes. The
 * fast path is the caller's to try before. */
int brolga__waiter_try(struct brolga_waiter *waiter);

/* Same, but leaves the waiter in the channel where that returns EAGAIN. */
int brolga__waiter_offer(struct brolga_waiter *waiter);

/* --- closing (chan.c) --------------------------------------------------- */

/* Tells all who wait in a closed channel; without the lock. */
void brolga__chan_wake_everyone(brolga_chan *chan);

/* What is left to be done after an operation that has come out as BROLGA_OK,
 * without the lock: a send to a one-shot has closed it. */
static inline void brolga__chan_after(brolga_chan *chan, int op)
{
    if (brolga__unlikely(chan->one_shot) && op != BROLGA_RECV)
        brolga__chan_wake_everyone(chan);
}

/* --- waiters (wait.c) --------------------------------------------------- */

/* Whether the calling task, or thread, has leases (parcel.c). */
bool brolga__lease_any(void);

/* Whether what is given has to take leases along. */
static inline bool brolga__chan_has_leases(const brolga_chan *chan)
{
    return chan->parcels && brolga__lease_any();
}

/* Whether the calling task has leases, or a heap (parcel.c). */
bool brolga__gives_slowly(void);

/* Whether what is given cannot just go. */
static inline bool brolga__chan_gives_slowly(const brolga_chan *chan)
{
    return chan->parcels && brolga__gives_slowly();
}

/* Copies a value, with leases; in a task, with safepoints if it is large and
 * `may_pause`. A task that is canceled meanwhile gets the reason instead. The
 * caller holds no lock. */
int brolga__copy_in_task(const brolga_type *type, const void *elem,
                         brolga_word *out, struct brolga_leases *leases,
                         bool may_pause, uint64_t *bytes);

/* Makes the value to send ready, which is not plain: copies or checks it. */
int brolga__waiter_ready(struct brolga_waiter *waiter, bool may_pause);

/*
 * Sets a waiter up for an operation, and makes the value to send ready, with
 * safepoints if it `may_pause`; it must be settled when the operation has come
 * out. `site` is NULL unless something is given. Does not touch `wake` and
 * `arg`. BROLGA_OK, or what brolga_copy_with() returns.
 */
static inline int brolga__waiter_prepare(struct brolga_waiter *waiter,
                                         brolga_chan *chan, enum brolga_op op,
                                         void *elem, struct brolga_site *site,
                                         bool may_pause)
{
    waiter->chan = chan;
    waiter->op = (int32_t)op;
    waiter->elem = elem;
    waiter->queued = false;
    waiter->copied = false;
    waiter->may_pause = may_pause;
    waiter->how = BROLGA_MOVE;
    waiter->site = site;
    waiter->original = waiter->kept = NULL;
    if (op == BROLGA_RECV ||
        (site == NULL && (chan->plain || (op == BROLGA_GIVE && chan->moves &&
                                          !brolga__chan_gives_slowly(chan)))))
        return BROLGA_OK;
    return brolga__waiter_ready(waiter, may_pause);
}

/* The slow path of the next one. */
void brolga__waiter_drop(struct brolga_waiter *waiter, int result);

/* After the operation: if it was done, the original of a copy is dropped, else
 * the copy. Does nothing more when it is called again. */
static inline void brolga__waiter_settle(struct brolga_waiter *waiter,
                                         int result)
{
    if (waiter->copied || waiter->site != NULL || waiter->kept != NULL)
        brolga__waiter_drop(waiter, result);
}

/* Whether a waiter that was offered has not been completed yet. */
static inline bool brolga__waiter_waits(const struct brolga_waiter *waiter)
{
    return brolga__load_acquire(&waiter->result) == BROLGA_EAGAIN; /* A */
}

/* brolga_chan_withdraw() without settling. */
int brolga__waiter_end(struct brolga_waiter *waiter);

/* Does a prepared waiter's operation, or parks until it is done: op.c. */
int brolga__waiter_wait(struct brolga_waiter *waiter, uint64_t deadline_ns);

/* --- subscriptions (feed.c) --------------------------------------------- */

/* Makes a subscription of a channel that nobody knows yet. */
void brolga__chan_subscribe(brolga_chan *chan, bool drops);

/* Whether the next value has room: BROLGA_OK, BROLGA_EAGAIN, ECLOSED. */
int brolga__chan_has_room(brolga_chan *chan);

/* The same, but waits for it; also ETIMEOUT, ECANCELED. */
int brolga__chan_await_room(brolga_chan *chan, uint64_t deadline_ns);

/* Puts an element in, for which there is room, or else the oldest is dropped.
 * False if the subscriber has left: then the value is still the caller's. */
bool brolga__chan_feed(brolga_chan *chan, const void *elem);

/* --- reports ------------------------------------------------------------ */

/* Says which channel it is, and what is in it. */
void brolga__chan_describe(brolga_chan *chan, char *text, size_t bytes);

/* For parks on a `struct brolga_waiter`. */
extern const struct brolga__wait brolga__wait_chan;

/* --- the end of every operation ----------------------------------------- */

/* The wake of waiters whose `arg` is a task. */
static inline void brolga__wake_task(void *task)
{
    brolga__unpark(task);
}

/*
 * Called after the value has been taken. The sender's view was published
 * before it sent, and what passes the value (L, T or A) orders that before us:
 * so the round that we read here is at least the sender's, and so is the
 * version that we adopt.
 */
static inline int brolga__chan_finish(int result)
{
    if (brolga_view_self() != NULL)
        brolga_safepoint();
    return result;
}

#endif
