/*
 * The state of a copy that is going on, and the steps that its files share.
 *
 *   copier.c  the stack, pauses, what is shared: beginning and end of a copy
 *   walk.c    the main loop, and those for lists, trees and other sums
 *   rare.c    other shapes: Vecs, handles, closures, generated functions
 *   copy.c    the entries
 *
 * Only these files include this one; so names that are short and inline here
 * are theirs.
 */
#ifndef BROLGA_SRC_COPY_COPIER_H
#define BROLGA_SRC_COPY_COPIER_H

#include "copy/region.h"

#include <string.h>

/* A waiting slot, or a row of them, as in a Vec; and the word in the (first)
 * slot, lest it has to be fetched again. */
struct frame {
    const brolga_type *type;
    brolga_word *slot;
    brolga_word word;
    size_t slots;
};

/* Frames before the stack needs memory: enough for balanced trees. */
#define FRAMES_INLINE 40

struct brolga_copier {
    const struct brolga_model *model;
    const struct brolga__heap *heap;
    struct brolga_leases *leases; /* on what it points into; NULL: unwanted */
    brolga_region *region;        /* where it freezes to; NULL: it copies */
    struct brolga__vheap *mine;   /* where its objects lie; NULL: elsewhere */
    struct brolga__tally tally;
    bool is_tree;    /* the caller says that nothing is reached twice */
    bool is_stopped; /* by a pause that returned this: */
    int stopped_by;
    int (*pause)(void *arg);
    void *pause_arg;
    uint64_t pause_bytes; /* between two pauses */
    uint64_t unpaused;    /* copied since the last one, but not by a cursor */
    struct frame *frame;
    uint32_t depth;
    uint32_t capacity;
    struct frame first[FRAMES_INLINE];
    struct brolga__memo *memo;
};

/* What became of a slot: an error below 0, or one of these. */
enum {
    DONE,  /* it holds the right word */
    FRESH, /* its object must be copied, or has been copied shallowly */
};

/* A source object; `count` as its count word was read. */
struct source {
    brolga_word value;
    int64_t count;
};

static int lost(brolga_word *slot, int err)
{
    *slot = 0;
    return err;
}

/* --- the stack (copier.c) ----------------------------------------------- */

/* Makes the stack larger by at least so many frames. */
int brolga__copier_grow(struct brolga_copier *c, uint32_t frames);

/* Makes room, so that so many pushes cannot fail. */
static inline int reserve(struct brolga_copier *c, uint32_t frames)
{
    return brolga__likely(c->capacity - c->depth >= frames)
               ? BROLGA_OK
               : brolga__copier_grow(c, frames);
}

static inline void push(struct brolga_copier *c, const brolga_type *type,
                        brolga_word *slot, size_t slots)
{
    c->frame[c->depth++] = (struct frame){type, slot, *slot, slots};
}

/* --- the course of a copy (copier.c, walk.c) ---------------------------- */

void brolga__copier_begin(struct brolga_copier *c,
                          const struct brolga__heap *heap,
                          const struct brolga_copy_opts *opts,
                          brolga_region *region, struct brolga__memo *memo);
void brolga__copier_end(struct brolga_copier *c);

/* Until nothing waits. */
int brolga__copier_run(struct brolga_copier *c);

/* After a failure: what waits still holds words of the source. */
void brolga__copier_unwind(struct brolga_copier *c);

/* A pause. Remembers why the copy ends, so that all that comes next may fail
 * with whatever code is at hand. */
int brolga__copier_pause(struct brolga_copier *c);

/* memcpy() with pauses, if there are to be any. */
int brolga__copier_bytes(struct brolga_copier *c, void *to, const void *from,
                         uint64_t bytes);

/* --- layouts ------------------------------------------------------------ */

/*
 * What the loops have to know of a model. Each is compiled for both presets,
 * where all of this is constant, and for any other model.
 */
