/* A transaction's record; private to txn.c, check.c and commit.c. */
#ifndef BROLGA_SRC_GOT_TXN_H
#define BROLGA_SRC_GOT_TXN_H

#include "got/got.h"

/* One staged definition. Holds a reference to its slot. */
struct brolga__definition {
    struct brolga_unit *unit;
    struct brolga__slot *slot;
    char *signature; /* Of the new code, where the host patched the slot. */
    const void *code;
};

/* Where a staged unit's import stands, for refusals. */
struct brolga__import_place {
    struct brolga_unit *unit;
    struct brolga__slot *slot;
    char *where;
};

struct brolga_txn {
    struct brolga_got *got;
    struct brolga__list units; /* Staged. */
    struct brolga__definition *defs;
    uint32_t def_count, def_capacity;
    struct brolga__import_place *places;
    uint32_t place_count, place_capacity;
    struct brolga__module **replaced;
    uint32_t replaced_count, replaced_capacity;
    bool allow_stale;
    char *refused_by_host; /* Text, if the callback said REFUSE. */

    /* Filled in by check.c for the commit, under got->lock. */
    struct brolga__slot **removed;
    uint32_t removed_count, removed_capacity;
};

/* Under got->lock. Fills txn->removed and, on refusal, the report. */
int brolga__txn_check(struct brolga_txn *txn, struct brolga_report *report);

/* Checks and publishes; on refusal the transaction is as before, and the
 * caller's to abort. */
int brolga__txn_publish(struct brolga_txn *txn, struct brolga_report *report);

/* Frees the record and its references to slots, not its units. */
void brolga__txn_free(struct brolga_txn *txn);

/* Grows an array for one more element; NULL-safe. */
int brolga__grow(void **array, uint32_t count, uint32_t *capacity,
                 size_t element_bytes);

#endif
