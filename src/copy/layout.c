/*
 * Types to shapes: what copy and drop have to do for a value, decided once.
 *
 * The new types of a parse may refer to each other in circles, so this goes in
 * passes over all of them: which are plain words, then what Vecs and sums are,
 * then the fields of each constructor, then fingerprints.
 */
#include "copy/copy.h"

#include "hash.h"

#include <string.h>

static bool is_enumeration(const brolga_type *type)
{
    for (uint32_t i = 0; i < type->ctor_count; i++)
        if (type->ctors[i]->fields > 0)
            return false;
    return true;
}

static void shape_by_kind(const brolga_type *type, enum brolga__shape *shape,
                          const char **refusal)
{
    *shape = BROLGA__REFUSED;
    switch (type->definition->kind) {
    case BROLGA__KIND_WORD:
        *shape = BROLGA__WORD;
        break;
    case BROLGA__KIND_STRING:
        *shape = BROLGA__STRING;
        break;
    case BROLGA__KIND_VEC:
        *shape = BROLGA__VEC_REFS;
        break;
    case BROLGA__KIND_FN:
        if (type->model->closure_info != NULL)
            *shape = BROLGA__CLOSURE;
        else
            *refusal = "closures cannot be described in this model";
        break;
    case BROLGA__KIND_SUM:
        *shape = is_enumeration(type) ? BROLGA__WORD : BROLGA__SUM;
        break;
    case BROLGA__KIND_STRUCT:
        *shape = BROLGA__STRUCT;
        break;
    case BROLGA__KIND_HANDLE:
        *shape = BROLGA__HANDLE;
        *refusal = "a handle that cannot be retained";
        break;
    case BROLGA__KIND_REFUSED:
        *refusal = "an effect that has not run";
        break;
    }
}

/* Int, Bool, Float, or a type that was flattened to one of them. */
static bool is_scalar(const brolga_type *type)
{
    return type->shape == BROLGA__WORD &&
           (type->definition->kind == BROLGA__KIND_WORD ||
            !is_enumeration(type));
}

static bool can_flatten(const brolga_type *type)
{
    return type->model->flatten_scalars && type->shape == BROLGA__SUM &&
           type->ctor_count == 1 && type->ctors[0]->fields == 1 &&
           is_scalar(type->ctors[0]->types[0]);
}

/* Flattening one type can make another one flat; each turn but the last
 * flattens at least one. */
static void flatten(brolga_type *pending)
{
    bool changed;

    do {
        changed = false;
        for (brolga_type *t = pending; t != NULL; t = t->pending)
            if (can_flatten(t)) {
                t->shape = BROLGA__WORD;
                changed = true;
            }
    } while (changed);
}

static void shape_vec(brolga_type *type)
{
    if (type->definition->kind != BROLGA__KIND_VEC)
        return;
    type->element = type->args[0];
    if (!brolga__may_refer(type->element))
        type->shape = BROLGA__VEC_WORDS;
}

static uint32_t count_refs(const struct brolga__ctor *ctor)
{
    uint32_t refs = 0;

    for (uint32_t i = 0; i < ctor->fields; i++)
        refs += brolga__may_refer(ctor->types[i]);
    return refs;
}

static void classify_sum(brolga_type *type)
{
    type->leaf = true;
    for (uint32_t i = 0; i < type->ctor_count; i++) {
        if (type->ctors[i]->fields == 0)
            type->has_nullary = true;
        if (count_refs(type->ctors[i]) > 0)
            type->leaf = false;
    }
}

static void classify(brolga_type *type)
{
    switch (type->shape) {
    case BROLGA__SUM:
        classify_sum(type);
        break;
    case BROLGA__VEC_REFS:
    case BROLGA__CLOSURE:
        type->leaf = false;
        break;
    default:
        type->leaf = true;
        break;
    }
}

/* Appends the fields that are leaves, or those that are not. */
static void add_refs(struct brolga__ctor *ctor, bool leaves)
{
    for (uint32_t i = 0; i < ctor->fields; i++) {
        const brolga_type *type = ctor->types[i];

        if (brolga__may_refer(type) && type->leaf == leaves)
            ctor->ref[ctor->refs++] = (struct brolga__ref){
                .type = type,
                .small =
                    type->has_nullary ? (uint64_t)type->model->small_tags : 0,
                .field = i + 1};
    }
}

static int compile_ctors(brolga_types *types, brolga_type *type)
{
    for (uint32_t i = 0; i < type->ctor_count; i++) {
        /* Made by this parse; nobody else sees it yet. */
        struct brolga__ctor *ctor = (struct brolga__ctor *)type->ctors[i];

        ctor->ref = brolga__types_alloc(types, (count_refs(ctor) + 1) *
                                                   sizeof(*ctor->ref));
        if (ctor->ref == NULL)
            return BROLGA_ENOMEM;
        add_refs(ctor, true);
        ctor->leaves = ctor->refs;
        add_refs(ctor, false);
        if (ctor->refs > 0)
            ctor->ref[ctor->refs - 1].is_last = true;
    }
    return BROLGA_OK;
}

