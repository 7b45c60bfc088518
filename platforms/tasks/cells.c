/*
 * Cells lie in blocks that are never given back, in the order in which they
 * were made.
 *
 *   A  Whoever has a number has got it from its maker. cells_each() has not: it
 *      reads how many are complete (acquire); a maker counts its cell when it
 *      has filled it in (release), under the lock.
 */
#include "cells.h"

#include "host.h"

#include <brolga/freeze.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_A_BLOCK ((size_t)1024)
#define BLOCKS_MAX    ((size_t)1 << 18)
#define MARK          INT64_C(0x62726f6c) /* "brol", in the upper half */

static struct cell *_Atomic block[BLOCKS_MAX];
static _Atomic size_t made;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct cell *at(size_t number)
{
    struct cell *first = atomic_load_explicit(&block[number / CELLS_A_BLOCK],
                                              memory_order_acquire);

    return &first[number % CELLS_A_BLOCK];
}

/* Under the lock. */
static struct cell *take(size_t number)
{
    size_t bytes = CELLS_A_BLOCK * sizeof(struct cell);
    struct cell *first;

    if (number / CELLS_A_BLOCK >= BLOCKS_MAX)
        return NULL;
    if (number % CELLS_A_BLOCK == 0) {
        first = aligned_alloc(64, bytes);
        if (first == NULL)
            return NULL;
        memset(first, 0, bytes);
        atomic_store_explicit(&block[number / CELLS_A_BLOCK], first,
                              memory_order_release);
    }
    return at(number);
}

struct cell *cell_make(enum cell_kind kind, unsigned row)
{
    struct cell *cell;
    size_t number;

    (void)pthread_mutex_lock(&lock);
    number = atomic_load_explicit(&made, memory_order_relaxed);
    cell = take(number);
    if (cell != NULL) {
        cell->size = 4 * sizeof(brolga_word);
        cell->count = BROLGA_FROZEN_COUNT;
        cell->word = MARK << 32 | (brolga_word)number;
        cell->kind = (uint16_t)kind;
        cell->row = (uint16_t)row;
        atomic_store_explicit(&made, number + 1, memory_order_release); /* A */
    }
    (void)pthread_mutex_unlock(&lock);
    if (cell == NULL)
        host_refuse("no memory for another %s",
                    kind == CELL_TASK ? "task" : "channel");
    return cell;
}

struct cell *cell_of(brolga_word value, enum cell_kind kind, const char *what)
{
    brolga_word word = fields(value)[1];
    size_t number = (size_t)(uint32_t)word;
    struct cell *cell = NULL;

    if (word >> 32 == MARK &&
        number < atomic_load_explicit(&made, memory_order_acquire)) /* A */
        cell = at(number);
    if (cell == NULL || cell->kind != kind)
        host_refuse("%s: this is no %s that %s has made", what,
                    kind == CELL_TASK ? "task" : "channel",
                    kind == CELL_TASK ? "spawn-..." : "chan-...");
    return cell;
}

void cells_each(void (*visit)(void *arg, struct cell *cell), void *arg)
{
    size_t count = atomic_load_explicit(&made, memory_order_acquire); /* A */

    for (size_t i = 0; i < count; i++)
        visit(arg, at(i));
}
