/*
 * Slots: (module, symbol, signature) -> a number that does not change while
 * anything uses it. Recycled numbers are handed out again only when nobody
 * imports them, so that no live code can call through a stranger's slot.
 *
 * Invariant: slot->refs = staged uses + imports by units that exist
 *                         + runners + entries of pasts + (owner != NULL).
 */
#include "got/got.h"

#include "alloc.h"
#include "hash.h"

#include <string.h>

/* Symbols of a module are found through one hash table for the whole GOT:
 * open addressing, linear probing, at most half full. Keys are (module,
 * symbol); slots of one symbol with different signatures form a circle. */
struct brolga__slot_index {
    uint32_t mask;
    uint32_t used; /* Entries that are not NULL: slots and tombstones. */
    struct brolga__slot *entry[];
};

static struct brolga__slot tombstone;

static uint64_t hash(const struct brolga__module *module, const char *symbol)
{
    uint64_t h = (uint64_t)(uintptr_t)module * UINT64_C(0x9e3779b97f4a7c15);

    h = brolga__hash_bytes(h ^ BROLGA__HASH_START, symbol, strlen(symbol));
    return h ^ (h >> 29);
}

static struct brolga__slot_index *index_create(uint32_t entries)
{
    struct brolga__slot_index *index =
        brolga__alloc_zero(sizeof *index + entries * sizeof index->entry[0]);

    if (index != NULL)
        index->mask = entries - 1;
    return index;
}

static void index_put(struct brolga__slot_index *index,
                      struct brolga__slot *slot)
{
    uint32_t at = (uint32_t)hash(slot->module, slot->symbol) & index->mask;

    while (index->entry[at] != NULL && index->entry[at] != &tombstone)
        at = (at + 1) & index->mask;
    if (index->entry[at] == NULL)
        index->used++;
    index->entry[at] = slot;
}

static int index_reserve(struct brolga_got *got)
{
    struct brolga__slot_index *old = got->index, *grown;
    uint32_t entries = old->mask + 1;

    if (old->used < entries / 2)
        return BROLGA_OK;
    /* Mostly tombstones: the same size again sweeps them out. */
    if (got->slots_used >= entries / 4)
        entries *= 2;
    grown = index_create(entries);
    if (grown == NULL)
        return BROLGA_ENOMEM;
    for (uint32_t i = 0; i <= old->mask; i++)
        if (old->entry[i] != NULL && old->entry[i] != &tombstone)
            index_put(grown, old->entry[i]);
    got->index = grown;
    brolga__free(old);
    return BROLGA_OK;
}

static bool is_symbol(const struct brolga__slot *slot,
                      const struct brolga__module *module, const char *symbol)
{
    return slot != &tombstone && slot->module == module &&
           strcmp(slot->symbol, symbol) == 0;
}

/* If the index knows this slot of its symbol, it now knows the other. */
static void index_replace(struct brolga__slot_index *index,
                          struct brolga__slot *slot, struct brolga__slot *other)
{
    uint32_t at = (uint32_t)hash(slot->module, slot->symbol) & index->mask;

    for (; index->entry[at] != NULL; at = (at + 1) & index->mask) {
        if (index->entry[at] == slot) {
            index->entry[at] = other;
            return;
        }
    }
}

int brolga__slots_init(struct brolga_got *got)
{
    brolga__list_init(&got->modules);
    got->slot_end = 1; /* Number 0 is no slot. */
    got->index = index_create(256);
    return got->index == NULL ? BROLGA_ENOMEM : BROLGA_OK;
}

static void module_free(struct brolga__module *module)
{
    if (module->cells != NULL) {
        if (module->cells->owned)
            brolga__free((void *)module->cells->base);
        brolga__free(module->cells->taken);
        brolga__free(module->cells);
    }
    brolga__free(module->name);
    brolga__free(module);
}

static void slot_free(struct brolga__slot *slot)
{
    brolga__free(slot->symbol);
    brolga__free(slot->signature);
    brolga__free(slot);
}

void brolga__slots_destroy(struct brolga_got *got)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(&got->modules)) != NULL) {
        struct brolga__module *module =
            brolga__container_of(node, struct brolga__module, link);

        while ((node = brolga__list_pop_front(&module->slots)) != NULL)
            slot_free(brolga__container_of(node, struct brolga__slot, link));
        module_free(module);
    }
    brolga__free(got->slots);
    brolga__free(got->free_slots);
    brolga__free(got->index);
}

