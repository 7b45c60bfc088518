/*
 * Goal: C9 and the types of messages. While the type of what is in channels
 * flips back and forth by barrier commits, every message is received once, in
 * the layout that the code which gets it knows.
 * Method: messages have a mark of their layout. Senders and receivers are tasks
 * that call units again and again, whose code says in which layout it is; units
 * fault once they have been released. Threads commit, with and without a
 * conversion; some senders wait, which refuses, and goes by. Senders also stop
 * at safepoints with a message in hand.
 */
#include "race/reloads.h"

#include <brolga/brolga.h>

#define SENDERS   3
#define RECEIVERS 3
#define CHANNELS  2

struct small {
    uint64_t mark, number;
};
struct large {
    uint64_t number, more[3], mark;
};

enum { SMALL = 0x51a11, LARGE = 0x1a49e };

static brolga_chan *chan[CHANNELS];
static brolga_slot layout_slot;
static const brolga_type *types_of[2];
static _Atomic bool stop;
static _Atomic uint64_t sent, sent_sum, received, received_sum, flips, refusals,
    timeouts, converted;

/* --- code of units ------------------------------------------------------ */

/* The layout that the newest code has: 0 or 1. Stays until a safepoint. */
static brolga_word layout_now(void)
{
    return jit_call(brolga_view_self()->slots[layout_slot], NULL);
}

static size_t put(brolga_word layout, uint64_t number, void *elem)
{
    if (layout == 0) {
        struct small message = {.mark = SMALL, .number = number};

        memcpy(elem, &message, sizeof message);
        return sizeof message;
    }
    struct large message = {.mark = LARGE, .number = number};

    memcpy(elem, &message, sizeof message);
    return sizeof message;
}

static uint64_t get(brolga_word layout, const void *elem)
{
    if (layout == 0) {
        struct small message;

        memcpy(&message, elem, sizeof message);
        race_check(message.mark == SMALL, "%llx is not small",
                   (unsigned long long)message.mark);
        return message.number;
    }
    struct large message;

    memcpy(&message, elem, sizeof message);
    race_check(message.mark == LARGE, "%llx is not large",
               (unsigned long long)message.mark);
    return message.number;
}

struct sender {
    uint64_t random, number;
};

/* One step; with frames of the unit below, so that nothing changes in it. */
static brolga_word send_one(void *arg)
{
    struct sender *sender = arg;
    brolga_word layout = layout_now();
    brolga_chan *to = chan[race_random(&sender->random) % CHANNELS];
    _Alignas(16) unsigned char elem[sizeof(struct large)];
    int err;

    (void)put(layout, sender->number, elem);
    if (race_random(&sender->random) % 4 == 0)
        brolga_yield(); /* With a message in hand. */
    if (race_random(&sender->random) % 64 == 0)
        err = brolga_send(to, elem, brolga_after_ns(50000));
    else
        err = brolga_try_send(to, elem);
    if (err == BROLGA_OK) {
        (void)brolga__add_relaxed(&sent, 1);
        (void)brolga__add_relaxed(&sent_sum, sender->number);
        sender->number += SENDERS;
    } else {
        race_check(err == BROLGA_EAGAIN || err == BROLGA_ETIMEOUT, "%d", err);
    }
    return brolga__load_relaxed(&stop) ? BROLGA_DONE : BROLGA_OK;
}

/* Called by the unit with what it was called with. */
static brolga_word receive_one(void *state, void *elem)
{
    uint64_t number = get(layout_now(), elem);

    (void)state;
    (void)brolga__add_relaxed(&received, 1);
    (void)brolga__add_relaxed(&received_sum, number);
    if (number % 8 == 0)
        brolga_yield();
    return BROLGA_OK;
}

/* --- commits ------------------------------------------------------------ */

static int to_large(void *arg, const void *from, void *to)
{
    (void)arg;
    (void)put(1, get(0, from), to);
    (void)brolga__add_relaxed(&converted, 1);
    return BROLGA_OK;
}

static int to_small(void *arg, const void *from, void *to)
{
    (void)arg;
    (void)put(0, get(1, from), to);
    (void)brolga__add_relaxed(&converted, 1);
    return BROLGA_OK;
}

static void stage_code(brolga_txn *txn, brolga_word layout)
{
    storm_stage(txn, "code", "layout", "int()", false, layout, NULL);
    storm_stage(txn, "code", "send", "int(call)", true, layout, NULL);
    storm_stage(txn, "code", "receive", "int(call, elem)", true, layout, NULL);
}

