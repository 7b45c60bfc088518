/*
 * Suspects: the set of address ranges that stacks are searched for.
 *
 *   G  Who loads a set sees all of it: release swap in publish -> acquire load
 *      in brolga__suspects_current(). The old set is retired through the
 *      epoch, because a running task may be reading it.
 *
 * The search is conservative: any word in a range counts, so that function
 * pointers in frames and spilled registers hold a unit like return addresses
 * do. What cannot be told apart is kept, never freed.
 */
#include "got/got.h"

#include "alloc.h"

static void set_free(struct brolga_epoch_node *node)
{
    brolga__free(brolga__container_of(node, struct brolga__suspects, node));
}

static void insert_sorted(struct brolga__suspects *set,
                          struct brolga_unit *unit)
{
    uint32_t at = set->count++;

    while (at > 0 && set->range[at - 1].low > unit->low) {
        set->range[at] = set->range[at - 1];
        at--;
    }
    set->range[at] = (struct brolga__range){
        unit->low, unit->high, unit->dead_stamp, unit->suspect_bit};
}

static void fill(struct brolga__suspects *set, struct brolga_got *got)
{
    uint32_t bit = 0;

    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (unit->state != BROLGA__UNIT_SUSPECT)
            continue;
        unit->suspect_bit = bit++;
        insert_sorted(set, unit);
    }
    set->low = set->range[0].low;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->range[i].high > set->high)
            set->high = set->range[i].high;
}

int brolga__suspects_publish(struct brolga_got *got)
{
    struct brolga__suspects *set = brolga__alloc_zero(sizeof *set), *old;

    if (set == NULL)
        return BROLGA_ENOMEM;
    fill(set, got);
    set->generation = ++got->generation;
    set->stamp = brolga__load_relaxed(&got->stamp);
    if (set->count == 0) {
        brolga__free(set);
        set = NULL;
    }
    old = brolga__swap_acq_rel(&got->suspects, set); /* G: current */
    if (old != NULL)
        brolga_epoch_retire(got->epoch, &old->node, set_free);
    return BROLGA_OK;
}

/* The range that holds an address, or NULL. Ranges do not overlap. */
static const struct brolga__range *range_at(const struct brolga__suspects *set,
                                            uintptr_t address)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (address >= set->range[i].low && address < set->range[i].high)
            return &set->range[i];
    return NULL;
}

/* Stacks are read as they lie, padding and red zones included. */
__attribute__((no_sanitize("address", "thread"))) uint64_t
brolga__suspects_scan(const struct brolga__suspects *set, uintptr_t low,
                      uintptr_t high,
                      void (*found)(void *arg, uint32_t bit, uintptr_t address),
                      void *arg)
{
    const uintptr_t *word = (const uintptr_t *)(low & ~(sizeof low - 1));
    const uintptr_t *end = (const uintptr_t *)(high & ~(sizeof low - 1));
    uint64_t bits = 0;

    for (; word < end; word++) {
        const struct brolga__range *range;
        uintptr_t address = *word;

        if (address < set->low || address >= set->high)
            continue;
        range = range_at(set, address);
        if (range == NULL)
            continue;
        if ((bits >> range->bit & 1) == 0 && found != NULL)
            found(arg, range->bit, address);
        bits |= UINT64_C(1) << range->bit;
    }
    return bits;
}
