/*
 * Goal: a frozen value is equal to its source, lies in one region, and has
 * counts that nobody can count down; what it keeps is given back when the last
 * lease goes, and not before. Leases are exactly those on the regions that a
 * value points into. A failure leaves nothing.
 * Method: values by hand (host.h) and by chance (frozen.h), in both presets and
 * for both kinds of hosts; every allocation fails once.
 */
#include "alloc.h"
#include "frozen.h"
#include "host.h"
#include "copy/region.h"

static void each_kind(void (*body)(struct host *h))
{
    for (int i = 0; i < 4; i++) {
        struct brolga_model model = (i & 1) != 0
                                        ? brolga_model_cranelisp_later()
                                        : brolga_model_cranelisp();
        struct host h;

        model.frozen_is_zero = (i & 2) != 0;
        host_start(&h, model);
        body(&h);
        cr_assert_eq(brolga_regions_list(NULL, 0), 0);
        host_stop(&h);
    }
}

static brolga_word host_freeze(const brolga_type *type, brolga_word word,
                               brolga_region **region)
{
    struct brolga_copy_error error = {0};
    brolga_word frozen = 0;
    int err = brolga_freeze(type, word, &frozen, region, NULL, &error);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", error.path, error.text);
    return frozen;
}

static uint64_t leases_of(const brolga_region *region)
{
    struct brolga_region_info info;

    brolga_region_look(region, &info);
    return info.leases;
}

/* --- one value ---------------------------------------------------------- */

static void list_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List String)");
    brolga_word list = host_cons(h, host_string(h, "one"), 0);
    brolga_region *region;
    brolga_word frozen;

    list = host_cons(h, host_share(h, host_fields(h, list)[1]), list);
    frozen = host_freeze(type, list, &region);
    brolga_drop_word(type, list);
    cr_assert_eq(h->live, 0);
    cr_assert_eq(host_fields(h, frozen)[1],
                 host_fields(h, host_fields(h, frozen)[2])[1]);
    cr_assert_eq(
        memcmp(host_fields(h, host_fields(h, frozen)[1]) + 1, "one", 3), 0);
    brolga_drop_word(type, frozen);
    cr_assert_eq(host_copy(type, frozen), frozen);
    cr_assert_eq(brolga_region_of(type, frozen), region);
    brolga_region_release(region);
}

Test(freeze, a_frozen_value_outlives_its_source)
{
    each_kind(list_body);
}

static void info_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec Int)");
    brolga_word item[600] = {0}, vec = host_vec(h, 600, 700, item);
    struct brolga_region_info info;
    brolga_region *region;
    brolga_word frozen = host_freeze(type, vec, &region);

    brolga_drop_word(type, vec);
    cr_assert_eq(host_fields(h, frozen)[1], 600);
    cr_assert_eq(brolga_regions_list(&info, 1), 1);
    cr_assert_eq(info.objects, 2);
    cr_assert_eq(info.leases, 1);
    cr_assert_geq(info.bytes, 8 * 600);
    cr_assert_leq(info.bytes, 3 * 4096);
    cr_assert_str_eq(info.type, "(Vec Int)");
    cr_assert_gt(info.id, 0);
    cr_assert_leq(info.made_ns, brolga_now_ns());
    brolga_region_release(region);
}

Test(freeze, regions_are_there_to_be_seen)
{
    each_kind(info_body);
}

static void scalar_body(struct host *h)
{
    brolga_region *region = (brolga_region *)(void *)h;

    cr_assert_eq(host_freeze(host_type(h, "Int"), 1234567, &region), 1234567);
    cr_assert_null(region);
    region = (brolga_region *)(void *)h;
    cr_assert_eq(host_freeze(host_type(h, "(List Int)"), 0, &region), 0);
    cr_assert_null(region);
}

Test(freeze, words_need_no_region)
{
    each_kind(scalar_body);
}

