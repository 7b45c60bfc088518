/*
 * The commit: everything is checked and allocated, so from the copy of the
 * table on nothing can fail. One release store publishes (C1); no thread is
 * stopped and none is waited for (C4).
 *
 *   F  release store of `current` -> acquire load in brolga__view_adopt().
 *   AC release store of `announced` after the round has begun -> acquire load
 *      in brolga__view_adopt(); see there.
 *   K  release store of a cell -> the host's load of it, which is ordered by
 *      the address dependency of the call that follows.
 *
 * The round begins after both, so that a member that announces it can reach
 * neither the old version nor an old cell's code through a later load.
 */
#include "got/txn.h"

#include "alloc.h"
#include "plat.h"
#include "stress.h"

#include <stdio.h>
#include <string.h>

/* The table of the next version, with the definitions not yet in it. Entries
 * that no slot has used yet are without code in every table. */
static struct brolga__version *copy_current(struct brolga_got *got)
{
    struct brolga__version *current = brolga__load_relaxed(&got->current);
    struct brolga__version *next = brolga__version_take(got, got->slot_end);

    if (next == NULL)
        return NULL;
    memcpy(next->slots, current->slots, current->used * sizeof next->slots[0]);
    for (uint32_t i = current->used; i < next->used; i++)
        next->slots[i] = brolga__version_missing();
    next->used = got->slot_end;
    next->number = current->number + 1;
    next->replaced_round = 0;
    atomic_init(&next->holds, 0);
    atomic_init(&next->announced, false);
    return next;
}

static void cell_store(struct brolga__slot *slot, const void *code)
{
    struct brolga_cells *cells = slot->module->cells;
    uint32_t index = 0;

    if (cells == NULL)
        return;
    if (slot->cell == BROLGA__NO_CELL) {
        while (cells->taken[index] != 0) /* The check counted them. */
            index++;
        cells->taken[index] = 1;
        slot->cell = index;
    }
    __atomic_store_n(&cells->base[slot->cell], code, __ATOMIC_RELEASE); /* K */
}

/* The unit that stood behind a slot until now loses it. */
static void lose_slot(struct brolga_unit *unit, uint64_t last_version)
{
    brolga__assert(unit->live_slots > 0);
    if (--unit->live_slots == 0)
        brolga__unit_retire(unit, last_version);
}

/* The signature of a slot that the host patched; the old one goes into the
 * past, or with the transaction. */
static void patch_signature(struct brolga__definition *def,
                            struct brolga__past *past)
{
    char *old = def->slot->signature;

    def->slot->signature = def->signature;
    def->signature = NULL;
    if (past != NULL)
        past->before[past->count - 1].signature = old;
    else
        def->signature = old;
}

static void apply_definition(struct brolga__definition *def,
                             struct brolga__version *next,
                             struct brolga__past *past)
{
    struct brolga__slot *slot = def->slot;

    brolga__past_note(past, slot);
    if (slot->owner == NULL) {
        slot->refs++;
    } else {
        slot->owner->owned_slots--;
        if (!slot->removed)
            lose_slot(slot->owner, next->number - 1);
        else /* Tables up to the present one still lead to it. */
            slot->owner->last_version = next->number - 1;
    }
    if (def->signature != NULL)
        patch_signature(def, past);
    brolga__unit_revive(def->unit); /* If it is one that was. */
    slot->removed = false;
    slot->owner = def->unit;
    slot->code = def->code;
    def->unit->owned_slots++;
    def->unit->live_slots++;
    next->slots[slot->number] = def->code;
    cell_store(slot, def->code);
}

/*
 * A removed slot keeps its code while units that imported it exist: they may
 * still be running. Without importers it is gone at once.
 */
static void apply_removal(struct brolga__slot *slot,
                          struct brolga__version *next,
                          struct brolga__past *past)
{
    struct brolga_unit *owner = slot->owner;

