/*
 * Goal: whatever tasks and threads do to channels at the same time, each value
 * is received once, or handed back, or dropped by a named rule; values of one
 * sender keep their order; nobody waits for ever; each offer that was completed
 * by somebody else is woken once.
 *
 * Method: rounds. In each, some actors (tasks, and one plain thread) do random
 * operations on a few channels of random kinds, while the main thread cancels
 * some of the tasks and ends the channels. Every value is a counted handle with
 * a state; a wrong transition, a count that is not zero at the end, or a task
 * that does not end is a fault.
 *
 *   race_chan [--seconds S] [--seed N] [--hard 1]
 *
 * With --hard all channels are so small that nearly every operation has to wait
 * or to look around.
 */
#include <brolga/chan.h>

#include "alloc.h"
#include "atomic.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TASKS = 7,
    ACTORS = TASKS + 1, /* the last one is a plain thread */
    CHANS = 3,
    OPS = 150,
    VALUES = ACTORS * OPS * 2 + 1 /* a select may offer two */
};

enum state { NEW, SENT, RECEIVED, BACK };

struct actor {
    uint32_t index;
    uint64_t random;
    uint32_t used;                 /* values made in this round */
    uint32_t last[CHANS][ACTORS];  /* of whom it received what last */
    uint64_t sent, received, back; /* over all rounds */
    uint64_t completed;            /* offers that somebody else completed */
    brolga_task *task;
    pthread_t thread;
};

static brolga *rt;
static const brolga_type *type;
static brolga_chan *chans[CHANS];
static bool one_shot[CHANS]; /* A value closes it. */
static struct actor actors[ACTORS];
static uint64_t seed;
static bool hard;

/* The actors wait for it: so they really run at the same time. */
static _Atomic uint32_t gate;
static _Atomic uint64_t wakes;

static _Atomic uint32_t state[VALUES];
static _Atomic int32_t refs[VALUES];
static _Atomic uint32_t sent_to[VALUES];

/* Not assert(): this must be on in every build, and name the seed. */
#define must(condition, ...)                                                   \
    do {                                                                       \
        if (!(condition))                                                      \
            fault(__LINE__, #condition, __VA_ARGS__);                          \
    } while (0)

static void fault(int line, const char *condition, uint64_t a, uint64_t b)
{
    fprintf(stderr, "race_chan:%d: %s (%llu, %llu); --seed %llu\n", line,
            condition, (unsigned long long)a, (unsigned long long)b,
            (unsigned long long)seed);
    _Exit(1);
}

static uint32_t below(uint64_t *random, uint32_t limit)
{
    *random =
        *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33) % limit;
}

/* --- values ------------------------------------------------------------- */

static void retain(brolga_word word, void *arg)
{
    (void)arg;
    (void)brolga__add_relaxed(&refs[word], 1);
}

static void release(brolga_word word, void *arg)
{
    (void)arg;
    must(brolga__add_relaxed(&refs[word], -1) > 0, (uint64_t)word, 0);
}

static void drop(brolga_word word)
{
    brolga_drop(type, &word);
}

static brolga_word make(struct actor *self, uint32_t chan)
{
    brolga_word id = self->index * OPS * 2 + ++self->used;

    brolga__store_relaxed(&refs[id], 1);
    brolga__store_relaxed(&state[id], SENT);
    brolga__store_relaxed(&sent_to[id], chan);
    return id;
}

static void change(brolga_word id, uint32_t from, uint32_t to)
{
    uint32_t was = from;
    bool changed = brolga__cas_relaxed(&state[id], &was, to);

    must(changed, (uint64_t)id, was);
}

static void after_send(struct actor *self, brolga_word id, int result,
                       bool given)
{
    if (result == BROLGA_OK) {
        self->sent++;
        if (!given)
            drop(id);
        return;
    }
    must(result == BROLGA_EAGAIN || result == BROLGA_ETIMEOUT ||
             result == BROLGA_ECANCELED || result == BROLGA_ECLOSED ||
             result == BROLGA_ELIMIT,
         (uint64_t)-result, 0);
    self->back++;
    change(id, SENT, BACK);
    drop(id);
}

