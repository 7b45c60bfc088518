/*
 * Channels: creation, references, ends, closing, statistics.
 *
 * Closing is final. It completes everyone who waits, in batches, since their
 * wakes are called without the lock; nobody can join the queues meanwhile,
 * because a send to a closed channel fails, and so does a receive once the
 * buffer is empty, which it is when a receiver waits.
 */
#include "chan/parcel.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

/* --- creation ----------------------------------------------------------- */

static bool opts_valid(const struct brolga_chan_opts *opts)
{
    if (opts->one_shot && (opts->unbounded || opts->capacity > 1))
        return false;
    if (opts->unbounded)
        return opts->capacity == 0;
    return opts->bytes_max == 0;
}

static void set_opts(brolga_chan *chan, const struct brolga_chan_opts *opts)
{
    chan->capacity = opts->capacity;
    chan->unbounded = opts->unbounded;
    if (opts->unbounded)
        chan->capacity =
            opts->bytes_max == 0 ? SIZE_MAX : opts->bytes_max / chan->bytes;
    chan->one_shot = opts->one_shot;
    chan->buffered = chan->capacity > 0 && !opts->one_shot;
    if (opts->name != NULL)
        (void)snprintf(chan->name, sizeof(chan->name), "%s", opts->name);
}

void brolga__chan_set_type(brolga_chan *chan, const brolga_type *type)
{
    chan->type = type;
    chan->bytes = type == NULL ? sizeof(brolga_word) : brolga_type_bytes(type);
    chan->plain = type == NULL || brolga_type_is_plain(type);
    chan->words = type == NULL || brolga_type_is_word(type);
    chan->parcels = type != NULL && brolga_type_can_freeze(type);
    chan->moves = chan->plain || chan->gives == BROLGA_MOVE;
}

int brolga_chan_create(const brolga_type *type,
                       const struct brolga_chan_opts *opts, brolga_chan **out)
{
    static const struct brolga_chan_opts rendezvous;
    size_t bytes = type == NULL ? sizeof(brolga_word) : brolga_type_bytes(type);
    size_t align = type == NULL ? sizeof(brolga_word) : brolga_type_align(type);
    struct brolga_chan_opts is = opts == NULL ? rendezvous : *opts;
    brolga_chan *chan;

    if (!opts_valid(&is) || (unsigned)is.gives > BROLGA_COPY ||
        align > BROLGA__CACHE_LINE)
        return BROLGA_EINVAL;
    if (is.one_shot)
        is.capacity = 1;
    chan = brolga__alloc_line(sizeof(*chan));
    if (chan == NULL)
        return BROLGA_ENOMEM;
    if (brolga__ring_init(&chan->ring, is.capacity, bytes, align) !=
        BROLGA_OK) {
        brolga__free(chan);
        return BROLGA_ENOMEM;
    }
    chan->gives = is.gives == BROLGA_MODE_DEFAULT ? BROLGA_MOVE : is.gives;
    brolga__chan_set_type(chan, type);
    set_opts(chan, &is);
    brolga__list_init(&chan->runners);
    brolga__store_relaxed(&chan->refs, 1);
    brolga__list_enter(&chan->listed, type, chan);
    *out = chan;
    return BROLGA_OK;
}

const brolga_type *brolga_chan_type(const brolga_chan *chan)
{
    return chan->type;
}

const char *brolga_chan_name(const brolga_chan *chan)
{
    return chan->name;
}

/* --- references --------------------------------------------------------- */

/* Drops what a ring holds, which only the caller can reach. */
static void drop_all(const brolga_chan *chan, struct brolga__ring *ring)
{
    if (!chan->plain) {
        brolga_word word;

        while (brolga__ring_count(ring) > 0) {
            brolga__ring_take(ring, &word);
            brolga__parcel_drop(chan->type, word);
        }
    }
    brolga__ring_free(ring);
}

brolga_chan *brolga_chan_retain(brolga_chan *chan)
{
    /* Relaxed: the caller has a reference, so the channel stays anyway. */
    (void)brolga__add_relaxed(&chan->refs, 1);
    return chan;
}

void brolga_chan_release(brolga_chan *chan)
{
    if (chan == NULL || brolga__sub_acq_rel(&chan->refs, 1) != 1) /* R */
        return;
    brolga__assert(chan->senders.count == 0);
    brolga__assert(chan->receivers.count == 0);
    brolga__list_leave(&chan->listed);
    drop_all(chan, &chan->ring);
    brolga__free(chan);
}

/* --- closing ------------------------------------------------------------ */

/* Small enough for any stack. */
#define BATCH 32

/* Claims and completes some of those who wait; the lock is held. */
static size_t complete_some(struct brolga__queue *queue,
                            struct brolga__wake *wakes, size_t room)
{
    size_t n = 0;

    while (n < room) {
        struct brolga_waiter *waiter = brolga__queue_claim(queue);

        if (waiter == NULL)
            break;
        wakes[n++] = brolga__waiter_complete(waiter, BROLGA_ECLOSED);
    }
    return n;
}

