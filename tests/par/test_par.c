/*
 * Goal: parallel collections give what a loop would give, lend what may be
 * lent, copy what must be copied, and name the element that failed.
 *
 * Method: functions on elements that write down what they saw; values with and
 * without shared objects in a heap that counts; both models.
 */
#include "tasks/world.h"

#include <brolga/freeze.h>
#include <brolga/par.h>

#include <stdlib.h>
#include <string.h>

static brolga_types *types;
static struct brolga_model preset, model;
static _Atomic int64_t live; /* Objects. */

static brolga_word count_alloc(int64_t bytes, void *arg)
{
    brolga_word value = preset.alloc(bytes, NULL);

    (void)arg;
    if (value != 0)
        (void)brolga__add_relaxed(&live, 1);
    return value;
}

static void count_free(brolga_word value, void *arg)
{
    (void)arg;
    (void)brolga__sub_release(&live, 1);
    preset.free(value, NULL);
}

static void open_with(uint32_t workers)
{
    world_open_with(&(struct brolga_opts){.workers = workers});
    model = preset = brolga_model_cranelisp();
    model.alloc = count_alloc;
    model.free = count_free;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
}

static void close_all(void)
{
    world_close();
    cr_assert_eq(brolga__load_relaxed(&live), 0, "%lld objects are left",
                 (long long)live);
    brolga_types_destroy(types);
}

static const brolga_type *type_of(const char *text)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_parse(types, text, &type, NULL), BROLGA_OK);
    return type;
}

/* --- values by hand: fields behind a header of size and count ----------- */

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static brolga_word count_of(brolga_word value)
{
    return fields(value)[-1];
}

static brolga_word share(brolga_word value)
{
    fields(value)[-1]++;
    return value;
}

static brolga_word vec_of(const brolga_word *element, size_t count)
{
    brolga_word vec = model.alloc(24, NULL);

    fields(vec)[0] = fields(vec)[1] = (brolga_word)count;
    fields(vec)[2] = 0;
    if (count > 0) {
        fields(vec)[2] = model.alloc((int64_t)count * 8, NULL);
        memcpy(fields(fields(vec)[2]), element, count * 8);
    }
    return vec;
}

static brolga_word element_of(brolga_word vec, size_t i)
{
    return fields(fields(vec)[2])[i];
}

static size_t length_of(brolga_word vec)
{
    return (size_t)fields(vec)[0];
}

static brolga_word cons(brolga_word head, brolga_word tail)
{
    brolga_word node = model.alloc(24, NULL);

    fields(node)[0] = 1;
    fields(node)[1] = head;
    fields(node)[2] = tail;
    return node;
}

static brolga_word some(brolga_word value)
{
    brolga_word object = model.alloc(16, NULL);

    fields(object)[0] = 1;
    fields(object)[1] = value;
    return object;
}

static brolga_word numbers(size_t count)
{
    brolga_word *element = malloc((count + 1) * sizeof *element);
    brolga_word vec;

    for (size_t i = 0; i < count; i++)
        element[i] = (brolga_word)i;
    vec = vec_of(element, count);
    free(element);
    return vec;
}

static brolga_word list_of(size_t count)
{
    brolga_word list = 0;

    for (size_t i = count; i-- > 0;)
        list = cons((brolga_word)i, list);
    return list;
}

/* --- functions ---------------------------------------------------------- */

static brolga_word plus(brolga_word env, brolga_word element)
{
    return element + env;
}

static brolga_word busy(brolga_word env, brolga_word element)
{
    uint64_t until = brolga_now_ns() + (uint64_t)env;

    while (brolga_now_ns() < until)
        continue;
    return 2 * element;
}

static brolga_word is_even(brolga_word env, brolga_word element)
{
    (void)env;
    return element % 2 == 0;
}

/* --- numbers ------------------------------------------------------------ */

struct seen {
    _Atomic int *times;
    size_t count;
};

static int see(void *arg, size_t begin, size_t end)
{
    struct seen *seen = arg;

    for (size_t i = begin; i < end; i++)
        (void)brolga__add_relaxed(&seen->times[i], 1);
    return BROLGA_OK;
}

static brolga_word see_from_task(void *arg)
{
    struct seen *seen = arg;

    return brolga_pfor(rt, seen->count, see, seen, NULL, NULL);
}

static void check_seen(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        cr_assert_eq(brolga__load_relaxed(&seen->times[i]), 1, "%zu: %d", i,
                     seen->times[i]);
    free((void *)seen->times);
}

