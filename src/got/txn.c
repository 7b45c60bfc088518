/*
 * Transactions: staging. Everything that can fail for want of memory happens
 * here or in the check; what is staged is invisible to everyone else, and
 * brolga_txn_abort() takes it all back (C7).
 */
#include "got/txn.h"

#include "alloc.h"
#include "shield.h"

#include <string.h>

int brolga__grow(void **array, uint32_t count, uint32_t *capacity,
                 size_t element_bytes)
{
    uint32_t wanted = *capacity * 2 + 8;
    void *grown;

    if (count < *capacity)
        return BROLGA_OK;
    grown = brolga__realloc(*array, wanted * element_bytes);
    if (grown == NULL)
        return BROLGA_ENOMEM;
    *array = grown;
    *capacity = wanted;
    return BROLGA_OK;
}

int brolga_txn_begin(brolga_got *got, brolga_txn **out)
{
    struct brolga_txn *txn = brolga__alloc_zero(sizeof *txn);

    if (txn == NULL)
        return BROLGA_ENOMEM;
    txn->got = got;
    brolga__list_init(&txn->units);
    brolga__list_init(&txn->hooks);
    *out = txn;
    return BROLGA_OK;
}

int brolga_txn_unit(brolga_txn *txn, const struct brolga_unit_opts *opts,
                    brolga_unit **out)
{
    struct brolga_got *got = txn->got;
    int err;

    if (opts == NULL || opts->text == NULL || opts->text_bytes == 0 ||
        txn->restores != 0)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&got->lock);
    err = brolga__unit_create(got, opts, out);
    if (err == BROLGA_OK)
        brolga__list_push_back(&txn->units, &(*out)->link);
    (void)pthread_mutex_unlock(&got->lock);
    return err;
}

/* A module, which stays until it is left, though nothing is in it. */
static int enter_module(struct brolga_got *got, const char *name,
                        struct brolga__module **out)
{
    int err = brolga__module_get(got, name, out);

    if (err == BROLGA_OK)
        (*out)->staged++;
    return err;
}

static void leave_module(struct brolga__module *module)
{
    module->staged--;
    brolga__module_prune(module);
}

int brolga_txn_replace(brolga_txn *txn, const char *module)
{
    struct brolga_got *got = txn->got;
    struct brolga__module *found;
    int err;

    if (module == NULL || txn->restores != 0)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&got->lock);
    err = brolga__grow((void **)&txn->replaced, txn->replaced_count,
                       &txn->replaced_capacity, sizeof *txn->replaced);
    if (err == BROLGA_OK)
        err = enter_module(got, module, &found);
    if (err == BROLGA_OK)
        txn->replaced[txn->replaced_count++] = found;
    (void)pthread_mutex_unlock(&got->lock);
    return err;
}

/* The slot of this symbol that is in force under another signature, if any. */
static struct brolga__slot *other_signature(struct brolga_got *got,
                                            struct brolga__module *module,
                                            const char *symbol,
                                            const char *signature)
{
    struct brolga__slot *first = brolga__slot_any(got, module, symbol);
    struct brolga__slot *slot = first;

    if (first == NULL)
        return NULL;
    do {
        if (slot->owner != NULL && !slot->removed &&
            strcmp(slot->signature, signature) != 0)
            return slot;
        slot = slot->sibling;
    } while (slot != first);
    return NULL;
}

/* Asks the host what a changed signature means. NULL: a fresh slot. */
static struct brolga__slot *patched(struct brolga_txn *txn,
                                    struct brolga__module *module,
                                    const char *symbol, const char *signature)
{
    struct brolga_got *got = txn->got;
    struct brolga__slot *old;
    enum brolga_compat compat;

    if (got->opts.compatible == NULL)
        return NULL;
    old = other_signature(got, module, symbol, signature);
    if (old == NULL)
        return NULL;
    brolga__shield_raise(); /* got->lock is held. */
    compat = got->opts.compatible(got->opts.arg, module->name, symbol,
                                  old->signature, signature);
    brolga__shield_lower();
    switch (compat) {
    case BROLGA_COMPAT_PATCH:
        return old;
    case BROLGA_COMPAT_REFUSE:
        txn->refused = true; /* With or without memory for the name. */
        if (txn->refused_by_host == NULL)
            txn->refused_by_host = brolga__strdup(symbol);
        return NULL;
    case BROLGA_COMPAT_FRESH:
    default:
        return NULL;
    }
}

