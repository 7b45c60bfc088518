/*
 * Regions: their memory, their life and their end.
 *
 * A region takes memory in chunks of whole pages, each twice as large as the
 * last up to a limit, and gives it out from their front. What would waste much
 * of a chunk gets one of its own. The region's record lies in the first chunk,
 * so that a small region is one allocation.
 *
 * The end of a region can end others, on which it had leases, and those others
 * again; they wait in a list, so that a chain of any length is no recursion.
 *
 *   R  The last lease sees what all others did with the region: sub_acq_rel in
 *      brolga_region_release, with itself. A lease is added by somebody who has
 *      one, hence relaxed.
 *
 * The lock guards the list of all regions; a leaf.
 */
#include "copy/region.h"

#include "alloc.h"
#include "lock.h"

#include <stdio.h>
#include <string.h>

/* Of a size that the allocator keeps at hand. */
#define GROW_MAX ((size_t)1 << 16)

struct brolga__region_chunk {
    struct brolga__region_chunk *next;
    size_t bytes;
};

/* Things to give back, in the region's own memory. */
#define KEPT_MAX 20

struct brolga__region_kept {
    struct brolga__region_kept *next;
    uint32_t count;
    struct {
        void (*release)(brolga_word word, void *arg); /* NULL: a pin of code */
        void *arg;
        brolga_word word;
    } thing[KEPT_MAX];
};

static struct brolga__lock all_lock;
static struct brolga__list all = {&all, &all};
static size_t all_count; /* all_lock */
static _Atomic uint64_t last_id;

/* --- memory ------------------------------------------------------------- */

/* A chunk with so many bytes behind its head, in the map; or NULL. */
static struct brolga__region_chunk *chunk_make(brolga_region *region,
                                               size_t bytes)
{
    struct brolga__region_chunk *chunk;

    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = brolga__round_up(bytes + sizeof(*chunk), BROLGA__REGION_PAGE);
    chunk = brolga__value_alloc_pages(bytes);
    if (chunk == NULL)
        return NULL;
    if (region == NULL) /* The first chunk: the region is in it. */
        region = (brolga_region *)(void *)(chunk + 1);
    if (brolga__map_add(chunk, bytes, region) != BROLGA_OK) {
        brolga__value_free(chunk, bytes);
        return NULL;
    }
    chunk->next = NULL;
    chunk->bytes = bytes;
    return chunk;
}

static void chunk_add(brolga_region *region, struct brolga__region_chunk *chunk)
{
    chunk->next = region->chunks;
    region->chunks = chunk;
    region->info.bytes += chunk->bytes;
}

void *brolga__region_grow(brolga_region *region, size_t bytes)
{
    bool is_large = bytes > region->grow_by / 4;
    struct brolga__region_chunk *chunk =
        chunk_make(region, is_large ? bytes : region->grow_by - sizeof(*chunk));

    if (chunk == NULL)
        return NULL;
    chunk_add(region, chunk);
    if (is_large)
        return chunk + 1;
    region->next = (unsigned char *)(chunk + 1);
    region->left = chunk->bytes - sizeof(*chunk);
    if (region->grow_by < GROW_MAX)
        region->grow_by *= 2;
    return brolga__region_alloc(region, bytes);
}

/* --- what it keeps ------------------------------------------------------ */

static bool keep(brolga_region *region, void (*release)(brolga_word, void *),
                 void *arg, brolga_word word)
{
    struct brolga__region_kept *kept = region->kept;

    if (kept == NULL || kept->count == KEPT_MAX) {
        kept = brolga__region_alloc(region, sizeof(*kept));
        if (kept == NULL) {
            region->failed = true;
            return false;
        }
        kept->next = region->kept;
        kept->count = 0;
        region->kept = kept;
    }
    kept->thing[kept->count].release = release;
    kept->thing[kept->count].arg = arg;
    kept->thing[kept->count].word = word;
    kept->count++;
    region->info.kept++;
    return true;
}

bool brolga__region_keep_code(brolga_region *region, uintptr_t code)
{
    return keep(region, NULL, NULL, (brolga_word)code);
}

bool brolga__region_keep_handle(brolga_region *region, const brolga_type *type,
                                brolga_word word)
{
    return type->release == NULL ||
           keep(region, type->release, type->handle_arg, word);
}

