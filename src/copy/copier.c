/* What all the files of the copier need: its stack, its pauses, what is shared
 * or frozen, and its beginning and end. */
#include "copy/copier.h"

#include "alloc.h"

/* Between two pauses, unless the caller says otherwise. */
#define PAUSE_BYTES (UINT64_C(256) << 10)

/* --- the stack ---------------------------------------------------------- */

int brolga__copier_grow(struct brolga_copier *c, uint32_t frames)
{
    bool is_first = c->frame == c->first;
    uint32_t capacity = c->capacity;
    struct frame *grown;

    while (capacity - c->depth < frames) {
        if (capacity > UINT32_MAX / 2)
            return BROLGA_ENOMEM;
        capacity *= 2;
    }
    grown =
        brolga__realloc(is_first ? NULL : c->frame, capacity * sizeof(*grown));
    if (grown == NULL)
        return BROLGA_ENOMEM;
    if (is_first)
        memcpy(grown, c->first, sizeof(c->first));
    c->frame = grown;
    c->capacity = capacity;
    return BROLGA_OK;
}

/* --- pauses ------------------------------------------------------------- */

int brolga__copier_pause(struct brolga_copier *c)
{
    int err = c->pause(c->pause_arg);

    if (err == BROLGA_OK)
        return BROLGA_OK;
    c->is_stopped = true;
    c->stopped_by = err;
    return BROLGA_ENOMEM;
}

int brolga__copier_bytes(struct brolga_copier *c, void *to, const void *from,
                         uint64_t bytes)
{
    const char *source = from;
    char *target = to;

    while (brolga__unlikely(c->unpaused + bytes > c->pause_bytes)) {
        uint64_t piece = 0;

        if (c->unpaused < c->pause_bytes)
            piece = c->pause_bytes - c->unpaused;
        memcpy(target, source, piece);
        target += piece;
        source += piece;
        bytes -= piece;
        c->unpaused = 0;
        if (brolga__copier_pause(c) != BROLGA_OK)
            return BROLGA_ENOMEM;
    }
    memcpy(target, source, bytes);
    c->unpaused += bytes;
    return BROLGA_OK;
}

/* --- sharing ------------------------------------------------------------ */

/* An object that is passed on as it is. */
static int pass_frozen(struct brolga_copier *c, const struct source *from,
                       brolga_word *slot)
{
    if (c->leases != NULL &&
        brolga__leases_note(c->leases, c->model, from->value) != BROLGA_OK)
        return lost(slot, BROLGA_ENOMEM);
    return DONE;
}

int brolga__copier_find_shared(struct brolga_copier *c,
                               const struct source *from, brolga_word *slot)
{
    struct brolga__shared *shared;

    if (brolga__is_frozen(c->model, from->count))
        return pass_frozen(c, from, slot);
    shared = brolga__memo_find(c->memo, from->value, from->count);
    if (shared != NULL) {
        shared->refs++;
        *slot = shared->copy;
        return DONE;
    }
    return from->count > 1 ? FRESH : lost(slot, BROLGA_EINVAL);
}

/* --- objects ------------------------------------------------------------ */

brolga_word brolga__copier_clone(struct brolga_copier *c, brolga_word from,
                                 int64_t payload_bytes)
{
    brolga_word to = brolga__tally_make(&c->tally, c->heap, payload_bytes);

    if (brolga__unlikely(to == 0))
        return 0;
    if (brolga__copier_bytes(c, brolga__fields(c->model, to),
                             brolga__fields(c->model, from),
                             (uint64_t)payload_bytes) == BROLGA_OK)
        return to;
    brolga__tally_free(&c->tally, c->heap, to);
    return 0;
}

/* --- beginning and end -------------------------------------------------- */

void brolga__copier_begin(struct brolga_copier *c,
                          const struct brolga__heap *heap,
                          const struct brolga_copy_opts *opts,
                          brolga_region *region, struct brolga__memo *memo)
{
    c->model = heap->model;
    c->heap = heap;
    c->leases = opts->leases;
    c->region = region;
    c->is_tree = opts->is_tree;
    c->is_stopped = false;
    c->pause = opts->pause;
    c->pause_arg = opts->arg;
    c->pause_bytes = opts->pause_bytes != 0 ? opts->pause_bytes : PAUSE_BYTES;
    if (opts->pause == NULL)
        c->pause_bytes = UINT64_MAX / 2;
    c->unpaused = 0;
    c->frame = c->first;
    c->depth = 0;
    c->capacity = FRAMES_INLINE;
    c->memo = memo;
    brolga__tally_begin(&c->tally, c->heap);
    c->mine = region == NULL ? c->tally.mine : NULL;
}

void brolga__copier_end(struct brolga_copier *c)
{
    c->memo->made_bytes += c->tally.made_bytes;
    brolga__tally_end(&c->tally);
    if (c->frame != c->first)
        brolga__free(c->frame);
}

void brolga__copier_unwind(struct brolga_copier *c)
{
    for (uint32_t i = 0; i < c->depth; i++)
        memset(c->frame[i].slot, 0, c->frame[i].slots * sizeof(brolga_word));
}