static int define(struct brolga_txn *txn, struct brolga_unit *unit,
                  struct brolga__module *module, const char *symbol,
                  const char *signature, const void *code, brolga_slot *out)
{
    struct brolga_got *got = txn->got;
    struct brolga__definition def = {.unit = unit, .code = code};
    int err = brolga__grow((void **)&txn->defs, txn->def_count,
                           &txn->def_capacity, sizeof *txn->defs);

    if (err != BROLGA_OK)
        return err;
    def.slot = patched(txn, module, symbol, signature);
    if (def.slot != NULL) {
        def.signature = brolga__strdup(signature);
        if (def.signature == NULL)
            return BROLGA_ENOMEM;
        def.slot->refs++;
    } else {
        err = brolga__slot_ref(got, module, symbol, signature, &def.slot);
        if (err != BROLGA_OK)
            return err;
    }
    txn->defs[txn->def_count++] = def;
    if (out != NULL)
        *out = def.slot->number;
    return BROLGA_OK;
}

int brolga_txn_define(brolga_txn *txn, brolga_unit *unit, const char *module,
                      const char *symbol, const char *signature,
                      const void *code, brolga_slot *out)
{
    struct brolga__module *found;
    uintptr_t at = (uintptr_t)code;
    int err;

    if (module == NULL || symbol == NULL || signature == NULL ||
        unit->state != BROLGA__UNIT_STAGED || at < unit->low ||
        at >= unit->high)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&txn->got->lock);
    err = enter_module(txn->got, module, &found);
    if (err == BROLGA_OK) {
        err = define(txn, unit, found, symbol, signature, code, out);
        leave_module(found);
    }
    (void)pthread_mutex_unlock(&txn->got->lock);
    return err;
}

/* The slot that this transaction gives a symbol of this signature by patching,
 * with a reference taken; NULL if it does not. */
static struct brolga__slot *patched_here(struct brolga_txn *txn,
                                         struct brolga__module *module,
                                         const char *symbol,
                                         const char *signature)
{
    for (uint32_t i = 0; i < txn->def_count; i++) {
        struct brolga__definition *def = &txn->defs[i];

        if (def->signature == NULL || def->slot->module != module ||
            strcmp(def->slot->symbol, symbol) != 0 ||
            strcmp(def->signature, signature) != 0)
            continue;
        def->slot->refs++;
        return def->slot;
    }
    return NULL;
}

/* The slot that a symbol has, or will have, with a reference taken. */
static int find(struct brolga_txn *txn, struct brolga__module *module,
                const char *symbol, const char *signature,
                struct brolga__slot **out)
{
    *out = patched_here(txn, module, symbol, signature);
    return *out != NULL
               ? BROLGA_OK
               : brolga__slot_ref(txn->got, module, symbol, signature, out);
}

static int ask(struct brolga_txn *txn, struct brolga__module *module,
               const char *symbol, const char *signature, brolga_slot *out)
{
    struct brolga__slot *slot;
    int err = brolga__grow((void **)&txn->asked, txn->asked_count,
                           &txn->asked_capacity, sizeof *txn->asked);

    if (err == BROLGA_OK)
        err = find(txn, module, symbol, signature, &slot);
    if (err != BROLGA_OK)
        return err;
    txn->asked[txn->asked_count++] = slot;
    *out = slot->number;
    return BROLGA_OK;
}

int brolga_txn_slot(brolga_txn *txn, const char *module, const char *symbol,
                    const char *signature, brolga_slot *out)
{
    struct brolga__module *found;
    int err;

    if (module == NULL || symbol == NULL || signature == NULL)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&txn->got->lock);
    err = enter_module(txn->got, module, &found);
    if (err == BROLGA_OK) {
        err = ask(txn, found, symbol, signature, out);
        leave_module(found);
    }
    (void)pthread_mutex_unlock(&txn->got->lock);
    return err;
}

