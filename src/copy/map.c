/*
 * The map: from an address to the region in whose memory it lies.
 *
 * A table of two levels by the address's page, for the whole process, so that
 * to ask costs two loads and no lock, also for addresses that are none of
 * ours. A leaf covers 4 GiB of addresses and takes as much memory as it has
 * pages with entries; once made it stays.
 *
 * An entry is written before anybody has a pointer into its page, and cleared
 * when nobody has any more. So whoever asks for an address that lies in a
 * region finds what is there by the edge that brought the pointer; others find
 * what does not concern them. Entries are relaxed, therefore.
 *
 *   M  A leaf's entries are zero before it is found: cas_acq_rel in
 *      leaf_make -> load_acquire in brolga__map_find and leaf_make.
 */
#include "copy/region.h"

#include "plat.h"

#define PAGE_BITS 12
#define LEAF_BITS 20
#define ROOT_BITS 16 /* Addresses of 48 bits: more than programs have. */

_Static_assert(BROLGA__REGION_PAGE == (size_t)1 << PAGE_BITS, "one page size");

typedef brolga_region *_Atomic entry;

#define LEAF_ENTRIES ((uintptr_t)1 << LEAF_BITS)
#define LEAF_BYTES   (LEAF_ENTRIES * sizeof(entry))
#define ROOT_ENTRIES ((uintptr_t)1 << ROOT_BITS)

static entry *_Atomic root[ROOT_ENTRIES];

static uintptr_t page_of(const void *at)
{
    return (uintptr_t)at >> PAGE_BITS;
}

/* The leaf of a page, which is made if there is none; or NULL. */
static entry *leaf_make(uintptr_t page)
{
    entry *_Atomic *place = &root[page >> LEAF_BITS];
    entry *there = brolga__load_acquire(place); /* M */
    entry *leaf;

    if (there != NULL)
        return there;
    leaf = brolga__plat_reserve(LEAF_BYTES);
    if (leaf == NULL)
        return NULL;
    if (brolga__cas_acq_rel(place, &there, leaf)) /* M: map_find */
        return leaf;
    brolga__plat_unreserve(leaf, LEAF_BYTES);
    return there;
}

int brolga__map_add(const void *at, size_t bytes, brolga_region *region)
{
    uintptr_t first = page_of(at);
    uintptr_t last = first + (bytes >> PAGE_BITS) - 1;

    if (last >> LEAF_BITS >= ROOT_ENTRIES)
        return BROLGA_ENOMEM;
    for (uintptr_t leaf = first >> LEAF_BITS; leaf <= last >> LEAF_BITS; leaf++)
        if (leaf_make(leaf << LEAF_BITS) == NULL)
            return BROLGA_ENOMEM;
    for (uintptr_t page = first; page <= last; page++)
        brolga__store_relaxed(&leaf_make(page)[page & (LEAF_ENTRIES - 1)],
                              region);
    return BROLGA_OK;
}

void brolga__map_remove(const void *at, size_t bytes)
{
    uintptr_t first = page_of(at);

    for (uintptr_t i = 0; i < bytes >> PAGE_BITS; i++)
        brolga__store_relaxed(
            &leaf_make(first + i)[(first + i) & (LEAF_ENTRIES - 1)], NULL);
}

brolga_region *brolga__map_find(const void *at)
{
    uintptr_t page = page_of(at);
    entry *leaf;

    if (page >> LEAF_BITS >= ROOT_ENTRIES)
        return NULL;
    leaf = brolga__load_acquire(&root[page >> LEAF_BITS]); /* M: leaf_make */
    return leaf == NULL
               ? NULL
               : brolga__load_relaxed(&leaf[page & (LEAF_ENTRIES - 1)]);
}
