/*
 * Drop: gives up one reference and frees what is unreachable then.
 *
 * Dead objects that lead further wait on the list of copy.h; their count words
 * are free for the links, so a drop of any depth needs no memory.
 *
 *   A  Whatever other threads did with an object comes before its end: their
 *      decrement -> the decrement that finds 1. Both are one read-modify-write
 *      of the count. Models with plain counts need no such edge, for one
 *      thread owns all references.
 */
#include "copy/copy.h"

#include <string.h>

struct dropper {
    const struct brolga_model *model;
    brolga_word list;
};

/* Takes one reference away; whether it was the last. */
static inline bool is_last(const struct brolga_model *model, brolga_word value)
{
    _Atomic int64_t *word = brolga__count(model, value);
    int64_t count = brolga__load_relaxed(word); /* Frozen ones stay so. */

    if (count >= BROLGA_FROZEN_MIN)
        return false;
    if (model->atomic_counts)
        count = brolga__sub_acq_rel(word, 1); /* A: both ends */
    else
        brolga__store_relaxed(word, count - 1);
    brolga__assert(count > 0); /* Else it was dropped more often than held. */
    return count == 1;
}

static void list(struct dropper *d, brolga_word value, enum brolga__listed kind)
{
    *brolga__word_at(value, d->model->count_at) = d->list;
    d->list = brolga__link_to(value, kind);
}

/* Whether a dead Vec's elements die with it; its data may be frozen. */
static bool owns_data(const struct dropper *d, brolga_word data)
{
    if (data == 0)
        return false;
    return d->model->buffer_free != NULL || is_last(d->model, data);
}

/* --- dead objects ------------------------------------------------------- */

static void end_vec(struct dropper *d, const brolga_type *type,
                    brolga_word value)
{
    brolga_word *field = brolga__fields(d->model, value);
    bool owns = owns_data(d, field[2]);

    if (owns && type->shape == BROLGA__VEC_REFS) {
        field[1] = (brolga_word)(uintptr_t)type;
        list(d, value, BROLGA__LISTED_VEC);
        return;
    }
    if (owns)
        brolga__data_free(d->model, field[2]);
    brolga__object_free(d->model, value);
}

static void end_sum(struct dropper *d, const brolga_type *type,
                    brolga_word value)
{
    brolga_word *tag = brolga__fields(d->model, value);
    const struct brolga__ctor *ctor;

    brolga__assert((uint64_t)*tag < type->ctor_count);
    ctor = type->ctors[*tag];
    if (ctor->refs == 0) {
        brolga__object_free(d->model, value);
        return;
    }
    *tag = (brolga_word)(uintptr_t)ctor;
    list(d, value, BROLGA__LISTED_SUM);
}

/* A closure of unknown code is left behind: its captures cannot be told. */
static void end_closure(struct dropper *d, brolga_word value)
{
    struct brolga_closure_info info;
    int code;

    if (brolga__check_closure(d->model, value, &info, &code) == NULL)
        list(d, value, BROLGA__LISTED_CLOSURE);
}

/* --- references --------------------------------------------------------- */

static void drop_object(struct dropper *d, const brolga_type *type,
                        brolga_word word)
{
    if (brolga__is_small(d->model, word) || !is_last(d->model, word))
        return;
    switch (type->shape) {
    case BROLGA__STRING:
        brolga__object_free(d->model, word);
        break;
    case BROLGA__VEC_WORDS:
    case BROLGA__VEC_REFS:
        end_vec(d, type, word);
        break;
    case BROLGA__SUM:
        end_sum(d, type, word);
        break;
    case BROLGA__CLOSURE:
        end_closure(d, word);
        break;
    default:
        break; /* Refused: nobody knows what it holds. */
    }
}

static inline void drop_ref(struct dropper *d, const brolga_type *type,
                            brolga_word word)
{
    if (type->shape == BROLGA__WORD)
        return;
    if (type->shape != BROLGA__HANDLE)
        drop_object(d, type, word);
    else if (word != 0 && type->release != NULL)
        type->release(word, type->handle_arg);
}

/* --- the worklist ------------------------------------------------------- */

static void finish_sum(struct dropper *d, brolga_word value)
{
    brolga_word *field = brolga__fields(d->model, value);
    const struct brolga__ctor *ctor = (void *)(uintptr_t)field[0];

    /* Last first, so that the first child is done first. */
    for (uint32_t i = ctor->refs; i-- > 0;)
        drop_ref(d, ctor->ref[i].type, field[ctor->ref[i].at / 8]);
}

static void finish_vec(struct dropper *d, brolga_word value)
{
    const brolga_word *field = brolga__fields(d->model, value);
    const brolga_type *type = (void *)(uintptr_t)field[1];
    const brolga_word *element = brolga__elements(d->model, field[2]);

    for (brolga_word i = field[0]; i-- > 0;)
        drop_ref(d, type->element, element[i]);
    brolga__data_free(d->model, field[2]);
}

static void finish_closure(struct dropper *d, brolga_word value)
{
    const brolga_word *capture = brolga__captures(d->model, value);
    uintptr_t code = brolga__code(d->model, value);
    struct brolga_closure_info info;
    int err;

    /* It was described when it was listed. */
    brolga__assert(brolga__check_closure(d->model, value, &info, &err) == NULL);
    for (size_t i = info.captures; i-- > 0;)
        drop_ref(d, info.types[i], capture[i]);
    if (d->model->closure_unpin != NULL)
        d->model->closure_unpin(code, d->model->arg);
}

static void run(struct dropper *d)
{
    while (d->list != 0) { /* Each turn frees one object. */
        brolga_word value = brolga__link_value(d->list);
        enum brolga__listed kind = brolga__link_kind(d->list);

        d->list = *brolga__word_at(value, d->model->count_at);
        if (kind == BROLGA__LISTED_SUM)
            finish_sum(d, value);
        else if (kind == BROLGA__LISTED_VEC)
            finish_vec(d, value);
        else
            finish_closure(d, value);
        brolga__object_free(d->model, value);
    }
}

void brolga_drop_word(const brolga_type *type, brolga_word word)
{
    struct dropper d = {.model = type->model};

    brolga__assert(type->shape != BROLGA__STRUCT);
    drop_ref(&d, type, word);
    run(&d);
}

void brolga_drop(const brolga_type *type, const void *at)
{
    brolga_word word;

    if (type->shape == BROLGA__STRUCT)
        return;
    memcpy(&word, at, sizeof(word));
    brolga_drop_word(type, word);
}
