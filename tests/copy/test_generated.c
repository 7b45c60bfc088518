/*
 * Goal: functions that a host generates are called for objects with one
 * reference, inside values of other types, too; what is shared stays shared
 * across their borders; a failure in them leaves nothing behind.
 * Method: hand-written functions for lists of lists, next to values that only
 * Brolga knows. tests/copy/graph.h has them for random types.
 */
#include "host.h"

struct functions {
    struct host *h;
    const brolga_type *list; /* (List (List Int)) */
    const brolga_type *inner;
    int64_t copied; /* objects, by the functions */
    int64_t dropped;
    int64_t fail_at; /* the object that there is no memory for; 0: none */
};

static int copy_list(brolga_copier *copier, brolga_word from, brolga_word *to,
                     void *arg)
{
    struct functions *f = arg;

    for (;;) {
        brolga_word *field, made = 0;

        if (++f->copied != f->fail_at)
            made = brolga_copier_make(copier, 24);
        *to = made;
        if (made == 0)
            return BROLGA_ENOMEM;
        field = host_fields(f->h, made);
        memcpy(field, host_fields(f->h, from), 24);
        from = field[2];
        field[2] = 0;
        if (brolga_copier_later(copier, f->inner, &field[1]) != BROLGA_OK)
            return BROLGA_ENOMEM;
        if (from < 1024)
            return BROLGA_OK;
        to = &field[2];
        if (*host_count(f->h, from) != 1 || brolga_copier_is_due(copier)) {
            *to = from;
            return brolga_copier_later(copier, f->list, to);
        }
    }
}

static void drop_list(brolga_dropper *dropper, brolga_word dead, void *arg)
{
    struct functions *f = arg;

    while (dead != 0) {
        const brolga_word *field = host_fields(f->h, dead);
        brolga_word next = field[2];

        brolga_dropper_word(dropper, f->inner, field[1]);
        brolga_dropper_free(dropper, dead);
        f->dropped++;
        dead = next >= 1024 && brolga_dropper_is_last(dropper, next) ? next : 0;
    }
}

static void start(struct functions *f, struct host *h)
{
    *f = (struct functions){.h = h};
    f->list = host_type(h, "(List (List Int))");
    f->inner = host_type(h, "(List Int)");
    cr_assert_eq(brolga_type_generated(
                     h->types, f->list,
                     &(struct brolga_generated){copy_list, drop_list, f}),
                 BROLGA_OK);
}

/* A list of `count` short lists, on top of `rest`. */
static brolga_word lists(struct host *h, int count, brolga_word rest)
{
    for (int i = 0; i < count; i++)
        rest = host_cons(h, host_cons(h, i, host_cons(h, i + 1, 0)), rest);
    return rest;
}

static void called_body(struct host *h)
{
    struct functions f;
    const brolga_type *type;
    brolga_word item[2], vec, copy;

    start(&f, h);
    type = host_type(h, "(Vec (Option (List (List Int))))");
    item[0] = host_some(h, lists(h, 5, 0));
    item[1] = 0;
    vec = host_vec(h, 2, 2, item);
    copy = host_copy(type, vec);
    cr_assert_eq(f.copied, 5);
    brolga_drop_word(type, vec);
    cr_assert_eq(f.dropped, 5);
    cr_assert_eq(
        host_fields(
            h, host_fields(h, host_fields(h, host_items(h, copy)[0])[1])[1])[1],
        4);
    brolga_drop_word(type, copy);
    cr_assert_eq(host_copy(f.list, 0), 0);
}

Test(generated, functions_are_called_inside_values_of_other_types)
{
    host_each_preset(called_body);
}

