/*
 * Goal: a heap's objects are its own, distinct and aligned; slots are used
 * again, whoever freed them; after a failure exactly the kept objects stay, and
 * after a good end all do, and the last one that is freed gives its block back;
 * what objects hold is given back once, and only if they end with the heap.
 * Method: heaps without tasks; `NULL` frees as somebody else would. A random
 * run compares with a list of what there should be.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "vheap.h"

#include <stdio.h>
#include <string.h>

static size_t units_before;
static int64_t live_before;

static void begin(void)
{
    units_before = brolga__units_taken();
    live_before = brolga__alloc_live();
}

/* All blocks and records are gone; objects are counted by whoever makes and
 * frees them. */
static void finish(void)
{
    cr_assert_eq(brolga__units_taken(), units_before);
    cr_assert_eq(brolga__alloc_live(), live_before);
}

#define HEAP_TEST(name) Test(vheap, name, .init = begin, .fini = finish)

static struct brolga__vheap *heap_new(void)
{
    struct brolga__vheap *heap = NULL;

    cr_assert_eq(brolga__vheap_create(&heap), BROLGA_OK);
    return heap;
}

/* As brolga__value_alloc() makes one. */
static void *make(struct brolga__vheap *heap, size_t bytes)
{
    unsigned char *object = brolga__vheap_alloc(heap, bytes);

    cr_assert_not_null(object);
    brolga__value_count(1, bytes, 0);
    memset(object, 0x5a, bytes);
    return object;
}

static void drop(struct brolga__vheap *mine, void *object)
{
    brolga__vheap_free(mine, object);
    brolga__value_count(-1, 0, 0);
}

/* --- memory ------------------------------------------------------------- */

HEAP_TEST(objects_of_every_size_are_distinct_and_aligned)
{
    struct brolga__vheap *heap = heap_new();
    static const size_t sizes[] = {0,    1,     8,     16,    17,     48,
                                   1024, 1025,  1280,  1281,  2048,   5000,
                                   8193, 16384, 16385, 65536, 1000000};
    unsigned char *object[17];

    for (int i = 0; i < 17; i++) {
        object[i] = make(heap, sizes[i]);
        cr_assert_eq((uintptr_t)object[i] % 16, 0);
        cr_assert(brolga__in_units(object[i]));
        cr_assert(brolga__vheap_has(heap, object[i]));
        memset(object[i], i, sizes[i]);
    }
    for (int i = 0; i < 17; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            cr_assert_eq(object[i][j], i);
    for (int i = 0; i < 17; i++)
        drop(heap, object[i]);
    brolga__vheap_end(heap, false);
}

HEAP_TEST(slots_are_used_again_whoever_freed_them)
{
    struct brolga__vheap *heap = heap_new();
    void *mine = make(heap, 48), *other = make(heap, 48), *object[4000];

    drop(heap, mine);
    cr_assert_eq(make(heap, 48), mine);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 4000; i++)
            object[i] = make(heap, 48);
        for (int i = 0; i < 4000; i++)
            drop(i % 2 == 0 ? heap : NULL, object[i]);
    }
    /* 4000 of them are four blocks; a few that nobody has looked at since. */
    cr_assert_leq(brolga__units_taken() - units_before, 10);
    drop(NULL, other);
    drop(heap, mine);
    brolga__vheap_end(heap, false);
}

HEAP_TEST(large_objects_that_others_free_go_when_new_ones_come)
{
    struct brolga__vheap *heap = heap_new();

    for (int i = 0; i < 100; i++)
        drop(NULL, make(heap, 300000));
    cr_assert_leq(brolga__units_taken() - units_before, 10);
    brolga__vheap_end(heap, true);
}

HEAP_TEST(an_address_inside_a_large_object_is_the_heaps)
{
    struct brolga__vheap *heap = heap_new(), *other = heap_new();
    unsigned char *object = make(heap, 500000);

    cr_assert(brolga__vheap_has(heap, object + 499999));
    cr_assert_not(brolga__vheap_has(other, object + 499999));
    cr_assert_not(brolga__vheap_has(heap, &heap));
    brolga__vheap_keep(heap, object + 300000, true);
    brolga__vheap_end(heap, true);
    object[0] = object[499999] = 1; /* It is there. */
    drop(NULL, object);
    brolga__vheap_end(other, true);
}

/* --- ends --------------------------------------------------------------- */

HEAP_TEST(after_a_failure_kept_objects_stay)
{
    struct brolga__vheap *heap = heap_new();
    unsigned char *object[3000];

    for (int i = 0; i < 3000; i++) {
        object[i] = make(heap, 48);
        if (i % 1000 == 7)
            brolga__vheap_keep(heap, object[i] + 8, true);
    }
    brolga__vheap_end(heap, true);
    cr_assert_eq(brolga__alloc_live(), live_before + 3);
    cr_assert_eq(brolga__units_taken(), units_before + 2);
    for (int i = 7; i < 3000; i += 1000) {
        cr_assert_eq(object[i][47], 0x5a);
        drop(NULL, object[i]);
    }
}

