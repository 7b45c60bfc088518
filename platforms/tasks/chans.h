/*
 * Channels of values of one element type. What is in a channel is inside: it is
 * copied when it is sent, and copied again for the receiver, whose copy is the
 * host's.
 *
 * Where a call waits and the task is canceled, it returns as if the channel
 * were closed.
 */
#ifndef TASKS_CHANS_H
#define TASKS_CHANS_H

#include "cells.h"

/* What a send has come to. */
enum chan_sent {
    CHAN_FULL = -1, /* Of chan_try_send(). */
    CHAN_CLOSED,    /* Or the task is canceled. */
    CHAN_SENT
};

#define CHAN_UNBOUNDED_CAPACITY (-1)

/* A capacity that a program gives: a negative one is refused. */
int64_t chan_capacity(int64_t capacity);

/* A channel's handle. */
brolga_word chan_make(unsigned row, int64_t capacity);

enum chan_sent chan_send(brolga_word chan, brolga_word value);
enum chan_sent chan_try_send(brolga_word chan, brolga_word value);

/* (Option a): None when it is closed and empty, and at the deadline. */
brolga_word chan_recv(brolga_word chan, uint64_t deadline_ns);
brolga_word chan_try_recv(brolga_word chan);

/* 1, or 0 if it was closed already. */
brolga_word chan_close(brolga_word chan);

/**
 * Receive from any of the channels in a (Vec (Chan a)): from one that has a
 * value, picked at random, else from the first that gets one. Those that are
 * closed and empty are left out.
 *
 * Returns:  whether there is a value; `*value`, outside, and the index of its
 *           channel in the Vec. Otherwise all are closed, or the deadline has
 *           passed.
 */
bool chan_select(brolga_word chans, uint64_t deadline_ns, brolga_word *value,
                 size_t *index);

/* (Vec Int): in it, capacity or -1, sent, received, dropped, senders and
 * receivers that wait, whether it is closed. */
brolga_word chan_stats(brolga_word chan);

#endif
