/*
 * Stacks: address space for fibers, with a guard page below each.
 *
 * Stacks of one size are carved from reserved chunks and go back to a free
 * list; their pages go back to the system beyond a few that are kept warm,
 * because the first touch of a page costs more than a spawn should. Of the warm
 * ones that stay free for a while only the uppermost pages are kept, which
 * every task uses.
 */
#ifndef BROLGA_SRC_TASKS_STACK_H
#define BROLGA_SRC_TASKS_STACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes are powers of two from 16 KiB to 1 GiB. */
#define BROLGA__STACK_SIZE_MIN ((size_t)16 << 10)
#define BROLGA__STACK_SIZE_MAX ((size_t)1 << 30)
#define BROLGA__STACK_CLASSES  17

struct brolga__stack {
    uintptr_t low, high; /* Usable: [low, high); the guard ends at low. */
    unsigned size_class;
};

struct brolga__free_stack;
struct brolga__stack_chunk;

struct brolga__stacks_pool {
    pthread_mutex_t lock; /* Leaf. */
    struct {
        struct brolga__free_stack *warm; /* Linked through their top words. */
        struct brolga__free_stack *trimmed; /* The same; have top pages only. */
        unsigned warm_count;                /* Both. */
        uintptr_t *cold; /* Tops whose pages have been given back. */
        size_t cold_count, cold_capacity;
        uintptr_t carve, carve_end; /* Left of the newest chunk; its */
        uintptr_t guarded;          /* stacks up to here have guards. */
        size_t carved;              /* Of all chunks. */
    } of[BROLGA__STACK_CLASSES];
    struct brolga__stack_chunk *chunks;
    _Atomic unsigned untrimmed; /* In `warm`. Changed under the lock. */
};

void brolga__stacks_init(struct brolga__stacks_pool *pool);
/* Returns all address space; no stack is in use. */
void brolga__stacks_fini(struct brolga__stacks_pool *pool);

/* The class of the smallest size that has room for `bytes`. */
unsigned brolga__stack_class(size_t bytes);

/* A stack of `bytes`, rounded up to a size that there is, less its guard page;
 * BROLGA_ENOMEM or BROLGA_ELIMIT. */
int brolga__stack_take(struct brolga__stacks_pool *pool, size_t bytes,
                       struct brolga__stack *out);
void brolga__stack_put(struct brolga__stacks_pool *pool,
                       const struct brolga__stack *stack);

/* Whether a free stack may have more than its top pages. */
bool brolga__stacks_untrimmed(struct brolga__stacks_pool *pool);
/* Takes these from up to `limit` free stacks. By one thread at a time. */
void brolga__stacks_trim(struct brolga__stacks_pool *pool, unsigned limit);

#endif
