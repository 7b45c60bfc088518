/*
 * Values on their way into a channel: moved, checked, or copied.
 *
 * Who copied a value drops it: the copy sits in the waiter until it is taken,
 * and if it never is, the waiter's owner drops it. Of a value that was to be
 * handed over and is copied instead, one of the two is dropped in the end: the
 * original if the copy was sent, the copy if not. So a sender that has failed
 * has its value, and has left nothing behind.
 *
 * A check rewrites the sender's word, and nothing has to be undone: what stands
 * there is equal to what stood there before, and the sender's.
 */
#include "chan/parcel.h"

/* Others run, if this task's time is up. A task that is canceled meanwhile
 * sends no more; one that was before may, for its sends that take no time may,
 * too. */
static int pause_walk(void *arg)
{
    const int *reason_before = arg;
    int reason;

    brolga_safepoint();
    reason = brolga_cancel_reason();
    return reason == *reason_before ? BROLGA_OK : reason;
}

/* Pauses in tasks; none for others. `reason` must live as long. */
static struct brolga_copy_opts pauses(bool may_pause, int *reason)
{
    if (!may_pause || brolga_view_self() == NULL)
        return (struct brolga_copy_opts){.pause = NULL};
    *reason = brolga_cancel_reason();
    return (struct brolga_copy_opts){.pause = pause_walk, .arg = reason};
}

/* What is sent is not made in the sender's heap, and outlives it. */
int brolga__copy_in_task(const brolga_type *type, const void *elem,
                         brolga_word *out, struct brolga_leases *leases,
                         bool may_pause, uint64_t *bytes)
{
    int reason, err;
    struct brolga_copy_opts opts = pauses(may_pause, &reason);
    struct brolga__vheap *heap = brolga__value_heap_set(NULL);

    opts.leases = leases;
    err = brolga__copy_sized(type, elem, out, &opts, bytes, NULL);
    (void)brolga__value_heap_set(heap);
    return err;
}

static int copy(struct brolga_waiter *waiter, bool may_pause)
{
    uint64_t bytes;
    /* What is not plain is a word, so there is room for it in the waiter. */
    int err = brolga__parcel_copy(waiter->chan->type, waiter->elem,
                                  &waiter->copy, may_pause, &bytes);

    if (err != BROLGA_OK)
        return err;
    if (waiter->site != NULL)
        brolga__site_copied(waiter->site, bytes);
    waiter->how = BROLGA_COPY;
    waiter->elem = &waiter->copy;
    waiter->copied = true;
    return BROLGA_OK;
}

/* What leaves a heap as it is must be kept there: a walk, which ends at what is
 * shared. */
static int keep(struct brolga_waiter *waiter, bool may_pause)
{
    int reason, err;
    struct brolga_copy_opts opts;
    brolga_word word;

    if (brolga__likely(brolga__value_heap() == NULL))
        return BROLGA_OK;
    opts = pauses(may_pause, &reason);
    memcpy(&word, waiter->elem, sizeof(word));
    err = brolga__heap_keep(waiter->chan->type, word, opts.pause, opts.arg);
    if (err == BROLGA_OK)
        waiter->kept = waiter->elem;
    return err;
}

/* Nothing is to be done, but a debugging host may have it looked at. */
static int move(const struct brolga_waiter *waiter)
{
    brolga_word word;

    if (!brolga__audits())
        return BROLGA_OK;
    memcpy(&word, waiter->elem, sizeof(word));
    return brolga__audit(waiter->chan->type, word, true, NULL);
}

static int check(struct brolga_waiter *waiter, bool may_pause)
{
    int reason;
    struct brolga_copy_opts opts = pauses(may_pause, &reason);

    waiter->how = BROLGA_CHECK;
    return brolga__site_check(waiter->site, waiter->chan->type, waiter->elem,
                              &opts);
}

/* What goes as it is takes the sender's leases along: nobody has looked which
 * of them it needs. */
static int wrap(struct brolga_waiter *waiter)
{
    brolga_word word;
    int err;

    if (!brolga__chan_has_leases(waiter->chan))
        return BROLGA_OK;
    memcpy(&word, waiter->elem, sizeof(word));
    err = brolga__parcel_wrap(word, &waiter->copy);
    if (err != BROLGA_OK)
        return err;
    waiter->elem = &waiter->copy;
    waiter->copied = true;
    return BROLGA_OK;
}

/* Whether a check was in order, too. Some values pass checks only; they must
 * also do so while a site that should check copies. */
