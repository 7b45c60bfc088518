#include "alloc.h"

#include "atomic.h"
#include "base.h"

#include <stdlib.h>
#include <string.h>

/*
 * Statistics only: no other memory is published through them. The count is
 * spread over lines. The first threads have one each, which nobody else writes;
 * those that come later share the last one.
 */
#define SHARDS 64

static struct {
    _Alignas(BROLGA__CACHE_LINE) _Atomic int64_t live;
} shard[SHARDS];
static _Atomic uint32_t next_shard;
static _Atomic uint64_t fail_countdown;

static struct brolga__account *(*_Atomic find_account)(void);

static _Thread_local uint32_t shard_tls; /* Index + 1; 0 = none yet. */

__attribute__((noinline)) static uint32_t choose_shard(void)
{
    uint32_t next = brolga__load_relaxed(&next_shard);

    if (next < SHARDS)
        next = brolga__add_relaxed(&next_shard, 1);
    return shard_tls = next < SHARDS ? next + 1 : SHARDS;
}

/* Not inlined: a fiber may wake up on another thread. */
__attribute__((noinline)) static void count(int64_t blocks)
{
    uint32_t mine = shard_tls != 0 ? shard_tls : choose_shard();
    _Atomic int64_t *live = &shard[mine - 1].live;

    if (mine == SHARDS)
        (void)brolga__add_relaxed(live, blocks);
    else
        brolga__store_relaxed(live, brolga__load_relaxed(live) + blocks);
}

bool brolga__alloc_must_fail(void)
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
        count(1);
    return block;
}

void *brolga__alloc(size_t bytes)
{
    return brolga__alloc_must_fail() ? NULL : counted(malloc(bytes));
}

void *brolga__alloc_zero(size_t bytes)
{
    return brolga__alloc_must_fail() ? NULL : counted(calloc(1, bytes));
}

void *brolga__alloc_line(size_t bytes)
{
    void *block;

    if (brolga__alloc_must_fail())
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

    if (brolga__alloc_must_fail())
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
    count(-1);
    free(block);
}

int64_t brolga__alloc_live(void)
{
    int64_t live = 0;

    for (unsigned i = 0; i < SHARDS; i++)
        live += brolga__load_relaxed(&shard[i].live);
    return live;
}

void brolga__alloc_fail_nth(uint64_t n)
{
    brolga__store_relaxed(&fail_countdown, n);
}

bool brolga__alloc_will_fail(void)
{
    return brolga__load_relaxed(&fail_countdown) != 0;
}

/* --- memory of values --------------------------------------------------- */

void brolga__account_by(struct brolga__account *(*find)(void))
{
    brolga__store_relaxed(&find_account, find); /* A function, no data. */
}

static void add(_Atomic uint64_t *sum, uint64_t bytes)
{
    brolga__store_relaxed(sum, brolga__load_relaxed(sum) + bytes);
}

static struct brolga__account *account_self(void)
{
    struct brolga__account *(*find)(void) = brolga__load_relaxed(&find_account);

    return find != NULL ? find() : NULL;
}

static inline void charge(struct brolga__account *account, int64_t blocks,
                          uint64_t made_bytes, uint64_t freed_bytes)
{
    count(blocks);
    if (account == NULL)
        return;
    add(&account->made_bytes, made_bytes);
    add(&account->freed_bytes, freed_bytes);
}

void brolga__value_count(int64_t blocks, uint64_t made_bytes,
                         uint64_t freed_bytes)
{
    charge(account_self(), blocks, made_bytes, freed_bytes);
}

void brolga__value_gone(uint64_t blocks)
{
    count(-(int64_t)blocks);
}

static inline struct brolga__vheap *
heap_of(const struct brolga__account *account)
{
    return account != NULL ? account->heap : NULL;
}

struct brolga__vheap *brolga__value_heap(void)
{
    return heap_of(account_self());
}

struct brolga__vheap *brolga__value_heap_set(struct brolga__vheap *heap)
{
    struct brolga__account *account = account_self();
    struct brolga__vheap *was;

    if (account == NULL)
        return NULL;
    was = account->heap;
    account->heap = heap;
    return was;
}

void *brolga__value_alloc(size_t bytes)
{
    struct brolga__account *account = account_self();
    void *block = NULL;

#ifndef BROLGA_DEBUG /* Else the next call does it. */
    if (brolga__alloc_must_fail())
        return NULL;
#endif
    block = brolga__value_take_from(heap_of(account), bytes);
    if (block != NULL)
        charge(account, 1, bytes, 0);
    return block;
}

void *brolga__value_alloc_pages(size_t bytes)
{
    void *block =
        brolga__alloc_must_fail() ? NULL : brolga__value_take_pages(bytes);

    if (block != NULL)
        brolga__value_count(1, bytes, 0);
    return block;
}

void brolga__value_free(void *block, size_t bytes)
{
    struct brolga__account *account;

    if (block == NULL)
        return;
    account = account_self();
    brolga__value_give_from(heap_of(account), block);
    charge(account, -1, 0, bytes);
}

const char *brolga__value_allocator(void)
{
#ifdef BROLGA_MIMALLOC
    return "mimalloc";
#else
    return "malloc";
#endif
}
