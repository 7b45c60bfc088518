/* Options, turns, medians and lines: see bench.h. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *topic;
    const char *only; /* NULL = everything. */
    bool quick;
} options;

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
        else
            bench_check(false, "usage: [--quick] [--only 'TOPIC|ROW|...']");
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

void bench_add(struct bench_samples *samples, double value)
{
    if (samples->count < BENCH_SAMPLES_MAX)
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

void bench_run(const struct bench_row *row, const struct bench_subject *subject,
               size_t count)
{
    unsigned turns = bench_turns(row->turns);
    struct bench_samples *samples;

    if (!bench_wants(row->name))
        return;
    samples = calloc(count, sizeof *samples);
    bench_check(samples != NULL, "memory for samples");
    for (unsigned turn = 0; turn <= turns; turn++) {
        for (size_t i = 0; i < count; i++) {
            double value = subject[i].sample(subject[i].arg);

            if (turn > 0) /* The first one warms up. */
                bench_add(&samples[i], value);
        }
    }
    for (size_t i = 0; i < count; i++)
        bench_print(row, subject[i].name, &samples[i]);
    free(samples);
}