static void give_back(const brolga_region *region)
{
    const struct brolga_model *model = &region->model;

    for (const struct brolga__region_kept *kept = region->kept; kept != NULL;
         kept = kept->next)
        for (uint32_t i = 0; i < kept->count; i++) {
            if (kept->thing[i].release != NULL)
                kept->thing[i].release(kept->thing[i].word, kept->thing[i].arg);
            else if (model->closure_unpin != NULL)
                model->closure_unpin((uintptr_t)kept->thing[i].word,
                                     brolga__closure_arg(model));
        }
}

/* --- life --------------------------------------------------------------- */

brolga_region *brolga__region_create(const brolga_type *type)
{
    struct brolga__region_chunk *chunk =
        chunk_make(NULL, sizeof(brolga_region));
    brolga_region *region;

    if (chunk == NULL)
        return NULL;
    region = (brolga_region *)(void *)(chunk + 1);
    memset(region, 0, sizeof(*region));
    brolga__store_relaxed(&region->leases, 1);
    brolga__list_init(&region->link);
    chunk_add(region, chunk);
    region->next = (unsigned char *)(region + 1);
    region->left = chunk->bytes - sizeof(*chunk) - sizeof(*region);
    region->grow_by = 2 * BROLGA__REGION_PAGE;
    region->model = *type->model;
    (void)snprintf(region->info.type, sizeof(region->info.type), "%s",
                   type->name);
    return region;
}

void brolga__region_publish(brolga_region *region)
{
    region->info.made_ns = brolga_now_ns();
    region->info.others = region->others.count;
    brolga__lock_take(&all_lock);
    region->info.id = brolga__add_relaxed(&last_id, 1) + 1;
    brolga__list_push_back(&all, &region->link);
    all_count++;
    brolga__lock_leave(&all_lock);
}

static void unpublish(brolga_region *region)
{
    if (region->info.id == 0) /* It never was. */
        return;
    brolga__lock_take(&all_lock);
    brolga__list_remove(&region->link);
    all_count--;
    brolga__lock_leave(&all_lock);
}

static void free_memory(brolga_region *region)
{
    struct brolga__region_chunk *chunk = region->chunks;

    while (chunk != NULL) {
        struct brolga__region_chunk *next = chunk->next;
        size_t bytes = chunk->bytes;

        brolga__map_remove(chunk, bytes);
        brolga__value_free(chunk, bytes); /* One has the record in it. */
        chunk = next;
    }
}

/* Ends a lease; whether that was the last. */
static bool is_last_lease(brolga_region *region)
{
    uint64_t leases = brolga__sub_acq_rel(&region->leases, 1); /* R */

    brolga__assert(leases > 0);
    return leases == 1;
}

/* Ends the leases of a region that goes; what ends with it is put in front of
 * `dead`. */
static brolga_region *end_others(brolga_region *region, brolga_region *dead)
{
    brolga_region *other;

    for (size_t at = 0;
         (other = brolga_leases_next(&region->others, &at)) != NULL;)
        if (is_last_lease(other)) {
            other->dead = dead;
            dead = other;
        }
    brolga__free(region->others.slot);
    return dead;
}

void brolga__region_destroy(brolga_region *region)
{
    region->dead = NULL;
    while (region != NULL) { /* Each turn frees one. */
        brolga_region *dead = end_others(region, region->dead);

        unpublish(region);
        give_back(region);
        free_memory(region);
        region = dead;
    }
}

brolga_region *brolga_region_retain(brolga_region *region)
{
    if (region != NULL) /* Relaxed: there is a lease, so that it stays. */
        (void)brolga__add_relaxed(&region->leases, 1);
    return region;
}

void brolga_region_release(brolga_region *region)
{
    if (region != NULL && is_last_lease(region))
        brolga__region_destroy(region);
}

/* --- looking ------------------------------------------------------------ */

brolga_region *brolga_region_of(const brolga_type *type, brolga_word word)
{
    if (!brolga_type_can_freeze(type) || brolga__is_small(type->model, word))
        return NULL;
    return brolga__map_find((const void *)brolga__count(type->model, word));
}

void brolga_region_look(const brolga_region *region,
                        struct brolga_region_info *out)
{
    *out = region->info;
    out->leases = brolga__load_relaxed(&region->leases);
}

size_t brolga_regions_list(struct brolga_region_info *out, size_t room)
{
    size_t count = 0, total;

    brolga__lock_take(&all_lock);
    brolga__list_each (node, &all) {
        if (count == room)
            break;
        brolga_region_look(
            brolga__container_of(node, struct brolga_region, link),
            &out[count++]);
    }
    total = all_count;
    brolga__lock_leave(&all_lock);
    return total;
}
