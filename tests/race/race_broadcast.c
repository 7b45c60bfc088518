/*
 * Goal: whoever subscribes gets, from then on and until it leaves, every value
 * that is sent, in the one order that is the same for all, or is told how many
 * it has missed just there; a send that fails was sent to nobody; every copy is
 * dropped once.
 *
 * Method: rounds. Some tasks send numbered values in all ways; one subscriber
 * never drops and is there from the beginning to the end, so that what it gets
 * is the order; others come and go, with small buffers, and note what they get.
 * The main thread sends too, cancels some, and closes the broadcast. After each
 * round the notes are compared.
 *
 *   race_broadcast [--seconds S] [--seed N]
 */
#include <brolga/broadcast.h>

#include "alloc.h"
#include "atomic.h"
#include "race.h"

#include <sched.h>

enum {
    SENDERS = 4, /* the last one is the main thread */
    SENDS = 60,
    VALUES = SENDERS * SENDS + 1,
    VISITORS = 4
};

struct sender {
    uint64_t random;
    uint32_t first; /* value */
    bool sent[SENDS];
    brolga_task *task;
};

/* What a subscriber received, in the order in which it did. */
struct note {
    uint32_t value;
    uint32_t missed; /* before it; says nothing if it is the ... */
    bool first;      /* ... first of a subscription */
};

struct visitor {
    uint64_t random;
    bool stays; /* from the beginning to the end, and drops nothing */
    uint64_t visits;
    size_t count;
    struct note notes[VALUES];
    brolga_task *task;
};

static brolga *rt;
static const brolga_type *type;
static brolga_broadcast *broadcast;
static struct sender senders[SENDERS];
static struct visitor visitors[VISITORS + 1]; /* the last one stays */
static brolga_chan *whole;                    /* its subscription */

static _Atomic int64_t live; /* values that somebody owns */

static uint64_t total_sent, total_received, total_missed, total_failed,
    total_visits;

static void retain(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__add_relaxed(&live, 1);
}

static void release(brolga_word word, void *arg)
{
    (void)word;
    (void)arg;
    (void)brolga__add_relaxed(&live, -1);
}

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t)(race_random(random) >> 33) % limit;
}

static void wait_at_gate(void)
{
    while (!brolga__load_relaxed(&race.open)) {
        if (brolga_self() != NULL)
            brolga_yield();
        else
            (void)sched_yield();
    }
}

static uint64_t some_deadline(uint64_t *random)
{
    return below(random, 4) == 0 ? brolga_after_ns(below(random, 20000))
                                 : BROLGA_FOREVER;
}

/* --- senders ------------------------------------------------------------ */

static int send_one(struct sender *self, brolga_word word)
{
    if (brolga_self() == NULL || below(&self->random, 4) == 0)
        return brolga_broadcast_try_send(broadcast, &word);
    return brolga_broadcast_send(broadcast, &word,
                                 some_deadline(&self->random));
}

static brolga_word run_sender(void *arg)
{
    struct sender *self = arg;

    wait_at_gate();
    for (uint32_t i = 0; i < SENDS; i++) {
        int result = send_one(self, (brolga_word)(self->first + i));

        self->sent[i] = result == BROLGA_OK;
        race_check(result == BROLGA_OK || result == BROLGA_EAGAIN ||
                       result == BROLGA_ETIMEOUT ||
                       result == BROLGA_ECANCELED || result == BROLGA_ECLOSED,
                   "result %d", result);
        if (below(&self->random, 8) == 0)
            (void)sched_yield();
    }
    return 0;
}

/* --- subscribers -------------------------------------------------------- */

static int receive(struct visitor *self, brolga_chan *chan, brolga_word *word)
{
    struct brolga_arm arm = {.chan = chan, .op = BROLGA_RECV, .elem = word};
    size_t chosen;

    switch (self->stays ? 3 : below(&self->random, 4)) {
    case 0:
        return brolga_try_recv(chan, word);
    case 1:
        return brolga_select(&arm, 1, some_deadline(&self->random), &chosen);
    case 2:
        return brolga_recv(chan, word, some_deadline(&self->random));
    default:
        return brolga_recv(chan, word, BROLGA_FOREVER);
    }
}

static void note(struct visitor *self, brolga_chan *chan, brolga_word word,
                 bool first)
{
    race_check(self->count < VALUES, "%s", "a value came twice");
    self->notes[self->count++] =
        (struct note){.value = (uint32_t)word,
                      .missed = (uint32_t)brolga_chan_missed(chan),
                      .first = first};
    brolga_drop(type, &word);
}

/* Receives up to `most` values; false once the broadcast has ended. */
static bool visit(struct visitor *self, brolga_chan *chan, size_t most)
{
    size_t begin = self->count;

    while (self->count - begin < most) {
        brolga_word word;
        int result = receive(self, chan, &word);

        if (result == BROLGA_ECLOSED)
            return false;
        if (result == BROLGA_OK)
            note(self, chan, word, self->count == begin);
        else if (result == BROLGA_EAGAIN)
            brolga_yield();
    }
    return true;
}

static brolga_word run_visitor(void *arg)
{
    struct visitor *self = arg;
    struct brolga_subscription_opts opts = {0};
    brolga_chan *chan;

    wait_at_gate();
    for (;;) {
        bool open;

        opts.capacity = 1 + below(&self->random, 5);
        opts.drop_oldest = below(&self->random, 2) == 0;
        if (brolga_broadcast_subscribe(broadcast, &opts, &chan) != BROLGA_OK)
            return 0; /* It is closed. */
        open = visit(self, chan, 1 + below(&self->random, 20));
        brolga_chan_leave(chan, BROLGA_RECV, BROLGA_OK, NULL);
        if (!open)
            return 1;
        self->visits++;
    }
}

