/*
 * Messages whose type changes with a commit.
 *
 * Behind the gate of a barrier (got/barrier.c) the committer calls prepare():
 * it finds the channels, refuses what cannot be done, and makes a *copy* of
 * each message. Then a hook, in a task of its own, converts the copies, which
 * go to where they will be: the new slots of the channel's ring, or the new
 * room of a runner (each.h) that has been handed one. So a conversion that
 * fails, or does not end in time and is left behind, touches nothing that
 * others know. Once the version is published, published() puts slots, rooms and
 * type into place, which cannot fail. What is not needed then, the old messages
 * or the new ones, is dropped with the record, at the end of the hook.
 *
 * A message may be a parcel (parcel.h). A copy has leases of its own; what is
 * made of it goes into the same parcel, since parts may have stayed. What a
 * runner has in its hand already was opened: its task has the leases.
 */
#include <brolga/retype.h>

#include "chan/each.h"
#include "chan/parcel.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

struct message {
    brolga_word was;     /* The original, if it is to be dropped some day. */
    unsigned char *copy; /* For the conversion. */
    unsigned char *to;
    bool has_copy; /* To be dropped; plain copies are not. */
    bool has_new;  /* It has been converted. */
    bool opened;
};

/* Room for a message of a runner. */
struct room {
    struct brolga__each *each;
    unsigned char *large; /* NULL: `small` does. */
    bool full;
    _Alignas(BROLGA__EACH_SMALL) unsigned char small[BROLGA__EACH_SMALL];
};

/* One channel. */
struct change {
    struct change *next;
    brolga_chan *chan;    /* A reference. */
    bool marked;          /* As chan->changing. */
    unsigned char *slots; /* New ones; once published, the old. */
    unsigned char *copies;
    struct message *messages;
    size_t count;  /* Messages, */
    size_t copied; /* and those that have been copied. */
    struct room *rooms;
    size_t runners;
};

struct retype {
    struct brolga_retype of;
    struct change *changes;
    bool published;
};

static bool is_plain(const brolga_type *type)
{
    return brolga_type_is_plain(type);
}

