/*
 * The one door to memory: the C allocator for Brolga's own records, and
 * mimalloc, where the library was built with it, for values whose host brings
 * no allocator. Counts live blocks of both, and can fail the n-th request so
 * that tests see every out-of-memory path.
 */
#ifndef BROLGA_SRC_ALLOC_H
#define BROLGA_SRC_ALLOC_H

#include "vheap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef BROLGA_MIMALLOC
#include <mimalloc.h>
#else
#include <stdlib.h>
#endif

void *brolga__alloc(size_t bytes);
void *brolga__alloc_zero(size_t bytes);
/* Aligned to a cache line, zeroed. */
void *brolga__alloc_line(size_t bytes);
/* Like realloc: on failure NULL is returned and the old block stays valid. */
void *brolga__realloc(void *block, size_t bytes);
char *brolga__strdup(const char *text);
/* Frees a block of any of the functions above; NULL is ignored. */
void brolga__free(void *block);

/* Blocks that are allocated now, over all threads. */
int64_t brolga__alloc_live(void);
/* From now on the n-th request (1 = the next one) fails, once; 0 = never. */
void brolga__alloc_fail_nth(uint64_t n);
/* Whether some request is going to fail. */
bool brolga__alloc_will_fail(void);

/* --- memory of values --------------------------------------------------- */

/* Aligned to 16 bytes; counted, and charged to the account of the caller. From
 * the caller's heap, if it has one. */
void *brolga__value_alloc(size_t bytes);
/* Aligned to 4096 bytes, of which there must be a multiple. */
void *brolga__value_alloc_pages(size_t bytes);
void brolga__value_free(void *block, size_t bytes);

/* Whether the request that is being made is the one that fails. */
bool brolga__alloc_must_fail(void);

struct brolga__vheap;

/* The caller's heap, or NULL. */
struct brolga__vheap *brolga__value_heap(void);
/* Makes another one the caller's, or NULL none, and returns what it was. Where
 * nobody is charged there is no heap either, and nothing is done. */
struct brolga__vheap *brolga__value_heap_set(struct brolga__vheap *heap);

/* The same, bare: not counted, and made to fail in debug builds only. For
 * whoever takes or gives many blocks, and counts them in one go. What is taken
 * is common, whoever takes it; what is given may lie in a heap, `mine` or
 * another one. */
static inline void *brolga__value_take(size_t bytes)
{
#ifdef BROLGA_DEBUG
    if (brolga__alloc_must_fail())
        return NULL;
#endif
#ifdef BROLGA_MIMALLOC
    return mi_malloc(bytes);
#else
    return malloc(bytes);
#endif
}

static inline void *brolga__value_take_pages(size_t bytes)
{
#ifdef BROLGA_MIMALLOC
    return mi_malloc_aligned(bytes, 4096);
#else
    return aligned_alloc(4096, bytes);
#endif
}

/* From a heap, unless it is NULL. */
static inline void *brolga__value_take_from(struct brolga__vheap *mine,
                                            size_t bytes)
{
    if (mine == NULL)
        return brolga__value_take(bytes);
#ifdef BROLGA_DEBUG
    if (brolga__alloc_must_fail())
        return NULL;
#endif
    return brolga__vheap_alloc(mine, bytes);
}

static inline void brolga__value_give_from(struct brolga__vheap *mine,
                                           void *block)
{
    if (brolga__unlikely(brolga__in_units(block))) {
        brolga__vheap_free(mine, block);
        return;
    }
#ifdef BROLGA_MIMALLOC
    mi_free(block);
#else
    free(block);
#endif
}

/* Blocks that came less those that went, and the bytes of both. */
void brolga__value_count(int64_t blocks, uint64_t made_bytes,
                         uint64_t freed_bytes);
/* Blocks that went with a heap. */
void brolga__value_gone(uint64_t blocks);

/* The name of the allocator behind all this. */
const char *brolga__value_allocator(void);

/* What somebody had made and freed of values. One thread at a time writes. */
struct brolga__account {
    _Atomic uint64_t made_bytes;
    _Atomic uint64_t freed_bytes;
    struct brolga__vheap *heap; /* where his values are made; NULL: common */
};

/* Who is charged for what the calling thread does; `find` may return NULL for
 * nobody, and is called by any thread. The layer that knows says it, once. */
void brolga__account_by(struct brolga__account *(*find)(void));

#endif