Test(par, pfor_does_every_number_once)
{
    static const size_t counts[] = {0, 1, 2, 3, 100, 1 << 20};

    open_with(2);
    for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
        struct seen seen = {calloc(counts[n] + 1, sizeof(int)), counts[n]};

        cr_assert_eq(brolga_pfor(rt, counts[n], see, &seen, NULL, NULL),
                     BROLGA_OK);
        check_seen(&seen);
        seen = (struct seen){calloc(counts[n] + 1, sizeof(int)), counts[n]};
        cr_assert_eq(joined(spawned(see_from_task, &seen)), BROLGA_OK);
        check_seen(&seen);
    }
    close_all();
}

static int refuse_at_70(void *arg, size_t begin, size_t end)
{
    (void)brolga__add_relaxed((_Atomic int *)arg, 1);
    return begin <= 70 && 70 < end ? BROLGA_EIO : BROLGA_OK;
}

Test(par, a_body_that_returns_an_error_stops_the_rest)
{
    struct brolga_par_opts opts = {.chunk = 1};
    _Atomic int chunks = 0;

    open_with(1);
    cr_assert_eq(
        brolga_pfor(rt, 1000, refuse_at_70, (void *)&chunks, &opts, NULL),
        BROLGA_EIO);
    cr_assert_eq(brolga__load_relaxed(&chunks), 71);
    close_all();
}

struct workers {
    _Atomic uint64_t met;
    _Atomic bool slow;
};

static int meet(void *arg, size_t begin, size_t end)
{
    struct workers *workers = arg;
    uint64_t until = brolga_now_ns() + 200 * BROLGA_US;

    (void)begin;
    (void)end;
    (void)brolga__or_relaxed(&workers->met,
                             UINT64_C(1) << brolga__worker_self(rt)->number);
    while (brolga_now_ns() < until)
        continue;
    return BROLGA_OK;
}

Test(par, expensive_numbers_are_shared_out)
{
    struct workers workers = {0};

    open_with(2);
    /* One second of work at the most: until both workers have been seen. */
    for (int i = 0; i < 100 && brolga__load_relaxed(&workers.met) != 3; i++)
        cr_assert_eq(brolga_pfor(rt, 50, meet, &workers, NULL, NULL),
                     BROLGA_OK);
    cr_assert_eq(brolga__load_relaxed(&workers.met), 3);
    close_all();
}

/* --- map ---------------------------------------------------------------- */

