/*
 * Cells: tables at fixed addresses that mirror the current version.
 *
 *   K  as in commit.c, for cells that lose their code.
 */
#include "got/got.h"

#include "alloc.h"

static int cells_create(struct brolga_got *got, const void **base,
                        uint32_t count, struct brolga_cells **out)
{
    struct brolga_cells *cells = brolga__alloc_zero(sizeof *cells);

    if (cells == NULL)
        return BROLGA_ENOMEM;
    cells->taken = brolga__alloc_zero(count);
    cells->owned = base == NULL;
    cells->base = base;
    if (cells->owned)
        cells->base = brolga__alloc_zero(count * sizeof *base);
    if (cells->taken == NULL || cells->base == NULL)
        goto fail;
    cells->got = got;
    cells->count = count;
    *out = cells;
    return BROLGA_OK;

fail:
    if (cells->owned)
        brolga__free((void *)cells->base);
    brolga__free(cells->taken);
    brolga__free(cells);
    return BROLGA_ENOMEM;
}

int brolga_cells_attach(brolga_got *got, const char *module, const void **base,
                        uint32_t count, brolga_cells **out)
{
    struct brolga__module *found;
    int err;

    if (count == 0)
        return BROLGA_EINVAL;
    (void)pthread_mutex_lock(&got->lock);
    err = brolga__module_get(got, module, &found);
    if (err == BROLGA_OK && found->cells != NULL)
        err = BROLGA_EEXIST;
    if (err == BROLGA_OK) {
        err = cells_create(got, base, count, &found->cells);
        if (err == BROLGA_OK)
            *out = found->cells;
        else
            brolga__module_prune(found);
    }
    (void)pthread_mutex_unlock(&got->lock);
    return err;
}

const void *const *brolga_cells_base(const brolga_cells *cells)
{
    return cells->base;
}

static struct brolga__slot *slot_of(struct brolga_cells *cells,
                                    brolga_slot number)
{
    struct brolga_got *got = cells->got;
    struct brolga__slot *slot = NULL;

    if (number > 0 && number < got->slot_end) /* 0 is no slot. */
        slot = got->slots[number];
    return slot != NULL && slot->module->cells == cells ? slot : NULL;
}

void brolga__cell_clear(struct brolga__slot *slot)
{
    /* A slot that is older than the table has no cell. */
    if (slot->cell != BROLGA__NO_CELL)
        __atomic_store_n(&slot->module->cells->base[slot->cell],
                         brolga__version_missing(), __ATOMIC_RELEASE); /* K */
}

static int bind(struct brolga_cells *cells, struct brolga__slot *slot,
                uint32_t index)
{
    if (slot == NULL || index >= cells->count)
        return BROLGA_EINVAL;
    if (slot->cell == index)
        return BROLGA_OK;
    if (slot->cell != BROLGA__NO_CELL || cells->taken[index] != 0)
        return BROLGA_EEXIST;
    cells->taken[index] = 1;
    slot->cell = index;
    if (slot->code != NULL)
        __atomic_store_n(&cells->base[index], slot->code,
                         __ATOMIC_RELEASE); /* K */
    return BROLGA_OK;
}

int brolga_cells_bind(brolga_cells *cells, brolga_slot slot, uint32_t index)
{
    int err;

    (void)pthread_mutex_lock(&cells->got->lock);
    err = bind(cells, slot_of(cells, slot), index);
    (void)pthread_mutex_unlock(&cells->got->lock);
    return err;
}

int brolga_cells_index(brolga_cells *cells, brolga_slot number, uint32_t *out)
{
    struct brolga__slot *slot;
    int err = BROLGA_ENOENT;

    (void)pthread_mutex_lock(&cells->got->lock);
    slot = slot_of(cells, number);
    if (slot != NULL && slot->cell != BROLGA__NO_CELL) {
        *out = slot->cell;
        err = BROLGA_OK;
    }
    (void)pthread_mutex_unlock(&cells->got->lock);
    return err;
}
