/*
 * The check before a commit: pure but for scratch fields of slots and units,
 * which it sets and clears under got->lock. After it nothing can fail.
 */
#include "got/txn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends to the report's text; what does not fit is cut. */
static void say(struct brolga_report *report, const char *format, ...)
    BROLGA_PRINTF(2, 3);

static void say(struct brolga_report *report, const char *format, ...)
{
    size_t used = strlen(report->text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(report->text + used, sizeof report->text - used, format,
                    args);
    va_end(args);
}

static int refuse(struct brolga_report *report, enum brolga_refusal reason)
{
    report->refusal = reason;
    return BROLGA_EREFUSED;
}

/* One more that does not fit, of which the first are kept. */
static struct brolga_conflict *add_conflict(struct brolga_report *report,
                                            const struct brolga__slot *slot)
{
    struct brolga_conflict *conflict;

    if (report->conflicts++ >= BROLGA_CONFLICTS_MAX)
        return NULL;
    conflict = &report->conflict[report->conflicts - 1];
    (void)snprintf(conflict->module, sizeof conflict->module, "%s",
                   slot->module->name);
    (void)snprintf(conflict->symbol, sizeof conflict->symbol, "%s",
                   slot->symbol);
    (void)snprintf(conflict->signature, sizeof conflict->signature, "%s",
                   slot->signature);
    return conflict;
}

static void add_importer(struct brolga_report *report,
                         const struct brolga__slot *slot, const char *importer,
                         const char *where, const char *defined)
{
    struct brolga_conflict *conflict = add_conflict(report, slot);

    if (conflict == NULL)
        return;
    (void)snprintf(conflict->importer, sizeof conflict->importer, "%s",
                   importer);
    (void)snprintf(conflict->where, sizeof conflict->where, "%s", where);
    (void)snprintf(conflict->defined, sizeof conflict->defined, "%s", defined);
}

/* --- restoring ---------------------------------------------------------- */

static int stage_past(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    int err;

    if (txn->restores == 0)
        return BROLGA_OK;
    err = brolga__past_stage(txn);
    if (err == BROLGA_OK)
        return BROLGA_OK;
    if (err == BROLGA_ENOMEM) {
        say(report, "%s", brolga_strerror(err));
        return refuse(report, BROLGA_REFUSED_MEMORY);
    }
    say(report,
        "version %llu cannot be restored: ", (unsigned long long)txn->restores);
    if (txn->restores == report->version)
        say(report, "it is the current one");
    else if (txn->restores > report->version)
        say(report, "the current one is %llu",
            (unsigned long long)report->version);
    else if (got->opts.history == 0)
        say(report, "no history is kept");
    else
        say(report, "the oldest that is kept is %llu",
            (unsigned long long)(report->version - got->past_count));
    return refuse(report, BROLGA_REFUSED_HISTORY);
}

/* --- duplicates --------------------------------------------------------- */

/* Whether a symbol has a staged slot, of this or another signature. */
static bool symbol_is_staged(const struct brolga__slot *slot)
{
    const struct brolga__slot *other = slot;

    do {
        if (other->staged != 0)
            return true;
        other = other->sibling;
    } while (other != slot);
    return false;
}

static int mark_staged(struct brolga_txn *txn, struct brolga_report *report)
{
    for (uint32_t i = 0; i < txn->def_count; i++) {
        struct brolga__slot *slot = txn->defs[i].slot;

        if (symbol_is_staged(slot)) {
            say(report, "%s.%s is defined twice in this transaction",
                slot->module->name, slot->symbol);
            (void)add_conflict(report, slot);
            return refuse(report, BROLGA_REFUSED_DUPLICATE);
        }
        slot->staged = i + 1;
    }
    return BROLGA_OK;
}

/* --- what goes away ----------------------------------------------------- */

static int doom(struct brolga_txn *txn, struct brolga__slot *slot)
{
    int err;

    if (!brolga__slot_in_force(slot) || slot->staged != 0 || slot->doomed)
        return BROLGA_OK;
    err = brolga__grow((void **)&txn->removed, txn->removed_count,
                       &txn->removed_capacity, sizeof *txn->removed);
    if (err != BROLGA_OK)
        return err;
    slot->doomed = true;
    txn->removed[txn->removed_count++] = slot;
    return BROLGA_OK;
}

/* The symbols of a module that the transaction wholly defines, but does not
 * define again. */
static int doom_module(struct brolga_txn *txn, struct brolga__module *module)
{
    int err = BROLGA_OK;

    brolga__list_each (node, &module->slots) {
        if (err == BROLGA_OK)
            err = doom(txn,
                       brolga__container_of(node, struct brolga__slot, link));
    }
    return err;
}

/* The same symbol under other signatures. */
static int doom_signatures(struct brolga_txn *txn, struct brolga__slot *slot)
{
    struct brolga__slot *other = slot->sibling;
    int err = BROLGA_OK;

    for (; err == BROLGA_OK && other != slot; other = other->sibling)
        err = doom(txn, other);
    return err;
}

static int mark_doomed(struct brolga_txn *txn, struct brolga_report *report)
{
    int err = BROLGA_OK;

    txn->removed_count = 0;
    for (uint32_t i = 0; err == BROLGA_OK && i < txn->replaced_count; i++)
        err = doom_module(txn, txn->replaced[i]);
    for (uint32_t i = 0; err == BROLGA_OK && i < txn->def_count; i++)
        err = doom_signatures(txn, txn->defs[i].slot);
    for (uint32_t i = 0; err == BROLGA_OK && i < txn->gone_count; i++)
        err = doom(txn, txn->gone[i]);
    if (err == BROLGA_OK)
        return BROLGA_OK;
    say(report, "%s", brolga_strerror(err));
    return refuse(report, BROLGA_REFUSED_MEMORY);
}

/* --- imports of staged units -------------------------------------------- */

static bool will_be_defined(const struct brolga__slot *slot)
{
    return slot->staged != 0 || (brolga__slot_in_force(slot) && !slot->doomed);
}

/* Another signature of the same symbol that will be defined, or NULL. */
static struct brolga__slot *defined_otherwise(struct brolga__slot *slot)
{
    struct brolga__slot *other = slot->sibling;

    for (; other != slot; other = other->sibling)
        if (will_be_defined(other))
            return other;
    return NULL;
}

static void list_defined(struct brolga__module *module,
                         struct brolga_report *report)
{
    const char *before = "; it defines ";

    brolga__list_each (node, &module->slots) {
        struct brolga__slot *slot =
            brolga__container_of(node, struct brolga__slot, link);

        if (!will_be_defined(slot))
            continue;
        say(report, "%s%s", before, slot->symbol);
        before = ", ";
    }
    if (before[0] == ';')
        say(report, "; nothing of that module is defined");
}

static int check_import(const struct brolga__import_place *place,
                        struct brolga_report *report)
{
    struct brolga__slot *slot = place->slot, *other;

    if (will_be_defined(slot))
        return BROLGA_OK;
    say(report, "%s: %s imports %s.%s",
        place->where != NULL ? place->where : place->unit->name,
        place->unit->name, slot->module->name, slot->symbol);
    other = defined_otherwise(slot);
    add_importer(report, slot, place->unit->name,
                 place->where != NULL ? place->where : "",
                 other != NULL ? other->signature : "");
    if (other != NULL) {
        say(report, " as %s, but it is defined as %s", slot->signature,
            other->signature);
        return refuse(report, BROLGA_REFUSED_SIGNATURE);
    }
    say(report, ", which is not defined");
    list_defined(slot->module, report);
    return refuse(report, BROLGA_REFUSED_IMPORT);
}

static int check_imports(struct brolga_txn *txn, struct brolga_report *report)
{
    int err = BROLGA_OK;

    for (uint32_t i = 0; err == BROLGA_OK && i < txn->place_count; i++)
        err = check_import(&txn->places[i], report);
    return err;
}

/* --- importers that stay live ------------------------------------------- */

/* Counts, per unit, the slots that this commit takes from it. */
static void count_losses(struct brolga_txn *txn, int sign)
{
    for (uint32_t i = 0; i < txn->def_count; i++) {
        struct brolga__slot *slot = txn->defs[i].slot;

        if (brolga__slot_in_force(slot))
            slot->owner->doomed_slots += (uint32_t)sign;
    }
    for (uint32_t i = 0; i < txn->removed_count; i++)
        txn->removed[i]->owner->doomed_slots += (uint32_t)sign;
}

static void name_importer(struct brolga_unit *unit,
                          struct brolga_report *report)
{
    for (uint32_t i = 0; i < unit->import_count; i++) {
        struct brolga__slot *slot = unit->imports[i];

        if (!slot->doomed)
            continue;
        say(report, "%s%s imports %s.%s as %s",
            report->text[0] == '\0' ? "" : "; ", unit->name, slot->module->name,
            slot->symbol, slot->signature);
        add_importer(report, slot, unit->name, "", "");
        report->refusal = BROLGA_REFUSED_IMPORTERS;
    }
}

/* Tasks that call a slot by its number are importers that cannot be rebuilt. */
static void name_runners(struct brolga_txn *txn, struct brolga_report *report)
{
    for (uint32_t i = 0; i < txn->removed_count; i++) {
        struct brolga__slot *slot = txn->removed[i];

        if (slot->runners == 0)
            continue;
        say(report, "%s%u running task%s call%s %s.%s as %s",
            report->text[0] == '\0' ? "" : "; ", slot->runners,
            slot->runners == 1 ? "" : "s", slot->runners == 1 ? "s" : "",
            slot->module->name, slot->symbol, slot->signature);
        add_importer(report, slot, "", "", "");
        report->refusal = BROLGA_REFUSED_IMPORTERS;
    }
}

static int check_importers(struct brolga_txn *txn, struct brolga_report *report)
{
    if (txn->removed_count == 0 || txn->allow_stale)
        return BROLGA_OK;
    count_losses(txn, 1);
    brolga__list_each (node, &txn->got->live) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (unit->live_slots > unit->doomed_slots)
            name_importer(unit, report);
    }
    count_losses(txn, -1);
    name_runners(txn, report);
    if (report->refusal == BROLGA_REFUSED_NOT)
        return BROLGA_OK;
    say(report, "; this would change or go: rebuild these with it");
    return BROLGA_EREFUSED;
}

