/* The copier's less frequent shapes. */
#include "copy/copier.h"

/* --- Vecs --------------------------------------------------------------- */

/* The elements of a Vec in a new object or buffer; 0 if there is no memory. */
static brolga_word clone_data(struct brolga_copier *c, brolga_word data,
                              brolga_word length)
{
    int64_t bytes = 8 * length;
    void *buffer;

    if (c->model->buffer_alloc == NULL)
        return brolga__copier_clone(c, data, bytes);
    buffer = brolga__buffer_make(c->heap, bytes);
    if (buffer == NULL)
        return 0;
    c->memo->made_bytes += (uint64_t)bytes;
    if (brolga__copier_bytes(c, buffer, brolga__word_at(data, 0),
                             (uint64_t)bytes) == BROLGA_OK)
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
    to = brolga__copier_clone(c, from.value, 24);
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

/* --- handles and closures ----------------------------------------------- */

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
                 brolga__copier_clone(c, from.value,
                                      c->model->closure_captures +
                                          8 * (int64_t)info.captures),
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
    return brolga__copier_pause(c);
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

/* --- all of them -------------------------------------------------------- */

int brolga__copier_rare(struct brolga_copier *c, const brolga_type *type,
                        brolga_word *slot)
{
    switch (type->shape) {
    case BROLGA__WORD:
        return DONE;
    case BROLGA__VEC_WORDS:
        return clone_vec(c, slot);
    case BROLGA__VEC_REFS:
        return copy_vec(c, type, slot);
    case BROLGA__HANDLE:
        return copy_handle(c, type, slot);
    case BROLGA__CLOSURE:
        return copy_closure(c, slot);
    case BROLGA__GENERATED:
        return copy_generated(c, type, slot);
    default:
        return lost(slot, BROLGA_EUNSENDABLE);
    }
}
