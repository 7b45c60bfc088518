/*
 * Goal: closures of functions that are in the table are copied, frozen, sent
 * and dropped, those of others are refused with a reason; each pins its unit,
 * so that a unit is released when it is replaced and its last closure dies,
 * and not before; an entry is there until then, and a failure enters nothing.
 * Method: units of real code whose functions are entered by hand; the test
 * takes the reclaimer's steps, and channels are used without tasks.
 */
#include <brolga/chan.h>
#include <brolga/closures.h>
#include <brolga/freeze.h>
#include <brolga/lease.h>

#include "got/world.h"

#define CLOSURE_TEST(name)                                                     \
    Test(closures, name, .init = open_all, .fini = close_all, .timeout = 30)

static brolga_closures *closures;
static struct brolga_model model;
static brolga_types *types;
static int64_t objects; /* of values, alive */

static brolga_word count_alloc(int64_t bytes, void *arg)
{
    brolga_word value = brolga_model_cranelisp().alloc(bytes, NULL);

    cr_assert_eq(arg, &objects);
    objects += value != 0;
    return value;
}

static void count_free(brolga_word value, void *arg)
{
    cr_assert_eq(arg, &objects);
    objects--;
    brolga_model_cranelisp().free(value, NULL);
}

static void open_all(void)
{
    world_open();
    cr_assert_eq(brolga_closures_create(&closures), BROLGA_OK);
    model = brolga_model_cranelisp();
    model.alloc = count_alloc;
    model.free = count_free;
    model.arg = &objects;
    brolga_closures_model(closures, &model);
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
}

static void close_all(void)
{
    struct brolga_closures_stats stats;

    cr_assert_eq(objects, 0);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    cr_assert_eq(brolga_regions_list(NULL, 0), 0);
    world_close(); /* Releases all units, once. */
    brolga_closures_stats(closures, &stats);
    cr_assert_eq(stats.functions, 0);
    cr_assert_eq(stats.units, 0);
    brolga_types_destroy(types);
    brolga_closures_destroy(closures);
    cr_assert_eq(brolga__alloc_live(), 0);
}

/* --- functions ---------------------------------------------------------- */

/* The i-th function of a unit: any address in it will do. */
static const void *code_of(const struct jit_unit *unit, size_t i)
{
    return (const unsigned char *)unit->text + i;
}

static const brolga_type *type_of(const char *text)
{
    const brolga_type *type = NULL;

    cr_assert_eq(brolga_type_parse(types, text, &type, NULL), BROLGA_OK);
    return type;
}

/* Enters one function with these captures. */
static int add(brolga_unit *unit, const void *code, const char *name,
               size_t captures, const char *const *texts)
{
    struct brolga_closure closure = {
        .code = code, .name = name, .captures = captures, .texts = texts};

    return brolga_closures_add(closures, unit, types, &closure, 1, NULL);
}

/* Publishes m.f as a new unit, whose first function makes closures of a String
 * and an Int. */
static struct jit_unit *publish(void)
{
    static const char *const texts[] = {"String", "Int"};
    struct jit_unit *code = made(1);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, code);

    (void)defined(txn, unit, "m", "f", INT_FN);
    cr_assert_eq(add(unit, code->text, "render", 2, texts), BROLGA_OK);
    committed(txn);
    return code;
}

/* --- values ------------------------------------------------------------- */

static brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static brolga_word object(size_t words, const brolga_word *word)
{
    brolga_word value = count_alloc((int64_t)words * 8, &objects);

    memcpy(fields(value), word, words * 8);
    return value;
}

/* As the host's own code makes one. */
static brolga_word closure_of(const struct jit_unit *code)
{
    brolga_word text = object(2, (brolga_word[]){8, 0x656e6f});

    cr_assert_eq(brolga_closures_pin(closures, code->text), BROLGA_OK);
    return object(
        3, (brolga_word[]){(brolga_word)(uintptr_t)code->text, text, 42});
}

static const brolga_type *fn_type(void)
{
    return type_of("(Fn [] Int)");
}

static bool is_right(brolga_word closure, const struct jit_unit *code)
{
    return fields(closure)[0] == (brolga_word)(uintptr_t)code->text &&
           fields(fields(closure)[1])[1] == 0x656e6f &&
           fields(closure)[2] == 42;
}

/* --- the table ---------------------------------------------------------- */