static bool may_check(const struct brolga_waiter *waiter)
{
    return waiter->site != NULL && brolga__counts_exactly(waiter->chan->type) &&
           waiter->chan->gives < BROLGA_COPY &&
           brolga_site_mode(waiter->site) < BROLGA_COPY;
}

/* Lets a value go as it is; BROLGA_EBUSY: parts of it are shared, and some of
 * them may lie in the sender's heap. */
static int pass_on(struct brolga_waiter *waiter, enum brolga_mode mode,
                   bool may_pause)
{
    int err = mode == BROLGA_MOVE ? move(waiter) : check(waiter, may_pause);

    return err == BROLGA_OK ? keep(waiter, may_pause) : err;
}

/* A value that the sender gives away, if it arrives. */
static int hand_over(struct brolga_waiter *waiter, bool may_pause)
{
    const brolga_type *type = waiter->chan->type;
    enum brolga_mode mode =
        brolga__site_begin(waiter->site, type, waiter->chan->gives);
    void *elem = waiter->elem;
    int err = BROLGA_EBUSY;

    if (mode != BROLGA_COPY)
        err = pass_on(waiter, mode, may_pause);
    if (err != BROLGA_EBUSY)
        return err;
    err = copy(waiter, may_pause);
    if (err == BROLGA_EUNSENDABLE && mode == BROLGA_COPY && may_check(waiter)) {
        err = pass_on(waiter, BROLGA_CHECK, may_pause);
        return err == BROLGA_EBUSY ? BROLGA_EUNSENDABLE : err;
    }
    if (err == BROLGA_OK)
        waiter->original = elem;
    return err;
}

/* The value has stayed here. */
static void unkeep(struct brolga_waiter *waiter)
{
    brolga_word word;

    if (waiter->kept == NULL)
        return;
    memcpy(&word, waiter->kept, sizeof(word));
    brolga__heap_unkeep(waiter->chan->type, word);
    waiter->kept = NULL;
}

int brolga__waiter_ready(struct brolga_waiter *waiter, bool may_pause)
{
    int err;

    if (waiter->chan->plain) {
        brolga__site_list(waiter->site, waiter->chan->type);
        return BROLGA_OK;
    }
    if (waiter->op == BROLGA_SEND)
        return copy(waiter, may_pause);
    err = hand_over(waiter, may_pause);
    if (err == BROLGA_OK && !waiter->copied)
        err = wrap(waiter);
    if (err != BROLGA_OK)
        unkeep(waiter);
    if (err != BROLGA_OK && waiter->site != NULL)
        brolga__site_refused(waiter->site);
    return err;
}

static int pause_drop(void *arg)
{
    (void)arg;
    brolga_safepoint();
    return BROLGA_OK;
}

/* What is dropped may be as large as what was copied. */
static int (*pause_of_drop(const struct brolga_waiter *waiter))(void *arg)
{
    return waiter->may_pause && brolga_view_self() != NULL ? pause_drop : NULL;
}

void brolga__waiter_drop(struct brolga_waiter *waiter, int result)
{
    const brolga_type *type = waiter->chan->type;
    int (*pause)(void *arg) = pause_of_drop(waiter);

    if (result != BROLGA_OK)
        unkeep(waiter);
    waiter->kept = NULL;
    if (waiter->copied && result != BROLGA_OK && waiter->how != BROLGA_COPY)
        brolga__parcel_unwrap(waiter->copy);
    else if (waiter->copied && result != BROLGA_OK)
        brolga__parcel_drop_with(type, waiter->copy, pause);
    else if (waiter->original != NULL)
        brolga_drop_with(type, waiter->original, pause, NULL);
    waiter->copied = false;
    waiter->original = NULL;
    if (waiter->site == NULL)
        return;
    if (result == BROLGA_OK)
        brolga__site_sent(waiter->site, (enum brolga_mode)waiter->how);
    else
        brolga__site_returned(waiter->site);
    waiter->site = NULL;
}

int brolga_send_why(const brolga_chan *chan, const struct brolga_site *site,
                    const void *elem, struct brolga_copy_error *error)
{
    enum brolga_mode mode = BROLGA_COPY;
    brolga_word word;

    *error = (struct brolga_copy_error){.code = BROLGA_OK};
    if (chan->plain)
        return BROLGA_OK;
    if (site != NULL)
        mode = brolga_site_mode(site);
    if (site != NULL && chan->gives > mode)
        mode = chan->gives;
    if (mode == BROLGA_MOVE)
        return BROLGA_OK;
    memcpy(&word, elem, sizeof(word));
    return brolga__copy_why(
        chan->type, word,
        mode == BROLGA_CHECK && brolga__counts_exactly(chan->type), error);
}
