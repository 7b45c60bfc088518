/*
 * Goal: equal types are one pointer, layouts have fingerprints that tell them
 * apart, names cannot be taken twice, and no failure leaves a trace.
 * Method: registries side by side, and every allocation failed once.
 */
#include "host.h"

#include <stdio.h>

Test(type, equal_types_are_one_pointer)
{
    struct host h;
    const brolga_type *first;

    host_start(&h, brolga_model_cranelisp());
    first = host_type(&h, "(List (Vec Int))");
    for (int i = 0; i < 100; i++) {
        char text[64];

        snprintf(text, sizeof(text), "(deftype (T%d a) (T%d [:a x]))", i, i);
        host_define(&h, text);
        snprintf(text, sizeof(text), "(T%d (List (Vec Int)))", i);
        (void)host_type(&h, text);
        cr_assert_eq(host_type(&h, text), host_type(&h, text));
    }
    cr_assert_eq(host_type(&h, "(List (Vec Int))"), first);
    cr_assert_neq(host_type(&h, "(List (Vec Bool))"), first);
    host_stop(&h);
}

Test(type, sizes_are_those_of_one_element)
{
    struct host h;
    const brolga_type *type;

    host_start(&h, brolga_model_cranelisp());
    cr_assert_eq(brolga_type_bytes(host_type(&h, "(List Int)")), 8);
    cr_assert_eq(brolga_type_align(host_type(&h, "(List Int)")), 8);
    cr_assert_eq(brolga_type_struct(h.types, "Point", 12, 4, &type), BROLGA_OK);
    cr_assert_eq(brolga_type_bytes(type), 12);
    cr_assert_eq(brolga_type_align(type), 4);
    cr_assert_not(brolga_type_is_word(type));
    cr_assert(brolga_type_is_plain(type));
    cr_assert(brolga_type_is_plain(host_type(&h, "Int")));
    cr_assert_not(brolga_type_is_plain(host_type(&h, "(Vec Int)")));
    cr_assert_eq(host_type(&h, "Point"), type);
    host_stop(&h);
}

static void ignore(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
}

Test(type, a_name_has_one_meaning)
{
    const brolga_type *a, *b, *out = NULL;
    struct host h;

    host_start(&h, brolga_model_cranelisp());
    cr_assert_eq(brolga_type_struct(h.types, "P", 12, 4, &a), BROLGA_OK);
    cr_assert_eq(brolga_type_struct(h.types, "P", 12, 4, &b), BROLGA_OK);
    cr_assert_eq(a, b);
    cr_assert_eq(brolga_type_struct(h.types, "P", 16, 4, &out), BROLGA_EEXIST);
    cr_assert_eq(brolga_type_struct(h.types, "Int", 8, 8, &out), BROLGA_EEXIST);
    cr_assert_eq(brolga_type_handle(h.types, "P", ignore, NULL, NULL, &out),
                 BROLGA_EEXIST);
    cr_assert_eq(brolga_type_handle(h.types, "H", ignore, NULL, NULL, &a),
                 BROLGA_OK);
    cr_assert_eq(brolga_type_handle(h.types, "H", ignore, NULL, NULL, &b),
                 BROLGA_OK);
    cr_assert_eq(a, b);
    cr_assert_eq(brolga_type_handle(h.types, "H", NULL, NULL, NULL, &out),
                 BROLGA_EEXIST);
    cr_assert_eq(brolga_types_define(h.types, "(deftype H A)", NULL),
                 BROLGA_EEXIST);
    cr_assert_null(out);
    host_stop(&h);
}

Test(type, structs_with_impossible_sizes_or_names_are_refused)
{
    static const struct {
        const char *name;
        size_t bytes, align;
    } bad[] = {{"P", 0, 1},     {"P", 8, 0}, {"P", 8, 3},   {"P", 10, 4},
               {"point", 8, 8}, {"", 8, 8},  {"A B", 8, 8}, {"(P)", 8, 8},
               {"P)", 8, 8},    {" P", 8, 8}};
    const brolga_type *out = NULL;
    struct host h;

    host_start(&h, brolga_model_cranelisp());
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(brolga_type_struct(h.types, bad[i].name, bad[i].bytes,
                                        bad[i].align, &out),
                     BROLGA_EINVAL);
    cr_assert_null(out);
    host_stop(&h);
}

Test(type, defining_again_in_the_same_way_does_nothing)
{
    const brolga_type *before;
    struct host h;
    int64_t live;

    host_start(&h, brolga_model_cranelisp());
    host_define(&h, "(deftype (Tree a) Tip (Fork [:(Tree a) l :(Tree a) r]))");
    before = host_type(&h, "(Tree Int)");
    live = brolga__alloc_live();
    for (int i = 0; i < 1000; i++)
        host_define(&h, "(deftype (Tree b) Tip\n"
                        "  (Fork [:(Tree b) left :(Tree b) right]))");
    cr_assert_eq(brolga__alloc_live(), live);
    cr_assert_eq(host_type(&h, "(Tree Int)"), before);
    host_stop(&h);
}

