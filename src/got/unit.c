/*
 * Units: their life, what they import, and pins.
 *
 *   J  What happened while a unit was pinned happened before its release:
 *      release subtraction in unpin -> acquire load in reclaim.c.
 */
#include "got/got.h"

#include "alloc.h"
#include "plat.h"

#include <string.h>

static bool may_follow(enum brolga__unit_state from, enum brolga__unit_state to)
{
    static const unsigned allowed[] = {
        [BROLGA__UNIT_STAGED] = 1u << BROLGA__UNIT_LIVE,
        [BROLGA__UNIT_LIVE] =
            1u << BROLGA__UNIT_RETIRED | 1u << BROLGA__UNIT_KEPT,
        [BROLGA__UNIT_RETIRED] =
            1u << BROLGA__UNIT_SUSPECT | 1u << BROLGA__UNIT_LIVE,
        [BROLGA__UNIT_SUSPECT] =
            1u << BROLGA__UNIT_RETIRED | 1u << BROLGA__UNIT_CLEAN,
        [BROLGA__UNIT_CLEAN] =
            1u << BROLGA__UNIT_RETIRED | 1u << BROLGA__UNIT_GONE,
        [BROLGA__UNIT_KEPT] = 1u << BROLGA__UNIT_LIVE,
        [BROLGA__UNIT_GONE] = 0,
    };

    return (allowed[from] >> to & 1) != 0;
}

void brolga__unit_set_state(struct brolga_unit *unit,
                            enum brolga__unit_state state)
{
    brolga__assert(may_follow(unit->state, state));
    unit->state = state;
}

static void widen(struct brolga_got *got, uintptr_t low, uintptr_t high)
{
    /* Under got->lock; read without it as a hint that may only be too wide,
     * and by threads that got the address after its unit was staged. */
    if (low < brolga__load_relaxed(&got->lowest))
        brolga__store_relaxed(&got->lowest, low);
    if (high > brolga__load_relaxed(&got->highest))
        brolga__store_relaxed(&got->highest, high);
}

int brolga__unit_create(struct brolga_got *got,
                        const struct brolga_unit_opts *opts,
                        struct brolga_unit **out)
{
    struct brolga_unit *unit = brolga__alloc_zero(sizeof *unit);

    if (unit == NULL)
        return BROLGA_ENOMEM;
    unit->name = brolga__strdup(opts->name != NULL ? opts->name : "unit");
    if (unit->name == NULL) {
        brolga__free(unit);
        return BROLGA_ENOMEM;
    }
    unit->got = got;
    unit->low = (uintptr_t)opts->text;
    unit->high = unit->low + opts->text_bytes;
    unit->policy = opts->policy;
    unit->release = opts->release;
    unit->describe = opts->describe;
    unit->arg = opts->arg;
    unit->state = BROLGA__UNIT_STAGED;
    brolga__list_init(&unit->link);
    brolga__list_push_back(&got->units, &unit->all);
    /* Relaxed: who shows its address to another thread publishes this, too. */
    (void)brolga__add_relaxed(&got->units_made, 1);
    widen(got, unit->low, unit->high);
    *out = unit;
    return BROLGA_OK;
}

int brolga__unit_add_import(struct brolga_unit *unit, struct brolga__slot *slot)
{
    if (unit->import_count == unit->import_capacity) {
        uint32_t capacity = unit->import_capacity * 2 + 8;
        struct brolga__slot **imports =
            brolga__realloc(unit->imports, capacity * sizeof *imports);

        if (imports == NULL)
            return BROLGA_ENOMEM;
        unit->imports = imports;
        unit->import_capacity = capacity;
    }
    unit->imports[unit->import_count++] = slot;
    return BROLGA_OK;
}

bool brolga__unit_imports(const struct brolga_unit *unit,
                          const struct brolga__slot *slot)
{
    for (uint32_t i = 0; i < unit->import_count; i++)
        if (unit->imports[i] == slot)
            return true;
    return false;
}

void brolga__unit_unlink(struct brolga_unit *unit)
{
    struct brolga_got *got = unit->got;

    brolga__list_remove(&unit->link);
    /* What it still owns was removed and has no other importer left. */
    for (brolga_slot n = 1; unit->owned_slots > 0 && n < got->slot_end; n++)
        if (got->slots[n] != NULL && got->slots[n]->owner == unit)
            brolga__slot_disown(got, got->slots[n]);
    for (uint32_t i = 0; i < unit->import_count; i++)
        brolga__slot_unref(got, unit->imports[i]);
    unit->import_count = 0;
}

void brolga__unit_at_end(struct brolga_unit *unit, struct brolga__unit_end *end)
{
    (void)pthread_mutex_lock(&unit->got->lock);
    end->next = unit->ends;
    unit->ends = end;
    (void)pthread_mutex_unlock(&unit->got->lock);
}

void brolga__unit_withdraw(struct brolga_unit *unit)
{
    struct brolga__unit_end *end, *next;

    (void)pthread_mutex_lock(&unit->got->lock);
    end = unit->ends;
    unit->ends = NULL;
    (void)pthread_mutex_unlock(&unit->got->lock);
    for (; end != NULL; end = next) {
        next = end->next; /* `end` may be gone after this. */
        end->fn(end);
    }
}

