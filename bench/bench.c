/* Options, turns, medians and lines: see bench.h. */
#include "bench.h"
#include "peer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    const char *topic;
    const char *only; /* NULL = everything. */
    bool quick;
} options;

/* Subjects of one row. */
#define SUBJECTS_MAX 64

void bench_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_%s: failed: %s\n", options.topic, what);
    exit(EXIT_FAILURE);
}

void bench_begin(int argc, char **argv, const char *topic)
{
    options.topic = topic;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            options.quick = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            options.only = argv[++i];
        else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc)
            bench_peer_add(argv[++i]);
        else
            bench_check(false, "usage: [--quick] [--only 'TOPIC|ROW|...'] "
                               "[--peer COMMAND]...");
    }
    if (options.only != NULL && options.only[0] == '\0')
        options.only = NULL;
}

/* Whether one of the names between '|' is `name`. */
static bool is_listed(const char *list, const char *name)
{
    size_t bytes = strlen(name);

    while (list != NULL) {
        const char *end = strchr(list, '|');
        size_t item = end == NULL ? strlen(list) : (size_t)(end - list);

        if (item == bytes && strncmp(list, name, bytes) == 0)
            return true;
        list = end == NULL ? NULL : end + 1;
    }
    return false;
}

bool bench_wants(const char *row)
{
    return options.only == NULL || is_listed(options.only, options.topic) ||
           is_listed(options.only, row);
}

bool bench_is_quick(void)
{
    return options.quick;
}

uint64_t bench_count(uint64_t count)
{
    return options.quick && count > 50 ? count / 50 : count;
}

unsigned bench_turns(unsigned turns)
{
    return options.quick && turns > 2 ? 2 : turns;
}

double bench_since(uint64_t begin_ns)
{
    return (double)(brolga_now_ns() - begin_ns);
}

uint64_t bench_cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * BROLGA_S + (uint64_t)now.tv_nsec;
}

double bench_cpu_since(uint64_t begin_ns)
{
    return (double)(bench_cpu_ns() - begin_ns);
}

void bench_add(struct bench_samples *samples, double value)
{
    if (samples->count < BENCH_SAMPLES_MAX && !isnan(value))
        samples->value[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void bench_print(const struct bench_row *row, const char *subject,
                 struct bench_samples *samples)
{
    unsigned n = samples->count;
    double *v = samples->value;

    if (n == 0)
        return;
    qsort(v, n, sizeof v[0], compare);
    printf("%s\t%u\t%s\t%s\t%.4g\t%.4g\t%.4g\t%u\n", row->name, row->workers,
           row->unit, subject, (v[(n - 1) / 2] + v[n / 2]) / 2, v[0], v[n - 1],
           n);
    fflush(stdout);
}

/* One subject that a peer measures, at the row's number of workers. */
struct asking {
    struct bench_asked *asked;
    unsigned workers;
};

static double sample_peer(void *arg)
{
    struct asking *asking = arg;
    double figure[BENCH_FIGURES_MAX];

    if (bench_peer_ask(asking->asked, asking->workers,
                       bench_count(asking->asked->count), false, figure) == 0)
        return NAN;
    return figure[0];
}

/* The subjects that peers have for the row, behind `count` others; returns how
 * many there are in all. */
static size_t append_peers(const struct bench_row *row,
                           struct bench_subject *subject, size_t count,
                           struct asking *asking)
{
    struct bench_asked *asked[SUBJECTS_MAX];
    size_t more = bench_peer_subjects(row->name, row->workers, asked,
                                      SUBJECTS_MAX - count);

    for (size_t i = 0; i < more; i++) {
        asking[i] = (struct asking){asked[i], row->workers};
        subject[count + i] =
            (struct bench_subject){asked[i]->name, sample_peer, &asking[i]};
    }
    return count + more;
}

/* One sample of each; the first turn warms up. */
static void run_turn(const struct bench_subject *subject, size_t count,
                     struct bench_samples *samples, bool warms_up)
{
    for (size_t i = 0; i < count; i++) {
        double value = subject[i].sample(subject[i].arg);

        if (!warms_up)
            bench_add(&samples[i], value);
    }
}

void bench_run(const struct bench_row *row, const struct bench_subject *subject,
               size_t count)
{
    struct bench_subject all[SUBJECTS_MAX];
    struct asking asking[SUBJECTS_MAX];
    unsigned turns = bench_turns(row->turns);
    struct bench_samples *samples;

    if (!bench_wants(row->name))
        return;
    bench_check(count <= SUBJECTS_MAX, "fewer subjects");
    memcpy(all, subject, count * sizeof *subject);
    count = append_peers(row, all, count, asking);
    samples = calloc(count, sizeof *samples);
    bench_check(samples != NULL, "memory for samples");
    for (unsigned turn = 0; turn <= turns; turn++)
        run_turn(all, count, samples, turn == 0);
    for (size_t i = 0; i < count; i++)
        bench_print(row, all[i].name, &samples[i]);
    free(samples);
}
