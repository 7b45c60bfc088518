/*
 * Goal: objects come from where the model says, whole or as blocks of a size,
 * and go back there with that size; memory of values is counted, and charged
 * to whoever had it made.
 * Method: an allocator that notes the size of each block, in both presets; an
 * account of the test's own.
 */
#include "atomic.h"
#include "host.h"

#include <brolga/freeze.h>

/* --- blocks ------------------------------------------------------------- */

/* Each block has its size in front, out of sight. */
struct blocks {
    int64_t live;
    int64_t made;
    int64_t unsized; /* freed without saying how large it was */
    int64_t wrong;   /* ... or wrongly */
    int64_t fail_at; /* the block that there is no memory for; 0: none */
};

#define BLOCK_HEAD 16

static void *block_alloc(size_t bytes, void *arg)
{
    struct blocks *b = arg;
    char *at;

    if (++b->made == b->fail_at)
        return NULL;
    at = malloc(bytes + BLOCK_HEAD);
    cr_assert(at != NULL);
    memcpy(at, &bytes, sizeof(bytes));
    memset(at + BLOCK_HEAD, 0x5a, bytes);
    b->live++;
    return at + BLOCK_HEAD;
}

static void block_free(void *block, size_t bytes, void *arg)
{
    struct blocks *b = arg;
    char *at = (char *)block - BLOCK_HEAD;
    size_t made_bytes;

    memcpy(&made_bytes, at, sizeof(made_bytes));
    b->unsized += bytes == 0;
    b->wrong += bytes != 0 && bytes != made_bytes;
    b->live--;
    free(at);
}

/* A registry whose objects and buffers are blocks; `h` only for its types. */
static void start_blocks(struct host *h, struct brolga_allocator *allocator,
                         struct brolga_model model)
{
    memset(h, 0, sizeof(*h));
    h->preset = model;
    model.alloc = NULL;
    model.free = NULL;
    model.allocator = allocator;
    cr_assert_eq(brolga_types_create(&model, &h->types), BROLGA_OK);
    host_define(h, "(deftype (Tree a) Tip "
                   "(Fork [:(Tree a) l :a v :(Tree a) r]))");
}

static brolga_word object(struct host *h, size_t words, const brolga_word *word)
{
    brolga_word value = brolga_object_make(h->types, (int64_t)words * 8);

    cr_assert_neq(value, 0);
    cr_assert_eq(*host_count(h, value), 1);
    memcpy(host_fields(h, value), word, words * 8);
    return value;
}

#define OBJECT(h, ...)                                                         \
    object((h), sizeof((brolga_word[]){__VA_ARGS__}) / 8,                      \
           (const brolga_word[]){__VA_ARGS__})

/* A Vec of two trees of Vecs of words. */
static brolga_word forest(struct host *h, struct brolga_allocator *allocator)
{
    brolga_word tree[2], data;

    for (brolga_word i = 0; i < 2; i++) {
        brolga_word items = OBJECT(h, 0, 0, 0);
        brolga_word *field = host_fields(h, items);

        if (h->preset.buffer_alloc != NULL)
            field[2] = (brolga_word)(uintptr_t)block_alloc(16, allocator->arg);
        else
            field[2] = OBJECT(h, 0, 0);
        field[0] = field[1] = 2;
        host_items(h, items)[0] = i;
        host_items(h, items)[1] = 2000 + i;
        tree[i] =
            OBJECT(h, 1, 0, items, OBJECT(h, 1, 0, OBJECT(h, 0, 0, 0), 0));
    }
    if (h->preset.buffer_alloc == NULL)
        data = OBJECT(h, tree[0], tree[1]);
    else
        data = (brolga_word)(uintptr_t)memcpy(block_alloc(16, allocator->arg),
                                              tree, 16);
    return OBJECT(h, 2, 2, data);
}

static void blocks_come_and_go(struct brolga_model preset)
{
    struct blocks b = {0};
    struct brolga_allocator allocator = {block_alloc, block_free, &b};
    const brolga_type *type;
    brolga_word from, to, tree;
    struct host h;
    int64_t live;

    start_blocks(&h, &allocator, preset);
    type = host_type(&h, "(Vec (Tree (Vec Int)))");
    from = forest(&h, &allocator);
    live = b.live;
    to = host_copy(type, from);
    cr_assert_eq(b.live, 2 * live);
    tree = host_items(&h, to)[1];
    cr_assert_eq(host_items(&h, host_fields(&h, tree)[2])[1], 2001);
    brolga_drop_word(type, from);
    brolga_drop_word(type, to);
    cr_assert_eq(b.live, 0);
    cr_assert_eq(b.wrong, 0);
    /* Buffers have no size word: of each value two, and that of the Vec. */
    cr_assert_eq(b.unsized, preset.buffer_alloc != NULL ? 6 : 0);
    host_stop(&h);
}

