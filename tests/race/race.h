/*
 * What every race test has: a seed that is printed, a time to run for, a gate
 * that starts all parties at once, and a check that ends the process with the
 * seed that reproduces the run.
 *
 *   race_calls [--seconds S] [--seed N]
 */
#ifndef BROLGA_TESTS_RACE_H
#define BROLGA_TESTS_RACE_H

#include <brolga/base.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct race {
    const char *name;
    uint64_t seed;
    uint64_t end_ns;
    _Atomic int open; /* The gate. */
};

static struct race race;

#define race_check(ok, ...)                                                    \
    do {                                                                       \
        if (!(ok)) {                                                           \
            fprintf(stderr, "%s:%d: failed: %s; ", __FILE__, __LINE__, #ok);   \
            fprintf(stderr, " " __VA_ARGS__);                                  \
            fprintf(stderr, "\nagain: %s --seed %llu\n", race.name,            \
                    (unsigned long long)race.seed);                            \
            abort();                                                           \
        }                                                                      \
    } while (0)

#define race_ok(call) race_check((call) == BROLGA_OK, "%s", "")

static inline double race_option(int argc, char **argv, const char *name,
                                 double otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return atof(argv[i + 1]);
    return otherwise;
}

static inline void race_begin(int argc, char **argv)
{
    double seconds = race_option(argc, argv, "--seconds", 2);

    race.name = argv[0];
    race.seed = (uint64_t)race_option(argc, argv, "--seed",
                                      (double)(brolga_now_ns() % 1000000007));
    race.end_ns = brolga_after_ns((uint64_t)(seconds * 1e9));
    printf("%s --seed %llu --seconds %g\n", race.name,
           (unsigned long long)race.seed, seconds);
    fflush(stdout);
}

static inline bool race_over(void)
{
    return brolga_now_ns() >= race.end_ns;
}

/* splitmix64: every party draws from a state of its own, made of the seed. */
static inline uint64_t race_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t race_state(uint64_t party)
{
    return race.seed * UINT64_C(0x9e3779b97f4a7c15) + party * 1000003;
}

#endif
