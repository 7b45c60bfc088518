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
    struct brolga__slot **asked; /* By brolga_txn_slot(), with a reference. */
    uint32_t asked_count, asked_capacity;
    struct brolga__module **replaced;
    uint32_t replaced_count, replaced_capacity;
    struct brolga__list hooks; /* In the order of staging; hooks.c */
    bool exposed;              /* The staged code may have run. */
    bool allow_stale;
    bool refused;          /* The callback said REFUSE, */
    char *refused_by_host; /* to this symbol; NULL: there was no memory. */

    /* A version to restore; 0: none. Then the definitions, and the slots that
     * are to go, are filled in by each check. */
    uint64_t restores;
    struct brolga__slot **gone;
    uint32_t gone_count, gone_capacity;

    /* Filled in by check.c for the commit, under got->lock. */
    struct brolga__slot **removed;
    uint32_t removed_count, removed_capacity;
};

/* Under got->lock. Fills txn->removed and, on refusal, the report. */
int brolga__txn_check(struct brolga_txn *txn, struct brolga_report *report);

/* Checks and publishes; on refusal the transaction is as before, and the
 * caller's to abort. */
int brolga__txn_publish(struct brolga_txn *txn, struct brolga_report *report);

/* The table that the transaction would publish, if it is not refused; the
 * caller frees it. Takes got->lock. */
int brolga__txn_preview(struct brolga_txn *txn, struct brolga_report *report,
                        struct brolga__version **out);
/* The staged code is going to run: it is found by its addresses from now on.
 * Takes got->lock. */
void brolga__txn_expose(struct brolga_txn *txn);

/* --- hooks (hooks.c); no lock is held ----------------------------------- */

/* Takes the hooks out of a transaction that has some. */
void brolga__hooks_take(struct brolga_txn *txn, struct brolga__list *hooks);
/* Asks all whether it may be. BROLGA_OK, or BROLGA_EREFUSED and the report. */
int brolga__hooks_before(struct brolga_got *got, struct brolga__list *hooks,
                         struct brolga_report *report);
/* The transaction's last step before it is published. The same. */
int brolga__hooks_migrate(struct brolga_txn *txn, struct brolga__list *hooks,
                          bool past_gate, struct brolga_report *report);
/* Whether other layers have something to do behind the gate; what they do. */
bool brolga__hooks_behind(const struct brolga__list *hooks);
int brolga__hooks_prepare(struct brolga__list *hooks,
                          struct brolga_report *report);
void brolga__hooks_published(struct brolga__list *hooks);
/* It has been published, or not; frees the hooks. */
void brolga__hooks_end(struct brolga_got *got, struct brolga__list *hooks,
                       bool published, struct brolga_report *report);
void brolga__hooks_free(struct brolga__list *hooks);

/* --- pasts (past.c); under got->lock ------------------------------------ */

/* What a slot was before a commit. Holds a reference to the slot, and keeps
 * the owner. */
struct brolga__before {
    struct brolga__slot *slot;
    struct brolga_unit *owner; /* NULL: it was not in force. */
    const void *code;
    char *signature; /* NULL: it is the same. */
};

/* What a commit has changed: the way back. */
struct brolga__past {
    uint64_t version; /* That was current before. */
    struct brolga__list link;
    uint32_t count;
    struct brolga__before before[];
};

/* One for a transaction that has been checked; `*out` is NULL if none is kept.
 */
int brolga__past_create(struct brolga_txn *txn, struct brolga__past **out);
/* Notes a slot as it is. */
void brolga__past_note(struct brolga__past *past, struct brolga__slot *slot);
/* Keeps it, and lets go of those that are too old. */
void brolga__past_keep(struct brolga_got *got, struct brolga__past *past);
void brolga__pasts_free(struct brolga_got *got);
/* Stages what restores a version. BROLGA_OK, BROLGA_ENOENT, BROLGA_ENOMEM. */
int brolga__past_stage(struct brolga_txn *txn);

/* Whether a slot leads to code for all. */
static inline bool brolga__slot_in_force(const struct brolga__slot *slot)
{
    return slot->owner != NULL && !slot->removed;
}

/* Forgets what a check has staged to restore a version. */
void brolga__txn_unstage(struct brolga_txn *txn);

/* Frees the record and its references to slots, not its units. */
void brolga__txn_free(struct brolga_txn *txn);

/* Grows an array for one more element; NULL-safe. */
int brolga__grow(void **array, uint32_t count, uint32_t *capacity,
                 size_t element_bytes);

#endif
