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
 * The loops for the common shapes are always inlined, with what differs as a
 * constant, so that each is one tight loop.
 */
#include "copy/region.h"

#include "alloc.h"

#include <string.h>

/* A waiting slot, or a row of them, as in a Vec. */
struct frame {
    const brolga_type *type;
    brolga_word *slot;
    size_t slots;
};

/* Frames before the stack needs memory: enough for balanced trees. */
#define FRAMES_INLINE 40

struct copier {
    const struct brolga_model *model;
    const struct brolga__copy_how *how;
    struct frame *frame;
    uint32_t depth;
    uint32_t capacity;
    struct frame first[FRAMES_INLINE];
    struct brolga__memo memo;
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

__attribute__((noinline)) static int grow(struct copier *c, uint32_t frames)
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
static inline int reserve(struct copier *c, uint32_t frames)
{
    return brolga__likely(c->capacity - c->depth >= frames) ? BROLGA_OK
                                                            : grow(c, frames);
}

static inline void push(struct copier *c, const brolga_type *type,
                        brolga_word *slot, size_t slots)
{
    c->frame[c->depth++] = (struct frame){type, slot, slots};
}

/* --- sharing ------------------------------------------------------------ */

/* An object that is passed on as it is. */
static int pass_frozen(struct copier *c, const struct source *from,
                       brolga_word *slot)
{
    struct brolga_leases *leases = c->how->leases;

    if (leases != NULL &&
        brolga__leases_note(leases, c->model, from->value) != BROLGA_OK)
        return lost(slot, BROLGA_ENOMEM);
    return DONE;
}

/* Decides about an object whose count is not 1. */
__attribute__((noinline)) static int
find_shared(struct copier *c, const struct source *from, brolga_word *slot)
{
    struct brolga__shared *shared;

    if (brolga__is_frozen(c->model, from->count))
        return pass_frozen(c, from, slot);
    shared = brolga__memo_find(&c->memo, from->value, from->count);
    if (shared != NULL) {
        shared->refs++;
        *slot = shared->copy;
        return DONE;
    }
    return from->count > 1 ? FRESH : lost(slot, BROLGA_EINVAL);
}

/* Looks at the object in *slot: DONE, FRESH, or an error. */
static inline int look(struct copier *c, brolga_word *slot, struct source *from)
{
    from->value = *slot;
    if (brolga__unlikely(brolga__is_small(c->model, from->value)))
        return lost(slot, BROLGA_EINVAL);
    from->count = brolga__load_relaxed(brolga__count(c->model, from->value));
    return brolga__likely(from->count == 1) ? FRESH
                                            : find_shared(c, from, slot);
}

/* --- objects ------------------------------------------------------------ */

/* A new object, or 0. */
static inline brolga_word make(struct copier *c, int64_t payload_bytes)
{
    return c->model->alloc(payload_bytes, c->model->arg);
}

/* A copy of the object's first `payload_bytes` bytes of fields, or 0. */
static brolga_word clone(struct copier *c, brolga_word from,
                         int64_t payload_bytes)
{
    brolga_word to = make(c, payload_bytes);

    if (brolga__likely(to != 0))
        memcpy(brolga__fields(c->model, to), brolga__fields(c->model, from),
               (size_t)payload_bytes);
    return to;
}

/* The tag and the fields. Most have few: those are a few moves. */
static inline void copy_words(brolga_word *to, const brolga_word *from,
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

/* A copy of a constructor's object, or 0. */
static inline brolga_word clone_sum(struct copier *c, brolga_word from,
                                    const struct brolga__ctor *ctor)
{
    brolga_word to = make(c, ctor->payload_bytes);

    if (brolga__likely(to != 0))
        copy_words(brolga__fields(c->model, to), brolga__fields(c->model, from),
                   ctor->fields);
    return to;
}

/* Puts a fresh object, or 0 for none, into the slot. */
static inline int place(struct copier *c, const struct source *from,
                        brolga_word to, brolga_word *slot)
{
    if (brolga__unlikely(to == 0))
        return lost(slot, BROLGA_ENOMEM);
    if (brolga__unlikely(from->count != 1) &&
        brolga__memo_add(&c->memo, from->value, from->count, to) != BROLGA_OK) {
        brolga__object_free(c->model, to);
        return lost(slot, BROLGA_ENOMEM);
    }
    *slot = to;
    return FRESH;
}

/* --- shapes that lead nowhere ------------------------------------------- */

static int copy_string(struct copier *c, brolga_word *slot)
{
    struct source from;
    int seen = look(c, slot, &from);

    if (seen != FRESH)
        return seen;
    if (brolga__check_string(c->model, from.value) != NULL)
        return lost(slot, BROLGA_EINVAL);
    return place(
        c, &from,
        clone(c, from.value, 8 + brolga__fields(c->model, from.value)[0]),
        slot);
}

/* The elements of a Vec in a new object or buffer; 0 if there is no memory. */
static brolga_word clone_data(struct copier *c, brolga_word data,
                              brolga_word length)
{
    int64_t bytes = 8 * length;
    void *buffer;

    if (c->model->buffer_alloc == NULL)
        return clone(c, data, bytes);
    buffer = c->model->buffer_alloc(bytes, c->model->arg);
    if (buffer != NULL)
        memcpy(buffer, brolga__word_at(data, 0), (size_t)bytes);
    return (brolga_word)(uintptr_t)buffer;
}

/* A Vec's header and data, the capacity trimmed to the length. */
static int clone_vec(struct copier *c, brolga_word *slot)
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
        brolga__data_free(c->model, data);
    return seen;
}

static int copy_handle(struct copier *c, const brolga_type *type,
                       brolga_word *slot)
{
    if (*slot == 0)
        return DONE;
    if (type->retain == NULL)
        return lost(slot, BROLGA_EUNSENDABLE);
    if (c->how->region != NULL &&
        !brolga__region_keep_handle(c->how->region, type, *slot))
        return lost(slot, BROLGA_ENOMEM);
    type->retain(*slot, type->handle_arg);
    return DONE;
}

/* --- sums --------------------------------------------------------------- */

/* Copies the object in *slot without what its fields refer to. */
static inline int copy_top(struct copier *c, const brolga_type *type,
                           brolga_word *slot, const struct brolga__ctor **ctor)
{
    struct source from;
    uint64_t tag;
    int seen;

    if (type->has_nullary && brolga__is_small(c->model, *slot))
        return DONE;
    seen = look(c, slot, &from);
    if (seen != FRESH)
        return seen;
    tag = (uint64_t)brolga__fields(c->model, from.value)[0];
    if (brolga__unlikely(tag >= type->ctor_count) ||
        brolga__unlikely(type->ctors[tag]->fields == 0))
        return lost(slot, BROLGA_EINVAL);
    *ctor = type->ctors[tag];
    return place(c, &from, clone_sum(c, from.value, *ctor), slot);
}

/* A list of words: one object after the other, and nothing ever waits. */
static int copy_spine(struct copier *c, const brolga_type *type,
                      brolga_word *slot)
{
    const struct brolga__ctor *cons = type->spine;
    uint32_t next = cons->ref[0].field;

    /* Ends: every turn makes an object, and follows those of a finite value;
     * one that is met again is in the memo. */
    while (!brolga__is_small(c->model, *slot)) {
        struct source from;
        int seen = look(c, slot, &from);

        if (brolga__unlikely(seen != FRESH))
            return seen;
        if (brolga__unlikely(brolga__fields(c->model, from.value)[0] !=
                             (brolga_word)cons->tag))
            return lost(slot, BROLGA_EINVAL);
        seen = place(c, &from, clone_sum(c, from.value, cons), slot);
        if (brolga__unlikely(seen != FRESH))
            return seen;
        slot = &brolga__fields(c->model, *slot)[next];
    }
    return DONE;
}

/* A slot of a type that is a leaf. FRESH means no more than DONE here. */
static int copy_leaf(struct copier *c, const brolga_type *type,
                     brolga_word *slot)
{
    const struct brolga__ctor *ctor;

    switch (type->shape) {
    case BROLGA__STRING:
        return copy_string(c, slot);
    case BROLGA__VEC_WORDS:
        return clone_vec(c, slot);
    case BROLGA__SUM:
        return copy_top(c, type, slot, &ctor);
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

static inline int copy_leaves(struct copier *c, brolga_word *field,
                              const struct brolga__ctor *ctor)
{
    for (uint32_t i = 0; i < ctor->leaves; i++) {
        const struct brolga__ref *ref = &ctor->ref[i];
        int seen = copy_leaf(c, ref->type, &field[ref->field]);

        if (brolga__unlikely(seen < 0)) {
            clear_refs(field, ctor, i);
            return seen;
        }
    }
    return DONE;
}

/*
 * The field to go on with, the first one that leads further, or NULL; the
 * others wait. Small tags lead nowhere, so that the ends of a tree never wait.
 * There is room for the frames.
 */
static inline const struct brolga__ref *
push_open(struct copier *c, brolga_word *field, const struct brolga__ctor *ctor)
{
    const struct brolga__ref *first = NULL;

    for (uint32_t i = ctor->refs; i-- > ctor->leaves;) {
        const struct brolga__ref *ref = &ctor->ref[i];

        if ((uint64_t)field[ref->field] < ref->small)
            continue;
        if (first != NULL)
            push(c, first->type, &field[first->field], 1);
        first = ref;
    }
    return first;
}

/*
 * Copies an object of a sum. Returns DONE, an error, or FRESH with *type and
 * *slot at what to go on with.
 */
static inline int copy_sum(struct copier *c, const brolga_type **type,
                           brolga_word **slot)
{
    const struct brolga__ctor *ctor;
    const struct brolga__ref *next;
    brolga_word *field;
    int seen = copy_top(c, *type, *slot, &ctor);

    if (seen != FRESH)
        return seen;
    field = brolga__fields(c->model, **slot);
    if (brolga__unlikely(reserve(c, ctor->refs) != BROLGA_OK)) {
        clear_refs(field, ctor, 0);
        return BROLGA_ENOMEM;
    }
    seen = copy_leaves(c, field, ctor);
    if (brolga__unlikely(seen < 0))
        return seen;
    next = push_open(c, field, ctor);
    if (next == NULL)
        return DONE;
    *type = next->type;
    *slot = &field[next->field];
    return FRESH;
}

/* --- other shapes that lead further ------------------------------------- */

static int copy_vec(struct copier *c, const brolga_type *type,
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
static void push_captures(struct copier *c, brolga_word *capture,
                          const struct brolga_closure_info *info)
{
    for (size_t i = info->captures; i-- > 0;)
        if (brolga__may_refer(info->types[i]))
            push(c, info->types[i], &capture[i], 1);
}

static int copy_closure(struct copier *c, brolga_word *slot)
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
    return DONE;
}

/* --- the whole ---------------------------------------------------------- */

/* Does a slot, and then the first field of what it made, and so on until there
 * is none: DONE or an error. What is left waits. */
static int copy_slot(struct copier *c, const brolga_type *type,
                     brolga_word *slot)
{
    int seen = FRESH;

    /* Ends: every turn makes an object. */
    while (seen == FRESH && type->shape == BROLGA__SUM)
        seen = copy_sum(c, &type, &slot);
    if (seen != FRESH)
        return seen;
    switch (type->shape) {
    case BROLGA__SPINE:
        return copy_spine(c, type, slot);
    case BROLGA__VEC_REFS:
        return copy_vec(c, type, slot);
    case BROLGA__CLOSURE:
        return copy_closure(c, slot);
    default:
        return copy_leaf(c, type, slot);
    }
}

/* Until nothing waits. */
static int run(struct copier *c)
{
    int err = DONE;

    while (err >= 0 && c->depth > 0) {
        struct frame *top = &c->frame[c->depth - 1];
        const brolga_type *type = top->type;
        brolga_word *slot = top->slot++;

        if (--top->slots == 0)
            c->depth--;
        err = copy_slot(c, type, slot);
    }
    return err;
}

/* After a failure: what waits still holds words of the source. */
static void unwind(struct copier *c)
{
    for (uint32_t i = 0; i < c->depth; i++)
        memset(c->frame[i].slot, 0, c->frame[i].slots * sizeof(brolga_word));
}

int brolga__copy_with(const struct brolga__copy_how *how,
                      const brolga_type *type, brolga_word *root)
{
    struct copier c;
    int err;

    c.model = how->model;
    c.how = how;
    c.frame = c.first;
    c.depth = 0;
    c.capacity = FRAMES_INLINE;
    brolga__memo_init(&c.memo, c.model, c.model->atomic_counts);
    c.memo.keeps_counts = how->region != NULL;
    push(&c, type, root, 1);
    err = run(&c);
    if (err < 0)
        unwind(&c);
    brolga__memo_settle(&c.memo);
    brolga__memo_free(&c.memo);
    if (c.frame != c.first)
        brolga__free(c.frame);
    if (err < 0 && how->region == NULL)
        brolga_drop_word(type, *root);
    return err < 0 ? err : BROLGA_OK;
}

void brolga__copy_explain(const brolga_type *type, brolga_word word, int err,
                          struct brolga_copy_error *error)
{
    if (error == NULL)
        return;
    *error = (struct brolga_copy_error){.code = err};
    if (err == BROLGA_ENOMEM)
        memcpy(error->text, "out of memory", sizeof("out of memory"));
    else
        brolga__path_find(type, word, error);
}

int brolga_copy_word(const brolga_type *type, brolga_word word,
                     brolga_word *out, struct brolga_copy_error *error)
{
    struct brolga__copy_how how = {.model = type->model};
    brolga_word copy = word;
    int err;

    brolga__assert(type->shape != BROLGA__STRUCT);
    if (type->shape != BROLGA__WORD) {
        err = brolga__copy_with(&how, type, &copy);
        if (err != BROLGA_OK) {
            brolga__copy_explain(type, word, err, error);
            return err;
        }
    }
    *out = copy;
    return BROLGA_OK;
}

int brolga_copy(const brolga_type *type, const void *from, void *to,
                struct brolga_copy_error *error)
{
    brolga_word word, copy;
    int err;

    if (type->shape == BROLGA__STRUCT) {
        memcpy(to, from, type->bytes);
        return BROLGA_OK;
    }
    memcpy(&word, from, sizeof(word));
    err = brolga_copy_word(type, word, &copy, error);
    if (err == BROLGA_OK)
        memcpy(to, &copy, sizeof(copy));
    return err;
}
