/*
 * The hash table of closures: open addressing with linear steps, found in
 * without a lock while others enter and remove.
 *
 * Who asks for an entry has a closure of it, or runs its code, so that this
 * entry stays meanwhile, in its slot. What else happens in the table does not
 * matter, as long as there is no free slot on the way to it. So an entry that
 * is removed leaves a mark, GONE, which a later one may take; only where a free
 * slot follows anyway does it become free, together with the marks before it.
 * By that there are never many marks: each has an entry behind it in the same
 * cluster, and clusters are short.
 *
 * A table that becomes too full is copied to a larger one. Somebody may be
 * looking into the old one, and does not have to be a member of an epoch, so
 * the old ones stay until the end. Each is half of the next: all of them take
 * as much memory as the one in use.
 *
 *   P  Who sees a table sees what was copied to it: release store of `table` in
 *      grow -> acquire load in table_of.
 *   Q  Who finds a code sees its entry: release store of a slot's code in fill
 *      -> acquire load in brolga__closure_hash_find.
 *
 * Invariants: live <= slots / 2; live <= taken < slots.
 */
#include "closures/closures.h"

#include "alloc.h"

#define SLOTS_MIN 64

/* No function begins at these addresses. */
#define FREE ((uintptr_t)0)
#define GONE ((uintptr_t)1)

static struct brolga__closure_table *table_of(struct brolga__closure_hash *hash)
{
    return brolga__load_acquire(&hash->table); /* P: grow */
}

static size_t first_slot(const struct brolga__closure_table *table,
                         uintptr_t code)
{
    uint64_t hash = (uint64_t)code * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(hash >> 32) & (table->slots - 1);
}

static struct brolga__closure_table *
table_create(size_t slots, struct brolga__closure_table *older)
{
    struct brolga__closure_table *table =
        brolga__alloc_zero(sizeof(*table) + slots * sizeof(table->slot[0]));

    if (table != NULL) {
        table->slots = slots;
        table->older = older;
    }
    return table;
}

int brolga__closure_hash_init(struct brolga__closure_hash *hash)
{
    struct brolga__closure_table *table = table_create(SLOTS_MIN, NULL);

    if (table == NULL)
        return BROLGA_ENOMEM;
    brolga__store_release(&hash->table, table); /* P: table_of */
    hash->live = hash->taken = 0;
    return BROLGA_OK;
}

void brolga__closure_hash_fini(struct brolga__closure_hash *hash)
{
    struct brolga__closure_table *table = table_of(hash);

    while (table != NULL) {
        struct brolga__closure_table *older = table->older;

        brolga__free(table);
        table = older;
    }
}

/* --- changes: one thread at a time -------------------------------------- */

/* Relaxed: only the caller writes codes. */
static uintptr_t code_at(struct brolga__closure_table *table, size_t i)
{
    return brolga__load_relaxed(&table->slot[i & (table->slots - 1)].code);
}

/* Returns how many free slots that takes. */
static size_t fill(struct brolga__closure_table *table,
                   struct brolga__closure_entry *entry)
{
    size_t i = first_slot(table, entry->code);
    struct brolga__closure_slot *slot;
    bool was_free;

    while (code_at(table, i) > GONE) /* Ends: a slot is free. */
        i++;
    was_free = code_at(table, i) == FREE;
    slot = &table->slot[i & (table->slots - 1)];
    brolga__store_relaxed(&slot->entry, entry);
    brolga__store_release(&slot->code, entry->code); /* Q: hash_find */
    return was_free;
}

static int grow(struct brolga__closure_hash *hash, size_t slots)
{
    struct brolga__closure_table *old = table_of(hash);
    struct brolga__closure_table *table = table_create(slots, old);

    if (table == NULL)
        return BROLGA_ENOMEM;
    for (size_t i = 0; i < old->slots; i++)
        if (code_at(old, i) > GONE)
            (void)fill(table, brolga__load_relaxed(&old->slot[i].entry));
    hash->taken = hash->live;
    brolga__store_release(&hash->table, table); /* P: table_of */
    return BROLGA_OK;
}

int brolga__closure_hash_reserve(struct brolga__closure_hash *hash, size_t more)
{
    struct brolga__closure_table *table = table_of(hash);
    size_t slots = table->slots;

    if (more > SIZE_MAX / 8 - hash->live)
        return BROLGA_ENOMEM;
    /* So many marks and entries that searches get long. */
    if (hash->taken + more > slots - slots / 8)
        slots *= 2;
    while (hash->live + more > slots / 2)
        slots *= 2;
    return slots == table->slots ? BROLGA_OK : grow(hash, slots);
}

void brolga__closure_hash_put(struct brolga__closure_hash *hash,
                              struct brolga__closure_entry *entry)
{
    hash->live++;
    hash->taken += fill(table_of(hash), entry);
}

void brolga__closure_hash_remove(struct brolga__closure_hash *hash,
                                 const struct brolga__closure_entry *entry)
{
    struct brolga__closure_table *table = table_of(hash);
    size_t i = first_slot(table, entry->code);

    while (code_at(table, i) != entry->code) { /* Ends: it is there. */
        brolga__assert(code_at(table, i) != FREE);
        i++;
    }
    hash->live--;
    /* Relaxed, all of these: who looks for another one passes by a mark, and
     * nothing that is looked for lies behind a slot that becomes free. */
    brolga__store_relaxed(&table->slot[i & (table->slots - 1)].code, GONE);
    if (code_at(table, i + 1) != FREE)
        return;
    /* Ends: a slot is free. */
    for (; code_at(table, i) == GONE; i += table->slots - 1, hash->taken--)
        brolga__store_relaxed(&table->slot[i & (table->slots - 1)].code, FREE);
}

/* --- finding: any thread ------------------------------------------------ */

struct brolga__closure_entry *
brolga__closure_hash_find(struct brolga__closure_hash *hash, uintptr_t code)
{
    struct brolga__closure_table *table = table_of(hash);
    size_t i = first_slot(table, code);

    if (code <= GONE)
        return NULL;
    /* Bounded, though others may fill and clear slots meanwhile. */
    for (size_t steps = 0; steps < table->slots; steps++, i++) {
        struct brolga__closure_slot *slot =
            &table->slot[i & (table->slots - 1)];
        uintptr_t found = brolga__load_acquire(&slot->code); /* Q: fill */

        if (found == code)
            return brolga__load_relaxed(&slot->entry);
        if (found == FREE)
            return NULL;
    }
    return NULL;
}
