/*
 * Tasks and channels: starting, waking, switching, passing words on.
 *
 * The peers do the same with threads of the system: a mutex with condition
 * variables, or a pipe. They need no build of their own, and show what tasks
 * save; they are not the fastest that there is.
 *
 * Every figure is the time of one operation, taken from outside over all of
 * them, so that it includes starting and joining the few tasks that run them.
 */
#include "bench.h"

#include <brolga/brolga.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define TURNS       7
#define PARTIES_MAX 1000

/* What all measurements of this file are made of. */
struct job {
    brolga *rt;        /* NULL for peers. */
    unsigned parties;  /* Tasks of one kind. */
    size_t capacity;   /* Of channels. */
    uint64_t count;    /* Operations in all. */
    brolga_chan *chan; /* There; or the queue. */
    brolga_chan *back;
    struct ring *ring;
    struct ring *ring_back;
    int pipe[2][2];
};

static double per_operation(const struct job *job, uint64_t begin_ns)
{
    return bench_since(begin_ns) / (double)job->count;
}

static uint64_t share(const struct job *job)
{
    return job->count / job->parties;
}

/* --- a set of tasks, or of threads -------------------------------------- */

struct party {
    brolga_task *task;
    pthread_t thread;
};

static void start_task(struct party *party, struct job *job, brolga_task_fn fn)
{
    bench_must(brolga_spawn(job->rt, fn, job, NULL, &party->task));
}

static void join_task(struct party *party)
{
    bench_must(brolga_join(party->task, BROLGA_FOREVER, NULL, NULL));
}

static void start_thread(struct party *party, struct job *job,
                         void *(*fn)(void *))
{
    bench_check(pthread_create(&party->thread, NULL, fn, job) == 0,
                "pthread_create");
}

static void join_thread(struct party *party)
{
    bench_check(pthread_join(party->thread, NULL) == 0, "pthread_join");
}

/* --- spawn and join ----------------------------------------------------- */

#define BATCH 1000

static brolga_word nothing(void *arg)
{
    (void)arg;
    return 0;
}

static brolga_word spawn_all(void *arg)
{
    struct job *job = arg;
    static struct party party[BATCH];

    for (uint64_t done = 0; done < job->count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            start_task(&party[i], job, nothing);
        for (unsigned i = 0; i < BATCH; i++)
            join_task(&party[i]);
    }
    return 0;
}

static double sample_spawn(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();
    struct party root;

    start_task(&root, job, spawn_all);
    join_task(&root);
    return per_operation(job, begin);
}

static void *thread_nothing(void *arg)
{
    return arg;
}

static double sample_spawn_thread(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();
    struct party party;

    for (uint64_t i = 0; i < job->count; i++) {
        start_thread(&party, job, thread_nothing);
        join_thread(&party);
    }
    return per_operation(job, begin);
}

/* --- yield -------------------------------------------------------------- */

static brolga_word yield_often(void *arg)
{
    uint64_t count = share(arg);

    for (uint64_t i = 0; i < count; i++)
        brolga_yield();
    return 0;
}

static double sample_yield(void *arg)
{
    static struct party party[PARTIES_MAX];
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (unsigned i = 0; i < job->parties; i++)
        start_task(&party[i], job, yield_often);
    for (unsigned i = 0; i < job->parties; i++)
        join_task(&party[i]);
    return per_operation(job, begin);
}

/* --- a queue of threads: the peer of channels --------------------------- */

#define RING_MAX 1024

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

static brolga_word echo(void *arg)
{
    struct job *job = arg;
    brolga_word word = 0;

    for (uint64_t i = 0; i < job->count; i++) {
        bench_must(brolga_recv_word(job->chan, &word, BROLGA_FOREVER));
        bench_must(brolga_send_word(job->back, word, BROLGA_FOREVER));
    }
    return 0;
}

static brolga_word ask(void *arg)
{
    struct job *job = arg;
    brolga_word word = 0;

    for (uint64_t i = 0; i < job->count; i++) {
        bench_must(brolga_send_word(job->chan, (brolga_word)i, BROLGA_FOREVER));
        bench_must(brolga_recv_word(job->back, &word, BROLGA_FOREVER));
        bench_check(word == (brolga_word)i, "the answer");
    }
    return 0;
}

