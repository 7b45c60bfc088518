/*
 * Values and the heaps of tasks: what leaves a heap, what comes into it, and
 * what its objects hold.
 */
#include "copy/copy.h"

#include "alloc.h"
#include "vheap.h"

#include <brolga/freeze.h>
#include <brolga/heap.h>
#include <string.h>

/* --- what leaves -------------------------------------------------------- */

/* Takes the marks of so many turns back. */
static void unkeep(struct brolga__vheap *heap, const brolga_type *type,
                   brolga_word word, uint64_t turns)
{
    struct brolga__uniques how = {.heap = heap, .turns_max = turns};
    int err = brolga__uniques_walk(type, word, &how);

    /* It goes where another walk went. */
    brolga__assert(err == BROLGA_OK);
    (void)err;
}

int brolga__heap_keep(const brolga_type *type, brolga_word word,
                      int (*pause)(void *arg), void *arg)
{
    struct brolga__uniques how = {.heap = brolga__value_heap(),
                                  .kept = true,
                                  .pause = pause,
                                  .pause_arg = arg,
                                  .turns_max = UINT64_MAX};
    int err;

    if (how.heap == NULL || !brolga_type_can_freeze(type))
        return BROLGA_OK;
    err = brolga__uniques_walk(type, word, &how);
    if (err != BROLGA_OK)
        unkeep(how.heap, type, word, how.turns);
    return err;
}

void brolga__heap_unkeep(const brolga_type *type, brolga_word word)
{
    struct brolga__vheap *heap = brolga__value_heap();

    if (heap != NULL && brolga_type_can_freeze(type))
        unkeep(heap, type, word, UINT64_MAX);
}

int brolga_heap_keep(const brolga_type *type, brolga_word word)
{
    return brolga__heap_keep(type, word, NULL, NULL);
}

/* --- what comes in ------------------------------------------------------ */

int brolga_heap_adopt(const brolga_type *type, void *at,
                      const struct brolga_copy_opts *opts,
                      struct brolga_copy_error *error)
{
    struct brolga_copy_opts how = {.pause = NULL};
    brolga_word copy;
    int err;

    if (brolga__value_heap() == NULL || !brolga_type_can_freeze(type))
        return BROLGA_OK;
    if (opts != NULL) {
        how.pause = opts->pause;
        how.arg = opts->arg;
        how.pause_bytes = opts->pause_bytes;
    }
    err = brolga_copy_with(type, at, &copy, &how, error);
    if (err != BROLGA_OK)
        return err;
    brolga_drop_with(type, at, how.pause, how.arg);
    memcpy(at, &copy, sizeof(copy));
    return BROLGA_OK;
}

/* --- what objects hold -------------------------------------------------- */

int brolga__heap_hold_handle(struct brolga__vheap *heap,
                             const brolga_type *type, const brolga_word *slot)
{
    if (type->release == NULL || !brolga__vheap_has(heap, slot))
        return BROLGA_OK; /* The root of a copy is in no object. */
    return brolga__vheap_hold(heap, slot, type->release, type->handle_arg,
                              *slot);
}

static void unpin(brolga_word code, void *arg)
{
    const struct brolga_model *model = arg;

    model->closure_unpin((uintptr_t)code, brolga__closure_arg(model));
}

int brolga__heap_hold_code(struct brolga__vheap *heap,
                           const struct brolga_model *model,
                           brolga_word closure)
{
    const void *at = brolga__word_at(closure, model->count_at);

    if (model->closure_unpin == NULL || !brolga__vheap_has(heap, at))
        return BROLGA_OK;
    return brolga__vheap_hold(heap, at, unpin, (void *)(uintptr_t)model,
                              (brolga_word)brolga__code(model, closure));
}

int brolga_heap_hold(const void *object,
                     void (*release)(brolga_word word, void *arg), void *arg,
                     brolga_word word)
{
    struct brolga__vheap *heap = brolga__value_heap();

    if (heap == NULL || !brolga__vheap_has(heap, object))
        return BROLGA_OK;
    return brolga__vheap_hold(heap, object, release, arg, word);
}

bool brolga_heap_has(const void *object)
{
    struct brolga__vheap *heap = brolga__value_heap();

    return heap != NULL && brolga__vheap_has(heap, object);
}

size_t brolga_heaps_bytes(void)
{
    return brolga__units_taken() * BROLGA__UNIT_BYTES;
}
