/*
 * Floors of the topic "tasks": the least work that could pass for the job, with
 * no regard to safety, fairness, or anyone else on the machine. Those for one
 * worker are fibers of nothing but a stack pointer, which hand over to each
 * other by name. Those for two are threads that spin, and never sleep.
 *
 * Edges of the spinning threads:
 *   A  a word that is seen is there: the sender's release store of `sent` ->
 *      the receiver's acquire load.
 *   B  a place that is free has been read: the receiver's release store of
 *      `taken` -> the sender's acquire load. In floor_lines() the answer is
 *      the same kind of word as the question, and both edges are A.
 */
#include "tasks.h"

#include "arch.h"
#include "atomic.h"
#include "fiber.h"

#include <pthread.h>
#include <stdlib.h>

#define STACK_BYTES 4096
#define RING        1024
#define LINE_BYTES  128 /* Two cache lines: they are fetched in pairs. */

/* --- calls instead of tasks --------------------------------------------- */

struct closure {
    void (*fn)(void *arg);
    void *arg;
};

static BENCH_FUNCTION void nothing(void *arg)
{
    bench_hide(arg);
}

double floor_calls(void *arg)
{
    static struct closure stack[BATCH];
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();
    struct closure *top = stack;

    for (uint64_t done = 0; done < job->count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            *top++ = (struct closure){nothing, job};
            bench_hide(top);
        }
        while (top != stack) {
            top--;
            top->fn(top->arg);
        }
    }
    return per_operation(job, begin);
}

/* The recursion is what is measured; it is as deep as n. */
static BENCH_FUNCTION uint64_t fib(uint64_t n)
{
    uint64_t one, two;

    if (n < 2)
        return n;
    one = fib(n - 1);
    bench_hide(one);
    two = fib(n - 2);
    bench_hide(two); /* Or this call would become a jump. */
    return one + two;
}

double floor_recursion(void *arg)
{
    struct job *job = arg;
    uint64_t forks, value, begin = brolga_now_ns();
    unsigned n = fib_size(job->count, &forks);

    value = fib(n);
    bench_hide(value);
    return bench_since(begin) / (double)forks;
}

/* --- fibers ------------------------------------------------------------- */

/* One floor runs at a time, and its fibers find all they need here. */
static struct {
    struct bench_fiber self; /* The thread's own. */
    struct bench_fiber other;
    uint64_t word; /* The mailbox. */
    uint64_t head, tail;
    uint64_t ring[RING];
    uint64_t sum;
} pair;

static _Alignas(16) char pair_stack[STACK_BYTES];

static void echo(void)
{
    for (;;) { /* Until nobody switches to it any more. */
        uint64_t word = pair.word;

        bench_hide(word);
        pair.word = word;
        bench_fiber_switch(&pair.other, &pair.self);
    }
}

double floor_mailbox(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    bench_fiber_prepare(&pair.other, pair_stack, STACK_BYTES, echo);
    for (uint64_t i = 0; i < job->count; i++) {
        pair.word = i;
        bench_fiber_switch(&pair.self, &pair.other);
        bench_check(pair.word == i, "the answer");
    }
    return per_operation(job, begin);
}

/* Takes words until there are none, again and again. */
static void drain(void)
{
    for (;;) { /* As above. */
        while (pair.head != pair.tail) {
            uint64_t word = pair.ring[pair.head++ % RING];

            bench_hide(word);
            pair.sum += word;
        }
        bench_fiber_switch(&pair.other, &pair.self);
    }
}

double floor_ring(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    pair.head = pair.tail = pair.sum = 0;
    bench_fiber_prepare(&pair.other, pair_stack, STACK_BYTES, drain);
    for (uint64_t i = 0; i < job->count; i++) {
        if (pair.tail - pair.head == RING)
            bench_fiber_switch(&pair.self, &pair.other);
        pair.ring[pair.tail++ % RING] = i;
    }
    bench_fiber_switch(&pair.self, &pair.other);
    bench_check(pair.sum == (job->count - 1) * job->count / 2, "all words");
    return per_operation(job, begin);
}

