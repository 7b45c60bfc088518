/*
 * Goal: cells mirror the current version, at the index that the host chose or
 * the lowest free one, in a table of Brolga's or of the host's.
 * Method: commits, looked at through the table only.
 */
#include "got/world.h"

static brolga_cells *attached(const char *module, const void **base,
                              uint32_t count)
{
    brolga_cells *cells = NULL;

    cr_assert_eq(brolga_cells_attach(got, module, base, count, &cells),
                 BROLGA_OK);
    return cells;
}

static brolga_word through(brolga_cells *cells, uint32_t index)
{
    return jit_call(brolga_cells_base(cells)[index], NULL);
}

static uint32_t index_of(brolga_cells *cells, brolga_slot slot)
{
    uint32_t index = UINT32_MAX;

    cr_assert_eq(brolga_cells_index(cells, slot, &index), BROLGA_OK);
    return index;
}

Test(cells, mirror_every_commit, .init = world_open, .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 8);
    const void *const *base = brolga_cells_base(cells);
    uint32_t f, g;

    (void)published("m", "f", INT_FN, 1);
    (void)published("m", "g", INT_FN, 2);
    (void)published("other", "f", INT_FN, 3);
    f = index_of(cells, found("m", "f"));
    g = index_of(cells, found("m", "g"));
    cr_assert_neq(f, g);
    for (int i = 0; i < 5; i++) {
        (void)published("m", "f", INT_FN, 10 + i);
        cr_assert_eq(brolga_cells_base(cells), base);
        cr_assert_eq(index_of(cells, found("m", "f")), f);
        cr_assert_eq(through(cells, f), 10 + i);
        cr_assert_eq(through(cells, g), 2);
        brolga_epoch_quiesce(member);
    }
}

Test(cells, may_lie_in_a_table_of_the_host, .init = world_open,
     .fini = world_close)
{
    const void *table[4] = {0};
    brolga_cells *cells = attached("m", table, 4);

    cr_assert_eq(brolga_cells_base(cells), (const void *const *)table);
    (void)published("m", "f", INT_FN, 7);
    cr_assert_eq(jit_call(table[0], NULL), 7);
    cr_assert_null(table[1]);
}

Test(cells, are_bound_where_the_host_wants_them, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 4);
    brolga_txn *txn = begun();
    brolga_unit *unit = staged(txn, made(5));
    brolga_slot f = defined(txn, unit, "m", "f", INT_FN);
    brolga_slot g = defined(txn, unit, "m", "g", INT_FN);
    brolga_slot other = defined(txn, unit, "n", "h", INT_FN);
    uint32_t index = 99;

    cr_assert_eq(brolga_cells_index(cells, f, &index), BROLGA_ENOENT);
    cr_assert_eq(brolga_cells_bind(cells, f, 3), BROLGA_OK);
    cr_assert_eq(brolga_cells_bind(cells, f, 3), BROLGA_OK);
    cr_assert_eq(brolga_cells_bind(cells, f, 2), BROLGA_EEXIST);
    cr_assert_eq(brolga_cells_bind(cells, g, 3), BROLGA_EEXIST);
    cr_assert_eq(brolga_cells_bind(cells, g, 4), BROLGA_EINVAL);
    cr_assert_eq(brolga_cells_bind(cells, other, 0), BROLGA_EINVAL);
    cr_assert_eq(brolga_cells_bind(cells, 60000, 0), BROLGA_EINVAL);
    cr_assert_eq(index, 99);
    committed(txn);
    cr_assert_eq(index_of(cells, f), 3);
    cr_assert_eq(index_of(cells, g), 0);
    cr_assert_eq(through(cells, 3), 5);
}

Test(cells, binding_a_defined_slot_shows_its_code_at_once, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells;
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    cells = attached("m", NULL, 4);
    cr_assert_null(brolga_cells_base(cells)[2]);
    cr_assert_eq(brolga_cells_bind(cells, f, 2), BROLGA_OK);
    cr_assert_not_null(brolga_cells_base(cells)[2]);
    cr_assert_eq(through(cells, 2), 1);
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(through(cells, 2), 2);
}