    brolga__past_note(past, slot);
    slot->removed = true;
    slot->removed_at = next->number;
    lose_slot(owner, next->number - 1);
    if (slot->refs > 1 + slot->past)
        return;
    next->slots[slot->number] = brolga__version_missing();
    brolga__cell_clear(slot);
    owner->owned_slots--;
    slot->owner = NULL;
    slot->code = NULL;
    brolga__slot_unref(owner->got, slot);
}

static void adopt_units(struct brolga_txn *txn, uint64_t version)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(&txn->units)) != NULL) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        unit->first_version = version;
        brolga__unit_set_state(unit, BROLGA__UNIT_LIVE);
        brolga__list_push_back(&txn->got->live, &unit->link);
        if (!txn->exposed)
            brolga__ranges_add(unit); /* Before any view leads to it. */
        /* Nothing but pins and stacks can hold it from the start. */
        if (unit->live_slots == 0)
            brolga__unit_retire(unit, version);
    }
}

static void publish(struct brolga_got *got, struct brolga__version *next)
{
    struct brolga__version *old = brolga__load_relaxed(&got->current);

    next->published_ns = brolga__plat_now_ns();
    brolga__list_push_back(&got->versions, &next->link);
    got->version_count++;
    got->commits++;
    brolga__store_release(&got->current, next); /* F: load in adopt */
    old->replaced_ns = next->published_ns;
    old->replaced_round = brolga__epoch_begin_round(got->epoch);
    brolga__store_release(&next->announced, true); /* AC: adopt */
}

static void apply(struct brolga_txn *txn, struct brolga__version *next,
                  struct brolga__past *past)
{
    for (uint32_t i = 0; i < txn->def_count; i++)
        apply_definition(&txn->defs[i], next, past);
    for (uint32_t i = 0; i < txn->removed_count; i++)
        apply_removal(txn->removed[i], next, past);
    adopt_units(txn, next->number);
    publish(txn->got, next);
    brolga__past_keep(txn->got, past);
}

/* All that a commit needs. */
static int prepare(struct brolga_txn *txn, struct brolga__version **next,
                   struct brolga__past **past)
{
    int err = brolga__past_create(txn, past);

    if (err != BROLGA_OK)
        return err;
    *next = copy_current(txn->got);
    if (*next != NULL)
        return BROLGA_OK;
    brolga__free(*past);
    return BROLGA_ENOMEM;
}

int brolga_txn_check(brolga_txn *txn, struct brolga_report *report)
{
    int err;

    (void)pthread_mutex_lock(&txn->got->lock);
    err = brolga__txn_check(txn, report);
    (void)pthread_mutex_unlock(&txn->got->lock);
    return err;
}

/* Where a commit is refused for no reason: before its check, after it, or when
 * all that it needs is there. */
enum { STRESS_POINTS = 3 };

static bool is_stressed(struct brolga_got *got, struct brolga_report *report)
{
    if (brolga__likely(got->opts.stress_abort == 0) ||
        !brolga__stress_drawn(&got->dice,
                              got->opts.stress_abort * STRESS_POINTS))
        return false;
    *report = (struct brolga_report){
        .refusal = BROLGA_REFUSED_STRESS,
        .version = brolga__load_relaxed(&got->current)->number,
        .text = "refused by the stress switch 'abort': try again"};
    return true;
}

static int publish_locked(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    struct brolga__version *next;
    struct brolga__past *past;
    int err;

    if (is_stressed(got, report))
        return BROLGA_EREFUSED;
    err = brolga__txn_check(txn, report);
    if (err != BROLGA_OK)
        return err;
    if (is_stressed(got, report))
        return BROLGA_EREFUSED;
    if (prepare(txn, &next, &past) != BROLGA_OK) {
        report->refusal = BROLGA_REFUSED_MEMORY;
        (void)snprintf(report->text, sizeof report->text, "%s",
                       brolga_strerror(BROLGA_ENOMEM));
        return BROLGA_EREFUSED;
    }
    if (is_stressed(got, report)) {
        brolga__version_put(got, next);
        brolga__free(past);
        return BROLGA_EREFUSED;
    }
    apply(txn, next, past);
    report->version = next->number;
    brolga__txn_free(txn);
    return BROLGA_OK;
}