static void after_recv(struct actor *self, uint32_t chan, brolga_word id,
                       int result)
{
    uint32_t *last;

    if (result != BROLGA_OK) {
        must(result == BROLGA_EAGAIN || result == BROLGA_ETIMEOUT ||
                 result == BROLGA_ECANCELED || result == BROLGA_ECLOSED,
             (uint64_t)-result, 0);
        return;
    }
    self->received++;
    must(id > 0 && id < VALUES, (uint64_t)id, chan);
    must(brolga__load_relaxed(&sent_to[id]) == chan, (uint64_t)id, chan);
    change(id, SENT, RECEIVED);
    last = &self->last[chan][(id - 1) / (OPS * 2)];
    must(*last < (uint32_t)id, *last, (uint64_t)id);
    *last = (uint32_t)id;
    drop(id);
}

/* --- what an actor does ------------------------------------------------- */

static uint64_t random_deadline(struct actor *self)
{
    switch (below(&self->random, 4)) {
    case 0:
        return BROLGA_NOW;
    case 1:
        return BROLGA_FOREVER;
    default:
        return brolga_after_ns(below(&self->random, 300) * BROLGA_US);
    }
}

static void wake(void *arg)
{
    (void)arg;
    (void)brolga__add_relaxed(&wakes, 1);
}

/* Lets others run, as a task or as a thread. */
static void pass_time(struct actor *self)
{
    for (uint32_t n = below(&self->random, 8); n > 0; n--) {
        if (brolga_self() != NULL)
            brolga_yield();
        else
            (void)sched_yield();
    }
}

static int by_offer(struct actor *self, brolga_chan *chan, enum brolga_op op,
                    brolga_word *word)
{
    struct brolga_waiter waiter = {.wake = wake};
    int result = brolga_chan_offer(chan, &waiter, op, word);

    if (result != BROLGA_EAGAIN)
        return result;
    pass_time(self);
    result = brolga_chan_withdraw(&waiter);
    self->completed += result != BROLGA_ECANCELED;
    return result;
}

static void send_one(struct actor *self, uint32_t chan)
{
    brolga_word id = make(self, chan), word = id;
    brolga_chan *to = chans[chan];
    bool task = brolga_self() != NULL;

    switch (below(&self->random, task ? 6 : 4)) {
    case 0:
        after_send(self, id, brolga_try_send(to, &word), false);
        break;
    case 1:
        after_send(self, id, brolga_try_give(to, &word), true);
        break;
    case 2:
        after_send(self, id, by_offer(self, to, BROLGA_SEND, &word), false);
        break;
    case 3:
        after_send(self, id, by_offer(self, to, BROLGA_GIVE, &word), true);
        break;
    case 4:
        after_send(self, id, brolga_send(to, &word, random_deadline(self)),
                   false);
        break;
    default:
        after_send(self, id, brolga_give(to, &word, random_deadline(self)),
                   true);
    }
}

static void recv_one(struct actor *self, uint32_t chan)
{
    brolga_word id = 0;
    int result;

    switch (below(&self->random, brolga_self() != NULL ? 4 : 2)) {
    case 0:
        result = brolga_try_recv(chans[chan], &id);
        break;
    case 1:
        result = by_offer(self, chans[chan], BROLGA_RECV, &id);
        break;
    default:
        result = brolga_recv(chans[chan], &id, random_deadline(self));
    }
    after_recv(self, chan, id, result);
}

static int select_in(struct actor *self, struct brolga_arm *arms,
                     size_t *chosen)
{
    int result;

    if (brolga_self() != NULL && below(&self->random, 2) == 0)
        return brolga_select(arms, 3, random_deadline(self), chosen);
    result = brolga_select_offer(arms, 3, wake, NULL, chosen);
    if (result != BROLGA_EAGAIN)
        return result;
    pass_time(self);
    result = brolga_select_withdraw(arms, 3, chosen);
    self->completed += result != BROLGA_ECANCELED;
    return result;
}

