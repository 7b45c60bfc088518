/*
 * Goal: C3 and C9. Messages in flight across reloads are received once each,
 * and a receiver is never in an older version than the sender was.
 * Method: producers stamp each message with the version in which they send it;
 * consumers of all kinds (a slot called for each message, a plain loop) mark
 * it as received and compare versions; a thread reloads the consumers' code
 * meanwhile. The number of a version is what its unit returns.
 */
#include "race/reloads.h"

#include <brolga/chan.h>

#define PRODUCERS 4
#define CONSUMERS 4
#define MESSAGES  (1u << 22)

struct message {
    uint32_t number;
    brolga_word version;
};

static brolga_chan *chan;
static brolga_slot version_slot, consume_slot;
static _Atomic bool stop;
static _Atomic uint32_t next_number, received;
static _Atomic uint8_t seen[MESSAGES];

static brolga_word version_now(void)
{
    return jit_call(brolga_view_self()->slots[version_slot], NULL);
}

static void take(const struct message *message)
{
    brolga_word now = version_now();

    race_check(message->number < MESSAGES, "number %u", message->number);
    race_check(brolga__add_relaxed(&seen[message->number], 1) == 0,
               "message %u received twice", message->number);
    race_check(now >= message->version, "received in %lld, sent in %lld",
               (long long)now, (long long)message->version);
    brolga__add_relaxed(&received, 1);
}

/* What the unit under the each-task's slot calls, with the message. */
static brolga_word consume(void *state, const struct message *message)
{
    uint64_t *random = state;

    take(message);
    if (race_random(random) % 32 == 0)
        brolga_yield();
    return 0;
}

static brolga_word consume_plainly(void *arg)
{
    struct message message;

    (void)arg;
    while (brolga_recv(chan, &message, BROLGA_FOREVER) == BROLGA_OK)
        take(&message);
    return 0;
}

static brolga_word produce(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg;

    while (!brolga__load_relaxed(&stop)) {
        struct message message = {.version = version_now()};

        message.number = brolga__add_relaxed(&next_number, 1);
        if (message.number >= MESSAGES)
            break;
        race_ok(brolga_send(chan, &message, BROLGA_FOREVER));
        if (race_random(&random) % 64 == 0)
            brolga_yield();
    }
    return 0;
}

static bool commit_next(brolga_got *got, brolga_word number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(got, &txn));
    storm_stage(txn, "code", "version", "int()", false, number, NULL);
    storm_stage(txn, "code", "consume", "int(call)", true, number, NULL);
    return storm_commit(txn);
}

static void storm(brolga_got *got)
{
    brolga_word number = 1;

    while (!race_over() && brolga__load_relaxed(&next_number) < MESSAGES)
        if (commit_next(got, number + 1))
            number++;
        else
            sched_yield();
    race_check(number > 3, "no reloads");
    printf("%lld versions, ", (long long)number);
}

int main(int argc, char **argv)
{
    brolga_task *producer[PRODUCERS], *consumer[2 * CONSUMERS];
    uint64_t random[CONSUMERS];
    struct jit_call call[CONSUMERS];
    struct brolga_model model = brolga_model_cranelisp();
    brolga_types *types;
    const brolga_type *type;
    uint32_t sent;
    brolga *rt;

    race_begin(argc, argv);
    race_ok(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    race_check(commit_next(brolga_runtime_got(rt), 1), "first commit");
    version_slot = storm_slot(brolga_runtime_got(rt), "code", "version");
    consume_slot = storm_slot(brolga_runtime_got(rt), "code", "consume");
    race_ok(brolga_types_create(&model, &types));
    race_ok(brolga_type_struct(types, "Message", sizeof(struct message),
                               _Alignof(struct message), &type));
    race_ok(brolga_chan_create(
        type,
        &(struct brolga_chan_opts){.capacity = race.seed % 3 == 0 ? 0 : 64},
        &chan));
    for (unsigned i = 0; i < CONSUMERS; i++) {
        random[i] = race_state(i);
        call[i] = (struct jit_call){
            (brolga_word(*)(void *))(void (*)(void))consume, &random[i]};
        race_ok(brolga_spawn_each(rt, chan, consume_slot, &call[i], NULL,
                                  &consumer[i]));
        race_ok(brolga_spawn(rt, consume_plainly, NULL,
                             &(struct brolga_spawn_opts){.thread = i == 0},
                             &consumer[CONSUMERS + i]));
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        race_ok(brolga_spawn(rt, produce,
                             (void *)(uintptr_t)race_state(100 + i), NULL,
                             &producer[i]));
    storm(brolga_runtime_got(rt));
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < PRODUCERS; i++)
        race_ok(brolga_join(producer[i], BROLGA_FOREVER, NULL, NULL));
    race_ok(brolga_chan_close(chan, BROLGA_OK, "done"));
    for (unsigned i = 0; i < 2 * CONSUMERS; i++)
        race_ok(brolga_join(consumer[i], BROLGA_FOREVER, NULL, NULL));
    sent = brolga__load_relaxed(&next_number);
    sent = sent < MESSAGES ? sent : MESSAGES;
    race_check(sent > 0 && received == sent, "%u sent, %u received", sent,
               received);
    for (uint32_t i = 0; i < sent; i++)
        race_check(seen[i] == 1, "message %u: %u times", i, seen[i]);
    brolga_chan_release(chan);
    brolga_types_destroy(types);
    storm_settle(rt, 2);
    race_ok(brolga_destroy(rt));
    printf("%u messages\n", sent);
    return 0;
}