int brolga__txn_publish(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    uint64_t begun = brolga__plat_now_ns();
    int err;

    (void)pthread_mutex_lock(&got->lock);
    err = publish_locked(txn, report);
    (void)pthread_mutex_unlock(&got->lock);
    if (err == BROLGA_OK)
        report->commit_ns = brolga__plat_now_ns() - begun;
    return err;
}

/* --- before it is published --------------------------------------------- */

static int preview(struct brolga_txn *txn, struct brolga_report *report,
                   struct brolga__version **out)
{
    struct brolga__version *next;
    int err = brolga__txn_check(txn, report);

    if (err != BROLGA_OK)
        return err;
    next = copy_current(txn->got);
    if (next == NULL) {
        report->refusal = BROLGA_REFUSED_MEMORY;
        (void)snprintf(report->text, sizeof report->text, "%s",
                       brolga_strerror(BROLGA_ENOMEM));
        return BROLGA_EREFUSED;
    }
    for (uint32_t i = 0; i < txn->def_count; i++)
        next->slots[txn->defs[i].slot->number] = txn->defs[i].code;
    *out = next;
    return BROLGA_OK;
}

int brolga__txn_preview(struct brolga_txn *txn, struct brolga_report *report,
                        struct brolga__version **out)
{
    int err;

    (void)pthread_mutex_lock(&txn->got->lock);
    err = preview(txn, report, out);
    (void)pthread_mutex_unlock(&txn->got->lock);
    return err;
}

void brolga__txn_expose(struct brolga_txn *txn)
{
    (void)pthread_mutex_lock(&txn->got->lock);
    if (!txn->exposed)
        brolga__list_each (node, &txn->units)
            brolga__ranges_add(
                brolga__container_of(node, struct brolga_unit, link));
    txn->exposed = true;
    (void)pthread_mutex_unlock(&txn->got->lock);
}

/* --- the whole of it ---------------------------------------------------- */

static int commit(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    int err = brolga__txn_publish(txn, report);

    if (err != BROLGA_OK)
        brolga_txn_abort(txn);
    else if (got->stacks.notify != NULL)
        got->stacks.notify(got->stacks.arg);
    return err;
}

/* The caller's task, if it is one, rests while it waits for others. */
static void wait_begin(struct brolga_got *got)
{
    if (got->stacks.wait_begin != NULL)
        got->stacks.wait_begin(got->stacks.arg);
}

static void wait_end(struct brolga_got *got)
{
    if (got->stacks.wait_end != NULL)
        got->stacks.wait_end(got->stacks.arg);
}

static int refuse_without_barrier(struct brolga_report *report)
{
    report->refusal = BROLGA_REFUSED_MESSAGES;
    (void)snprintf(report->text, sizeof report->text,
                   "the type of messages changes, which takes a barrier: "
                   "commit by brolga_txn_commit_barrier()");
    return BROLGA_EREFUSED;
}

static int commit_with_hooks(struct brolga_txn *txn,
                             struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    struct brolga__list hooks;
    int err = brolga_txn_check(txn, report);

    if (err == BROLGA_OK && brolga__hooks_behind(&txn->hooks))
        err = refuse_without_barrier(report);
    if (err != BROLGA_OK) {
        brolga_txn_abort(txn);
        return err;
    }
    brolga__hooks_take(txn, &hooks);
    wait_begin(got);
    err = brolga__hooks_before(got, &hooks, report);
    if (err == BROLGA_OK)
        err = brolga__hooks_migrate(txn, &hooks, false, report);
    if (err == BROLGA_OK)
        err = commit(txn, report);
    else
        brolga_txn_abort(txn);
    brolga__hooks_end(got, &hooks, err == BROLGA_OK, report);
    wait_end(got);
    return err;
}

int brolga_txn_commit(brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_report local;

    if (report == NULL)
        report = &local;
    return brolga__list_empty(&txn->hooks) ? commit(txn, report)
                                           : commit_with_hooks(txn, report);
}