static void again_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word list = host_cons(h, 1, host_cons(h, 2, 0));
    brolga_region *region, *same, *outer;
    brolga_word frozen = host_freeze(type, list, &region), tail, longer;

    brolga_drop_word(type, list);
    tail = host_fields(h, frozen)[2];
    cr_assert_eq(host_freeze(type, tail, &same), tail);
    cr_assert_eq(same, region);
    cr_assert_eq(leases_of(region), 2);
    brolga_region_release(same);

    /* A region keeps those that it points into. */
    longer = host_cons(h, 0, tail);
    longer = host_freeze(type, list = longer, &outer);
    brolga_drop_word(type, list);
    cr_assert_neq(outer, region);
    cr_assert_eq(leases_of(region), 2);
    brolga_region_release(region);
    cr_assert_eq(brolga_regions_list(NULL, 0), 2);
    cr_assert_eq(host_fields(h, host_fields(h, longer)[2])[1], 2);
    brolga_region_release(outer);
}

Test(freeze, what_is_frozen_is_not_copied_again)
{
    each_kind(again_body);
}

/* A Vec of the host's whose data lies in a region. */
static void data_body(struct host *h, const char *text, brolga_word item)
{
    const brolga_type *type = host_type(h, text);
    brolga_word vec = host_vec(h, 1, 1, &item), frozen, header;
    struct brolga_leases leases = {0};
    brolga_region *region;

    frozen = host_freeze(type, vec, &region);
    brolga_drop_word(type, vec);
    header = HOST_OBJECT(h, 1, 1, host_fields(h, frozen)[2]);
    cr_assert_eq(brolga_leases_collect(&leases, type, header), BROLGA_OK);
    brolga_region_release(region);
    cr_assert_eq(leases.count, 1);
    cr_assert(brolga_leases_has(&leases, region));
    brolga_drop_word(type, header);
    brolga_leases_end(&leases);
}

Test(freeze, frozen_data_of_a_vec_that_is_not_has_a_lease)
{
    for (int zero = 0; zero < 2; zero++) {
        struct brolga_model model = brolga_model_cranelisp();
        struct host h;

        model.frozen_is_zero = zero != 0;
        host_start(&h, model);
        data_body(&h, "(Vec Int)", 7);
        data_body(&h, "(Vec String)", host_string(&h, "seven"));
        cr_assert_eq(brolga_regions_list(NULL, 0), 0);
        host_stop(&h);
    }
}

static void foreign_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_word own = host_cons(h, 1, 0), list, frozen;
    int64_t count = h->preset.frozen_is_zero ? 0 : BROLGA_FROZEN_COUNT;
    struct brolga_leases leases = {0};
    brolga_region *region;

    *host_count(h, own) = count;
    cr_assert_eq(host_freeze(type, own, &region), own);
    cr_assert_null(region);
    cr_assert_null(brolga_region_of(type, own));
    list = host_cons(h, 0, own);
    frozen = host_freeze(type, list, &region);
    cr_assert_eq(host_fields(h, frozen)[2], own);
    brolga_region_release(region);
    cr_assert_eq(brolga_leases_collect(&leases, type, list), BROLGA_OK);
    cr_assert_eq(leases.count, 0);
    brolga_drop_word(type, list);
    cr_assert_eq(*host_count(h, own), count);
    *host_count(h, own) = 1;
    brolga_drop_word(type, own);
}

Test(freeze, what_the_host_froze_is_the_hosts_own_business)
{
    each_kind(foreign_body);
}

/* An object of four words in front of the fields, [size][?][?][count], and one
 * with its count behind them, [fields][count]. */
static brolga_word odd_alloc(int64_t payload_bytes, void *arg)
{
    bool behind = arg != NULL;
    brolga_word *block = calloc(1, (size_t)payload_bytes + 32);

    cr_assert_not_null(block);
    block[0] = payload_bytes + 32; /* Written over if it is a field. */
    block[3] = 1;
    return (brolga_word)(uintptr_t)(behind ? block : block + 4);
}

static void odd_free(brolga_word value, void *arg)
{
    free((brolga_word *)(uintptr_t)value - (arg != NULL ? 0 : 4));
}