Test(memory, blocks_go_back_with_the_size_that_they_were_made_with)
{
    blocks_come_and_go(brolga_model_cranelisp());
    blocks_come_and_go(brolga_model_cranelisp_later());
}

static void blocks_run_out(struct brolga_model preset)
{
    struct blocks b = {0};
    struct brolga_allocator allocator = {block_alloc, block_free, &b};
    const brolga_type *type;
    int64_t live, tries = 0;
    brolga_word from, to = 99;
    struct host h;
    int err;

    start_blocks(&h, &allocator, preset);
    type = host_type(&h, "(Vec (Tree (Vec Int)))");
    from = forest(&h, &allocator);
    live = b.live;
    do {
        b.made = 0;
        b.fail_at = ++tries;
        err = brolga_copy_word(type, from, &to, NULL);
        b.fail_at = 0;
        cr_assert(err == BROLGA_OK || (err == BROLGA_ENOMEM && to == 99));
        cr_assert(err == BROLGA_OK || b.live == live);
    } while (err != BROLGA_OK);
    cr_assert_eq(tries, live + 1);
    brolga_drop_word(type, from);
    brolga_drop_word(type, to);
    cr_assert_eq(b.live, 0);
    cr_assert_eq(b.wrong, 0);
    host_stop(&h);
}

Test(memory, an_allocator_that_runs_out_at_any_block_leaves_nothing_behind)
{
    blocks_run_out(brolga_model_cranelisp());
    blocks_run_out(brolga_model_cranelisp_later());
}

Test(memory, a_header_may_have_more_words_and_need_no_size)
{
    struct blocks b = {0};
    struct brolga_allocator allocator = {block_alloc, block_free, &b};
    struct brolga_model model = brolga_model_cranelisp();
    const brolga_type *type;
    brolga_word list, copy;
    struct host h;

    /* [?][count][?][fields], and values point to the fields. */
    model.has_size = false;
    model.count_at = -16;
    model.size_at = -24;
    start_blocks(&h, &allocator, model);
    type = host_type(&h, "(List Int)");
    list = OBJECT(&h, 1, 7, OBJECT(&h, 1, 8, 0));
    copy = host_copy(type, list);
    cr_assert_eq(*host_count(&h, copy), 1);
    cr_assert_eq(host_fields(&h, copy)[-1], 0, "other words are 0\n");
    cr_assert_eq(host_fields(&h, host_fields(&h, copy)[2])[1], 8);
    brolga_drop_word(type, copy);
    brolga_drop_word(type, list);
    cr_assert_eq(b.live, 0);
    cr_assert_eq(b.unsized, 4);
    host_stop(&h);
}

Test(memory, an_allocator_that_cannot_free_keeps_its_blocks)
{
    struct blocks b = {0};
    struct brolga_allocator allocator = {block_alloc, NULL, &b};
    brolga_word some;
    struct host h;

    start_blocks(&h, &allocator, brolga_model_cranelisp());
    some = OBJECT(&h, 1, 5);
    brolga_drop_word(host_type(&h, "(Option Int)"), some);
    cr_assert_eq(b.live, 1);
    block_free((void *)(uintptr_t)(some - 16), 0, &b);
    host_stop(&h);
}

/* The size word counts the header whatever its order: what we make passes our
 * own checks. */
Test(memory, sizes_count_headers_in_any_order)
{
    static const char *const types[] = {"String"};
    struct brolga_model model = brolga_model_cranelisp();
    struct blocks b = {0};
    struct brolga_allocator allocator = {block_alloc, block_free, &b};
    brolga_word closure, string, first, frozen, second;
    const brolga_type *type;
    brolga_region *region;
    struct host h;

    model.size_at = -8;
    model.count_at = -16;
    model.closure_info = host_closure_info;
    model.closure_arg = &h;
    start_blocks(&h, &allocator, model);
    type = host_type(&h, "(Fn [] Int)");
    string = OBJECT(&h, 0);
    closure = OBJECT(
        &h, (brolga_word)(uintptr_t)host_add_code(&h, "f", 1, types), string);
    cr_assert_eq(brolga_copy_word(type, closure, &first, NULL), BROLGA_OK);
    brolga_drop_word(type, closure);
    cr_assert_eq(brolga_freeze(type, first, &frozen, &region, NULL, NULL),
                 BROLGA_OK);
    brolga_drop_word(type, first);
    *host_count(&h, frozen) = 1; /* To be copied from a region. */
    cr_assert_eq(brolga_copy_word(type, frozen, &second, NULL), BROLGA_OK);
    brolga_drop_word(type, second);
    brolga_region_release(region);
    cr_assert_eq(b.live, 0);
    cr_assert_eq(b.wrong, 0);
    brolga_types_destroy(h.types);
}

