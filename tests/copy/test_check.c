/*
 * Goal: a check keeps what is unique, without a request for memory; copies what
 * is not, once, and gives up the references to it; and changes nothing when it
 * fails.
 * Method: values built by hand (host.h), and random ones that share objects
 * with a value that stays (checks.h). BROLGA_SEED repeats a run.
 */
#include "checks.h"
#include "host.h"

#include <stdio.h>

static struct brolga_model exact(struct brolga_model preset)
{
    preset.exact_counts = true;
    return preset;
}

static void each_exact_preset(void (*body)(struct host *h))
{
    struct host h;

    host_start(&h, exact(brolga_model_cranelisp()));
    body(&h);
    host_stop(&h);
    host_start(&h, exact(brolga_model_cranelisp_later()));
    body(&h);
    host_stop(&h);
}

static brolga_word must_check(const brolga_type *type, brolga_word word,
                              struct brolga_check_stats *stats)
{
    struct brolga_copy_error error = {0};
    int err = brolga_check_word(type, word, &word, stats, &error);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", error.path, error.text);
    return word;
}

/* --- what is unique ----------------------------------------------------- */

static void keep_all(struct host *h)
{
    const brolga_type *type = host_type(h, "(List (Option (Vec String)))");
    struct brolga_check_stats stats;
    brolga_word items[2] = {host_string(h, "a"), host_string(h, "bc")};
    brolga_word list = host_cons(
        h, host_some(h, host_vec(h, 2, 5, items)),
        host_cons(h, 0,
                  host_cons(h, host_some(h, host_vec(h, 0, 0, NULL)), 0)));
    int64_t made = h->made;
    brolga_word to;

    brolga__alloc_fail_nth(1);
    to = must_check(type, list, &stats);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(to, list);
    cr_assert_eq(h->made, made);
    cr_assert_eq(stats.kept, 10); /* 3 Cons, 2 Some, 2 + 1 Vec, 2 String */
    /* With headers, which bare buffers have not. */
    cr_assert_eq(stats.kept_bytes,
                 3 * 24 + 2 * 16 + 2 * 24 + 16 + 9 + 10 +
                     (h->preset.buffer_alloc != NULL ? 9 : 10) * 16);
    cr_assert_eq(stats.replaced, 0);
    cr_assert_not(stats.copied);
    brolga_drop_word(type, to);
}

Test(check, unique_values_stay_and_no_memory_is_asked_for)
{
    each_exact_preset(keep_all);
}

static void keep_deep(struct host *h)
{
    const brolga_type *type;
    struct brolga_check_stats stats;
    brolga_word tree = 0;

    host_define(h, "(deftype (Tree a) Tip "
                   "(Fork [:(Tree a) l :a v :(Tree a) r]))");
    type = host_type(h, "(Tree Int)");
    for (int i = 0; i < HOST_DEEP / 10; i++)
        tree = i % 2 ? HOST_OBJECT(h, 1, tree, i, 0)
                     : HOST_OBJECT(h, 1, 0, i, tree);
    brolga__alloc_fail_nth(1);
    tree = must_check(type, tree, &stats);
    brolga__alloc_fail_nth(0);
    cr_assert_eq(stats.kept, HOST_DEEP / 10);
    brolga_drop_word(type, tree);
}

Test(check, depth_needs_neither_stack_nor_memory)
{
    each_exact_preset(keep_deep);
}

/* Each left field leads to a subtree: all right ones wait at once. */
static void keep_comb(struct host *h)
{
    const brolga_type *type;
    struct brolga_check_stats stats;
    brolga_word tree = 0;

    host_define(h, "(deftype (Tree a) Tip "
                   "(Fork [:(Tree a) l :a v :(Tree a) r]))");
    type = host_type(h, "(Tree Int)");
    for (int i = 0; i < 1000; i++)
        tree = HOST_OBJECT(h, 1, tree, i, HOST_OBJECT(h, 1, 0, -i, 0));
    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga_check_word(type, tree, &tree, &stats, NULL),
                 BROLGA_ENOMEM);
    brolga__alloc_fail_nth(0);
    tree = must_check(type, tree, &stats);
    cr_assert_eq(stats.kept, 2000);
    cr_assert_eq(stats.replaced, 0);
    brolga_drop_word(type, tree);
}

Test(check, branches_wait_in_memory_when_there_are_many)
{
    each_exact_preset(keep_comb);
}

/* --- what is shared ----------------------------------------------------- */

