#include "tasks/stack.h"

#include "alloc.h"
#include "atomic.h"
#include "base.h"
#include "plat.h"
#include "tasks/ctx.h"

#ifdef BROLGA__ASAN
#include <sanitizer/asan_interface.h>
#endif

#define CHUNK_BYTES  ((size_t)64 << 20)
#define WARM_MAX     1024
/* Beyond that, stacks whose pages are given back at once. */
#define COLD_AT_ONCE 64
/* Stacks that get their guards at once. */
#define GUARDS_MAX   64
/* What a free stack keeps when it is trimmed: most tasks use as much. */
#define TOP_BYTES    ((size_t)8 << 10)

/* A free warm stack, linked through the words at its top: they were touched by
 * its last user, so linking costs no page. */
struct brolga__free_stack {
    struct brolga__free_stack *next;
};

struct brolga__stack_chunk {
    struct brolga__stack_chunk *next;
    void *at;
    size_t bytes;
};

void brolga__stacks_init(struct brolga__stacks_pool *pool)
{
    (void)pthread_mutex_init(&pool->lock, NULL);
}

void brolga__stacks_fini(struct brolga__stacks_pool *pool)
{
    while (pool->chunks != NULL) {
        struct brolga__stack_chunk *chunk = pool->chunks;

        pool->chunks = chunk->next;
        brolga__plat_unreserve(chunk->at, chunk->bytes);
        brolga__free(chunk);
    }
    for (unsigned i = 0; i < BROLGA__STACK_CLASSES; i++)
        brolga__free(pool->of[i].cold);
    (void)pthread_mutex_destroy(&pool->lock);
}

static size_t class_bytes(unsigned size_class)
{
    return BROLGA__STACK_SIZE_MIN << size_class;
}

unsigned brolga__stack_class(size_t bytes)
{
    unsigned size_class = 0;

    if (bytes < 2 * brolga__plat_page_bytes())
        bytes = 2 * brolga__plat_page_bytes();
    while (class_bytes(size_class) < bytes)
        size_class++;
    return size_class;
}

/* The slot's lowest page is the guard: an overflow traps there. */
static void describe(struct brolga__stack *stack, uintptr_t high,
                     unsigned size_class)
{
    stack->high = high;
    stack->low = high - class_bytes(size_class) + brolga__plat_page_bytes();
    stack->size_class = size_class;
}

static int chunk_add(struct brolga__stacks_pool *pool, unsigned size_class)
{
    size_t bytes = class_bytes(size_class);
    struct brolga__stack_chunk *chunk = brolga__alloc_zero(sizeof *chunk);

    if (chunk == NULL)
        return BROLGA_ENOMEM;
    chunk->bytes = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk->at = brolga__plat_reserve(chunk->bytes);
    if (chunk->at == NULL) {
        brolga__free(chunk);
        return BROLGA_ENOMEM;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->of[size_class].carve = (uintptr_t)chunk->at;
    pool->of[size_class].guarded = (uintptr_t)chunk->at;
    pool->of[size_class].carve_end = (uintptr_t)chunk->at + chunk->bytes;
    return BROLGA_OK;
}

/* Guards for the next stacks, as many as there were before: at once they take
 * half the time. */
static bool guard_next(struct brolga__stacks_pool *pool, unsigned size_class)
{
    size_t bytes = class_bytes(size_class), count = pool->of[size_class].carved;
    uintptr_t at = pool->of[size_class].carve;
    size_t left = (pool->of[size_class].carve_end - at) / bytes;

    if (count > GUARDS_MAX)
        count = GUARDS_MAX;
    if (count == 0)
        count = 1;
    if (count > left)
        count = left;
    count = brolga__plat_guards((void *)at, brolga__plat_page_bytes(), bytes,
                                count);
    pool->of[size_class].guarded = at + count * bytes;
    return count > 0;
}

static int carve(struct brolga__stacks_pool *pool, unsigned size_class,
                 uintptr_t *high)
{
    size_t bytes = class_bytes(size_class);
    uintptr_t *at = &pool->of[size_class].carve;

    if (*at + bytes > pool->of[size_class].carve_end || *at == 0) {
        int err = chunk_add(pool, size_class);

        if (err != BROLGA_OK)
            return err;
    }
    if (*at == pool->of[size_class].guarded && !guard_next(pool, size_class))
        return BROLGA_ELIMIT; /* The system's limit of mappings. */
    *at += bytes;
    pool->of[size_class].carved++;
    *high = *at;
    return BROLGA_OK;
}

static struct brolga__free_stack *link_of(uintptr_t high)
{
    return (struct brolga__free_stack *)(high -
                                         sizeof(struct brolga__free_stack));
}

/* Relaxed: under the lock; others get a hint. */
static void count_untrimmed(struct brolga__stacks_pool *pool, int change)
{
    unsigned count = brolga__load_relaxed(&pool->untrimmed);

    brolga__store_relaxed(&pool->untrimmed, count + (unsigned)change);
}

/* The last one that was put back; NULL: there is none. */
static struct brolga__free_stack *take_warm(struct brolga__stacks_pool *pool,
                                            unsigned size_class)
{
    struct brolga__free_stack *warm = pool->of[size_class].warm;

    if (warm == NULL)
        return NULL;
    pool->of[size_class].warm = warm->next;
    count_untrimmed(pool, -1);
    return warm;
}

static struct brolga__free_stack *take_trimmed(struct brolga__stacks_pool *pool,
                                               unsigned size_class)
{
    struct brolga__free_stack *stack = pool->of[size_class].trimmed;

    if (stack != NULL)
        pool->of[size_class].trimmed = stack->next;
    return stack;
}

static int take(struct brolga__stacks_pool *pool, unsigned size_class,
                uintptr_t *high)
{
    struct brolga__free_stack *warm = take_warm(pool, size_class);

    if (warm == NULL)
        warm = take_trimmed(pool, size_class);
    if (warm != NULL) {
        pool->of[size_class].warm_count--;
        *high = (uintptr_t)(warm + 1);
        return BROLGA_OK;
    }
    if (pool->of[size_class].cold_count > 0) {
        *high = pool->of[size_class].cold[--pool->of[size_class].cold_count];
        return BROLGA_OK;
    }
    return carve(pool, size_class, high);
}

int brolga__stack_take(struct brolga__stacks_pool *pool, size_t bytes,
                       struct brolga__stack *out)
{
    unsigned size_class;
    uintptr_t high;
    int err;

    if (bytes > BROLGA__STACK_SIZE_MAX)
        return BROLGA_ELIMIT;
    size_class = brolga__stack_class(bytes);
    (void)pthread_mutex_lock(&pool->lock);
    err = take(pool, size_class, &high);
    (void)pthread_mutex_unlock(&pool->lock);
    if (err == BROLGA_OK)
        describe(out, high, size_class);
    return err;
}

/* Remembers a top whose pages are gone; without memory for that, the address
 * space is lost to the pool, but not its pages. */
static void put_cold(struct brolga__stacks_pool *pool, unsigned size_class,
                     uintptr_t high)
{
    size_t count = pool->of[size_class].cold_count;

    if (count == pool->of[size_class].cold_capacity) {
        size_t capacity = count * 2 + 64;
        uintptr_t *grown = brolga__realloc(pool->of[size_class].cold,
                                           capacity * sizeof *grown);

        if (grown == NULL)
            return;
        pool->of[size_class].cold = grown;
        pool->of[size_class].cold_capacity = capacity;
    }
    pool->of[size_class].cold[pool->of[size_class].cold_count++] = high;
}

/* Of the free ones, for cool(). Until then they are counted. */
static size_t take_many(struct brolga__stacks_pool *pool, unsigned size_class,
                        uintptr_t high[COLD_AT_ONCE])
{
    struct brolga__free_stack *link;
    size_t count = 0;

    while (count < COLD_AT_ONCE && (link = take_warm(pool, size_class)) != NULL)
        high[count++] = (uintptr_t)(link + 1);
    return count;
}

/* Gives all of their pages back. */
static void cool(struct brolga__stacks_pool *pool, unsigned size_class,
                 const uintptr_t *high, size_t count)
{
    uintptr_t low[COLD_AT_ONCE];
    struct brolga__stack stack;

    for (size_t i = 0; i < count; i++) {
        describe(&stack, high[i], size_class);
        low[i] = stack.low;
    }
    brolga__plat_discards(low, stack.high - stack.low, count);
    (void)pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < count; i++)
        put_cold(pool, size_class, high[i]);
    pool->of[size_class].warm_count -= (unsigned)count;
    (void)pthread_mutex_unlock(&pool->lock);
}