/* One receive and two sends, a copy and a given value. */
static void select_one(struct actor *self)
{
    uint32_t in = below(&self->random, CHANS);
    uint32_t out = below(&self->random, CHANS);
    uint32_t away = below(&self->random, CHANS);
    brolga_word copied = make(self, out), given = make(self, away), id = 0;
    brolga_word word = given;
    struct brolga_arm arms[3] = {
        {.chan = chans[in], .op = BROLGA_RECV, .elem = &id},
        {.chan = chans[out], .op = BROLGA_SEND, .elem = &copied},
        {.chan = chans[away], .op = BROLGA_GIVE, .elem = &word}};
    size_t chosen = 3;
    int result = select_in(self, arms, &chosen);
    int others = BROLGA_ECANCELED; /* how arms come out that are not chosen */

    after_recv(self, in, id, chosen == 0 ? result : others);
    after_send(self, copied, chosen == 1 ? result : others, false);
    after_send(self, given, chosen == 2 ? result : others, true);
}

static brolga_word act(void *arg)
{
    struct actor *self = arg;

    while (brolga__load_relaxed(&gate) == 0) {
        if (brolga_self() != NULL)
            brolga_yield();
        else
            (void)sched_yield();
    }
    for (int i = 0; i < OPS; i++) {
        uint32_t what = below(&self->random, 10);

        if (what == 0)
            select_one(self);
        else if (what < 5)
            send_one(self, below(&self->random, CHANS));
        else
            recv_one(self, below(&self->random, CHANS));
    }
    return 0;
}

static void *act_on_thread(void *arg)
{
    (void)act(arg);
    return NULL;
}

/* --- a round ------------------------------------------------------------ */

static void make_chan(uint64_t *random, uint32_t i)
{
    static const size_t capacities[] = {0, 1, 0, 2, 7, 64};
    struct brolga_chan_opts opts = {0};

    one_shot[i] = below(random, 10) == 0;
    opts.one_shot = one_shot[i];
    switch (one_shot[i] || hard ? 2 : below(random, 8)) {
    case 0:
        opts.unbounded = true;
        break;
    case 1:
        opts.unbounded = true;
        opts.bytes_max = 8 * (1 + below(random, 20));
        break;
    default:
        opts.capacity = capacities[below(random, one_shot[i] || hard ? 2 : 6)];
    }
    must(brolga_chan_create(type, &opts, &chans[i]) == BROLGA_OK, i, 0);
    must(brolga_chan_join(chans[i], BROLGA_RECV) == BROLGA_OK, i, 0);
}

static void start_actors(uint64_t *random)
{
    brolga__store_relaxed(&gate, 0);
    for (uint32_t i = 0; i < ACTORS; i++) {
        struct actor *actor = &actors[i];

        actor->index = i;
        actor->random = *random + i * UINT64_C(0x9e3779b97f4a7c15);
        actor->used = 0;
        memset(actor->last, 0, sizeof(actor->last));
        if (i < TASKS)
            must(brolga_spawn(rt, act, actor, NULL, &actor->task) == BROLGA_OK,
                 i, 0);
        else
            must(pthread_create(&actor->thread, NULL, act_on_thread, actor) ==
                     0,
                 i, 0);
    }
    brolga__store_relaxed(&gate, 1);
}

/* Ends the channels while the actors use them. A channel that is closed is
 * drained later; one whose receiver leaves drops its values. */
static void disturb(uint64_t *random, bool *left)
{
    struct timespec pause = {0, 1000L * below(random, 1500)};

    (void)nanosleep(&pause, NULL); /* Orders nothing; lets the round go on. */
    for (uint32_t i = 0; i < TASKS; i++) {
        if (below(random, 4) == 0)
            brolga_cancel(actors[i].task);
    }
    for (uint32_t i = 0; i < CHANS; i++) {
        left[i] = below(random, 3) == 0;
        if (left[i]) {
            brolga_chan_leave(chans[i], BROLGA_RECV, BROLGA_OK, "left");
        } else {
            int result = brolga_chan_close(chans[i], BROLGA_OK, "end");

            must(result == BROLGA_OK || one_shot[i], i, 0);
        }
    }
}

static void join_actors(void)
{
    for (uint32_t i = 0; i < TASKS; i++) {
        uint64_t limit_ns = brolga_after_ns(30 * BROLGA_S);

        must(brolga_join(actors[i].task, limit_ns, NULL, NULL) == BROLGA_OK, i,
             0);
    }
    must(pthread_join(actors[TASKS].thread, NULL) == 0, 0, 0);
}