static brolga_chan *open_chan(const struct job *job)
{
    brolga_chan *chan;

    bench_must(brolga_chan_create(
        NULL, &(struct brolga_chan_opts){.capacity = job->capacity}, &chan));
    return chan;
}

static double sample_roundtrip(void *arg)
{
    struct job *job = arg;
    struct party asker, echoer;
    uint64_t begin;

    job->chan = open_chan(job);
    job->back = open_chan(job);
    begin = brolga_now_ns();
    start_task(&echoer, job, echo);
    start_task(&asker, job, ask);
    join_task(&asker);
    join_task(&echoer);
    begin = (uint64_t)bench_since(begin);
    brolga_chan_release(job->chan);
    brolga_chan_release(job->back);
    return (double)begin / (double)job->count;
}

static void *ring_echo(void *arg)
{
    struct job *job = arg;

    for (uint64_t i = 0; i < job->count; i++)
        ring_put(job->ring_back, ring_take(job->ring));
    return NULL;
}

static double sample_roundtrip_ring(void *arg)
{
    struct job *job = arg;
    struct party echoer;
    uint64_t begin;

    job->ring = ring_create(1);
    job->ring_back = ring_create(1);
    begin = brolga_now_ns();
    start_thread(&echoer, job, ring_echo);
    for (uint64_t i = 0; i < job->count; i++) {
        ring_put(job->ring, (int64_t)i);
        bench_check(ring_take(job->ring_back) == (int64_t)i, "the answer");
    }
    join_thread(&echoer);
    begin = (uint64_t)bench_since(begin);
    ring_destroy(job->ring);
    ring_destroy(job->ring_back);
    return (double)begin / (double)job->count;
}

static void *pipe_echo(void *arg)
{
    struct job *job = arg;
    char byte;

    for (uint64_t i = 0; i < job->count; i++)
        bench_check(read(job->pipe[0][0], &byte, 1) == 1 &&
                        write(job->pipe[1][1], &byte, 1) == 1,
                    "a pipe");
    return NULL;
}

static double sample_roundtrip_pipe(void *arg)
{
    struct job *job = arg;
    struct party echoer;
    uint64_t begin;
    char byte = 1;

    bench_check(pipe(job->pipe[0]) == 0 && pipe(job->pipe[1]) == 0, "a pipe");
    begin = brolga_now_ns();
    start_thread(&echoer, job, pipe_echo);
    for (uint64_t i = 0; i < job->count; i++)
        bench_check(write(job->pipe[0][1], &byte, 1) == 1 &&
                        read(job->pipe[1][0], &byte, 1) == 1,
                    "a pipe");
    join_thread(&echoer);
    begin = (uint64_t)bench_since(begin);
    for (unsigned i = 0; i < 4; i++)
        (void)close(job->pipe[i / 2][i % 2]);
    return (double)begin / (double)job->count;
}

/* --- producers and consumers -------------------------------------------- */

static brolga_word produce(void *arg)
{
    struct job *job = arg;
    uint64_t count = share(job);

    for (uint64_t i = 0; i < count; i++)
        bench_must(brolga_send_word(job->chan, (brolga_word)i, BROLGA_FOREVER));
    return 0;
}

static brolga_word consume(void *arg)
{
    struct job *job = arg;
    uint64_t count = share(job);
    brolga_word word = 0;

    for (uint64_t i = 0; i < count; i++)
        bench_must(brolga_recv_word(job->chan, &word, BROLGA_FOREVER));
    return word;
}

static double sample_queue(void *arg)
{
    struct job *job = arg;
    struct party producer[8], consumer[8];
    uint64_t begin;

    job->chan = open_chan(job);
    begin = brolga_now_ns();
    for (unsigned i = 0; i < job->parties; i++) {
        start_task(&producer[i], job, produce);
        start_task(&consumer[i], job, consume);
    }
    for (unsigned i = 0; i < job->parties; i++) {
        join_task(&producer[i]);
        join_task(&consumer[i]);
    }
    begin = (uint64_t)bench_since(begin);
    brolga_chan_release(job->chan);
    return (double)begin / (double)job->count;
}

static void *ring_produce(void *arg)
{
    struct job *job = arg;
    uint64_t count = share(job);

    for (uint64_t i = 0; i < count; i++)
        ring_put(job->ring, (int64_t)i);
    return NULL;
}