void brolga__stack_put(struct brolga__stacks_pool *pool,
                       const struct brolga__stack *stack)
{
    unsigned size_class = stack->size_class;
    struct brolga__free_stack *link = link_of(stack->high);
    uintptr_t high[COLD_AT_ONCE];
    size_t count = 0;

#ifdef BROLGA__ASAN
    ASAN_UNPOISON_MEMORY_REGION((void *)stack->low, stack->high - stack->low);
#endif
    (void)pthread_mutex_lock(&pool->lock);
    link->next = pool->of[size_class].warm;
    pool->of[size_class].warm = link;
    pool->of[size_class].warm_count++;
    count_untrimmed(pool, 1);
    if (pool->of[size_class].warm_count >= WARM_MAX + COLD_AT_ONCE)
        count = take_many(pool, size_class, high);
    (void)pthread_mutex_unlock(&pool->lock);
    if (count > 0)
        cool(pool, size_class, high, count);
}

/* --- free stacks that were used deeply ---------------------------------- */

bool brolga__stacks_untrimmed(struct brolga__stacks_pool *pool)
{
    return brolga__load_relaxed(&pool->untrimmed) > 0;
}

static void discard_deep(unsigned size_class, uintptr_t high)
{
    struct brolga__stack stack;

    describe(&stack, high, size_class);
    if (stack.low < high - TOP_BYTES)
        brolga__plat_discard((void *)stack.low, high - TOP_BYTES - stack.low);
}

/* One stack is out of the list meanwhile, but counted. False: none is left. */
static bool trim_one(struct brolga__stacks_pool *pool, unsigned size_class)
{
    struct brolga__free_stack *link;

    (void)pthread_mutex_lock(&pool->lock);
    link = take_warm(pool, size_class);
    (void)pthread_mutex_unlock(&pool->lock);
    if (link == NULL)
        return false;
    discard_deep(size_class, (uintptr_t)(link + 1));
    (void)pthread_mutex_lock(&pool->lock);
    link->next = pool->of[size_class].trimmed;
    pool->of[size_class].trimmed = link;
    (void)pthread_mutex_unlock(&pool->lock);
    return true;
}

void brolga__stacks_trim(struct brolga__stacks_pool *pool, unsigned limit)
{
    for (unsigned i = 0; i < BROLGA__STACK_CLASSES; i++)
        while (limit > 0 && brolga__stacks_untrimmed(pool) && trim_one(pool, i))
            limit--;
}
