/*
 * Retype: messages that wait in channels while their type changes.
 *
 * A commit that changes what a type looks like says so in its transaction. Then
 * no message is ever seen by code that takes it for something else: what waits
 * in channels is converted while nobody runs, or the commit is refused, and
 * nothing has changed.
 *
 * docs/channels.md has the chapter.
 */
#ifndef BROLGA_RETYPE_H
#define BROLGA_RETYPE_H

#include <brolga/base.h>
#include <brolga/copy.h>
#include <brolga/got.h>

#ifdef __cplusplus
extern "C" {
#endif

struct brolga_retype {
    const brolga_type *from, *to;
    /*
     * Makes an element of type `to` out of one of type `from`: words, or plain
     * structs, at these addresses. What is at `from` is a copy for this call
     * alone. Parts of it may go into the new value, retained; then it is
     * dropped. Returns BROLGA_OK; anything else refuses the commit, and leaves
     * nothing to drop at `to`.
     *
     * Called for one message after the other, in a task, in the version that
     * will be published (`migrate` in got.h). NULL: there is no way.
     */
    int (*convert)(void *arg, const void *from, void *to);
    void *arg;
    uint64_t timeout_ns; /* For all messages; 0 = 1 s. */
    /* Called with `arg` once nobody will use it any more, if the call below has
     * returned BROLGA_OK; NULL: nothing is to be done. */
    void (*release)(void *arg);
};

/**
 * Stage a change of the type of messages: of every channel of the process whose
 * elements have the fingerprint of `from`. Types that contain it are others,
 * and need a change of their own.
 *
 * The transaction must be committed by brolga_txn_commit_barrier(). It waits
 * until no task is left in code that will be out of force, as for tasks that do
 * not come: stage all code that knows the type in the same transaction. A task
 * of brolga_spawn_each() that waits holds no such code. Then, while all stand:
 *
 *   - Channels without messages get the new type.
 *   - Messages are converted, those that tasks of brolga_spawn_each() have been
 *     handed already, too. Their order stays. Without `convert` they refuse.
 *   - Others who wait in such a channel, to send or to receive, are given time
 *     to get what they wait for, until the deadline; then they refuse.
 *     Broadcasts that are open refuse, and so do their subscriptions.
 *
 * Refused with BROLGA_REFUSED_MESSAGES, and a text that names channels and says
 * how many messages; BROLGA_REFUSED_HOOK if `convert` has failed. Then every
 * message is where it was.
 *
 * Threads of the host that are not attached are not stopped: they must not use
 * such channels meanwhile, nor create or release any of these types.
 *
 * Owns:     `retype` is copied. `arg`, and the code of `convert`, must stay
 *           until `release`: when the commit has returned or the transaction
 *           was aborted, and if a call has not ended in time, when it has. The
 *           types must stay until the channels are gone.
 * Threads:  as for the transaction; one runtime of a process at a time.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM; BROLGA_EINVAL: no type, the same
 *           fingerprints, or `to` is aligned to more than 64 bytes.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_txn_retype(brolga_txn *txn, const struct brolga_retype *retype);

#ifdef __cplusplus
}
#endif
#endif