CLOSURE_TEST(functions_are_found_until_their_unit_is_freed)
{
    static const char *const texts[] = {"(List Int)", NULL, "Float"};
    const brolga_type *known[] = {NULL, NULL, type_of("String")};
    struct brolga_closure_info info;
    struct jit_unit *code = made(1);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, code);
    struct brolga_closure closure[2] = {{.code = code_of(code, 0),
                                         .name = "render",
                                         .captures = 3,
                                         .types = known,
                                         .texts = texts},
                                        {.code = code_of(code, 8)}};

    cr_assert_eq(brolga_closures_find(closures, code->text, &info),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_closures_add(closures, unit, types, closure, 2, NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_closures_find(closures, code->text, &info), BROLGA_OK);
    cr_assert_str_eq(info.name, "render");
    cr_assert_eq(info.captures, 3);
    cr_assert_eq(info.types[0], type_of("(List Int)"));
    cr_assert_null(info.types[1]);
    cr_assert_eq(info.types[2], type_of("String"));
    cr_assert_eq(brolga_closures_find(closures, code_of(code, 8), &info),
                 BROLGA_OK);
    cr_assert_eq(info.captures, 0);
    cr_assert_eq(brolga_closures_find(closures, code_of(code, 4), &info),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_closures_find(closures, NULL, &info), BROLGA_ENOENT);
    brolga_txn_abort(txn);
    cr_assert_eq(jit_releases(code), 1);
    cr_assert_eq(brolga_closures_find(closures, code->text, &info),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_closures_pin(closures, code->text), BROLGA_ENOENT);
    cr_assert_eq(brolga_closures_unpin(closures, code->text), BROLGA_ENOENT);
}

CLOSURE_TEST(all_functions_are_entered_or_none)
{
    static const char *const wrong[] = {"(List"};
    struct brolga_type_error error = {0};
    struct brolga_closures_stats stats;
    struct brolga_closure_info info;
    struct jit_unit *code = made(1), *other = made(2);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, code);
    struct brolga_closure closure[3] = {{.code = code_of(code, 0)},
                                        {.code = code_of(code, 8)},
                                        {.code = code_of(code, 8)}};

    (void)staged(txn, other);
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 3, NULL),
                 BROLGA_EEXIST);
    closure[2].code = other->text;
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 3, NULL),
                 BROLGA_EINVAL);
    closure[2].code = code_of(code, 16);
    closure[2].captures = 1;
    closure[2].texts = wrong;
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 3, NULL),
                 BROLGA_EINVAL);
    cr_assert_eq(brolga_closures_add(closures, unit, types, closure, 3, &error),
                 BROLGA_ETYPE);
    cr_assert_neq(error.text[0], '\0');
    closure[2].texts = NULL;
    closure[2].captures = BROLGA_CAPTURES_MAX + 1;
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 3, NULL),
                 BROLGA_EINVAL);
    brolga_closures_stats(closures, &stats);
    cr_assert_eq(stats.functions, 0);
    cr_assert_eq(stats.units, 0);
    cr_assert_eq(brolga_closures_find(closures, code->text, &info),
                 BROLGA_ENOENT);
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 2, NULL),
                 BROLGA_OK);
    cr_assert_eq(brolga_closures_add(closures, unit, NULL, closure, 1, NULL),
                 BROLGA_EEXIST);
    brolga_closures_stats(closures, &stats);
    cr_assert_eq(stats.functions, 2);
    cr_assert_eq(stats.units, 1);
    cr_assert_eq(stats.entered, 2);
    brolga_txn_abort(txn);
}

CLOSURE_TEST(without_memory_nothing_is_entered)
{
    enum { MANY = 200 }; /* The table must grow. */
    struct brolga_closure closure[MANY] = {{0}};
    struct brolga_closures_stats stats;
    struct jit_unit *code = made(1);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, code);
    int64_t live = brolga__alloc_live();
    int err = BROLGA_ENOMEM;
    uint64_t n = 1;

    for (size_t i = 0; i < MANY; i++)
        closure[i].code = code_of(code, i);
    for (; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_closures_add(closures, unit, NULL, closure, MANY, NULL);
        brolga__alloc_fail_nth(0);
        brolga_closures_stats(closures, &stats);
        cr_assert_eq(stats.functions, err == BROLGA_OK ? MANY : 0);
        cr_assert(err == BROLGA_OK || brolga__alloc_live() == live);
    }
    cr_assert_gt(n, 3);
    brolga_txn_abort(txn);
}

CLOSURE_TEST(many_reloads_need_no_more_memory)
{
    struct brolga_closures_stats before, after;

    for (int i = 0; i < 500; i++) {
        struct jit_unit *code = made(1);
        brolga_txn *txn = begun();
        brolga_unit *unit = staged(txn, code);

        for (size_t j = 0; j < 20; j++)
            cr_assert_eq(add(unit, code_of(code, j), "f", 0, NULL), BROLGA_OK);
        brolga_txn_abort(txn);
        if (i == 2)
            brolga_closures_stats(closures, &before);
    }
    brolga_closures_stats(closures, &after);
    cr_assert_eq(before.slots, after.slots);
    cr_assert_eq(after.entered, 10000);
}

/* --- closures ----------------------------------------------------------- */

CLOSURE_TEST(copies_pin_and_drops_unpin)
{
    struct jit_unit *code = publish();
    brolga_word first = closure_of(code), second = 0, third = 0;

    (void)publish();
    cr_assert_eq(brolga_copy_word(fn_type(), first, &second, NULL), BROLGA_OK);
    cr_assert_eq(brolga_copy_word(fn_type(), second, &third, NULL), BROLGA_OK);
    cr_assert(is_right(third, code));
    brolga_drop_word(fn_type(), first);
    brolga_drop_word(fn_type(), second);
    reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    cr_assert(is_right(third, code));
    brolga_drop_word(fn_type(), third);
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}

