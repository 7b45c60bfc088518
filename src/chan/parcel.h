/*
 * Parcels: messages that have leases (parcel.c).
 *
 * A channel carries words, and knows nothing of leases. A value that points
 * into regions travels in a *parcel*, a record with the value and its leases,
 * whose address, made odd, is the word that the channel carries. Values that
 * may do so are addresses that are multiples of 8, or small; so nothing else
 * looks like that. What has no leases travels as it is.
 *
 * Parcels are made where values are copied or given, and opened where an
 * operation to receive ends, by whoever has received.
 */
#ifndef BROLGA_SRC_CHAN_PARCEL_H
#define BROLGA_SRC_CHAN_PARCEL_H

#include "chan/chan.h"

#include <brolga/lease.h>

/* No parcel lies below, and no small tag is above. */
#define BROLGA__PARCEL_MIN BROLGA_SMALL_TAGS_MAX

static inline bool brolga__is_parcel(brolga_word word)
{
    return (word & 1) != 0 && (uint64_t)word >= BROLGA__PARCEL_MIN;
}

/* brolga__copy_in_task() of an element that is not plain; *out may be a
 * parcel. */
int brolga__parcel_copy(const brolga_type *type, const void *elem,
                        brolga_word *out, bool may_pause, uint64_t *bytes);

/* Makes a parcel of a value that is given, with the caller's leases. Returns
 * BROLGA_OK or BROLGA_ENOMEM. */
int brolga__parcel_wrap(brolga_word word, brolga_word *out);
/* Ends it; the value is the caller's as before. */
void brolga__parcel_unwrap(brolga_word parcel);

/* Drops an element that is not plain, with its leases; `pause` NULL: in one
 * go. */
void brolga__parcel_drop_with(const brolga_type *type, brolga_word word,
                              int (*pause)(void *arg));

static inline void brolga__parcel_drop(const brolga_type *type,
                                       brolga_word word)
{
    brolga__parcel_drop_with(type, word, NULL);
}

/* The value of a parcel, which stays in it; and another one in its place, whose
 * leases are the same. */
brolga_word brolga__parcel_value(brolga_word parcel);
void brolga__parcel_replace(brolga_word parcel, brolga_word value);

/* The value of a parcel, whose leases are now the caller's. */
brolga_word brolga__parcel_open(brolga_word parcel);

/* An operation has come out as BROLGA_OK: if it was to receive, opens what has
 * come. */
static inline void brolga__parcel_arrived(const brolga_chan *chan, int op,
                                          void *elem)
{
    brolga_word word;

    if (!chan->parcels || op != BROLGA_RECV)
        return;
    memcpy(&word, elem, sizeof(word));
    if (brolga__likely(!brolga__is_parcel(word)))
        return;
    word = brolga__parcel_open(word);
    memcpy(elem, &word, sizeof(word));
}

#endif