/* One of the host's. */
struct host_end {
    struct brolga__unit_end end;
    void (*fn)(void *arg);
    void *arg;
};

static void call_host(struct brolga__unit_end *end)
{
    struct host_end *host = brolga__container_of(end, struct host_end, end);

    host->fn(host->arg);
    brolga__free(host);
}

int brolga_unit_on_withdraw(brolga_unit *unit, void (*fn)(void *arg), void *arg)
{
    struct host_end *host = brolga__alloc(sizeof *host);

    if (host == NULL)
        return BROLGA_ENOMEM;
    *host = (struct host_end){.end = {.fn = call_host}, .fn = fn, .arg = arg};
    brolga__unit_at_end(unit, &host->end);
    return BROLGA_OK;
}

void brolga__unit_free(struct brolga_unit *unit)
{
    brolga__unit_withdraw(unit);
    if (unit->release != NULL)
        unit->release(unit->arg);
    (void)pthread_mutex_lock(&unit->got->lock);
    brolga__list_remove(&unit->all);
    (void)pthread_mutex_unlock(&unit->got->lock);
    brolga__free(unit->imports);
    brolga__free(unit->name);
    brolga__free(unit);
}

void brolga__unit_retire(struct brolga_unit *unit, uint64_t last_version)
{
    struct brolga_got *got = unit->got;

    unit->last_version = last_version;
    unit->retired_ns = brolga__plat_now_ns();
    brolga__list_remove(&unit->link);
    if (unit->policy == BROLGA_KEEP) {
        brolga__unit_set_state(unit, BROLGA__UNIT_KEPT);
        brolga__list_push_back(&got->kept, &unit->link);
        return;
    }
    brolga__unit_set_state(unit, BROLGA__UNIT_RETIRED);
    brolga__list_push_back(&got->retired, &unit->link);
    got->retired_bytes += unit->high - unit->low;
}

void brolga__unit_revive(struct brolga_unit *unit)
{
    struct brolga_got *got = unit->got;

    if (unit->state != BROLGA__UNIT_RETIRED && unit->state != BROLGA__UNIT_KEPT)
        return;
    if (unit->state == BROLGA__UNIT_RETIRED)
        got->retired_bytes -= unit->high - unit->low;
    brolga__list_remove(&unit->link);
    brolga__unit_set_state(unit, BROLGA__UNIT_LIVE);
    brolga__list_push_back(&got->live, &unit->link);
}

void brolga__unit_describe(const struct brolga_unit *unit, uintptr_t address,
                           char *text, size_t bytes)
{
    text[0] = '\0';
    if (unit->describe != NULL)
        unit->describe(unit->arg, (const void *)address, text, bytes);
    else
        brolga__plat_symbol(address, text, bytes);
}

/* --- pins --------------------------------------------------------------- */

void brolga_unit_pin(brolga_unit *unit)
{
    /* Who pins has the unit's code on its stack or another pin, so the
     * reclaimer cannot have passed the unit; the high half tells it to look
     * again (reclaim.c). */
    (void)brolga__add_acq_rel(&unit->pins, BROLGA__PIN_MADE + 1); /* J */
}

void brolga_unit_unpin(brolga_unit *unit)
{
    uint64_t pins =
        brolga__sub_release(&unit->pins, 1); /* J: load in reclaim.c */

    brolga__assert((pins & BROLGA__PINS_MASK) > 0);
}

void brolga__unit_pin_is_for(struct brolga_unit *unit, enum brolga__pin purpose)
{
    (void)brolga__add_relaxed(&unit->pins_for[purpose], 1); /* A statistic. */
}

void brolga__unit_pin_for(struct brolga_unit *unit, enum brolga__pin purpose)
{
    brolga_unit_pin(unit);
    brolga__unit_pin_is_for(unit, purpose);
}

/* The statistic first: the unit may go when it is unpinned. */
void brolga__unit_unpin_for(struct brolga_unit *unit, enum brolga__pin purpose)
{
    (void)brolga__add_relaxed(&unit->pins_for[purpose], UINT32_MAX);
    brolga_unit_unpin(unit);
}

static struct brolga_unit *unit_at(struct brolga__list *units,
                                   uintptr_t address)
{
    brolga__list_each (node, units) {
        struct brolga_unit *unit =
            brolga__container_of(node, struct brolga_unit, link);

        if (address >= unit->low && address < unit->high)
            return unit;
    }
    return NULL;
}

brolga_unit *brolga_got_pin_address(brolga_got *got, const void *address)
{
    uintptr_t at = (uintptr_t)address;
    struct brolga_unit *unit;

    if (at < brolga__load_relaxed(&got->lowest) ||
        at >= brolga__load_relaxed(&got->highest))
        return NULL;
    (void)pthread_mutex_lock(&got->lock);
    unit = unit_at(&got->live, at);
    if (unit == NULL)
        unit = unit_at(&got->retired, at);
    if (unit == NULL)
        unit = unit_at(&got->kept, at);
    if (unit != NULL)
        brolga_unit_pin(unit);
    (void)pthread_mutex_unlock(&got->lock);
    return unit;
}
