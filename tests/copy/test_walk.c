/*
 * Goal: a copy is equal to its source, shares nothing with it that is not
 * frozen, keeps the sharing inside, has exact counts, and leaves the source as
 * it was; a copy that fails leaves nothing at all.
 * Method: each shape built by hand in the layouts of both presets, then looked
 * at word by word.
 */
#include "host.h"

/* --- shapes ------------------------------------------------------------- */

static void words_are_copied_as_they_are(struct host *h)
{
    static const char *const types[] = {"Int", "Bool", "Float", "Colour"};

    host_define(h, "(deftype Colour Red Green Blue)");
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(host_copy(host_type(h, types[i]), -7), -7);
    cr_assert_eq(h->made, 0);
}

Test(walk, words_are_copied_without_objects)
{
    host_each_preset(words_are_copied_as_they_are);
}

static void string_body(struct host *h)
{
    const brolga_type *type = host_type(h, "String");
    static const char *const texts[] = {"", "x", "grus rubicunda", "12345678"};

    for (size_t i = 0; i < 4; i++) {
        brolga_word s = host_string(h, texts[i]);
        brolga_word c = host_copy(type, s);

        cr_assert_neq(c, s);
        cr_assert_eq(host_fields(h, c)[0], (brolga_word)strlen(texts[i]));
        cr_assert_eq(memcmp(host_fields(h, c) + 1, texts[i], strlen(texts[i])),
                     0);
        cr_assert_eq(*host_count(h, c), 1);
        cr_assert_eq(*host_count(h, s), 1);
        brolga_drop_word(type, s);
        brolga_drop_word(type, c);
    }
}

Test(walk, a_string_is_copied_with_its_bytes)
{
    host_each_preset(string_body);
}

static void option_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Option String)");
    brolga_word some = host_some(h, host_string(h, "egg"));
    brolga_word copy = host_copy(type, some);

    cr_assert_eq(host_copy(type, 0), 0);
    cr_assert_eq(host_fields(h, copy)[0], 1);
    cr_assert_neq(host_fields(h, copy)[1], host_fields(h, some)[1]);
    brolga_drop_word(type, some);
    cr_assert_eq(memcmp(host_fields(h, host_fields(h, copy)[1]) + 1, "egg", 3),
                 0);
    brolga_drop_word(type, copy);
    brolga_drop_word(type, 0);
}

static void bytes_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Option Bytes)");
    static const unsigned char bytes[] = {0, 255, 0, 128, 7};
    brolga_word buffer = host_alloc(8 + (int64_t)sizeof(bytes), h);
    brolga_word some = host_some(h, buffer), copy;

    host_fields(h, buffer)[0] = sizeof(bytes);
    memcpy(host_fields(h, buffer) + 1, bytes, sizeof(bytes));
    cr_assert_eq(brolga_copy_word(type, some, &copy, NULL), BROLGA_OK);
    brolga_drop_word(type, some);
    buffer = host_fields(h, copy)[1];
    cr_assert_eq(host_fields(h, buffer)[0], sizeof(bytes));
    cr_assert_eq(memcmp(host_fields(h, buffer) + 1, bytes, sizeof(bytes)), 0);
    brolga_drop_word(type, copy);
}

Test(walk, a_buffer_of_bytes_is_copied_with_its_bytes)
{
    host_each_preset(bytes_body);
}

Test(walk, a_nullary_constructor_is_a_small_tag_and_others_are_objects)
{
    host_each_preset(option_body);
}