static void odd_header(bool behind)
{
    struct brolga_model model = brolga_model_cranelisp();
    const brolga_type *type;
    brolga_types *types;
    brolga_region *region;
    brolga_word list = 0, *field, frozen;

    model.has_size = !behind;
    model.size_at = -32;
    model.count_at = behind ? 24 : -8;
    model.alloc = odd_alloc;
    model.free = odd_free;
    model.arg = behind ? &model : NULL;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    cr_assert_eq(brolga_type_parse(types, "(List Int)", &type, NULL),
                 BROLGA_OK);
    for (int i = 0; i < 300; i++) {
        brolga_word cons = odd_alloc(24, model.arg);

        field = (brolga_word *)(uintptr_t)cons;
        field[0] = 1;
        field[1] = i;
        field[2] = list;
        list = cons;
    }
    cr_assert_eq(brolga_freeze(type, list, &frozen, &region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(type, list);
    for (int i = 300; i-- > 0; frozen = field[2]) {
        field = (brolga_word *)(uintptr_t)frozen;
        cr_assert_eq(field[1], i);
        cr_assert_eq(brolga_region_of(type, frozen), region);
        cr_assert_eq(field[behind ? 3 : -1], BROLGA_FROZEN_COUNT);
        cr_assert(behind ||
                  (field[-4] == 56 && field[-3] == 0 && field[-2] == 0));
    }
    brolga_region_release(region);
    brolga_types_destroy(types);
}

Test(freeze, any_header_will_do)
{
    odd_header(false);
    odd_header(true);
    cr_assert_eq(brolga__alloc_live(), 0);
}

/* --- what a region keeps ------------------------------------------------ */

static void closure_body(struct host *h)
{
    static const char *const types[] = {"(Fn [] Int)", "String"};
    struct host_code *inner = host_add_code(h, "inner", 0, NULL);
    struct host_code *outer = host_add_code(h, "outer", 2, types);
    const brolga_type *type = host_type(h, "(Vec (Fn [] Int))");
    brolga_word capture[2], item[60], vec;
    brolga_region *region;

    for (size_t i = 0; i < brolga__lengthof(item); i++) {
        capture[0] = host_closure(h, inner, NULL);
        capture[1] = host_string(h, "x");
        item[i] = host_closure(h, outer, capture);
    }
    vec = host_vec(h, brolga__lengthof(item), 64, item);
    (void)host_freeze(type, vec, &region);
    cr_assert_eq(inner->pins, 120);
    cr_assert_eq(outer->pins, 120);
    brolga_drop_word(type, vec);
    cr_assert_eq(outer->pins, 60);
    brolga_region_release(region);
    cr_assert_eq(inner->pins, 0);
    cr_assert_eq(outer->pins, 0);
}

Test(freeze, closures_keep_their_code_until_the_region_goes)
{
    each_kind(closure_body);
}

static void handle_retain(brolga_word word, void *arg)
{
    *(int *)arg += word == 77;
}

static void handle_release(brolga_word word, void *arg)
{
    *(int *)arg -= word == 77;
}

static void handle_body(struct host *h)
{
    static int held;
    const brolga_type *handle, *type;
    brolga_region *region;
    brolga_word list, frozen;

    held = 1;
    cr_assert_eq(brolga_type_handle(h->types, "Chan", handle_retain,
                                    handle_release, &held, &handle),
                 BROLGA_OK);
    type = host_type(h, "(List Chan)");
    list = host_cons(h, 77, 0);
    (void)host_freeze(type, list, &region);
    cr_assert_eq(held, 2);
    brolga_drop_word(type, list);
    cr_assert_eq(held, 1);
    brolga_region_release(region);
    cr_assert_eq(held, 0);
    cr_assert_eq(brolga_freeze(handle, 77, &frozen, &region, NULL, NULL),
                 BROLGA_EINVAL);
}

Test(freeze, handles_are_kept_until_the_region_goes)
{
    each_kind(handle_body);
}

static void refused_body(struct host *h)
{
    static const char *const types[] = {NULL};
    struct host_code *code = host_add_code(h, "render", 1, types);
    const brolga_type *type = host_type(h, "(List (Fn [] Int))");
    brolga_word capture = 0, frozen = 5;
    brolga_word list = host_cons(h, host_closure(h, code, &capture), 0);
    brolga_region *region = NULL;
    struct brolga_copy_error error;

    cr_assert_eq(brolga_freeze(type, list, &frozen, &region, NULL, &error),
                 BROLGA_EUNSENDABLE);
    cr_assert_str_eq(error.path, "field 1 of Cons");
    cr_assert_neq(error.text[0], '\0');
    cr_assert_eq(frozen, 5);
    cr_assert_null(region);
    cr_assert_eq(code->pins, 1);
    code->captures = 0; /* So that it can be dropped. */
    *(brolga_word *)(uintptr_t)(host_fields(h, list)[1] + h->preset.size_at) -=
        8;
    brolga_drop_word(type, list);
    cr_assert_eq(code->pins, 0);
}

Test(freeze, what_cannot_cross_cannot_be_frozen)
{
    each_kind(refused_body);
}

/* A chain of regions, each of which keeps the next. */
static void chain_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List Int)");
    brolga_region *region = NULL;
    brolga_word at = 0;

    for (int i = 0; i < 20000; i++) {
        brolga_word list = host_cons(h, i, at);
        brolga_region *next;

        at = host_freeze(type, list, &next);
        brolga_drop_word(type, list);
        brolga_region_release(region);
        region = next;
    }
    cr_assert_eq(brolga_regions_list(NULL, 0), 20000);
    brolga_region_release(region);
}

