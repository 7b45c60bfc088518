/*
 * Units of address space, for the heaps of tasks: 64 KiB each, aligned, all in
 * one range that is reserved when the first is wanted. So one compare tells
 * whether an address lies in a heap, and a mask which unit it is in.
 */
#ifndef BROLGA_SRC_UNITS_H
#define BROLGA_SRC_UNITS_H

#include "atomic.h"
#include "base.h"

#define BROLGA__UNIT_BYTES  ((size_t)64 << 10)
#define BROLGA__UNITS_BYTES ((size_t)64 << 30) /* The range. */

/* Where the range begins; high enough for no address while there is none. It
 * is written once. Relaxed: whoever has an address in it comes after that. */
extern _Atomic uintptr_t brolga__units_at;

/* Whether an address lies in a unit. */
static inline bool brolga__in_units(const void *at)
{
    return (uintptr_t)at - brolga__load_relaxed(&brolga__units_at) <
           BROLGA__UNITS_BYTES;
}

/* So many units in a row, or NULL. *dirty: they may hold anything; else they
 * are zero. */
void *brolga__units_take(size_t count, bool *dirty);
void brolga__units_give(void *at, size_t count);

/* The first of the row that was taken with the unit that an address lies in. */
void *brolga__unit_head(const void *at);

/* Units that are taken now. */
size_t brolga__units_taken(void);

#endif
