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
 * stack, or is 0, or is the one that is being done. So after a failure
 * brolga__copier_unwind() clears the first, and an ordinary drop of the root
 * frees exactly what was made.
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
#include "copy/copier.h"

/* Strings that are longer are copied with pauses. */
#define LONG_BYTES 4096

static const struct layout to_fields = {0, -8, -16, -16, 16, true, false};
static const struct layout to_header = {16, 8, 0, 0, 16, true, false};
static const struct layout to_fields_tree = {0, -8, -16, -16, 16, true, true};
static const struct layout to_header_tree = {16, 8, 0, 0, 16, true, true};

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

/* --- strings ------------------------------------------------------------ */

/* Counts an object that make() made. */
ALWAYS_INLINE void count_made(struct cursor *now, const struct layout *at,
                              int64_t payload_bytes)
{
    now->blocks++;
    now->bytes += (uint64_t)(payload_bytes + at->header_bytes);
}

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
        return place(c, &from, brolga__copier_clone(c, from.value, bytes),
                     slot);
    to = make(c, at, bytes);
    if (brolga__likely(to != 0)) {
        memcpy(brolga__word_at(to, at->fields_at),
               brolga__word_at(from.value, at->fields_at), (size_t)bytes);
        count_made(now, at, bytes);
    }
    return place(c, &from, to, slot);
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
 * A slot of a shape that no loop is for. FRESH means no more than DONE here.
 * The layout is that of any model, for which objects are counted as they are
 * made, so that this cursor's counts are nobody's.
 */
__attribute__((noinline)) static int
copy_other(struct brolga_copier *c, const brolga_type *type, brolga_word *slot)
{
    const struct layout at = layout_of(c);
    struct cursor now = {.type = type, .slot = slot, .word = *slot};
    const struct brolga__ctor *ctor;

    if (type->shape == BROLGA__STRING)
        return copy_string(c, &at, &now, slot);
    if (type->shape == BROLGA__SUM)
        return copy_top(c, &at, &now, &ctor);
    return brolga__copier_rare(c, type, slot);
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
                       : copy_other(c, ref->type, &field[ref->field]);

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
    int seen = brolga__copier_find_shared(c, from, slot);

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

/* --- the whole ---------------------------------------------------------- */

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
    return brolga__copier_pause(c);
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
            seen = copy_other(c, now.type, now.slot);
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

int brolga__copier_run(struct brolga_copier *c)
{
    if (!c->tally.is_ours || c->mine != NULL)
        return run_with(c, layout_of(c));
    if (c->model->fields_at == to_fields.fields_at)
        return c->is_tree ? run_with(c, to_fields_tree)
                          : run_with(c, to_fields);
    return c->is_tree ? run_with(c, to_header_tree) : run_with(c, to_header);
}