static void replace_tail(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word tail = host_cons(h, 3, host_cons(h, 4, 0));
    brolga_word list = host_cons(h, 1, host_cons(h, 2, tail));
    brolga_word second = host_fields(h, list)[2], mine = host_share(h, tail);
    struct brolga_check_stats stats;
    brolga_word to = must_check(type, list, &stats), copy;

    cr_assert_eq(to, list);
    cr_assert_eq(host_fields(h, to)[2], second);
    copy = host_fields(h, second)[2];
    cr_assert_neq(copy, tail);
    cr_assert_eq(host_fields(h, copy)[1], 3);
    cr_assert_eq(*host_count(h, copy), 1);
    cr_assert_eq(*host_count(h, tail), 1, "the reference was not given up\n");
    cr_assert_eq(stats.kept, 2);
    cr_assert_eq(stats.replaced, 1);
    cr_assert_eq(stats.copied_bytes, 2 * 40);
    brolga_drop_word(type, to);
    brolga_drop_word(type, mine);
}

Test(check, a_shared_tail_is_copied_and_loses_a_reference)
{
    each_exact_preset(replace_tail);
}

static void replace_root(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word mine = host_cons(h, 1, 0), list = host_share(h, mine);
    struct brolga_check_stats stats;
    brolga_word to = must_check(type, list, &stats);

    cr_assert_neq(to, mine);
    cr_assert_eq(*host_count(h, mine), 1);
    cr_assert_eq(stats.kept, 0);
    brolga_drop_word(type, to);
    brolga_drop_word(type, mine);
}

Test(check, a_shared_root_is_copied)
{
    each_exact_preset(replace_root);
}

/* Both references are the value's own: the original goes. */
static void replace_inner(struct host *h)
{
    const brolga_type *type;
    struct brolga_check_stats stats;
    brolga_word text, pair, to;
    int64_t live;

    host_define(h, "(deftype (Pair a b) (Pair [:a x :b y]))");
    type = host_type(h, "(Pair (Option String) (Option String))");
    text = host_some(h, host_string(h, "both"));
    pair = HOST_OBJECT(h, 0, text, host_share(h, text));
    live = h->live;
    to = must_check(type, pair, &stats);
    cr_assert_eq(stats.replaced, 2);
    cr_assert_eq(host_fields(h, to)[1], host_fields(h, to)[2]);
    cr_assert_eq(*host_count(h, host_fields(h, to)[1]), 2);
    cr_assert_eq(h->live, live);
    brolga_drop_word(type, to);
}

Test(check, sharing_inside_stays_and_the_original_is_freed)
{
    each_exact_preset(replace_inner);
}

/* The data of a Vec is an object of its own in the first preset only. */
Test(check, a_vec_whose_data_is_shared_is_copied_as_a_whole)
{
    brolga_word item[2], one, two, to;
    struct brolga_check_stats stats;
    const brolga_type *type;
    struct host h;

    host_start(&h, exact(brolga_model_cranelisp()));
    type = host_type(&h, "(Vec String)");
    item[0] = host_string(&h, "x");
    item[1] = host_string(&h, "y");
    one = host_vec(&h, 2, 2, item);
    two = HOST_OBJECT(&h, 2, 2, host_share(&h, host_fields(&h, one)[2]));
    to = must_check(type, two, &stats);
    cr_assert_eq(stats.replaced, 1);
    cr_assert_eq(*host_count(&h, host_fields(&h, one)[2]), 1);
    cr_assert_neq(host_items(&h, to)[0], item[0]);
    cr_assert_eq(*host_count(&h, item[0]), 1);
    brolga_drop_word(type, one);
    brolga_drop_word(type, to);
    host_stop(&h);
}

static void pass_frozen(struct host *h)
{
    const brolga_type *type = host_type(h, "(List (Option Int))");
    brolga_word some = host_some(h, 7), list = host_cons(h, some, 0), to;
    struct brolga_check_stats stats;

    *host_count(h, some) = BROLGA_FROZEN_MIN;
    to = must_check(type, list, &stats);
    cr_assert_eq(host_fields(h, to)[1], some);
    cr_assert_eq(stats.replaced, 0);
    cr_assert_eq(*host_count(h, some), BROLGA_FROZEN_MIN);
    *host_count(h, some) = 1;
    brolga_drop_word(type, to);
}

Test(check, frozen_parts_are_passed_on)
{
    each_exact_preset(pass_frozen);
}