/* Receives the rest of closed channels, or leaves it to their end. */
static void end_chan(uint64_t *random, uint32_t i, bool *left)
{
    struct brolga_chan_stats stats;
    brolga_word id;

    brolga_chan_stats(chans[i], &stats);
    must(stats.senders_waiting + stats.receivers_waiting == 0, i, 0);
    must(stats.sent == stats.received + stats.dropped + stats.depth, i, 0);
    must(stats.closed, i, 0);
    must(!one_shot[i] || stats.sent <= 1, i, stats.sent);
    if (!left[i]) {
        left[i] = below(random, 2) == 0;
        while (!left[i] && brolga_try_recv(chans[i], &id) == BROLGA_OK) {
            change(id, SENT, RECEIVED);
            drop(id);
        }
        brolga_chan_leave(chans[i], BROLGA_RECV, BROLGA_OK, NULL);
    }
    brolga_chan_release(chans[i]);
}

static void check_values(const bool *left)
{
    for (uint32_t id = 1; id < VALUES; id++) {
        uint32_t is = brolga__load_relaxed(&state[id]);

        must(brolga__load_relaxed(&refs[id]) == 0, id, is);
        if (is == SENT) /* It was dropped with its channel, or is lost. */
            must(left[brolga__load_relaxed(&sent_to[id])], id, is);
        brolga__store_relaxed(&state[id], NEW);
    }
}

static void run_round(uint64_t *random)
{
    bool left[CHANS];
    uint64_t completed = 0;

    for (uint32_t i = 0; i < CHANS; i++)
        make_chan(random, i);
    start_actors(random);
    disturb(random, left);
    join_actors();
    for (uint32_t i = 0; i < CHANS; i++)
        end_chan(random, i, left);
    check_values(left);
    for (uint32_t i = 0; i < ACTORS; i++)
        completed += actors[i].completed;
    must(brolga__load_relaxed(&wakes) == completed, completed, 0);
}

/* --- main --------------------------------------------------------------- */

static void report(uint64_t rounds)
{
    uint64_t sent = 0, received = 0, back = 0, completed = 0;

    for (uint32_t i = 0; i < ACTORS; i++) {
        sent += actors[i].sent;
        received += actors[i].received;
        back += actors[i].back;
        completed += actors[i].completed;
        must(actors[i].received > 0, i, rounds); /* Everybody took part. */
        must(actors[i].sent > 0, i, rounds);
    }
    must(back > 0, back, 0);
    must(completed > 0, completed, 0);
    printf("race_chan: %llu rounds, %llu sent, %llu received, %llu handed "
           "back, %llu offers completed by others; seed %llu\n",
           (unsigned long long)rounds, (unsigned long long)sent,
           (unsigned long long)received, (unsigned long long)back,
           (unsigned long long)completed, (unsigned long long)seed);
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t or)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    }
    return or ;
}

int main(int argc, char **argv)
{
    struct brolga_model model = brolga_model_cranelisp();
    uint64_t seconds = option(argc, argv, "--seconds", 2);
    uint64_t end_ns = brolga_after_ns(seconds * BROLGA_S);
    uint64_t random, rounds = 0;
    brolga_types *types;

    seed = option(argc, argv, "--seed", brolga_now_ns());
    hard = option(argc, argv, "--hard", 0) != 0;
    printf("race_chan: seed %llu\n", (unsigned long long)seed);
    random = seed;
    must(brolga_create(&(struct brolga_opts){.workers = 3}, &rt) == BROLGA_OK,
         0, 0);
    must(brolga_types_create(&model, &types) == BROLGA_OK, 0, 0);
    must(brolga_type_handle(types, "Value", retain, release, NULL, &type) ==
             BROLGA_OK,
         0, 0);
    do {
        run_round(&random);
        rounds++;
    } while (brolga_now_ns() < end_ns || rounds < 20);
    report(rounds);
    must(brolga_destroy(rt) == BROLGA_OK, 0, 0);
    brolga_types_destroy(types);
    must(brolga__alloc_live() == 0, (uint64_t)brolga__alloc_live(), 0);
    return 0;
}
