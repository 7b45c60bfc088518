/*
 * Goal: a large copy or drop pauses as often as it is told to, wherever it is
 * in the value; others may copy meanwhile; and a pause that stops the copy
 * leaves nothing behind.
 * Method: values of every shape; a pause that counts, copies something else,
 * or stops at its n-th call, for every n.
 */
#include "host.h"

static const char deftypes[] =
    "(deftype (Tree a) Tip (Fork [:(Tree a) l :a v :(Tree a) r]))"
    "(deftype (Rose a) (Rose [:a item :(List (Rose a)) kids]))";

struct pauses {
    int64_t count;
    int64_t stop_at; /* 0: never */
    const brolga_type *other_type;
    brolga_word other;
};

static int pause_here(void *arg)
{
    struct pauses *p = arg;

    if (p->other_type != NULL)
        brolga_drop_word(p->other_type, host_copy(p->other_type, p->other));
    return ++p->count == p->stop_at ? BROLGA_ECANCELED : BROLGA_OK;
}

/* --- values ------------------------------------------------------------- */

#define SIZE 400

static brolga_word list_of(struct host *h, int count, bool of_strings)
{
    brolga_word list = 0;

    for (int i = 0; i < count; i++)
        list = host_cons(h, of_strings ? host_string(h, "some text") : i, list);
    return list;
}

static brolga_word tree_of(struct host *h, int count)
{
    if (count == 0)
        return 0;
    return HOST_OBJECT(h, 1, tree_of(h, (count - 1) / 2), count,
                       tree_of(h, count - 1 - (count - 1) / 2));
}

static brolga_word vec_of_lists(struct host *h)
{
    brolga_word item[20], shared = list_of(h, SIZE / 20, false);

    for (int i = 0; i < 20; i++)
        item[i] = i % 5 == 0 ? host_share(h, shared) : list_of(h, i, false);
    --*host_count(h, shared);
    return host_vec(h, 20, 25, item);
}

static brolga_word long_string(struct host *h)
{
    static char text[20 * SIZE];

    memset(text, 'x', sizeof(text) - 1);
    return host_string(h, text);
}

static brolga_word long_vec(struct host *h)
{
    static brolga_word item[2 * SIZE];

    return host_vec(h, 2 * SIZE, 2 * SIZE, item);
}

static brolga_word rose_of(struct host *h)
{
    brolga_word rose = HOST_OBJECT(h, 0, host_string(h, "leaf"), 0);

    for (int i = 0; i < SIZE / 10; i++)
        rose = HOST_OBJECT(
            h, 0, host_string(h, "twig"),
            host_cons(h, rose, host_cons(h, host_share(h, rose), 0)));
    return rose;
}

static brolga_word make_value(struct host *h, int number,
                              const brolga_type **type)
{
    static const char *const types[] = {
        "(List Int)",      "(List String)", "(Tree Int)",   "(Vec (List Int))",
        "(Option String)", "(Vec Int)",     "(Rose String)"};

    *type = host_type(h, types[number]);
    switch (number) {
    case 0:
        return list_of(h, SIZE, false);
    case 1:
        return list_of(h, SIZE / 4, true);
    case 2:
        return tree_of(h, SIZE);
    case 3:
        return vec_of_lists(h);
    case 4:
        return host_some(h, long_string(h));
    case 5:
        return long_vec(h);
    default:
        return rose_of(h);
    }
}

#define VALUES 7

/* --- copies ------------------------------------------------------------- */

/* Pauses of one copy, which may be stopped; nothing must be left of it then. */
static int64_t copy_with_pauses(struct host *h, const brolga_type *type,
                                brolga_word from, size_t bytes, int64_t stop_at)
{
    struct pauses pauses = {.stop_at = stop_at};
    struct brolga_copy_opts opts = {
        .pause = pause_here, .arg = &pauses, .pause_bytes = bytes};
    struct brolga_copy_error error = {0};
    int64_t live = h->live;
    brolga_word to = 99;
    int err = brolga_copy_with(type, &from, &to, &opts, &error);

    if (stop_at == 0 || pauses.count < stop_at) {
        cr_assert_eq(err, BROLGA_OK, "%s\n", error.text);
        brolga_drop_word(type, to);
    } else {
        cr_assert_eq(err, BROLGA_ECANCELED);
        cr_assert_eq(error.code, BROLGA_ECANCELED);
        cr_assert_str_eq(error.text, "stopped in a pause");
        cr_assert_eq(to, 99);
        cr_assert_eq(pauses.count, stop_at);
    }
    cr_assert_eq(h->live, live);
    return pauses.count;
}

static void often_body(struct host *h)
{
    host_define(h, deftypes);
    for (int i = 0; i < VALUES; i++) {
        const brolga_type *type;
        brolga_word from = make_value(h, i, &type);
        int64_t few = copy_with_pauses(h, type, from, 2000, 0);
        int64_t many = copy_with_pauses(h, type, from, 200, 0);

        cr_assert_gt(few, 1, "value %d\n", i);
        cr_assert_gt(many, 5 * few, "value %d\n", i);
        cr_assert_lt(many, 20 * few, "value %d\n", i);
        brolga_drop_word(type, from);
    }
}

Test(pause, pauses_come_as_often_as_they_are_wished_for_in_every_shape)
{
    host_each_preset(often_body);
}

