/*
 * Goal: with BROLGA_DEBUG_RC, an object with more references than it counts is
 * told by type, way, and both parents, before a copy or a check comes to it;
 * right counts pass; and so do wrong ones while nobody asks.
 * Method: values whose counts are wrong on purpose. The environment is looked
 * at once; the tests make the library look again.
 */
#include "host.h"

#include "copy/copy.h"

#include <stdlib.h>

static void ask(const char *how)
{
    cr_assert_eq(setenv("BROLGA_DEBUG_RC", how, 1), 0);
    brolga__store_relaxed(&brolga__rc_wanted, BROLGA__RC_UNKNOWN);
}

static void exact_host(struct host *h)
{
    struct brolga_model model = brolga_model_cranelisp();

    model.exact_counts = true;
    host_start(h, model);
}

/* A Vec that was pushed to without counting its elements again. */
static brolga_word push_badly(struct host *h, brolga_word vec, brolga_word item)
{
    brolga_word both[2] = {host_items(h, vec)[0], item};

    return host_vec(h, 2, 2, both);
}

static void two_parents(struct host *h)
{
    struct brolga_copy_error error = {0};
    brolga_word text = host_string(h, "x"), one, two, list, to = 9;
    const brolga_type *type = host_type(h, "(List (Vec String))");

    one = host_vec(h, 1, 1, &text);
    two = push_badly(h, one, host_string(h, "y"));
    list = host_cons(h, one, host_cons(h, two, 0));
    cr_assert_eq(brolga_copy_word(type, list, &to, &error), BROLGA_EINVAL);
    cr_assert_eq(to, 9);
    cr_assert_eq(error.code, BROLGA_EINVAL);
    cr_assert_str_eq(error.path,
                     "field 2 of Cons -> field 1 of Cons -> element 1 of Vec");
    cr_assert_not_null(strstr(error.text, "String 0x"));
    cr_assert_not_null(
        strstr(error.text, "first by field 1 of Cons -> element 1 of Vec"));
    cr_assert_eq(brolga_check_word(type, list, &to, NULL, &error),
                 BROLGA_EINVAL);
    *host_count(h, text) = 2; /* As it should have been. */
    cr_assert_eq(brolga_copy_word(type, list, &to, &error), BROLGA_OK);
    brolga_drop_word(type, to);
    brolga_drop_word(type, list);
}

Test(audit, a_count_that_is_too_low_is_told_with_both_parents)
{
    struct host h;

    ask("1");
    exact_host(&h);
    two_parents(&h);
    host_stop(&h);
    ask("0");
}

Test(audit, data_of_two_vecs_is_an_object_too)
{
    struct brolga_copy_error error = {0};
    brolga_word text, one, two, list, to = 9;
    const brolga_type *type;
    struct host h;

    ask("1");
    exact_host(&h);
    type = host_type(&h, "(List (Vec String))");
    text = host_string(&h, "x");
    one = host_vec(&h, 1, 1, &text);
    two = HOST_OBJECT(&h, 1, 1, host_fields(&h, one)[2]);
    list = host_cons(&h, one, host_cons(&h, two, 0));
    cr_assert_eq(brolga_copy_word(type, list, &to, &error), BROLGA_EINVAL);
    cr_assert_str_eq(error.path, "field 2 of Cons -> field 1 of Cons");
    cr_assert_not_null(strstr(error.text, "first by field 1 of Cons"));
    *host_count(&h, host_fields(&h, one)[2]) = 2;
    cr_assert_eq(brolga_copy_word(type, list, &to, &error), BROLGA_OK);
    brolga_drop_word(type, to);
    brolga_drop_word(type, list);
    host_stop(&h);
    ask("0");
}