static void shared_body(struct host *h)
{
    struct functions f;
    const brolga_type *type;
    brolga_word tail = lists(h, 3, 0), head, item[3], vec, copy, a, b;

    start(&f, h);
    type = host_type(h, "(Vec (List (List Int)))");
    head = host_fields(h, tail)[1]; /* Shared, too, by Brolga's own list. */
    item[0] = lists(h, 2, host_share(h, tail));
    item[1] = host_cons(h, host_share(h, head), host_share(h, tail));
    item[2] = tail;
    vec = host_vec(h, 3, 3, item);
    copy = host_copy(type, vec);
    a = host_fields(h, host_fields(h, host_items(h, copy)[0])[2])[2];
    b = host_fields(h, host_items(h, copy)[1])[2];
    cr_assert_eq(a, b);
    cr_assert_eq(host_items(h, copy)[2], a);
    cr_assert_eq(*host_count(h, a), 3);
    cr_assert_eq(host_fields(h, host_items(h, copy)[1])[1],
                 host_fields(h, a)[1]);
    cr_assert_eq(*host_count(h, host_fields(h, a)[1]), 2);
    cr_assert_eq(*host_count(h, tail), 3);
    cr_assert_eq(*host_count(h, head), 2);
    cr_assert_eq(f.copied, 5, "all but the shared one\n");
    brolga_drop_word(type, vec);
    brolga_drop_word(type, copy);
}

Test(generated, what_is_shared_stays_shared_across_the_border)
{
    host_each_preset(shared_body);
}

static int count_pause(void *arg)
{
    ++*(int64_t *)arg;
    return BROLGA_OK;
}

static void long_body(struct host *h)
{
    struct functions f;
    int64_t pauses = 0;
    struct brolga_copy_opts opts = {
        .pause = count_pause, .arg = &pauses, .pause_bytes = 1000};
    brolga_word list = lists(h, 10000, 0), copy = 0;

    start(&f, h);
    cr_assert_eq(brolga_copy_with(f.list, &list, &copy, &opts, NULL),
                 BROLGA_OK);
    cr_assert_eq(f.copied, 10000);
    cr_assert_gt(pauses, 400);
    brolga_drop_word(f.list, list);
    brolga_drop_word(f.list, copy);
}

Test(generated, a_function_that_is_due_for_a_pause_goes_on_after_it)
{
    host_each_preset(long_body);
}

static void fail_body(struct host *h)
{
    struct functions f;
    brolga_word list = lists(h, 6, 0), out = 99;
    int64_t live = h->live;
    struct brolga_copy_error error;

    start(&f, h);
    for (int64_t i = 1; i <= 6; i++) {
        f.copied = 0;
        f.fail_at = i;
        cr_assert_eq(brolga_copy_word(f.list, list, &out, &error),
                     BROLGA_ENOMEM);
        cr_assert_eq(out, 99);
        cr_assert_eq(h->live, live);
    }
    f.fail_at = 0;
    /* The path to a culprit is told as without the functions. */
    host_fields(h, host_fields(h, host_fields(h, list)[2])[1])[0] = 7;
    cr_assert_eq(brolga_copy_word(f.list, list, &out, &error), BROLGA_EINVAL);
    cr_assert_str_eq(error.path, "field 2 of Cons -> field 1 of Cons");
    cr_assert_eq(h->live, live);
    host_fields(h, host_fields(h, host_fields(h, list)[2])[1])[0] = 1;
    brolga_drop_word(f.list, list);
}

Test(generated, a_failure_in_a_function_leaves_nothing_behind)
{
    host_each_preset(fail_body);
}

static void refused_body(struct host *h)
{
    static const char *const types[] = {"Int", "String", "(Vec Int)",
                                        "(Option Int)", "(Vec (List Int))"};
    struct brolga_generated by = {copy_list, drop_list, NULL};
    struct functions f;

    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(
            brolga_type_generated(h->types, host_type(h, types[i]), &by),
            BROLGA_EINVAL);
    start(&f, h);
    start(&f, h); /* The same again. */
    cr_assert_eq(brolga_type_generated(h->types, f.list, &by), BROLGA_EEXIST);
}

Test(generated, functions_are_for_sums_that_refer_to_others)
{
    host_each_preset(refused_body);
}
