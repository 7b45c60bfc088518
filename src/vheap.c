/*
 * Blocks. A block's objects lie in slots of one size behind its head. Slots
 * that were never used are given out from the front; those that were freed by
 * the owner are in a list; those that others freed in another one, `remote`,
 * which the owner takes as a whole when it looks for free slots. Blocks of one
 * size are in a ring, which it goes through a few at a time.
 *
 * A slot has marks, which only the owner reads and writes: KEPT, HELD (holds.h
 * knows of it). Blocks without any never look at them.
 *
 * When the heap ends, a block with objects that stay is *left*: from then on
 * each free counts, and the last one gives the block back.
 *
 *   R  What others did to an object comes before its slot is used again: the
 *      push in free_remote (release) -> the swap in take_remote (acquire).
 *   L  A block is left whole: the swap in leave (release) -> the acquire load
 *      or failed CAS in free_remote that finds LEFT.
 *   T  All that was done in a block comes before it is given back: sub_acq_rel
 *      of `left`, with itself.
 */
#include "vheap.h"

#include "alloc.h"
#include "base.h"
#include "holds.h"

#include <string.h>

#if defined(BROLGA__ASAN)
#include <sanitizer/asan_interface.h>
/* Slots that hold no object trap, but for the word that links them. */
#define hide(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define show(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
#else
#define hide(at, bytes) ((void)(at), (void)(bytes))
#define show(at, bytes) ((void)(at), (void)(bytes))
#endif

/* Sizes: by 16 bytes up to FINE_MAX, then four to a power of two. */
#define FINE_MAX  1024
#define SMALL_MAX 16384
#define FINE      (FINE_MAX / 16)
#define SIZES     (FINE + 16)
#define LARGE     SIZES /* The ring of blocks with one object each. */

/* Blocks that are looked through for free slots before there is a new one. */
#define LOOKS 4

#define SLOTS_MAX (BROLGA__UNIT_BYTES / 16)

enum { KEPT = 1, HELD = 2 };

/* What `remote` says besides the address of a slot. */
#define NOTHING ((uintptr_t)0)
#define LEFT    ((uintptr_t)1)

struct block {
    struct brolga__vheap *_Atomic owner; /* NULL: it has been left. */
    struct block *next, *prev;           /* in its ring */
    uint32_t size;                       /* its ring */
    uint32_t units;
    size_t slot_bytes;
    uint64_t inverse; /* of slot_bytes, times 2^32, and a bit more */
    void *free;       /* slots, linked by their first words */
    unsigned char *fresh, *end;
    uint32_t used;   /* objects, as far as the owner knows */
    uint32_t kept;   /* of these */
    uint32_t marked; /* slots with marks */
    _Alignas(BROLGA__CACHE_LINE) _Atomic uintptr_t remote;
    _Atomic int64_t left; /* Objects that are to be freed, when it is LEFT. */
    _Alignas(BROLGA__CACHE_LINE) uint8_t marks[SLOTS_MAX];
};

#define HEAD_BYTES sizeof(struct block)

struct brolga__vheap {
    struct block *ring[SIZES + 1]; /* Where the next object is made, or NULL. */
    struct brolga__holds_of holds;
    void *scratch;
    size_t scratch_bytes;
};

/* --- sizes -------------------------------------------------------------- */

static inline uint32_t size_of(size_t bytes)
{
    uint32_t log, fourth;

    if (brolga__likely(bytes <= FINE_MAX))
        return bytes == 0 ? 0 : (uint32_t)((bytes - 1) / 16);
    if (bytes > SMALL_MAX)
        return LARGE;
    log = 63 - (uint32_t)__builtin_clzll(bytes - 1); /* 10 and more */
    fourth = (uint32_t)((bytes - 1) >> (log - 2)) & 3;
    return FINE + (log - 10) * 4 + fourth;
}

static size_t slot_bytes_of(uint32_t size, size_t bytes)
{
    uint32_t coarse = size - FINE;

    if (size == LARGE)
        return brolga__round_up(bytes, 16);
    if (size < FINE)
        return (size_t)(size + 1) * 16;
    return (size_t)(5 + coarse % 4) << (8 + coarse / 4);
}

/* --- blocks ------------------------------------------------------------- */

