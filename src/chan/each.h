/* Tasks that Brolga calls for each message (each.c), as retypes.c sees them. */
#ifndef BROLGA_SRC_CHAN_EACH_H
#define BROLGA_SRC_CHAN_EACH_H

#include "chan/chan.h"

/* Messages up to this size need no memory of their own. */
#define BROLGA__EACH_SMALL 16

/* Written by its task, and behind the gate of a barrier. */
struct brolga__each {
    brolga_chan *chan;
    void *state;
    brolga_slot slot;
    bool waiting; /* The waiter has been offered, and not withdrawn. */
    bool in_hand; /* A message has been received; the slot was not called. */
    struct brolga_waiter waiter;
    struct brolga__list link; /* chan->runners, by the channel's lock. */
    void *elem;
    _Alignas(BROLGA__EACH_SMALL) unsigned char small[BROLGA__EACH_SMALL];
};

#endif