struct brolga__module *brolga__module_find(struct brolga_got *got,
                                           const char *name)
{
    brolga__list_each (node, &got->modules) {
        struct brolga__module *module =
            brolga__container_of(node, struct brolga__module, link);

        if (strcmp(module->name, name) == 0)
            return module;
    }
    return NULL;
}

int brolga__module_get(struct brolga_got *got, const char *name,
                       struct brolga__module **out)
{
    struct brolga__module *module = brolga__module_find(got, name);

    if (module == NULL) {
        module = brolga__alloc_zero(sizeof *module);
        if (module == NULL)
            return BROLGA_ENOMEM;
        module->name = brolga__strdup(name);
        if (module->name == NULL) {
            brolga__free(module);
            return BROLGA_ENOMEM;
        }
        brolga__list_init(&module->slots);
        brolga__list_push_back(&got->modules, &module->link);
    }
    *out = module;
    return BROLGA_OK;
}

void brolga__module_prune(struct brolga__module *module)
{
    if (!brolga__list_empty(&module->slots) || module->cells != NULL ||
        module->staged > 0)
        return;
    brolga__list_remove(&module->link);
    module_free(module);
}

struct brolga__slot *brolga__slot_any(struct brolga_got *got,
                                      struct brolga__module *module,
                                      const char *symbol)
{
    struct brolga__slot_index *index = got->index;
    uint32_t at = (uint32_t)hash(module, symbol) & index->mask;

    /* Ends at an empty entry: at least half of them are. */
    for (; index->entry[at] != NULL; at = (at + 1) & index->mask)
        if (is_symbol(index->entry[at], module, symbol))
            return index->entry[at];
    return NULL;
}

struct brolga__slot *brolga__slot_exact(struct brolga_got *got,
                                        struct brolga__module *module,
                                        const char *symbol,
                                        const char *signature)
{
    struct brolga__slot *first = brolga__slot_any(got, module, symbol);
    struct brolga__slot *slot = first;

    if (first == NULL)
        return NULL;
    do {
        if (strcmp(slot->signature, signature) == 0)
            return slot;
        slot = slot->sibling;
    } while (slot != first);
    return NULL;
}

/* Into the circle of its symbol; the index knows one slot of each circle. */
static void join_siblings(struct brolga_got *got, struct brolga__slot *slot)
{
    struct brolga__slot *other =
        brolga__slot_any(got, slot->module, slot->symbol);

    if (other == NULL) {
        slot->sibling = slot;
        index_put(got->index, slot);
    } else {
        slot->sibling = other->sibling;
        other->sibling = slot;
    }
}

static void leave_siblings(struct brolga_got *got, struct brolga__slot *slot)
{
    struct brolga__slot *before = slot->sibling;

    while (before->sibling != slot) /* As many as there are signatures. */
        before = before->sibling;
    before->sibling = slot->sibling;
    index_replace(got->index, slot, before == slot ? &tombstone : before);
}

