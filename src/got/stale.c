/*
 * Stale callers: who still calls what a commit has changed or taken away. The
 * slot keeps its old code until they are gone (slot.c).
 */
#include "got/got.h"

#include "shield.h"

struct visit {
    void (*visit)(void *arg, const struct brolga_stale *stale);
    void *arg;
    size_t visited;
};

static void tell(struct visit *visit, const struct brolga__slot *slot,
                 const char *importer, uint32_t tasks)
{
    struct brolga_stale stale = {.importer = importer,
                                 .tasks = tasks,
                                 .module = slot->module->name,
                                 .symbol = slot->symbol,
                                 .signature = slot->signature,
                                 .since_version = slot->removed_at};

    visit->visit(visit->arg, &stale);
    visit->visited++;
}

/* Units that are kept out of use, or for a restoration, call nothing. */
static void tell_importers(struct visit *visit, const struct brolga__slot *slot,
                           struct brolga__list *units)
{
    brolga__list_each (node, units) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (brolga__unit_imports(unit, slot) &&
            (unit->state == BROLGA__UNIT_LIVE || unit->past == 0))
            tell(visit, slot, unit->name, 0);
    }
}

size_t brolga_got_stale(brolga_got *got,
                        void (*visit)(void *arg,
                                      const struct brolga_stale *stale),
                        void *arg)
{
    struct visit all = {.visit = visit, .arg = arg};

    brolga__shield_raise(); /* `visit` under the lock. */
    (void)pthread_mutex_lock(&got->lock);
    for (brolga_slot n = 1; n < got->slot_end; n++) {
        const struct brolga__slot *slot = got->slots[n];

        if (slot == NULL || !slot->removed || slot->owner == NULL)
            continue;
        tell_importers(&all, slot, &got->live);
        tell_importers(&all, slot, &got->retired);
        if (slot->runners > 0)
            tell(&all, slot, NULL, slot->runners);
    }
    (void)pthread_mutex_unlock(&got->lock);
    brolga__shield_lower();
    return all.visited;
}
