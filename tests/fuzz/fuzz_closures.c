/*
 * Goal: the table of closures finds what is in it and nothing else, after any
 * sequence of changes.
 * Method: each byte of the input is a change of one of many keys, which the
 * first byte brings close to each other or not; an array knows what is in.
 */
#include "closures/closures.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define KEYS 256

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "closures: %s\n", what);
        abort();
    }
}

static void change(struct brolga__closure_hash *hash,
                   struct brolga__closure_entry *entry, bool *is_in)
{
    *is_in = !*is_in;
    if (!*is_in) {
        brolga__closure_hash_remove(hash, entry);
        return;
    }
    check(brolga__closure_hash_reserve(hash, 1) == BROLGA_OK, "no memory");
    brolga__closure_hash_put(hash, entry);
}

static void check_all(struct brolga__closure_hash *hash,
                      struct brolga__closure_entry *entry, const bool *is_in)
{
    size_t live = 0;

    for (size_t i = 0; i < KEYS; i++) {
        check(brolga__closure_hash_find(hash, entry[i].code) ==
                  (is_in[i] ? &entry[i] : NULL),
              "found wrongly");
        live += is_in[i];
    }
    check(hash->live == live && hash->live <= hash->taken, "counted wrongly");
    check(hash->taken < brolga__load_relaxed(&hash->table)->slots,
          "no slot is free");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct brolga__closure_entry entry[KEYS];
    struct brolga__closure_hash hash;
    bool is_in[KEYS] = {false};
    int64_t live = brolga__alloc_live();

    if (bytes == 0)
        return 0;
    for (size_t i = 0; i < KEYS; i++)
        entry[i].code = (uintptr_t)2 + i * ((uintptr_t)1 << data[0] % 40);
    check(brolga__closure_hash_init(&hash) == BROLGA_OK, "no memory");
    for (size_t i = 1; i < bytes; i++) {
        change(&hash, &entry[data[i]], &is_in[data[i]]);
        if (i % 16 == 0)
            check_all(&hash, entry, is_in);
    }
    check_all(&hash, entry, is_in);
    brolga__closure_hash_fini(&hash);
    check(brolga__alloc_live() == live, "memory is left");
    return 0;
}
