/*
 * Broadcasts: one send, many subscriptions.
 *
 * A subscription is a channel that only its broadcast puts values into. Those
 * that exist are listed in an *audience*, which never changes: whoever comes
 * makes a new one. So a sender goes through its audience without a lock, and
 * nobody waits for a sender to subscribe or to leave.
 *
 * Senders take turns, so that all subscribers see one order. The turn is a word
 * in a channel: to wait for it is to receive, with its fairness, deadlines and
 * cancels. Who has the turn
 *
 *   1. copies the value for everybody;
 *   2. waits until every subscription that does not drop has room. Nobody else
 *      puts anything there, so room that was seen stays;
 *   3. delivers, which cannot fail any more. Those that have closed meanwhile
 *      are left out.
 *
 * So a send that gives up in 1 or 2 has sent to nobody. A close that comes
 * during 3 leaves it to the deliverer to close the subscriptions.
 *
 * tests/model/broadcast.pml checks this.
 *
 * Edges:
 *
 *   L  The fields of a broadcast: spin.h, edge A.
 *   R  The last reference, of a broadcast or an audience, sees what all others
 *      did: sub_acq_rel in brolga_broadcast_release and audience_release, each
 *      with itself.
 */
#include <brolga/broadcast.h>

#include "chan/parcel.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

/* Subscriptions at one time, with a reference to each. */
struct audience {
    _Atomic uint32_t refs; /* R */
    size_t count;
    brolga_chan *at[];
};

struct brolga_broadcast {
    const brolga_type *type;
    bool plain;            /* Copying is copying bytes. */
    brolga_chan *turn;     /* Holds a word while no sender has the turn. */
    _Atomic uint32_t refs; /* R */
    struct brolga__listed listed;

    struct brolga__spin lock;  /* Guards all below; leaf. */
    struct audience *audience; /* NULL: nobody */
    bool delivering;
    bool closed;
    uint64_t sent;
    int reason_code;
    char reason_text[160];
};

/* --- audiences ---------------------------------------------------------- */

static struct audience *audience_create(size_t room)
{
    struct audience *audience =
        brolga__alloc(sizeof(*audience) + room * sizeof(audience->at[0]));

    if (audience == NULL)
        return NULL;
    brolga__store_relaxed(&audience->refs, 1);
    audience->count = 0;
    return audience;
}

static void audience_release(struct audience *audience)
{
    if (audience == NULL ||
        brolga__sub_acq_rel(&audience->refs, 1) != 1) /* R */
        return;
    for (size_t i = 0; i < audience->count; i++)
        brolga_chan_release(audience->at[i]);
    brolga__free(audience);
}

static size_t audience_count(const struct audience *audience)
{
    return audience == NULL ? 0 : audience->count;
}

/* Relaxed: a channel that was closed stays so; one that is being closed will be
 * seen to be. */
static bool has_left(const brolga_chan *chan)
{
    return brolga__load_relaxed(&chan->closed);
}

/* Those of `old` who have not left, and `more`; NULL if there is no memory. */
static struct audience *audience_with(const struct audience *old,
                                      brolga_chan *more)
{
    size_t count = audience_count(old);
    struct audience *audience = audience_create(count + 1);

    if (audience == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!has_left(old->at[i]))
            audience->at[audience->count++] = brolga_chan_retain(old->at[i]);
    }
    if (more != NULL)
        audience->at[audience->count++] = brolga_chan_retain(more);
    return audience;
}

/* The audience of this moment, with a reference to it. */
static struct audience *audience_now(brolga_broadcast *broadcast)
{
    struct audience *audience;

    brolga__spin_take(&broadcast->lock);
    audience = broadcast->audience;
    if (audience != NULL)
        (void)brolga__add_relaxed(&audience->refs, 1);
    brolga__spin_leave(&broadcast->lock);
    return audience;
}

/* Puts a new audience in the place of `old`, if that is still there and the
 * broadcast is open. Takes the reference to `new` if it does. */
static int audience_replace(brolga_broadcast *broadcast, struct audience *old,
                            struct audience *new)
{
    int err = BROLGA_OK;

    brolga__spin_take(&broadcast->lock);
    if (broadcast->closed)
        err = BROLGA_ECLOSED;
    else if (broadcast->audience != old)
        err = BROLGA_EAGAIN;
    else
        broadcast->audience = new;
    brolga__spin_leave(&broadcast->lock);
    if (err == BROLGA_OK)
        audience_release(old); /* The broadcast's reference. */
    return err;
}

/* Leaves out who has left, and adds `more`, or nobody. */
static int audience_update(brolga_broadcast *broadcast, brolga_chan *more)
{
    int err;

    /* Ends: it is tried again only when somebody else has come between. */
    do {
        struct audience *old = audience_now(broadcast);
        struct audience *new = audience_with(old, more);

        err =
            new == NULL ? BROLGA_ENOMEM : audience_replace(broadcast, old, new);
        if (err != BROLGA_OK)
            audience_release(new);
        audience_release(old);
    } while (err == BROLGA_EAGAIN);
    return err;
}

/* --- creation and end --------------------------------------------------- */