static void stop_body(struct host *h)
{
    host_define(h, deftypes);
    for (int i = 0; i < VALUES; i++) {
        const brolga_type *type;
        brolga_word from = make_value(h, i, &type);
        int64_t all = copy_with_pauses(h, type, from, 300, 0);

        for (int64_t stop = 1; stop <= all + 1; stop++)
            (void)copy_with_pauses(h, type, from, 300, stop);
        brolga_drop_word(type, from); /* Its counts are what they were. */
    }
}

Test(pause, a_pause_may_stop_the_copy_and_nothing_is_left_of_it)
{
    host_each_preset(stop_body);
}

/* The same in our own memory, where the loops are others. */
static void own_body(struct brolga_model model)
{
    struct host h = {.preset = model};
    struct pauses pauses = {.count = 0};
    struct brolga_copy_opts opts = {
        .pause = pause_here, .arg = &pauses, .pause_bytes = 300};
    brolga_word list = 0, tree, copy = 0;
    const brolga_type *lists, *trees;
    int64_t live;

    cr_assert_eq(brolga_types_create(&model, &h.types), BROLGA_OK);
    host_define(&h, deftypes);
    lists = host_type(&h, "(List Int)");
    trees = host_type(&h, "(Tree Int)");
    tree = tree_of(&h, SIZE);
    list = list_of(&h, SIZE, false);
    live = brolga__alloc_live();
    for (int i = 0; i < 2; i++) {
        const brolga_type *type = i == 0 ? lists : trees;
        brolga_word from = i == 0 ? list : tree;

        pauses = (struct pauses){.count = 0};
        cr_assert_eq(brolga_copy_with(type, &from, &copy, &opts, NULL),
                     BROLGA_OK);
        cr_assert_eq(brolga__alloc_live(), live + SIZE);
        cr_assert_gt(pauses.count, SIZE / 10);
        cr_assert_lt(pauses.count, SIZE / 4);
        brolga_drop_word(type, copy);
        for (pauses.stop_at = pauses.count; pauses.stop_at > 0;
             pauses.stop_at--) {
            pauses.count = 0;
            cr_assert_eq(brolga_copy_with(type, &from, &copy, &opts, NULL),
                         BROLGA_ECANCELED);
            cr_assert_eq(brolga__alloc_live(), live);
        }
    }
    brolga_drop_word(lists, list);
    brolga_drop_word(trees, tree);
    h.live = 0; /* host_alloc() was used for the sources only. */
    host_stop(&h);
}

Test(pause, lists_and_trees_in_our_own_memory_pause_and_stop_too)
{
    own_body(brolga_model_cranelisp());
    own_body(brolga_model_cranelisp_later());
}

static void other_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec (List Int))");
    brolga_word from = vec_of_lists(h), to = 0, other = vec_of_lists(h);
    struct pauses pauses = {.other_type = type, .other = other};
    struct brolga_copy_opts opts = {
        .pause = pause_here, .arg = &pauses, .pause_bytes = 500};

    cr_assert_eq(brolga_copy_with(type, &from, &to, &opts, NULL), BROLGA_OK);
    cr_assert_gt(pauses.count, 3);
    cr_assert_eq(host_items(h, to)[0], host_items(h, to)[5]);
    cr_assert_eq(*host_count(h, host_items(h, to)[0]), 4);
    brolga_drop_word(type, from);
    brolga_drop_word(type, to);
    brolga_drop_word(type, other);
}

Test(pause, other_values_may_be_copied_in_a_pause)
{
    host_each_preset(other_body);
}

static void tree_body(struct host *h)
{
    struct brolga_copy_opts opts = {.is_tree = true};
    const brolga_type *type = host_type(h, "(Option (List Int))");
    brolga_word list = list_of(h, 5, false), some = host_some(h, list), copy;

    cr_assert_eq(brolga_copy_with(type, &some, &copy, &opts, NULL), BROLGA_OK);
    cr_assert_neq(host_fields(h, copy)[1], list);
    brolga_drop_word(type, copy);
    *host_count(h, list) = BROLGA_FROZEN_MIN; /* The promise is broken, so */
    cr_assert_eq(brolga_copy_with(type, &some, &copy, &opts, NULL), BROLGA_OK);
    cr_assert_neq(host_fields(h, copy)[1], list); /* nobody has looked. */
    brolga_drop_word(type, copy);
    *host_count(h, list) = 1;
    brolga_drop_word(type, some);
}

Test(pause, counts_of_what_is_said_to_be_a_tree_are_not_looked_at)
{
    host_each_preset(tree_body);
}

/* --- drops -------------------------------------------------------------- */

static void drop_body(struct host *h)
{
    host_define(h, deftypes);
    for (int i = 0; i < 3; i++) {
        static const char *const types[] = {"(List Int)", "(List String)",
                                            "(Tree Int)"};
        const brolga_type *type = host_type(h, types[i]);
        brolga_word value =
            i < 2 ? list_of(h, 50000, i == 1) : tree_of(h, 50000);
        struct pauses pauses = {.stop_at = 2}; /* which is ignored */

        brolga_drop_with(type, &value, pause_here, &pauses);
        cr_assert_eq(h->live, 0);
        cr_assert_geq(pauses.count, 4);
        cr_assert_leq(pauses.count, 100000 / 8192 + 1);
    }
}

Test(pause, a_drop_pauses_too_and_cannot_be_stopped)
{
    host_each_preset(drop_body);
}