static uint64_t print_of(struct brolga_model model, const char *definition,
                         const char *text)
{
    struct host h;
    uint64_t print;

    host_start(&h, model);
    if (definition != NULL)
        host_define(&h, definition);
    print = brolga_type_fingerprint(host_type(&h, text));
    host_stop(&h);
    return print;
}

Test(type, fingerprints_follow_definitions_across_registries)
{
    struct brolga_model m = brolga_model_cranelisp();
    const char *ab = "(deftype A Stop (A [:B b :Int n]))(deftype B (B [:A a]))";
    uint64_t print = print_of(m, ab, "(List A)");

    cr_assert_eq(print, print_of(m, ab, "(List A)"));
    cr_assert_eq(print,
                 print_of(m,
                          "(deftype B (B [:A x]))(deftype Z Z)"
                          "(deftype A Stop (A [:B y :Int z]))",
                          "(List A)"),
                 "order and names of fields do not matter\n");
    cr_assert_neq(print, print_of(m,
                                  "(deftype A (A [:B b :Int n]) Stop)"
                                  "(deftype B (B [:A a]))",
                                  "(List A)"));
    cr_assert_neq(print,
                  print_of(m,
                           "(deftype A Stop (A [:B b :Int n]))"
                           "(deftype B (B [:A a :Int n]))",
                           "(List A)"),
                  "a change far below is a change\n");
    cr_assert_neq(print,
                  print_of(brolga_model_cranelisp_later(), ab, "(List A)"));
    cr_assert_neq(print_of(m, NULL, "Int"), print_of(m, NULL, "Float"));
}

Test(type, models_that_make_no_sense_are_refused)
{
    struct brolga_model m = brolga_model_cranelisp();
    brolga_types *types = NULL;

    m.alloc = NULL;
    cr_assert_eq(brolga_types_create(&m, &types), BROLGA_EINVAL);
    m = brolga_model_cranelisp();
    m.count_at = -4;
    cr_assert_eq(brolga_types_create(&m, &types), BROLGA_EINVAL);
    m = brolga_model_cranelisp_later();
    m.buffer_free = NULL;
    cr_assert_eq(brolga_types_create(&m, &types), BROLGA_EINVAL);
    m = brolga_model_cranelisp();
    m.small_tags = 0;
    cr_assert_eq(brolga_types_create(&m, &types), BROLGA_EINVAL);
    cr_assert_null(types);
    brolga_types_destroy(NULL);
}

/* One of everything; the first failure ends it. */
static int use_registry(void)
{
    static const char definitions[] =
        "(deftype (Tree a) Tip (Fork [:(Tree a) l :a v :(Tree a) r]))";
    struct brolga_model model = brolga_model_cranelisp();
    const brolga_type *type;
    brolga_types *types;
    int err = brolga_types_create(&model, &types);

    if (err != BROLGA_OK)
        return err;
    err = brolga_types_define(types, definitions, NULL);
    if (err == BROLGA_OK)
        err = brolga_type_struct(types, "Point", 12, 4, &type);
    if (err == BROLGA_OK)
        err = brolga_type_handle(types, "End", ignore, ignore, NULL, &type);
    for (int i = 0; err == BROLGA_OK && i < 30; i++) {
        char text[64];

        snprintf(text, sizeof(text), "(deftype (T%d a) (T%d [:a x]))", i, i);
        err = brolga_types_define(types, text, NULL);
        snprintf(text, sizeof(text), "(T%d (Tree (List String)))", i);
        if (err == BROLGA_OK)
            err = brolga_type_parse(types, text, &type, NULL);
    }
    brolga_types_destroy(types);
    return err;
}

Test(type, running_out_of_memory_anywhere_leaves_nothing_behind)
{
    uint64_t failures = 0;

    for (;;) {
        int err;

        brolga__alloc_fail_nth(failures + 1);
        err = use_registry();
        brolga__alloc_fail_nth(0);
        cr_assert_eq(brolga__alloc_live(), 0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_lt(++failures, 1000);
    }
    cr_assert_geq(failures, 5);
}

Test(type, a_parse_that_fails_for_memory_works_the_next_time)
{
    const brolga_type *type = NULL;
    struct host h;
    uint64_t n = 0;
    int err;

    host_start(&h, brolga_model_cranelisp());
    host_define(&h, "(deftype (Wide a) (Wide [:(Vec (List a)) p :(Vec a) q"
                    " :(Option (Vec a)) r :(List (List (List a))) s]))");
    do {
        brolga__alloc_fail_nth(++n);
        err = brolga_type_parse(
            h.types, "(Wide (Wide (Wide (Wide (Wide Int)))))", &type, NULL);
        brolga__alloc_fail_nth(0);
    } while (err == BROLGA_ENOMEM && n < 1000);
    cr_assert_eq(err, BROLGA_OK);
    cr_assert_gt(n, 2);
    cr_assert_str_eq(brolga_type_name(type),
                     "(Wide (Wide (Wide (Wide (Wide Int)))))");
    host_stop(&h);
}