HEAP_TEST(what_is_no_longer_kept_goes)
{
    struct brolga__vheap *heap = heap_new();
    void *back = make(heap, 48), *gone = make(heap, 48);

    brolga__vheap_keep(heap, back, true);
    brolga__vheap_keep(heap, back, true);
    brolga__vheap_keep(heap, back, false);
    brolga__vheap_keep(heap, gone, true);
    drop(NULL, gone);
    brolga__vheap_end(heap, true);
}

HEAP_TEST(after_a_good_end_all_stay_until_they_are_freed)
{
    struct brolga__vheap *heap = heap_new();
    void *object[3000], *large = make(heap, 200000);

    for (int i = 0; i < 3000; i++)
        object[i] = make(heap, 48);
    drop(NULL, object[5]);
    brolga__vheap_end(heap, false);
    cr_assert_eq(brolga__units_taken(), units_before + 3 + 4);
    for (int i = 0; i < 3000; i++)
        if (i != 5)
            drop(NULL, object[i]);
    cr_assert_eq(brolga__units_taken(), units_before + 4);
    drop(NULL, large);
}

/* --- what objects hold -------------------------------------------------- */

static int64_t given_back;

static void give_back(brolga_word word, void *arg)
{
    (void)arg;
    given_back += word;
}

HEAP_TEST(what_objects_hold_is_given_back_if_they_end_with_the_heap)
{
    struct brolga__vheap *heap = heap_new();
    void *object[400];

    given_back = 0;
    for (int i = 0; i < 400; i++) {
        object[i] = make(heap, 64);
        cr_assert_eq(brolga__vheap_hold(heap, object[i], give_back, NULL, 1),
                     BROLGA_OK);
        if (i % 4 == 0)
            cr_assert_eq(
                brolga__vheap_hold(heap, object[i], give_back, NULL, 1000),
                BROLGA_OK);
    }
    for (int i = 0; i < 100; i++) /* These gave it back themselves. */
        drop(i < 50 ? heap : NULL, object[i]);
    for (int i = 100; i < 200; i++) /* These have left. */
        brolga__vheap_keep(heap, object[i], true);
    drop(NULL, object[100]);
    cr_assert_eq(given_back, 0);
    brolga__vheap_end(heap, true);
    cr_assert_eq(given_back, 200 + 50 * 1000);
    for (int i = 101; i < 200; i++)
        drop(NULL, object[i]);
    cr_assert_eq(given_back, 200 + 50 * 1000);
}

HEAP_TEST(what_objects_hold_stays_after_a_good_end)
{
    struct brolga__vheap *heap = heap_new();
    void *object = make(heap, 64);

    given_back = 0;
    cr_assert_eq(brolga__vheap_hold(heap, object, give_back, NULL, 1),
                 BROLGA_OK);
    brolga__vheap_end(heap, false);
    drop(NULL, object);
    cr_assert_eq(given_back, 0);
}

/* --- by chance ---------------------------------------------------------- */

#define SLOTS 300

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 27);
}

struct item {
    unsigned char *at;
    size_t bytes;
    uint8_t fill;
    bool kept;
};

static bool is_whole(const struct item *item)
{
    for (size_t i = 0; i < item->bytes; i++)
        if (item->at[i] != item->fill)
            return false;
    return true;
}

static void item_step(struct brolga__vheap *heap, struct item *item,
                      uint64_t *random)
{
    if (item->at == NULL) {
        item->bytes = 16 + next_random(random) % 200;
        if (next_random(random) % 50 == 0)
            item->bytes = next_random(random) % 100000;
        item->fill = (uint8_t)next_random(random);
        item->kept = false;
        item->at = make(heap, item->bytes);
        memset(item->at, item->fill, item->bytes);
        return;
    }
    cr_assert(is_whole(item));
    if (next_random(random) % 3 == 0) {
        item->kept = next_random(random) % 2;
        brolga__vheap_keep(heap, item->at, item->kept);
        return;
    }
    drop(next_random(random) % 2 ? heap : NULL, item->at);
    item->at = NULL;
}

HEAP_TEST(any_sequence_ends_with_what_should_be_left)
{
    uint64_t random = brolga_now_ns();

    fprintf(stderr, "random state %llu\n", (unsigned long long)random);
    for (int round = 0; round < 60; round++) {
        struct brolga__vheap *heap = heap_new();
        bool failed = next_random(&random) % 2;
        struct item item[SLOTS] = {{NULL}};

        for (int i = 0; i < 3000; i++)
            item_step(heap, &item[next_random(&random) % SLOTS], &random);
        brolga__vheap_end(heap, failed);
        for (int i = 0; i < SLOTS; i++)
            if (item[i].at != NULL && (item[i].kept || !failed)) {
                cr_assert(is_whole(&item[i]));
                drop(NULL, item[i].at);
            }
        finish();
    }
}
