/* The epoch's door for other layers: its records and its rounds. */
#ifndef BROLGA_SRC_EPOCH_EPOCH_H
#define BROLGA_SRC_EPOCH_EPOCH_H

#include <brolga/epoch.h>

#include "atomic.h"
#include "base.h"
#include "list.h"

#include <pthread.h>

struct brolga_epoch {
    /* Written by whoever begins a round, read by every member's poll. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t round;

    /* Written by retirers. */
    _Alignas(BROLGA__CACHE_LINE) struct brolga_epoch_node *_Atomic fresh;
    _Atomic size_t retired; /* All nodes that wait; a statistic. */

    /* Guards `members`; leaf lock: nothing else is locked inside. */
    _Alignas(BROLGA__CACHE_LINE) pthread_mutex_t members_lock;
    struct brolga__list members;

    /* Guards `waiting`; held by the one reclaimer. members_lock nests in it. */
    pthread_mutex_t reclaim_lock;
    struct brolga_epoch_node *waiting; /* Oldest round first. */
    struct brolga_epoch_node *waiting_last;
};

struct brolga_epoch_member {
    /* Written by the member, read by the reclaimer; 0 while offline. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint64_t seen;
    struct brolga_epoch *epoch;
    struct brolga__list link; /* members_lock */
};

/* The round counter, for polls: a member has nothing to announce while this
 * is what it last saw. */
static inline uint64_t brolga__epoch_round(struct brolga_epoch *epoch)
{
    return brolga__load_acquire(&epoch->round); /* A: add in begin_round */
}

/* Begins a round; it has passed when every member online now has quiesced. */
uint64_t brolga__epoch_begin_round(struct brolga_epoch *epoch);

/* Whether every member has seen `round` or is offline. */
bool brolga__epoch_passed(struct brolga_epoch *epoch, uint64_t round);

/* Announces that the member holds nothing from before it read `round`. */
void brolga__epoch_announce(struct brolga_epoch_member *member, uint64_t round);

#endif
