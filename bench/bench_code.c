/*
 * Code memory and the reclaimer: what a reload of generated code costs, how
 * soon old code is freed, and what tasks that hold none of it cost the
 * reclaimer.
 *
 *   code_reload     one function is compiled into code memory, published, and
 *                   the one before is freed, with nobody running it: until that
 *                   is done. The floor is the system's share: memory, written,
 *                   made to run, and given back.
 *   code_freed      from the moment at which the last frame leaves old code
 *                   until that is freed; the frames are parked. The subjects
 *                   are the median and the 99th percentile of all times.
 *   reclaim_parked  processor time of the whole process for one reload, with
 *                   100,000 parked tasks that hold nothing, and with none.
 *   reclaim_scan    of the same, with 10,000 tasks that stand in the old code,
 *                   for each of them: their stacks are searched.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bench.h"

#include <brolga/brolga.h>
#include <brolga/code.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static brolga *rt;
static brolga_code *code;
static brolga_chan *chan; /* What tasks wait at. */

/* --- a compiler --------------------------------------------------------- */

/* A function that calls the function and the argument that its argument leads
 * to, from a frame of its own. */
#if defined(__x86_64__)
static const unsigned char machine_code[] = {
    0x55,                   /* push %rbp */
    0x48, 0x89, 0xe5,       /* mov %rsp, %rbp */
    0x48, 0x8b, 0x07,       /* mov (%rdi), %rax */
    0x48, 0x8b, 0x7f, 0x08, /* mov 8(%rdi), %rdi */
    0xff, 0xd0,             /* call *%rax */
    0x5d, 0xc3,             /* pop %rbp; ret */
};
#else
static const unsigned machine_code[] = {
    0xa9bf7bfd, /* stp x29, x30, [sp, #-16]! */
    0x910003fd, /* mov x29, sp */
    0xf9400009, /* ldr x9, [x0] */
    0xf9400400, /* ldr x0, [x0, #8] */
    0xd63f0120, /* blr x9 */
    0xa8c17bfd, /* ldp x29, x30, [sp], #16 */
    0xd65f03c0, /* ret */
};
#endif

struct call {
    brolga_word (*fn)(void *arg);
    void *arg;
};

static _Atomic uint64_t freed_ns; /* When the last unit was freed. */
static _Atomic uint64_t freed;    /* How many were. */

static void note_release(void *arg)
{
    (void)arg;
    freed_ns = brolga_now_ns();
    freed++;
}