Test(cells, slot_zero_is_no_slot, .init = world_open, .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 4);
    uint32_t index = 99;

    cr_assert_eq(brolga_cells_bind(cells, 0, 0), BROLGA_EINVAL);
    cr_assert_eq(brolga_cells_index(cells, 0, &index), BROLGA_ENOENT);
    (void)published("m", "f", INT_FN, 7);
    cr_assert_eq(brolga_cells_bind(cells, 0, 1), BROLGA_EINVAL);
    cr_assert_eq(brolga_cells_index(cells, 0, &index), BROLGA_ENOENT);
}

Test(cells, attaching_can_fail, .init = world_open, .fini = world_close)
{
    brolga_cells *cells = NULL;
    int err = BROLGA_ENOMEM;

    cr_assert_eq(brolga_cells_attach(got, "m", NULL, 0, &cells), BROLGA_EINVAL);
    for (uint64_t n = 1; err != BROLGA_OK; n++) {
        cr_assert_lt(n, 10);
        brolga__alloc_fail_nth(n);
        err = brolga_cells_attach(got, "m", NULL, 4, &cells);
        brolga__alloc_fail_nth(0);
        cr_assert_eq(err == BROLGA_OK, cells != NULL);
        if (err != BROLGA_OK)
            cr_assert_eq(err, BROLGA_ENOMEM);
    }
    cr_assert_eq(brolga_cells_attach(got, "m", NULL, 4, &cells), BROLGA_EEXIST);
}

Test(cells, an_abort_gives_a_bound_cell_back, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 1);
    brolga_txn *txn = begun();
    brolga_slot f = defined(txn, staged(txn, made(1)), "m", "f", INT_FN);

    cr_assert_eq(brolga_cells_bind(cells, f, 0), BROLGA_OK);
    brolga_txn_abort(txn);
    (void)published("m", "g", INT_FN, 2);
    cr_assert_eq(index_of(cells, found("m", "g")), 0);
    cr_assert_eq(through(cells, 0), 2);
}

Test(cells, a_removed_slot_gives_its_cell_back, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 1);

    for (int i = 0; i < 3; i++) {
        (void)published("m", i % 2 ? "f" : "g", INT_FN, i);
        cr_assert_eq(through(cells, 0), i);
        emptied("m", false);
        cr_assert_eq(brolga_cells_base(cells)[0], brolga__version_missing());
        brolga_epoch_quiesce(member);
    }
}

/* A slot that was defined before the table was attached has no cell; taking
 * the slot away must not look for one. */
Test(cells, removing_a_slot_without_a_cell_takes_none, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells;
    brolga_txn *txn;
    uint32_t index;

    (void)published("m", "early", INT_FN, 1);
    cells = attached("m", NULL, 2);
    (void)published("m", "late", INT_FN, 2);
    cr_assert_eq(brolga_cells_index(cells, found("m", "early"), &index),
                 BROLGA_ENOENT);
    txn = begun();
    (void)defined(txn, staged(txn, made(3)), "m", "late", INT_FN);
    cr_assert_eq(brolga_txn_replace(txn, "m"), BROLGA_OK);
    committed(txn);
    cr_assert_eq(index_of(cells, found("m", "late")), 0);
    cr_assert_eq(through(cells, 0), 3);
    cr_assert_null(brolga_cells_base(cells)[1]);
}

/* An importer keeps the removed slot's code in its cell; when both are gone,
 * the cell must not lead into released code. */
Test(cells, no_cell_leads_into_released_code, .init = world_open,
     .fini = world_close)
{
    brolga_cells *cells = attached("m", NULL, 1);
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    (void)published_user("user", "main", "m", "f", &f);
    emptied("m", true);
    cr_assert_eq(through(cells, 0), 1);
    emptied("user", false);
    reclaimed();
    cr_assert_eq(jit_releases(&units[0]), 1);
    cr_assert_eq(brolga_cells_base(cells)[0], brolga__version_missing());
    (void)published("m", "g", INT_FN, 2);
    cr_assert_eq(through(cells, 0), 2);
}
