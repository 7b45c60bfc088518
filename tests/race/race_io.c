/*
 * Goal: whatever deadlines, cancels and closes come between, a stream delivers
 * the bytes whose writing was reported, all of them, once and in order; a
 * blocking function has been called if and only if that is reported; every call
 * ends; nothing is left.
 *
 * Method: rounds. In each, some pairs of streams have a writer and a reader
 * that use random sizes and deadlines, and some tasks call blocking functions,
 * while the main thread cancels tasks and closes ends at random moments. Then
 * it reads what is still on its way, and compares the sums.
 *
 *   race_io [--seconds S] [--seed N]
 */
#include "race/race.h"

#include <brolga/brolga.h>

#include "alloc.h"

enum { PAIRS = 3, CALLERS = 3, BLOCK = 100000, MICROSECONDS = 400 };

struct pair {
    brolga_io ends[2];
    uint64_t written, received; /* Each by one task at a time. */
    uint64_t random[2];
    brolga_task *tasks[2];
    bool torn; /* An end has been closed while they ran. */
};

struct caller {
    uint64_t random;
    uint64_t called; /* By the pool's threads, one at a time. */
    uint64_t reported;
    brolga_task *task;
};

static brolga *rt;
static struct pair pairs[PAIRS];
static struct caller callers[CALLERS];
static uint64_t cancels, closes, bytes;

/* A byte tells where it belongs. */
static unsigned char byte_at(uint64_t at)
{
    return (unsigned char)(at * 2654435761u >> 13 ^ at);
}

static uint64_t some_deadline(uint64_t *random)
{
    uint64_t r = race_random(random);

    if (r % 4 == 0)
        return BROLGA_FOREVER;
    return r % 4 == 1 ? BROLGA_NOW : brolga_after_ns(r % (50 * BROLGA_US));
}

static bool expected(int err)
{
    return err == BROLGA_OK || err == BROLGA_ETIMEOUT ||
           err == BROLGA_ECANCELED || err == BROLGA_ECLOSED ||
           err == BROLGA_EIO;
}

/* Until it is canceled, or the stream is closed at either end. */
static brolga_word write_all(void *arg)
{
    struct pair *pair = arg;
    unsigned char *block = brolga__alloc(BLOCK);
    int err;

    do {
        size_t count = race_random(&pair->random[0]) % BLOCK + 1, done = 0;

        for (size_t i = 0; i < count; i++)
            block[i] = byte_at(pair->written + i);
        err = brolga_io_write(pair->ends[0], block, count,
                              some_deadline(&pair->random[0]), &done);
        race_check(expected(err), "%s", brolga_error_name(err));
        race_check(err == BROLGA_OK ? done == count : done < count,
                   "%zu of %zu", done, count);
        pair->written += done;
    } while ((err == BROLGA_OK || err == BROLGA_ETIMEOUT) &&
             !brolga_canceled());
    brolga__free(block);
    return err;
}

static void check_bytes(struct pair *pair, const unsigned char *block,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        race_check(block[i] == byte_at(pair->received + i), "at %llu",
                   (unsigned long long)(pair->received + i));
    pair->received += count;
}

static int read_some(struct pair *pair, unsigned char *block,
                     uint64_t deadline_ns, size_t *count)
{
    size_t most = race_random(&pair->random[1]) % BLOCK + 1;
    int err = brolga_io_read(pair->ends[1], block, most, deadline_ns, count);

    race_check(expected(err), "%s", brolga_error_name(err));
    if (err == BROLGA_OK)
        check_bytes(pair, block, *count);
    return err;
}

static brolga_word read_all(void *arg)
{
    struct pair *pair = arg;
    unsigned char *block = brolga__alloc(BLOCK);
    size_t count = 0;
    int err;

    do
        err = read_some(pair, block, some_deadline(&pair->random[1]), &count);
    while (((err == BROLGA_OK && count > 0) || err == BROLGA_ETIMEOUT) &&
           !brolga_canceled());
    brolga__free(block);
    return err;
}

static brolga_word count_call(void *arg)
{
    (*(uint64_t *)arg)++;
    return 1;
}

static brolga_word call_until_canceled(void *arg)
{
    struct caller *caller = arg;
    int err = BROLGA_OK;

    while (err != BROLGA_ECANCELED) {
        brolga_word result = 0;

        err = brolga_blocking(count_call, &caller->called,
                              some_deadline(&caller->random), &result);
        race_check(expected(err), "%s", brolga_error_name(err));
        race_check((err == BROLGA_OK) == (result == 1), "%s",
                   brolga_error_name(err));
        caller->reported += err == BROLGA_OK;
    }
    return 0;
}