Test(freeze, a_long_chain_of_regions_ends_without_recursion)
{
    each_kind(chain_body);
}

/* --- sizes -------------------------------------------------------------- */

/* Small objects and ones larger than any chunk, many chunks of each. */
static void large_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(List (Vec Int))");
    size_t lengths[] = {1, 200, 511, 40000, 3, 200000, 7};
    brolga_word *item = calloc(200000, sizeof(*item));
    brolga_word list = 0, at;
    brolga_region *region;
    struct brolga_region_info info;
    size_t bytes = 0;

    for (int i = 0; i < 2000; i++) {
        size_t length = lengths[i < 7 ? i : 0];

        bytes += length * 8 + 16 * 3 + 24 * 2;
        list = host_cons(h, host_vec(h, length, length, item), list);
    }
    free(item);
    at = host_freeze(type, list, &region);
    brolga_drop_word(type, list);
    for (; at != 0; at = host_fields(h, at)[2])
        cr_assert_eq(
            brolga_region_of(host_type(h, "(Vec Int)"), host_fields(h, at)[1]),
            region);
    brolga_region_look(region, &info);
    cr_assert_geq(info.bytes, bytes - 2000 * 16);
    cr_assert_leq(info.bytes, bytes * 5 / 4 + (1 << 20));
    brolga_region_release(region);
}

Test(freeze, regions_grow_without_much_waste)
{
    each_kind(large_body);
}

/* --- failures ----------------------------------------------------------- */

