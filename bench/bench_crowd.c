/*
 * The topic "crowd": what a change of code means for a program that runs, and
 * for ten thousand tasks in it.
 *
 *   commit_tail   of a thousand commits with 10,000 slots in the table, each
 *                 of which replaces one, while two tasks call it all the time:
 *                 the time that 99 % of them do not exceed
 *   commit_pause  how long these tasks are kept by the safepoint at which they
 *                 adopt such a commit: the same share of them. And without the
 *                 time for which the system has their threads wait, since who
 *                 commits needs a processor, too
 *   adopt_10k     from a commit until 99.9 % of 10,000 tasks, which come to a
 *                 safepoint in turn, have called the new code
 *   code_free     from the commit that replaces a module until its memory is
 *                 given back, while 10,000 tasks are parked that never used it
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bench.h"

#include <brolga/brolga.h>

#include "atomic.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define WORKERS    2
#define SLOTS      10000
#define TASKS      10000
#define COMMITS    1000
#define TAIL_TURNS 5
#define TURNS      31
#define FREE_TURNS 101
#define PAGE_BYTES 4096

/* One at a time. */
static struct crowd {
    brolga *rt;
    brolga_slot slot;
    unsigned commits;
    brolga_task **task;
    uint64_t tasks;
    _Atomic uint64_t adopted; /* Tasks that have called the newest code. */
    uint64_t *when;           /* They did, in the order in which they did. */
    sem_t all_adopted;
    uint64_t freed_ns;
    sem_t freed;
} crowd;

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        ; /* A signal. */
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* What so many of a thousand values do not exceed. */
static double percentile(uint64_t *value, uint64_t count, unsigned thousandths)
{
    qsort(value, count, sizeof *value, by_value);
    return (double)value[(count * thousandths + 999) / 1000 - 1];
}

/* --- the code ----------------------------------------------------------- */

static BENCH_FUNCTION brolga_word one(void)
{
    return 1;
}

static BENCH_FUNCTION brolga_word two(void)
{
    return 2;
}

static void release_nothing(void *arg)
{
    (void)arg;
}

/* A transaction with a new unit for the first slot, or for all of them. */
static brolga_txn *prepare(unsigned slots)
{
    brolga_word (*fn)(void) = crowd.commits++ % 2 == 0 ? one : two;
    const void *code = (const void *)(uintptr_t)fn;
    const struct brolga_unit_opts opts = {.name = "crowd",
                                          .text = code,
                                          .text_bytes = 16,
                                          .policy = BROLGA_RECLAIM,
                                          .release = release_nothing};
    brolga_unit *unit;
    brolga_txn *txn;

    bench_must(brolga_txn_begin(brolga_runtime_got(crowd.rt), &txn));
    bench_must(brolga_txn_unit(txn, &opts, &unit));
    for (unsigned i = 0; i < slots; i++) {
        char symbol[16];

        (void)snprintf(symbol, sizeof symbol, "s%u", i);
        bench_must(brolga_txn_define(txn, unit, "bench", symbol, "", code,
                                     i == 0 ? &crowd.slot : NULL));
    }
    return txn;
}

static void begin(unsigned slots)
{
    bench_must(
        brolga_create(&(struct brolga_opts){.workers = WORKERS}, &crowd.rt));
    bench_must(brolga_txn_commit(prepare(slots), NULL));
}

static void end(void)
{
    bench_must(brolga_destroy(crowd.rt));
}

static brolga_word call(void)
{
    const void *code = brolga_view_self()->slots[crowd.slot];

    return ((brolga_word(*)(void))(uintptr_t)code)();
}

/* --- tasks that follow -------------------------------------------------- */

static void note_adoption(uint64_t ns)
{
    uint64_t before = brolga__add_relaxed(&crowd.adopted, 1);

    crowd.when[before] = ns;
    if (before + 1 == crowd.tasks)
        (void)sem_post(&crowd.all_adopted);
}

/* Says when it has called new code. */
static brolga_word follow(void *arg)
{
    brolga_word seen = call();

    (void)arg;
    note_adoption(0);
    while (!brolga_canceled()) {
        brolga_yield();
        if (call() != seen) {
            seen = call();
            note_adoption(brolga_now_ns());
        }
    }
    return 0;
}

static uint64_t thread_ns(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * BROLGA_S + (uint64_t)now.tv_nsec;
}

/* Says how long it was kept, by this clock. */
static inline brolga_word poll_by(uint64_t (*clock_ns)(void))
{
    brolga_word seen = call();

    note_adoption(0);
    while (!brolga_canceled()) {
        uint64_t since = clock_ns();

        brolga_safepoint();
        if (call() != seen) {
            uint64_t took = clock_ns() - since;

            seen = call();
            note_adoption(took);
        }
    }
    return 0;
}

static brolga_word poll(void *arg)
{
    (void)arg;
    return poll_by(brolga_now_ns);
}

/* It has its thread for itself. */
static brolga_word poll_working(void *arg)
{
    (void)arg;
    return poll_by(thread_ns);
}

/* Starts tasks, and waits until all have called the code. */
static void start(brolga_task_fn fn, uint64_t tasks)
{
    crowd.tasks = tasks;
    brolga__store_relaxed(&crowd.adopted, 0);
    crowd.task = calloc(tasks, sizeof *crowd.task);
    crowd.when = calloc(tasks, sizeof *crowd.when);
    bench_check(crowd.task != NULL && crowd.when != NULL, "memory");
    for (uint64_t i = 0; i < tasks; i++)
        bench_must(brolga_spawn(crowd.rt, fn, NULL, NULL, &crowd.task[i]));
    wait_for(&crowd.all_adopted);
}

