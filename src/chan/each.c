/*
 * A task for each message: wait at a top safepoint, call the newest code.
 *
 * The task's own frames are Brolga's, so that nothing on its stack points into
 * a unit while it waits. The message lies on the stack: a slot that panics
 * then leaves no memory of ours behind; the reference to the channel is given
 * up at the task's end.
 */
#include "chan/chan.h"

#include "alloc.h"

struct each {
    brolga_chan *chan;
    void *state;
    brolga_slot slot;
};

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

/* Waits at a top safepoint, and ends with one. */
static int receive(const struct each *each, void *elem)
{
    int err;

    brolga__top_enter();
    err = brolga_recv(each->chan, elem, BROLGA_FOREVER);
    /* The sender may have been in a newer version than we were above. */
    brolga__top_leave();
    return err;
}

static int for_each(const struct each *each, void *elem)
{
    /* Ends with the channel, with a cancel, or when the slot says so. */
    for (;;) {
        int result = brolga_cancel_reason();

        if (result == BROLGA_OK)
            result = receive(each, elem);
        if (result != BROLGA_OK)
            return result == BROLGA_ECLOSED ? BROLGA_OK : result;
        result = newest(each->slot)(each->state, elem);
        if (result != BROLGA_OK)
            return result;
    }
}

static brolga_word run_each(void *arg)
{
    _Alignas(BROLGA__CACHE_LINE) unsigned char elem[BROLGA_EACH_BYTES_MAX];

    return for_each(arg, elem);
}

/* At the end of the task, however it came: the slot may have panicked. */
static void give_up(void *arg)
{
    struct each *each = arg;

    brolga_chan_release(each->chan);
    brolga__free(each);
}

int brolga_spawn_each(brolga *rt, brolga_chan *chan, brolga_slot slot,
                      void *state, const struct brolga_spawn_opts *opts,
                      brolga_task **out)
{
    struct each *each;
    struct brolga__start how;
    int err;

    if (chan->bytes > BROLGA_EACH_BYTES_MAX || slot == 0)
        return BROLGA_EINVAL;
    each = brolga__alloc(sizeof(*each));
    if (each == NULL)
        return BROLGA_ENOMEM;
    *each = (struct each){
        .chan = brolga_chan_retain(chan), .state = state, .slot = slot};
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