static void data_only_body(struct host *h)
{
    struct brolga_copy_error error;
    const brolga_type *type;
    brolga_word pair, copy, out = 99;

    host_define(h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    type = host_type(h, "(Pair Int (Pair Bool String))");
    pair = HOST_OBJECT(h, 0, 5, HOST_OBJECT(h, 0, 1, host_string(h, "s")));
    copy = host_copy(type, pair);
    cr_assert_eq(host_fields(h, copy)[1], 5);
    cr_assert_eq(host_fields(h, host_fields(h, copy)[2])[1], 1);
    brolga_drop_word(type, pair);
    brolga_drop_word(type, copy);
    /* No constructor of this type is a small tag. */
    cr_assert_eq(brolga_copy_word(type, 0, &out, &error), BROLGA_EINVAL);
    cr_assert_eq(out, 99);
}

Test(walk, types_with_data_only_are_always_objects)
{
    host_each_preset(data_only_body);
}

static void vec_body(struct host *h)
{
    const brolga_type *ints = host_type(h, "(Vec Int)");
    const brolga_word items[] = {3, 1, 2000};
    brolga_word vec = host_vec(h, 3, 10, items);
    brolga_word copy = host_copy(ints, vec);

    cr_assert_eq(host_fields(h, copy)[0], 3);
    cr_assert_eq(host_fields(h, copy)[1], 3, "the capacity is trimmed\n");
    cr_assert_neq(host_fields(h, copy)[2], host_fields(h, vec)[2]);
    cr_assert_eq(memcmp(host_items(h, copy), items, sizeof(items)), 0);
    cr_assert_eq(host_fields(h, vec)[1], 10);
    brolga_drop_word(ints, vec);
    brolga_drop_word(ints, copy);

    vec = host_vec(h, 0, 4, NULL);
    copy = host_copy(ints, vec);
    cr_assert_eq(host_fields(h, copy)[1], 0);
    cr_assert_eq(host_fields(h, copy)[2], 0, "an empty Vec has no data\n");
    brolga_drop_word(ints, vec);
    brolga_drop_word(ints, copy);
}

Test(walk, a_vec_of_words_is_trimmed_to_its_length)
{
    host_each_preset(vec_body);
}

/* A list by another name, its constructors in another order, and its words
 * around the rest of it. */
static void spine_body(struct host *h)
{
    struct brolga_copy_error error = {0};
    const brolga_type *type;
    brolga_word tail, list, other, copy, out = 99;

    host_define(h, "(deftype Trail Lost (Step [:Int x :Trail rest :Float y]) "
                   "Home)");
    type = host_type(h, "Trail");
    tail = HOST_OBJECT(h, 1, 30, 2, 31);
    list = HOST_OBJECT(h, 1, 10, HOST_OBJECT(h, 1, 20, tail, 21), 11);
    copy = host_copy(type, list);
    for (brolga_word x = 10, step = copy; x <= 30; x += 10) {
        cr_assert_eq(host_fields(h, step)[0], 1);
        cr_assert_eq(host_fields(h, step)[1], x);
        cr_assert_eq(host_fields(h, step)[3], x + 1);
        cr_assert_eq(*host_count(h, step), 1);
        step = host_fields(h, step)[2];
        cr_assert_eq(x < 30 || step == 2, true);
    }
    brolga_drop_word(type, copy);
    cr_assert_eq(host_copy(type, 2), 2);

    /* A tail that another list shares is copied, and survives a drop. */
    other = HOST_OBJECT(h, 1, 5, host_share(h, tail), 6);
    copy = host_copy(type, list);
    cr_assert_eq(*host_count(h, tail), 2);
    brolga_drop_word(type, list);
    cr_assert_eq(*host_count(h, tail), 1);
    brolga_drop_word(type, copy);

    host_fields(h, tail)[0] = 2; /* Home has no fields. */
    cr_assert_eq(brolga_copy_word(type, other, &out, &error), BROLGA_EINVAL);
    cr_assert_eq(out, 99);
    cr_assert_str_eq(error.path, "field 2 of Step");
    host_fields(h, tail)[0] = 1;
    brolga_drop_word(type, other);
}

Test(walk, a_list_of_words_may_have_any_names_and_any_order)
{
    host_each_preset(spine_body);
}

/* A tree whose items number its nodes in the order in which they were made:
 * a node, then all on its left, then all on its right. */
static brolga_word numbered_tree(struct host *h, unsigned depth,
                                 brolga_word *number)
{
    brolga_word node;

    if (depth == 0)
        return 0;
    node = HOST_OBJECT(h, 1, 0, ++*number, 0);
    host_fields(h, node)[1] = numbered_tree(h, depth - 1, number);
    host_fields(h, node)[3] = numbered_tree(h, depth - 1, number);
    return node;
}

/* Objects that the host made, in order. */
static brolga_word made[256];
static size_t made_count;

static brolga_word noting_alloc(int64_t payload_bytes, void *arg)
{
    brolga_word value = host_alloc(payload_bytes, arg);

    made[made_count++ % 256] = value;
    return value;
}

static void order_of(struct brolga_model preset)
{
    struct brolga_model model = preset;
    struct host h = {.preset = preset};
    brolga_word number = 0, tree, copy;
    const brolga_type *type;

    model.alloc = noting_alloc;
    model.free = host_free;
    model.arg = &h;
    cr_assert_eq(brolga_types_create(&model, &h.types), BROLGA_OK);
    host_define(&h, "(deftype (Tree a) Tip "
                    "(Fork [:(Tree a) l :a v :(Tree a) r]))");
    type = host_type(&h, "(Tree Int)");
    tree = numbered_tree(&h, 6, &number);
    made_count = 0;
    copy = host_copy(type, tree);
    cr_assert_eq(made_count, (size_t)number);
    for (brolga_word i = 0; i < number; i++)
        cr_assert_eq(host_fields(&h, made[i])[2], i + 1);
    brolga_drop_word(type, tree);
    brolga_drop_word(type, copy);
    host_stop(&h);
}

Test(walk, objects_are_made_in_the_order_of_a_walk_from_first_to_last)
{
    order_of(brolga_model_cranelisp());
    order_of(brolga_model_cranelisp_later());
}

static void vec_of_refs_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec (Vec String))");
    brolga_word s = host_string(h, "shared");
    const brolga_word inner[] = {s, host_share(h, s)};
    const brolga_word outer[] = {host_vec(h, 2, 2, inner),
                                 host_vec(h, 0, 0, NULL)};
    brolga_word vec = host_vec(h, 2, 3, outer);
    brolga_word copy = host_copy(type, vec);
    brolga_word first = host_items(h, copy)[0];

    cr_assert_eq(host_fields(h, copy)[1], 2);
    cr_assert_neq(first, outer[0]);
    cr_assert_eq(host_items(h, first)[0], host_items(h, first)[1]);
    cr_assert_neq(host_items(h, first)[0], s);
    cr_assert_eq(*host_count(h, host_items(h, first)[0]), 2);
    cr_assert_eq(*host_count(h, s), 2);
    brolga_drop_word(type, vec);
    brolga_drop_word(type, copy);
}

