/*
 * The presets, and the checks of what a host says about its values.
 *
 * Both presets have a header of two words, size and count, in front of the
 * fields. They differ in where a value points: behind the header or at it.
 */
#include "copy/copy.h"

struct brolga_model brolga_model_cranelisp(void)
{
    return (struct brolga_model){
        .name = "cranelisp",
        .size_at = -16,
        .count_at = -8,
        .fields_at = 0,
        .has_size = true,
        .closure_code = 0,
        .closure_captures = 8,
        .small_tags = 1024,
        .io_is_value = true,
        .alloc = brolga__alloc_to_fields,
        .free = brolga__free_from_fields,
    };
}

struct brolga_model brolga_model_cranelisp_later(void)
{
    return (struct brolga_model){
        .name = "cranelisp-later",
        .size_at = 0,
        .count_at = 8,
        .fields_at = 16,
        .has_size = true,
        .closure_code = 0,
        .closure_captures = 16,
        .small_tags = 1024,
        .atomic_counts = true,
        .flatten_scalars = true,
        .alloc = brolga__alloc_to_header,
        .free = brolga__free_from_header,
        .buffer_alloc = brolga__alloc_buffer,
        .buffer_free = brolga__free_buffer,
    };
}

static bool is_word_offset(int32_t offset)
{
    return offset % 8 == 0;
}

/* Headers that we write must end where the fields begin. */
static bool is_in_front(const struct brolga_model *model)
{
    return model->count_at < model->fields_at &&
           (!model->has_size || model->size_at < model->fields_at);
}

bool brolga__model_is_valid(const struct brolga_model *model)
{
    return (model->alloc != NULL || model->allocator != NULL) &&
           (model->allocator == NULL ||
            (model->allocator->alloc != NULL && is_in_front(model))) &&
           (model->buffer_alloc == NULL) == (model->buffer_free == NULL) &&
           is_word_offset(model->size_at) && is_word_offset(model->count_at) &&
           is_word_offset(model->fields_at) &&
           model->count_at != model->fields_at && model->closure_code >= 0 &&
           is_word_offset(model->closure_code) &&
           model->closure_captures > model->closure_code &&
           is_word_offset(model->closure_captures) && model->small_tags >= 1 &&
           model->small_tags <= BROLGA_SMALL_TAGS_MAX;
}

/* --- checks of an object's head ----------------------------------------- */

const char *brolga__check_vec(const struct brolga_model *model,
                              brolga_word value)
{
    const brolga_word *field = brolga__fields(model, value);

    if (field[0] < 0 || field[0] > INT64_MAX / 16)
        return "a Vec of impossible length";
    if (field[0] > 0 && brolga__is_small(model, field[2]))
        return "a Vec with a length but no data";
    return NULL;
}

/* Captures that the size word has room for. */
static bool has_room(const struct brolga_model *model, brolga_word value,
                     size_t captures)
{
    int64_t header = (int64_t)model->fields_at - brolga__base_at(model);
    int64_t bytes = *brolga__word_at(value, model->size_at);

    return !model->has_size ||
           bytes - header - model->closure_captures == (int64_t)captures * 8;
}

const char *brolga__check_closure(const struct brolga_model *model,
                                  brolga_word value,
                                  struct brolga_closure_info *info, int *code)
{
    *info = (struct brolga_closure_info){.name = NULL};
    *code = BROLGA_EUNSENDABLE;
    if (model->closure_info == NULL ||
        model->closure_info(brolga__code(model, value), info,
                            brolga__closure_arg(model)) != BROLGA_OK)
        return "a closure of unknown code";
    if (!has_room(model, value, info->captures)) {
        *code = BROLGA_EINVAL;
        return "a closure whose size differs from its description";
    }
    for (size_t i = 0; i < info->captures; i++) {
        if (info->types[i] == NULL)
            return "a closure with a capture of unknown type";
        if (info->types[i]->shape == BROLGA__STRUCT)
            return "a closure with a capture that is no word";
    }
    return NULL;
}
