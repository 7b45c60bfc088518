/*
 * Tasks and channels: starting, forking, waking, switching, passing words on.
 *
 * Here is Brolga's side, and what is measured beside what. The floors are in
 * tasks_floor.c, threads of the system in tasks_threads.c; other runtimes are
 * programs of their own, see peer.h. Parked tasks are measured by programs of
 * their own too, Brolga's (bench_parked.c) like the others, a new one for each
 * sample: no sample finds the memory of the one before.
 *
 * Every figure is the time of one operation, taken from outside over all of
 * them, so that it includes starting and joining the few tasks that run them.
 */
#define _DEFAULT_SOURCE /* nanosleep() */
#include "peer.h"
#include "tasks.h"

#include <pthread.h>
#include <time.h>

#define TURNS        7
#define TURNS_PARKED 5
#define PARKED       1000000
#define PARKED_QUICK 100000
#define CONSUMERS    8

/* How often fib(27) forks. */
#define FORKS_FIB27 317810

/* --- a set of tasks ----------------------------------------------------- */

static brolga_task *start(struct job *job, brolga_task_fn fn)
{
    brolga_task *task;

    bench_must(brolga_spawn(job->rt, fn, job, NULL, &task));
    return task;
}

static void join(brolga_task *task)
{
    bench_must(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
}

/* --- spawn and join ----------------------------------------------------- */

static brolga_word nothing(void *arg)
{
    (void)arg;
    return 0;
}

static brolga_word spawn_all(void *arg)
{
    struct job *job = arg;
    static brolga_task *task[BATCH];

    for (uint64_t done = 0; done < job->count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            task[i] = start(job, nothing);
        for (unsigned i = 0; i < BATCH; i++)
            join(task[i]);
    }
    return 0;
}

static double sample_spawn(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    join(start(job, spawn_all));
    return per_operation(job, begin);
}

static brolga_word fork_all(void *arg)
{
    struct job *job = arg;
    static struct brolga_fork fork[BATCH];

    for (uint64_t done = 0; done < job->count; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            brolga_fork(&fork[i], nothing, NULL);
        for (unsigned i = BATCH; i-- > 0;)
            (void)brolga_fork_join(&fork[i]);
    }
    return 0;
}

static double sample_fork(void *arg)
{
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    join(start(job, fork_all));
    return per_operation(job, begin);
}

/* --- fork and join ------------------------------------------------------ */

/* The recursion is what is measured; it is as deep as n. */
static brolga_word forked_fib(void *arg)
{
    brolga_word n = (brolga_word)(intptr_t)arg, sum;
    struct brolga_fork fork;

    if (n < 2)
        return n;
    brolga_fork(&fork, forked_fib, (void *)(intptr_t)(n - 1));
    sum = forked_fib((void *)(intptr_t)(n - 2));
    return sum + brolga_fork_join(&fork);
}

struct half {
    brolga *rt;
    unsigned n;
};

/* The recursion is what is measured; it is as deep as n. */
static brolga_word fib(void *arg)
{
    const struct half *whole = arg;
    struct half mine, other;
    brolga_task *task;
    brolga_word sum, word;

    if (whole->n < 2)
        return (brolga_word)whole->n;
    other = (struct half){whole->rt, whole->n - 1};
    mine = (struct half){whole->rt, whole->n - 2};
    bench_must(brolga_spawn(whole->rt, fib, &other, NULL, &task));
    sum = fib(&mine);
    bench_must(brolga_join(task, BROLGA_FOREVER, &word, NULL));
    return sum + word;
}

static uint64_t fib_of(unsigned n)
{
    uint64_t value = 0, next = 1;

    for (; n > 0; n--) {
        next += value;
        value = next - value;
    }
    return value;
}

static double sample_fib(void *arg)
{
    struct job *job = arg;
    uint64_t forks, begin = brolga_now_ns();
    struct half whole = {job->rt, fib_size(job->count, &forks)};
    brolga_task *task;
    brolga_word word;

    bench_must(brolga_spawn(job->rt, fib, &whole, NULL, &task));
    bench_must(brolga_join(task, BROLGA_FOREVER, &word, NULL));
    bench_check(word == (brolga_word)fib_of(whole.n), "the sum");
    return bench_since(begin) / (double)forks;
}

static double sample_forked_fib(void *arg)
{
    struct job *job = arg;
    uint64_t forks, begin = brolga_now_ns();
    unsigned n = fib_size(job->count, &forks);
    brolga_task *task;
    brolga_word word;

    bench_must(
        brolga_spawn(job->rt, forked_fib, (void *)(intptr_t)n, NULL, &task));
    bench_must(brolga_join(task, BROLGA_FOREVER, &word, NULL));
    bench_check(word == (brolga_word)fib_of(n), "the sum");
    return bench_since(begin) / (double)forks;
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
    static brolga_task *task[PARTIES_MAX];
    struct job *job = arg;
    uint64_t begin = brolga_now_ns();

    for (unsigned i = 0; i < job->parties; i++)
        task[i] = start(job, yield_often);
    for (unsigned i = 0; i < job->parties; i++)
        join(task[i]);
    return per_operation(job, begin);
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
    brolga_task *asker, *echoer;
    uint64_t begin;
    double ns;

    job->chan = open_chan(job);
    job->back = open_chan(job);
    begin = brolga_now_ns();
    echoer = start(job, echo);
    asker = start(job, ask);
    join(asker);
    join(echoer);
    ns = per_operation(job, begin);
    brolga_chan_release(job->chan);
    brolga_chan_release(job->back);
    return ns;
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
    brolga_task *producer[CONSUMERS], *consumer[CONSUMERS];
    uint64_t begin;
    double ns;

    job->chan = open_chan(job);
    begin = brolga_now_ns();
    for (unsigned i = 0; i < job->parties; i++) {
        producer[i] = start(job, produce);
        consumer[i] = start(job, consume);
    }
    for (unsigned i = 0; i < job->parties; i++) {
        join(producer[i]);
        join(consumer[i]);
    }
    ns = per_operation(job, begin);
    brolga_chan_release(job->chan);
    return ns;
}

/* --- parked tasks ------------------------------------------------------- */

/* Both rows of a subject, from the same samples. */
struct parked {
    struct bench_asked *asked;
    struct bench_samples bytes;
    struct bench_samples create;
};

static void sample_parked(struct parked *parked, unsigned workers,
                          uint64_t count)
{
    double figure[BENCH_FIGURES_MAX];
    unsigned figures =
        bench_peer_ask(parked->asked, workers, count, true, figure);

    if (figures != 2)
        return;
    bench_add(&parked->bytes, figure[0]);
    bench_add(&parked->create, figure[1]);
}

static uint64_t parked_count(const struct bench_asked *asked)
{
    uint64_t count = bench_is_quick() ? PARKED_QUICK : PARKED;

    return asked->count < count ? asked->count : count;
}

static void run_parked(unsigned workers)
{
    static struct parked parked[16];
    struct bench_asked *asked[bench_lengthof(parked)];
    size_t count =
        bench_peer_subjects("parked", workers, asked, bench_lengthof(parked));

    for (size_t i = 0; i < count; i++)
        parked[i] = (struct parked){.asked = asked[i]};
    for (unsigned turn = 0; turn < bench_turns(TURNS_PARKED); turn++)
        for (size_t i = 0; i < count; i++)
            sample_parked(&parked[i], workers, parked_count(asked[i]));
    for (size_t i = 0; i < count; i++)
        bench_print(&(struct bench_row){"parked_bytes", workers, "B", 0},
                    asked[i]->name, &parked[i].bytes);
    for (size_t i = 0; i < count; i++)
        bench_print(&(struct bench_row){"parked_create", workers, "ns", 0},
                    asked[i]->name, &parked[i].create);
}

/* --- deadlocks ---------------------------------------------------------- */

#define TURNS_DEADLOCK 21

/* Tasks that wait for what nobody sends. */
struct stuck {
    struct job job;
    uint64_t calm_ns; /* Nothing has come to rest for that long. */
    uint64_t last_ns; /* One was about to wait; with one worker, the last. */
    uint64_t told_ns; /* The first one was told. */
    pthread_mutex_t lock;
};

static void note_begin(struct stuck *stuck)
{
    uint64_t now = brolga_now_ns();

    (void)pthread_mutex_lock(&stuck->lock);
    if (now > stuck->last_ns)
        stuck->last_ns = now;
    (void)pthread_mutex_unlock(&stuck->lock);
}

static void note_told(struct stuck *stuck)
{
    uint64_t now = brolga_now_ns();

    (void)pthread_mutex_lock(&stuck->lock);
    if (stuck->told_ns == 0)
        stuck->told_ns = now;
    (void)pthread_mutex_unlock(&stuck->lock);
}

static brolga_word wait_in_vain(void *arg)
{
    struct stuck *stuck = arg;
    brolga_word word;

    note_begin(stuck);
    bench_check(brolga_recv_word(stuck->job.chan, &word, BROLGA_FOREVER) ==
                    BROLGA_EDEADLOCK,
                "a deadlock");
    note_told(stuck);
    return 0;
}

static brolga_word start_stuck(void *arg)
{
    struct stuck *stuck = arg;
    brolga_scope *scope;

    bench_must(brolga_scope_open(NULL, &scope));
    for (unsigned i = 0; i < stuck->job.parties; i++)
        bench_must(
            brolga_spawn(stuck->job.rt, wait_in_vain, stuck, NULL, NULL));
    bench_check(brolga_scope_join(scope, NULL) == BROLGA_EDEADLOCK,
                "a scope that is told");
    return 0;
}

/* From when the last one waits until the first one is told. */
static double sample_stuck(void *arg)
{
    struct stuck *stuck = arg;
    struct timespec calm = {.tv_nsec = (long)stuck->calm_ns};
    brolga_task *task;

    stuck->job.chan = open_chan(&stuck->job);
    stuck->last_ns = stuck->told_ns = 0;
    (void)nanosleep(&calm, NULL);
    bench_must(brolga_spawn(stuck->job.rt, start_stuck, stuck, NULL, &task));
    join(task);
    brolga_chan_release(stuck->job.chan);
    return (double)(stuck->told_ns - stuck->last_ns) / 1000;
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

static void run(const char *name, unsigned workers,
                const struct bench_subject *subjects, size_t count)
{
    bench_run(&(struct bench_row){name, workers, "ns", TURNS}, subjects, count);
}

static void run_spawn(brolga *rt, unsigned workers)
{
    struct job tasks = job_of(rt, 1, 0, 100 * BATCH);
    struct job forks = job_of(rt, 1, 0, 1000 * BATCH);
    struct job calls = job_of(NULL, 1, 0, 1000 * BATCH);
    struct job threads = job_of(NULL, 1, 0, 500);
    const struct bench_subject subjects[] = {
        {"brolga", sample_spawn, &tasks},
        {"brolga: forks", sample_fork, &forks},
        {"floor: functions pushed, popped, called", floor_calls, &calls},
        {"pthread", sample_spawn_thread, &threads},
    };

    run("spawn_join", workers, subjects, bench_lengthof(subjects));
}

static void run_forkjoin(brolga *rt, unsigned workers)
{
    struct job job = job_of(rt, 1, 0, FORKS_FIB27);
    const struct bench_subject subjects[] = {
        {"brolga: forks", sample_forked_fib, &job},
        {"brolga: tasks", sample_fib, &job},
        {"floor: recursion, no fork", floor_recursion, &job},
    };

    run("forkjoin_fib27", workers, subjects, bench_lengthof(subjects));
}

static void run_roundtrip(brolga *rt, unsigned workers)
{
    struct job rendezvous = job_of(rt, 1, 0, 100000);
    struct job buffered = job_of(rt, 1, 1, 100000);
    struct job fibers = job_of(NULL, 1, 1, 1000000);
    struct job ring = job_of(NULL, 1, 1, 1000);
    struct job through_pipe = job_of(NULL, 1, 1, 1000);
    struct job lines = job_of(NULL, 1, 1, 20000);
    const struct bench_subject subjects[] = {
        {"brolga", sample_roundtrip, &rendezvous},
        {"brolga: capacity 1", sample_roundtrip, &buffered},
        {"floor: two fibers, one-slot mailbox", floor_mailbox, &fibers},
        {"pthread mutex and condition", sample_roundtrip_ring, &ring},
        {"pipe, 2 threads", sample_roundtrip_pipe, &through_pipe},
        {"floor: two threads spin on two words", floor_lines, &lines},
    };

    run("roundtrip", workers, subjects,
        bench_lengthof(subjects) - (workers == 1));
}

static void run_queue(brolga *rt, unsigned workers, const char *row,
                      unsigned parties)
{
    struct job tasks = job_of(rt, parties, 1024, 1000000);
    struct job fibers = job_of(NULL, parties, 1024, 1000000);
    struct job threads = job_of(NULL, parties, 1024, 200000);
    const struct bench_subject subjects[] = {
        {"brolga", sample_queue, &tasks},
        {"floor: two fibers, ring of 1024", floor_ring, &fibers},
        {"pthread mutex and condition", sample_queue_ring, &threads},
        {"floor: ring, two threads spin", floor_ring_spins, &threads},
    };

    run(row, workers, subjects,
        bench_lengthof(subjects) - (workers == 1 || parties > 1));
}

static void run_switches(brolga *rt, unsigned workers, const char *row,
                         unsigned parties)
{
    struct job job = job_of(rt, parties, 0, 1000000);
    const struct bench_subject subjects[] = {
        {"brolga", sample_yield, &job},
        {"floor: fibers switch to the next", floor_hops, &job},
    };

    run(row, workers, subjects, bench_lengthof(subjects));
}

static void ignore(void *arg, const struct brolga_event *event)
{
    (void)arg;
    (void)event;
}

static void run_deadlocks(unsigned workers)
{
    struct brolga_opts opts = {.workers = workers,
                               .deadlocks = BROLGA_DEADLOCKS_FAIL,
                               .on_event = ignore};
    struct stuck two = {.calm_ns = 20 * BROLGA_MS}, soon, many;
    const struct bench_subject subjects[] = {
        {"brolga", sample_stuck, &two},
        {"brolga: right after one", sample_stuck, &soon},
        {"brolga: 100,000 tasks", sample_stuck, &many},
    };
    brolga *rt;

    bench_must(brolga_create(&opts, &rt));
    two.job = job_of(rt, 2, 0, 1);
    (void)pthread_mutex_init(&two.lock, NULL);
    soon = many = two;
    soon.calm_ns = 0;
    many.job.parties = bench_is_quick() ? 10000 : 100000;
    bench_run(&(struct bench_row){"deadlock_found", workers, "us",
                                  bench_turns(TURNS_DEADLOCK)},
              subjects, bench_lengthof(subjects));
    bench_must(brolga_destroy(rt));
}

static void run_rows(unsigned workers)
{
    brolga *rt;

    bench_must(brolga_create(&(struct brolga_opts){.workers = workers}, &rt));
    run_spawn(rt, workers);
    run_forkjoin(rt, workers);
    run_roundtrip(rt, workers);
    run_queue(rt, workers, "spsc_1024", 1);
    run_queue(rt, workers, "mpmc44_1024", 4);
    if (workers == 1) /* Two workers would have one task each. */
        run_switches(rt, workers, "switch2", 2);
    run_switches(rt, workers, "yield1000", PARTIES_MAX);
    bench_must(brolga_destroy(rt));
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "tasks");
    bench_peer_add(BENCH_PARKED);
    for (unsigned workers = 1; workers <= 2; workers++) {
        run_rows(workers);
        if (bench_wants("parked_bytes") || bench_wants("parked_create"))
            run_parked(workers);
        if (bench_wants("deadlock_found"))
            run_deadlocks(workers);
    }
    return 0;
}
