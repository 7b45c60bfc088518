/*
 * Goal:    values of later Cranelisp cross, laid out as that host's compiler
 *          does it, word for word.
 * Method:  objects are built by hand, by offsets from where a value points,
 *          without what the model says of them: a closure with a word of drop
 *          glue between its code and its captures, whose captures are a String
 *          and a Vec with a bare buffer. The copy is read in the same way.
 */
#include "alloc.h"

#include <brolga/copy.h>
#include <criterion/criterion.h>
#include <string.h>

/* Where things are, from the address that a value holds. */
enum { SIZE = 0, COUNT = 8, FIELDS = 16 };

#define GLUE 0x1122334455667788

static int code; /* Its address stands for the closure's code. */
static int64_t pins;
static const brolga_type *capture[2];

static brolga_word *at(brolga_word value, int offset)
{
    return (brolga_word *)(uintptr_t)(value + offset);
}

static int describe(uintptr_t address, struct brolga_closure_info *out,
                    void *arg)
{
    (void)arg;
    if (address != (uintptr_t)&code)
        return BROLGA_ENOENT;
    out->name = "greet";
    out->captures = 2;
    out->types = capture;
    return BROLGA_OK;
}

static void pin(uintptr_t address, void *arg)
{
    (void)arg;
    pins += address == (uintptr_t)&code;
}

static void unpin(uintptr_t address, void *arg)
{
    (void)arg;
    pins -= address == (uintptr_t)&code;
}

/* [code][drop glue][String "ab"][Vec of 7, 9] */
static brolga_word closure_by_hand(const struct brolga_model *model)
{
    brolga_word text = model->alloc(8 + 2, NULL);
    brolga_word vec = model->alloc(24, NULL);
    brolga_word closure = model->alloc(32, NULL);
    brolga_word *items = model->buffer_alloc(16, NULL);

    cr_assert(text != 0 && vec != 0 && closure != 0 && items != NULL);
    *at(text, FIELDS) = 2;
    memcpy(at(text, FIELDS + 8), "ab", 2);
    memcpy(items, (brolga_word[]){7, 9}, 16);
    memcpy(at(vec, FIELDS),
           (brolga_word[]){2, 2, (brolga_word)(uintptr_t)items}, 24);
    memcpy(at(closure, FIELDS),
           (brolga_word[]){(brolga_word)(uintptr_t)&code, GLUE, text, vec}, 32);
    pins++;
    return closure;
}

static void is_right(brolga_word closure)
{
    brolga_word text = *at(closure, FIELDS + 16);
    brolga_word vec = *at(closure, FIELDS + 24);

    cr_assert_eq(*at(closure, SIZE), 16 + 32);
    cr_assert_eq(*at(closure, COUNT), 1);
    cr_assert_eq(*at(closure, FIELDS), (brolga_word)(uintptr_t)&code);
    cr_assert_eq(*at(closure, FIELDS + 8), GLUE);
    cr_assert_eq(*at(text, FIELDS), 2);
    cr_assert_eq(memcmp(at(text, FIELDS + 8), "ab", 2), 0);
    cr_assert_eq(*at(vec, FIELDS), 2);
    cr_assert_eq(at(*at(vec, FIELDS + 16), 0)[1], 9);
}

Test(later, a_closure_crosses_with_its_word_of_drop_glue)
{
    struct brolga_model model = brolga_model_cranelisp_later();
    brolga_word closure, copy = 0;
    const brolga_type *type;
    brolga_types *types;

    model.closure_info = describe;
    model.closure_pin = pin;
    model.closure_unpin = unpin;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "String", &capture[0], NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(Vec Int)", &capture[1], NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(Fn [Int] Int)", &type, NULL),
                 BROLGA_OK);
    closure = closure_by_hand(&model);
    cr_assert_eq(brolga_copy_word(type, closure, &copy, NULL), BROLGA_OK);
    cr_assert_neq(copy, closure);
    cr_assert_eq(pins, 2);
    brolga_drop_word(type, closure);
    is_right(copy);
    brolga_drop_word(type, copy);
    cr_assert_eq(pins, 0);
    brolga_types_destroy(types);
    cr_assert_eq(brolga__alloc_live(), 0);
}

Test(later, a_type_of_one_number_is_that_number)
{
    struct brolga_model model = brolga_model_cranelisp_later();
    const brolga_type *type;
    brolga_types *types;
    brolga_word copy = 0;

    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_types_define(types, "(deftype Id (Id [:Int n]))", NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "Id", &type, NULL), BROLGA_OK);
    cr_assert_eq(brolga_copy_word(type, 4096, &copy, NULL), BROLGA_OK);
    cr_assert_eq(copy, 4096);
    brolga_types_destroy(types);
}
