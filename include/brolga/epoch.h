/*
 * Epoch: quiescent-state-based reclamation (QSBR) for readers that never
 * block and never write shared memory.
 *
 * Each reading thread is a *member* of an epoch. Between two of its calls of
 * brolga_epoch_quiesce() a member may hold pointers to shared objects that
 * others unlink meanwhile. Whoever unlinks an object retires it: its callback
 * runs once every member that was online at that time has quiesced, gone
 * offline or left (a *grace period*). Nothing here waits for a reader but
 * brolga_epoch_synchronize(), which has a deadline.
 *
 * The algorithm is the QSBR of M. Desnoyers et al., "User-Level
 * Implementations of Read-Copy Update" (IEEE TPDS 23(2), 2012), with a 64-bit
 * round counter that never wraps, so that one pass over the members suffices.
 */
#ifndef BROLGA_EPOCH_H
#define BROLGA_EPOCH_H

#include <brolga/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct brolga_epoch brolga_epoch;

/** One thread's membership. Opaque; used by one thread at a time. */
typedef struct brolga_epoch_member brolga_epoch_member;

/** The part of a retired object that the epoch uses; embed it, leave it be. */
struct brolga_epoch_node {
    struct brolga_epoch_node *next;
    uint64_t round;
    void (*reclaim)(struct brolga_epoch_node *node);
};

/**
 * Create an epoch without members.
 *
 * Owns:     `*out` belongs to the caller; end it with brolga_epoch_destroy().
 * Threads:  any.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_epoch_create(brolga_epoch **out);

/**
 * Reclaim everything that is still retired, then free the epoch.
 *
 * Threads:  one, after every member has left.
 * Returns:  BROLGA_OK, or BROLGA_EBUSY with nothing changed if a member is
 *           left.
 */
BROLGA_API int brolga_epoch_destroy(brolga_epoch *epoch);

/**
 * Join the epoch; the caller is online, hence awaited, from here on.
 *
 * Owns:     `*out` belongs to the caller; end it with brolga_epoch_leave().
 * Threads:  any; the member may then be used by one thread at a time.
 * Blocks:   for a short lock shared with other joins and the reclaimer, and as
 *           brolga_epoch_quiesce().
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_epoch_join(brolga_epoch *epoch,
                                                  brolga_epoch_member **out);

/** Leave for ever. Threads: the member's own, online or offline. */
BROLGA_API void brolga_epoch_leave(brolga_epoch_member *member);

/**
 * Announce that the member holds no pointer from before this call.
 *
 * Costs two loads, and one store to the member's own cache line if a round
 * has begun since the last call.
 *
 * Threads:  the member's own, online.
 * Blocks:   while all are to stand still for brolga_txn_commit_barrier().
 */
BROLGA_API void brolga_epoch_quiesce(brolga_epoch_member *member);

/** Stop being awaited, e.g. before blocking. Threads: the member's own. */
BROLGA_API void brolga_epoch_offline(brolga_epoch_member *member);

/**
 * Be awaited again; holds no pointer yet.
 *
 * Threads:  the member's own, offline.
 * Blocks:   as brolga_epoch_quiesce().
 */
BROLGA_API void brolga_epoch_online(brolga_epoch_member *member);

/**
 * Have `reclaim(node)` called after a grace period, by a caller of
 * brolga_epoch_poll(), brolga_epoch_synchronize() or brolga_epoch_destroy().
 *
 * Owns:     the node and what it is part of belong to the epoch until then.
 * Threads:  any, member or not; the object must be unlinked already.
 * Blocks:   no: one atomic addition and one lock-free push.
 */
BROLGA_API void
brolga_epoch_retire(brolga_epoch *epoch, struct brolga_epoch_node *node,
                    void (*reclaim)(struct brolga_epoch_node *));

/**
 * Reclaim what has had its grace period, at most `limit` objects.
 *
 * Threads:  any; callbacks run on the caller, one caller at a time (a second
 *           one finds nothing to do).
 * Blocks:   no.
 * Returns:  the number of objects that are still retired.
 */
BROLGA_API size_t brolga_epoch_poll(brolga_epoch *epoch, size_t limit);

/**
 * Wait for one grace period.
 *
 * Threads:  any thread that is not an online member of this epoch.
 * Blocks:   until every member has passed, or the deadline.
 * Returns:  BROLGA_OK or BROLGA_ETIMEOUT.
 */
BROLGA_API int brolga_epoch_synchronize(brolga_epoch *epoch,
                                        uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif
#endif
