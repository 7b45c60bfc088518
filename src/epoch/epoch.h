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

    /* Written by who closes the gate, read by members at rest; gate.c. */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uint32_t
        gate;                  /* enum brolga__gate, and times opened. */
    _Atomic uint32_t arrivals; /* Members that have come to it. */

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
    uint32_t past_gate;       /* This closed gate does not stop it; 0: none. */
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

/* --- the gate (gate.c) -------------------------------------------------- */

/* The same as brolga_epoch_join(), but the member is offline. Never waits at
 * the gate, so that it may be called between two safepoints. */
int brolga__epoch_enlist(struct brolga_epoch *epoch,
                         struct brolga_epoch_member **out);
/* The same as brolga_epoch_online(), but past the gate: for who needs what the
 * epoch protects, and runs no code of a host. */
void brolga__epoch_appear(struct brolga_epoch_member *member);

/* The low bits of the gate. */
enum brolga__gate {
    BROLGA__GATE_OPEN,
    BROLGA__GATE_CLOSED, /* Stops all members. */
    /* Narrow: stops tasks, as their layer sees fit. */
    BROLGA__GATE_CLOSING, /* Those who would hold a version. */
    BROLGA__GATE_SOURCES, /* Those who begin something of their own accord. */
    BROLGA__GATE_TOPS,    /* All who begin something. */
    BROLGA__GATES = 8
};

/* Whom the gate stops. Asked after a load of the round: whoever has seen a
 * round that began behind the gate sees the gate. */
static inline enum brolga__gate brolga__epoch_gate(struct brolga_epoch *epoch)
{
    uint32_t gate = brolga__load_acquire(&epoch->gate); /* BA: move */

    return (enum brolga__gate)(gate % BROLGA__GATES);
}

/* The same for a member that may have been sent past the gate, as it is now:
 * once it has been opened, the next one stops that member, too. */
static inline enum brolga__gate
brolga__epoch_gate_of(const struct brolga_epoch_member *member)
{
    uint32_t gate = brolga__load_acquire(&member->epoch->gate); /* BA: move */

    return brolga__unlikely(gate == member->past_gate)
               ? BROLGA__GATE_OPEN
               : (enum brolga__gate)(gate % BROLGA__GATES);
}

/* Sends a member, which is offline, past the gate that the caller closed. */
static inline void brolga__epoch_send(struct brolga_epoch_member *member)
{
    member->past_gate = brolga__load_relaxed(&member->epoch->gate);
}

/* Stands at the gate, which is not open, until it is; offline meanwhile. */
void brolga__epoch_halt(struct brolga_epoch_member *member);

/* One closer at a time. From the close on members stop where they pass the
 * gate, or come online; once the wait is true, and until the gate opens, no
 * member runs. */
void brolga__epoch_gate_narrow(struct brolga_epoch *epoch,
                               enum brolga__gate gate); /* Not if closed. */
void brolga__epoch_gate_close(struct brolga_epoch *epoch);
/* Waits until nobody runs; false at the deadline. */
bool brolga__epoch_gate_wait(struct brolga_epoch *epoch, uint64_t deadline_ns);
void brolga__epoch_gate_open(struct brolga_epoch *epoch);

#endif
