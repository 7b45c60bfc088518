/*
 * Retired objects: a lock-free stack that any thread pushes to, and a queue
 * in order of rounds that one reclaimer at a time works off.
 *
 *   E  A node's fields are seen by the reclaimer: release half of the push's
 *      CAS -> acquire exchange in take_fresh.
 *
 * Invariant: `waiting` is ordered by round but for nodes that were pushed
 * concurrently; those differ by at most the number of concurrent pushers, so
 * stopping at the first node whose round has not passed delays them, at the
 * most, until the round of their neighbour has passed too.
 */
#include "epoch/epoch.h"

void brolga_epoch_retire(brolga_epoch *epoch, struct brolga_epoch_node *node,
                         void (*reclaim)(struct brolga_epoch_node *))
{
    struct brolga_epoch_node *head = brolga__load_relaxed(&epoch->fresh);

    node->reclaim = reclaim;
    node->round = brolga__epoch_begin_round(epoch);
    (void)brolga__add_relaxed(&epoch->retired, 1);
    do
        node->next = head;
    while (!brolga__cas_acq_rel(&epoch->fresh, &head, node)); /* E: swap */
}

/* Moves what was pushed since the last call to the queue, oldest first. */
static void take_fresh(struct brolga_epoch *epoch)
{
    struct brolga_epoch_node *node, *newest, *oldest = NULL;

    newest = brolga__swap_acquire(&epoch->fresh, NULL); /* E: retire */
    for (node = newest; node != NULL;) {
        struct brolga_epoch_node *next = node->next;

        node->next = oldest;
        oldest = node;
        node = next;
    }
    if (oldest == NULL)
        return;
    if (epoch->waiting == NULL)
        epoch->waiting = oldest;
    else
        epoch->waiting_last->next = oldest;
    epoch->waiting_last = newest;
}

/* The oldest node if its grace period is over, unlinked; else NULL. */
static struct brolga_epoch_node *take_passed(struct brolga_epoch *epoch,
                                             uint64_t *passed)
{
    struct brolga_epoch_node *node = epoch->waiting;

    if (node == NULL)
        return NULL;
    if (node->round > *passed) {
        if (!brolga__epoch_passed(epoch, node->round))
            return NULL;
        *passed = node->round;
    }
    epoch->waiting = node->next;
    return node;
}

size_t brolga_epoch_poll(brolga_epoch *epoch, size_t limit)
{
    struct brolga_epoch_node *node;
    uint64_t passed = 0;

    if (pthread_mutex_trylock(&epoch->reclaim_lock) != 0)
        return brolga__load_relaxed(&epoch->retired);
    take_fresh(epoch);
    while (limit-- > 0 && (node = take_passed(epoch, &passed)) != NULL) {
        node->reclaim(node);
        (void)brolga__add_relaxed(&epoch->retired, (size_t)-1);
    }
    (void)pthread_mutex_unlock(&epoch->reclaim_lock);
    return brolga__load_relaxed(&epoch->retired);
}