/* Fibers in a circle; the thread is one of them, the last. */
static struct {
    struct bench_fiber fiber[PARTIES_MAX];
    unsigned count;
    unsigned running;
} circle;

static inline void hop(void)
{
    unsigned from = circle.running, to = from + 1;

    if (to == circle.count)
        to = 0;
    circle.running = to;
    bench_fiber_switch(&circle.fiber[from], &circle.fiber[to]);
}

static void hop_forever(void)
{
    for (;;) /* As above. */
        hop();
}

double floor_hops(void *arg)
{
    struct job *job = arg;
    char *stacks = aligned_alloc(16, job->parties * (size_t)STACK_BYTES);
    uint64_t begin;
    double ns;

    bench_check(stacks != NULL, "memory for stacks");
    circle.count = job->parties;
    for (unsigned i = 0; i < job->parties - 1; i++)
        bench_fiber_prepare(&circle.fiber[i], stacks + i * (size_t)STACK_BYTES,
                            STACK_BYTES, hop_forever);
    circle.running = job->parties - 1;
    begin = brolga_now_ns();
    for (uint64_t i = 0; i < share(job); i++)
        hop(); /* Comes back when all others have hopped. */
    ns = per_operation(job, begin);
    free(stacks);
    return ns;
}

/* --- two processors ----------------------------------------------------- */

/* Written by one thread each. */
struct line {
    _Alignas(LINE_BYTES) _Atomic uint64_t value;
};

static struct {
    struct line sent;
    struct line taken;
    _Alignas(LINE_BYTES) uint64_t ring[RING];
    uint64_t count;
} lane;

static uint64_t wait_for(const struct line *line, uint64_t least)
{
    uint64_t value;

    /* The other thread moves on without us, until its last word. */
    while ((value = brolga__load_acquire(&line->value)) < least) /* A, B */
        brolga__cpu_relax();
    return value;
}

static void *with_thread(void *(*fn)(void *), void *(*mine)(void *))
{
    pthread_t thread;
    void *result;

    bench_check(pthread_create(&thread, NULL, fn, NULL) == 0, "a thread");
    result = mine(NULL);
    bench_check(pthread_join(thread, NULL) == 0, "pthread_join");
    return result;
}

static void lane_clear(uint64_t count)
{
    brolga__store_relaxed(&lane.sent.value, 0); /* The thread begins later. */
    brolga__store_relaxed(&lane.taken.value, 0);
    lane.count = count;
}

static void *line_ask(void *arg)
{
    for (uint64_t i = 1; i <= lane.count; i++) {
        brolga__store_release(&lane.sent.value, i); /* A */
        (void)wait_for(&lane.taken, i);
    }
    return arg;
}

static void *line_answer(void *arg)
{
    for (uint64_t i = 1; i <= lane.count; i++) {
        (void)wait_for(&lane.sent, i);
        brolga__store_release(&lane.taken.value, i); /* A */
    }
    return arg;
}

double floor_lines(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    lane_clear(job->count);
    (void)with_thread(line_answer, line_ask);
    return per_operation(job, begin);
}

static void *lane_send(void *arg)
{
    uint64_t limit = RING; /* As far as the taken words are known. */

    for (uint64_t i = 0; i < lane.count; i++) {
        if (i == limit)
            limit = wait_for(&lane.taken, i + 1 - RING) + RING;
        lane.ring[i % RING] = i;
        brolga__store_release(&lane.sent.value, i + 1); /* A */
    }
    return arg;
}

static void *lane_take(void *arg)
{
    uint64_t known = 0, sum = 0;

    for (uint64_t i = 0; i < lane.count; i++) {
        if (i == known)
            known = wait_for(&lane.sent, i + 1);
        sum += lane.ring[i % RING];
        brolga__store_release(&lane.taken.value, i + 1); /* B */
    }
    bench_check(sum == (lane.count - 1) * lane.count / 2, "all words");
    return arg;
}

double floor_ring_spins(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    lane_clear(job->count);
    (void)with_thread(lane_take, lane_send);
    return per_operation(job, begin);
}
