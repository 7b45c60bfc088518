/*
 * A bit for each unit says whether it is taken, another one whether it has been
 * written to since the system gave it. A lock guards both; a leaf. The lowest
 * units are taken first.
 *
 * Units that are given back keep their memory, up to a limit of such units:
 * the next heap is likely to want as much, and to hand memory to the system
 * and back costs more than what is done in it.
 *
 * Behind the range lies a number for each unit, its place in its row. It is
 * written when the row is taken, and read by whoever has an address in it.
 *
 *   S  The range is there for whoever finds it: store_release in reserve ->
 *      load_acquire in is_reserved.
 */
#include "units.h"

#include "lock.h"
#include "plat.h"

#define UNITS ((uint32_t)(BROLGA__UNITS_BYTES / BROLGA__UNIT_BYTES))

/* Of free units that keep their memory: 64 MiB. */
#define WARM_MAX 1024

/* No address is so high, and the range does not begin there. */
_Atomic uintptr_t brolga__units_at = (uintptr_t)1 << 63;

static struct {
    struct brolga__lock lock;
    _Atomic bool reserved;
    uint32_t lowest; /* No unit below is free. */
    uint32_t warm;   /* Free and dirty. */
    _Atomic size_t taken;
    uint64_t taken_bits[UNITS / 64];
    uint64_t dirty_bits[UNITS / 64];
} units;

static bool is_set(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static void set(uint64_t *bits, uint32_t i, bool value)
{
    uint64_t bit = UINT64_C(1) << i % 64;

    bits[i / 64] = value ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

/* --- the range ---------------------------------------------------------- */

/* Reserved space is aligned to pages only. */
static void reserve(void)
{
    void *at = brolga__plat_reserve(BROLGA__UNITS_BYTES + BROLGA__UNIT_BYTES +
                                    UNITS * sizeof(uint32_t));

    if (at == NULL)
        return;
    brolga__store_relaxed(
        &brolga__units_at,
        brolga__round_up((uintptr_t)at, (uintptr_t)BROLGA__UNIT_BYTES));
    brolga__store_release(&units.reserved, true); /* S: is_reserved */
}

/* Where there was no room, it is looked for again. */
static bool is_reserved(void)
{
    if (brolga__likely(brolga__load_acquire(&units.reserved))) /* S: reserve */
        return true;
    brolga__lock_take(&units.lock);
    if (!brolga__load_relaxed(&units.reserved))
        reserve();
    brolga__lock_leave(&units.lock);
    return brolga__load_relaxed(&units.reserved);
}

static void *unit_at(uint32_t i)
{
    return (void *)(brolga__load_relaxed(&brolga__units_at) +
                    i * BROLGA__UNIT_BYTES);
}

static uint32_t unit_of(const void *at)
{
    return (
        uint32_t)(((uintptr_t)at - brolga__load_relaxed(&brolga__units_at)) /
                  BROLGA__UNIT_BYTES);
}

/* Of the unit in its row. */
static uint32_t *place_of(uint32_t i)
{
    return (uint32_t *)unit_at(UNITS) + i;
}

void *brolga__unit_head(const void *at)
{
    uint32_t i = unit_of(at);

    return unit_at(i - *place_of(i));
}

/* --- taking ------------------------------------------------------------- */

/* The first free unit from `i` on, or UNITS. */
static uint32_t find_free(uint32_t i)
{
    while (i < UNITS) {
        uint64_t free = ~units.taken_bits[i / 64] >> i % 64;

        if (free != 0)
            return i + (uint32_t)__builtin_ctzll(free);
        i = (i / 64 + 1) * 64;
    }
    return UNITS;
}

/* The first of so many free units in a row, or UNITS. */
static uint32_t find_row(size_t count)
{
    uint32_t first = find_free(units.lowest);

    units.lowest = first;
    while (first < UNITS) { /* Each turn goes on behind a taken unit. */
        uint32_t end = first;

        if (count > UNITS - first)
            return UNITS;
        while (end < first + count && !is_set(units.taken_bits, end))
            end++;
        if (end == first + count)
            return first;
        first = find_free(end);
    }
    return UNITS;
}

static bool take_row(uint32_t first, size_t count)
{
    bool dirty = false;

    for (uint32_t i = first; i < first + count; i++) {
        set(units.taken_bits, i, true);
        *place_of(i) = i - first;
        if (is_set(units.dirty_bits, i)) {
            units.warm--;
            dirty = true;
        }
    }
    return dirty;
}

void *brolga__units_take(size_t count, bool *dirty)
{
    uint32_t first;

    if (!is_reserved())
        return NULL;
    brolga__lock_take(&units.lock);
    first = find_row(count);
    if (first != UNITS)
        *dirty = take_row(first, count);
    brolga__lock_leave(&units.lock);
    if (first == UNITS)
        return NULL;
    (void)brolga__add_relaxed(&units.taken, count);
    return unit_at(first);
}

/* --- giving back -------------------------------------------------------- */

static void free_row(uint32_t first, size_t count, bool dirty)
{
    for (uint32_t i = first; i < first + count; i++) {
        set(units.taken_bits, i, false);
        set(units.dirty_bits, i, dirty);
    }
    if (first < units.lowest)
        units.lowest = first;
}

void brolga__units_give(void *at, size_t count)
{
    uint32_t first = unit_of(at);
    bool keep;

    brolga__lock_take(&units.lock);
    keep = units.warm + count <= WARM_MAX;
    if (keep) {
        units.warm += (uint32_t)count;
        free_row(first, count, true);
    }
    brolga__lock_leave(&units.lock);
    (void)brolga__add_relaxed(&units.taken, -count);
    if (keep)
        return;
    brolga__plat_discard(at, count * BROLGA__UNIT_BYTES);
    brolga__lock_take(&units.lock);
    free_row(first, count, false);
    brolga__lock_leave(&units.lock);
}

size_t brolga__units_taken(void)
{
    return brolga__load_relaxed(&units.taken);
}