static inline struct block *block_of(const void *at)
{
    return (struct block *)((uintptr_t)at & ~(BROLGA__UNIT_BYTES - 1));
}

static unsigned char *first_slot(const struct block *block)
{
    return (unsigned char *)(uintptr_t)block + HEAD_BYTES;
}

/* Exact, for offsets are below 2^16, and 0 in a block with one slot. */
static inline size_t slot_number(const struct block *block, const void *at)
{
    return (size_t)((const unsigned char *)at - first_slot(block)) *
               block->inverse >>
           32;
}

/* The same for any address in it. */
static struct block *block_around(const void *at)
{
    return brolga__unit_head(at);
}

/* Where the object begins that an address lies in. */
static const void *object_of(const struct block *block, const void *at)
{
    return first_slot(block) + slot_number(block, at) * block->slot_bytes;
}

static struct block *block_make(struct brolga__vheap *heap, uint32_t size,
                                size_t slot_bytes)
{
    size_t count = 1;
    struct block *block;
    bool dirty;

    if (size == LARGE)
        count = (HEAD_BYTES + slot_bytes + BROLGA__UNIT_BYTES - 1) /
                BROLGA__UNIT_BYTES;
    block = brolga__units_take(count, &dirty);
    if (block == NULL)
        return NULL;
    show(block, HEAD_BYTES);
    if (dirty)
        memset(block->marks, 0, sizeof(block->marks));
    brolga__store_relaxed(&block->owner, heap);
    brolga__store_relaxed(&block->remote, NOTHING);
    block->size = size;
    block->units = (uint32_t)count;
    block->slot_bytes = slot_bytes;
    block->inverse = size == LARGE ? 0 : (UINT64_C(1) << 32) / slot_bytes + 1;
    block->free = NULL;
    block->fresh = first_slot(block);
    block->end = size == LARGE ? block->fresh + slot_bytes
                               : (unsigned char *)block + BROLGA__UNIT_BYTES;
    block->used = block->kept = block->marked = 0;
    hide(block->fresh, (size_t)(block->end - block->fresh));
    return block;
}

static void block_give(struct block *block)
{
    size_t units = block->units;

    hide(block, units * BROLGA__UNIT_BYTES);
    brolga__units_give(block, units);
}

/* In front of the one at which the next object is made. */
static void ring_add(struct brolga__vheap *heap, struct block *block)
{
    struct block *at = heap->ring[block->size];

    if (at == NULL) {
        block->next = block->prev = block;
        heap->ring[block->size] = block;
        return;
    }
    block->next = at;
    block->prev = at->prev;
    at->prev->next = block;
    at->prev = block;
}

static void ring_remove(struct brolga__vheap *heap, struct block *block)
{
    if (heap->ring[block->size] == block)
        heap->ring[block->size] = block->next == block ? NULL : block->next;
    block->next->prev = block->prev;
    block->prev->next = block->next;
}

/* --- slots -------------------------------------------------------------- */

/* Ends what is known of an object. */
static void unmark(struct brolga__vheap *heap, struct block *block,
                   void *object)
{
    uint8_t *marks = &block->marks[slot_number(block, object)];

    if (*marks == 0)
        return;
    if ((*marks & KEPT) != 0)
        block->kept--;
    if ((*marks & HELD) != 0)
        brolga__holds_forget(&heap->holds, object);
    *marks = 0;
    block->marked--;
}

static inline void slot_free(struct brolga__vheap *heap, struct block *block,
                             void *object)
{
    if (brolga__unlikely(block->marked > 0))
        unmark(heap, block, object);
    *(void **)object = block->free;
    block->free = object;
    block->used--;
}

/* What others have freed. */
static void take_remote(struct brolga__vheap *heap, struct block *block)
{
    uintptr_t at;

    if (brolga__load_relaxed(&block->remote) == NOTHING)
        return;
    at = brolga__swap_acquire(&block->remote, NOTHING); /* R: free_remote */
    while (at != NOTHING) { /* Each turn takes a slot. */
        void *object = (void *)at;

        at = *(uintptr_t *)object;
        slot_free(heap, block, object);
    }
}

