/*
 * Reloads at a rate, under many tasks: what they cost those tasks, and that
 * nothing goes wrong for as long as it is asked to.
 *
 * Every task calls through its view, works for a while, and yields; so each of
 * them passes hundreds of safepoints a second, between which lies one reload
 * or more. Reloads come for a while, and then do not, in turns; what the tasks
 * get done in the two is compared. It is counted per second of processor time
 * that the process has used, the reloads' own included, so that other processes
 * do not change the result; and the thread that reloads wakes as often without.
 * Code lies in pages that are used again, as in a JIT's arena, since it is not
 * mmap() that is to be measured.
 *
 *   soak_rate [--rate N] [--seconds S] [--tasks N] [--work N] [--loss PERCENT]
 */
#include "soak/soak.h"

#include "jit.h"

#include <sched.h>
#include <sys/resource.h>

/* Of the time with reloads, and of that without. */
#define TURN_S 1.0

static brolga_slot value;
static _Atomic bool stop;
static uint64_t work;

struct party {
    _Alignas(64) _Atomic uint64_t done;
};

/* Pages of code, in the order in which they are taken and given back. */
#define PAGES 4096

static struct {
    pthread_mutex_t lock;
    struct jit_unit unit[PAGES];
    struct jit_unit *free[PAGES];
    uint64_t taken, given;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void pool_fill(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        race_check(jit_make_constant(&pool.unit[i], i), "no page");
        pool.free[i] = &pool.unit[i];
    }
    pool.given = PAGES;
}

static void pool_empty(void)
{
    race_check(pool.given - pool.taken == PAGES, "a unit is not released");
    for (unsigned i = 0; i < PAGES; i++)
        jit_unmap(&pool.unit[i]);
}

static struct jit_unit *pool_take(void)
{
    struct jit_unit *unit;

    pthread_mutex_lock(&pool.lock);
    race_check(pool.taken < pool.given, "old code does not go");
    unit = pool.free[pool.taken++ % PAGES];
    pthread_mutex_unlock(&pool.lock);
    return unit;
}

static void pool_give(void *unit)
{
    pthread_mutex_lock(&pool.lock);
    pool.free[pool.given++ % PAGES] = unit;
    pthread_mutex_unlock(&pool.lock);
}

static void stage(brolga *rt, brolga_txn *txn, uint64_t number)
{
    struct jit_unit *jit = pool_take();
    struct brolga_unit_opts opts = jit_opts(jit, "value", BROLGA_RECLAIM);
    brolga_unit *unit;

    (void)rt;
    (void)number;
    opts.release = pool_give;
    race_ok(brolga_txn_unit(txn, &opts, &unit));
    race_ok(brolga_txn_define(txn, unit, "value", "f", "", jit->text,
                              value == 0 ? &value : NULL));
}

/* Some hundred nanoseconds, as a message takes. */
static uint64_t spend(uint64_t state)
{
    for (uint64_t i = 0; i < work; i++)
        state = race_random(&state);
    return state;
}

static brolga_word run(void *arg)
{
    struct party *party = arg;
    uint64_t state = 0;
    brolga_word number;

    while (!brolga__load_relaxed(&stop)) {
        number = jit_call(brolga_view_self()->slots[value], NULL);
        race_check(number >= 0 && number < PAGES, "not our code");
        state = spend(state);
        brolga__store_relaxed(&party->done,
                              brolga__load_relaxed(&party->done) + 1);
        brolga_yield();
    }
    return (brolga_word)(state & 1);
}

static double processor_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t done(const struct party *party, unsigned count)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += brolga__load_relaxed(&party[i].done);
    return sum;
}

/* Sums of one kind of turns. */
struct turns {
    double wall_s, processor_s;
    uint64_t done, reloads;
};

static void sleep_until_ns(uint64_t when_ns)
{
    struct timespec when = {(time_t)(when_ns / BROLGA_S),
                            (long)(when_ns % BROLGA_S)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
        continue;
}

/* Keeps to the rate: a reload that has come late makes none of the next ones
 * later. Without a number nothing is reloaded. */
static void turn(brolga *rt, const struct party *party, unsigned tasks,
                 double rate, uint64_t *number, struct turns *turns)
{
    uint64_t begun_ns = brolga_now_ns(), count = 0;
    uint64_t end_ns = begun_ns + (uint64_t)(TURN_S * 1e9);
    double begun_s = processor_s();
    uint64_t begun = done(party, tasks);

    while (rate > 0 && brolga_now_ns() < end_ns) {
        if (number != NULL)
            soak_reload(rt, stage, ++*number);
        count++;
        sleep_until_ns(begun_ns + (uint64_t)((double)count * 1e9 / rate));
    }
    sleep_until_ns(end_ns);
    turns->processor_s += processor_s() - begun_s;
    turns->wall_s += (double)(brolga_now_ns() - begun_ns) / 1e9;
    turns->done += done(party, tasks) - begun;
    turns->reloads += number != NULL ? count : 0;
}

static double rate_of(const struct turns *turns)
{
    return (double)turns->done / turns->processor_s / 1e6;
}

static void print(const char *what, const struct turns *turns)
{
    printf("%-8s %6.1f s, %7" PRIu64 " reloads (%.0f/s): %8.3f M turns a "
           "second of processor time, %8.3f M a second\n",
           what, turns->wall_s, turns->reloads,
           (double)turns->reloads / turns->wall_s, rate_of(turns),
           (double)turns->done / turns->wall_s / 1e6);
}

static void soak(brolga *rt, const struct party *party, unsigned tasks,
                 double rate, double seconds, double most_loss)
{
    struct turns with = {0}, without = {0};
    uint64_t number = 1;
    double loss;

    while (with.wall_s < seconds) {
        turn(rt, party, tasks, rate, &number, &with);
        if (most_loss < 100)
            turn(rt, party, tasks, rate, NULL, &without);
    }
    print("reloads", &with);
    race_check(with.done > 0 && with.reloads > 0, "nothing has happened");
    if (most_loss >= 100)
        return;
    print("without", &without);
    loss = 100 * (1 - rate_of(&with) / rate_of(&without));
    printf("loss: %.2f %%\n", loss);
    race_check(loss <= most_loss, "%.2f %% are lost", loss);
}

int main(int argc, char **argv)
{
    double rate = race_option(argc, argv, "--rate", 200);
    double seconds = race_option(argc, argv, "--seconds", 1);
    double loss = race_option(argc, argv, "--loss", 100);
    unsigned tasks = (unsigned)race_option(argc, argv, "--tasks", 100);
    struct party *party = calloc(tasks, sizeof *party);
    brolga_task **task = calloc(tasks, sizeof *task);
    brolga *rt;

    work = (uint64_t)race_option(argc, argv, "--work", 400);
    race_begin(argc, argv);
    race_check(party != NULL && task != NULL, "out of memory");
    race_ok(brolga_create(
        &(struct brolga_opts){.workers = 2, .on_event = soak_on_event}, &rt));
    pool_fill();
    soak_reload(rt, stage, 1);
    for (unsigned i = 0; i < tasks; i++)
        race_ok(brolga_spawn(rt, run, &party[i], NULL, &task[i]));
    soak(rt, party, tasks, rate, seconds, loss);
    brolga__store_relaxed(&stop, true);
    for (unsigned i = 0; i < tasks; i++)
        race_ok(brolga_join(task[i], BROLGA_FOREVER, NULL, NULL));
    soak_settle(rt);
    race_ok(brolga_destroy(rt));
    pool_empty();
    free(task);
    free(party);
    return 0;
}
