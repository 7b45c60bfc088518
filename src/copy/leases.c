/*
 * Sets of leases: mostly of one region, which takes no memory; a hash table
 * where there are more.
 *
 * Invariant: slots = 0 and `only` is the region or NULL, or `only` is NULL and
 * at most half of the slots, a power of two, hold a region each.
 */
#include "copy/region.h"

#include "alloc.h"

#define SLOTS_MIN 8

static uint32_t hash(const brolga_region *region)
{
    uint64_t bits = (uint64_t)(uintptr_t)region / BROLGA__REGION_PAGE;

    return (uint32_t)(bits * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* Where the region is in the table, or belongs. Half of the slots are free, so
 * that the search ends. */
static brolga_region **find(const struct brolga_leases *leases,
                            const brolga_region *region)
{
    uint32_t i = hash(region) & (leases->slots - 1);

    while (leases->slot[i] != NULL && leases->slot[i] != region)
        i = (i + 1) & (leases->slots - 1);
    return &leases->slot[i];
}

bool brolga_leases_has(const struct brolga_leases *leases,
                       const brolga_region *region)
{
    if (leases->slots == 0)
        return region != NULL && leases->only == region;
    return *find(leases, region) == region;
}

brolga_region *brolga_leases_next(const struct brolga_leases *leases,
                                  size_t *at)
{
    if (leases->slots == 0)
        return (*at)++ == 0 ? leases->only : NULL;
    while (*at < leases->slots) {
        brolga_region *region = leases->slot[(*at)++];

        if (region != NULL)
            return region;
    }
    return NULL;
}

/* Makes room for so many regions, at least. */
static int reserve(struct brolga_leases *leases, size_t count)
{
    struct brolga_leases grown = {.count = leases->count, .slots = SLOTS_MIN};
    brolga_region *region;

    if (count <= (leases->slots == 0 ? 1 : leases->slots / 2))
        return BROLGA_OK;
    while (grown.slots / 2 < count) {
        if (grown.slots > UINT32_MAX / 4)
            return BROLGA_ENOMEM;
        grown.slots *= 2;
    }
    grown.slot = brolga__alloc_zero(grown.slots * sizeof(grown.slot[0]));
    if (grown.slot == NULL)
        return BROLGA_ENOMEM;
    for (size_t at = 0; (region = brolga_leases_next(leases, &at)) != NULL;)
        *find(&grown, region) = region;
    brolga__free(leases->slot);
    *leases = grown;
    return BROLGA_OK;
}

/* Puts a region in that is not there; there is room. */
static void put(struct brolga_leases *leases, brolga_region *region)
{
    leases->count++;
    if (leases->slots == 0)
        leases->only = region;
    else
        *find(leases, region) = region;
}

int brolga_leases_add(struct brolga_leases *leases, brolga_region *region)
{
    int err;

    if (region == NULL || brolga_leases_has(leases, region))
        return BROLGA_OK;
    err = reserve(leases, (size_t)leases->count + 1);
    if (err == BROLGA_OK)
        put(leases, brolga_region_retain(region));
    return err;
}

/* How many regions of `from` are not in `to`. */
static size_t count_new(const struct brolga_leases *to,
                        const struct brolga_leases *from)
{
    const brolga_region *region;
    size_t count = 0;

    for (size_t at = 0; (region = brolga_leases_next(from, &at)) != NULL;)
        count += !brolga_leases_has(to, region);
    return count;
}

int brolga_leases_move(struct brolga_leases *to, struct brolga_leases *from)
{
    brolga_region *region;
    int err;

    if (to->count == 0) {
        brolga_leases_end(to);
        *to = *from;
        *from = (struct brolga_leases){.count = 0};
        return BROLGA_OK;
    }
    err = reserve(to, (size_t)to->count + count_new(to, from));
    if (err != BROLGA_OK)
        return err;
    for (size_t at = 0; (region = brolga_leases_next(from, &at)) != NULL;) {
        if (brolga_leases_has(to, region))
            brolga_region_release(region);
        else
            put(to, region);
    }
    brolga__free(from->slot);
    *from = (struct brolga_leases){.count = 0};
    return BROLGA_OK;
}

void brolga_leases_end(struct brolga_leases *leases)
{
    brolga_region *region;

    for (size_t at = 0; (region = brolga_leases_next(leases, &at)) != NULL;)
        brolga_region_release(region);
    brolga__free(leases->slot);
    *leases = (struct brolga_leases){.count = 0};
}