/* --- closures and handles ----------------------------------------------- */

static void keep_pin(struct host *h)
{
    static const char *const types[] = {"(List Int)", "Int"};
    struct host_code *code = host_add_code(h, "render", 2, types);
    const brolga_type *type = host_type(h, "(Option (Fn [Int] Int))");
    brolga_word tail = host_cons(h, 1, 0);
    brolga_word closure =
        host_closure(h, code, (brolga_word[]){host_share(h, tail), 5});
    struct brolga_check_stats stats;
    brolga_word to = must_check(type, host_some(h, closure), &stats);

    cr_assert_eq(host_fields(h, to)[1], closure);
    cr_assert_eq(code->pins, 1);
    cr_assert_neq(host_captures(h, closure)[0], tail);
    cr_assert_eq(*host_count(h, tail), 1);
    cr_assert_eq(stats.kept, 2);
    (void)host_share(h, closure);
    to = must_check(type, to, &stats);
    cr_assert_eq(code->pins, 2, "a shared closure was not copied\n");
    brolga_drop_word(type, to);
    cr_assert_eq(code->pins, 1);
    brolga_drop_word(host_type(h, "(Fn [Int] Int)"), closure);
    brolga_drop_word(host_type(h, "(List Int)"), tail);
    cr_assert_eq(code->pins, 0);
}

Test(check, a_closure_keeps_its_pin)
{
    each_exact_preset(keep_pin);
}

