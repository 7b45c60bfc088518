/* Epochs and their members: creation, joining, leaving. */
#include "epoch/epoch.h"

#include "alloc.h"

int brolga_epoch_create(brolga_epoch **out)
{
    struct brolga_epoch *epoch = brolga__alloc_line(sizeof *epoch);

    if (epoch == NULL)
        return BROLGA_ENOMEM;
    /* 0 means offline in a member, so rounds start above it. */
    atomic_init(&epoch->round, 1);
    (void)pthread_mutex_init(&epoch->members_lock, NULL);
    (void)pthread_mutex_init(&epoch->reclaim_lock, NULL);
    brolga__list_init(&epoch->members);
    *out = epoch;
    return BROLGA_OK;
}

int brolga_epoch_destroy(brolga_epoch *epoch)
{
    bool busy;

    (void)pthread_mutex_lock(&epoch->members_lock);
    busy = !brolga__list_empty(&epoch->members);
    (void)pthread_mutex_unlock(&epoch->members_lock);
    if (busy)
        return BROLGA_EBUSY;
    /* A callback may retire more; each pass frees all that it finds. */
    while (brolga_epoch_poll(epoch, SIZE_MAX) > 0)
        continue;
    (void)pthread_mutex_destroy(&epoch->members_lock);
    (void)pthread_mutex_destroy(&epoch->reclaim_lock);
    brolga__free(epoch);
    return BROLGA_OK;
}

int brolga__epoch_enlist(struct brolga_epoch *epoch,
                         struct brolga_epoch_member **out)
{
    struct brolga_epoch_member *member = brolga__alloc_line(sizeof *member);

    if (member == NULL)
        return BROLGA_ENOMEM;
    member->epoch = epoch;
    /* Linked while offline: nobody waits for it until it comes online. */
    (void)pthread_mutex_lock(&epoch->members_lock);
    brolga__list_push_back(&epoch->members, &member->link);
    (void)pthread_mutex_unlock(&epoch->members_lock);
    *out = member;
    return BROLGA_OK;
}

int brolga_epoch_join(brolga_epoch *epoch, brolga_epoch_member **out)
{
    int err = brolga__epoch_enlist(epoch, out);

    if (err == BROLGA_OK)
        brolga_epoch_online(*out);
    return err;
}

void brolga_epoch_leave(brolga_epoch_member *member)
{
    struct brolga_epoch *epoch = member->epoch;

    /* The lock orders our last reads before the next waiter's look. */
    (void)pthread_mutex_lock(&epoch->members_lock);
    brolga__list_remove(&member->link);
    (void)pthread_mutex_unlock(&epoch->members_lock);
    brolga__free(member);
}