static void *ring_consume(void *arg)
{
    struct job *job = arg;
    uint64_t count = share(job);

    for (uint64_t i = 0; i < count; i++)
        (void)ring_take(job->ring);
    return NULL;
}

static double sample_queue_ring(void *arg)
{
    struct job *job = arg;
    struct party producer[8], consumer[8];
    uint64_t begin;

    job->ring = ring_create(job->capacity);
    begin = brolga_now_ns();
    for (unsigned i = 0; i < job->parties; i++) {
        start_thread(&producer[i], job, ring_produce);
        start_thread(&consumer[i], job, ring_consume);
    }
    for (unsigned i = 0; i < job->parties; i++) {
        join_thread(&producer[i]);
        join_thread(&consumer[i]);
    }
    begin = (uint64_t)bench_since(begin);
    ring_destroy(job->ring);
    return (double)begin / (double)job->count;
}

/* --- rows --------------------------------------------------------------- */

static struct job job_of(brolga *rt, unsigned parties, size_t capacity,
                         uint64_t count)
{
    return (struct job){.rt = rt,
                        .parties = parties,
                        .capacity = capacity,
                        .count = bench_count(count)};
}

static void run_spawn(brolga *rt, unsigned workers)
{
    struct job tasks = job_of(rt, 1, 0, 50 * BATCH);
    struct job threads = job_of(NULL, 1, 0, 500);
    const struct bench_subject subjects[] = {
        {"brolga", sample_spawn, &tasks},
        {"pthread", sample_spawn_thread, &threads},
    };

    bench_run(&(struct bench_row){"spawn_join", workers, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
}

static void run_roundtrip(brolga *rt, unsigned workers)
{
    struct job rendezvous = job_of(rt, 1, 0, 100000);
    struct job buffered = job_of(rt, 1, 1, 100000);
    struct job ring = job_of(NULL, 1, 1, 2500);
    struct job through_pipe = job_of(NULL, 1, 1, 2500);
    const struct bench_subject subjects[] = {
        {"brolga", sample_roundtrip, &rendezvous},
        {"brolga: capacity 1", sample_roundtrip, &buffered},
        {"pthread mutex and condition", sample_roundtrip_ring, &ring},
        {"pipe, 2 threads", sample_roundtrip_pipe, &through_pipe},
    };

    bench_run(&(struct bench_row){"roundtrip", workers, "ns", TURNS}, subjects,
              bench_lengthof(subjects));
}

static void run_queues(brolga *rt, unsigned workers)
{
    struct job one = job_of(rt, 1, 1024, 1000000);
    struct job one_ring = job_of(NULL, 1, 1024, 400000);
    struct job four = job_of(rt, 4, 1024, 1000000);
    struct job four_ring = job_of(NULL, 4, 1024, 400000);
    const struct bench_subject ones[] = {
        {"brolga", sample_queue, &one},
        {"pthread mutex and condition", sample_queue_ring, &one_ring},
    };
    const struct bench_subject fours[] = {
        {"brolga", sample_queue, &four},
        {"pthread mutex and condition", sample_queue_ring, &four_ring},
    };

    bench_run(&(struct bench_row){"spsc_1024", workers, "ns", TURNS}, ones,
              bench_lengthof(ones));
    bench_run(&(struct bench_row){"mpmc44_1024", workers, "ns", TURNS}, fours,
              bench_lengthof(fours));
}

static void run_switches(brolga *rt, unsigned workers)
{
    struct job two = job_of(rt, 2, 0, 1000000);
    struct job many = job_of(rt, PARTIES_MAX, 0, 1000000);
    const struct bench_subject twos[] = {{"brolga", sample_yield, &two}};
    const struct bench_subject manies[] = {{"brolga", sample_yield, &many}};

    if (workers == 1) /* Two workers would have one task each. */
        bench_run(&(struct bench_row){"switch2", workers, "ns", TURNS}, twos,
                  1);
    bench_run(&(struct bench_row){"yield1000", workers, "ns", TURNS}, manies,
              1);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "tasks");
    for (unsigned workers = 1; workers <= 2; workers++) {
        brolga *rt;

        bench_must(
            brolga_create(&(struct brolga_opts){.workers = workers}, &rt));
        run_spawn(rt, workers);
        run_roundtrip(rt, workers);
        run_queues(rt, workers);
        run_switches(rt, workers);
        bench_must(brolga_destroy(rt));
    }
    return 0;
}
