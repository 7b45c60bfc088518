/*
 * Goal: whoever still calls what has been changed or taken away is named, until
 * it is gone; then the slot is gone, too.
 * Method: importers that are left behind, tasks that run a slot, and units that
 * are kept for other reasons.
 */
#include "got/world.h"

static struct brolga_stale seen[4];
static char seen_importer[32];

static void visit(void *arg, const struct brolga_stale *stale)
{
    size_t *count = arg;

    if (*count < brolga__lengthof(seen))
        seen[*count] = *stale;
    if (stale->importer != NULL)
        (void)snprintf(seen_importer, sizeof seen_importer, "%s",
                       stale->importer);
    (*count)++;
}

static size_t stale(void)
{
    size_t count = 0, visited = brolga_got_stale(got, visit, &count);

    cr_assert_eq(visited, count);
    return count;
}

Test(stale, importers_are_named_until_they_are_gone, .init = world_open,
     .fini = world_close)
{
    brolga_slot slot, user;

    (void)published("m", "f", INT_FN, 1);
    slot = found("m", "f");
    (void)published_user("u", "g", "m", "f", &user);
    cr_assert_eq(stale(), 0);
    emptied("m", true); /* v4 */
    cr_assert_eq(stale(), 1);
    cr_assert_str_eq(seen_importer, "unit1");
    cr_assert_str_eq(seen[0].module, "m");
    cr_assert_str_eq(seen[0].symbol, "f");
    cr_assert_str_eq(seen[0].signature, INT_FN);
    cr_assert_eq(seen[0].since_version, 4);
    (void)published("u", "g", INT_FN, 2);
    cr_assert_eq(stale(), 1); /* It may still run. */
    reclaimed();
    cr_assert_eq(stale(), 0);
    cr_assert_neq(code_at(slot), (const void *)units[0].text);
    cr_assert_eq(stats().slots, 1);
}

Test(stale, tasks_that_run_a_slot_are_counted, .init = world_open,
     .fini = world_close)
{
    brolga_slot slot;

    (void)published("m", "f", INT_FN, 1);
    slot = found("m", "f");
    cr_assert_eq(brolga__slot_enter(got, slot), BROLGA_OK);
    cr_assert_eq(brolga__slot_enter(got, slot), BROLGA_OK);
    emptied("m", true);
    cr_assert_eq(stale(), 1);
    cr_assert_null(seen[0].importer);
    cr_assert_eq(seen[0].tasks, 2);
    brolga__slot_leave(got, slot);
    cr_assert_eq(stale(), 1);
    brolga__slot_leave(got, slot);
    cr_assert_eq(stale(), 0);
    cr_assert_eq(stats().slots, 0); /* Nobody keeps it for its code's sake. */
}

Test(stale, what_is_kept_to_be_restored_is_no_caller)
{
    brolga_slot user;

    world_open_with(&(struct brolga_got_opts){.history = 8});
    (void)published("m", "f", INT_FN, 1);
    (void)published_user("u", "g", "m", "f", &user);
    emptied("m", true);
    (void)published("u", "g", INT_FN, 2);
    reclaimed();
    cr_assert_eq(stale(), 0);
    cr_assert_eq(jit_releases(&units[0]), 0);
    cr_assert_eq(brolga_got_rollback(got, 3, NULL), BROLGA_OK);
    cr_assert_eq(called(user), 1);
    world_close();
}