/* --- the main thread ---------------------------------------------------- */

static void start(void)
{
    for (int i = 0; i < PAIRS; i++) {
        struct pair *pair = &pairs[i];

        pair->torn = false;
        pair->written = pair->received = 0;
        race_ok(brolga_pipe_pair(pair->ends));
        race_ok(brolga_spawn(rt, write_all, pair, NULL, &pair->tasks[0]));
        race_ok(brolga_spawn(rt, read_all, pair, NULL, &pair->tasks[1]));
    }
    for (int i = 0; i < CALLERS; i++)
        race_ok(brolga_spawn(rt, call_until_canceled, &callers[i], NULL,
                             &callers[i].task));
}

static void pause_for(uint64_t ns)
{
    race_check(brolga_sleep_until(brolga_after_ns(ns)) == BROLGA_OK, "%s", "");
}

static void disturb(struct pair *pair, uint64_t *random)
{
    uint64_t r = race_random(random);
    int which = r >> 8 & 1;

    if (r % 3 == 0) {
        pair->torn = true;
        race_ok(brolga_io_close(pair->ends[which]));
        closes++;
    } else {
        brolga_cancel(pair->tasks[which]);
        cancels++;
    }
}

static void join(brolga_task *task)
{
    race_ok(brolga_join(task, brolga_after_ns(60 * BROLGA_S), NULL, NULL));
}

/* Nobody else is at it: what was reported as written is there or was read. */
static void settle(struct pair *pair)
{
    static unsigned char block[BLOCK];
    size_t count = 0;

    for (int i = 0; i < 2; i++) {
        brolga_cancel(pair->tasks[i]);
        join(pair->tasks[i]);
    }
    if (!pair->torn) {
        while (read_some(pair, block, BROLGA_NOW, &count) == BROLGA_OK)
            continue;
        race_check(pair->received == pair->written, "%llu of %llu",
                   (unsigned long long)pair->received,
                   (unsigned long long)pair->written);
    }
    race_check(pair->received <= pair->written, "%s", "");
    bytes += pair->received;
    for (int i = 0; i < 2; i++)
        (void)brolga_io_close(pair->ends[i]); /* Perhaps it is. */
}

static void run_round(uint64_t *random)
{
    start();
    for (int i = 0; i < PAIRS; i++) {
        pause_for(race_random(random) % (MICROSECONDS * BROLGA_US));
        disturb(&pairs[i], random);
    }
    pause_for(race_random(random) % (MICROSECONDS * BROLGA_US));
    for (int i = 0; i < PAIRS; i++)
        settle(&pairs[i]);
    for (int i = 0; i < CALLERS; i++) {
        brolga_cancel(callers[i].task);
        join(callers[i].task);
        race_check(callers[i].called == callers[i].reported, "%llu, %llu",
                   (unsigned long long)callers[i].called,
                   (unsigned long long)callers[i].reported);
    }
}

int main(int argc, char **argv)
{
    struct brolga_opts opts = {.workers = 3, .blocking_threads = 2};
    int64_t blocks = brolga__alloc_live();
    uint64_t random, rounds = 0, calls = 0;

    race_begin(argc, argv);
    random = race_state(0);
    for (uint64_t i = 0; i < PAIRS; i++)
        for (uint64_t j = 0; j < 2; j++)
            pairs[i].random[j] = race_state(1 + i * 2 + j);
    for (uint64_t i = 0; i < CALLERS; i++)
        callers[i].random = race_state(100 + i);
    race_ok(brolga_create(&opts, &rt));
    race_ok(brolga_attach_thread(rt, "main"));
    for (; !race_over(); rounds++)
        run_round(&random);
    brolga_detach_thread();
    race_ok(brolga_destroy(rt));
    for (int i = 0; i < CALLERS; i++)
        calls += callers[i].called;
    race_check(brolga__alloc_live() == blocks, "%s", "");
    race_check(bytes > 0 && calls > 0 && cancels > 0 && closes > 0, "%s", "");
    printf("%llu rounds, %llu bytes, %llu calls, %llu cancels, %llu closes\n",
           (unsigned long long)rounds, (unsigned long long)bytes,
           (unsigned long long)calls, (unsigned long long)cancels,
           (unsigned long long)closes);
    return 0;
}