/* Room for one more number, in use or recycled. */
static int numbers_reserve(struct brolga_got *got)
{
    uint32_t capacity = got->slot_capacity == 0 ? 64 : got->slot_capacity * 2;
    struct brolga__slot **slots;
    brolga_slot *free_slots;

    if (got->slot_end < got->slot_capacity)
        return BROLGA_OK;
    slots = brolga__realloc(got->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return BROLGA_ENOMEM;
    got->slots = slots;
    /* Recycling must not fail, so its stack has room for all. */
    free_slots =
        brolga__realloc(got->free_slots, capacity * sizeof *free_slots);
    if (free_slots == NULL)
        return BROLGA_ENOMEM;
    got->free_slots = free_slots;
    got->slot_capacity = capacity;
    return BROLGA_OK;
}

static brolga_slot number_take(struct brolga_got *got)
{
    if (got->free_count > 0)
        return got->free_slots[--got->free_count];
    return got->slot_end++;
}

static int slot_create(struct brolga_got *got, struct brolga__module *module,
                       const char *symbol, const char *signature,
                       struct brolga__slot **out)
{
    struct brolga__slot *slot;
    int err = BROLGA_ENOMEM;

    if (got->slots_used >= got->opts.slots_max)
        return BROLGA_ELIMIT;
    slot = brolga__alloc_zero(sizeof *slot);
    if (slot == NULL)
        return BROLGA_ENOMEM;
    slot->symbol = brolga__strdup(symbol);
    slot->signature = brolga__strdup(signature);
    if (slot->symbol == NULL || slot->signature == NULL)
        goto fail;
    err = index_reserve(got);
    if (err == BROLGA_OK)
        err = numbers_reserve(got);
    if (err != BROLGA_OK)
        goto fail;
    slot->module = module;
    slot->cell = BROLGA__NO_CELL;
    slot->number = number_take(got);
    got->slots[slot->number] = slot;
    got->slots_used++;
    brolga__list_push_back(&module->slots, &slot->link);
    join_siblings(got, slot);
    *out = slot;
    return BROLGA_OK;

fail:
    slot_free(slot);
    return err;
}

int brolga__slot_ref(struct brolga_got *got, struct brolga__module *module,
                     const char *symbol, const char *signature,
                     struct brolga__slot **out)
{
    struct brolga__slot *slot =
        brolga__slot_exact(got, module, symbol, signature);
    int err;

    if (slot == NULL) {
        err = slot_create(got, module, symbol, signature, &slot);
        if (err != BROLGA_OK)
            return err;
    }
    slot->refs++;
    *out = slot;
    return BROLGA_OK;
}

/* Nobody may call it any more, but a stale number in a host's hand should not
 * jump into nothing. */
void brolga__slot_disown(struct brolga_got *got, struct brolga__slot *slot)
{
    brolga__list_each (node, &got->versions) {
        struct brolga__version *version =
            brolga__container_of(node, struct brolga__version, link);

        if (slot->number < version->capacity)
            __atomic_store_n(&version->slots[slot->number],
                             brolga__version_missing(), __ATOMIC_RELAXED);
    }
    brolga__cell_clear(slot);
    slot->owner->owned_slots--;
    slot->owner = NULL;
    slot->code = NULL;
    brolga__slot_unref(got, slot);
}

/* A removed slot whose last importer has gone: whoever may have called it. */
static bool is_forsaken(const struct brolga__slot *slot)
{
    return slot->removed && slot->owner != NULL && slot->refs == 1 + slot->past;
}

static void slot_recycle(struct brolga_got *got, struct brolga__slot *slot)
{
    struct brolga__module *module = slot->module;

    brolga__assert(slot->owner == NULL);
    if (slot->cell != BROLGA__NO_CELL)
        slot->module->cells->taken[slot->cell] = 0;
    leave_siblings(got, slot);
    brolga__list_remove(&slot->link);
    got->slots[slot->number] = NULL;
    got->free_slots[got->free_count++] = slot->number;
    got->slots_used--;
    slot_free(slot);
    brolga__module_prune(module);
}

/* Disowning drops one more reference, and then nobody owns it. */
void brolga__slot_unref(struct brolga_got *got, struct brolga__slot *slot)
{
    brolga__assert(slot->refs > 0);
    if (--slot->refs == 0)
        slot_recycle(got, slot);
    else if (is_forsaken(slot))
        brolga__slot_disown(got, slot);
}

int brolga__slot_enter(struct brolga_got *got, brolga_slot number)
{
    struct brolga__slot *slot = NULL;
    int err = BROLGA_ENOENT;

    (void)pthread_mutex_lock(&got->lock);
    if (number > 0 && number < got->slot_end)
        slot = got->slots[number];
    if (slot != NULL && slot->owner != NULL && !slot->removed) {
        slot->refs++;
        slot->runners++;
        err = BROLGA_OK;
    }
    (void)pthread_mutex_unlock(&got->lock);
    return err;
}

void brolga__slot_leave(struct brolga_got *got, brolga_slot number)
{
    struct brolga__slot *slot;

    (void)pthread_mutex_lock(&got->lock);
    slot = got->slots[number];
    brolga__assert(slot->runners > 0);
    slot->runners--;
    brolga__slot_unref(got, slot);
    (void)pthread_mutex_unlock(&got->lock);
}
