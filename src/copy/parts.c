/* What collections are made of. */
#include "copy/parts.h"

#include "alloc.h"
#include "copy/copy.h"

#include <string.h>

/* --- collections -------------------------------------------------------- */

/* What a type is like, whoever copies it. */
static const brolga_type *plain_of(const brolga_type *type)
{
    return type->shape == BROLGA__GENERATED ? type->plain : type;
}

static bool is_sum(const brolga_type *type)
{
    return type->shape == BROLGA__SUM || type->shape == BROLGA__SPINE ||
           type->shape == BROLGA__TREE;
}

static bool is_list(const brolga_type *type)
{
    const brolga_type *plain = plain_of(type);

    return is_sum(plain) && plain->ctor_count == 2 &&
           plain->ctors[0]->fields == 0 && plain->ctors[1]->fields == 2 &&
           plain->ctors[1]->types[1] == type;
}

enum brolga__collection brolga__collection_of(const brolga_type *type)
{
    const brolga_type *plain = plain_of(type);

    if (plain->shape == BROLGA__VEC_WORDS || plain->shape == BROLGA__VEC_REFS)
        return BROLGA__A_VEC;
    return is_list(type) ? BROLGA__A_LIST : BROLGA__NO_COLLECTION;
}

const brolga_type *brolga__element_of(const brolga_type *type)
{
    const brolga_type *plain = plain_of(type);

    return is_list(type) ? plain->ctors[1]->types[0] : plain->element;
}

bool brolga__counts_exactly(const brolga_type *type)
{
    return type->model->exact_counts;
}

bool brolga__counts_anywhere(const brolga_type *type)
{
    return !brolga__may_refer(type) || type->model->atomic_counts;
}

brolga_word *brolga__vec_elements(const brolga_type *type, brolga_word vec,
                                  size_t *count)
{
    brolga_word *field = brolga__fields(type->model, vec);

    *count = (size_t)field[0];
    return field[0] == 0 ? NULL : brolga__elements(type->model, field[2]);
}

/* The data of a Vec; 0: no memory. */
static brolga_word make_data(const struct brolga__heap *heap, int64_t bytes)
{
    if (heap->model->buffer_alloc == NULL)
        return brolga__object_make(heap, bytes);
    return (brolga_word)(uintptr_t)brolga__buffer_make(heap, bytes);
}

static void free_data(const struct brolga__heap *heap, brolga_word data)
{
    if (heap->model->buffer_alloc == NULL)
        brolga__object_free(heap, data);
    else
        brolga__buffer_free(heap, data);
}

brolga_word brolga__vec_make(const brolga_type *type, size_t count,
                             brolga_word **elements)
{
    const struct brolga__heap *heap = type->heap;
    brolga_word vec, data = 0, *field;

    if (count > INT64_MAX / 16)
        return 0;
    *elements = NULL;
    if (count > 0) {
        data = make_data(heap, (int64_t)count * 8);
        if (data == 0)
            return 0;
        *elements = brolga__elements(heap->model, data);
        if (plain_of(type)->shape == BROLGA__VEC_REFS)
            memset(*elements, 0, count * sizeof(brolga_word));
    }
    vec = brolga__object_make(heap, 24);
    if (vec == 0) {
        if (data != 0)
            free_data(heap, data);
        return 0;
    }
    field = brolga__fields(heap->model, vec);
    field[0] = field[1] = (brolga_word)count;
    field[2] = data;
    return vec;
}

bool brolga__list_is_node(const brolga_type *type, brolga_word list)
{
    return !brolga__is_small(type->model, list);
}

brolga_word *brolga__list_head(const brolga_type *type, brolga_word node)
{
    return &brolga__fields(type->model, node)[1];
}

brolga_word *brolga__list_tail(const brolga_type *type, brolga_word node)
{
    return &brolga__fields(type->model, node)[2];
}

brolga_word brolga__list_make(const brolga_type *type, brolga_word head)
{
    brolga_word node = brolga__object_make(
        type->heap, plain_of(type)->ctors[1]->payload_bytes);
    brolga_word *field;

    if (node == 0)
        return 0;
    field = brolga__fields(type->model, node);
    field[0] = 1;
    field[1] = head;
    field[2] = 0;
    return node;
}

bool brolga__is_closure(const brolga_type *type)
{
    return plain_of(type)->shape == BROLGA__CLOSURE;
}

const void *brolga__closure_code(const brolga_type *type, brolga_word closure)
{
    return (const void *)brolga__code(type->model, closure);
}

bool brolga__can_retain(const brolga_type *type)
{
    return type->shape != BROLGA__REFUSED &&
           (type->shape != BROLGA__HANDLE || type->retain != NULL);
}

void brolga__retain(const brolga_type *type, brolga_word word)
{
    const struct brolga_model *model = type->model;
    _Atomic int64_t *count;

    type = plain_of(type);
    if (type->shape == BROLGA__HANDLE) {
        if (word != 0)
            type->retain(word, type->handle_arg);
        return;
    }
    if (!brolga__may_refer(type) ||
        (type->has_nullary && brolga__is_small(model, word)))
        return;
    count = brolga__count(model, word);
    if (brolga__is_frozen(model, brolga__load_relaxed(count)))
        return;
    if (model->atomic_counts)
        (void)brolga__add_relaxed(count, 1);
    else
        brolga__store_relaxed(count, brolga__load_relaxed(count) + 1);
}
