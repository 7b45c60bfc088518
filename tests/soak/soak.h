/*
 * What the soaks share: reloads in great numbers, and figures of the process
 * that must not grow by them.
 *
 * A figure is taken when all old code has gone, so that what is alive is the
 * same each time: resident memory, and how many mappings there are.
 */
#ifndef BROLGA_TESTS_SOAK_H
#define BROLGA_TESTS_SOAK_H

#include "race/race.h"

#include <brolga/task.h>

#include "atomic.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

/* Nothing is waited for any longer. */
#define SOAK_PATIENCE_S 120

/* --- the reclaimer's news ----------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
} soak_news = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

static inline void soak_on_event(void *arg, const struct brolga_event *event)
{
    (void)arg;
    (void)event;
    pthread_mutex_lock(&soak_news.lock);
    pthread_cond_broadcast(&soak_news.more);
    pthread_mutex_unlock(&soak_news.lock);
}

static inline struct timespec soak_patience(void)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += SOAK_PATIENCE_S;
    return end;
}

/* At a cap a host waits, as the session does. */
static inline void soak_wait_for_room(brolga_txn *txn)
{
    struct timespec end = soak_patience();
    struct brolga_report report;
    int err = 0;

    pthread_mutex_lock(&soak_news.lock);
    while (err == 0 && brolga_txn_check(txn, &report) != BROLGA_OK) {
        race_check(report.refusal == BROLGA_REFUSED_LIMIT, "%s", report.text);
        err = pthread_cond_timedwait(&soak_news.more, &soak_news.lock, &end);
    }
    pthread_mutex_unlock(&soak_news.lock);
    race_check(err == 0, "old code does not go");
}

static inline void soak_commit(brolga_txn *txn)
{
    struct brolga_report report;

    soak_wait_for_room(txn);
    race_check(brolga_txn_commit(txn, &report) == BROLGA_OK, "%s", report.text);
}

/* Waits until nothing old is left. */
static inline void soak_settle(brolga *rt)
{
    struct timespec end = soak_patience();
    struct brolga_got_stats stats;
    int err = 0;

    pthread_mutex_lock(&soak_news.lock);
    brolga_got_stats(brolga_runtime_got(rt), &stats);
    while (err == 0 && (stats.versions_live > 1 || stats.units_retired > 0)) {
        err = pthread_cond_timedwait(&soak_news.more, &soak_news.lock, &end);
        brolga_got_stats(brolga_runtime_got(rt), &stats);
    }
    pthread_mutex_unlock(&soak_news.lock);
    race_check(err == 0, "%u versions, %u units are left", stats.versions_live,
               stats.units_retired);
}

/* --- figures of the process --------------------------------------------- */

struct soak_size {
    double kib;        /* Resident. */
    unsigned mappings; /* Of the address space. */
};

/* Exactly: the figure in statm is off by some pages for each processor. */
static inline double soak_resident_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = -1;

    race_check(file != NULL, "there is no /proc/self/smaps_rollup");
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %lf kB", &kib) == 1)
            break;
    (void)fclose(file);
    return kib;
}

static inline unsigned soak_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    unsigned lines = 0;
    int c;

    race_check(file != NULL, "there is no /proc/self/maps");
    while ((c = getc(file)) != EOF)
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

static inline struct soak_size soak_measure(brolga *rt)
{
    soak_settle(rt);
    return (struct soak_size){soak_resident_kib(), soak_mappings()};
}

/* --- many reloads, and what they leave ---------------------------------- */

/* Stages the next version of everything. */
typedef void (*soak_stage)(brolga *rt, brolga_txn *txn, uint64_t number);

static inline void soak_reload(brolga *rt, soak_stage stage, uint64_t number)
{
    brolga_txn *txn;

    race_ok(brolga_txn_begin(brolga_runtime_got(rt), &txn));
    stage(rt, txn, number);
    soak_commit(txn);
}

/* The figures are looked at this many times; the first tenth warms up. */
#define SOAK_LOOKS 10

/*
 * Reloads so many times. Nothing may have grown by `most_kib` since the
 * warm-up, and the mappings must be as many at each look, but for `spread`:
 * pages of code that happen to lie side by side are one mapping.
 */
static inline void soak_many(brolga *rt, soak_stage stage, uint64_t count,
                             double most_kib, unsigned spread)
{
    struct soak_size first = {0}, now = {0};
    unsigned most = 0, least = UINT32_MAX;
    uint64_t begun_ns = brolga_now_ns(), number = 0;

    for (unsigned look = 1; look <= SOAK_LOOKS; look++) {
        for (; number < count * look / SOAK_LOOKS; number++)
            soak_reload(rt, stage, number + 2);
        now = soak_measure(rt);
        printf("%10" PRIu64
               " reloads  %8.0f KiB  %5u mappings  %6.1f us each\n",
               number, now.kib, now.mappings,
               (double)(brolga_now_ns() - begun_ns) / 1e3 / (double)number);
        fflush(stdout);
        if (look == 1) {
            first = now;
            continue;
        }
        most = now.mappings > most ? now.mappings : most;
        least = now.mappings < least ? now.mappings : least;
    }
    printf("grown by %.0f KiB since the first look; %u to %u mappings\n",
           now.kib - first.kib, least, most);
    race_check(now.kib - first.kib < most_kib, "grown by %.0f KiB",
               now.kib - first.kib);
    race_check(most - least <= spread, "%u to %u mappings", least, most);
}

#endif