/* --- limits ------------------------------------------------------------- */

static uint32_t cells_free(const struct brolga_cells *cells)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < cells->count; i++)
        count += cells->taken[i] == 0;
    return count;
}

/* Every staged slot of a module with cells needs one. */
static int check_cells(struct brolga_txn *txn, struct brolga_report *report)
{
    brolga__list_each (node, &txn->got->modules) {
        struct brolga__module *module =
            brolga__container_of(node, struct brolga__module, link);
        uint32_t needed = 0;

        if (module->cells == NULL)
            continue;
        brolga__list_each (slot_node, &module->slots) {
            struct brolga__slot *slot =
                brolga__container_of(slot_node, struct brolga__slot, link);

            needed += slot->staged != 0 && slot->cell == BROLGA__NO_CELL;
        }
        if (needed > cells_free(module->cells)) {
            say(report, "the %u cells of module %s are used up",
                module->cells->count, module->name);
            return refuse(report, BROLGA_REFUSED_LIMIT);
        }
    }
    return BROLGA_OK;
}

/* Of retired units that are not there for history's sake. */
static size_t bytes_in_use(struct brolga_got *got)
{
    size_t bytes = got->retired_bytes;

    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (unit->past > 0)
            bytes -= unit->high - unit->low;
    }
    return bytes;
}