static void stop(void)
{
    for (uint64_t i = 0; i < crowd.tasks; i++)
        brolga_cancel(crowd.task[i]);
    for (uint64_t i = 0; i < crowd.tasks; i++)
        bench_must(brolga_join(crowd.task[i], BROLGA_FOREVER, NULL, NULL));
    free(crowd.task);
    free(crowd.when);
}

/* Commits and waits until all follow. Returns what the call took, and when it
 * began. */
static uint64_t commit_and_follow(uint64_t *begin_ns)
{
    brolga_txn *txn = prepare(1);
    uint64_t took;

    brolga__store_relaxed(&crowd.adopted, 0);
    *begin_ns = brolga_now_ns();
    bench_must(brolga_txn_commit(txn, NULL));
    took = brolga_now_ns() - *begin_ns;
    wait_for(&crowd.all_adopted);
    return took;
}

/* --- commit_tail, commit_pause ------------------------------------------ */

/* Tasks that spin keep their workers, so each has one of its own. */
static void add_tails(struct bench_samples *tail, struct bench_samples *pause)
{
    uint64_t commits = bench_count(COMMITS), pauses = 0, begin_ns;
    uint64_t *took = calloc(commits, sizeof *took);
    uint64_t *kept = calloc(commits * WORKERS, sizeof *kept);

    bench_check(took != NULL && kept != NULL, "memory");
    for (uint64_t i = 0; i < commits; i++) {
        took[i] = commit_and_follow(&begin_ns);
        for (unsigned k = 0; k < WORKERS; k++)
            kept[pauses++] = crowd.when[k];
    }
    bench_add(tail, percentile(took, commits, 990) / 1000);
    bench_add(pause, percentile(kept, pauses, 990) / 1000);
    free(took);
    free(kept);
}

static void run_tails(void)
{
    static const struct bench_row tail_row = {"commit_tail", WORKERS, "us",
                                              TAIL_TURNS};
    static const struct bench_row pause_row = {"commit_pause", WORKERS, "us",
                                               TAIL_TURNS};
    struct bench_samples tail = {.count = 0}, pause = {.count = 0},
                         other_tail = {.count = 0}, work = {.count = 0};

    if (!bench_wants(tail_row.name) && !bench_wants(pause_row.name))
        return;
    begin(SLOTS);
    for (unsigned turn = 0; turn < bench_turns(TAIL_TURNS); turn++) {
        start(poll, WORKERS);
        add_tails(&tail, &pause);
        stop();
        start(poll_working, WORKERS);
        add_tails(&other_tail, &work);
        stop();
    }
    end();
    bench_print(&tail_row, "brolga", &tail);
    bench_print(&pause_row, "brolga", &pause);
    bench_print(&pause_row, "brolga: processor time", &work);
}

/* --- adopt_10k ---------------------------------------------------------- */

/* The tasks are there for the sample only, lest peers are measured beside a
 * crowd that runs. */
static double sample_adoption(void *arg)
{
    uint64_t begin_ns;
    double ns;

    (void)arg;
    start(follow, bench_count(TASKS));
    (void)commit_and_follow(&begin_ns);
    ns = percentile(crowd.when, crowd.tasks, 999) - (double)begin_ns;
    stop();
    return ns / 1e6;
}

static void run_adoption(void)
{
    static const struct bench_row row = {"adopt_10k", WORKERS, "ms", TURNS};

    if (!bench_wants(row.name))
        return;
    begin(1);
    bench_run(&row, &(struct bench_subject){"brolga", sample_adoption, NULL},
              1);
    end();
}

/* --- code_free ---------------------------------------------------------- */

static brolga_word wait_long(void *arg)
{
    (void)arg;
    note_adoption(0);
    while (brolga_sleep_until(BROLGA_FOREVER) != BROLGA_ECANCELED)
        ;
    return 0;
}

static void give_back(void *page)
{
    bench_check(munmap(page, PAGE_BYTES) == 0, "munmap");
    crowd.freed_ns = brolga_now_ns();
    (void)sem_post(&crowd.freed);
}

/* A module of its own page. Its code is not called, but might be. */
static void commit_page(void)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct brolga_unit_opts opts = {.name = "page",
                                          .text = page,
                                          .text_bytes = PAGE_BYTES,
                                          .policy = BROLGA_RECLAIM,
                                          .release = give_back,
                                          .arg = page};
    brolga_unit *unit;
    brolga_txn *txn;

    bench_check(page != MAP_FAILED, "mmap");
    bench_must(brolga_txn_begin(brolga_runtime_got(crowd.rt), &txn));
    bench_must(brolga_txn_unit(txn, &opts, &unit));
    bench_must(brolga_txn_define(txn, unit, "bench", "page", "", page, NULL));
    bench_must(brolga_txn_commit(txn, NULL));
}

static double sample_free(void *arg)
{
    uint64_t begin_ns = brolga_now_ns();

    (void)arg;
    commit_page(); /* The page before it may go now. */
    wait_for(&crowd.freed);
    return (double)(crowd.freed_ns - begin_ns) / 1e6;
}

static void run_free(void)
{
    static const struct bench_row row = {"code_free", WORKERS, "ms",
                                         FREE_TURNS};

    if (!bench_wants(row.name))
        return;
    begin(1);
    commit_page();
    start(wait_long, bench_count(TASKS));
    bench_run(&row, &(struct bench_subject){"brolga", sample_free, NULL}, 1);
    stop();
    end();
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "crowd");
    bench_check(sem_init(&crowd.all_adopted, 0, 0) == 0 &&
                    sem_init(&crowd.freed, 0, 0) == 0,
                "semaphores");
    run_tails();
    run_adoption();
    run_free();
    return 0;
}
