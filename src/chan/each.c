/*
 * A task for each message: wait at a top safepoint, call the newest code.
 *
 * The task's own frames are Brolga's, so that nothing on its stack points into
 * a unit while it waits. Nor is anything on it that is needed: waiter and
 * message lie in a record, struct brolga__each. So a fiber waits without a
 * stack, and a million of them take a few hundred megabytes:
 * brolga__park_bare() does not return, but run_each() is called anew, and goes
 * on by what is in the record.
 *
 * That and the reference to the channel are given up at the task's end, also if
 * the slot panics.
 */
#include "chan/each.h"
#include "chan/parcel.h"

#include "alloc.h"

typedef int (*each_fn)(void *state, void *elem);

/* The slot's function in the version that the task views. */
static each_fn newest(brolga_slot slot)
{
    const void *code = brolga_view_self()->slots[slot];

    /* ISO C has no conversion from object to function pointers. */
    union {
        const void *code;
        each_fn fn;
    } cast = {.code = code};

    brolga__assert(code != NULL);
    return cast.fn;
}

/* Waits until the waiter has been completed, or the task is to end. Returns the
 * operation's result, or BROLGA_EAGAIN: it has been woken for no reason. */
static int wait(struct brolga__each *each, brolga_task *self)
{
    int result = brolga_waiter_result(&each->waiter);
    int reason = brolga_cancel_reason();

    if (result == BROLGA_EAGAIN && reason == BROLGA_OK) {
        if (self->is_fiber)
            brolga__park_bare("recv", &brolga__wait_chan, &each->waiter);
        else
            (void)brolga__park_on("recv", &brolga__wait_chan, &each->waiter,
                                  BROLGA_FOREVER);
        return BROLGA_EAGAIN;
    }
    each->waiting = false;
    result = brolga_chan_withdraw(&each->waiter);
    each->in_hand = result == BROLGA_OK;
    /* A message that has come counts, cancel or not. */
    return result == BROLGA_ECANCELED ? reason : result;
}

/* Receives at a top safepoint, and ends with one. */
static int receive(struct brolga__each *each, brolga_task *self)
{
    int result = BROLGA_EAGAIN;

    brolga__top_enter();
    if (!each->waiting) {
        each->waiter.wake = brolga__wake_task;
        each->waiter.arg = self;
        result = brolga_chan_offer(each->chan, &each->waiter, BROLGA_RECV,
                                   each->elem);
        each->waiting = result == BROLGA_EAGAIN;
        each->in_hand = result == BROLGA_OK;
    }
    while (result == BROLGA_EAGAIN)
        result = wait(each, self);
    /* The sender may have been in a newer version than we were above. */
    brolga__top_leave();
    return result;
}

static brolga_word run_each(void *arg)
{
    struct brolga__each *each = arg;
    brolga_task *self = brolga__self();

    /* Ends with the channel, with a cancel, or when the slot says so. */
    for (;;) {
        int result = each->waiting ? BROLGA_OK : brolga_cancel_reason();

        if (result == BROLGA_OK)
            result = receive(each, self);
        if (result != BROLGA_OK)
            return result == BROLGA_ECLOSED ? BROLGA_OK : result;
        each->in_hand = false; /* No safepoint from here to the call. */
        result = newest(each->slot)(each->state, each->elem);
        if (result != BROLGA_OK)
            return result;
    }
}

/* At the end of the task, however it came: the slot may have panicked. */
static void give_up(void *arg)
{
    struct brolga__each *each = arg;

    /* It was woken, and there was no stack for it: the message is dropped. */
    if (each->waiting && brolga__waiter_end(&each->waiter) == BROLGA_OK &&
        !each->chan->plain)
        brolga__parcel_drop(each->chan->type, *(brolga_word *)each->elem);
    brolga__chan_lock(each->chan);
    brolga__list_remove(&each->link);
    brolga__chan_unlock(each->chan);
    brolga_chan_release(each->chan);
    if (each->elem != each->small)
        brolga__free(each->elem);
    brolga__free(each);
}

static struct brolga__each *create(brolga_chan *chan, brolga_slot slot,
                                   void *state)
{
    struct brolga__each *each = brolga__alloc_zero(sizeof(*each));

    if (each == NULL)
        return NULL;
    each->elem = chan->bytes <= BROLGA__EACH_SMALL
                     ? each->small
                     : brolga__alloc_line(chan->bytes);
    if (each->elem == NULL) {
        brolga__free(each);
        return NULL;
    }
    each->chan = brolga_chan_retain(chan);
    each->state = state;
    each->slot = slot;
    brolga__chan_lock(chan);
    brolga__list_push_back(&chan->runners, &each->link);
    brolga__chan_unlock(chan);
    return each;
}

int brolga_spawn_each(brolga *rt, brolga_chan *chan, brolga_slot slot,
                      void *state, const struct brolga_spawn_opts *opts,
                      brolga_task **out)
{
    struct brolga__each *each;
    struct brolga__start how;
    int err;

    if (chan->bytes > BROLGA_EACH_BYTES_MAX || slot == 0)
        return BROLGA_EINVAL;
    each = create(chan, slot, state);
    if (each == NULL)
        return BROLGA_ENOMEM;
    how = (struct brolga__start){.entry = BROLGA__ENTRY_FUNCTION,
                                 .fn = run_each,
                                 .slot = slot,
                                 .arg = each,
                                 .at_end = give_up,
                                 .at_end_arg = each};
    err = brolga__spawn(rt, &how, opts, out);
    if (err != BROLGA_OK)
        give_up(each);
    return err;
}