Test(walk, a_vec_of_references_is_copied_deeply)
{
    host_each_preset(vec_of_refs_body);
}

Test(walk, an_effect_that_has_run_is_a_value_in_the_first_preset)
{
    struct host h;
    const brolga_type *type;
    brolga_word io, copy;

    host_start(&h, brolga_model_cranelisp());
    type = host_type(&h, "(IO String)");
    io = HOST_OBJECT(&h, 0, host_string(&h, "done"));
    copy = host_copy(type, io);
    cr_assert_eq(host_fields(&h, copy)[0], 0);
    cr_assert_neq(host_fields(&h, copy)[1], host_fields(&h, io)[1]);
    brolga_drop_word(type, io);
    brolga_drop_word(type, copy);
    host_stop(&h);
}

Test(walk, an_effect_that_has_not_run_is_refused_in_the_later_preset)
{
    struct host h;
    struct brolga_copy_error error;
    brolga_word io, out = 0;

    host_start(&h, brolga_model_cranelisp_later());
    io = HOST_OBJECT(&h, 0, 1);
    cr_assert_eq(brolga_copy_word(host_type(&h, "(IO Int)"), io, &out, &error),
                 BROLGA_EUNSENDABLE);
    host_free(io, &h);
    host_stop(&h);
}

Test(walk, a_wrapped_scalar_is_its_word_in_the_later_preset)
{
    struct host h;
    const brolga_type *type;

    host_start(&h, brolga_model_cranelisp_later());
    host_define(&h, "(deftype Outer (Outer [:Inner i]))"
                    "(deftype Inner (Inner [:Int n]))");
    type = host_type(&h, "Outer");
    cr_assert(brolga_type_is_plain(type));
    cr_assert_eq(host_copy(type, 123456), 123456);
    cr_assert(brolga_type_is_plain(host_type(&h, "Inner")));
    cr_assert_not(brolga_type_is_plain(host_type(&h, "(Option Inner)")));
    host_stop(&h);
}

