/*
 * Copy: one pass over the source, in the order in which its objects were most
 * likely made, without recursion.
 *
 * An object is copied whole, so that at first its fields hold the source's
 * references; then each field is replaced by its copy. A *slot* is such a
 * field: it holds a source's word before it is done, and a copy's word after
 * that, or 0 if that failed. From a fresh object the copier goes on with its
 * first field that leads further; the other ones wait on a stack, as do the
 * elements of a Vec. A list is followed in a loop: of a node with one field
 * that leads further, nothing waits.
 *
 * The count word of a fresh object is 1; those of shared objects are written
 * at the end, by the memo.
 *
 * Invariant, on which unwinding relies: a slot that is not done waits on the
 * stack, or is 0, or is the one that is being done. So after a failure unwind()
 * clears the first, and an ordinary drop of the root frees exactly what was
 * made.
 *
 * Pauses: what is left of the value is on the stack then, so that a pause is
 * like any turn of the main loop; or it comes between two pieces of a long
 * memcpy(). Shared objects of the source stay marked until the end. That is
 * sound because nobody else has a reference to any part of the source, and its
 * owner waits.
 *
 * The loops for the common shapes are always inlined, with what differs as a
 * constant, so that each is one tight loop.
 */
#include "copy/region.h"

#include "alloc.h"
#include "vheap.h"

#include <string.h>

/* A waiting slot, or a row of them, as in a Vec; and the word in the (first)
 * slot, lest it has to be fetched again. */
struct frame {
    const brolga_type *type;
    brolga_word *slot;
    brolga_word word;
    size_t slots;
};

/* Between two pauses, unless the caller says otherwise. */
#define PAUSE_BYTES (UINT64_C(256) << 10)

/* Strings that are longer are copied with pauses. */
#define LONG_BYTES 4096

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

/*
 * What a loop works on: the slot to do, the word in it, and its type; and its
 * share of the copier's fields, which the compiler keeps in registers as long
 * as nobody else sees them. keep() brings the copier up to date, fetch() the
 * cursor.
 */
struct cursor {
    const brolga_type *type;
    brolga_word *slot;
    brolga_word word;
    struct frame *frame;
    uint32_t depth;
    uint64_t blocks;
    uint64_t bytes;
    uint64_t pause_at; /* when there are so many bytes */
    uint64_t left;     /* objects that a list or tree may have until then */
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

/* --- the stack ---------------------------------------------------------- */

__attribute__((noinline)) static int grow(struct brolga_copier *c,
                                          uint32_t frames)
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

/* Makes room, so that so many pushes cannot fail. */
static inline int reserve(struct brolga_copier *c, uint32_t frames)
{
    return brolga__likely(c->capacity - c->depth >= frames) ? BROLGA_OK
                                                            : grow(c, frames);
}

static inline void push(struct brolga_copier *c, const brolga_type *type,
                        brolga_word *slot, size_t slots)
{
    c->frame[c->depth++] = (struct frame){type, slot, *slot, slots};
}

/* --- pauses ------------------------------------------------------------- */

/* Remembers why the copy ends, so that all that comes next may fail with
 * whatever code is at hand. */
static int pause_now(struct brolga_copier *c)
{
    int err = c->pause(c->pause_arg);

    if (err == BROLGA_OK)
        return BROLGA_OK;
    c->is_stopped = true;
    c->stopped_by = err;
    return BROLGA_ENOMEM;
}

/* memcpy() with pauses, if there are to be any. */
static int copy_bytes(struct brolga_copier *c, void *to, const void *from,
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
        if (pause_now(c) != BROLGA_OK)
            return BROLGA_ENOMEM;
    }
    memcpy(target, source, bytes);
    c->unpaused += bytes;
    return BROLGA_OK;
}

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

