/*
 * Broadcasts: every subscriber gets every value.
 *
 * Whoever subscribes gets a channel to receive from: calls, loops, selects and
 * statistics are those of chan.h. Each value sent from then on comes out of it,
 * in an order that is the same for all subscribers, as a copy of its own.
 *
 * A subscription has a buffer of its own. Where that is full, the subscription
 * says what happens: the sender waits, or the subscription's oldest value is
 * dropped, and the subscriber can ask how many it has missed.
 *
 * A send happens for all subscribers or for none: one that ends by a deadline
 * or a cancel has sent to nobody.
 */
#ifndef BROLGA_BROADCAST_H
#define BROLGA_BROADCAST_H

#include <brolga/base.h>
#include <brolga/chan.h>
#include <brolga/copy.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where to send what many receive. Counted references. */
typedef struct brolga_broadcast brolga_broadcast;

#define BROLGA_SUBSCRIPTION_CAPACITY 16

struct brolga_subscription_opts {
    const char *name; /* Of the channel; copied, at most 31 bytes. */
    size_t capacity;  /* 0 = BROLGA_SUBSCRIPTION_CAPACITY. */
    bool drop_oldest; /* When it is full; otherwise senders wait. */
};

/**
 * Create a broadcast for elements of a type; nobody has subscribed yet.
 *
 * Owns:     `*out` is one reference; end it with brolga_broadcast_release().
 *           `type` must outlive the broadcast and its subscriptions; NULL means
 *           plain words.
 * Threads:  any.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM; BROLGA_EINVAL for a type aligned to more
 *           than 64 bytes.
 */
BROLGA_API BROLGA_NODISCARD int brolga_broadcast_create(const brolga_type *type,
                                                        brolga_broadcast **out);

/**
 * Take one more reference.
 *
 * Owns:     end it with brolga_broadcast_release().
 * Threads:  any that has a reference.
 * Returns:  `broadcast`.
 */
BROLGA_API brolga_broadcast *
brolga_broadcast_retain(brolga_broadcast *broadcast);

/**
 * Give a reference up; NULL is ignored. The last one closes the broadcast, if
 * it is open, and frees it. Subscriptions live on until they are left.
 *
 * Threads:  any.
 */
BROLGA_API void brolga_broadcast_release(brolga_broadcast *broadcast);

/**
 * Receive from now on: whatever is sent by calls that begin after this one has
 * returned, until the subscriber leaves.
 *
 * The channel is for receiving: to send to it returns BROLGA_ESTATE. It has one
 * counted receiver, the caller. Who leaves, or closes the channel, no longer
 * makes senders wait.
 *
 * Owns:     `*out` is a reference and an end; give up both with
 *           brolga_chan_leave(*out, BROLGA_RECV, ...). `opts` may be NULL and
 *           is copied.
 * Threads:  any that has a reference.
 * Blocks:   no.
 * Returns:  BROLGA_OK, BROLGA_ECLOSED, BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_broadcast_subscribe(brolga_broadcast *broadcast,
                           const struct brolga_subscription_opts *opts,
                           brolga_chan **out);

/**
 * Send a copy to every subscriber. If there is none, the value goes nowhere.
 *
 * Senders are served in the order in which they came: one that waits for a slow
 * subscriber makes those behind it wait, too.
 *
 * Owns:     the caller keeps its value, whatever the result.
 * Threads:  tasks.
 * Blocks:   until every subscriber that does not drop has room, the deadline,
 *           or cancellation. A safepoint.
 * Returns:  BROLGA_OK; and if nobody was sent anything, ECLOSED, ETIMEOUT,
 *           ECANCELED, ESTATE outside tasks, or what copying returns.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_broadcast_send(brolga_broadcast *broadcast, const void *elem,
                      uint64_t deadline_ns);

/**
 * Send a copy to every subscriber if that is possible at once.
 *
 * Owns:     as brolga_broadcast_send().
 * Threads:  any. A safepoint of tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK; BROLGA_EAGAIN, also while another sender is at it; or as
 *           brolga_broadcast_send().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_broadcast_try_send(brolga_broadcast *broadcast, const void *elem);

/**
 * Close a broadcast: sends fail from now on, also those that wait; subscribers
 * get what has been sent, and then BROLGA_ECLOSED with this reason.
 *
 * Owns:     `reason_text` may be NULL and is copied, at most 159 bytes.
 * Threads:  any.
 * Blocks:   no.
 * Returns:  BROLGA_OK; BROLGA_ECLOSED, with nothing changed, if it was closed.
 */
BROLGA_API int brolga_broadcast_close(brolga_broadcast *broadcast,
                                      int reason_code, const char *reason_text);

/** A broadcast at one moment. */
struct brolga_broadcast_stats {
    size_t subscribers; /* that have not left */
    uint64_t sent;      /* values, each counted once */
    bool closed;
};

/**
 * Look at a broadcast.
 *
 * Threads:  any.
 * Blocks:   for its lock.
 */
BROLGA_API void brolga_broadcast_stats(brolga_broadcast *broadcast,
                                       struct brolga_broadcast_stats *out);

/**
 * How many values were dropped before the one that was received last, and since
 * this was asked before.
 *
 * With one receiver, who asks after every receive, a result of n means: n
 * values are missing between the last one and the one before. It is 0 unless
 * the subscription drops.
 *
 * Threads:  any; together with receiving, one.
 * Blocks:   for the channel's locks.
 */
BROLGA_API uint64_t brolga_chan_missed(brolga_chan *subscription);

#ifdef __cplusplus
}
#endif
#endif
