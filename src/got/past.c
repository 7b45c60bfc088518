/*
 * Pasts: what each of the last commits has changed, so that an older version
 * can be published again.
 *
 * Versions' tables are not kept: they go when nobody calls through them. A past
 * has, for each slot that its commit has touched, what the slot was before. To
 * restore version v is to give every slot what the oldest past since v says of
 * it; slots without an entry have not changed. It is a commit like others, with
 * a past of its own.
 *
 * A past keeps what it leads to: slots, so that numbers that units know are not
 * given to others; and units, which stay RETIRED, since nothing else holds them
 * back from being searched for and released (reclaim.c). It names only owners
 * that were live when it was made, hence units that are no suspects.
 */
#include "got/txn.h"

#include "alloc.h"

#include <string.h>

/* --- keeping ------------------------------------------------------------ */

int brolga__past_create(struct brolga_txn *txn, struct brolga__past **out)
{
    struct brolga_got *got = txn->got;
    size_t count = (size_t)txn->def_count + txn->removed_count;
    struct brolga__past *past;

    *out = NULL;
    if (got->opts.history == 0)
        return BROLGA_OK;
    past = brolga__alloc_zero(sizeof *past + count * sizeof past->before[0]);
    if (past == NULL)
        return BROLGA_ENOMEM;
    past->version = brolga__load_relaxed(&got->current)->number;
    *out = past;
    return BROLGA_OK;
}

void brolga__past_note(struct brolga__past *past, struct brolga__slot *slot)
{
    struct brolga__before *before;

    if (past == NULL)
        return;
    before = &past->before[past->count++];
    before->slot = slot;
    slot->refs++;
    slot->past++;
    if (!brolga__slot_in_force(slot))
        return;
    before->owner = slot->owner;
    before->code = slot->code;
    before->owner->past++;
}

static void past_free(struct brolga_got *got, struct brolga__past *past)
{
    for (uint32_t i = 0; i < past->count; i++) {
        struct brolga__before *before = &past->before[i];

        if (before->owner != NULL)
            before->owner->past--;
        before->slot->past--;
        brolga__slot_unref(got, before->slot);
        brolga__free(before->signature);
    }
    brolga__free(past);
}

static void drop_oldest(struct brolga_got *got)
{
    struct brolga__list *node = brolga__list_pop_front(&got->pasts);

    past_free(got, brolga__container_of(node, struct brolga__past, link));
    got->past_count--;
}

void brolga__past_keep(struct brolga_got *got, struct brolga__past *past)
{
    if (past == NULL)
        return;
    brolga__list_push_back(&got->pasts, &past->link);
    got->past_count++;
    while (got->past_count > got->opts.history)
        drop_oldest(got);
}

void brolga__pasts_free(struct brolga_got *got)
{
    struct brolga__list *node;

    /* Units and slots go too: nothing is counted any more. */
    while ((node = brolga__list_pop_front(&got->pasts)) != NULL) {
        struct brolga__past *past =
            brolga__container_of(node, struct brolga__past, link);

        for (uint32_t i = 0; i < past->count; i++)
            brolga__free(past->before[i].signature);
        brolga__free(past);
    }
}

/* --- restoring ---------------------------------------------------------- */

/* Scratch in slot->staged: to go; else the number of a definition + 1. */
#define TO_GO UINT32_MAX

static int stage_gone(struct brolga_txn *txn, struct brolga__slot *slot)
{
    int err = brolga__grow((void **)&txn->gone, txn->gone_count,
                           &txn->gone_capacity, sizeof(struct brolga__slot *));

    if (err != BROLGA_OK)
        return err;
    txn->gone[txn->gone_count++] = slot;
    slot->staged = TO_GO;
    return BROLGA_OK;
}

static int stage_definition(struct brolga_txn *txn,
                            const struct brolga__before *before)
{
    struct brolga__definition *def;
    int err = brolga__grow((void **)&txn->defs, txn->def_count,
                           &txn->def_capacity, sizeof *txn->defs);

    if (err != BROLGA_OK)
        return err;
    def = &txn->defs[txn->def_count++];
    *def = (struct brolga__definition){
        .unit = before->owner, .slot = before->slot, .code = before->code};
    def->slot->refs++;
    def->slot->staged = txn->def_count;
    return BROLGA_OK;
}

/* The oldest past that changed it says what the signature was. */
static int stage_signature(struct brolga_txn *txn,
                           const struct brolga__before *before)
{
    struct brolga__definition *def;

    if (before->signature == NULL || before->slot->staged == TO_GO)
        return BROLGA_OK;
    def = &txn->defs[before->slot->staged - 1];
    if (def->signature != NULL)
        return BROLGA_OK;
    def->signature = brolga__strdup(before->signature);
    return def->signature != NULL ? BROLGA_OK : BROLGA_ENOMEM;
}

static int stage_before(struct brolga_txn *txn,
                        const struct brolga__before *before)
{
    int err = BROLGA_OK;

    if (before->slot->staged == 0)
        err = before->owner == NULL ? stage_gone(txn, before->slot)
                                    : stage_definition(txn, before);
    return err == BROLGA_OK ? stage_signature(txn, before) : err;
}

static int stage_past(struct brolga_txn *txn, const struct brolga__past *past)
{
    int err = BROLGA_OK;

    for (uint32_t i = 0; err == BROLGA_OK && i < past->count; i++)
        err = stage_before(txn, &past->before[i]);
    return err;
}

static bool has_changed(const struct brolga__definition *def)
{
    const struct brolga__slot *slot = def->slot;

    return !brolga__slot_in_force(slot) || slot->owner != def->unit ||
           slot->code != def->code ||
           (def->signature != NULL &&
            strcmp(slot->signature, def->signature) != 0);
}

/* Clears the scratch, and leaves out what is as it was. */
static void tidy(struct brolga_txn *txn)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < txn->gone_count; i++)
        txn->gone[i]->staged = 0;
    for (uint32_t i = 0; i < txn->def_count; i++) {
        struct brolga__definition def = txn->defs[i];

        def.slot->staged = 0;
        if (has_changed(&def)) {
            txn->defs[kept++] = def;
            continue;
        }
        brolga__free(def.signature);
        brolga__slot_unref(txn->got, def.slot);
    }
    txn->def_count = kept;
}

int brolga__past_stage(struct brolga_txn *txn)
{
    struct brolga_got *got = txn->got;
    uint64_t version = brolga__load_relaxed(&got->current)->number;
    int err = BROLGA_OK;

    brolga__txn_unstage(txn);
    if (txn->restores >= version || txn->restores < version - got->past_count)
        return BROLGA_ENOENT;
    brolga__list_each (node, &got->pasts) {
        struct brolga__past *past =
            brolga__container_of(node, struct brolga__past, link);

        if (err == BROLGA_OK && past->version >= txn->restores)
            err = stage_past(txn, past);
    }
    tidy(txn);
    return err;
}