static int check_limits(struct brolga_txn *txn, struct brolga_report *report)
{
    struct brolga_got *got = txn->got;

    /* What nobody is in any more goes now; its table serves this commit. */
    if (got->version_count > 1)
        (void)brolga__versions_reclaim(got);
    if (got->version_count >= got->opts.versions_max) {
        say(report,
            "%u versions are alive, the most allowed: tasks still call "
            "through old ones",
            got->version_count);
        return refuse(report, BROLGA_REFUSED_LIMIT);
    }
    if (bytes_in_use(got) > got->opts.retired_bytes_max) {
        say(report,
            "%zu bytes of old code are still in use, more than the %zu "
            "allowed",
            bytes_in_use(got), got->opts.retired_bytes_max);
        return refuse(report, BROLGA_REFUSED_LIMIT);
    }
    return check_cells(txn, report);
}

/* --- all of it ---------------------------------------------------------- */

static void clear_scratch(struct brolga_txn *txn)
{
    for (uint32_t i = 0; i < txn->def_count; i++)
        txn->defs[i].slot->staged = 0;
    for (uint32_t i = 0; i < txn->removed_count; i++)
        txn->removed[i]->doomed = false;
}

int brolga__txn_check(struct brolga_txn *txn, struct brolga_report *report)
{
    int err;

    *report = (struct brolga_report){
        .version = brolga__load_relaxed(&txn->got->current)->number};
    txn->removed_count = 0; /* What an earlier check found may be gone. */
    if (txn->refused) {
        say(report, "the host refused the new signature of %s",
            txn->refused_by_host != NULL ? txn->refused_by_host : "a symbol");
        return refuse(report, BROLGA_REFUSED_COMPAT);
    }
    err = stage_past(txn, report);
    if (err == BROLGA_OK)
        err = mark_staged(txn, report);
    if (err == BROLGA_OK)
        err = mark_doomed(txn, report);
    if (err == BROLGA_OK)
        err = check_imports(txn, report);
    if (err == BROLGA_OK)
        err = check_importers(txn, report);
    if (err == BROLGA_OK)
        err = check_limits(txn, report);
    clear_scratch(txn);
    return err;
}
