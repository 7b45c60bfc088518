/*
 * Copy: one pass over the source, no recursion, no memory but for the result
 * and for the objects that are shared.
 *
 * An object is copied whole, so that at first its fields hold the source's
 * references; then each field is replaced by its copy. *slot is such a field:
 * it holds a source's word before copy_ref(), and a copy's word after it, or 0
 * if that failed. A fresh object whose fields still have to be done is on the
 * list of copy.h, from which run() takes the next one. A constructor with one
 * field that leads further, as in a list, is not listed but followed at once.
 *
 * The count word of a fresh object is 1, or a link while it is listed; those
 * of shared objects are written at the end, by the memo.
 *
 * Invariant, on which unwinding relies: a field that is not done is either in
 * a listed object or 0. So after a failure unlist() clears the former, and an
 * ordinary drop of the root frees exactly what was made.
 */
#include "copy/copy.h"

#include <string.h>

struct copier {
    const struct brolga_model *model;
    brolga_word list;  /* link to the object to do next */
    brolga_word *last; /* where the next fresh object is linked in */
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

/* --- sharing ------------------------------------------------------------ */

/* Decides about an object whose count is not 1. */
static int find_shared(struct copier *c, const struct source *from,
                       brolga_word *slot)
{
    struct brolga__shared *shared;

    if (from->count >= BROLGA_FROZEN_MIN)
        return DONE;
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

/* A copy of the object's first `payload_bytes` bytes of fields, or 0. */
static inline brolga_word clone(struct copier *c, brolga_word from,
                                int64_t payload_bytes)
{
    brolga_word to = c->model->alloc(payload_bytes, c->model->arg);
    const brolga_word *source = brolga__fields(c->model, from);
    brolga_word *target;

    if (brolga__unlikely(to == 0))
        return 0;
    target = brolga__fields(c->model, to);
    memcpy(target, source, (size_t)payload_bytes);
    return to;
}

/* A copy of a constructor's object, or 0. Most have few fields: for those a
 * loop is faster than a call. */
static inline brolga_word clone_words(struct copier *c, brolga_word from,
                                      const struct brolga__ctor *ctor)
{
    brolga_word to = c->model->alloc(ctor->payload_bytes, c->model->arg);
    const brolga_word *source = brolga__fields(c->model, from);
    brolga_word *target;
    uint32_t i = 0;

    if (brolga__unlikely(to == 0))
        return 0;
    target = brolga__fields(c->model, to);
    do {
        target[i] = source[i];
    } while (++i <= ctor->fields);
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

static void list(struct copier *c, brolga_word value, enum brolga__listed kind)
{
    *c->last = brolga__link_to(value, kind);
    c->last = brolga__word_at(value, c->model->count_at);
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

/* A constructor's object; its fields are still the source's. */
static inline int clone_sum(struct copier *c, const brolga_type *type,
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
    return place(c, &from, clone_words(c, from.value, *ctor), slot);
}

static int copy_handle(const brolga_type *type, brolga_word *slot)
{
    if (*slot == 0)
        return DONE;
    if (type->retain == NULL)
        return lost(slot, BROLGA_EUNSENDABLE);
    type->retain(*slot, type->handle_arg);
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
        return clone_sum(c, type, slot, &ctor);
    case BROLGA__HANDLE:
        return copy_handle(type, slot);
    case BROLGA__WORD:
        return DONE;
    default:
        return lost(slot, BROLGA_EUNSENDABLE);
    }
}

/* --- shapes that lead further ------------------------------------------- */

static int copy_vec(struct copier *c, const brolga_type *type,
                    brolga_word *slot)
{
    int seen = clone_vec(c, slot);
    brolga_word *field;

    if (seen != FRESH)
        return seen;
    field = brolga__fields(c->model, *slot);
    if (field[0] > 0) {
        field[1] = (brolga_word)(uintptr_t)type;
        list(c, *slot, BROLGA__LISTED_VEC);
    }
    return DONE;
}

static bool has_refs(const struct brolga_closure_info *info)
{
    for (size_t i = 0; i < info->captures; i++)
        if (brolga__may_refer(info->types[i]))
            return true;
    return false;
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
    seen = place(c, &from,
                 clone(c, from.value,
                       c->model->closure_captures + 8 * (int64_t)info.captures),
                 slot);
    if (seen != FRESH)
        return seen;
    if (c->model->closure_pin != NULL)
        c->model->closure_pin(brolga__code(c->model, *slot), c->model->arg);
    if (has_refs(&info))
        list(c, *slot, BROLGA__LISTED_CLOSURE);
    return DONE;
}

/* Clears the fields ref[from...] of a fresh object. */
static void clear_refs(const struct copier *c, brolga_word value,
                       const struct brolga__ctor *ctor, uint32_t from)
{
    char *field = (char *)brolga__fields(c->model, value);

    for (uint32_t i = from; i < ctor->refs; i++)
        *(brolga_word *)(void *)(field + ctor->ref[i].at) = 0;
}

static inline brolga_word *ref_slot(const struct copier *c, brolga_word value,
                                    const struct brolga__ref *ref)
{
    return brolga__word_at(value, c->model->fields_at + (int64_t)ref->at);
}

static inline int copy_leaves(struct copier *c, brolga_word value,
                              const struct brolga__ctor *ctor)
{
    for (uint32_t i = 0; i < ctor->leaves; i++) {
        int seen =
            copy_leaf(c, ctor->ref[i].type, ref_slot(c, value, &ctor->ref[i]));

        if (brolga__unlikely(seen < 0)) {
            clear_refs(c, value, ctor, i);
            return seen;
        }
    }
    return DONE;
}

/* Whether the word is a small tag of its type: nothing to do. */
static inline bool is_done(const struct copier *c,
                           const struct brolga__ref *ref, brolga_word word)
{
    return ref->type->has_nullary && brolga__is_small(c->model, word);
}

/* The fields that lead further, and the last of these. Small tags do not, so
 * that the ends of a tree are never listed. */
static inline uint32_t count_open(const struct copier *c, brolga_word value,
                                  const struct brolga__ctor *ctor,
                                  const struct brolga__ref **open)
{
    uint32_t count = 0;

    for (uint32_t i = ctor->leaves; i < ctor->refs; i++) {
        const struct brolga__ref *ref = &ctor->ref[i];

        if (is_done(c, ref, *ref_slot(c, value, ref)))
            continue;
        *open = ref;
        count++;
    }
    return count;
}

/*
 * Follows a sum as long as one of its fields leads further: a list is copied
 * in this loop. Returns DONE, an error, or FRESH with *type and *slot at
 * something that is no sum.
 */
static int copy_chain(struct copier *c, const brolga_type **type,
                      brolga_word **slot)
{
    while ((*type)->shape == BROLGA__SUM) {
        const struct brolga__ctor *ctor;
        const struct brolga__ref *open;
        brolga_word value;
        uint32_t count;
        int seen = clone_sum(c, *type, *slot, &ctor);

        if (seen != FRESH)
            return seen;
        value = **slot;
        seen = copy_leaves(c, value, ctor);
        count = seen < 0 ? 0 : count_open(c, value, ctor, &open);
        if (count == 0)
            return seen;
        if (count > 1) {
            brolga__fields(c->model, value)[0] = (brolga_word)(uintptr_t)ctor;
            list(c, value, BROLGA__LISTED_SUM);
            return DONE;
        }
        *type = open->type;
        *slot = ref_slot(c, value, open);
    }
    return FRESH;
}

/* Replaces the source's word in the slot by a copy's: DONE or an error. */
static int copy_ref(struct copier *c, const brolga_type *type,
                    brolga_word *slot)
{
    int seen = copy_chain(c, &type, &slot);

    if (seen != FRESH)
        return seen;
    if (type->shape == BROLGA__VEC_REFS)
        return copy_vec(c, type, slot);
    if (type->shape == BROLGA__CLOSURE)
        return copy_closure(c, slot);
    seen = copy_leaf(c, type, slot);
    return seen < 0 ? seen : DONE;
}

/* --- the worklist ------------------------------------------------------- */

static const struct brolga__ctor *unlist_sum(const struct copier *c,
                                             brolga_word value)
{
    brolga_word *tag = brolga__fields(c->model, value);
    const struct brolga__ctor *ctor = (void *)(uintptr_t)*tag;

    *tag = ctor->tag;
    return ctor;
}

static const brolga_type *unlist_vec(const struct copier *c, brolga_word value)
{
    brolga_word *field = brolga__fields(c->model, value);
    const brolga_type *type = (void *)(uintptr_t)field[1];

    field[1] = field[0];
    return type;
}

static struct brolga_closure_info describe(const struct copier *c,
                                           brolga_word value)
{
    struct brolga_closure_info info;
    int code;

    /* It was described when it was copied; the host promised to stay by it. */
    brolga__assert(brolga__check_closure(c->model, value, &info, &code) ==
                   NULL);
    return info;
}

static int finish_sum(struct copier *c, brolga_word value)
{
    const struct brolga__ctor *ctor = unlist_sum(c, value);

    for (uint32_t i = ctor->leaves; i < ctor->refs; i++) {
        int err =
            copy_ref(c, ctor->ref[i].type, ref_slot(c, value, &ctor->ref[i]));

        if (brolga__unlikely(err < 0)) {
            clear_refs(c, value, ctor, i + 1);
            return err;
        }
    }
    return DONE;
}

static int finish_vec(struct copier *c, brolga_word value)
{
    const brolga_type *element = unlist_vec(c, value)->element;
    const brolga_word *field = brolga__fields(c->model, value);
    brolga_word *slot = brolga__elements(c->model, field[2]);

    for (brolga_word i = 0; i < field[0]; i++) {
        int err = copy_ref(c, element, &slot[i]);

        if (brolga__unlikely(err < 0)) {
            memset(&slot[i + 1], 0, (size_t)(field[0] - i - 1) * 8);
            return err;
        }
    }
    return DONE;
}

static void clear_captures(const struct copier *c, brolga_word value,
                           const struct brolga_closure_info *info, size_t from)
{
    brolga_word *capture = brolga__captures(c->model, value);

    for (size_t i = from; i < info->captures; i++)
        if (brolga__may_refer(info->types[i]))
            capture[i] = 0;
}

static int finish_closure(struct copier *c, brolga_word value)
{
    struct brolga_closure_info info = describe(c, value);
    brolga_word *capture = brolga__captures(c->model, value);

    for (size_t i = 0; i < info.captures; i++) {
        int err = copy_ref(c, info.types[i], &capture[i]);

        if (brolga__unlikely(err < 0)) {
            clear_captures(c, value, &info, i + 1);
            return err;
        }
    }
    return DONE;
}

/* Takes the first object off the list and restores its count word. */
static brolga_word pop(struct copier *c, enum brolga__listed *kind)
{
    brolga_word value = brolga__link_value(c->list);
    brolga_word *count = brolga__word_at(value, c->model->count_at);

    *kind = brolga__link_kind(c->list);
    c->list = *count;
    *count = 1;
    return value;
}

static int finish(struct copier *c, brolga_word value, enum brolga__listed kind)
{
    switch (kind) {
    case BROLGA__LISTED_SUM:
        return finish_sum(c, value);
    case BROLGA__LISTED_VEC:
        return finish_vec(c, value);
    case BROLGA__LISTED_CLOSURE:
        return finish_closure(c, value);
    }
    return DONE;
}

/* Until the list is empty: the first object's children are listed in front of
 * the rest in their order, so that the first child comes first. */
static int run(struct copier *c)
{
    int err = DONE;

    while (err >= 0 && c->list != 0) {
        enum brolga__listed kind;
        brolga_word value = pop(c, &kind);
        brolga_word rest = c->list;

        c->last = &c->list;
        err = finish(c, value, kind);
        *c->last = rest;
    }
    return err;
}

/* After a failure: clears what listed objects still hold of the source. */
static void unlist(struct copier *c)
{
    while (c->list != 0) {
        enum brolga__listed kind;
        brolga_word value = pop(c, &kind);

        if (kind == BROLGA__LISTED_SUM) {
            const struct brolga__ctor *ctor = unlist_sum(c, value);

            clear_refs(c, value, ctor, ctor->leaves);
        } else if (kind == BROLGA__LISTED_VEC) {
            brolga_word *field = brolga__fields(c->model, value);

            (void)unlist_vec(c, value);
            memset(brolga__elements(c->model, field[2]), 0,
                   (size_t)field[0] * 8);
        } else {
            struct brolga_closure_info info = describe(c, value);

            clear_captures(c, value, &info, 0);
        }
    }
}

/* --- the whole ---------------------------------------------------------- */

static int copy_word(const brolga_type *type, brolga_word *root)
{
    struct copier c = {.model = type->model};
    int err;

    brolga__memo_init(&c.memo, c.model, c.model->atomic_counts);
    c.last = &c.list;
    err = copy_ref(&c, type, root);
    *c.last = 0;
    if (err >= 0)
        err = run(&c);
    if (err < 0)
        unlist(&c);
    brolga__memo_settle(&c.memo);
    brolga__memo_free(&c.memo);
    if (err < 0)
        brolga_drop_word(type, *root);
    return err < 0 ? err : BROLGA_OK;
}

static void explain(const brolga_type *type, brolga_word word, int err,
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
    brolga_word copy = word;
    int err;

    brolga__assert(type->shape != BROLGA__STRUCT);
    if (type->shape != BROLGA__WORD) {
        err = copy_word(type, &copy);
        if (err != BROLGA_OK) {
            explain(type, word, err, error);
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