Test(par, pmap_over_vecs_and_lists_keeps_the_order)
{
    static const size_t counts[] = {0, 1, 2, 1000, 100000};
    struct brolga_par_fn fn = {.fn = plus, .env = 7};
    const brolga_type *vec, *list;

    open_with(2);
    vec = type_of("(Vec Int)");
    list = type_of("(List Int)");
    for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
        size_t count = counts[n];
        brolga_word in = numbers(count), chain = list_of(count), out, at;

        cr_assert_eq(brolga_pmap(rt, vec, in, &fn, vec, &out, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(length_of(out), count);
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(element_of(out, i), (brolga_word)i + 7);
        brolga_drop_word(vec, out);
        cr_assert_eq(brolga_pmap(rt, vec, in, &fn, list, &out, NULL, NULL),
                     BROLGA_OK);
        at = out;
        for (size_t i = 0; i < count; i++, at = fields(at)[2])
            cr_assert_eq(fields(at)[1], (brolga_word)i + 7);
        cr_assert_eq(at, 0);
        brolga_drop_word(list, out);
        cr_assert_eq(brolga_pmap(rt, list, chain, &fn, vec, &out, NULL, NULL),
                     BROLGA_OK);
        cr_assert_eq(length_of(out), count);
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(element_of(out, i), (brolga_word)i + 7);
        brolga_drop_word(vec, out);
        brolga_drop_word(vec, in);
        brolga_drop_word(list, chain);
    }
    close_all();
}

/* Notes where the element lay, and shares it with its result. */
static brolga_word pass_on(brolga_word env, brolga_word element)
{
    brolga_word **seen = (brolga_word **)(uintptr_t)env;

    if (element != 0)
        (*seen)[fields(element)[1]] = element;
    return element == 0 ? 0 : share(element);
}

Test(par, what_is_unique_is_lent_and_what_is_shared_is_copied)
{
    brolga_word element[4], seen[4] = {0}, *at = seen, in, out;
    struct brolga_par_fn fn = {.fn = pass_on,
                               .env = (brolga_word)(uintptr_t)&at};
    const brolga_type *type;

    open_with(2);
    type = type_of("(Vec (Option Int))");
    element[0] = some(0);
    element[1] = share(some(1)); /* The test has a reference, too. */
    element[2] = 0;
    element[3] = some(3);
    in = vec_of(element, 4);
    cr_assert_eq(brolga_pmap(rt, type, in, &fn, type, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(seen[0], element[0]);
    cr_assert_neq(seen[1], element[1]);
    cr_assert_eq(seen[3], element[3]);
    cr_assert_eq(count_of(element[0]), 2); /* In both. */
    cr_assert_eq(count_of(element[1]), 2); /* As before. */
    cr_assert_eq(count_of(element_of(out, 1)), 1);
    brolga_drop_word(type, out);
    cr_assert_eq(count_of(element[0]), 1);
    brolga_drop_word(type, in);
    brolga_drop_word(type_of("(Option Int)"), element[1]);
    close_all();
}

static brolga_word copy_inner(brolga_word env, brolga_word element)
{
    brolga_word copy = 0;

    if (brolga_copy_word((const brolga_type *)(uintptr_t)env, element, &copy,
                         NULL) != BROLGA_OK)
        brolga_panic("not copied");
    return copy;
}

/* Elements that share an object are copied apart, in parallel, while nothing is
 * written to it; then its counts are as before. */
Test(par, elements_that_share_an_object_do_not_meet)
{
    enum { ELEMENTS = 20000 };
    brolga_word *element = malloc(ELEMENTS * sizeof *element);
    const brolga_type *inner, *type;
    brolga_word common, in, out;
    struct brolga_par_fn fn = {.fn = copy_inner};

    open_with(2);
    inner = type_of("(Option (Option Int))");
    type = type_of("(Vec (Option (Option Int)))");
    fn.env = (brolga_word)(uintptr_t)inner;
    common = some(5);
    for (int i = 0; i < ELEMENTS; i++)
        element[i] = some(share(common));
    in = vec_of(element, ELEMENTS);
    cr_assert_eq(brolga_pmap(rt, type, in, &fn, type, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(count_of(common), ELEMENTS + 1);
    for (int i = 0; i < ELEMENTS; i++) {
        cr_assert_neq(fields(element_of(out, i))[1], common);
        cr_assert_eq(fields(fields(element_of(out, i))[1])[1], 5);
    }
    brolga_drop_word(type, out);
    brolga_drop_word(type, in);
    cr_assert_eq(count_of(common), 1);
    brolga_drop_word(type_of("(Option Int)"), common);
    free(element);
    close_all();
}

static void plus_many(brolga_word env, const brolga_word *in, brolga_word *out,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] + env;
}

static void boxed_many(brolga_word env, const brolga_word *in, brolga_word *out,
                       size_t count)
{
    (void)env;
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] == 0 ? -1 : fields(in[i])[1];
}

Test(par, a_function_for_many_sees_every_element_once)
{
    struct brolga_par_fn ints = {.fn = plus, .many = plus_many, .env = 7};
    struct brolga_par_fn boxes = {.fn = plus, .many = boxed_many};
    struct brolga_par_opts opts = {.chunk = 3};
    brolga_word element[10], in, out, common;
    const brolga_type *vec, *type;

    open_with(2);
    vec = type_of("(Vec Int)");
    type = type_of("(Vec (Option Int))");
    in = numbers(100000);
    cr_assert_eq(brolga_pmap(rt, vec, in, &ints, vec, &out, NULL, NULL),
                 BROLGA_OK);
    for (size_t i = 0; i < 100000; i++)
        cr_assert_eq(element_of(out, i), (brolga_word)i + 7);
    brolga_drop_word(vec, out);
    brolga_drop_word(vec, in);
    /* Some are copied, some are lent. */
    common = some(100);
    for (int i = 0; i < 10; i++)
        element[i] = i == 4 ? 0 : i % 3 ? some(i) : share(common);
    in = vec_of(element, 10);
    cr_assert_eq(brolga_pmap(rt, type, in, &boxes, vec, &out, &opts, NULL),
                 BROLGA_OK);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(element_of(out, (size_t)i), i == 4 ? -1 : i % 3 ? i : 100);
    brolga_drop_word(vec, out);
    brolga_drop_word(type, in);
    brolga_drop_word(type_of("(Option Int)"), common);
    close_all();
}

/* In two places, yet lent: nobody counts it. */
Test(par, what_is_frozen_is_passed_on)
{
    brolga_word element[2], seen[4] = {0}, *at = seen, frozen, source, in, out;
    struct brolga_par_fn fn = {.fn = pass_on,
                               .env = (brolga_word)(uintptr_t)&at};
    const brolga_type *type, *one;
    brolga_region *region;

    open_with(2);
    type = type_of("(Vec (Option Int))");
    one = type_of("(Option Int)");
    source = some(3);
    cr_assert_eq(brolga_freeze(one, source, &frozen, &region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(one, source);
    element[0] = element[1] = frozen;
    in = vec_of(element, 2);
    cr_assert_eq(brolga_pmap(rt, type, in, &fn, type, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(seen[3], frozen);
    cr_assert_eq(element_of(out, 0), frozen);
    cr_assert_eq(element_of(out, 1), frozen);
    brolga_drop_word(type, out);
    brolga_drop_word(type, in);
    brolga_region_release(region);
    close_all();
}

/* --- failures ----------------------------------------------------------- */

static brolga_word box_but_fail(brolga_word env, brolga_word element)
{
    if (element >= env)
        brolga_panic("no box for %lld", (long long)element);
    return some(element);
}

Test(par, a_failure_names_the_element_and_leaves_nothing)
{
    struct brolga_par_fn fn = {.fn = box_but_fail, .env = 4321};
    struct brolga_par_failure failure;
    const brolga_type *vec, *list, *ints;
    brolga_word in, out = 99;

    open_with(2);
    ints = type_of("(Vec Int)");
    vec = type_of("(Vec (Option Int))");
    list = type_of("(List (Option Int))");
    in = numbers(20000);
    cr_assert_eq(brolga_pmap(rt, ints, in, &fn, vec, &out, NULL, &failure),
                 BROLGA_EFAILED);
    cr_assert_geq(failure.index, 4321);
    cr_assert(strstr(failure.failure.message, "no box for") != NULL, "%s",
              failure.failure.message);
    cr_assert_eq(atoi(strstr(failure.failure.message, "for") + 4),
                 (int)failure.index);
    cr_assert_eq(brolga_pmap(rt, ints, in, &fn, list, &out, NULL, NULL),
                 BROLGA_EFAILED);
    cr_assert_eq(out, 99);
    brolga_drop_word(ints, in);
    close_all();
}

Test(par, one_worker_fails_at_the_first_one)
{
    struct brolga_par_fn fn = {.fn = box_but_fail, .env = 4321};
    struct brolga_par_failure failure;
    brolga_word in, out;

    open_with(1);
    in = numbers(20000);
    cr_assert_eq(brolga_pmap(rt, type_of("(Vec Int)"), in, &fn,
                             type_of("(Vec (Option Int))"), &out, NULL,
                             &failure),
                 BROLGA_EFAILED);
    cr_assert_eq(failure.index, 4321);
    brolga_drop_word(type_of("(Vec Int)"), in);
    close_all();
}

Test(par, what_cannot_be_lent_nor_copied_is_refused_with_its_place)
{
    brolga_word element[3], in, out, io;
    struct brolga_par_fn fn = {.fn = is_even};
    struct brolga_par_failure failure;
    const brolga_type *type, *handle;

    open_with(2);
    cr_assert_eq(brolga_type_handle(types, "Key", NULL, NULL, NULL, &handle),
                 BROLGA_OK);
    type = type_of("(Vec (Option Key))");
    io = some(1234);
    element[0] = some(0);
    element[1] = some(0);
    element[2] = share(io);
    in = vec_of(element, 3);
    cr_assert_eq(brolga_pmap(rt, type, in, &fn, type_of("(Vec Int)"), &out,
                             NULL, &failure),
                 BROLGA_EUNSENDABLE);
    cr_assert_eq(failure.index, 2);
    cr_assert_str_eq(failure.copy.path, "field 1 of Some");
    brolga_drop_word(type, in);
    brolga_drop_word(type_of("(Option Key)"), io);
    close_all();
}

Test(par, deadlines_end_it_between_two_chunks)
{
    struct brolga_par_opts opts = {.deadline_ns =
                                       brolga_after_ns(20 * BROLGA_MS)};
    struct brolga_par_fn fn = {.fn = busy, .env = (brolga_word)BROLGA_MS};
    const brolga_type *vec;
    brolga_word in, out;

    open_with(2);
    vec = type_of("(Vec Int)");
    in = numbers(100000);
    cr_assert_eq(brolga_pmap(rt, vec, in, &fn, vec, &out, &opts, NULL),
                 BROLGA_ETIMEOUT);
    brolga_drop_word(vec, in);
    close_all();
}

/* --- the function's environment ----------------------------------------- */

static _Atomic int64_t envs; /* Copies of the handle that are alive. */
static _Atomic int copied;

static void retain_env(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__add_relaxed(&envs, 1);
    (void)brolga__add_relaxed(&copied, 1);
}

static void release_env(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__sub_release(&envs, 1);
}

/* Workers that have been at it. Until there are two, each element takes long,
 * so that it pays to share them out. */
static _Atomic uint64_t met;

static void take_long(void)
{
    uint64_t until = brolga_now_ns() + 200 * BROLGA_US;

    (void)brolga__or_relaxed(&met, UINT64_C(1)
                                       << brolga__worker_self(rt)->number);
    while (brolga__load_relaxed(&met) != 3 && brolga_now_ns() < until)
        continue;
}

static _Atomic int overlaps;

/* Its environment is in the hands of one range, also across a park. */
static brolga_word use_env(brolga_word env, brolga_word element)
{
    take_long();
    if (fields(env)[-1]++ != 1)
        (void)brolga__add_relaxed(&overlaps, 1);
    if (element % 100 == 0)
        brolga_yield();
    if (fields(env)[-1]-- != 2)
        (void)brolga__add_relaxed(&overlaps, 1);
    return element;
}

Test(par, each_range_has_an_environment_of_its_own)
{
    struct brolga_par_fn fn = {.fn = use_env};
    const brolga_type *vec, *key;
    brolga_word in, out;

    open_with(2);
    vec = type_of("(Vec Int)");
    cr_assert_eq(
        brolga_type_handle(types, "Key", retain_env, release_env, NULL, &key),
        BROLGA_OK);
    fn.env_type = type_of("(Option Key)");
    fn.env = some(1);
    in = numbers(200000);
    cr_assert_eq(brolga_pmap(rt, vec, in, &fn, vec, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga__load_relaxed(&met), 3);
    cr_assert_eq(brolga__load_relaxed(&overlaps), 0);
    cr_assert_eq(count_of(fn.env), 1);
    cr_assert_eq(brolga__load_relaxed(&envs), 0);
    cr_assert_geq(brolga__load_relaxed(&copied), 1);
    cr_assert_leq(brolga__load_relaxed(&copied), 100);
    brolga_drop_word(vec, out);
    brolga_drop_word(vec, in);
    brolga_drop_word(fn.env_type, fn.env);
    close_all();
}

/* --- filter and reduce -------------------------------------------------- */

Test(par, pfilter_keeps_in_order_and_shares_with_its_source)
{
    struct brolga_par_fn fn = {.fn = is_even};
    const brolga_type *vec, *list;
    brolga_word in, chain, out, at;

    open_with(2);
    vec = type_of("(Vec Int)");
    list = type_of("(List Int)");
    in = numbers(50001);
    chain = list_of(50001);
    cr_assert_eq(brolga_pfilter(rt, vec, in, &fn, &out, NULL, NULL), BROLGA_OK);
    cr_assert_eq(length_of(out), 25001);
    for (size_t i = 0; i < length_of(out); i++)
        cr_assert_eq(element_of(out, i), 2 * (brolga_word)i);
    brolga_drop_word(vec, out);
    cr_assert_eq(brolga_pfilter(rt, list, chain, &fn, &out, NULL, NULL),
                 BROLGA_OK);
    at = out;
    for (brolga_word i = 0; i < 25001; i++, at = fields(at)[2])
        cr_assert_eq(fields(at)[1], 2 * i);
    cr_assert_eq(at, 0);
    brolga_drop_word(list, out);
    brolga_drop_word(vec, in);
    brolga_drop_word(list, chain);
    close_all();
}

static brolga_word has_value(brolga_word env, brolga_word element)
{
    (void)env;
    return element != 0;
}

Test(par, what_pfilter_keeps_has_a_reference_more)
{
    struct brolga_par_fn fn = {.fn = has_value};
    brolga_word element[3], in, out;
    const brolga_type *type;

    open_with(2);
    type = type_of("(Vec (Option Int))");
    element[0] = some(1);
    element[1] = 0;
    element[2] = share(element[0]);
    in = vec_of(element, 3);
    cr_assert_eq(brolga_pfilter(rt, type, in, &fn, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(length_of(out), 2);
    cr_assert_eq(count_of(element[0]), 4);
    brolga_drop_word(type, in);
    cr_assert_eq(count_of(element[0]), 2);
    brolga_drop_word(type, out);
    close_all();
}

Test(par, pfilter_refuses_handles_that_cannot_be_shared)
{
    struct brolga_par_fn fn = {.fn = is_even};
    struct brolga_par_failure failure;
    brolga_word element[2] = {2048, 4096}, in, out = -1;
    const brolga_type *type, *handle;

    open_with(2);
    cr_assert_eq(
        brolga_type_handle(types, "Key", NULL, release_env, NULL, &handle),
        BROLGA_OK);
    type = type_of("(Vec Key)");
    brolga__store_relaxed(&envs, 2);
    in = vec_of(element, 2);
    cr_assert_eq(brolga_pfilter(rt, type, in, &fn, &out, NULL, &failure),
                 BROLGA_EUNSENDABLE);
    cr_assert_eq(out, -1);
    cr_assert_eq(failure.index, 0);
    cr_assert_eq(failure.copy.code, BROLGA_EUNSENDABLE);
    brolga_drop_word(type, in);
    cr_assert_eq(brolga__load_relaxed(&envs), 0);
    close_all();
}

static brolga_word add(brolga_word env, brolga_word left, brolga_word right)
{
    (void)env;
    return left + right;
}

/* Strings, joined: associative, not commutative. */
static brolga_word string_of(const char *bytes, size_t count)
{
    brolga_word string = model.alloc(8 + (int64_t)count, NULL);

    fields(string)[0] = (brolga_word)count;
    memcpy(&fields(string)[1], bytes, count);
    return string;
}

static brolga_word join_strings(brolga_word env, brolga_word left,
                                brolga_word right)
{
    size_t a = (size_t)fields(left)[0], b = (size_t)fields(right)[0];
    brolga_word joint;

    (void)env;
    take_long();
    joint = model.alloc(8 + (int64_t)(a + b), NULL);
    fields(joint)[0] = (brolga_word)(a + b);
    memcpy(&fields(joint)[1], &fields(left)[1], a);
    memcpy((char *)&fields(joint)[1] + a, &fields(right)[1], b);
    return joint;
}

Test(par, preduce_folds_in_order)
{
    enum { STRINGS = 3000 };
    struct brolga_par_fn2 sum = {.fn = add}, join = {.fn = join_strings};
    struct brolga_par_opts opts = {.chunk = 10};
    brolga_word element[STRINGS], in, out, empty;
    const brolga_type *ints, *strings;

    open_with(2);
    ints = type_of("(Vec Int)");
    strings = type_of("(Vec String)");
    in = numbers(1000001);
    cr_assert_eq(brolga_preduce(rt, ints, in, &sum, 0, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(out, INT64_C(500000500000));
    brolga_drop_word(ints, in);
    in = numbers(0);
    cr_assert_eq(brolga_preduce(rt, ints, in, &sum, 17, &out, NULL, NULL),
                 BROLGA_OK);
    cr_assert_eq(out, 17);
    brolga_drop_word(ints, in);
    for (int i = 0; i < STRINGS; i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "%05d", i);
        element[i] = string_of(text, 5);
    }
    in = vec_of(element, STRINGS);
    empty = string_of("", 0);
    cr_assert_eq(
        brolga_preduce(rt, strings, in, &join, empty, &out, &opts, NULL),
        BROLGA_OK);
    cr_assert_eq(brolga__load_relaxed(&met), 3);
    cr_assert_eq(fields(out)[0], 5 * STRINGS);
    for (int i = 0; i < STRINGS; i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "%05d", i);
        cr_assert_eq(memcmp((char *)&fields(out)[1] + 5 * i, text, 5), 0);
    }
    brolga_drop_word(type_of("String"), out);
    brolga_drop_word(type_of("String"), empty);
    brolga_drop_word(strings, in);
    close_all();
}

/* The environment is changed, and marked while it is copied, when spans begin
 * that copy the identity. */
static brolga_word join_with_env(brolga_word env, brolga_word left,
                                 brolga_word right)
{
    uint64_t until = brolga_now_ns() + 20 * BROLGA_US;

    (void)share(element_of(env, 0));
    while (brolga_now_ns() < until)
        continue;
    fields(element_of(env, 0))[-1]--;
    (void)left;
    return share(right);
}

Test(par, an_identity_may_be_part_of_the_environment)
{
    enum { STRINGS = 3000, ROUNDS = 5 };
    struct brolga_par_fn2 join = {.fn = join_with_env};
    struct brolga_par_opts opts = {.chunk = 1};
    brolga_word element[STRINGS], in, out, empty;
    const brolga_type *strings;

    open_with(4);
    strings = type_of("(Vec String)");
    for (int i = 0; i < STRINGS; i++)
        element[i] = string_of("a", 1);
    in = vec_of(element, STRINGS);
    for (int i = 1; i < STRINGS; i++)
        element[i] = string_of("b", 1);
    element[0] = empty = string_of("", 0);
    join.env = vec_of(element, STRINGS);
    join.env_type = strings;
    for (int i = 0; i < ROUNDS; i++) {
        int err = brolga_preduce(rt, strings, in, &join, share(empty), &out,
                                 &opts, NULL);

        cr_assert_eq(err, BROLGA_OK, "round %d: %s\n", i,
                     brolga_error_name(err));
        cr_assert_eq(fields(out)[0], 1);
        brolga_drop_word(type_of("String"), out);
        brolga_drop_word(type_of("String"), empty);
        cr_assert_eq(count_of(empty), 1);
    }
    brolga_drop_word(strings, join.env);
    brolga_drop_word(strings, in);
    close_all();
}

static brolga_word join_or_fail(brolga_word env, brolga_word left,
                                brolga_word right)
{
    if (memcmp(&fields(right)[1], "00777", 5) == 0)
        brolga_panic("777");
    return join_strings(env, left, right);
}

Test(par, a_failed_preduce_leaves_nothing)
{
    enum { STRINGS = 2000 };
    struct brolga_par_fn2 join = {.fn = join_or_fail};
    struct brolga_par_failure failure;
    brolga_word element[STRINGS], in, out, empty;
    const brolga_type *strings;

    open_with(2);
    strings = type_of("(Vec String)");
    for (int i = 0; i < STRINGS; i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "%05d", i);
        element[i] = string_of(text, 5);
    }
    in = vec_of(element, STRINGS);
    empty = string_of("", 0);
    cr_assert_eq(
        brolga_preduce(rt, strings, in, &join, empty, &out, NULL, &failure),
        BROLGA_EFAILED);
    cr_assert_eq(failure.index, 777);
    cr_assert_str_eq(failure.failure.message, "777");
    brolga_drop_word(type_of("String"), empty);
    brolga_drop_word(strings, in);
    close_all();
}

/* --- without memory ----------------------------------------------------- */

/* What all of these do asks for no memory. */
static brolga_word same(brolga_word env, brolga_word element)
{
    (void)env;
    return share(element);
}

static brolga_word holds_odd(brolga_word env, brolga_word element)
{
    (void)env;
    return fields(element)[1] & 1;
}

static brolga_word right_of(brolga_word env, brolga_word left,
                            brolga_word right)
{
    (void)env;
    (void)left;
    return share(right);
}

struct poor {
    const brolga_type *list, *vec, *element;
    brolga_word in; /* A list; half of its elements are shared. */
    brolga_word identity;
};

/* One of the calls, with the n-th allocation failing. */
static int call_poor(const struct poor *poor, int which, uint64_t n)
{
    struct brolga_par_fn map = {
        .fn = same, .env = poor->identity, .env_type = poor->element};
    struct brolga_par_fn keep = {.fn = holds_odd};
    struct brolga_par_fn2 fold = {.fn = right_of};
    struct brolga_par_opts opts = {.chunk = 1};
    const brolga_type *type = which == 0 ? poor->vec : poor->list;
    brolga_word out = 0;
    int err;

    brolga__alloc_fail_nth(n);
    if (which < 2)
        err = brolga_pmap(rt, poor->list, poor->in, &map, type, &out, &opts,
                          NULL);
    else if (which == 2)
        err = brolga_pfilter(rt, type, poor->in, &keep, &out, &opts, NULL);
    else
        err = brolga_preduce(rt, type = poor->list, poor->in, &fold,
                             poor->identity, &out, &opts, NULL);
    brolga__alloc_fail_nth(0);
    if (err == BROLGA_OK)
        brolga_drop_word(which == 3 ? poor->element : type, out);
    return err;
}

Test(par, without_memory_nothing_is_left)
{
    enum { ELEMENTS = 40, FAILURES = 150 };
    struct poor poor = {.in = 0};
    int64_t before;
    int failed = 0;

    open_with(2);
    poor.list = type_of("(List (Option Int))");
    poor.vec = type_of("(Vec (Option Int))");
    poor.element = type_of("(Option Int)");
    for (int i = 0; i < ELEMENTS; i += 2) {
        brolga_word both = some(i);

        poor.in = cons(some(i + 1), cons(both, poor.in));
        poor.in = cons(share(both), poor.in);
    }
    poor.identity = some(-1);
    before = brolga__load_relaxed(&live);
    for (int which = 0; which < 4; which++)
        for (uint64_t n = 1; n < FAILURES; n++) {
            int err = call_poor(&poor, which, n);

            cr_assert(err == BROLGA_OK || err == BROLGA_ENOMEM ||
                          err == BROLGA_EFAILED,
                      "%s\n", brolga_error_name(err));
            failed += err != BROLGA_OK;
            cr_assert_eq(brolga__load_relaxed(&live), before,
                         "call %d, allocation %d\n", which, (int)n);
        }
    cr_assert_gt(failed, ELEMENTS);
    brolga_drop_word(poor.list, poor.in);
    brolga_drop_word(poor.element, poor.identity);
    close_all();
}

/* --- from tasks of another runtime -------------------------------------- */

struct visit {
    brolga *there;
    struct gate gate;   /* Where the body is. */
    _Atomic int inside; /* Bodies that have not returned. */
    int left_inside;    /* Those there were when the call returned. */
};

static int stay(void *arg, size_t begin, size_t end)
{
    struct visit *visit = arg;

    (void)begin;
    (void)end;
    (void)brolga__add_relaxed(&visit->inside, 1);
    (void)gate_run(&visit->gate);
    (void)brolga__sub_release(&visit->inside, 1);
    return BROLGA_OK;
}

static brolga_word call_abroad(void *arg)
{
    struct visit *visit = arg;
    int err = brolga_pfor(visit->there, 3, stay, visit, NULL, NULL);

    visit->left_inside = brolga__load_acquire(&visit->inside);
    return err;
}

static brolga_word open_soon(void *arg)
{
    (void)brolga_sleep_until(brolga_after_ns(50 * BROLGA_MS));
    brolga__store_release(&((struct visit *)arg)->gate.open, 1);
    return 0;
}

Test(par, a_canceled_caller_of_another_runtime_waits_for_what_it_has_begun)
{
    struct visit visit = {.inside = 0};
    brolga_task *caller, *opener;
    brolga *here;

    open_with(2);
    cr_assert_eq(brolga_create(&(struct brolga_opts){.workers = 2}, &here),
                 BROLGA_OK);
    visit.there = here;
    caller = spawned(call_abroad, &visit);
    cr_assert(wait_until(brolga__load_acquire(&visit.gate.arrived) > 0));
    cr_assert_eq(brolga_spawn(here, open_soon, &visit, NULL, &opener),
                 BROLGA_OK);
    brolga_cancel(caller);
    cr_assert_eq(joined(caller), BROLGA_ECANCELED);
    cr_assert_eq(visit.left_inside, 0);
    cr_assert_eq(joined(opener), 0);
    cr_assert_eq(brolga_destroy(here), BROLGA_OK);
    close_all();
}

/* --- in one another, and under reload ----------------------------------- */

static brolga_word sum_below(brolga_word env, brolga_word element)
{
    const brolga_type *vec = (const brolga_type *)(uintptr_t)env;
    struct brolga_par_fn2 sum = {.fn = add};
    brolga_word in = numbers((size_t)element), out = -1;

    if (brolga_preduce(rt, vec, in, &sum, 0, &out, NULL, NULL) != BROLGA_OK)
        brolga_panic("the inner one failed");
    brolga_drop_word(vec, in);
    return out;
}

Test(par, calls_may_be_made_in_one_another)
{
    struct brolga_par_fn fn = {.fn = sum_below};
    struct brolga_par_opts opts = {.chunk = 1};
    const brolga_type *vec;
    brolga_word in, out;

    open_with(2);
    vec = type_of("(Vec Int)");
    fn.env = (brolga_word)(uintptr_t)vec;
    in = numbers(2000);
    cr_assert_eq(brolga_pmap(rt, vec, in, &fn, vec, &out, &opts, NULL),
                 BROLGA_OK);
    for (brolga_word i = 0; i < 2000; i++)
        cr_assert_eq(element_of(out, (size_t)i), i * (i - 1) / 2);
    brolga_drop_word(vec, out);
    brolga_drop_word(vec, in);
    close_all();
}

struct by_slot {
    struct brolga_par_fn fn;
    const brolga_type *vec;
    brolga_word in, out;
};

static brolga_word map_by_slot(void *arg)
{
    struct brolga_par_opts opts = {.chunk = 1};
    struct by_slot *by = arg;

    return brolga_pmap(rt, by->vec, by->in, &by->fn, by->vec, &by->out, &opts,
                       NULL);
}

Test(par, each_chunk_calls_the_newest_code_of_a_slot)
{
    struct jit_unit first = {0}, second = {0};
    struct gate gate = {0};
    struct jit_call call = {gate_spin, &gate};
    struct by_slot by = {.fn.env = (brolga_word)(uintptr_t)&call};
    brolga_task *task;

    open_with(1);
    by.vec = type_of("(Vec Int)");
    by.in = numbers(10);
    by.fn.slot = published_caller("f", &first, 100);
    task = spawned(map_by_slot, &by);
    cr_assert(gate_reached(&gate)); /* In the first element. */
    cr_assert_eq(published_constant("f", &second, 2), by.fn.slot);
    gate_open(&gate);
    cr_assert_eq(joined(task), BROLGA_OK);
    cr_assert_eq(element_of(by.out, 0), 100);
    for (size_t i = 1; i < 10; i++)
        cr_assert_eq(element_of(by.out, i), 2);
    cr_assert(released(&first));
    brolga_drop_word(by.vec, by.in);
    brolga_drop_word(by.vec, by.out);
    close_all();
}

Test(par, a_slot_that_is_not_defined_is_refused)
{
    struct brolga_par_fn fn = {.slot = 12345}, none = {.env = 0};
    brolga_word in, out;
    const brolga_type *vec;

    open_with(1);
    vec = type_of("(Vec Int)");
    in = numbers(3);
    cr_assert_eq(brolga_pmap(rt, vec, in, &fn, vec, &out, NULL, NULL),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_pmap(rt, vec, in, &none, vec, &out, NULL, NULL),
                 BROLGA_EINVAL);
    fn = (struct brolga_par_fn){.fn = plus};
    cr_assert_eq(
        brolga_pmap(rt, type_of("Int"), in, &fn, vec, &out, NULL, NULL),
        BROLGA_EINVAL);
    brolga_drop_word(vec, in);
    close_all();
}