/* Whether all fields of the constructor that lead further, one or two, are of
 * its own type. */
static bool is_of_itself(const struct brolga__ctor *ctor)
{
    uint32_t open = ctor->refs - ctor->leaves;

    for (uint32_t i = ctor->leaves; i < ctor->refs; i++)
        if (ctor->ref[i].type != ctor->type)
            return false;
    return open == 1 || open == 2;
}

/* Lists and binary trees, in whatever order their constructors stand and by
 * whatever name: those without fields, and one that goes on. */
static void find_loop(brolga_type *type)
{
    const struct brolga__ctor *only = NULL;

    for (uint32_t i = 0; i < type->ctor_count; i++) {
        if (type->ctors[i]->fields == 0)
            continue;
        if (only != NULL || !is_of_itself(type->ctors[i]))
            return;
        only = type->ctors[i];
    }
    if (only == NULL || !type->has_nullary)
        return;
    type->only = only;
    type->shape = only->refs - only->leaves == 1 ? BROLGA__SPINE : BROLGA__TREE;
}

/* --- fingerprints ------------------------------------------------------- */

struct print {
    uint64_t hash;
    uint64_t mark;
    brolga_type **last; /* of the types to visit, linked by `pending` */
};

static void mix(struct print *f, const void *bytes, size_t count)
{
    f->hash = brolga__hash_bytes(f->hash, bytes, count);
}

static void mix_number(struct print *f, int64_t number)
{
    unsigned char byte[8];

    for (int i = 0; i < 8; i++)
        byte[i] = (unsigned char)((uint64_t)number >> (8 * i));
    mix(f, byte, sizeof(byte));
}

static void mix_text(struct print *f, const char *text)
{
    mix(f, text, strlen(text) + 1);
}

static void mix_model(struct print *f, const struct brolga_model *m)
{
    const int64_t numbers[] = {m->size_at,
                               m->count_at,
                               m->fields_at,
                               m->has_size,
                               m->closure_code,
                               m->closure_captures,
                               m->small_tags,
                               m->atomic_counts,
                               m->io_is_value,
                               m->flatten_scalars,
                               m->buffer_alloc != NULL};

    for (size_t i = 0; i < brolga__lengthof(numbers); i++)
        mix_number(f, numbers[i]);
}

/* Names the type, and visits it later unless that was decided before. */
static void mix_type(struct print *f, const brolga_type *constant)
{
    brolga_type *type = (brolga_type *)constant; /* Its list fields only. */

    mix_text(f, type->name);
    if (type->mark == f->mark)
        return;
    type->mark = f->mark;
    type->pending = NULL;
    *f->last = type;
    f->last = &type->pending;
}

static void mix_definition(struct print *f, const brolga_type *type)
{
    mix_number(f, type->definition->kind);
    mix_number(f, (int64_t)type->bytes);
    mix_number(f, (int64_t)type->align);
    for (uint32_t i = 0; i < type->arg_count; i++)
        mix_type(f, type->args[i]);
    for (uint32_t i = 0; i < type->ctor_count; i++) {
        const struct brolga__ctor *ctor = type->ctors[i];

        mix_text(f, ctor->name);
        mix_number(f, ctor->fields);
        for (uint32_t j = 0; j < ctor->fields; j++)
            mix_type(f, ctor->types[j]);
    }
}

/*
 * Hashes the definitions of all types that this one reaches, in the order in
 * which they are met: the same in every registry. Uses `pending` as its list.
 */
static void print_type(brolga_types *types, brolga_type *type)
{
    brolga_type *first = NULL;
    struct print f = {
        .hash = BROLGA__HASH_START, .mark = ++types->mark, .last = &first};

    mix_model(&f, type->model);
    mix_type(&f, type);
    for (const brolga_type *t = first; t != NULL; t = t->pending)
        mix_definition(&f, t);
    type->fingerprint = f.hash;
}

/* --- the whole ---------------------------------------------------------- */

int brolga__layout_compile(brolga_types *types, brolga_type *pending)
{
    uint32_t made = 0;

    for (brolga_type *t = pending; t != NULL; t = t->pending, made++)
        shape_by_kind(t, &t->shape, &t->refusal);
    flatten(pending);
    for (brolga_type *t = pending; t != NULL; t = t->pending)
        shape_vec(t);
    for (brolga_type *t = pending; t != NULL; t = t->pending)
        classify(t);
    for (brolga_type *t = pending; t != NULL; t = t->pending)
        if (t->shape == BROLGA__SUM && compile_ctors(types, t) != BROLGA_OK)
            return BROLGA_ENOMEM;
    for (brolga_type *t = pending; t != NULL; t = t->pending)
        if (t->shape == BROLGA__SUM)
            find_loop(t);
    /* The new types are the newest; `pending` is about to be reused. */
    for (brolga_type *t = types->newest; made > 0; t = t->older, made--)
        print_type(types, t);
    return BROLGA_OK;
}

void brolga__layout_single(brolga_types *types, brolga_type *type)
{
    shape_by_kind(type, &type->shape, &type->refusal);
    classify(type);
    print_type(types, type);
}