struct layout {
    int64_t fields_at;
    int64_t count_at;
    int64_t size_at;
    int64_t base_at;
    int64_t header_bytes;
    bool is_ours; /* objects are blocks of alloc.h */
    bool is_tree; /* the caller says that nothing is reached twice */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static inline struct layout layout_of(const struct brolga_copier *c)
{
    return (struct layout){.fields_at = c->model->fields_at,
                           .count_at = c->model->count_at,
                           .header_bytes = c->heap->header_bytes,
                           .is_ours = false,
                           .is_tree = c->is_tree};
}

/* --- sharing ------------------------------------------------------------ */

/* Decides about an object whose count is not 1. */
int brolga__copier_find_shared(struct brolga_copier *c,
                               const struct source *from, brolga_word *slot);

/* Looks at the count of an object, to which the slot refers: DONE, FRESH, or an
 * error. Objects of a value that is said to be a tree are all fresh. */
ALWAYS_INLINE int look_at(struct brolga_copier *c, const struct layout *at,
                          brolga_word *slot, struct source *from)
{
    from->count = 1;
    if (at->is_tree)
        return FRESH;
    from->count = brolga__load_relaxed(
        (_Atomic int64_t *)brolga__word_at(from->value, at->count_at));
    return brolga__likely(from->count == 1)
               ? FRESH
               : brolga__copier_find_shared(c, from, slot);
}

/* The same for what may be no object at all. */
static inline int look(struct brolga_copier *c, brolga_word *slot,
                       struct source *from)
{
    struct layout at = layout_of(c);

    from->value = *slot;
    if (brolga__unlikely(brolga__is_small(c->model, from->value)))
        return lost(slot, BROLGA_EINVAL);
    return look_at(c, &at, slot, from);
}

/* --- objects ------------------------------------------------------------ */

/* A copy of the object's first `payload_bytes` bytes of fields, or 0. */
brolga_word brolga__copier_clone(struct brolga_copier *c, brolga_word from,
                                 int64_t payload_bytes);

/* A new object, or 0. */
ALWAYS_INLINE brolga_word make(struct brolga_copier *c, const struct layout *at,
                               int64_t payload_bytes)
{
    int64_t bytes = payload_bytes + at->header_bytes;
    brolga_word value;

    if (!at->is_ours)
        return brolga__tally_make(&c->tally, c->heap, payload_bytes);
    value = (brolga_word)(uintptr_t)brolga__value_take((size_t)bytes);
    if (brolga__unlikely(value == 0))
        return 0;
    value -= at->base_at;
    *brolga__word_at(value, at->size_at) = bytes;
    *brolga__word_at(value, at->count_at) = 1;
    return value;
}

/* The tag and the fields. Most have few: those are a few moves. */
ALWAYS_INLINE void copy_words(brolga_word *to, const brolga_word *from,
                              uint32_t fields)
{
    switch (fields) {
    case 1:
        memcpy(to, from, 16);
        break;
    case 2:
        memcpy(to, from, 24);
        break;
    case 3:
        memcpy(to, from, 32);
        break;
    default:
        memcpy(to, from, 8 * ((size_t)fields + 1));
        break;
    }
}

/* Puts a fresh object, or 0 for none, into the slot. */
ALWAYS_INLINE int place(struct brolga_copier *c, const struct source *from,
                        brolga_word to, brolga_word *slot)
{
    if (brolga__unlikely(to == 0))
        return lost(slot, BROLGA_ENOMEM);
    if (brolga__unlikely(from->count != 1) &&
        brolga__memo_add(c->memo, from->value, from->count, to) != BROLGA_OK) {
        brolga__tally_free(&c->tally, c->heap, to);
        return lost(slot, BROLGA_ENOMEM);
    }
    *slot = to;
    return FRESH;
}

/* --- shapes that lead nowhere, or are rare (rare.c) --------------------- */

/* A slot of any shape but strings and sums: DONE, FRESH (which means no more
 * than DONE), or an error. What it leads to waits on the stack. */
int brolga__copier_rare(struct brolga_copier *c, const brolga_type *type,
                        brolga_word *slot);

#endif
