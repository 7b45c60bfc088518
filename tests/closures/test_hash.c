/*
 * Goal: the table finds what is in it and nothing else, after any sequence of
 * changes; marks of what was removed do not pile up; others find what is theirs
 * meanwhile.
 * Method: random changes beside an array that knows what is in; a second thread
 * looks up what stays.
 */
#include "closures/closures.h"

#include "alloc.h"

#include <criterion/criterion.h>
#include <pthread.h>

#define KEYS 512

static struct brolga__closure_entry entries[KEYS];
static bool is_in[KEYS];
static struct brolga__closure_hash hash;

/* Addresses like those of functions; a few that are neighbours. */
static void open_hash(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        entries[i].code = i % 4 == 0 ? 0x10000 + i : 0x7f0000000000 + i * 4096;
        is_in[i] = false;
    }
    cr_assert_eq(brolga__closure_hash_init(&hash), BROLGA_OK);
}

static void close_hash(void)
{
    brolga__closure_hash_fini(&hash);
    cr_assert_eq(brolga__alloc_live(), 0);
}

static void change(size_t i)
{
    is_in[i] = !is_in[i];
    if (is_in[i]) {
        cr_assert_eq(brolga__closure_hash_reserve(&hash, 1), BROLGA_OK);
        brolga__closure_hash_put(&hash, &entries[i]);
    } else {
        brolga__closure_hash_remove(&hash, &entries[i]);
    }
}

static void check(void)
{
    size_t live = 0;

    for (size_t i = 0; i < KEYS; i++) {
        cr_assert_eq(brolga__closure_hash_find(&hash, entries[i].code),
                     is_in[i] ? &entries[i] : NULL);
        live += is_in[i];
    }
    cr_assert_eq(hash.live, live);
    cr_assert_leq(live, hash.taken);
    cr_assert_lt(hash.taken, brolga__load_relaxed(&hash.table)->slots);
}

static uint32_t next(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % below;
}

Test(hash, random_changes_are_seen, .init = open_hash, .fini = close_hash)
{
    uint32_t random = 7;

    for (int i = 0; i < 40000; i++) {
        /* Few keys for a while, then all of them. */
        change(next(&random, (i / 2000) % 3 == 0 ? 40 : KEYS));
        if (i % 64 == 0)
            check();
    }
    check();
    cr_assert_leq(brolga__load_relaxed(&hash.table)->slots, 4 * KEYS);
}

Test(hash, nothing_is_free_when_nothing_is_in, .init = open_hash,
     .fini = close_hash)
{
    uint32_t random = 9;

    for (int turn = 0; turn < 20; turn++) {
        for (int i = 0; i < 5000; i++)
            change(next(&random, KEYS));
        for (size_t i = 0; i < KEYS; i++)
            if (is_in[i])
                change(i);
        check();
        cr_assert_eq(hash.live, 0);
    }
    cr_assert_leq(brolga__load_relaxed(&hash.table)->slots, 4 * KEYS);
}

/* Keys that are multiples of 8 stay; the others come and go. */
struct seeker {
    _Atomic bool stop;
    bool wrong;
    uint64_t looks;
};

static void *seek(void *arg)
{
    struct seeker *seeker = arg;

    while (!brolga__load_relaxed(&seeker->stop) || seeker->looks < 1000) {
        size_t i = seeker->looks++ % (KEYS / 8) * 8;

        if (brolga__closure_hash_find(&hash, entries[i].code) != &entries[i] ||
            brolga__closure_hash_find(&hash, entries[i].code + 1) != NULL)
            seeker->wrong = true;
    }
    return NULL;
}

Test(hash, what_stays_is_found_while_others_come_and_go, .init = open_hash,
     .fini = close_hash)
{
    struct seeker seeker = {.wrong = false};
    uint32_t random = 3;
    pthread_t thread;

    for (size_t i = 0; i < KEYS; i++)
        entries[i].code = 0x10000 + i * 16;
    for (size_t i = 0; i < KEYS; i += 8)
        change(i);
    cr_assert_eq(pthread_create(&thread, NULL, seek, &seeker), 0);
    for (int i = 0; i < 60000; i++) {
        uint32_t key = next(&random, KEYS);

        if (key % 8 != 0)
            change(key);
    }
    brolga__store_relaxed(&seeker.stop, true);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(!seeker.wrong);
    cr_assert_gt(seeker.looks, 0);
    check();
}
