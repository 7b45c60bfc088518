/*
 * The channel layer's door: the channel, its buffer, and those who wait.
 *
 *   ring.c    the buffer
 *   pass.c    how one value passes, under the lock: put, take, complete
 *   wait.c    offer and withdraw
 *   op.c      send, give, receive; blocking ones park between the two
 *   select.c  several channels at once
 *   chan.c    creation, references, ends, closing, statistics
 *   each.c    a task for each message
 *
 * Edges of the layer:
 *
 *   L  Everything "under the lock": lock.h.
 *   A  An operation that was completed by another: whoever sees `result` set
 *      sees the value moved, and the completer does not touch the waiter any
 *      more: store_release in brolga__waiter_complete -> load_acquire in
 *      brolga_waiter_result. So the owner may let the waiter's memory go.
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
#include "lock.h"
#include "tasks/tasks.h"

/* --- the buffer (ring.c) ------------------------------------------------ */

/* A queue of elements of one size. Guarded by its owner. */
struct brolga__ring {
    unsigned char *at;
    size_t bytes; /* of an element */
    size_t align;
    size_t slots;
    size_t head; /* the oldest element's slot */
    size_t count;
};

/* Makes an empty ring; BROLGA_OK or BROLGA_ENOMEM. No slots, no memory. */
int brolga__ring_init(struct brolga__ring *ring, size_t slots, size_t bytes,
                      size_t align);

/* Frees the memory; whatever elements are left are forgotten. */
void brolga__ring_free(struct brolga__ring *ring);

/* Doubles the slots; BROLGA_OK, or BROLGA_ENOMEM with nothing changed. */
int brolga__ring_grow(struct brolga__ring *ring);

/* Adds the newest element; there must be a free slot. */
void brolga__ring_push(struct brolga__ring *ring, const void *elem);

/* Removes the oldest element; there must be one. */
void brolga__ring_pop(struct brolga__ring *ring, void *elem);

/* --- the channel -------------------------------------------------------- */

/* Waiters in the order in which they came. */
struct brolga__queue {
    struct brolga_waiter *first, *last;
    size_t count;
};

struct brolga_chan {
    /* Never changes. */
    const brolga_type *type; /* NULL: plain words */
    size_t bytes;            /* of an element */
    size_t capacity;         /* 0 if unbounded */
    size_t count_max;        /* most elements of an unbounded one */
    bool unbounded;
    bool plain; /* Copying is copying bytes; dropping does nothing. */
    char name[32];

    _Atomic uint32_t refs; /* R */

    /*
     * Guards everything below. Never nested, but by select.c in the order of
     * addresses. Neither copying, dropping nor waking is done under it.
     */
    _Alignas(BROLGA__CACHE_LINE) struct brolga__lock lock;
    _Atomic bool closed; /* Read outside the lock, too, as a hint only. */
    struct brolga__ring ring;
    struct brolga__queue senders;
    struct brolga__queue receivers;
    uint64_t sent;
    uint64_t received;
    uint64_t dropped;
    uint64_t random; /* select's choice */
    uint32_t joined_senders;
    uint32_t joined_receivers;
    int reason_code;
    char reason_text[160];
};

/* --- passing values (pass.c); all with the lock held -------------------- */

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

/*
 * Does a waiter's operation if that is possible now. `wake->fn` must be NULL
 * before. BROLGA_OK, BROLGA_EAGAIN, ECLOSED, ELIMIT, ENOMEM.
 */
int brolga__chan_attempt(brolga_chan *chan, struct brolga_waiter *waiter,
                         struct brolga__wake *wake);

/* --- waiters (wait.c) --------------------------------------------------- */

/*
 * Sets a waiter up for an operation, and copies the value to send; it must be
 * undone unless the operation comes out as BROLGA_OK. Does not touch `wake` and
 * `arg`. BROLGA_OK, or what brolga_copy() returns.
 */
int brolga__waiter_prepare(struct brolga_waiter *waiter, brolga_chan *chan,
                           enum brolga_op op, void *elem);

/* Drops the copy that prepare made. Harmless when there is none. */
void brolga__waiter_undo(struct brolga_waiter *waiter);

/* Puts a prepared waiter into its queue; the lock is held. It is completed by
 * whoever sets `claim` to `arm`. */
void brolga__waiter_enqueue(struct brolga_waiter *waiter,
                            brolga_shared_int *claim, int32_t arm);

/* Attempts a prepared waiter's operation once; takes the lock and wakes. */
int brolga__waiter_try(struct brolga_waiter *waiter);

/* Same, but leaves the waiter in the channel where that returns EAGAIN. */
int brolga__waiter_offer(struct brolga_waiter *waiter);

/* Says which channel it is, and what is in it, for reports. */
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
 * before it sent, and the lock orders that before us: so the round that we
 * read here is at least the sender's, and so is the version that we adopt.
 */
static inline int brolga__chan_finish(int result)
{
    if (brolga_view_self() != NULL)
        brolga_safepoint();
    return result;
}

#endif