static void closure_body(struct host *h)
{
    static const char *const captures[] = {"Int", "(List String)",
                                           "(Fn [] Int)"};
    const brolga_type *type = host_type(h, "(Fn [Int] Int)");
    struct host_code *inner = host_add_code(h, "inner", 0, NULL);
    struct host_code *outer = host_add_code(h, "outer", 3, captures);
    const brolga_word words[] = {7, host_cons(h, host_string(h, "a"), 0),
                                 host_closure(h, inner, NULL)};
    brolga_word closure = host_closure(h, outer, words);
    brolga_word copy = host_copy(type, closure);
    brolga_word *capture = host_captures(h, copy);

    cr_assert_eq(host_fields(h, copy)[0], (brolga_word)(uintptr_t)outer);
    cr_assert_eq(capture[0], 7);
    cr_assert_neq(capture[1], words[1]);
    cr_assert_neq(capture[2], words[2]);
    cr_assert_eq(outer->pins, 2);
    cr_assert_eq(inner->pins, 2);
    brolga_drop_word(type, closure);
    cr_assert_eq(outer->pins, 1);
    brolga_drop_word(type, copy);
    cr_assert_eq(outer->pins, 0);
    cr_assert_eq(inner->pins, 0);
}

Test(walk, a_closure_is_copied_with_its_captures_and_pins_its_code)
{
    host_each_preset(closure_body);
}

struct counter {
    int64_t retained, released;
};

static void retain(brolga_word word, void *arg)
{
    ((struct counter *)arg)->retained += word;
}

static void release(brolga_word word, void *arg)
{
    ((struct counter *)arg)->released += word;
}

static void handle_body(struct host *h)
{
    struct counter counter = {0, 0};
    const brolga_type *handle, *list;
    brolga_word ends, copy;

    cr_assert_eq(
        brolga_type_handle(h->types, "End", retain, release, &counter, &handle),
        BROLGA_OK);
    list = host_type(h, "(List End)");
    ends = host_cons(h, 5, host_cons(h, 70000, 0));
    copy = host_copy(list, ends);
    cr_assert_eq(counter.retained, 70005);
    cr_assert_eq(host_fields(h, copy)[1], 5);
    brolga_drop_word(list, copy);
    brolga_drop_word(list, ends);
    cr_assert_eq(counter.released, 2 * 70005);
    cr_assert_eq(host_copy(handle, 0), 0);
    brolga_drop_word(handle, 0);
    cr_assert_eq(host_copy(handle, 9), 9);
    cr_assert_eq(counter.retained, 70014);
}

Test(walk, a_handle_is_retained_by_a_copy_and_released_by_a_drop)
{
    host_each_preset(handle_body);
}

static void bare_handle_body(struct host *h)
{
    const brolga_type *handle, *type;
    struct brolga_copy_error error;
    brolga_word some, out = 42;

    cr_assert_eq(
        brolga_type_handle(h->types, "Local", NULL, NULL, NULL, &handle),
        BROLGA_OK);
    type = host_type(h, "(Option Local)");
    some = host_some(h, 5);
    cr_assert_eq(brolga_copy_word(type, some, &out, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_str_eq(error.path, "field 1 of Some");
    cr_assert_eq(out, 42);
    brolga_drop_word(type, some);
}

Test(walk, a_handle_that_cannot_be_retained_stays)
{
    host_each_preset(bare_handle_body);
}

Test(walk, a_plain_struct_is_copied_byte_by_byte)
{
    struct point {
        float x, y, z;
    } from = {1, 2, 3}, to = {0, 0, 0};
    struct host h;
    const brolga_type *type;

    host_start(&h, brolga_model_cranelisp());
    cr_assert_eq(brolga_type_struct(h.types, "Point", sizeof(from),
                                    _Alignof(struct point), &type),
                 BROLGA_OK);
    cr_assert_eq(brolga_copy(type, &from, &to, NULL), BROLGA_OK);
    cr_assert_eq(memcmp(&from, &to, sizeof(from)), 0);
    brolga_drop(type, &to);
    host_stop(&h);
}

/* --- sharing ------------------------------------------------------------ */

static void dag_body(struct host *h)
{
    const brolga_type *type;
    brolga_word node = 0, copy, at;
    int64_t before;

    host_define(h, "(deftype Dag End (Node [:Dag left :Dag right]))");
    type = host_type(h, "Dag");
    node = HOST_OBJECT(h, 1, 0, 0);
    for (int depth = 0; depth < 40; depth++)
        node = HOST_OBJECT(h, 1, node, host_share(h, node));
    before = h->made;
    copy = host_copy(type, node);
    cr_assert_eq(h->made - before, 41);
    at = copy;
    for (int depth = 0; depth < 40; depth++) {
        cr_assert_eq(*host_count(h, at), depth == 0 ? 1 : 2);
        cr_assert_eq(host_fields(h, at)[1], host_fields(h, at)[2]);
        at = host_fields(h, at)[1];
    }
    for (at = node; host_fields(h, at)[1] != 0; at = host_fields(h, at)[1])
        cr_assert_eq(*host_count(h, at), at == node ? 1 : 2);
    brolga_drop_word(type, node);
    brolga_drop_word(type, copy);
}

Test(walk, a_graph_of_two_to_the_forty_paths_copies_forty_one_objects)
{
    host_each_preset(dag_body);
}

static void outside_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List String)");
    brolga_word s = host_string(h, "also held outside");
    brolga_word list = host_cons(h, host_share(h, s), 0), copy;

    host_share(h, list); /* The root too. */
    copy = host_copy(type, list);
    cr_assert_eq(*host_count(h, copy), 1);
    cr_assert_eq(*host_count(h, host_fields(h, copy)[1]), 1);
    cr_assert_eq(*host_count(h, list), 2);
    cr_assert_eq(*host_count(h, s), 2);
    brolga_drop_word(type, copy);
    brolga_drop_word(type, list);
    brolga_drop_word(type, list);
    brolga_drop_word(host_type(h, "String"), s);
}