static brolga_word word_at(const void *at)
{
    brolga_word word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* --- what there is ------------------------------------------------------ */

/* Whether a runner has been handed a message that it has not used. */
static bool has_message(const struct brolga__each *each)
{
    return each->in_hand ||
           (each->waiting && brolga_waiter_result(&each->waiter) == BROLGA_OK);
}

static struct brolga__each *each_of(struct brolga__list *node)
{
    return brolga__container_of(node, struct brolga__each, link);
}

/* Takes over the reference. NULL: no memory. */
static struct change *change_create(brolga_chan *chan)
{
    struct change *change = brolga__alloc_zero(sizeof *change);

    if (change == NULL)
        return NULL;
    change->chan = chan;
    change->count = brolga__ring_count(&chan->ring);
    brolga__list_each (node, &chan->runners) {
        change->runners++;
        change->count += has_message(each_of(node));
    }
    return change;
}

static int find_all(struct retype *retype, size_t *broadcasts)
{
    brolga_chan *chan =
        brolga__list_find(brolga_type_fingerprint(retype->of.from), broadcasts);
    int err = BROLGA_OK;

    while (chan != NULL) {
        brolga_chan *next = chan->found;
        struct change *change = change_create(chan);

        if (change != NULL) {
            change->next = retype->changes;
            retype->changes = change;
        } else {
            brolga_chan_release(chan);
            err = BROLGA_ENOMEM;
        }
        chan = next;
    }
    return err;
}

/* --- forgetting ---------------------------------------------------------- */

static void drop_one(const struct retype *retype, const struct message *message)
{
    const struct brolga_retype *of = &retype->of;

    if (message->has_copy)
        brolga__parcel_drop(of->from, word_at(message->copy));
    if (retype->published && !is_plain(of->from))
        brolga__parcel_drop(of->from, message->was);
    if (!retype->published && message->has_new && !is_plain(of->to))
        brolga__parcel_drop(of->to, word_at(message->to));
}

static void change_free(const struct retype *retype, struct change *change)
{
    for (size_t i = 0; i < change->copied; i++)
        drop_one(retype, &change->messages[i]);
    for (size_t i = 0; change->rooms != NULL && i < change->runners; i++)
        brolga__free(change->rooms[i].large);
    brolga__free(change->rooms);
    brolga__free(change->messages);
    brolga__free(change->copies);
    brolga__free(change->slots);
    if (change->marked)
        brolga__store_relaxed(&change->chan->changing, false);
    brolga_chan_release(change->chan);
    brolga__free(change);
}

static void forget_changes(struct retype *retype)
{
    while (retype->changes != NULL) {
        struct change *change = retype->changes;

        retype->changes = change->next;
        change_free(retype, change);
    }
}

/* --- refusals ----------------------------------------------------------- */

static int refuse(struct brolga_report *report, int err, const char *text)
{
    size_t used = strlen(report->text);

    report->refusal =
        err == BROLGA_ENOMEM ? BROLGA_REFUSED_MEMORY : BROLGA_REFUSED_MESSAGES;
    (void)snprintf(report->text + used, sizeof report->text - used, "%s%s",
                   used > 0 ? "; " : "", text);
    return BROLGA_EREFUSED;
}

static int refuse_memory(struct brolga_report *report)
{
    report->text[0] = '\0';
    return refuse(report, BROLGA_ENOMEM, brolga_strerror(BROLGA_ENOMEM));
}

/* Those who wait, but for runners: they have room for the old type, or values
 * of it. */
static size_t others_waiting(const brolga_chan *chan)
{
    size_t waiting = chan->senders.count + chan->receivers.count;

    brolga__list_each (node, &chan->runners)
        waiting -= each_of(node)->waiting && each_of(node)->waiter.queued;
    return waiting;
}

/* What is in the way of a change, as text; "" if nothing is. */
static void look_at(const struct retype *retype, const struct change *change,
                    char *text, size_t bytes)
{
    const brolga_chan *chan = change->chan;
    const char *from = brolga_type_name(retype->of.from);

    text[0] = '\0';
    if (brolga__load_relaxed(&chan->changing))
        (void)snprintf(text, bytes, "channel '%s' is being changed already",
                       chan->name);
    else if (chan->fed && !brolga__load_relaxed(&chan->closed))
        (void)snprintf(text, bytes,
                       "channel '%s' is subscribed to a broadcast of %s",
                       chan->name, from);
    else if (change->count > 0 && retype->of.convert == NULL)
        (void)snprintf(text, bytes,
                       "channel '%s' holds %zu message%s of type %s, and there "
                       "is no conversion",
                       chan->name, change->count, change->count == 1 ? "" : "s",
                       from);
    else if (change->runners > 0 &&
             brolga_type_bytes(retype->of.to) > BROLGA_EACH_BYTES_MAX)
        (void)snprintf(text, bytes,
                       "%s is too large for the tasks that channel '%s' has",
                       brolga_type_name(retype->of.to), chan->name);
}

/* The same of what may be gone in a moment. */
static void look_who_waits(const struct retype *retype,
                           const struct change *change, char *text,
                           size_t bytes)
{
    size_t waiting = others_waiting(change->chan);

    text[0] = '\0';
    if (waiting > 0)
        (void)snprintf(text, bytes,
                       "%zu wait%s in channel '%s', to send or receive %s",
                       waiting, waiting == 1 ? "s" : "", change->chan->name,
                       brolga_type_name(retype->of.from));
}

static int look(const struct retype *retype, size_t broadcasts,
                struct brolga_report *report)
{
    char text[200];
    int err = BROLGA_OK;

    if (broadcasts > 0) {
        (void)snprintf(text, sizeof text, "%zu broadcast%s of %s %s open",
                       broadcasts, broadcasts == 1 ? "" : "s",
                       brolga_type_name(retype->of.from),
                       broadcasts == 1 ? "is" : "are");
        err = refuse(report, BROLGA_EREFUSED, text);
    }
    for (const struct change *change = retype->changes; change != NULL;
         change = change->next) {
        look_at(retype, change, text, sizeof text);
        if (text[0] != '\0')
            err = refuse(report, BROLGA_EREFUSED, text);
    }
    for (const struct change *change = retype->changes;
         err != BROLGA_EREFUSED && change != NULL; change = change->next) {
        look_who_waits(retype, change, text, sizeof text);
        if (text[0] == '\0')
            continue;
        (void)refuse(report, BROLGA_EREFUSED, text);
        err = BROLGA_EAGAIN;
    }
    return err;
}

/* --- copies, and room for what becomes of them -------------------------- */

static unsigned char *room_at(struct room *room)
{
    return room->large != NULL ? room->large : room->small;
}

static int make_rooms(struct change *change, size_t bytes)
{
    size_t n = 0;

    if (change->runners == 0)
        return BROLGA_OK;
    change->rooms = brolga__alloc_line(change->runners * sizeof(struct room));
    if (change->rooms == NULL)
        return BROLGA_ENOMEM;
    memset(change->rooms, 0, change->runners * sizeof(struct room));
    brolga__list_each (node, &change->chan->runners) {
        struct room *room = &change->rooms[n++];

        room->each = each_of(node);
        room->full = has_message(room->each);
        if (bytes <= sizeof room->small)
            continue;
        room->large = brolga__alloc_line(bytes);
        if (room->large == NULL)
            return BROLGA_ENOMEM;
    }
    return BROLGA_OK;
}

/* All the memory for one channel. */
static int make_space(const struct retype *retype, struct change *change)
{
    const brolga_chan *chan = change->chan;
    size_t bytes = brolga_type_bytes(retype->of.to);

    change->slots = brolga__ring_slots(&chan->ring, bytes,
                                       brolga_type_align(retype->of.to));
    if (change->slots == NULL && chan->ring.slots > 0)
        return BROLGA_ENOMEM;
    if (make_rooms(change, bytes) != BROLGA_OK)
        return BROLGA_ENOMEM;
    if (change->count == 0)
        return BROLGA_OK;
    change->messages =
        brolga__alloc_zero(change->count * sizeof(struct message));
    change->copies = brolga__alloc_line(change->count * chan->bytes);
    return change->messages == NULL || change->copies == NULL ? BROLGA_ENOMEM
                                                              : BROLGA_OK;
}

/* Copies the message at `at`; what it becomes will be at `to`. */
static int copy_one(struct change *change, const void *at, unsigned char *to,
                    bool opened)
{
    const brolga_chan *chan = change->chan;
    struct message *message = &change->messages[change->copied];
    brolga_word value, copy;
    uint64_t bytes;
    int err;

    message->copy = change->copies + change->copied * chan->bytes;
    message->to = to;
    message->opened = opened;
    change->copied++;
    if (chan->plain) {
        memcpy(message->copy, at, chan->bytes);
        return BROLGA_OK;
    }
    value = message->was = word_at(at);
    if (chan->parcels && !opened && brolga__is_parcel(value))
        value = brolga__parcel_value(value);
    err = brolga__parcel_copy(chan->type, &value, &copy, false, &bytes);
    if (err != BROLGA_OK)
        return err;
    memcpy(message->copy, &copy, sizeof copy);
    message->has_copy = true;
    return BROLGA_OK;
}

/* First what runners have, which was sent before what is in the ring. */
static int copy_messages(const struct retype *retype, struct change *change)
{
    const struct brolga__end *head = &change->chan->ring.head;
    size_t bytes = brolga_type_bytes(retype->of.to);
    uint64_t first = brolga__load_relaxed(&head->index); /* All stand. */
    int err = BROLGA_OK;

    for (size_t i = 0; i < change->runners && err == BROLGA_OK; i++) {
        struct room *room = &change->rooms[i];

        if (room->full)
            err = copy_one(change, room->each->elem, room_at(room),
                           room->each->in_hand);
    }
    for (uint64_t i = first; change->copied < change->count && err == BROLGA_OK;
         i++)
        err = copy_one(change, head->at + (i & head->mask) * head->bytes,
                       change->slots + (i & head->mask) * bytes, false);
    return err;
}

static int prepare_one(const struct retype *retype, struct change *change,
                       struct brolga_report *report)
{
    char text[200];
    int err = make_space(retype, change);

    if (err == BROLGA_OK)
        err = copy_messages(retype, change);
    if (err == BROLGA_ENOMEM)
        return refuse_memory(report);
    if (err == BROLGA_OK)
        return BROLGA_OK;
    (void)snprintf(text, sizeof text,
                   "channel '%s', message %zu of %zu cannot be copied: %s",
                   change->chan->name, change->copied, change->count,
                   brolga_strerror(err));
    return refuse(report, err, text);
}

static int prepare(void *arg, struct brolga_report *report)
{
    struct retype *retype = arg;
    size_t broadcasts;
    int err;

    forget_changes(retype); /* Of the last try. */
    report->text[0] = '\0';
    err = find_all(retype, &broadcasts);
    if (err != BROLGA_OK)
        return refuse_memory(report);
    err = look(retype, broadcasts, report);
    for (struct change *change = retype->changes;
         change != NULL && err == BROLGA_OK; change = change->next) {
        err = prepare_one(retype, change, report);
        change->marked = true;
        brolga__store_relaxed(&change->chan->changing, true);
    }
    return err;
}

/* --- converting --------------------------------------------------------- */

/* What has been made of the value of a parcel goes into it, if it can. */
static bool keep_parcel(const struct brolga_retype *of, struct message *message,
                        brolga_word parcel, brolga_word value)
{
    if (parcel == value || message->opened || !brolga_type_can_freeze(of->to))
        return false;
    brolga_drop_word(of->from, value);
    brolga__parcel_replace(parcel, word_at(message->to));
    memcpy(message->to, &parcel, sizeof parcel);
    return true;
}

static int convert_word(const struct brolga_retype *of, struct message *message)
{
    brolga_word word = word_at(message->copy), value = word;
    int err;

    if (brolga_type_can_freeze(of->from) && brolga__is_parcel(word))
        value = brolga__parcel_value(word);
    err = of->convert(of->arg, &value, message->to);
    message->has_copy = false;
    if (err != BROLGA_OK || !keep_parcel(of, message, word, value))
        brolga__parcel_drop(of->from, word);
    return err;
}

static int convert_one(const struct brolga_retype *of, struct message *message)
{
    int err = brolga_cancel_reason(); /* It is too late. */

    if (err == BROLGA_OK)
        err = is_plain(of->from)
                  ? of->convert(of->arg, message->copy, message->to)
                  : convert_word(of, message);
    message->has_new = err == BROLGA_OK;
    return err;
}

/* A hook: see the head of this file. */
static int convert_all(void *arg, char *why, size_t bytes)
{
    struct retype *retype = arg;

    for (struct change *change = retype->changes; change != NULL;
         change = change->next)
        for (size_t i = 0; i < change->count; i++) {
            int err = convert_one(&retype->of, &change->messages[i]);

            if (err == BROLGA_OK)
                continue;
            (void)snprintf(why, bytes,
                           "channel '%s', message %zu of %zu: %s (%d)",
                           change->chan->name, i + 1, change->count,
                           brolga_strerror(err), err);
            return err;
        }
    return BROLGA_OK;
}

/* --- putting it into place ---------------------------------------------- */

static void furnish(struct room *room, size_t bytes)
{
    struct brolga__each *each = room->each;

    if (room->large != NULL) {
        if (each->elem != each->small)
            brolga__free(each->elem);
        each->elem = room->large;
        room->large = NULL;
    } else if (room->full) {
        memcpy(each->elem, room->small, bytes);
    }
    each->waiter.elem = each->elem;
}

static void put_into_place(const brolga_type *to, struct change *change)
{
    brolga_chan *chan = change->chan;

    brolga__chan_lock(chan);
    change->slots =
        brolga__ring_refit(&chan->ring, change->slots, brolga_type_bytes(to),
                           brolga_type_align(to));
    brolga__chan_set_type(chan, to);
    for (size_t i = 0; i < change->runners; i++)
        furnish(&change->rooms[i], chan->bytes);
    brolga__chan_unlock(chan);
    brolga__list_change(&chan->listed, to);
}

static void published(void *arg)
{
    struct retype *retype = arg;

    for (struct change *change = retype->changes; change != NULL;
         change = change->next)
        put_into_place(retype->of.to, change);
    retype->published = true;
}

/* --- the end ------------------------------------------------------------ */

static void release(void *arg)
{
    struct retype *retype = arg;

    forget_changes(retype);
    if (retype->of.release != NULL)
        retype->of.release(retype->of.arg);
    brolga__free(retype);
}

int brolga_txn_retype(brolga_txn *txn, const struct brolga_retype *of)
{
    static const struct brolga__behind behind = {prepare, published};
    struct brolga_hooks hooks = {
        .name = "messages", .release = release, .timeout_ns = of->timeout_ns};
    struct retype *retype;
    int err;

    if (of->from == NULL || of->to == NULL ||
        brolga_type_fingerprint(of->from) == brolga_type_fingerprint(of->to) ||
        brolga_type_align(of->to) > BROLGA__CACHE_LINE)
        return BROLGA_EINVAL;
    retype = brolga__alloc_zero(sizeof *retype);
    if (retype == NULL)
        return BROLGA_ENOMEM;
    retype->of = *of;
    hooks.arg = retype;
    if (of->convert != NULL)
        hooks.migrate = convert_all;
    err = brolga__txn_hook_behind(txn, &hooks, &behind);
    if (err != BROLGA_OK)
        brolga__free(retype);
    return err;
}
