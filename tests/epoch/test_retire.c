/*
 * Goal: a retired object is reclaimed once, in order, and not before its grace
 * period.
 * Method: objects that note when their callback ran; members moved by hand;
 * then readers on threads that check a canary in what they read while a writer
 * replaces it.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "epoch/epoch.h"
#include "wait_until.h"

static brolga_epoch *epoch;
static brolga_epoch_member *member;

static void open_epoch(void)
{
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    cr_assert_eq(brolga_epoch_join(epoch, &member), BROLGA_OK);
}

static void close_epoch(void)
{
    brolga_epoch_leave(member);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

struct object {
    struct brolga_epoch_node node;
    int reclaimed; /* How often. */
    int when;      /* In the order of callbacks. */
};

static int callbacks;

static void note(struct brolga_epoch_node *node)
{
    struct object *object = brolga__container_of(node, struct object, node);

    object->reclaimed++;
    object->when = ++callbacks;
}

Test(retire, waits_for_the_grace_period, .init = open_epoch,
     .fini = close_epoch)
{
    struct object object = {0};

    brolga_epoch_retire(epoch, &object.node, note);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(brolga_epoch_poll(epoch, SIZE_MAX), 1);
    cr_assert_eq(object.reclaimed, 0);
    brolga_epoch_quiesce(member);
    cr_assert_eq(brolga_epoch_poll(epoch, SIZE_MAX), 0);
    cr_assert_eq(object.reclaimed, 1);
    cr_assert_eq(brolga_epoch_poll(epoch, SIZE_MAX), 0);
    cr_assert_eq(object.reclaimed, 1);
}

Test(retire, reclaims_in_order_and_at_most_the_limit, .init = open_epoch,
     .fini = close_epoch)
{
    struct object objects[10] = {0};

    callbacks = 0;
    for (int i = 0; i < 10; i++)
        brolga_epoch_retire(epoch, &objects[i].node, note);
    brolga_epoch_quiesce(member);
    cr_assert_eq(brolga_epoch_poll(epoch, 0), 10);
    cr_assert_eq(brolga_epoch_poll(epoch, 3), 7);
    cr_assert_eq(callbacks, 3);
    cr_assert_eq(brolga_epoch_poll(epoch, 100), 0);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(objects[i].reclaimed, 1);
        cr_assert_eq(objects[i].when, i + 1);
    }
}

Test(retire, what_is_retired_later_waits_longer, .init = open_epoch,
     .fini = close_epoch)
{
    struct object older = {0}, newer = {0};

    brolga_epoch_retire(epoch, &older.node, note);
    brolga_epoch_quiesce(member);
    brolga_epoch_retire(epoch, &newer.node, note);
    cr_assert_eq(brolga_epoch_poll(epoch, SIZE_MAX), 1);
    cr_assert_eq(older.reclaimed, 1);
    cr_assert_eq(newer.reclaimed, 0);
    brolga_epoch_offline(member);
    cr_assert_eq(brolga_epoch_poll(epoch, SIZE_MAX), 0);
    cr_assert_eq(newer.reclaimed, 1);
    brolga_epoch_online(member);
}

Test(retire, synchronize_reclaims_too)
{
    struct object object = {0};

    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    brolga_epoch_retire(epoch, &object.node, note);
    cr_assert_eq(brolga_epoch_synchronize(epoch, BROLGA_FOREVER), BROLGA_OK);
    cr_assert_eq(object.reclaimed, 1);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
}

static struct object second;

static void retire_another(struct brolga_epoch_node *node)
{
    note(node);
    brolga_epoch_retire(epoch, &second.node, note);
    /* A reclaimer is at work: this one finds nothing to do. */
    cr_assert_geq(brolga_epoch_poll(epoch, SIZE_MAX), 1);
}

Test(retire, destroy_reclaims_all_and_what_callbacks_retire)
{
    struct object first = {0};

    memset(&second, 0, sizeof second);
    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    brolga_epoch_retire(epoch, &first.node, retire_another);
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
    cr_assert_eq(first.reclaimed, 1);
    cr_assert_eq(second.reclaimed, 1);
}

/* --- readers and a writer ----------------------------------------------- */

#define CANARY UINT64_C(0x6272686c6f636b21)

struct shared {
    struct brolga_epoch_node node;
    uint64_t canary;
};

static struct shared *_Atomic current;
static _Atomic int stop;
static _Atomic uint64_t reads;
static _Atomic int bad;

static void *read_on(void *arg)
{
    brolga_epoch_member *self;

    (void)arg;
    if (brolga_epoch_join(epoch, &self) != BROLGA_OK)
        return NULL;
    while (!brolga__load_relaxed(&stop)) {
        struct shared *seen = brolga__load_acquire(&current);

        if (seen->canary != CANARY)
            brolga__store_relaxed(&bad, 1);
        (void)brolga__add_relaxed(&reads, 1);
        brolga_epoch_quiesce(self);
    }
    brolga_epoch_leave(self);
    return NULL;
}

static void spoil(struct brolga_epoch_node *node)
{
    struct shared *old = brolga__container_of(node, struct shared, node);

    old->canary = 0;
    brolga__free(old);
}

static void replace(void)
{
    struct shared *fresh = brolga__alloc_zero(sizeof *fresh);

    cr_assert_not_null(fresh);
    fresh->canary = CANARY;
    fresh = brolga__swap_acq_rel(&current, fresh);
    if (fresh != NULL)
        brolga_epoch_retire(epoch, &fresh->node, spoil);
}

Test(retire, readers_never_see_what_was_reclaimed, .timeout = 60)
{
    int64_t before = brolga__alloc_live();
    pthread_t threads[2];

    cr_assert_eq(brolga_epoch_create(&epoch), BROLGA_OK);
    atomic_init(&current, NULL);
    replace();
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    cr_assert(wait_until(brolga__load_relaxed(&reads) > 0));
    for (int i = 0; i < 3000; i++) {
        replace();
        (void)brolga_epoch_poll(epoch, 8);
    }
    brolga__store_relaxed(&stop, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(brolga__load_relaxed(&bad), 0);
    brolga__free(brolga__load_relaxed(&current));
    cr_assert_eq(brolga_epoch_destroy(epoch), BROLGA_OK);
    cr_assert_eq(brolga__alloc_live(), before);
}