/* A free slot of the block, or NULL. */
static inline void *slot_take(struct block *block)
{
    void *object = block->free;

    if (object != NULL) {
        block->free = *(void **)object;
    } else {
        object = block->fresh;
        if ((size_t)(block->end - block->fresh) < block->slot_bytes)
            return NULL;
        block->fresh += block->slot_bytes;
    }
    block->used++;
    return object;
}

/* --- making ------------------------------------------------------------- */

static void *make_large(struct brolga__vheap *heap, size_t bytes)
{
    struct block *block;

    /* Those that others have freed go when there are new ones. */
    for (int i = 0; i < LOOKS && heap->ring[LARGE] != NULL; i++) {
        block = heap->ring[LARGE];
        take_remote(heap, block);
        heap->ring[LARGE] = block->next;
        if (block->used == 0) {
            ring_remove(heap, block);
            block_give(block);
        }
    }
    block = block_make(heap, LARGE, slot_bytes_of(LARGE, bytes));
    if (block == NULL)
        return NULL;
    ring_add(heap, block);
    return slot_take(block);
}

/* Where the current block is full. */
__attribute__((noinline)) static void *make_slow(struct brolga__vheap *heap,
                                                 uint32_t size, size_t bytes)
{
    struct block *block = heap->ring[size];

    if (bytes > BROLGA__UNITS_BYTES / 2)
        return NULL;
    if (size == LARGE)
        return make_large(heap, bytes);
    for (int i = 0; i < LOOKS && block != NULL; i++) {
        void *object;

        block = block->next;
        take_remote(heap, block);
        heap->ring[size] = block;
        object = slot_take(block);
        if (object != NULL)
            return object;
    }
    block = block_make(heap, size, slot_bytes_of(size, bytes));
    if (block == NULL)
        return NULL;
    ring_add(heap, block);
    heap->ring[size] = block;
    return slot_take(block);
}

void *brolga__vheap_alloc(struct brolga__vheap *heap, size_t bytes)
{
    uint32_t size = size_of(bytes);
    struct block *block = heap->ring[size];
    void *object = NULL;

    if (brolga__likely(block != NULL && size != LARGE))
        object = slot_take(block);
    if (brolga__unlikely(object == NULL))
        object = make_slow(heap, size, bytes);
    if (object != NULL)
        show(object, bytes);
    return object;
}

/* --- freeing ------------------------------------------------------------ */

/* A block that is empty goes, but for the one that objects are made in. */
static void free_mine(struct brolga__vheap *heap, struct block *block,
                      void *object)
{
    slot_free(heap, block, object);
    if (brolga__likely(block->used > 0) ||
        (block == heap->ring[block->size] && block->size != LARGE))
        return;
    ring_remove(heap, block);
    block_give(block);
}

static void count_down(struct block *block, int64_t objects)
{
    int64_t left = brolga__sub_acq_rel(&block->left, objects); /* T */

    brolga__assert(left >= objects);
    if (left == objects)
        block_give(block);
}

static void free_remote(struct block *block, void *object)
{
    uintptr_t first = brolga__load_acquire(&block->remote); /* L: leave */

    do { /* Ends: somebody else has got on. */
        if (first == LEFT) {
            count_down(block, 1);
            return;
        }
        *(uintptr_t *)object = first;
    } while (!brolga__cas_acq_rel(&block->remote, &first,
                                  (uintptr_t)object)); /* R; L: leave */
}

void brolga__vheap_free(struct brolga__vheap *mine, void *object)
{
    struct block *block = block_of(object);

    show(object, 8);
    hide((unsigned char *)object + 8, block->slot_bytes - 8);
    /* Relaxed: nobody else has ever been, or will be, told that it is his. */
    if (mine != NULL && brolga__load_relaxed(&block->owner) == mine)
        free_mine(mine, block, object);
    else
        free_remote(block, object);
}

/* --- marks -------------------------------------------------------------- */

bool brolga__vheap_has(const struct brolga__vheap *heap, const void *at)
{
    return brolga__in_units(at) &&
           brolga__load_relaxed(&block_around(at)->owner) == heap;
}

static inline void mark(struct block *block, const void *at, uint8_t more,
                        uint8_t fewer)
{
    uint8_t *marks = &block->marks[slot_number(block, at)];
    uint8_t was = *marks;
    uint8_t now = (uint8_t)((was & ~fewer) | more);

    *marks = now;
    block->marked += (now != 0) - (was != 0);
    block->kept += ((now & KEPT) != 0) - ((was & KEPT) != 0);
}

