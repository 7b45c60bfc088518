/*
 * Ranges: the list of units whose code may run, for who must find a unit by an
 * address without a lock: the handler of traps (tasks/trap.c), and tasks that
 * spawn functions of units.
 *
 * A list and not a sorted table: a commit adds its units without looking at the
 * others, needs no memory and so cannot fail; a trap can afford a walk.
 *
 *   AC  Who finds a unit sees its record: release store of a link in add and
 *       remove -> acquire load in find. A unit that is removed stays linked to
 *       what follows it, for readers that stand on it; its record is freed
 *       after a round that begins after the removal, and readers are online
 *       members (edges A and B of epoch/round.c).
 *
 * A unit is in the list from its commit until it is CLEAN. Whoever pins a unit
 * that it found here does so before its member announces that round, hence the
 * reclaimer's last look at the pins sees it.
 */
#include "got/got.h"

void brolga__ranges_add(struct brolga_unit *unit)
{
    struct brolga_got *got = unit->got;
    struct brolga_unit *first = brolga__load_relaxed(&got->ranges);

    unit->ranges_prev = NULL;
    if (first != NULL)
        first->ranges_prev = unit;
    brolga__store_release(&unit->ranges_next, first); /* AC: find */
    brolga__store_release(&got->ranges, unit);        /* AC: find */
}

void brolga__ranges_remove(struct brolga_unit *unit)
{
    struct brolga_unit *next = brolga__load_relaxed(&unit->ranges_next);

    if (next != NULL)
        next->ranges_prev = unit->ranges_prev;
    if (unit->ranges_prev != NULL)
        brolga__store_release(&unit->ranges_prev->ranges_next, next); /* AC */
    else
        brolga__store_release(&unit->got->ranges, next); /* AC: find */
}

struct brolga_unit *brolga__ranges_find(struct brolga_got *got,
                                        uintptr_t address)
{
    struct brolga_unit *unit;

    if (address < brolga__load_relaxed(&got->lowest) ||
        address >= brolga__load_relaxed(&got->highest))
        return NULL;
    /* Ends: units are added in front of where we are. */
    for (unit = brolga__load_acquire(&got->ranges);                     /* AC */
         unit != NULL; unit = brolga__load_acquire(&unit->ranges_next)) /* AC */
        if (address >= unit->low && address < unit->high)
            return unit;
    return NULL;
}

struct brolga_unit *brolga__ranges_pin(struct brolga_got *got,
                                       uintptr_t address)
{
    struct brolga_unit *unit = brolga__ranges_find(got, address);

    if (unit != NULL)
        brolga_unit_pin(unit);
    return unit;
}
