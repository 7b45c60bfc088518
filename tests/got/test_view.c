/*
 * Goal: a view has all of one version, keeps it until its owner adopts, and
 * never goes back; a version that is held outlives its replacement.
 * Method: views moved by hand on this thread; then reader threads that call
 * every function of their view while commits change them all.
 */
#include "got/world.h"
#include "wait_until.h"

Test(view, c2_changes_only_when_its_owner_adopts, .init = world_open,
     .fini = world_close)
{
    struct brolga_view view = {0};
    struct brolga__version *version = NULL;
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    cr_assert(brolga__view_adopt(got, &view, &version));
    cr_assert_not(brolga__view_adopt(got, &view, &version));
    (void)published("m", "f", INT_FN, 2);
    cr_assert_eq(jit_call(view.slots[f], NULL), 1);
    cr_assert(brolga__view_adopt(got, &view, &version));
    cr_assert_eq(jit_call(view.slots[f], NULL), 2);
    cr_assert_eq(version->number, 3);
}

/*
 * Between the two halves of a commit the version is out and its round has not
 * begun: nobody would be told to adopt it. Who has adopted it may send at once,
 * and the receiver must be told then.
 */
Test(view, c3_who_adopts_before_the_round_begins_it, .init = world_open,
     .fini = world_close)
{
    struct brolga_view sender = {0};
    struct brolga__version *version = NULL;
    uint64_t seen_by_receiver;

    (void)published("m", "f", INT_FN, 1);
    (void)brolga__view_adopt(got, &sender, &version);
    (void)published("m", "f", INT_FN, 2);
    cr_assert(
        brolga__load_relaxed(&brolga__load_relaxed(&got->current)->announced));
    brolga__store_relaxed(&brolga__load_relaxed(&got->current)->announced,
                          false);
    seen_by_receiver = brolga__epoch_round(epoch);
    cr_assert(brolga__view_adopt(got, &sender, &version));
    cr_assert_gt(brolga__epoch_round(epoch), seen_by_receiver);
    /* When the commit is through, adopting begins no more rounds. */
    brolga__store_relaxed(&version->announced, true);
    seen_by_receiver = brolga__epoch_round(epoch);
    cr_assert_not(brolga__view_adopt(got, &sender, &version));
    cr_assert_eq(brolga__epoch_round(epoch), seen_by_receiver);
}

Test(view, a_held_version_outlives_the_grace_period, .init = world_open,
     .fini = world_close)
{
    struct brolga_view view = {0};
    struct brolga__version *version = NULL;
    brolga_slot f;

    (void)published("m", "f", INT_FN, 1);
    f = found("m", "f");
    (void)brolga__view_adopt(got, &view, &version);
    brolga__version_hold(version);
    for (int i = 0; i < 5; i++) {
        (void)published("m", "f", INT_FN, 10 + i);
        reclaimed();
        cr_assert_eq(jit_call(view.slots[f], NULL), 1);
        cr_assert_eq(stats().versions_live, 2);
    }
    cr_assert_eq(jit_releases(&units[0]), 0);
    brolga__version_unhold(version);
    reclaimed();
    cr_assert_eq(stats().versions_live, 1);
    cr_assert_eq(jit_releases(&units[0]), 1);
}

Test(view, staleness_is_a_matter_of_the_round)
{
    uint64_t round = 4;
    struct brolga_view view = {.seen = 4, .round = &round};

    cr_assert_not(brolga_view_stale(&view));
    round++;
    cr_assert(brolga_view_stale(&view));
    view.seen = round;
    cr_assert_not(brolga_view_stale(&view));
}

Test(view, a_thread_that_is_no_task_has_none)
{
    struct brolga_view view = {0};

    cr_assert_null(brolga_view_self());
    brolga__view_set_self(&view);
    cr_assert_eq(brolga_view_self(), &view);
    brolga__view_set_self(NULL);
    cr_assert_null(brolga_view_self());
}

/* --- readers and commits ------------------------------------------------ */

#define FUNCTIONS 12
#define COMMITS   60

static brolga_slot functions[FUNCTIONS];
static _Atomic int stop, torn, went_back;
static _Atomic uint64_t adopted;

/* All functions of a version return the same number, the commit's. */
static void read_all(struct brolga_view *view, brolga_word *last)
{
    brolga_word first = jit_call(view->slots[functions[0]], NULL);

    for (int i = 1; i < FUNCTIONS; i++)
        if (jit_call(view->slots[functions[i]], NULL) != first)
            brolga__store_relaxed(&torn, 1);
    if (first < *last)
        brolga__store_relaxed(&went_back, 1);
    *last = first;
}

static void *read_on(void *arg)
{
    struct brolga_view view = {0};
    struct brolga__version *version = NULL;
    brolga_epoch_member *self;
    brolga_word last = 0;

    (void)arg;
    if (brolga_epoch_join(epoch, &self) != BROLGA_OK)
        return NULL;
    while (!brolga__load_relaxed(&stop)) {
        uint64_t round = brolga__epoch_round(epoch);

        if (brolga__view_adopt(got, &view, &version))
            (void)brolga__add_relaxed(&adopted, 1);
        brolga__epoch_announce(self, round);
        read_all(&view, &last);
        read_all(&view, &last);
    }
    brolga_epoch_leave(self);
    return NULL;
}

static void commit_all(int number)
{
    static const char *const modules[] = {"a", "b", "c"};
    brolga_txn *txn = begun();
    brolga_unit *unit = NULL;
    char symbol[16];
    brolga_slot slot;

    for (int i = 0; i < FUNCTIONS; i++) {
        if (i % 4 == 0)
            unit = staged(txn, made(number));
        (void)snprintf(symbol, sizeof symbol, "f%d", i);
        slot = defined(txn, unit, modules[i % 3], symbol, INT_FN);
        if (number == 1) /* It stays the same; readers read it. */
            functions[i] = slot;
    }
    committed(txn);
}

static bool room_for_a_version(void)
{
    (void)brolga__got_reclaim(got);
    return stats().versions_live < 8;
}

Test(view, c1_no_reader_sees_half_a_commit, .timeout = 60, .init = world_open,
     .fini = world_close)
{
    pthread_t readers[2];

    commit_all(1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    cr_assert(wait_until(brolga__load_relaxed(&adopted) >= 2));
    for (int i = 2; i < COMMITS; i++) {
        uint64_t before = brolga__load_relaxed(&adopted);

        /* The pretended stack is clean; the readers' frames are never in a
         * unit between two announcements that the reclaimer waits for. */
        brolga_epoch_quiesce(member);
        cr_assert(wait_until(room_for_a_version()));
        commit_all(i);
        if (i % 8 == 0)
            cr_assert(wait_until(brolga__load_relaxed(&adopted) > before));
    }
    brolga__store_relaxed(&stop, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(readers[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&torn), 0);
    cr_assert_eq(brolga__load_relaxed(&went_back), 0);
}