void brolga__vheap_keep(struct brolga__vheap *heap, const void *at, bool kept)
{
    struct block *block;

    if (!brolga__in_units(at))
        return;
    block = block_around(at);
    if (brolga__load_relaxed(&block->owner) == heap)
        mark(block, at, kept ? KEPT : 0, kept ? 0 : KEPT);
}

int brolga__vheap_hold(struct brolga__vheap *heap, const void *at,
                       void (*release)(brolga_word word, void *arg), void *arg,
                       brolga_word word)
{
    struct block *block = block_around(at);
    struct brolga__hold hold = {.object = object_of(block, at),
                                .release = release,
                                .arg = arg,
                                .word = word};
    int err = brolga__holds_add(&heap->holds, &hold);

    if (err == BROLGA_OK)
        mark(block, at, HELD, 0);
    return err;
}

/* --- life --------------------------------------------------------------- */

int brolga__vheap_create(struct brolga__vheap **out)
{
    struct brolga__vheap *heap = brolga__alloc_zero(sizeof(*heap));

    if (heap == NULL)
        return BROLGA_ENOMEM;
    *out = heap;
    return BROLGA_OK;
}

void *brolga__vheap_scratch(struct brolga__vheap *heap, size_t bytes)
{
    void *grown;

    if (bytes <= heap->scratch_bytes)
        return heap->scratch;
    grown = brolga__realloc(heap->scratch, bytes);
    if (grown == NULL)
        return NULL;
    heap->scratch = grown;
    heap->scratch_bytes = bytes;
    return grown;
}

/*
 * Leaves a block to those who have objects in it: `staying` of them, or of the
 * kept ones only. One more is counted until what they freed in the meantime is
 * counted, too. Returns how many of these were not to stay.
 */
static uint32_t leave(struct block *block, uint32_t staying, bool failed)
{
    int64_t freed = 1;
    uint32_t others = 0;
    uintptr_t at;

    brolga__store_relaxed(&block->owner, NULL);
    brolga__store_relaxed(&block->left, (int64_t)staying + 1);
    at = brolga__swap_acq_rel(&block->remote, LEFT); /* L: free_remote; R */
    while (at != NOTHING) { /* Each turn looks at another slot. */
        const void *object = (const void *)at;

        at = *(const uintptr_t *)object;
        if (failed && (block->marks[slot_number(block, object)] & KEPT) == 0)
            others++;
        else
            freed++;
    }
    count_down(block, freed);
    return others;
}

/* Ends a block; returns how many objects ended with it. */
static uint32_t block_end(struct block *block, bool failed)
{
    uint32_t staying = failed ? block->kept : block->used;
    uint32_t dead = block->used - staying;

    if (staying == 0 && brolga__load_relaxed(&block->remote) == NOTHING)
        block_give(block);
    else
        dead -= leave(block, staying, failed);
    return dead;
}

/* Whether an object ends with its failing heap. */
static bool is_not_kept(const void *object)
{
    const struct block *block = block_of(object);

    return (block->marks[slot_number(block, object)] & KEPT) == 0;
}

static void for_remote(struct brolga__vheap *heap)
{
    for (uint32_t size = 0; size <= LARGE; size++) {
        struct block *first = heap->ring[size], *block = first;

        while (block != NULL) { /* Once around. */
            take_remote(heap, block);
            block = block->next == first ? NULL : block->next;
        }
    }
}

void brolga__vheap_end(struct brolga__vheap *heap, bool failed)
{
    uint64_t dead = 0;

    /* So that nothing is given back for what others have freed; what is given
     * back next may free more. */
    for_remote(heap);
    brolga__holds_end(&heap->holds, failed ? is_not_kept : NULL);
    for (uint32_t size = 0; size <= LARGE; size++)
        while (heap->ring[size] != NULL) { /* Each turn ends a block. */
            struct block *block = heap->ring[size];

            ring_remove(heap, block);
            dead += block_end(block, failed);
        }
    brolga__value_gone(dead);
    brolga__free(heap->scratch);
    brolga__free(heap);
}