/* Counts of 1 all the way: each node is visited once, or this never ends. */
Test(audit, a_graph_of_wrong_counts_takes_no_time)
{
    struct brolga_copy_error error = {0};
    brolga_word tree = 0, to = 9, node[41];
    const brolga_type *type;
    struct host h;

    ask("1");
    exact_host(&h);
    host_define(&h, "(deftype (Tree a) Tip "
                    "(Fork [:(Tree a) l :a v :(Tree a) r]))");
    type = host_type(&h, "(Tree Int)");
    for (int i = 0; i <= 40; i++)
        node[i] = tree = HOST_OBJECT(&h, 1, tree, i, tree);
    cr_assert_eq(brolga_copy_word(type, tree, &to, &error), BROLGA_EINVAL);
    cr_assert_not_null(strstr(error.path, "field 3 of Fork"));
    for (int i = 0; i < 40; i++)
        *host_count(&h, node[i]) = 2;
    brolga_drop_word(type, tree);
    host_stop(&h);
    ask("0");
}

Test(audit, counts_from_outside_and_frozen_parts_pass)
{
    const brolga_type *type;
    brolga_word some, list, to;
    struct host h;

    ask("1");
    exact_host(&h);
    type = host_type(&h, "(List (Option Int))");
    some = host_some(&h, 1);
    list = host_cons(&h, some, host_cons(&h, host_share(&h, some), 0));
    (void)host_share(&h, some); /* Held elsewhere. */
    cr_assert_eq(brolga_copy_word(type, list, &to, NULL), BROLGA_OK);
    brolga_drop_word(type, to);
    cr_assert_eq(brolga__audit(type, list, true, NULL), BROLGA_EINVAL);
    *host_count(&h, some) = 2;
    cr_assert_eq(brolga__audit(type, list, true, NULL), BROLGA_OK);
    *host_count(&h, some) = BROLGA_FROZEN_MIN;
    cr_assert_eq(brolga__audit(type, list, true, NULL), BROLGA_OK);
    *host_count(&h, some) = 2;
    brolga_drop_word(type, list);
    host_stop(&h);
    ask("0");
}

Test(audit, nobody_is_audited_who_did_not_ask)
{
    brolga_word text, pair, to;
    const brolga_type *type;
    struct host h;

    ask("0");
    exact_host(&h);
    host_define(&h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    type = host_type(&h, "(Pair String String)");
    text = host_string(&h, "x");
    pair = HOST_OBJECT(&h, 0, text, text);
    cr_assert_eq(brolga_copy_word(type, pair, &to, NULL), BROLGA_OK);
    brolga_drop_word(type, to);
    *host_count(&h, text) = 2;
    brolga_drop_word(type, pair);
    host_stop(&h);
}

Test(audit, memory_that_is_missing_finds_nothing)
{
    brolga_word text, pair, to = 0;
    const brolga_type *type;
    struct host h;
    int err = BROLGA_OK;

    ask("1");
    exact_host(&h);
    host_define(&h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    type = host_type(&h, "(Pair String String)");
    text = host_string(&h, "x");
    pair = HOST_OBJECT(&h, 0, text, text);
    for (uint64_t n = 1; err != BROLGA_EINVAL; n++) { /* Requests end. */
        brolga__alloc_fail_nth(n);
        err = brolga_copy_word(type, pair, &to, NULL);
        brolga__alloc_fail_nth(0);
        cr_assert(err != BROLGA_ENOMEM || to == 0);
        if (err == BROLGA_OK)
            brolga_drop_word(type, to);
    }
    *host_count(&h, text) = 2;
    brolga_drop_word(type, pair);
    host_stop(&h);
    ask("0");
}

#ifndef CRITERION_STAND_IN
#include <signal.h>

Test(audit, abort_ends_the_program, .signal = SIGABRT)
{
    brolga_word text, pair, to;
    const brolga_type *type;
    struct host h;

    ask("abort");
    exact_host(&h);
    host_define(&h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    type = host_type(&h, "(Pair String String)");
    text = host_string(&h, "x");
    pair = HOST_OBJECT(&h, 0, text, text);
    cr_assert_neq(brolga_copy_word(type, pair, &to, NULL), BROLGA_OK);
}
#endif