static brolga_slot publish(void)
{
    struct brolga_code_unit_opts opts = {
        .name = "f", .policy = BROLGA_RECLAIM, .release = note_release};
    struct brolga_code_block *block;
    brolga_unit *unit;
    brolga_txn *txn;
    brolga_slot slot;

    bench_must(brolga_code_alloc(code, sizeof machine_code, &block));
    memcpy(block->write, machine_code, sizeof machine_code);
    bench_must(brolga_code_seal(block));
    bench_must(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    bench_must(brolga_code_unit(txn, block, &opts, &unit));
    bench_must(
        brolga_txn_define(txn, unit, "m", "f", "(Fn [])", block->run, &slot));
    bench_must(brolga_txn_commit(txn, NULL));
    return slot;
}

static void wait_until_freed(uint64_t count)
{
    uint64_t end = brolga_after_ns(60 * BROLGA_S);

    while (freed < count) {
        (void)brolga_reclaim_step(rt);
        bench_check(brolga_now_ns() < end, "old code to be freed");
    }
}

static void open_world(void)
{
    bench_must(brolga_create(&(struct brolga_opts){.workers = 2}, &rt));
    bench_must(brolga_code_create(brolga_runtime_got(rt), NULL, &code));
    bench_must(brolga_chan_create(NULL, NULL, &chan));
    freed = 0;
}

static void close_world(void)
{
    bench_must(brolga_destroy(rt));
    bench_must(brolga_code_destroy(code));
}

/* --- tasks that wait ---------------------------------------------------- */

static brolga_word receive(void *arg)
{
    brolga_word word;

    (void)arg;
    bench_check(brolga_recv_word(chan, &word, BROLGA_FOREVER) == BROLGA_ECLOSED,
                "a receive that waits");
    return 0;
}

static struct call through_unit = {receive, NULL};

static size_t waiting(void)
{
    struct brolga_chan_stats stats;

    brolga_chan_stats(chan, &stats);
    return stats.receivers_waiting;
}

/* `slot` 0: tasks without a frame in a unit. */
static void start_waiting(uint64_t count, brolga_slot slot)
{
    for (uint64_t i = 0; i < count; i++)
        if (slot != 0)
            bench_must(brolga_spawn_slot(rt, slot, &through_unit, NULL, NULL));
        else
            bench_must(brolga_spawn(rt, receive, NULL, NULL, NULL));
    while (waiting() < count)
        (void)usleep(1000);
}

static void end_waiting(void)
{
    (void)brolga_chan_close(chan, BROLGA_OK, NULL);
    while (brolga_tasks_live(rt) > 0)
        (void)usleep(1000);
    brolga_chan_release(chan);
}

/* --- rows --------------------------------------------------------------- */

static double process_us(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

#define RELOADS 200

/* Microseconds of a clock for one reload, until the old code is freed. */
static double reload(double (*clock_us)(void))
{
    uint64_t count = bench_count(RELOADS), first;
    double begin;

    first = freed;
    begin = clock_us();
    for (uint64_t i = 1; i <= count; i++) {
        (void)publish();
        wait_until_freed(first + i);
    }
    return (clock_us() - begin) / (double)count;
}

static double now_us(void)
{
    return (double)brolga_now_ns() / 1e3;
}

static double sample_reload(void *arg)
{
    double us;

    (void)arg;
    open_world();
    (void)publish();
    us = reload(now_us);
    end_waiting();
    close_world();
    return us;
}

/* What the system must do at least: one mapping a function. */
static double sample_mapping(void *arg)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t count = bench_count(RELOADS);
    double begin = now_us();

    (void)arg;
    for (uint64_t i = 0; i < count; i++) {
        char *text = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        bench_check(text != MAP_FAILED, "memory for code");
        memcpy(text, machine_code, sizeof machine_code);
        bench_check(mprotect(text, bytes, PROT_READ | PROT_EXEC) == 0,
                    "memory for code");
        (void)munmap(text, bytes);
    }
    return (now_us() - begin) / (double)count;
}

static double sample_parked(void *arg)
{
    double us;

    open_world();
    start_waiting(*(uint64_t *)arg, 0);
    (void)publish();
    us = reload(process_us);
    end_waiting();
    close_world();
    return us;
}

#define HOLDERS UINT64_C(10000)

/* All stand in the same old unit; another one is replaced meanwhile, so that
 * they are searched for that, too. */
static double sample_scan(void *arg)
{
    uint64_t count = bench_count(HOLDERS);
    double us, without;
    brolga_slot slot;

    (void)arg;
    open_world();
    (void)publish();
    without = reload(process_us);
    slot = publish();
    wait_until_freed(bench_count(RELOADS) + 1);
    start_waiting(count, slot);
    (void)publish(); /* That one stays, as long as they do. */
    us = reload(process_us);
    end_waiting();
    close_world();
    return (us - without) * 1000 / (double)count;
}

/* --- last use until freed ----------------------------------------------- */

#define TIMES 100

static _Atomic uint64_t left_ns;
static _Atomic bool entered;

static brolga_word sleep_there(void *arg)
{
    entered = true;
    (void)brolga_sleep_until(brolga_after_ns(5 * BROLGA_MS));
    left_ns = brolga_now_ns();
    return (brolga_word)(uintptr_t)arg;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The reclaimer's own thread does it, at its own pace. */
static double free_once(void)
{
    static struct call call = {sleep_there, NULL};
    uint64_t end = brolga_after_ns(60 * BROLGA_S), before = freed;
    brolga_task *task;

    entered = false;
    bench_must(brolga_spawn_slot(rt, publish(), &call, NULL, &task));
    while (!entered || freed < before + 1) /* The one before. */
        (void)usleep(500);
    (void)publish();
    bench_must(brolga_join(task, BROLGA_FOREVER, NULL, NULL));
    while (freed < before + 2) {
        (void)usleep(200);
        bench_check(brolga_now_ns() < end, "old code to be freed");
    }
    return (double)(freed_ns - left_ns) / 1e6;
}

static void run_freed(void)
{
    const struct bench_row row = {"code_freed", 2, "ms", 1};
    struct bench_samples half = {0}, most = {0};
    double ms[TIMES];
    size_t count = bench_is_quick() ? 10 : TIMES;

    open_world();
    (void)publish();
    for (size_t i = 0; i < count; i++)
        ms[i] = free_once();
    qsort(ms, count, sizeof *ms, by_value);
    bench_add(&half, ms[count / 2]);
    bench_add(&most, ms[count * 99 / 100]);
    bench_print(&row, "brolga: median", &half);
    bench_print(&row, "brolga: 99 of 100", &most);
    end_waiting();
    close_world();
}

int main(int argc, char **argv)
{
    static uint64_t none = 0, many = 100000;
    const struct bench_subject reloads[] = {
        {"brolga", sample_reload, NULL},
        {"floor: a mapping of its own", sample_mapping, NULL}};
    const struct bench_subject parked[] = {
        {"brolga: 100,000 tasks", sample_parked, &many},
        {"brolga: no tasks", sample_parked, &none}};
    const struct bench_subject scan[] = {{"brolga", sample_scan, NULL}};

    bench_begin(argc, argv, "code");
    many = bench_count(many);
    if (bench_wants("code_reload"))
        bench_run(&(struct bench_row){"code_reload", 2, "us", bench_turns(7)},
                  reloads, bench_lengthof(reloads));
    if (bench_wants("code_freed"))
        run_freed();
    if (bench_wants("reclaim_parked"))
        bench_run(
            &(struct bench_row){"reclaim_parked", 2, "us", bench_turns(3)},
            parked, bench_lengthof(parked));
    if (bench_wants("reclaim_scan"))
        bench_run(&(struct bench_row){"reclaim_scan", 2, "ns", bench_turns(3)},
                  scan, bench_lengthof(scan));
    return 0;
}