void brolga__chan_wake_everyone(brolga_chan *chan)
{
    struct brolga__wake wakes[BATCH];
    size_t n;

    /* Ends: the queues of a closed channel only become shorter. */
    do {
        brolga__chan_lock(chan);
        n = complete_some(&chan->senders, wakes, BATCH);
        n += complete_some(&chan->receivers, wakes + n, BATCH - n);
        brolga__chan_unlock(chan);
        for (size_t i = 0; i < n; i++)
            brolga__wake_call(&wakes[i]);
    } while (n == BATCH);
}

/* The first reason that is no mere BROLGA_OK stays; the lock is held. */
static void set_reason(brolga_chan *chan, int code, const char *text)
{
    if (chan->reason_code != BROLGA_OK)
        return;
    chan->reason_code = code;
    (void)snprintf(chan->reason_text, sizeof(chan->reason_text), "%s",
                   text == NULL ? "" : text);
}

int brolga_chan_close(brolga_chan *chan, int reason_code,
                      const char *reason_text)
{
    bool was_closed;

    brolga__chan_lock(chan);
    was_closed = brolga__load_relaxed(&chan->closed); /* L */
    if (!was_closed) {
        set_reason(chan, reason_code, reason_text);
        brolga__store_relaxed(&chan->closed, true); /* L */
    }
    brolga__chan_unlock(chan);
    if (was_closed)
        return BROLGA_ECLOSED;
    brolga__chan_wake_everyone(chan);
    return BROLGA_OK;
}

int brolga_chan_reason(brolga_chan *chan, int *code, char *text, size_t bytes)
{
    bool closed;

    brolga__chan_lock(chan);
    closed = brolga__load_relaxed(&chan->closed); /* L */
    if (closed && code != NULL)
        *code = chan->reason_code;
    if (closed && text != NULL && bytes > 0)
        (void)snprintf(text, bytes, "%s", chan->reason_text);
    brolga__chan_unlock(chan);
    return closed ? BROLGA_OK : BROLGA_EAGAIN;
}

/* --- ends --------------------------------------------------------------- */

static uint32_t *joined(brolga_chan *chan, enum brolga_op end)
{
    return end == BROLGA_RECV ? &chan->joined_receivers : &chan->joined_senders;
}

int brolga_chan_join(brolga_chan *chan, enum brolga_op end)
{
    bool closed;

    brolga__chan_lock(chan);
    closed = brolga__load_relaxed(&chan->closed); /* L */
    if (!closed)
        ++*joined(chan, end);
    brolga__chan_unlock(chan);
    if (closed)
        return BROLGA_ECLOSED;
    (void)brolga_chan_retain(chan);
    return BROLGA_OK;
}

void brolga_chan_leave(brolga_chan *chan, enum brolga_op end, int reason_code,
                       const char *reason_text)
{
    struct brolga__ring left = {0};
    bool last;

    brolga__chan_lock(chan);
    brolga__assert(*joined(chan, end) > 0);
    last = --*joined(chan, end) == 0;
    if (!brolga__load_relaxed(&chan->closed)) /* L */
        set_reason(chan, reason_code, reason_text);
    if (last) {
        brolga__store_relaxed(&chan->closed, true); /* L */
        if (end == BROLGA_RECV)
            brolga__ring_move(&left, &chan->ring);
        chan->dropped += brolga__ring_count(&left);
    }
    brolga__chan_unlock(chan);
    if (last)
        brolga__chan_wake_everyone(chan);
    drop_all(chan, &left);
    brolga_chan_release(chan);
}

/* --- looking ------------------------------------------------------------ */

void brolga_chan_stats(brolga_chan *chan, struct brolga_chan_stats *out)
{
    uint64_t put, taken;

    brolga__chan_lock(chan);
    put = brolga__load_relaxed(&chan->ring.tail.index);   /* L */
    taken = brolga__load_relaxed(&chan->ring.head.index); /* L */
    *out = (struct brolga_chan_stats){
        .depth = (size_t)(put - taken),
        .capacity = chan->unbounded ? SIZE_MAX : chan->capacity,
        .sent = put + chan->direct,
        .received = taken - chan->dropped + chan->direct,
        .dropped = chan->dropped,
        .senders_waiting = chan->senders.count,
        .receivers_waiting = chan->receivers.count,
        .sends_waited = chan->sends_waited,
        .receives_waited = chan->receives_waited,
        .closed = brolga__load_relaxed(&chan->closed), /* L */
    };
    brolga__chan_unlock(chan);
}

void brolga__chan_describe(brolga_chan *chan, char *text, size_t bytes)
{
    struct brolga_chan_stats stats;
    char room[24] = "unbounded";

    brolga_chan_stats(chan, &stats);
    if (!chan->unbounded)
        (void)snprintf(room, sizeof(room), "of %zu", stats.capacity);
    (void)snprintf(text, bytes,
                   "on channel '%s' (%zu %s in it; waiting: %zu to send, %zu "
                   "to receive)",
                   chan->name, stats.depth, room, stats.senders_waiting,
                   stats.receivers_waiting);
}