static brolga_word run_whole(void *arg)
{
    (void)visit(arg, whole, SIZE_MAX);
    return 0;
}

/* --- after a round ------------------------------------------------------ */

/* Where each value came in the whole order, from 1; 0: it was not sent. */
static uint32_t place[VALUES];

static void find_places(const struct visitor *self)
{
    memset(place, 0, sizeof place);
    for (size_t i = 0; i < self->count; i++) {
        uint32_t value = self->notes[i].value;

        race_check(value > 0 && value < VALUES, "value %u", value);
        race_check(place[value] == 0, "value %u came twice", value);
        race_check(self->notes[i].missed == 0, "value %u", value);
        place[value] = (uint32_t)i + 1;
    }
}

static void check_sender(const struct sender *self)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < SENDS; i++) {
        uint32_t at = place[self->first + i];

        race_check((at != 0) == self->sent[i], "value %u", self->first + i);
        race_check(at == 0 || at > last, "value %u is behind", self->first + i);
        last = at == 0 ? last : at;
        total_sent += at != 0;
        total_failed += at == 0;
    }
}

static void check_visitor(const struct visitor *self)
{
    uint32_t last = 0;

    for (size_t i = 0; i < self->count; i++) {
        const struct note *is = &self->notes[i];
        uint32_t at = place[is->value];

        race_check(at > last, "value %u at %u after %u", is->value, at, last);
        race_check(is->first || at - last - 1 == is->missed,
                   "value %u: %u missed, said to be %u", is->value,
                   at - last - 1, is->missed);
        last = at;
        total_missed += is->missed;
    }
    total_received += self->count;
    total_visits += self->visits;
}

/* --- a round ------------------------------------------------------------ */

static void start(uint64_t *random)
{
    struct brolga_subscription_opts opts = {.capacity = 1 + below(random, 8)};

    brolga__store_relaxed(&race.open, 0);
    race_ok(brolga_broadcast_create(type, &broadcast));
    race_ok(brolga_broadcast_subscribe(broadcast, &opts, &whole));
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.random = race_random(random),
                                     .first = 1 + i * SENDS};
        if (i < SENDERS - 1)
            race_ok(brolga_spawn(rt, run_sender, &senders[i], NULL,
                                 &senders[i].task));
    }
    for (uint32_t i = 0; i <= VISITORS; i++) {
        struct visitor *visitor = &visitors[i];

        visitor->random = race_random(random);
        visitor->stays = i == VISITORS;
        visitor->count = 0;
        visitor->visits = 0;
        race_ok(brolga_spawn(rt, visitor->stays ? run_whole : run_visitor,
                             visitor, NULL, &visitor->task));
    }
    brolga__store_relaxed(&race.open, 1);
}

static void join(brolga_task *task)
{
    race_ok(brolga_join(task, brolga_after_ns(30 * BROLGA_S), NULL, NULL));
}

/* Closes early or when all has been sent. */
static void end(uint64_t *random)
{
    bool early = below(random, 3) == 0;

    if (below(random, 2) == 0)
        brolga_cancel(senders[0].task);
    if (early)
        race_ok(brolga_broadcast_close(broadcast, BROLGA_OK, NULL));
    for (uint32_t i = 0; i < SENDERS - 1; i++)
        join(senders[i].task);
    race_check(brolga_broadcast_close(broadcast, BROLGA_OK, NULL) ==
                   (early ? BROLGA_ECLOSED : BROLGA_OK),
               "early %d", early);
    for (uint32_t i = 0; i <= VISITORS; i++)
        join(visitors[i].task);
}

static void run_round(uint64_t *random)
{
    start(random);
    (void)run_sender(&senders[SENDERS - 1]);
    end(random);
    find_places(&visitors[VISITORS]);
    for (uint32_t i = 0; i < SENDERS; i++)
        check_sender(&senders[i]);
    for (uint32_t i = 0; i < VISITORS; i++)
        check_visitor(&visitors[i]);
    brolga_chan_leave(whole, BROLGA_RECV, BROLGA_OK, NULL);
    brolga_broadcast_release(broadcast);
    race_check(brolga__load_relaxed(&live) == 0, "%lld copies are left",
               (long long)brolga__load_relaxed(&live));
}

int main(int argc, char **argv)
{
    struct brolga_model model = brolga_model_cranelisp();
    uint64_t rounds = 0, random;
    brolga_types *types;

    race_begin(argc, argv);
    random = race_state(0);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 3}, &rt));
    race_ok(brolga_types_create(&model, &types));
    race_ok(brolga_type_handle(types, "Value", retain, release, NULL, &type));
    do {
        run_round(&random);
        rounds++;
    } while (!race_over() || rounds < 20);
    printf("race_broadcast: %llu rounds, %llu sent, %llu failed, %llu received "
           "by visitors in %llu visits, who missed %llu\n",
           (unsigned long long)rounds, (unsigned long long)total_sent,
           (unsigned long long)total_failed, (unsigned long long)total_received,
           (unsigned long long)total_visits, (unsigned long long)total_missed);
    race_check(total_sent > 0 && total_failed > 0, "%s", "no progress");
    race_check(total_received > 0 && total_visits > 0, "%s", "no progress");
    race_check(total_missed > 0, "%s", "nobody was slow");
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(types);
    race_check(brolga__alloc_live() == 0, "%lld blocks are left",
               (long long)brolga__alloc_live());
    return 0;
}