static int import(struct brolga_txn *txn, struct brolga_unit *unit,
                  struct brolga__module *module, const char *symbol,
                  const char *signature, const char *where, brolga_slot *out)
{
    struct brolga__import_place place = {.unit = unit};
    int err = brolga__grow((void **)&txn->places, txn->place_count,
                           &txn->place_capacity, sizeof *txn->places);

    if (err != BROLGA_OK)
        return err;
    if (where != NULL) {
        place.where = brolga__strdup(where);
        if (place.where == NULL)
            return BROLGA_ENOMEM;
    }
    err = find(txn, module, symbol, signature, &place.slot);
    if (err != BROLGA_OK)
        goto fail;
    err = brolga__unit_add_import(unit, place.slot);
    if (err != BROLGA_OK) {
        brolga__slot_unref(txn->got, place.slot);
        goto fail;
    }
    txn->places[txn->place_count++] = place;
    *out = place.slot->number;
    return BROLGA_OK;

fail:
    brolga__free(place.where);
    return err;
}

int brolga_txn_import(brolga_txn *txn, brolga_unit *unit, const char *module,
                      const char *symbol, const char *signature,
                      const char *where, brolga_slot *out)
{
    struct brolga__module *found;
    int err;

    if (module == NULL || symbol == NULL || signature == NULL ||
        unit->state != BROLGA__UNIT_STAGED)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&txn->got->lock);
    err = enter_module(txn->got, module, &found);
    if (err == BROLGA_OK) {
        err = import(txn, unit, found, symbol, signature, where, out);
        leave_module(found);
    }
    (void)pthread_mutex_unlock(&txn->got->lock);
    return err;
}

int brolga_txn_restore(brolga_txn *txn, uint64_t version)
{
    if (version == 0 || !brolga__list_empty(&txn->units) ||
        txn->def_count > 0 || txn->replaced_count > 0)
        return BROLGA_EINVAL;
    txn->restores = version;
    return BROLGA_OK;
}

int brolga_got_rollback(brolga_got *got, uint64_t version,
                        struct brolga_report *report)
{
    brolga_txn *txn;
    int err = brolga_txn_begin(got, &txn);

    if (err != BROLGA_OK)
        return err;
    txn->restores = version;
    return brolga_txn_commit(txn, report);
}

void brolga_txn_allow_stale(brolga_txn *txn)
{
    txn->allow_stale = true;
}

void brolga__txn_unstage(struct brolga_txn *txn)
{
    for (uint32_t i = 0; i < txn->def_count; i++) {
        brolga__slot_unref(txn->got, txn->defs[i].slot);
        brolga__free(txn->defs[i].signature);
    }
    txn->def_count = 0;
    txn->gone_count = 0;
}

void brolga__txn_free(struct brolga_txn *txn)
{
    brolga__txn_unstage(txn);
    for (uint32_t i = 0; i < txn->asked_count; i++)
        brolga__slot_unref(txn->got, txn->asked[i]);
    for (uint32_t i = 0; i < txn->replaced_count; i++)
        leave_module(txn->replaced[i]);
    for (uint32_t i = 0; i < txn->place_count; i++)
        brolga__free(txn->places[i].where);
    brolga__free(txn->defs);
    brolga__free(txn->places);
    brolga__free(txn->asked);
    brolga__free(txn->replaced);
    brolga__free(txn->removed);
    brolga__free(txn->gone);
    brolga__free(txn->refused_by_host);
    brolga__free(txn);
}

/* Code that may have run goes as old code does: when nothing holds it. */
static void retire(struct brolga_unit *unit)
{
    unit->policy = BROLGA_RECLAIM; /* No one else has ever had it. */
    unit->first_version = 1;       /* No version leads to it. */
    brolga__unit_set_state(unit, BROLGA__UNIT_LIVE);
    brolga__list_push_back(&unit->got->live, &unit->link);
    brolga__unit_retire(unit, 0);
}

void brolga_txn_abort(brolga_txn *txn)
{
    struct brolga_got *got = txn->got;
    bool exposed = txn->exposed;
    struct brolga__list units, hooks, *node;

    brolga__list_init(&units);
    brolga__hooks_take(txn, &hooks);
    (void)pthread_mutex_lock(&got->lock);
    while ((node = brolga__list_pop_front(&txn->units)) != NULL) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (exposed) {
            retire(unit);
            continue;
        }
        brolga__unit_unlink(unit);
        brolga__list_push_back(&units, node);
    }
    brolga__txn_free(txn);
    (void)pthread_mutex_unlock(&got->lock);
    brolga__hooks_free(&hooks);
    if (exposed && got->stacks.notify != NULL)
        got->stacks.notify(got->stacks.arg);
    /* The host's release functions run outside the lock. */
    while ((node = brolga__list_pop_front(&units)) != NULL)
        brolga__unit_free(brolga__container_of(node, struct brolga_unit, link));
}