static void refuse_inside(struct host *h)
{
    const brolga_type *type;
    struct brolga_copy_error error;
    struct brolga_check_stats stats;
    const brolga_type *handle;
    brolga_word some, list, to = 77, mine;

    cr_assert_eq(
        brolga_type_handle(h->types, "Task", NULL, NULL, NULL, &handle),
        BROLGA_OK);
    type = host_type(h, "(List (Option Task))");
    some = host_some(h, 5);
    mine = host_share(h, host_cons(h, 0, 0));
    list = host_cons(h, 0, host_cons(h, some, mine));
    to = must_check(type, list, &stats); /* It moves with its owner. */
    cr_assert_eq(host_fields(h, host_fields(h, to)[2])[1], some);
    list = to;
    to = 77;
    (void)host_share(h, some);
    cr_assert_eq(brolga_check_word(type, list, &to, NULL, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_eq(to, 77);
    cr_assert_str_eq(error.path,
                     "field 2 of Cons -> field 1 of Cons -> field 1 of Some");
    cr_assert_eq(*host_count(h, some), 2);
    cr_assert_eq(host_fields(h, host_fields(h, list)[2])[1], some);
    brolga_drop_word(host_type(h, "(Option Task)"), some);
    brolga_drop_word(type, list);
    brolga_drop_word(type, mine);
}

Test(check, a_handle_moves_but_is_not_copied)
{
    each_exact_preset(refuse_inside);
}

/* --- models that do not tell -------------------------------------------- */

static void copy_all(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word list = host_cons(h, 1, host_cons(h, 2, 0));
    struct brolga_check_stats stats;
    int64_t made = h->made, live = h->live;
    brolga_word to = must_check(type, list, &stats);

    cr_assert(stats.copied);
    cr_assert_eq(stats.copied_bytes, 2 * 40);
    cr_assert_eq(h->made, made + 2);
    cr_assert_eq(h->live, live);
    brolga_drop_word(type, to);
}

Test(check, without_exact_counts_all_is_copied)
{
    host_each_preset(copy_all);
}

Test(check, plain_structs_stay_what_they_are)
{
    struct brolga_check_stats stats = {.kept = 9};
    const brolga_type *type;
    int32_t bytes[2] = {1, 2};
    struct host h;

    host_start(&h, exact(brolga_model_cranelisp()));
    cr_assert_eq(brolga_type_struct(h.types, "Pair", 8, 4, &type), BROLGA_OK);
    cr_assert_eq(brolga_check(type, bytes, &stats, NULL), BROLGA_OK);
    cr_assert_eq(bytes[1], 2);
    cr_assert_eq(stats.kept, 0);
    host_stop(&h);
}

/* --- pauses ------------------------------------------------------------- */

struct pauses {
    unsigned called;
    unsigned stop_at; /* 0: never */
    int stop_by;
};

static int note_pause(void *arg)
{
    struct pauses *pauses = arg;

    return ++pauses->called == pauses->stop_at ? pauses->stop_by : BROLGA_OK;
}

#define LONG 50000

static void check_with_pauses(struct host *h)
{
    const brolga_type *type = host_type(h, "(List (Option Int))");
    struct pauses pauses = {.stop_at = 3, .stop_by = BROLGA_ECANCELED};
    struct brolga_copy_opts opts = {.pause = note_pause, .arg = &pauses};
    brolga_word shared = host_some(h, 5), list = 0, first;
    struct brolga_check_stats stats;

    for (int i = 0; i < LONG; i++)
        list = host_cons(h, i % 100 == 0 ? host_share(h, shared) : 0, list);
    list = host_cons(h, host_share(h, shared), list);
    first = list;
    cr_assert_eq(brolga_check_with(type, &list, &opts, &stats, NULL),
                 BROLGA_ECANCELED);
    cr_assert_eq(pauses.called, 3);
    cr_assert_eq(list, first);
    cr_assert_eq(*host_count(h, shared), LONG / 100 + 2);
    cr_assert_eq(host_fields(h, list)[1], shared);
    pauses = (struct pauses){0};
    cr_assert_eq(brolga_check_with(type, &list, &opts, &stats, NULL),
                 BROLGA_OK);
    cr_assert_eq(pauses.called, LONG / 8192);
    cr_assert_eq(stats.kept, LONG + 1);
    cr_assert_eq(stats.replaced, LONG / 100 + 1);
    cr_assert_eq(*host_count(h, shared), 1);
    brolga_drop_word(type, list);
    brolga_drop_word(host_type(h, "(Option Int)"), shared);
}

/* What is replaced is long, or there is much of it. */
static void replace_with_pauses(struct host *h)
{
    const brolga_type *list = host_type(h, "(List Int)");
    const brolga_type *vec = host_type(h, "(Vec (List Int))");
    struct pauses pauses = {0};
    struct brolga_copy_opts opts = {.pause = note_pause, .arg = &pauses};
    brolga_word root = 0, again, short_one, *item;

    for (int i = 0; i < LONG; i++)
        root = host_cons(h, i, root);
    again = host_share(h, root);
    pauses = (struct pauses){.stop_at = 2, .stop_by = 1};
    cr_assert_eq(brolga_check_with(list, &root, &opts, NULL, NULL), 1);
    cr_assert_eq(root, again);
    cr_assert_eq(*host_count(h, root), 2);
    pauses = (struct pauses){0};
    cr_assert_eq(brolga_check_with(list, &root, &opts, NULL, NULL), BROLGA_OK);
    cr_assert_neq(root, again);
    cr_assert_gt(pauses.called, LONG * 40 / (256 << 10) - 1);
    brolga_drop_word(list, root);
    brolga_drop_word(list, again);

    item = calloc(LONG, sizeof(*item));
    short_one = host_cons(h, 1, 0);
    for (size_t i = 0; i < LONG; i++)
        item[i] = host_share(h, short_one);
    root = host_vec(h, LONG, LONG, item);
    free(item);
    pauses = (struct pauses){0};
    cr_assert_eq(brolga_check_with(vec, &root, &opts, NULL, NULL), BROLGA_OK);
    cr_assert_gt(pauses.called, LONG / 8192 - 1);
    cr_assert_eq(*host_count(h, short_one), 1);
    brolga_drop_word(list, short_one);
    brolga_drop_word(vec, root);
}

Test(check, what_is_replaced_is_copied_with_pauses)
{
    each_exact_preset(replace_with_pauses);
}

Test(check, a_pause_may_end_it_without_a_trace)
{
    each_exact_preset(check_with_pauses);
}

/* --- at random ---------------------------------------------------------- */

#define ROUNDS 150

static void rounds(struct brolga_model preset)
{
    static struct graph g;
    uint64_t seed = choices_seed();

    for (int i = 0; i < ROUNDS; i++) {
        struct choices choices = choices_of(seed, i);

        graph_start(&g, preset, choices);
        for (int j = 0; j < 10; j++) {
            checks_round(&g);
            checks_fail_round(&g);
            checks_refusal_round(&g);
        }
        brolga_types_destroy(g.types);
        cr_assert_eq(brolga__alloc_live(), 0);
    }
}

Test(check, random_values_become_disjoint_in_the_first_preset)
{
    rounds(exact(brolga_model_cranelisp()));
}

Test(check, random_values_become_disjoint_in_the_later_preset)
{
    rounds(exact(brolga_model_cranelisp_later()));
}