Test(walk, counts_of_a_copy_are_the_references_inside_it)
{
    host_each_preset(outside_body);
}

static void many_shared_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec String)");
    brolga_word item[2000], vec, copy;

    for (int i = 0; i < 1000; i++) {
        item[i] = host_string(h, i % 2 == 0 ? "even" : "odd");
        item[1999 - i] = host_share(h, item[i]);
    }
    vec = host_vec(h, 2000, 2000, item);
    copy = host_copy(type, vec);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(host_items(h, copy)[i], host_items(h, copy)[1999 - i]);
        cr_assert_eq(*host_count(h, host_items(h, copy)[i]), 2);
        cr_assert_eq(*host_count(h, item[i]), 2);
    }
    brolga_drop_word(type, vec);
    brolga_drop_word(type, copy);
}

Test(walk, a_thousand_shared_objects_are_told_apart)
{
    host_each_preset(many_shared_body);
}

static void frozen_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List String)");
    brolga_word frozen = host_cons(h, host_string(h, "table"), 0);
    brolga_word list = host_cons(h, host_string(h, "own"), frozen), copy;

    *host_count(h, frozen) = 2 * BROLGA_FROZEN_MIN;
    *host_count(h, host_fields(h, frozen)[1]) = 2 * BROLGA_FROZEN_MIN;
    copy = host_copy(type, list);
    cr_assert_eq(host_fields(h, copy)[2], frozen);
    cr_assert_eq(host_copy(type, frozen), frozen);
    brolga_drop_word(type, copy);
    brolga_drop_word(type, list);
    brolga_drop_word(type, frozen);
    cr_assert_eq(*host_count(h, frozen), 2 * BROLGA_FROZEN_MIN);
    cr_assert_eq(h->live, 2);
    *host_count(h, frozen) = 1;
    *host_count(h, host_fields(h, frozen)[1]) = 1;
    brolga_drop_word(type, frozen);
}

Test(walk, frozen_objects_are_neither_copied_nor_counted_nor_freed)
{
    host_each_preset(frozen_body);
}

/* --- depth -------------------------------------------------------------- */

static brolga_word long_list(struct host *h, int64_t length)
{
    brolga_word list = 0;

    for (int64_t i = 0; i < length; i++)
        list = host_cons(h, i, list);
    return list;
}

Test(walk, a_list_of_ten_million_is_copied_and_dropped)
{
    struct host h;
    const brolga_type *type;
    brolga_word list, copy, at;
    int64_t next = HOST_DEEP;

    host_start(&h, brolga_model_cranelisp());
    type = host_type(&h, "(List Int)");
    list = long_list(&h, HOST_DEEP);
    copy = host_copy(type, list);
    brolga_drop_word(type, list);
    for (at = copy; at != 0; at = host_fields(&h, at)[2])
        if (host_fields(&h, at)[1] != --next || *host_count(&h, at) != 1)
            break;
    cr_assert_eq(at, 0);
    cr_assert_eq(next, 0);
    brolga_drop_word(type, copy);
    host_stop(&h);
}