CLOSURE_TEST(a_copy_without_memory_pins_nothing)
{
    struct jit_unit *code = publish();
    brolga_word closure = closure_of(code), copy;
    int err = BROLGA_ENOMEM;

    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_copy_word(fn_type(), closure, &copy, NULL);
        brolga__alloc_fail_nth(0);
    }
    (void)publish();
    brolga_drop_word(fn_type(), closure);
    reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    brolga_drop_word(fn_type(), copy);
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}

CLOSURE_TEST(c5_closures_in_a_channel_keep_their_unit)
{
    struct brolga_chan_opts opts = {.capacity = 4};
    struct jit_unit *code = publish();
    brolga_word closure = closure_of(code), taken = 0;
    brolga_chan *chan;

    cr_assert_eq(brolga_chan_create(fn_type(), &opts, &chan), BROLGA_OK);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(brolga_try_send(chan, &closure), BROLGA_OK);
    cr_assert_eq(brolga_try_send(chan, &closure), BROLGA_EAGAIN);
    brolga_drop_word(fn_type(), closure);
    for (int i = 0; i < 3; i++) /* Later versions come and go. */
        (void)publish();
    reclaimed();
    cr_assert_eq(jit_releases(&units[1]), 1);
    cr_assert_eq(jit_releases(&units[2]), 1);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(jit_releases(code), 0);
        cr_assert_eq(brolga_try_recv(chan, &taken), BROLGA_OK);
        cr_assert(is_right(taken, code));
        brolga_drop_word(fn_type(), taken);
        reclaimed();
    }
    cr_assert_eq(jit_releases(code), 0);
    brolga_chan_release(chan); /* Drops the last one. */
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}

CLOSURE_TEST(c5_frozen_closures_keep_their_unit)
{
    struct brolga_chan_opts opts = {.capacity = 1};
    struct jit_unit *code = publish();
    brolga_word closure = closure_of(code), frozen, taken = 0;
    brolga_region *region;
    brolga_chan *chan;

    cr_assert_eq(
        brolga_freeze(fn_type(), closure, &frozen, &region, NULL, NULL),
        BROLGA_OK);
    brolga_drop_word(fn_type(), closure);
    cr_assert_eq(brolga_chan_create(fn_type(), &opts, &chan), BROLGA_OK);
    cr_assert_eq(brolga_try_send(chan, &frozen), BROLGA_OK);
    brolga_region_release(region);
    (void)publish();
    reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    cr_assert_eq(brolga_try_recv(chan, &taken), BROLGA_OK);
    cr_assert(is_right(taken, code));
    brolga_chan_release(chan);
    reclaimed();
    cr_assert_eq(jit_releases(code), 0);
    cr_assert_eq(brolga_lease_compact(NULL, 0), BROLGA_OK);
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}

/* A list of one closure, and why it is refused. */
static void refuse(brolga_word closure, const char *path, const char *word)
{
    const brolga_type *type = type_of("(List (Fn [] Int))");
    struct brolga_copy_error error = {0};
    brolga_word list = object(3, (brolga_word[]){1, closure, 0}), copy = 0;

    cr_assert_eq(brolga_copy_word(type, list, &copy, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_str_eq(error.path, path);
    cr_assert_not_null(strstr(error.text, word), "%s\n", error.text);
    cr_assert_eq(copy, 0);
    count_free(list, &objects);
}

CLOSURE_TEST(what_is_not_known_is_refused_with_the_reason)
{
    static const char *const texts[] = {"(Fn [] Int)", NULL};
    struct jit_unit *code = publish();
    brolga_txn *txn = begun();
    struct jit_unit *outer = made(3);
    brolga_unit *unit = staged(txn, outer);
    brolga_word closure = closure_of(code), stranger;

    cr_assert_eq(add(unit, outer->text, "outer", 1, texts), BROLGA_OK);
    cr_assert_eq(add(unit, code_of(outer, 8), "vague", 2, texts), BROLGA_OK);
    stranger =
        object(1, (brolga_word[]){(brolga_word)(uintptr_t)code_of(code, 4)});
    refuse(stranger, "field 1 of Cons", "unknown code");
    stranger = object(
        2, (brolga_word[]){(brolga_word)(uintptr_t)outer->text, stranger});
    refuse(stranger, "field 1 of Cons -> capture 1 of closure outer",
           "unknown code");
    count_free(fields(stranger)[1], &objects);
    count_free(stranger, &objects);
    stranger =
        object(3, (brolga_word[]){(brolga_word)(uintptr_t)code_of(outer, 8),
                                  closure, 0});
    refuse(stranger, "field 1 of Cons", "vague");
    count_free(stranger, &objects);
    brolga_txn_abort(txn);
    brolga_drop_word(fn_type(), closure);
    (void)publish(); /* No refusal has left a pin. */
    reclaimed();
    cr_assert_eq(jit_releases(code), 1);
}
