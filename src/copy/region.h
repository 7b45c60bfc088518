/*
 * Regions inside: what freezing and the walks of this folder share.
 *
 *   map.c      from an address to the region that it lies in
 *   region.c   a region's memory, life and end
 *   leases.c   sets of leases
 *   freeze.c   a copy into a region
 *   collect.c  the regions that a value points into
 */
#ifndef BROLGA_SRC_COPY_REGION_H
#define BROLGA_SRC_COPY_REGION_H

#include "copy/copy.h"
#include "list.h"

#include <brolga/freeze.h>

/* --- the map (map.c) ---------------------------------------------------- */

/* Memory of regions comes in such pages. */
#define BROLGA__REGION_PAGE ((size_t)4096)

/* Enters some pages; BROLGA_OK or BROLGA_ENOMEM, and nothing has changed. */
int brolga__map_add(const void *at, size_t bytes, brolga_region *region);
void brolga__map_remove(const void *at, size_t bytes);

/* The region whose memory an address lies in, or NULL. */
brolga_region *brolga__map_find(const void *at);

/* --- regions (region.c) ------------------------------------------------- */

struct brolga__region_chunk;
struct brolga__region_kept;

/*
 * While it is made it belongs to one thread; then all but the leases and the
 * links is constant.
 */
struct brolga_region {
    _Atomic uint64_t leases;  /* R */
    struct brolga__list link; /* in the list of all; its lock */
    brolga_region *dead;      /* in a list of those that are to be freed */

    /* Its memory; this record lies in the first chunk. */
    struct brolga__region_chunk *chunks;
    unsigned char *next; /* free bytes of a chunk, */
    size_t left;         /* and how many */
    size_t grow_by;      /* bytes of the next chunk */
    bool failed;         /* Something could not be written down. */

    /* What it keeps. */
    struct brolga_model model; /* the host's */
    struct brolga__region_kept *kept;
    struct brolga_leases others;

    struct brolga_region_info info; /* but for its leases */
};

/* A region with one lease that nobody knows yet, or NULL. */
brolga_region *brolga__region_create(const brolga_type *type);
/* Shows it to those who look on. */
void brolga__region_publish(brolga_region *region);
/* Ends it, as the last lease does. */
void brolga__region_destroy(brolga_region *region);

/* Memory from a new chunk. */
void *brolga__region_grow(brolga_region *region, size_t bytes);

/* Memory in it, aligned to 8, not zeroed; or NULL. */
static inline void *brolga__region_alloc(brolga_region *region, size_t bytes)
{
    void *at = region->next;

    bytes = brolga__round_up(bytes, 8);
    if (brolga__unlikely(bytes > region->left))
        return brolga__region_grow(region, bytes);
    region->next += bytes;
    region->left -= bytes;
    return at;
}

/* It keeps a pin of code, or a handle, which is given back at its end. Without
 * memory it `failed`, and the caller's is not taken. */
bool brolga__region_keep_code(brolga_region *region, uintptr_t code);
bool brolga__region_keep_handle(brolga_region *region, const brolga_type *type,
                                brolga_word word);

/* --- what a walk does with what is frozen ------------------------------- */

/*
 * Copies a word with objects from a heap, which may be a region's: then the
 * counts that it makes stay, and on failure nothing is undone, for the region
 * has it. Leases are added to the set in the options (walk.c).
 */
int brolga__copy_to(const struct brolga__heap *heap, brolga_region *region,
                    const brolga_type *type, brolga_word word, brolga_word *out,
                    const struct brolga_copy_opts *opts, uint64_t *bytes,
                    struct brolga_copy_error *error);

/* Takes a lease on the region, if any, that a frozen object lies in. */
static inline int brolga__leases_note(struct brolga_leases *leases,
                                      const struct brolga_model *model,
                                      brolga_word value)
{
    /* The count is inside the object wherever the value points. */
    brolga_region *region =
        brolga__map_find((const void *)brolga__count(model, value));

    return region == NULL || region == leases->only
               ? BROLGA_OK
               : brolga_leases_add(leases, region);
}

#endif
