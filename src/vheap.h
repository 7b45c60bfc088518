/*
 * Heaps of values: the memory of one task's objects, which goes with the task
 * if that fails.
 *
 * A heap has blocks, units of address space (units.h), in each of which all
 * objects have one size; a large object has a block of its own. What lies in no
 * heap is *common*: mimalloc's, or malloc's.
 *
 * The heap's *owner*, a task, makes objects without atomics, and frees them
 * likewise. Others may free them, too, at any time. Objects that the owner has
 * given away are *kept*: they outlive its failure.
 *
 * "Its owner" below is the task whose heap it is, or whoever ends that task.
 */
#ifndef BROLGA_SRC_VHEAP_H
#define BROLGA_SRC_VHEAP_H

#include "units.h"

#include <brolga/base.h>

struct brolga__vheap;

/* An empty heap, whose owner is the caller, or a task that it is making. There
 * is no address space before the first object. Returns BROLGA_OK or
 * BROLGA_ENOMEM. */
int brolga__vheap_create(struct brolga__vheap **out);

/*
 * Ends it. After a failure, blocks without kept objects go at once, and what
 * the other objects held is given back; otherwise all objects stay. The blocks
 * that are left go when their last object is freed. Its owner.
 */
void brolga__vheap_end(struct brolga__vheap *heap, bool failed);

/* An object, aligned to 16 bytes; NULL: no memory. Its owner. */
void *brolga__vheap_alloc(struct brolga__vheap *heap, size_t bytes);

/* Frees an object of any heap; `mine` is the caller's, or NULL. Any task. */
void brolga__vheap_free(struct brolga__vheap *mine, void *object);

/* Whether an address lies in an object of this heap. Its owner. */
bool brolga__vheap_has(const struct brolga__vheap *heap, const void *at);

/* Says of an object, if it is one of this heap, whether it is kept. */
void brolga__vheap_keep(struct brolga__vheap *heap, const void *at, bool kept);

/* Writes down what an object of this heap holds: release(word, arg) is called
 * if it ends with the heap. Returns BROLGA_OK or BROLGA_ENOMEM. */
int brolga__vheap_hold(struct brolga__vheap *heap, const void *at,
                       void (*release)(brolga_word word, void *arg), void *arg,
                       brolga_word word);

/* Memory for whoever walks values of this heap, that is as large as it ever
 * was: at least `bytes`, with what is in it; NULL: no more. */
void *brolga__vheap_scratch(struct brolga__vheap *heap, size_t bytes);

#endif