/* Whether the type is another one now. */
static bool flip(brolga_got *got, brolga_word layout, bool convert)
{
    struct brolga_retype retype = {.from = types_of[layout],
                                   .to = types_of[1 - layout],
                                   .timeout_ns = 20 * BROLGA_S};
    struct brolga_report report;
    brolga_txn *txn;
    int err;

    if (convert)
        retype.convert = layout == 0 ? to_large : to_small;
    race_ok(brolga_txn_begin(got, &txn));
    stage_code(txn, 1 - layout);
    race_ok(brolga_txn_retype(txn, &retype));
    err = brolga_txn_commit_barrier(txn, brolga_after_ns(100 * BROLGA_MS),
                                    &report);
    if (err == BROLGA_OK)
        return true;
    race_check(err == BROLGA_ETIMEOUT ||
                   report.refusal == BROLGA_REFUSED_LIMIT ||
                   report.refusal == BROLGA_REFUSED_MESSAGES,
               "%s", report.text);
    (void)brolga__add_relaxed(err == BROLGA_ETIMEOUT ? &timeouts : &refusals,
                              1);
    return false;
}

static void storm(brolga_got *got)
{
    uint64_t random = race_state(1000);
    brolga_word layout = 0;

    while (!race_over()) {
        if (flip(got, layout, race_random(&random) % 8 != 0)) {
            layout = 1 - layout;
            (void)brolga__add_relaxed(&flips, 1);
        }
        sched_yield();
    }
}

static void make_types(brolga_types *types)
{
    race_ok(brolga_type_struct(types, "Small", sizeof(struct small), 8,
                               &types_of[0]));
    race_ok(brolga_type_struct(types, "Large", sizeof(struct large), 8,
                               &types_of[1]));
}

static void start(brolga *rt, brolga_txn *txn, struct jit_call *send,
                  struct sender *sender, brolga_task **senders,
                  brolga_task **receivers)
{
    union {
        brolga_word (*two)(void *, void *);
        brolga_word (*one)(void *);
    } cast = {receive_one};
    static struct jit_call receive;
    brolga_got *got = brolga_runtime_got(rt);

    stage_code(txn, 0);
    race_check(storm_commit(txn), "first commit");
    receive.fn = cast.one;
    layout_slot = storm_slot(got, "code", "layout");
    for (unsigned i = 0; i < SENDERS; i++) {
        struct brolga_spawn_opts opts = {.thread = i == 0};

        sender[i] = (struct sender){.random = race_state(i), .number = i + 1};
        send[i] = (struct jit_call){.fn = send_one, .arg = &sender[i]};
        race_ok(brolga_spawn_loop(rt, storm_slot(got, "code", "send"), &send[i],
                                  &opts, &senders[i]));
    }
    for (unsigned i = 0; i < RECEIVERS; i++) {
        struct brolga_spawn_opts opts = {.thread = i == 0,
                                         .adopt_at_top = i == 1};

        race_ok(brolga_spawn_each(rt, chan[i % CHANNELS],
                                  storm_slot(got, "code", "receive"), &receive,
                                  &opts, &receivers[i]));
    }
}

static void finish(brolga_task **senders, brolga_task **receivers)
{
    brolga_word result;

    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < SENDERS; i++)
        race_ok(brolga_join(senders[i], BROLGA_FOREVER, NULL, NULL));
    for (unsigned i = 0; i < CHANNELS; i++)
        race_ok(brolga_chan_close(chan[i], BROLGA_OK, NULL));
    for (unsigned i = 0; i < RECEIVERS; i++) {
        race_ok(brolga_join(receivers[i], BROLGA_FOREVER, &result, NULL));
        race_ok((int)result);
    }
}

int main(int argc, char **argv)
{
    struct jit_call send[SENDERS];
    struct sender sender[SENDERS];
    brolga_task *senders[SENDERS], *receivers[RECEIVERS];
    struct brolga_model model = brolga_model_cranelisp();
    brolga_types *types;
    brolga_txn *txn;
    brolga *rt;

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_ok(brolga_types_create(&model, &types));
    make_types(types);
    for (unsigned i = 0; i < CHANNELS; i++)
        race_ok(brolga_chan_create(
            types_of[0],
            &(struct brolga_chan_opts){.capacity = i == 0 ? 64 : 0}, &chan[i]));
    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    start(rt, txn, send, sender, senders, receivers);
    storm(brolga_runtime_got(rt));
    finish(senders, receivers);
    race_check(sent == received && sent_sum == received_sum,
               "%llu sent, %llu received", (unsigned long long)sent,
               (unsigned long long)received);
    race_check(flips > 2 && sent > 0, "%llu flips", (unsigned long long)flips);
    storm_settle(rt, 3);
    for (unsigned i = 0; i < CHANNELS; i++)
        brolga_chan_release(chan[i]);
    race_ok(brolga_destroy(rt));
    brolga_types_destroy(types);
    printf("%llu messages, %llu flips, %llu converted, %llu refusals, %llu "
           "timeouts\n",
           (unsigned long long)sent, (unsigned long long)flips,
           (unsigned long long)converted, (unsigned long long)refusals,
           (unsigned long long)timeouts);
    return 0;
}