static const struct layout to_fields = {0, -8, -16, -16, 16, true, false};
static const struct layout to_header = {16, 8, 0, 0, 16, true, false};
static const struct layout to_fields_tree = {0, -8, -16, -16, 16, true, true};
static const struct layout to_header_tree = {16, 8, 0, 0, 16, true, true};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static struct layout layout_of(const struct brolga_copier *c)
{
    return (struct layout){.fields_at = c->model->fields_at,
                           .count_at = c->model->count_at,
                           .header_bytes = c->heap->header_bytes,
                           .is_ours = false,
                           .is_tree = c->is_tree};
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

/* Decides about an object whose count is not 1. */
__attribute__((noinline)) static int find_shared(struct brolga_copier *c,
                                                 const struct source *from,
                                                 brolga_word *slot)
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
    return brolga__likely(from->count == 1) ? FRESH
                                            : find_shared(c, from, slot);
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
static brolga_word clone(struct brolga_copier *c, brolga_word from,
                         int64_t payload_bytes)
{
    brolga_word to = brolga__tally_make(&c->tally, c->heap, payload_bytes);

    if (brolga__unlikely(to == 0))
        return 0;
    if (copy_bytes(c, brolga__fields(c->model, to),
                   brolga__fields(c->model, from),
                   (uint64_t)payload_bytes) == BROLGA_OK)
        return to;
    brolga__tally_free(&c->tally, c->heap, to);
    return 0;
}

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

/* Counts an object that make() made. */
ALWAYS_INLINE void count_made(struct cursor *now, const struct layout *at,
                              int64_t payload_bytes)
{
    now->blocks++;
    now->bytes += (uint64_t)(payload_bytes + at->header_bytes);
}

/* --- shapes that lead nowhere ------------------------------------------- */

ALWAYS_INLINE int copy_string(struct brolga_copier *c, const struct layout *at,
                              struct cursor *now, brolga_word *slot)
{
    struct source from = {.value = *slot};
    int64_t bytes;
    brolga_word to;
    int seen;

    if (brolga__unlikely(brolga__is_small(c->model, from.value)))
        return lost(slot, BROLGA_EINVAL);
    seen = look_at(c, at, slot, &from);
    if (brolga__unlikely(seen != FRESH))
        return seen;
    if (brolga__unlikely(brolga__check_string(c->model, from.value) != NULL))
        return lost(slot, BROLGA_EINVAL);
    bytes = 8 + *brolga__word_at(from.value, at->fields_at);
    if (brolga__unlikely(bytes > LONG_BYTES))
        return place(c, &from, clone(c, from.value, bytes), slot);
    to = make(c, at, bytes);
    if (brolga__likely(to != 0)) {
        memcpy(brolga__word_at(to, at->fields_at),
               brolga__word_at(from.value, at->fields_at), (size_t)bytes);
        count_made(now, at, bytes);
    }
    return place(c, &from, to, slot);
}

/* The elements of a Vec in a new object or buffer; 0 if there is no memory. */
static brolga_word clone_data(struct brolga_copier *c, brolga_word data,
                              brolga_word length)
{
    int64_t bytes = 8 * length;
    void *buffer;

    if (c->model->buffer_alloc == NULL)
        return clone(c, data, bytes);
    buffer = brolga__buffer_make(c->heap, bytes);
    if (buffer == NULL)
        return 0;
    c->memo->made_bytes += (uint64_t)bytes;
    if (copy_bytes(c, buffer, brolga__word_at(data, 0), (uint64_t)bytes) ==
        BROLGA_OK)
        return (brolga_word)(uintptr_t)buffer;
    brolga__buffer_free(c->heap, (brolga_word)(uintptr_t)buffer);
    return 0;
}

static void free_data(struct brolga_copier *c, brolga_word data)
{
    if (c->model->buffer_alloc == NULL)
        brolga__tally_free(&c->tally, c->heap, data);
    else
        brolga__buffer_free(c->heap, data);
}

/* A Vec's header and data, the capacity trimmed to the length. */
static int clone_vec(struct brolga_copier *c, brolga_word *slot)
{
    struct source from;
    int seen = look(c, slot, &from);
    brolga_word length, data = 0, to, *field;

    if (seen != FRESH)
        return seen;
    if (brolga__check_vec(c->model, from.value) != NULL)
        return lost(slot, BROLGA_EINVAL);
    field = brolga__fields(c->model, from.value);
    length = field[0];
    if (length > 0) {
        data = clone_data(c, field[2], length);
        if (data == 0)
            return lost(slot, BROLGA_ENOMEM);
    }
    to = clone(c, from.value, 24);
    if (to != 0) {
        field = brolga__fields(c->model, to);
        field[1] = length;
        field[2] = data;
    }
    seen = place(c, &from, to, slot);
    if (seen != FRESH && data != 0)
        free_data(c, data);
    return seen;
}

static int copy_handle(struct brolga_copier *c, const brolga_type *type,
                       brolga_word *slot)
{
    if (*slot == 0)
        return DONE;
    if (type->retain == NULL)
        return lost(slot, BROLGA_EUNSENDABLE);
    if (c->region != NULL &&
        !brolga__region_keep_handle(c->region, type, *slot))
        return lost(slot, BROLGA_ENOMEM);
    if (c->mine != NULL &&
        brolga__heap_hold_handle(c->mine, type, slot) != BROLGA_OK)
        return lost(slot, BROLGA_ENOMEM);
    type->retain(*slot, type->handle_arg);
    return DONE;
}

/* --- sums --------------------------------------------------------------- */

ALWAYS_INLINE void keep(struct brolga_copier *c, const struct cursor *now)
{
    c->depth = now->depth;
}

ALWAYS_INLINE void fetch(const struct brolga_copier *c, struct cursor *now)
{
    now->frame = c->frame;
    now->depth = c->depth;
}

/* Whether it is time for a pause. */
ALWAYS_INLINE bool is_due(const struct cursor *now)
{
    return brolga__unlikely(now->bytes >= now->pause_at);
}

/* Lets what the cursor is at wait, in front of all that does. */
ALWAYS_INLINE int put_back(struct brolga_copier *c, struct cursor *now)
{
    keep(c, now);
    if (reserve(c, 1) != BROLGA_OK)
        return lost(now->slot, BROLGA_ENOMEM);
    push(c, now->type, now->slot, 1);
    fetch(c, now);
    return DONE;
}

/* Which constructor made an object, or NULL if none of its type did. */
ALWAYS_INLINE const struct brolga__ctor *ctor_of(const brolga_type *type,
                                                 brolga_word tag)
{
    const struct brolga__ctor *ctor = NULL;

    if (brolga__likely((uint64_t)tag < type->ctor_count))
        ctor = type->ctors[tag];
    return brolga__likely(ctor != NULL && ctor->fields > 0) ? ctor : NULL;
}

/*
 * Copies the object that the cursor's word refers to, but not what its fields
 * refer to: FRESH with its constructor, DONE, or an error.
 */
ALWAYS_INLINE int copy_top(struct brolga_copier *c, const struct layout *at,
                           struct cursor *now, const struct brolga__ctor **out)
{
    struct source from = {.value = now->word};
    const struct brolga__ctor *ctor;
    const brolga_word *field;
    brolga_word to;
    int seen;

    if (brolga__unlikely(brolga__is_small(c->model, now->word)))
        return now->type->has_nullary ? DONE : lost(now->slot, BROLGA_EINVAL);
    seen = look_at(c, at, now->slot, &from);
    if (brolga__unlikely(seen != FRESH))
        return seen;
    field = brolga__word_at(now->word, at->fields_at);
    ctor = ctor_of(now->type, field[0]);
    if (brolga__unlikely(ctor == NULL))
        return lost(now->slot, BROLGA_EINVAL);
    to = make(c, at, ctor->payload_bytes);
    if (brolga__likely(to != 0)) {
        copy_words(brolga__word_at(to, at->fields_at), field, ctor->fields);
        count_made(now, at, ctor->payload_bytes);
    }
    *out = ctor;
    return place(c, &from, to, now->slot);
}

/*
 * A slot of a type that is a leaf. FRESH means no more than DONE here. The
 * layout is that of any model, for which objects are counted as they are made,
 * so that this cursor's counts are nobody's.
 */
__attribute__((noinline)) static int
copy_leaf(struct brolga_copier *c, const brolga_type *type, brolga_word *slot)
{
    const struct layout at = layout_of(c);
    struct cursor now = {.type = type, .slot = slot, .word = *slot};
    const struct brolga__ctor *ctor;

    switch (type->shape) {
    case BROLGA__STRING:
        return copy_string(c, &at, &now, slot);
    case BROLGA__VEC_WORDS:
        return clone_vec(c, slot);
    case BROLGA__SUM:
        return copy_top(c, &at, &now, &ctor);
    case BROLGA__HANDLE:
        return copy_handle(c, type, slot);
    case BROLGA__WORD:
        return DONE;
    default:
        return lost(slot, BROLGA_EUNSENDABLE);
    }
}

/* Clears the fields ref[from...] of a fresh object. */
static void clear_refs(brolga_word *field, const struct brolga__ctor *ctor,
                       uint32_t from)
{
    for (uint32_t i = from; i < ctor->refs; i++)
        field[ctor->ref[i].field] = 0;
}

ALWAYS_INLINE int copy_leaves(struct brolga_copier *c, const struct layout *at,
                              struct cursor *now, brolga_word *field,
                              const struct brolga__ctor *ctor)
{
    for (uint32_t i = 0; i < ctor->leaves; i++) {
        const struct brolga__ref *ref = &ctor->ref[i];
        int seen = brolga__likely(ref->type->shape == BROLGA__STRING)
                       ? copy_string(c, at, now, &field[ref->field])
                       : copy_leaf(c, ref->type, &field[ref->field]);

        if (brolga__unlikely(seen < 0)) {
            clear_refs(field, ctor, i);
            return seen;
        }
    }
    return DONE;
}

/* --- lists and binary trees --------------------------------------------- */

/* The same as below for an object that is shared, or frozen: FRESH with a new
 * object in the slot, DONE, or an error. */
__attribute__((noinline)) static int
make_shared(struct brolga_copier *c, const struct source *from,
            brolga_word *slot, const struct brolga__ctor *only)
{
    int seen = find_shared(c, from, slot);

    if (seen != FRESH)
        return seen;
    if (brolga__fields(c->model, from->value)[0] != (brolga_word)only->tag)
        return lost(slot, BROLGA_EINVAL);
    seen = place(c, from,
                 brolga__tally_make(&c->tally, c->heap, only->payload_bytes),
                 slot);
    if (seen == FRESH && c->tally.is_ours &&
        c->mine == NULL) { /* The loop is going to count it. */
        c->tally.blocks--;
        c->tally.made_bytes -=
            (uint64_t)(only->payload_bytes + c->heap->header_bytes);
    }
    return seen;
}

/* Counts one of the objects of a list or tree. */
ALWAYS_INLINE void count_only(struct cursor *now, const struct layout *at,
                              const struct brolga__ctor *only, bool has_leaves)
{
    if (has_leaves)
        count_made(now, at, only->payload_bytes);
    else
        now->left--;
}

/* Puts a new object for the cursor's into its slot, for one that nobody else
 * refers to. */
ALWAYS_INLINE int make_only(struct brolga_copier *c, const struct layout *at,
                            struct cursor *now, const struct brolga__ctor *only)
{
    brolga_word to;

    if (brolga__unlikely(*brolga__word_at(now->word, at->fields_at) !=
                         (brolga_word)only->tag))
        return lost(now->slot, BROLGA_EINVAL);
    to = make(c, at, only->payload_bytes);
    if (brolga__unlikely(to == 0))
        return lost(now->slot, BROLGA_ENOMEM);
    *now->slot = to;
    return FRESH;
}

/* Copies the cursor's object, of a type with one constructor only: FRESH with
 * the first field of both, DONE, or an error. */
ALWAYS_INLINE int copy_only(struct brolga_copier *c, const struct layout *at,
                            struct cursor *now, const struct brolga__ctor *only,
                            bool has_leaves, const brolga_word **field,
                            brolga_word **to_field)
{
    struct source from = {.value = now->word, .count = 1};
    int seen;

    if (!at->is_tree)
        from.count = brolga__load_relaxed(
            (_Atomic int64_t *)brolga__word_at(from.value, at->count_at));
    seen = brolga__likely(from.count == 1)
               ? make_only(c, at, now, only)
               : make_shared(c, &from, now->slot, now->type->only);
    if (brolga__unlikely(seen != FRESH))
        return seen;
    count_only(now, at, only, has_leaves);
    *field = brolga__word_at(from.value, at->fields_at);
    *to_field = brolga__word_at(*now->slot, at->fields_at);
    copy_words(*to_field, *field, only->fields);
    if (!has_leaves)
        return FRESH;
    seen = copy_leaves(c, at, now, *to_field, only);
    return seen < 0 ? seen : FRESH;
}

/* Lists and trees of words count their objects, which are all of a size, in one
 * number. From here... */
ALWAYS_INLINE uint64_t count_from(struct cursor *now, const struct layout *at,
                                  const struct brolga__ctor *only)
{
    uint64_t bytes = (uint64_t)(only->payload_bytes + at->header_bytes);

    now->left = 1;
    if (now->pause_at > now->bytes)
        now->left += (now->pause_at - now->bytes) / bytes;
    return now->left;
}

/* ...to here. */
ALWAYS_INLINE void count_to(struct cursor *now, const struct layout *at,
                            const struct brolga__ctor *only, uint64_t from)
{
    uint64_t bytes = (uint64_t)(only->payload_bytes + at->header_bytes);

    now->blocks += from - now->left;
    now->bytes += (from - now->left) * bytes;
}

/* Whether a list or tree has to pause. */
ALWAYS_INLINE bool is_full(const struct cursor *now, bool has_leaves)
{
    return has_leaves ? is_due(now) : brolga__unlikely(now->left == 0);
}

/*
 * A list: one object after the other, and nothing ever waits. The next source
 * object is read from the source: through the copy it would come later by a
 * store and a load.
 */
ALWAYS_INLINE int follow_spine(struct brolga_copier *c, const struct layout *at,
                               struct cursor *now,
                               const struct brolga__ctor cons, bool has_leaves)
{
    const uint32_t next = cons.ref[cons.leaves].field;
    const uint64_t small = cons.ref[cons.leaves].small;

    /* Ends: every turn makes an object, and follows those of a finite value;
     * one that is met again is in the memo. */
    while ((uint64_t)now->word >= small) {
        const brolga_word *field = NULL;
        brolga_word *to_field = NULL;
        int seen = copy_only(c, at, now, &cons, has_leaves, &field, &to_field);

        if (brolga__unlikely(seen != FRESH))
            return seen;
        now->slot = &to_field[next];
        now->word = field[next];
        if (is_full(now, has_leaves))
            return put_back(c, now);
    }
    return DONE;
}

ALWAYS_INLINE int copy_spine(struct brolga_copier *c, const struct layout *at,
                             struct cursor *now)
{
    const struct brolga__ctor *cons = now->type->only;
    uint64_t from = count_from(now, at, cons);
    int seen = cons->leaves == 0 ? follow_spine(c, at, now, *cons, false)
                                 : follow_spine(c, at, now, *cons, true);

    count_to(now, at, cons, from);
    return seen;
}

/* The two fields of a tree's node. */
struct fork {
    uint32_t left;
    uint32_t right;
    uint64_t small;
};

/* Goes on with a subtree; if there are two, the right one waits. There is room
 * for it. False if there is none. */
ALWAYS_INLINE bool go_left(struct cursor *now, const struct fork *fork,
                           const brolga_word *field, brolga_word *to_field)
{
    brolga_word left = field[fork->left], right = field[fork->right];

    if ((uint64_t)left >= fork->small) {
        if ((uint64_t)right >= fork->small)
            now->frame[now->depth++] =
                (struct frame){now->type, &to_field[fork->right], right, 1};
        now->slot = &to_field[fork->left];
        now->word = left;
        return true;
    }
    now->slot = &to_field[fork->right];
    now->word = right;
    return (uint64_t)right >= fork->small;
}

/* Makes room for one more that waits; if that fails, the subtrees of a fresh
 * node are lost. */
__attribute__((noinline)) static int grow_tree(struct brolga_copier *c,
                                               const struct fork *fork,
                                               brolga_word *to_field)
{
    if (reserve(c, 1) == BROLGA_OK)
        return BROLGA_OK;
    to_field[fork->left] = 0;
    to_field[fork->right] = 0;
    return BROLGA_ENOMEM;
}

/* A binary tree: what waits above `floor` is of the same type. */
ALWAYS_INLINE int follow_tree(struct brolga_copier *c, const struct layout *at,
                              struct cursor *now,
                              const struct brolga__ctor only, bool has_leaves)
{
    const struct brolga__ref *ref = &only.ref[only.leaves];
    const struct fork fork = {ref[0].field, ref[1].field, ref[0].small};
    const uint32_t floor = now->depth;

    if ((uint64_t)now->word < fork.small)
        return DONE;
    for (;;) { /* Ends: as a list does. */
        const brolga_word *field = NULL;
        brolga_word *to_field = NULL;
        int seen = copy_only(c, at, now, &only, has_leaves, &field, &to_field);

        if (brolga__unlikely(now->depth == c->capacity) && seen == FRESH) {
            keep(c, now);
            seen = grow_tree(c, &fork, to_field) < 0 ? BROLGA_ENOMEM : FRESH;
            fetch(c, now);
        }
        if (brolga__unlikely(seen < 0))
            return seen;
        if (brolga__likely(seen == FRESH) &&
            go_left(now, &fork, field, to_field)) {
            if (is_full(now, has_leaves))
                return put_back(c, now);
            continue;
        }
        if (now->depth == floor)
            return DONE;
        if (is_full(now, has_leaves))
            return DONE;
        now->depth--;
        now->slot = now->frame[now->depth].slot;
        now->word = now->frame[now->depth].word;
    }
}

ALWAYS_INLINE int copy_tree(struct brolga_copier *c, const struct layout *at,
                            struct cursor *now)
{
    const struct brolga__ctor *only = now->type->only;
    uint64_t from = count_from(now, at, only);
    int seen = only->leaves == 0 ? follow_tree(c, at, now, *only, false)
                                 : follow_tree(c, at, now, *only, true);

    count_to(now, at, only, from);
    return seen;
}

/* --- other sums --------------------------------------------------------- */

/*
 * Goes on with the first field that leads further; the others wait. Small tags
 * lead nowhere, so that the ends of a tree never wait. There is room for the
 * frames. False if no field leads further.
 */
ALWAYS_INLINE bool go_down(struct cursor *now, brolga_word *field,
                           const struct brolga__ctor *ctor)
{
    bool is_open = false;

    for (uint32_t i = ctor->refs; i-- > ctor->leaves;) {
        const struct brolga__ref *ref = &ctor->ref[i];
        brolga_word word = field[ref->field];

        if ((uint64_t)word < ref->small)
            continue;
        if (is_open)
            now->frame[now->depth++] =
                (struct frame){now->type, now->slot, now->word, 1};
        now->type = ref->type;
        now->slot = &field[ref->field];
        now->word = word;
        is_open = true;
    }
    return is_open;
}

__attribute__((noinline)) static int grow_for(struct brolga_copier *c,
                                              brolga_word *field,
                                              const struct brolga__ctor *ctor)
{
    if (reserve(c, ctor->refs) == BROLGA_OK)
        return BROLGA_OK;
    clear_refs(field, ctor, 0);
    return BROLGA_ENOMEM;
}

/* Copies an object of a sum: FRESH with the cursor at what to go on with, or
 * DONE, or an error. */
ALWAYS_INLINE int copy_sum(struct brolga_copier *c, const struct layout *at,
                           struct cursor *now)
{
    const struct brolga__ctor *ctor = NULL;
    brolga_word *field;
    int seen = copy_top(c, at, now, &ctor);

    if (seen != FRESH)
        return seen;
    field = brolga__word_at(*now->slot, at->fields_at);
    if (brolga__unlikely(c->capacity - now->depth < ctor->refs)) {
        keep(c, now);
        seen = grow_for(c, field, ctor);
        fetch(c, now);
        if (seen < 0)
            return seen;
    }
    seen = copy_leaves(c, at, now, field, ctor);
    if (brolga__unlikely(seen < 0))
        return seen;
    return go_down(now, field, ctor) ? FRESH : DONE;
}

/* --- other shapes that lead further ------------------------------------- */

static int copy_vec(struct brolga_copier *c, const brolga_type *type,
                    brolga_word *slot)
{
    int seen = clone_vec(c, slot);
    brolga_word *field, *element;

    if (seen != FRESH)
        return seen;
    field = brolga__fields(c->model, *slot);
    if (field[0] == 0)
        return DONE;
    element = brolga__elements(c->model, field[2]);
    if (brolga__unlikely(reserve(c, 1) != BROLGA_OK)) {
        memset(element, 0, (size_t)field[0] * 8);
        return BROLGA_ENOMEM;
    }
    push(c, type->element, element, (size_t)field[0]);
    return DONE;
}

/* Captures wait; the first is to be done first. There is room. */
static void push_captures(struct brolga_copier *c, brolga_word *capture,
                          const struct brolga_closure_info *info)
{
    for (size_t i = info->captures; i-- > 0;)
        if (brolga__may_refer(info->types[i]))
            push(c, info->types[i], &capture[i], 1);
}

static int copy_closure(struct brolga_copier *c, brolga_word *slot)
{
    struct brolga_closure_info info;
    struct source from;
    int seen = look(c, slot, &from);
    int code;

    if (seen != FRESH)
        return seen;
    if (brolga__check_closure(c->model, from.value, &info, &code) != NULL)
        return lost(slot, code);
    if (info.captures > UINT32_MAX / 4 ||
        reserve(c, (uint32_t)info.captures) != BROLGA_OK)
        return lost(slot, BROLGA_ENOMEM);
    seen = place(c, &from,
                 clone(c, from.value,
                       c->model->closure_captures + 8 * (int64_t)info.captures),
                 slot);
    if (seen != FRESH)
        return seen;
    if (c->model->closure_pin != NULL)
        c->model->closure_pin(brolga__code(c->model, *slot),
                              brolga__closure_arg(c->model));
    push_captures(c, brolga__captures(c->model, *slot), &info);
    return c->mine == NULL ? DONE
                           : brolga__heap_hold_code(c->mine, c->model, *slot);
}

/* --- generated copies --------------------------------------------------- */

/* Shared objects are for the interpreter. */
static int copy_generated(struct brolga_copier *c, const brolga_type *type,
                          brolga_word *slot)
{
    const struct brolga_generated *by = type->generated;
    struct source from;
    int seen = DONE;

    if (type->has_nullary && brolga__is_small(c->model, *slot))
        return DONE;
    seen = look(c, slot, &from);
    if (seen != FRESH)
        return seen;
    if (from.count != 1 || by->copy == NULL) {
        if (reserve(c, 1) != BROLGA_OK)
            return lost(slot, BROLGA_ENOMEM);
        push(c, type->plain, slot, 1);
        return DONE;
    }
    *slot = 0;
    seen = by->copy(c, from.value, slot, by->arg);
    if (seen < 0 || !brolga_copier_is_due(c))
        return seen < 0 ? seen : DONE;
    c->unpaused = 0;
    return pause_now(c);
}

brolga_word brolga_copier_make(brolga_copier *c, int64_t payload_bytes)
{
    if (payload_bytes < 0)
        return 0;
    c->unpaused += (uint64_t)payload_bytes + (uint64_t)c->heap->header_bytes;
    return brolga__tally_make(&c->tally, c->heap, payload_bytes);
}

int brolga_copier_later(brolga_copier *c, const brolga_type *type,
                        brolga_word *slot)
{
    if (reserve(c, 1) != BROLGA_OK)
        return lost(slot, BROLGA_ENOMEM);
    push(c, type, slot, 1);
    return BROLGA_OK;
}

bool brolga_copier_is_due(const brolga_copier *c)
{
    return c->unpaused >= c->pause_bytes;
}

/* --- the whole ---------------------------------------------------------- */

static int copy_rare(struct brolga_copier *c, const brolga_type *type,
                     brolga_word *slot)
{
    if (type->shape == BROLGA__VEC_REFS)
        return copy_vec(c, type, slot);
    if (type->shape == BROLGA__CLOSURE)
        return copy_closure(c, slot);
    if (type->shape == BROLGA__GENERATED)
        return copy_generated(c, type, slot);
    return copy_leaf(c, type, slot);
}

/* Takes the slot on top, or the first one of the row that is there. */
ALWAYS_INLINE void pop(struct cursor *now)
{
    struct frame *top = &now->frame[now->depth - 1];

    now->type = top->type;
    now->slot = top->slot;
    now->word = top->word;
    if (brolga__likely(top->slots == 1)) {
        now->depth--;
    } else {
        top->slots--;
        top->word = *++top->slot;
    }
}

/* A pause in the main loop; what the cursor is at waits, if it is not done. */
__attribute__((noinline)) static int pause_between(struct brolga_copier *c)
{
    c->unpaused = 0;
    return pause_now(c);
}

ALWAYS_INLINE int take_break(struct brolga_copier *c, struct cursor *now,
                             int seen)
{
    if (seen == FRESH)
        seen = put_back(c, now);
    keep(c, now);
    now->pause_at = now->bytes + c->pause_bytes;
    return seen < 0 ? seen : pause_between(c);
}

/* Until nothing waits. */
ALWAYS_INLINE int run_with(struct brolga_copier *c, const struct layout at)
{
    struct cursor now = {.blocks = 0};
    int seen = DONE;

    fetch(c, &now);
    now.pause_at = c->pause_bytes;
    while (seen >= 0 && now.depth > 0) {
        pop(&now);
        seen = FRESH;
        /* Ends: every turn makes an object. */
        while (seen == FRESH &&
               brolga__likely(now.type->shape == BROLGA__SUM) && !is_due(&now))
            seen = copy_sum(c, &at, &now);
        if (is_due(&now))
            seen = take_break(c, &now, seen);
        if (seen != FRESH)
            continue;
        if (now.type->shape == BROLGA__SPINE) {
            seen = copy_spine(c, &at, &now);
        } else if (now.type->shape == BROLGA__TREE) {
            seen = copy_tree(c, &at, &now);
        } else {
            keep(c, &now);
            seen = copy_rare(c, now.type, now.slot);
            fetch(c, &now);
        }
    }
    keep(c, &now);
    if (at.is_ours) {
        c->tally.blocks += (int64_t)now.blocks;
        c->tally.made_bytes += now.bytes;
    }
    return seen;
}

static int run(struct brolga_copier *c)
{
    if (!c->tally.is_ours || c->mine != NULL)
        return run_with(c, layout_of(c));
    if (c->model->fields_at == to_fields.fields_at)
        return c->is_tree ? run_with(c, to_fields_tree)
                          : run_with(c, to_fields);
    return c->is_tree ? run_with(c, to_header_tree) : run_with(c, to_header);
}

/* After a failure: what waits still holds words of the source. */
static void unwind(struct brolga_copier *c)
{
    for (uint32_t i = 0; i < c->depth; i++)
        memset(c->frame[i].slot, 0, c->frame[i].slots * sizeof(brolga_word));
}

static void begin(struct brolga_copier *c, const struct brolga__heap *heap,
                  const struct brolga_copy_opts *opts, brolga_region *region,
                  struct brolga__memo *memo)
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

static void end(struct brolga_copier *c)
{
    c->memo->made_bytes += c->tally.made_bytes;
    brolga__tally_end(&c->tally);
    if (c->frame != c->first)
        brolga__free(c->frame);
}

static const struct brolga_copy_opts no_opts = {.pause = NULL};

int brolga__copy_slot(const brolga_type *type, brolga_word *slot,
                      const struct brolga_copy_opts *pauses,
                      struct brolga__memo *memo)
{
    struct brolga_copier c;
    int err;

    begin(&c, type->heap, pauses, NULL, memo);
    push(&c, type, slot, 1);
    err = run(&c);
    if (err < 0)
        unwind(&c);
    end(&c);
    if (c.is_stopped)
        return c.stopped_by;
    return err < 0 ? err : BROLGA_OK;
}

static void explain(const brolga_type *type, brolga_word word, int err,
                    bool is_stopped, struct brolga_copy_error *error)
{
    if (!is_stopped)
        brolga__copy_explain(type, word, err, false, error);
    else if (error != NULL)
        *error = (struct brolga_copy_error){.code = err,
                                            .text = "stopped in a pause"};
}

int brolga__copy_to(const struct brolga__heap *heap, brolga_region *region,
                    const brolga_type *type, brolga_word word, brolga_word *out,
                    const struct brolga_copy_opts *opts, uint64_t *bytes,
                    struct brolga_copy_error *error)
{
    brolga_word copy = word;
    struct brolga__memo memo;
    struct brolga_copier c;
    int err;

    err = brolga__audit_copy(type, word, error);
    if (err != BROLGA_OK)
        return err;
    brolga__memo_init(&memo, type->model,
                      opts->reads_only || type->model->atomic_counts);
    memo.keeps_counts = region != NULL;
    begin(&c, heap, opts, region, &memo);
    push(&c, type, &copy, 1);
    err = run(&c);
    if (err < 0)
        unwind(&c);
    end(&c);
    brolga__memo_settle(&memo);
    brolga__memo_free(&memo);
    *bytes = memo.made_bytes;
    if (err >= 0) {
        *out = copy;
        return BROLGA_OK;
    }
    if (c.is_stopped)
        err = c.stopped_by;
    if (region == NULL)
        brolga_drop_word(type, copy);
    explain(type, word, err, c.is_stopped, error);
    return err;
}

/* A copy with leases, which are added when nothing can fail any more. */
static int copy_leased(const brolga_type *type, brolga_word word,
                       brolga_word *out, const struct brolga_copy_opts *opts,
                       uint64_t *bytes, struct brolga_copy_error *error)
{
    struct brolga_leases more = {.count = 0};
    struct brolga_copy_opts leased = *opts;
    int err;

    leased.leases = &more;
    err = brolga__copy_to(type->heap, NULL, type, word, out, &leased, bytes,
                          error);
    if (err == BROLGA_OK && more.count > 0) {
        err = brolga_leases_move(opts->leases, &more);
        if (err != BROLGA_OK) {
            brolga_drop_word(type, *out);
            explain(type, word, err, false, error);
        }
    }
    brolga_leases_end(&more);
    return err;
}

static int copy_word(const brolga_type *type, brolga_word word,
                     brolga_word *out, const struct brolga_copy_opts *opts,
                     uint64_t *bytes, struct brolga_copy_error *error)
{
    if (opts->leases != NULL)
        return copy_leased(type, word, out, opts, bytes, error);
    return brolga__copy_to(type->heap, NULL, type, word, out, opts, bytes,
                           error);
}

int brolga__copy_sized(const brolga_type *type, const void *from, void *to,
                       const struct brolga_copy_opts *opts, uint64_t *bytes,
                       struct brolga_copy_error *error)
{
    brolga_word word, copy;
    int err;

    *bytes = 0;
    if (brolga_type_is_plain(type)) {
        memcpy(to, from, type->bytes);
        return BROLGA_OK;
    }
    memcpy(&word, from, sizeof(word));
    err = copy_word(type, word, &copy, opts != NULL ? opts : &no_opts, bytes,
                    error);
    if (err == BROLGA_OK)
        memcpy(to, &copy, sizeof(copy));
    return err;
}

int brolga_copy_with(const brolga_type *type, const void *from, void *to,
                     const struct brolga_copy_opts *opts,
                     struct brolga_copy_error *error)
{
    uint64_t bytes;

    return brolga__copy_sized(type, from, to, opts, &bytes, error);
}

int brolga_copy(const brolga_type *type, const void *from, void *to,
                struct brolga_copy_error *error)
{
    return brolga_copy_with(type, from, to, NULL, error);
}

int brolga_copy_word(const brolga_type *type, brolga_word word,
                     brolga_word *out, struct brolga_copy_error *error)
{
    brolga__assert(type->shape != BROLGA__STRUCT);
    return brolga_copy_with(type, &word, out, NULL, error);
}