static void failures_body(struct host *h)
{
    static const char *const types[] = {"String"};
    struct host_code *code = host_add_code(h, "f", 1, types);
    const brolga_type *type = host_type(h, "(List (Fn [] String))");
    const brolga_type *text = host_type(h, "(List String)");
    brolga_word list = 0, frozen, inner, shared = host_string(h, "shared");
    brolga_word source = host_cons(h, host_share(h, shared), 0);
    brolga_region *region, *other;
    int64_t live;
    int err = BROLGA_ENOMEM;

    inner = host_freeze(text, source, &other);
    brolga_drop_word(text, source);
    for (int i = 0; i < 300; i++) {
        brolga_word capture =
            i % 3 == 0 ? host_fields(h, inner)[1] : host_share(h, shared);

        list = host_cons(h, host_closure(h, code, &capture), list);
    }
    live = brolga__alloc_live();
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_freeze(type, list, &frozen, &region, NULL, NULL);
        brolga__alloc_fail_nth(0);
        cr_assert(err == BROLGA_OK || err == BROLGA_ENOMEM);
        cr_assert(err == BROLGA_OK || brolga__alloc_live() == live);
        cr_assert_eq(code->pins, err == BROLGA_OK ? 600 : 300);
        cr_assert_eq(leases_of(other), err == BROLGA_OK ? 2 : 1);
        cr_assert_eq(*host_count(h, shared), 201);
        cr_assert_lt(n, 1000);
    }
    brolga_drop_word(host_type(h, "String"), shared);
    brolga_drop_word(type, list); /* Points into the other region. */
    brolga_region_release(other);
    brolga_region_release(region);
    cr_assert_eq(code->pins, 0);
}

Test(freeze, a_failure_leaves_nothing)
{
    each_kind(failures_body);
}

/* --- leases ------------------------------------------------------------- */

#define MANY 300

static void many_body(struct host *h)
{
    const brolga_type *type = host_type(h, "(Vec (List Int))");
    const brolga_type *list = host_type(h, "(List Int)");
    brolga_region *region[MANY];
    brolga_word item[2 * MANY], vec, copy;
    struct brolga_leases leases = {0}, more = {0};
    int err = BROLGA_ENOMEM;

    for (size_t i = 0; i < MANY; i++) {
        brolga_word source = host_cons(h, (brolga_word)i, 0);

        item[i] = item[2 * MANY - 1 - i] =
            host_freeze(list, source, &region[i]);
        brolga_drop_word(list, source);
    }
    vec = host_vec(h, 2 * MANY, 2 * MANY, item);
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        brolga__alloc_fail_nth(n);
        err = brolga_copy_with(type, &vec, &copy,
                               &(struct brolga_copy_opts){.leases = &leases},
                               NULL);
        brolga__alloc_fail_nth(0);
        cr_assert(err == BROLGA_OK || leases.count == 0);
        cr_assert(err == BROLGA_OK || leases_of(region[n % MANY]) == 1);
        cr_assert_lt(n, 1000);
    }
    cr_assert_eq(leases.count, MANY);
    cr_assert_eq(brolga_leases_collect(&more, type, vec), BROLGA_OK);
    cr_assert_eq(more.count, MANY);
    cr_assert_eq(leases_of(region[7]), 3);
    cr_assert_eq(brolga_leases_move(&leases, &more), BROLGA_OK);
    cr_assert_eq(more.count, 0);
    cr_assert_eq(leases_of(region[7]), 2);
    brolga_drop_word(type, vec);
    for (size_t i = 0; i < MANY; i++)
        brolga_region_release(region[i]);
    cr_assert_eq(brolga_regions_list(NULL, 0), MANY);
    brolga_drop_word(type, copy);
    brolga_leases_end(&leases);
}

Test(freeze, a_value_of_many_regions_has_a_lease_on_each)
{
    each_kind(many_body);
}

/* --- chance ------------------------------------------------------------- */

#ifdef HOST_IS_SLOW
#define ROUNDS 60
#else
#define ROUNDS 300
#endif

static void rounds(struct brolga_model preset)
{
    static struct graph g;
    uint64_t seed = choices_seed();

    for (int i = 0; i < ROUNDS; i++) {
        struct choices choices = choices_of(seed, i);

        preset.frozen_is_zero = i % 2 == 1;
        graph_start(&g, preset, choices);
        for (int j = 0; j < 4; j++)
            frozen_round(&g);
        brolga_types_destroy(g.types);
        cr_assert_eq(brolga__alloc_live(), 0);
    }
}

Test(freeze, any_value_is_frozen_right_in_the_first_preset)
{
    rounds(brolga_model_cranelisp());
}

Test(freeze, any_value_is_frozen_right_in_the_later_preset)
{
    rounds(brolga_model_cranelisp_later());
}
