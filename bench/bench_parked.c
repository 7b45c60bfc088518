/*
 * Parked tasks: what a million that wait cost. Brolga's side and the floor, in
 * a program that answers requests as peers do (see peer.h): a sample needs a
 * process without a past.
 *
 * The two figures of an answer: how much the resident memory has grown, a
 * task; and the nanoseconds from the first spawn until all wait, a task.
 */
#include "bench.h"
#include "fiber.h"

#include <brolga/brolga.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is waited in; one sample at a time. */
static struct {
    brolga *rt;
    brolga_chan *chan;
    brolga_slot slot;   /* 0: tasks that receive by themselves. */
    brolga_task **task; /* Handles: the failure of one is not printed. */
    uint64_t count;
    uint64_t started;
    struct brolga_failure failure; /* Of a task. */
    double bytes;
    double create_ns;
} job;

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    uint64_t all, resident;

    bench_check(file != NULL, "/proc/self/statm");
    bench_check(fscanf(file, "%" SCNu64 " %" SCNu64, &all, &resident) == 2,
                "/proc/self/statm");
    (void)fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void take_figures(uint64_t before_bytes, uint64_t begin_ns)
{
    job.create_ns = bench_since(begin_ns) / (double)job.count;
    job.bytes = (double)(resident_bytes() - before_bytes) / (double)job.count;
}

/* --- Brolga ------------------------------------------------------------- */

/* Waits until the channel is closed. */
static brolga_word wait_there(void *arg)
{
    brolga_word word = 0;

    bench_check(brolga_recv_word(job.chan, &word, BROLGA_FOREVER) ==
                    BROLGA_ECLOSED,
                "a receive that waits");
    (void)arg;
    return 0;
}

static size_t waiting(void)
{
    struct brolga_chan_stats stats;

    brolga_chan_stats(job.chan, &stats);
    return stats.receivers_waiting;
}

/* For brolga_spawn_each(): does nothing with the message. */
static int take_message(void *state, void *elem)
{
    (void)state;
    (void)elem;
    return BROLGA_OK;
}

/* Publishes it, and keeps its slot. */
static void publish_slot(void)
{
    union {
        int (*fn)(void *state, void *elem);
        const void *code;
    } cast = {take_message};
    struct brolga_unit_opts opts = {
        .name = "parked", .text = cast.code, .text_bytes = 1};
    brolga_unit *unit;
    brolga_txn *txn;

    bench_must(brolga_txn_begin(brolga_runtime_got(job.rt), &txn));
    bench_must(brolga_txn_unit(txn, &opts, &unit));
    bench_must(brolga_txn_define(txn, unit, "parked", "take", "(Fn [] Int)",
                                 cast.code, &job.slot));
    bench_must(brolga_txn_commit(txn, NULL));
}

static int start_one(brolga_task **task)
{
    if (job.slot != 0)
        return brolga_spawn_each(job.rt, job.chan, job.slot, NULL, NULL, task);
    return brolga_spawn(job.rt, wait_there, NULL, NULL, task);
}

/* Finds the failure of a task that has not come to wait. */
static void find_failure(void)
{
    int code = BROLGA_ETIMEOUT;

    for (uint64_t i = 0; i < job.started && code == BROLGA_ETIMEOUT; i++)
        code = brolga_join(job.task[i], 1, NULL, &job.failure);
}

/* Starts them all and yields until they wait, or one has failed: each of those
 * that do neither is ready to run. Returns whether they wait. */
static brolga_word start_all(void *arg)
{
    uint64_t before = resident_bytes(), begin = brolga_now_ns();
    uint32_t mine = brolga_tasks_live(job.rt);
    int code = BROLGA_OK;

    (void)arg;
    for (; job.started < job.count && code == BROLGA_OK; job.started++)
        code = start_one(&job.task[job.started]);
    if (code != BROLGA_OK) {
        (void)snprintf(job.failure.message, sizeof job.failure.message, "%s",
                       brolga_strerror(code));
        return false;
    }
    while (waiting() < job.count) {
        if (brolga_tasks_live(job.rt) < mine + job.count) {
            find_failure();
            return false;
        }
        brolga_yield();
    }
    take_figures(before, begin);
    return true;
}

/* Handles in memory that is there before the measurement begins. */
static void make_handles(void)
{
    job.task = malloc(job.count * sizeof *job.task);
    bench_check(job.task != NULL, "memory for handles");
    memset(job.task, 1, job.count * sizeof *job.task);
}

static void answer_brolga(unsigned workers, bool by_message)
{
    brolga_task *root;
    brolga_word done;

    make_handles();
    bench_must(
        brolga_create(&(struct brolga_opts){.workers = workers}, &job.rt));
    bench_must(brolga_chan_create(NULL, NULL, &job.chan));
    if (by_message)
        publish_slot();
    bench_must(brolga_spawn(job.rt, start_all, NULL, NULL, &root));
    bench_must(brolga_join(root, BROLGA_FOREVER, &done, NULL));
    if (done)
        printf("%.1f %.1f\n", job.bytes, job.create_ns);
    else
        printf("- %s\n", job.failure.message);
    fflush(stdout);
    /* The tasks end with the process: it takes no further requests. */
    _exit(EXIT_SUCCESS);
}

/* --- the floor ---------------------------------------------------------- */

static struct bench_fiber *fiber;
static struct bench_fiber starter;
static uint64_t starting;

static void wait_for_good(void)
{
    bench_fiber_switch(&fiber[starting], &starter);
}

static void answer_floor(void)
{
    size_t bytes = BENCH_FIBER_BYTES_MIN;
    uint64_t before = resident_bytes(), begin = brolga_now_ns();
    char *stacks = aligned_alloc(64, job.count * bytes);

    fiber = malloc(job.count * sizeof *fiber);
    bench_check(stacks != NULL && fiber != NULL, "memory for stacks");
    for (starting = 0; starting < job.count; starting++) {
        bench_fiber_prepare(&fiber[starting], stacks + starting * bytes, bytes,
                            wait_for_good);
        bench_fiber_switch(&starter, &fiber[starting]);
    }
    take_figures(before, begin);
    printf("%.1f %.1f\n", job.bytes, job.create_ns);
    free(stacks);
    free(fiber);
}

/* --- requests ----------------------------------------------------------- */

int main(void)
{
    char key[32];
    unsigned workers;

    printf("parked\t1,2\t1000000\tbrolga\n"
           "parked.message\t1,2\t1000000\tbrolga: a task a message\n"
           "parked.floor\t1,2\t1000000\tfloor: fibers on 512 bytes\n\n");
    fflush(stdout);
    while (scanf("%31s %u %" SCNu64, key, &workers, &job.count) == 3) {
        if (strcmp(key, "parked.floor") == 0)
            answer_floor();
        else
            answer_brolga(workers, strcmp(key, "parked.message") == 0);
        fflush(stdout);
    }
    return 0;
}