/* Trees that lean to one side: 0 left, 1 right, 2 in turn. With leaves that
 * are objects, the other side is never empty. */
static void leaning_tree(struct host *h, int lean, int64_t depth)
{
    const brolga_type *type = host_type(h, "Tree");
    brolga_word tree = HOST_OBJECT(h, 0, 1), copy;
    int64_t before;

    for (int64_t i = 0; i < depth; i++) {
        brolga_word leaf = HOST_OBJECT(h, 0, i);
        bool left = lean == 0 || (lean == 2 && i % 2 == 0);

        tree = HOST_OBJECT(h, 1, left ? tree : leaf, left ? leaf : tree);
    }
    before = h->live;
    copy = host_copy(type, tree);
    cr_assert_eq(h->live, 2 * before);
    brolga_drop_word(type, tree);
    brolga_drop_word(type, copy);
    cr_assert_eq(h->live, 0);
}

static void degenerate_body(struct host *h)
{
    host_define(h, "(deftype Tree (Leaf [:Int n])"
                   " (Fork [:Tree left :Tree right]))");
    for (int lean = 0; lean < 3; lean++)
        leaning_tree(h, lean, HOST_DEEP / 10);
}

Test(walk, trees_that_lean_to_any_side_need_no_stack)
{
    host_each_preset(degenerate_body);
}

static void nest_body(struct host *h)
{
    const brolga_type *type;
    brolga_word nest, copy;

    host_define(h, "(deftype Nest (Nest [:(Vec Nest) inner]))");
    type = host_type(h, "Nest");
    nest = HOST_OBJECT(h, 0, host_vec(h, 0, 0, NULL));
    for (int i = 0; i < 100000; i++) {
        const brolga_word pair[] = {nest, host_share(h, nest)};

        nest = HOST_OBJECT(h, 0, host_vec(h, 2, 2, pair));
    }
    copy = host_copy(type, nest);
    cr_assert_eq(h->live, h->made);
    brolga_drop_word(type, nest);
    brolga_drop_word(type, copy);
}

Test(walk, vecs_in_vecs_of_any_depth_need_no_stack)
{
    host_each_preset(nest_body);
}

/* --- failure ------------------------------------------------------------ */

