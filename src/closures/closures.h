/*
 * The closures layer inside: the hash table, and the table of closures.
 *
 *   hash.c      from a code address to its entry, found without a lock
 *   closures.c  entries, their units, and what a model asks
 */
#ifndef BROLGA_SRC_CLOSURES_CLOSURES_H
#define BROLGA_SRC_CLOSURES_CLOSURES_H

#include <brolga/closures.h>

#include "atomic.h"
#include "base.h"
#include "got/got.h"
#include "lock.h"

/* A function. Constant until its unit is freed. */
struct brolga__closure_entry {
    uintptr_t code;
    brolga_unit *unit;
    struct brolga_closure_info info;
};

/* --- the hash table (hash.c) -------------------------------------------- */

struct brolga__closure_slot {
    _Atomic uintptr_t code; /* or FREE, or GONE; Q */
    struct brolga__closure_entry *_Atomic entry;
};

struct brolga__closure_table {
    struct brolga__closure_table *older;
    size_t slots; /* A power of two. */
    struct brolga__closure_slot slot[];
};

/* Changed by one thread at a time; found in by any. */
struct brolga__closure_hash {
    struct brolga__closure_table *_Atomic table; /* P */
    size_t live;                                 /* entries */
    size_t taken; /* slots of the newest table that are not free */
};

/* BROLGA_OK or BROLGA_ENOMEM. */
int brolga__closure_hash_init(struct brolga__closure_hash *hash);
void brolga__closure_hash_fini(struct brolga__closure_hash *hash);

/* Makes room for `more` entries; BROLGA_OK or BROLGA_ENOMEM. */
int brolga__closure_hash_reserve(struct brolga__closure_hash *hash,
                                 size_t more);
/* Puts an entry in that is not there; there is room. */
void brolga__closure_hash_put(struct brolga__closure_hash *hash,
                              struct brolga__closure_entry *entry);
/* Removes an entry that is there, for which nobody can ask any more. */
void brolga__closure_hash_remove(struct brolga__closure_hash *hash,
                                 const struct brolga__closure_entry *entry);

/* The entry of a code address, or NULL. */
struct brolga__closure_entry *
brolga__closure_hash_find(struct brolga__closure_hash *hash, uintptr_t code);

#endif
