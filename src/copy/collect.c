/*
 * Collecting: which regions does a value point into? A walk that only reads,
 * for values that are not copied: those that a task gives away, and those that
 * it wants to keep.
 *
 * Depth first, with a stack of its own. Objects with a count above 1 may be met
 * again and are visited once: a hash table remembers them. What is frozen is
 * noted and not entered, for a region has leases on what it points into.
 */
#include "copy/region.h"

#include "alloc.h"

/* References to visit: words, all of one type. */
struct frame {
    const brolga_type *type;
    const brolga_word *word;
    size_t words;
};

struct collector {
    const struct brolga_model *model;
    struct brolga_leases *leases;
    struct frame *frame;
    uint32_t depth;
    uint32_t capacity;
    struct brolga__memo seen;
};

static int push(struct collector *c, const brolga_type *type,
                const brolga_word *word, size_t words)
{
    if (words == 0 || !brolga_type_can_freeze(type))
        return BROLGA_OK;
    if (c->depth == c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 64 : 2 * c->capacity;
        struct frame *grown;

        if (capacity > UINT32_MAX / 4)
            return BROLGA_ENOMEM;
        grown = brolga__realloc(c->frame, capacity * sizeof(*grown));
        if (grown == NULL)
            return BROLGA_ENOMEM;
        c->frame = grown;
        c->capacity = capacity;
    }
    c->frame[c->depth++] = (struct frame){type, word, words};
    return BROLGA_OK;
}

/* --- what an object refers to ------------------------------------------- */

/* The data of a Vec may be frozen though its header is not. */
static int note_data(struct collector *c, brolga_word data)
{
    int64_t count = 1;

    if (c->model->buffer_alloc == NULL)
        count = brolga__load_relaxed(brolga__count(c->model, data));
    return brolga__is_frozen(c->model, count)
               ? brolga__leases_note(c->leases, c->model, data)
               : BROLGA_OK;
}

static int push_sum(struct collector *c, const brolga_type *type,
                    brolga_word value)
{
    const brolga_word *field = brolga__fields(c->model, value);
    const struct brolga__ctor *ctor;
    int err = BROLGA_OK;

    if ((uint64_t)field[0] >= type->ctor_count)
        return BROLGA_OK;
    ctor = type->ctors[field[0]];
    for (uint32_t i = 0; i < ctor->refs && err == BROLGA_OK; i++)
        err = push(c, ctor->ref[i].type, &field[ctor->ref[i].field], 1);
    return err;
}

static int push_vec(struct collector *c, const brolga_type *type,
                    brolga_word value)
{
    const brolga_word *field = brolga__fields(c->model, value);
    int err;

    if (field[0] == 0 || brolga__check_vec(c->model, value) != NULL)
        return BROLGA_OK;
    err = note_data(c, field[2]);
    if (err != BROLGA_OK || type->shape == BROLGA__VEC_WORDS)
        return err;
    return push(c, type->element, brolga__elements(c->model, field[2]),
                (size_t)field[0]);
}

static int push_captures(struct collector *c, brolga_word value)
{
    struct brolga_closure_info info;
    int code, err = BROLGA_OK;

    if (brolga__check_closure(c->model, value, &info, &code) != NULL)
        return BROLGA_OK;
    for (size_t i = 0; i < info.captures && err == BROLGA_OK; i++)
        err = push(c, info.types[i], &brolga__captures(c->model, value)[i], 1);
    return err;
}

static int enter(struct collector *c, const brolga_type *type,
                 brolga_word value)
{
    if (type->ctor_count > 0)
        return push_sum(c, type, value);
    if (type->shape == BROLGA__VEC_REFS || type->shape == BROLGA__VEC_WORDS)
        return push_vec(c, type, value);
    if (type->shape == BROLGA__CLOSURE)
        return push_captures(c, value);
    return BROLGA_OK;
}

/* --- the walk ----------------------------------------------------------- */

static int visit(struct collector *c, const brolga_type *type,
                 brolga_word value)
{
    int64_t count;

    if (brolga__is_small(c->model, value) || type->shape == BROLGA__REFUSED)
        return BROLGA_OK;
    count = brolga__load_relaxed(brolga__count(c->model, value));
    if (brolga__is_frozen(c->model, count))
        return brolga__leases_note(c->leases, c->model, value);
    if (count != 1) {
        if (brolga__memo_find(&c->seen, value, count) != NULL)
            return BROLGA_OK;
        if (brolga__memo_add(&c->seen, value, count, 0) != BROLGA_OK)
            return BROLGA_ENOMEM;
    }
    return enter(c, type, value);
}

int brolga_leases_collect(struct brolga_leases *leases, const brolga_type *type,
                          brolga_word word)
{
    struct collector c = {.model = type->model, .leases = leases};
    int err = push(&c, type, &word, 1);

    brolga__memo_init(&c.seen, c.model, true);
    while (err == BROLGA_OK && c.depth > 0) { /* Each turn uses up a word. */
        struct frame *top = &c.frame[c.depth - 1];
        const brolga_type *of = top->type;
        brolga_word value = *top->word++;

        if (--top->words == 0)
            c.depth--;
        err = visit(&c, of, value);
    }
    brolga__memo_free(&c.seen);
    brolga__free(c.frame);
    return err;
}