static void unsendable_body(struct host *h)
{
    static const char *const captures[] = {"(List (Fn [] Int))", "Int"};
    const brolga_type *type = host_type(h, "(List (Fn [] Int))");
    struct host_code *render = host_add_code(h, "render", 2, captures);
    struct host_code *stranger = host_add_code(h, "stranger", 0, NULL);
    struct brolga_copy_error error;
    brolga_word out = 42, list, words[2] = {0, 1};
    int64_t live;

    words[0] = host_cons(h, host_closure(h, stranger, NULL), 0);
    list = host_cons(h, host_closure(h, render, words), 0);
    h->codes--; /* Nobody knows the stranger any more. */
    for (int i = 0; i < 3; i++)
        list =
            host_cons(h, host_closure(h, render, (brolga_word[]){0, i}), list);
    live = h->live;
    cr_assert_eq(brolga_copy_word(type, list, &out, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_eq(out, 42);
    cr_assert_eq(h->live, live);
    cr_assert_eq(render->pins, 4);
    cr_assert_str_eq(error.path,
                     "field 2 of Cons (3 times) -> field 1 of Cons -> "
                     "capture 1 of closure render -> field 1 of Cons");
    h->codes++;
    brolga_drop_word(type, list);
    cr_assert_eq(render->pins, 0);
}

Test(walk, the_path_to_what_cannot_cross_is_told)
{
    host_each_preset(unsendable_body);
}

static void unknown_capture_body(struct host *h)
{
    static const char *const captures[] = {NULL};
    struct host_code *code = host_add_code(h, "odd", 1, captures);
    brolga_word closure = host_closure(h, code, (brolga_word[]){3}), out;
    const brolga_type *type = host_type(h, "(Fn [] Int)");
    struct brolga_copy_error error;

    cr_assert_eq(brolga_copy_word(type, closure, &out, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_not_null(strstr(error.text, "odd"));
    brolga_drop_word(type, closure);
    cr_assert_eq(h->live, 1, "an unknown closure is left behind\n");
    host_free(closure, h);
}

Test(walk, a_closure_with_an_unknown_capture_is_refused_and_never_freed)
{
    host_each_preset(unknown_capture_body);
}

static void invalid_body(struct host *h)
{
    const brolga_type *list = host_type(h, "(List String)");
    const brolga_type *vec = host_type(h, "(Vec Int)");
    brolga_word s = host_string(h, "s"), out;
    brolga_word cons = host_cons(h, s, 0), v = host_vec(h, 0, 0, NULL);
    struct brolga_copy_error error;

    host_fields(h, cons)[0] = 2; /* No such constructor. */
    cr_assert_eq(brolga_copy_word(list, cons, &out, &error), BROLGA_EINVAL);
    host_fields(h, cons)[0] = 0; /* Nil is not an object. */
    cr_assert_eq(brolga_copy_word(list, cons, &out, &error), BROLGA_EINVAL);
    host_fields(h, cons)[0] = 1;
    host_fields(h, s)[0] = -1;
    cr_assert_eq(brolga_copy_word(list, cons, &out, &error), BROLGA_EINVAL);
    cr_assert_str_eq(error.path, "field 1 of Cons");
    host_fields(h, s)[0] = 1;
    *host_count(h, s) = 0;
    cr_assert_eq(brolga_copy_word(list, cons, &out, &error), BROLGA_EINVAL);
    *host_count(h, s) = -1;
    cr_assert_eq(brolga_copy_word(list, cons, &out, &error), BROLGA_EINVAL);
    *host_count(h, s) = 1;
    host_fields(h, v)[0] = 3; /* Elements, but no data. */
    cr_assert_eq(brolga_copy_word(vec, v, &out, &error), BROLGA_EINVAL);
    host_fields(h, v)[0] = 0;
    brolga_drop_word(list, cons);
    brolga_drop_word(vec, v);
}

Test(walk, words_that_are_no_value_of_the_type_are_refused)
{
    host_each_preset(invalid_body);
}

/* A value with every shape and with sharing. */
static brolga_word rich_value(struct host *h, const brolga_type **type)
{
    static const char *const captures[] = {"(List String)", "String"};
    struct host_code *code = host_add_code(h, "f", 2, captures);
    brolga_word s = host_string(h, "a text"), item[3];

    host_define(h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    *type = host_type(
        h, "(Vec (Pair (Option (List String)) (Pair (Fn [] Int) (Vec Int))))");
    for (int i = 0; i < 3; i++) {
        const brolga_word ints[] = {i, i, i};
        brolga_word list = host_cons(h, host_share(h, s), 0);
        brolga_word capture[] = {host_cons(h, host_share(h, s), list),
                                 host_share(h, s)};

        item[i] = HOST_OBJECT(h, 0, host_some(h, host_share(h, list)),
                              HOST_OBJECT(h, 0, host_closure(h, code, capture),
                                          host_vec(h, 3, 5, ints)));
    }
    --*host_count(h, s);
    return host_vec(h, 3, 4, item);
}

static void no_memory_body(struct host *h)
{
    struct brolga_copy_error error = {0};
    const brolga_type *type;
    brolga_word value = rich_value(h, &type), copy = 42;
    int64_t live = h->live, all = brolga__alloc_live();
    uint64_t failures = 0;
    int err;

    for (;;) {
        brolga__alloc_fail_nth(failures + 1);
        err = brolga_copy_word(type, value, &copy, &error);
        brolga__alloc_fail_nth(0);
        if (err == BROLGA_OK)
            break;
        cr_assert_eq(err, BROLGA_ENOMEM);
        cr_assert_eq(error.code, BROLGA_ENOMEM);
        cr_assert_eq(copy, 42);
        cr_assert_eq(h->live, live);
        cr_assert_eq(brolga__alloc_live(), all);
        cr_assert_eq(h->code[0].pins, 3);
        failures++;
        cr_assert_lt(failures, 1000);
    }
    cr_assert_geq(failures, 20);
    brolga_drop_word(type, copy);
    cr_assert_eq(h->live, live);
    brolga_drop_word(type, value);
}

Test(walk, running_out_of_memory_anywhere_leaves_nothing_behind)
{
    host_each_preset(no_memory_body);
}