/* Passes the turn on, or brings it into being. */
static void leave_turn(brolga_broadcast *broadcast, brolga_word turn)
{
    int err = brolga_try_give(broadcast->turn, &turn);

    brolga__assert(err == BROLGA_OK); /* There is one, and a place for it. */
}

int brolga_broadcast_create(const brolga_type *type, brolga_broadcast **out)
{
    struct brolga_chan_opts opts = {.name = "turn", .capacity = 1};
    brolga_broadcast *broadcast;
    brolga_word turn = 0;

    if (type != NULL && brolga_type_align(type) > BROLGA__CACHE_LINE)
        return BROLGA_EINVAL;
    broadcast = brolga__alloc_zero(sizeof(*broadcast));
    if (broadcast == NULL)
        return BROLGA_ENOMEM;
    if (brolga_chan_create(NULL, &opts, &broadcast->turn) != BROLGA_OK) {
        brolga__free(broadcast);
        return BROLGA_ENOMEM;
    }
    leave_turn(broadcast, turn);
    broadcast->type = type;
    broadcast->plain = type == NULL || brolga_type_is_plain(type);
    brolga__store_relaxed(&broadcast->refs, 1);
    brolga__list_enter(&broadcast->listed, type, NULL);
    *out = broadcast;
    return BROLGA_OK;
}

brolga_broadcast *brolga_broadcast_retain(brolga_broadcast *broadcast)
{
    /* Relaxed: the caller has a reference, so the broadcast stays anyway. */
    (void)brolga__add_relaxed(&broadcast->refs, 1);
    return broadcast;
}

/* Closes all subscriptions of a closed broadcast, and forgets them. */
static void end_audience(brolga_broadcast *broadcast)
{
    struct audience *audience;

    brolga__spin_take(&broadcast->lock);
    brolga__assert(broadcast->closed && !broadcast->delivering);
    audience = broadcast->audience;
    broadcast->audience = NULL;
    brolga__spin_leave(&broadcast->lock);
    /* The reason does not change any more. */
    for (size_t i = 0; i < audience_count(audience); i++)
        (void)brolga_chan_close(audience->at[i], broadcast->reason_code,
                                broadcast->reason_text);
    audience_release(audience);
}

int brolga_broadcast_close(brolga_broadcast *broadcast, int reason_code,
                           const char *reason_text)
{
    bool was_closed, delivering;

    brolga__spin_take(&broadcast->lock);
    was_closed = broadcast->closed;
    delivering = broadcast->delivering;
    if (!was_closed) {
        broadcast->reason_code = reason_code;
        (void)snprintf(broadcast->reason_text, sizeof(broadcast->reason_text),
                       "%s", reason_text == NULL ? "" : reason_text);
        broadcast->closed = true;
    }
    brolga__spin_leave(&broadcast->lock);
    if (was_closed)
        return BROLGA_ECLOSED;
    brolga__list_leave(&broadcast->listed); /* It will carry nothing more. */
    if (!delivering)
        end_audience(broadcast);
    return BROLGA_OK;
}

void brolga_broadcast_release(brolga_broadcast *broadcast)
{
    if (broadcast == NULL ||
        brolga__sub_acq_rel(&broadcast->refs, 1) != 1) /* R */
        return;
    (void)brolga_broadcast_close(broadcast, BROLGA_OK,
                                 "nobody is left to send");
    brolga_chan_release(broadcast->turn);
    brolga__free(broadcast);
}

/* --- subscribing -------------------------------------------------------- */

int brolga_broadcast_subscribe(brolga_broadcast *broadcast,
                               const struct brolga_subscription_opts *opts,
                               brolga_chan **out)
{
    struct brolga_chan_opts how = {.capacity = BROLGA_SUBSCRIPTION_CAPACITY};
    brolga_chan *chan;
    int err;

    if (opts != NULL) {
        how.name = opts->name;
        if (opts->capacity != 0)
            how.capacity = opts->capacity;
    }
    err = brolga_chan_create(broadcast->type, &how, &chan);
    if (err != BROLGA_OK)
        return err;
    brolga__chan_subscribe(chan, opts != NULL && opts->drop_oldest);
    err = brolga_chan_join(chan, BROLGA_RECV);
    if (err == BROLGA_OK)
        err = audience_update(broadcast, chan);
    /* The end that was joined has a reference of its own. */
    if (err == BROLGA_OK)
        *out = chan;
    else
        brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, NULL);
    brolga_chan_release(chan);
    return err;
}

/* --- copies ------------------------------------------------------------- */

/* One value for each of the audience. */
struct copies {
    const brolga_type *type;
    const void *elem;   /* What is sent; plain values are read from here. */
    brolga_word *words; /* NULL if the value is plain. */
    size_t count;
};

static void drop_copies(struct copies *copies)
{
    for (size_t i = 0; i < copies->count; i++)
        brolga__parcel_drop(copies->type, copies->words[i]);
    brolga__free(copies->words);
}

