/*
 * Threads of the system as peers: a mutex with condition variables, or a pipe.
 * They need no build of their own, and show what tasks save.
 */
#include "tasks.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define RING_MAX      1024
#define PRODUCERS_MAX 8

static pthread_t start_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;

    bench_check(pthread_create(&thread, NULL, fn, arg) == 0, "pthread_create");
    return thread;
}

static void join_thread(pthread_t thread)
{
    bench_check(pthread_join(thread, NULL) == 0, "pthread_join");
}

/* --- spawn and join ----------------------------------------------------- */

static void *nothing(void *arg)
{
    return arg;
}

double sample_spawn_thread(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (uint64_t i = 0; i < job->count; i++)
        join_thread(start_thread(nothing, NULL));
    return per_operation(job, begin);
}

/* --- a queue ------------------------------------------------------------ */

struct ring {
    pthread_mutex_t lock; /* Guards all below. */
    pthread_cond_t filled;
    pthread_cond_t emptied;
    uint64_t head;
    uint64_t tail;
    uint64_t capacity;
    int64_t word[RING_MAX];
};

static struct ring *ring_create(uint64_t capacity)
{
    struct ring *ring = calloc(1, sizeof *ring);

    bench_check(ring != NULL, "memory for a ring");
    ring->capacity = capacity;
    bench_check(pthread_mutex_init(&ring->lock, NULL) == 0 &&
                    pthread_cond_init(&ring->filled, NULL) == 0 &&
                    pthread_cond_init(&ring->emptied, NULL) == 0,
                "a mutex");
    return ring;
}

static void ring_destroy(struct ring *ring)
{
    (void)pthread_cond_destroy(&ring->emptied);
    (void)pthread_cond_destroy(&ring->filled);
    (void)pthread_mutex_destroy(&ring->lock);
    free(ring);
}

static void ring_put(struct ring *ring, int64_t word)
{
    (void)pthread_mutex_lock(&ring->lock);
    while (ring->tail - ring->head == ring->capacity)
        (void)pthread_cond_wait(&ring->emptied, &ring->lock);
    ring->word[ring->tail++ % ring->capacity] = word;
    (void)pthread_cond_signal(&ring->filled);
    (void)pthread_mutex_unlock(&ring->lock);
}

static int64_t ring_take(struct ring *ring)
{
    int64_t word;

    (void)pthread_mutex_lock(&ring->lock);
    while (ring->tail == ring->head)
        (void)pthread_cond_wait(&ring->filled, &ring->lock);
    word = ring->word[ring->head++ % ring->capacity];
    (void)pthread_cond_signal(&ring->emptied);
    (void)pthread_mutex_unlock(&ring->lock);
    return word;
}

/* --- there and back ----------------------------------------------------- */

struct rings {
    struct ring *there;
    struct ring *back;
    uint64_t count;
};

static void *ring_echo(void *arg)
{
    struct rings *rings = arg;

    for (uint64_t i = 0; i < rings->count; i++)
        ring_put(rings->back, ring_take(rings->there));
    return NULL;
}

double sample_roundtrip_ring(void *arg)
{
    struct job *job = arg;
    struct rings rings = {ring_create(1), ring_create(1), job->count};
    uint64_t begin = brolga_now_ns();
    pthread_t echoer = start_thread(ring_echo, &rings);
    double ns;

    for (uint64_t i = 0; i < job->count; i++) {
        ring_put(rings.there, (int64_t)i);
        bench_check(ring_take(rings.back) == (int64_t)i, "the answer");
    }
    join_thread(echoer);
    ns = per_operation(job, begin);
    ring_destroy(rings.there);
    ring_destroy(rings.back);
    return ns;
}

struct pipes {
    int there[2];
    int back[2];
    uint64_t count;
};

static void *pipe_echo(void *arg)
{
    struct pipes *pipes = arg;
    char byte;

    for (uint64_t i = 0; i < pipes->count; i++)
        bench_check(read(pipes->there[0], &byte, 1) == 1 &&
                        write(pipes->back[1], &byte, 1) == 1,
                    "a pipe");
    return NULL;
}

double sample_roundtrip_pipe(void *arg)
{
    struct job *job = arg;
    struct pipes pipes = {.count = job->count};
    pthread_t echoer;
    uint64_t begin;
    char byte = 1;
    double ns;

    bench_check(pipe(pipes.there) == 0 && pipe(pipes.back) == 0, "a pipe");
    begin = brolga_now_ns();
    echoer = start_thread(pipe_echo, &pipes);
    for (uint64_t i = 0; i < job->count; i++)
        bench_check(write(pipes.there[1], &byte, 1) == 1 &&
                        read(pipes.back[0], &byte, 1) == 1,
                    "a pipe");
    join_thread(echoer);
    ns = per_operation(job, begin);
    for (unsigned i = 0; i < 2; i++) {
        (void)close(pipes.there[i]);
        (void)close(pipes.back[i]);
    }
    return ns;
}

/* --- producers and consumers -------------------------------------------- */

struct end {
    struct ring *ring;
    uint64_t count;
};

static void *ring_produce(void *arg)
{
    struct end *end = arg;

    for (uint64_t i = 0; i < end->count; i++)
        ring_put(end->ring, (int64_t)i);
    return NULL;
}

static void *ring_consume(void *arg)
{
    struct end *end = arg;

    for (uint64_t i = 0; i < end->count; i++)
        (void)ring_take(end->ring);
    return NULL;
}

double sample_queue_ring(void *arg)
{
    struct job *job = arg;
    struct end end = {ring_create(job->capacity), share(job)};
    pthread_t producer[PRODUCERS_MAX], consumer[PRODUCERS_MAX];
    uint64_t begin = brolga_now_ns();
    double ns;

    for (unsigned i = 0; i < job->parties; i++) {
        producer[i] = start_thread(ring_produce, &end);
        consumer[i] = start_thread(ring_consume, &end);
    }
    for (unsigned i = 0; i < job->parties; i++) {
        join_thread(producer[i]);
        join_thread(consumer[i]);
    }
    ns = per_operation(job, begin);
    ring_destroy(end.ring);
    return ns;
}
