/*
 * What every benchmark shares: options, repetitions, medians, output.
 *
 * A *row* is one question ("what does a call through a slot cost?"), asked of
 * several *subjects*: Brolga, a peer that does the same job, or a floor below
 * which nobody gets. The subjects of a row are measured in turns, so that a
 * slow minute of the machine hits all of them. The first turn warms up and is
 * forgotten.
 *
 * One line a subject on standard output, fields separated by tabs:
 *
 *     row  workers  unit  subject  median  min  max  n
 *
 * Less is better in every row. Messages for people go to standard error.
 *
 * Design: a benchmark has no result to return when something fails, so every
 * failure ends the program (bench_must). Only a peer may fail: it is left out.
 */
#ifndef BROLGA_BENCH_H
#define BROLGA_BENCH_H

#include <brolga/base.h>

#define BENCH_SAMPLES_MAX 128

/** A row of the table. */
struct bench_row {
    const char *name;
    unsigned workers; /* 0 = no runtime takes part. */
    const char *unit;
    unsigned turns; /* Samples of each subject. */
};

/** Who is measured: `sample` returns one figure in the row's unit. */
struct bench_subject {
    const char *name; /* "brolga", a peer's name, or "floor: what". */
    double (*sample)(void *arg);
    void *arg;
};

/** Samples that a program collects by itself. */
struct bench_samples {
    double value[BENCH_SAMPLES_MAX];
    unsigned count;
};

/**
 * Read the options: --quick (short runs, for a check that all of it works),
 * --only 'A|B' (topics or rows), --peer COMMAND (see peer.h; any number of
 * them). `topic` is the program's own.
 */
void bench_begin(int argc, char **argv, const char *topic);

/** Whether --only asks for a row. */
bool bench_wants(const char *row);

/** Whether this is a run with --quick. */
bool bench_is_quick(void);

/** A count of operations, or a small part of it with --quick. */
uint64_t bench_count(uint64_t count);

/** Turns of a row that takes long: `turns`, or 2 with --quick. */
unsigned bench_turns(unsigned turns);

/**
 * Measure the subjects of a row in turns, those of peers too, and print a line
 * for each. A sample that is no number is no sample.
 */
void bench_run(const struct bench_row *row, const struct bench_subject *subject,
               size_t count);

/** Add a sample; beyond BENCH_SAMPLES_MAX it is forgotten, as is no number. */
void bench_add(struct bench_samples *samples, double value);

/** Print the line of a subject whose samples have been collected. */
void bench_print(const struct bench_row *row, const char *subject,
                 struct bench_samples *samples);

/** Nanoseconds of the monotonic clock since `begin_ns`, as a sample. */
double bench_since(uint64_t begin_ns);

/** The processor time of the calling thread: the better clock for what does not
 * leave it. */
uint64_t bench_cpu_ns(void);

/** The same since `begin_ns`, as a sample. */
double bench_cpu_since(uint64_t begin_ns);

/** End the program if a call of Brolga failed. */
#define bench_must(call) bench_check((call) == BROLGA_OK, #call)

/** End the program with a text if `ok` is false. */
void bench_check(bool ok, const char *what);

/* The compiler must believe that a value is needed, and that it may come from
 * anywhere. */
#define bench_hide(value) __asm__ __volatile__("" : "+r"(value) : : "memory")

/* A function that is called as it stands, aligned so that its place in the
 * file does not show in its time. */
#define BENCH_FUNCTION __attribute__((noinline, aligned(64)))

#define bench_lengthof(array) (sizeof(array) / sizeof((array)[0]))

#endif
