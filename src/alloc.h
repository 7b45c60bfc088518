/*
 * The one door to the C allocator for Brolga's own records (values of a host
 * language come from that host's allocator instead). Counts live blocks, and
 * can fail the n-th request so that tests see every out-of-memory path.
 */
#ifndef BROLGA_SRC_ALLOC_H
#define BROLGA_SRC_ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *brolga__alloc(size_t bytes);
void *brolga__alloc_zero(size_t bytes);
/* Aligned to a cache line, zeroed. */
void *brolga__alloc_line(size_t bytes);
/* Aligned to 4096 bytes, of which there must be a multiple. */
void *brolga__alloc_pages(size_t bytes);
/* Like realloc: on failure NULL is returned and the old block stays valid. */
void *brolga__realloc(void *block, size_t bytes);
char *brolga__strdup(const char *text);
/* Frees a block of any of the functions above; NULL is ignored. */
void brolga__free(void *block);

/* Blocks that are allocated now, over all threads. */
int64_t brolga__alloc_live(void);
/* From now on the n-th request (1 = the next one) fails, once; 0 = never. */
void brolga__alloc_fail_nth(uint64_t n);

#endif