Test(memory, what_we_write_lies_in_front_of_the_fields)
{
    struct brolga_model model = brolga_model_cranelisp();
    struct brolga_allocator allocator = {block_alloc, block_free, NULL};
    brolga_types *types;

    model.allocator = &allocator;
    model.count_at = 8;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_EINVAL);
    model.count_at = -8;
    model.size_at = 16;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_EINVAL);
    model.has_size = false;
    cr_assert_eq(brolga_types_create(&model, &types), BROLGA_OK);
    brolga_types_destroy(types);
}

/* --- Brolga's own memory ------------------------------------------------ */

static struct brolga__account mine;

static struct brolga__account *find_mine(void)
{
    return &mine;
}

static void own_body(struct brolga_model model)
{
    const brolga_type *type;
    brolga_word list = 0, copy;
    uint64_t made_bytes;
    struct host h = {.preset = model};
    int64_t live = 0;

    cr_assert_eq(brolga_types_create(&model, &h.types), BROLGA_OK);
    type = host_type(&h, "(List Int)");
    live = brolga__alloc_live();
    memset(&mine, 0, sizeof(mine));
    brolga__account_by(find_mine);
    for (int i = 0; i < 10; i++)
        list = OBJECT(&h, 1, i, list);
    cr_assert_eq(brolga__alloc_live(), live + 10);
    made_bytes = brolga__load_relaxed(&mine.made_bytes);
    cr_assert_eq(made_bytes, 10 * (16 + 24));
    copy = host_copy(type, list);
    cr_assert_eq(brolga__alloc_live(), live + 20);
    cr_assert_eq(brolga__load_relaxed(&mine.made_bytes), 2 * made_bytes);
    cr_assert_eq(brolga__load_relaxed(&mine.freed_bytes), 0);
    brolga_drop_word(type, copy);
    brolga_object_free(h.types, OBJECT(&h, 1));
    cr_assert_eq(brolga__load_relaxed(&mine.freed_bytes), made_bytes + 24);
    brolga_drop_word(type, list);
    cr_assert_eq(brolga__load_relaxed(&mine.freed_bytes),
                 brolga__load_relaxed(&mine.made_bytes));
    brolga__account_by(NULL);
    cr_assert_eq(brolga__alloc_live(), live);
    host_stop(&h);
}

Test(memory, our_own_memory_is_counted_and_charged_to_who_had_it_made)
{
    own_body(brolga_model_cranelisp());
    own_body(brolga_model_cranelisp_later());
}

Test(memory, bytes_of_buffers_are_charged_too)
{
    struct brolga_model model = brolga_model_cranelisp_later();
    struct host h = {.preset = model};
    brolga_word vec, copy;
    const brolga_type *type;

    cr_assert_eq(brolga_types_create(&model, &h.types), BROLGA_OK);
    type = host_type(&h, "(Vec Int)");
    vec = OBJECT(
        &h, 100, 100,
        (brolga_word)(uintptr_t)memset(model.buffer_alloc(800, NULL), 1, 800));
    memset(&mine, 0, sizeof(mine));
    brolga__account_by(find_mine);
    copy = host_copy(type, vec);
    cr_assert_geq(brolga__load_relaxed(&mine.made_bytes), 800 + 24 + 16);
    brolga_drop_word(type, copy);
    cr_assert_eq(brolga__load_relaxed(&mine.freed_bytes),
                 brolga__load_relaxed(&mine.made_bytes));
    brolga__account_by(NULL);
    brolga_drop_word(type, vec);
    host_stop(&h);
}

Test(memory, objects_of_any_host_are_made_and_freed_by_that_host)
{
    struct host h;
    brolga_word value;

    host_start(&h, brolga_model_cranelisp());
    value = brolga_object_make(h.types, 16);
    cr_assert_eq(h.live, 1);
    brolga_object_free(h.types, value);
    cr_assert_eq(h.live, 0);
    cr_assert_eq(brolga_object_make(h.types, -1), 0);
    host_stop(&h);
}

Test(memory, the_allocator_has_a_name)
{
    const char *name = brolga_allocator_name();

    cr_assert(strcmp(name, "mimalloc") == 0 || strcmp(name, "malloc") == 0);
}
