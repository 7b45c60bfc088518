#include "alloc.h"

#include "atomic.h"
#include "base.h"

#include <stdlib.h>
#include <string.h>

/* Statistics only: no other memory is published through them. */
static _Atomic int64_t live;
static _Atomic uint64_t fail_countdown;

static bool must_fail(void)
{
    uint64_t n = brolga__load_relaxed(&fail_countdown);

    while (n != 0) {
        if (atomic_compare_exchange_weak_explicit(&fail_countdown, &n, n - 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            return n == 1;
    }
    return false;
}

static void *counted(void *block)
{
    if (block != NULL)
        (void)brolga__add_relaxed(&live, 1);
    return block;
}

void *brolga__alloc(size_t bytes)
{
    return must_fail() ? NULL : counted(malloc(bytes));
}

void *brolga__alloc_zero(size_t bytes)
{
    return must_fail() ? NULL : counted(calloc(1, bytes));
}

void *brolga__alloc_line(size_t bytes)
{
    void *block;

    if (must_fail())
        return NULL;
    bytes = brolga__round_up(bytes, BROLGA__CACHE_LINE);
    block = aligned_alloc(BROLGA__CACHE_LINE, bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return counted(block);
}

void *brolga__realloc(void *block, size_t bytes)
{
    void *grown;

    if (must_fail())
        return NULL;
    grown = realloc(block, bytes);
    return block == NULL ? counted(grown) : grown;
}

char *brolga__strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = brolga__alloc(bytes);

    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void brolga__free(void *block)
{
    if (block == NULL)
        return;
    (void)brolga__add_relaxed(&live, -1);
    free(block);
}

int64_t brolga__alloc_live(void)
{
    return brolga__load_relaxed(&live);
}

void brolga__alloc_fail_nth(uint64_t n)
{
    brolga__store_relaxed(&fail_countdown, n);
}