static int make_copies(struct copies *copies, const brolga_broadcast *broadcast,
                       const void *elem, size_t count)
{
    *copies = (struct copies){.type = broadcast->type, .elem = elem};
    if (broadcast->plain || count == 0)
        return BROLGA_OK;
    copies->words = brolga__alloc(count * sizeof(copies->words[0]));
    if (copies->words == NULL)
        return BROLGA_ENOMEM;
    while (copies->count < count) {
        uint64_t bytes;
        int err = brolga__parcel_copy(
            copies->type, elem, &copies->words[copies->count], true, &bytes);

        if (err != BROLGA_OK) {
            drop_copies(copies);
            return err;
        }
        copies->count++;
    }
    return BROLGA_OK;
}

/* --- sending ------------------------------------------------------------ */

/* Waits until everybody who does not drop has room, or has left. */
static int await_room(const struct audience *audience, bool may_wait,
                      uint64_t deadline_ns)
{
    for (size_t i = 0; i < audience_count(audience); i++) {
        int err = may_wait
                      ? brolga__chan_await_room(audience->at[i], deadline_ns)
                      : brolga__chan_has_room(audience->at[i]);

        if (err != BROLGA_OK && err != BROLGA_ECLOSED)
            return err;
    }
    return BROLGA_OK;
}

/* From here to end_delivery() nobody else closes the subscriptions. */
static bool begin_delivery(brolga_broadcast *broadcast)
{
    bool open;

    brolga__spin_take(&broadcast->lock);
    open = !broadcast->closed;
    broadcast->delivering = open;
    if (open)
        broadcast->sent++;
    brolga__spin_leave(&broadcast->lock);
    return open;
}

static void end_delivery(brolga_broadcast *broadcast)
{
    bool closed;

    brolga__spin_take(&broadcast->lock);
    broadcast->delivering = false;
    closed = broadcast->closed;
    brolga__spin_leave(&broadcast->lock);
    if (closed)
        end_audience(broadcast);
}

/* Gives each its copy; says whether somebody has left. A copy that was taken is
 * no longer among those to drop. */
static bool deliver(const struct audience *audience, struct copies *copies)
{
    bool left = false;
    size_t kept = 0;

    for (size_t i = 0; i < audience_count(audience); i++) {
        const void *elem =
            copies->words == NULL ? copies->elem : &copies->words[i];
        bool taken = brolga__chan_feed(audience->at[i], elem);

        left = left || !taken;
        if (!taken && copies->words != NULL)
            copies->words[kept++] = copies->words[i];
    }
    copies->count = kept;
    return left;
}

/* A send by whoever has the turn. */
static int send_in_turn(brolga_broadcast *broadcast, const void *elem,
                        bool may_wait, uint64_t deadline_ns)
{
    struct audience *audience = audience_now(broadcast);
    struct copies copies;
    bool left = false;
    int err = make_copies(&copies, broadcast, elem, audience_count(audience));

    if (err != BROLGA_OK)
        goto out;
    err = await_room(audience, may_wait, deadline_ns);
    if (err == BROLGA_OK && !begin_delivery(broadcast))
        err = BROLGA_ECLOSED;
    if (err == BROLGA_OK) {
        left = deliver(audience, &copies);
        end_delivery(broadcast);
    }
    drop_copies(&copies);
out:
    audience_release(audience);
    if (left) /* Without memory they stay listed, which does no harm. */
        (void)audience_update(broadcast, NULL);
    return err;
}

static bool is_closed(brolga_broadcast *broadcast)
{
    bool closed;

    brolga__spin_take(&broadcast->lock);
    closed = broadcast->closed;
    brolga__spin_leave(&broadcast->lock);
    return closed;
}

int brolga_broadcast_send(brolga_broadcast *broadcast, const void *elem,
                          uint64_t deadline_ns)
{
    brolga_word turn;
    int err = brolga_recv(broadcast->turn, &turn, deadline_ns);

    if (err != BROLGA_OK)
        return is_closed(broadcast) ? BROLGA_ECLOSED : err;
    err = send_in_turn(broadcast, elem, true, deadline_ns);
    leave_turn(broadcast, turn);
    return err;
}

int brolga_broadcast_try_send(brolga_broadcast *broadcast, const void *elem)
{
    brolga_word turn;
    int err;

    if (is_closed(broadcast))
        return brolga__chan_finish(BROLGA_ECLOSED);
    err = brolga_try_recv(broadcast->turn, &turn);
    if (err != BROLGA_OK)
        return err;
    err = send_in_turn(broadcast, elem, false, BROLGA_NOW);
    leave_turn(broadcast, turn);
    return err;
}

/* --- looking ------------------------------------------------------------ */

void brolga_broadcast_stats(brolga_broadcast *broadcast,
                            struct brolga_broadcast_stats *out)
{
    struct audience *audience = audience_now(broadcast);
    size_t subscribers = 0;

    for (size_t i = 0; i < audience_count(audience); i++)
        subscribers += !has_left(audience->at[i]);
    audience_release(audience);
    brolga__spin_take(&broadcast->lock);
    *out = (struct brolga_broadcast_stats){.subscribers = subscribers,
                                           .sent = broadcast->sent,
                                           .closed = broadcast->closed};
    brolga__spin_leave(&broadcast->lock);
}
