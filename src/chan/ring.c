/*
 * The buffer of a channel: a ring of slots of one size. A bounded channel's
 * has its capacity from the start, so that sending needs no memory; an
 * unbounded one's doubles, so that a send costs O(1) on average.
 *
 * Invariants: count <= slots; head < slots, or both are 0. The n-th oldest
 * element lies in slot (head + n) mod slots.
 */
#include "chan/chan.h"

#include "alloc.h"

#include <string.h>

#define SLOTS_FIRST 16

static bool valid(const struct brolga__ring *ring)
{
    if (ring->slots == 0)
        return ring->head == 0 && ring->count == 0;
    return ring->head < ring->slots && ring->count <= ring->slots;
}

static void *slot_at(const struct brolga__ring *ring, size_t nth)
{
    size_t slot = ring->head + nth;

    if (slot >= ring->slots)
        slot -= ring->slots;
    return ring->at + slot * ring->bytes;
}

static void *alloc_slots(size_t slots, size_t bytes, size_t align)
{
    if (slots > SIZE_MAX / 2 / bytes)
        return NULL;
    if (align > sizeof(max_align_t))
        return brolga__alloc_line(slots * bytes);
    return brolga__alloc(slots * bytes);
}

int brolga__ring_init(struct brolga__ring *ring, size_t slots, size_t bytes,
                      size_t align)
{
    unsigned char *at = NULL;

    brolga__assert(bytes > 0);
    brolga__assert(align <= BROLGA__CACHE_LINE);
    if (slots > 0) {
        at = alloc_slots(slots, bytes, align);
        if (at == NULL)
            return BROLGA_ENOMEM;
    }
    *ring = (struct brolga__ring){
        .at = at, .bytes = bytes, .align = align, .slots = slots};
    return BROLGA_OK;
}

void brolga__ring_free(struct brolga__ring *ring)
{
    brolga__free(ring->at);
    ring->at = NULL;
    ring->slots = ring->head = ring->count = 0;
}

int brolga__ring_grow(struct brolga__ring *ring)
{
    size_t slots = ring->slots == 0 ? SLOTS_FIRST : ring->slots * 2;
    unsigned char *at = alloc_slots(slots, ring->bytes, ring->align);
    size_t first = ring->slots - ring->head; /* slots up to the wrap */

    if (at == NULL)
        return BROLGA_ENOMEM;
    if (first > ring->count)
        first = ring->count;
    if (ring->count > 0) {
        memcpy(at, slot_at(ring, 0), first * ring->bytes);
        memcpy(at + first * ring->bytes, ring->at,
               (ring->count - first) * ring->bytes);
    }
    brolga__free(ring->at);
    ring->at = at;
    ring->slots = slots;
    ring->head = 0;
    return BROLGA_OK;
}

void brolga__ring_push(struct brolga__ring *ring, const void *elem)
{
    brolga__assert(ring->count < ring->slots);
    memcpy(slot_at(ring, ring->count), elem, ring->bytes);
    ring->count++;
    brolga__check(valid(ring));
}

void brolga__ring_pop(struct brolga__ring *ring, void *elem)
{
    brolga__assert(ring->count > 0);
    memcpy(elem, slot_at(ring, 0), ring->bytes);
    ring->count--;
    ring->head++;
    if (ring->head == ring->slots)
        ring->head = 0;
    brolga__check(valid(ring));
}
