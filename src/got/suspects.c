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
#include "arch.h"

#include <stdlib.h>

static void set_free(struct brolga_epoch_node *node)
{
    brolga__free(brolga__container_of(node, struct brolga__suspects, node));
}

static int by_address(const void *a, const void *b)
{
    const struct brolga_unit *left = *(struct brolga_unit *const *)a;
    const struct brolga_unit *right = *(struct brolga_unit *const *)b;

    return (left->low > right->low) - (left->low < right->low);
}

static uint32_t suspect_count(struct brolga_got *got)
{
    uint32_t count = 0;

    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        count += unit->state == BROLGA__UNIT_SUSPECT;
    }
    return count;
}

static void collect(struct brolga_got *got, struct brolga_unit **units)
{
    brolga__list_each (node, &got->retired) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (unit->state == BROLGA__UNIT_SUSPECT)
            *units++ = unit;
    }
}

/* Sorts the units, and the set's ranges with them. */
static void fill(struct brolga__suspects *set, struct brolga_unit **units)
{
    qsort(units, set->count, sizeof *units, by_address);
    for (uint32_t i = 0; i < set->count; i++) {
        set->range[i] = (struct brolga__range){units[i]->low, units[i]->high,
                                               units[i]->dead_stamp};
    }
    set->low = set->range[0].low;
    for (uint32_t i = 0; i < set->count; i++) {
        set->overlap |= set->range[i].low < set->high;
        if (set->range[i].high > set->high)
            set->high = set->range[i].high;
    }
}

/* Room to note, for each suspect, whether a stack holds it. */
static bool held_reserve(struct brolga_got *got, uint32_t count)
{
    bool *held;

    if (count <= got->held_capacity)
        return true;
    held = brolga__realloc(got->held, count * 2 * sizeof *held);
    if (held == NULL)
        return false;
    got->held = held;
    got->held_capacity = count * 2;
    return true;
}

static struct brolga__suspects *build(struct brolga_got *got, uint32_t count)
{
    struct brolga_unit **units = brolga__alloc(count * sizeof *units);
    struct brolga__suspects *set =
        brolga__alloc_zero(sizeof *set + count * sizeof set->range[0]);

    if (units != NULL && set != NULL && held_reserve(got, count)) {
        set->count = count;
        collect(got, units);
        fill(set, units);
        for (uint32_t i = 0; i < count; i++)
            units[i]->suspect = i;
    } else {
        brolga__free(set);
        set = NULL;
    }
    brolga__free(units);
    return set;
}

int brolga__suspects_publish(struct brolga_got *got)
{
    struct brolga__suspects *set = NULL, *old;
    uint32_t count = suspect_count(got);

    if (count > 0) {
        set = build(got, count);
        if (set == NULL)
            return BROLGA_ENOMEM;
        set->generation = ++got->generation;
        set->stamp = brolga__load_relaxed(&got->stamp);
    }
    old = brolga__swap_acq_rel(&got->suspects, set); /* G: current */
    if (old != NULL)
        brolga_epoch_retire(got->epoch, &old->node, set_free);
    return BROLGA_OK;
}

static uint32_t collect_all(struct brolga_got *got, struct brolga_unit **units)
{
    uint32_t count = 0;

    brolga__list_each (node, &got->units) {
        if (units != NULL)
            units[count] = brolga__container_of(node, struct brolga_unit, all);
        count++;
    }
    return count;
}

struct brolga__suspects *brolga__suspects_all(struct brolga_got *got)
{
    struct brolga__suspects *set = NULL;
    struct brolga_unit **units = NULL;
    uint32_t count;

    (void)pthread_mutex_lock(&got->lock);
    count = collect_all(got, NULL);
    if (count > 0)
        units = brolga__alloc(count * sizeof *units);
    if (units != NULL)
        set = brolga__alloc_zero(sizeof *set + count * sizeof set->range[0]);
    if (set != NULL) {
        set->count = collect_all(got, units);
        set->generation = brolga__load_relaxed(&got->units_made);
        fill(set, units);
    }
    (void)pthread_mutex_unlock(&got->lock);
    brolga__free(units);
    return set;
}

static void add(struct brolga__found *found, uint32_t suspect,
                uintptr_t address)
{
    for (uint32_t i = 0; i < found->count; i++)
        if (found->suspect[i] == suspect)
            return;
    if (found->count == BROLGA__FOUND_MAX) {
        found->more = true;
        return;
    }
    found->suspect[found->count] = suspect;
    found->address[found->count] = address;
    found->count++;
}

/* All ranges that an address lies in: the rare case. */
static void add_each(const struct brolga__suspects *set, uintptr_t address,
                     struct brolga__found *found)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (address >= set->range[i].low && address < set->range[i].high)
            add(found, i, address);
}

/* The one range that an address lies in, if it does. */
static void add_one(const struct brolga__suspects *set, uintptr_t address,
                    struct brolga__found *found)
{
    uint32_t low = 0, high = set->count;

    while (low < high) { /* Halves each time. */
        uint32_t middle = (low + high) / 2;

        if (address >= set->range[middle].high)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < set->count && address >= set->range[low].low)
        add(found, low, address);
}

/* Stacks are read as they lie, padding and red zones included. */
__attribute__((no_sanitize("address", "thread"))) void
brolga__suspects_scan(const struct brolga__suspects *set, uintptr_t low,
                      uintptr_t high, struct brolga__found *found)
{
    const uintptr_t *word = (const uintptr_t *)(low & ~(sizeof low - 1));
    const uintptr_t *end = (const uintptr_t *)(high & ~(sizeof low - 1));

    for (; word < end; word++) {
        uintptr_t address = brolga__code_address(*word);

        if (address < set->low || address >= set->high)
            continue;
        if (set->overlap)
            add_each(set, address, found);
        else
            add_one(set, address, found);
    }
}
