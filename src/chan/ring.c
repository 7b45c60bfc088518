/*
 * The buffer of a channel: a ring of slots of one size. A bounded channel's
 * has its capacity from the start, so that sending needs no memory; an
 * unbounded one's doubles, so that a send costs O(1) on average.
 *
 * The ends count all values that ever passed, so that what is in the ring are
 * those from head.index to tail.index. The n-th of all lies in slot n mod
 * slots, which is a power of two.
 *
 * Invariant: 0 <= tail.index - head.index <= slots.
 */
#include "chan/chan.h"

#include "alloc.h"

#define SLOTS_FIRST 16

static void set_slots(struct brolga__ring *ring, unsigned char *at,
                      size_t slots)
{
    ring->slots = slots;
    ring->tail.at = ring->head.at = at;
    ring->tail.mask = ring->head.mask = slots == 0 ? 0 : slots - 1;
}

static void *alloc_slots(size_t slots, size_t bytes, size_t align)
{
    if (slots > SIZE_MAX / 2 / bytes)
        return NULL;
    if (align > sizeof(max_align_t))
        return brolga__alloc_line(slots * bytes);
    return brolga__alloc(slots * bytes);
}

/* The least power of two that is no less; 0 if there is none. */
static size_t power_of_two(size_t least)
{
    size_t power = 1;

    while (power < least && power != 0)
        power *= 2;
    return power;
}

int brolga__ring_init(struct brolga__ring *ring, size_t slots, size_t bytes,
                      size_t align)
{
    unsigned char *at = NULL;

    brolga__assert(bytes > 0);
    brolga__assert(align <= BROLGA__CACHE_LINE);
    if (slots > 0) {
        slots = power_of_two(slots);
        at = slots == 0 ? NULL : alloc_slots(slots, bytes, align);
        if (at == NULL)
            return BROLGA_ENOMEM;
    }
    *ring = (struct brolga__ring){.align = align};
    ring->tail.bytes = ring->head.bytes = bytes;
    set_slots(ring, at, slots);
    return BROLGA_OK;
}

void brolga__ring_free(struct brolga__ring *ring)
{
    brolga__free(ring->tail.at);
    set_slots(ring, NULL, 0);
}

unsigned char *brolga__ring_slots(const struct brolga__ring *ring, size_t bytes,
                                  size_t align)
{
    return ring->slots == 0 ? NULL : alloc_slots(ring->slots, bytes, align);
}

unsigned char *brolga__ring_refit(struct brolga__ring *ring, unsigned char *at,
                                  size_t bytes, size_t align)
{
    unsigned char *was = ring->tail.at;

    ring->align = align;
    ring->tail.bytes = ring->head.bytes = bytes;
    set_slots(ring, at, ring->slots);
    return was;
}

static void set_indices(struct brolga__ring *ring, uint64_t head, uint64_t tail)
{
    brolga__store_release(&ring->head.index, head); /* H: find_slots */
    brolga__store_release(&ring->tail.index, tail); /* T: find_values */
}

void brolga__ring_move(struct brolga__ring *to, struct brolga__ring *from)
{
    uint64_t tail = brolga__load_relaxed(&from->tail.index); /* L */

    /* Member by member: others may be trying to take the locks. */
    *to = (struct brolga__ring){.align = from->align};
    to->tail.bytes = to->head.bytes = from->tail.bytes;
    set_slots(to, from->tail.at, from->slots);
    set_indices(to, brolga__load_relaxed(&from->head.index), tail); /* L */
    set_slots(from, NULL, 0);
    set_indices(from, tail, tail);
}

int brolga__ring_grow(struct brolga__ring *ring)
{
    size_t slots = ring->slots == 0 ? SLOTS_FIRST : ring->slots * 2;
    size_t bytes = ring->tail.bytes;
    unsigned char *at = alloc_slots(slots, bytes, ring->align);
    uint64_t first, last;

    if (at == NULL)
        return BROLGA_ENOMEM;
    brolga__check(brolga__ring_count(ring) <= ring->slots);
    first = brolga__load_relaxed(&ring->head.index); /* L */
    last = brolga__load_relaxed(&ring->tail.index);  /* L */
    for (uint64_t i = first; i != last; i++)
        brolga__move(at + (i & (slots - 1)) * bytes,
                     ring->tail.at + (i & ring->tail.mask) * bytes, bytes);
    brolga__free(ring->tail.at);
    set_slots(ring, at, slots);
    return BROLGA_OK;
}
