/*
 * What the host's allocator costs a parallel map: milliseconds of a map whose
 * closure allocates, with the lock that the host has, and without.
 *
 *   CRANELISP_TASKS_WORKERS=2 measure DLL
 */
#include "mock.h"

#include <stdio.h>
#include <time.h>

#define ITEMS   2000
#define OBJECTS 500 /* That one call allocates. */
#define ROUNDS  7

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* (fn [n] (length (list 1 2 3 ...))) */
static word allocates(word self, word n)
{
    (void)self;
    for (int i = 0; i < OBJECTS; i++) {
        word object = mock_alloc(24);

        at(object)[2] = n;
        n += at(object)[2] & 1;
    }
    return n;
}

/* The same length of time without an allocation. */
static word computes(word self, word n)
{
    (void)self;
    for (int i = 0; i < OBJECTS * 60; i++)
        n = n * 6364136223846793005 + 1;
    return n;
}

/* The shortest of some rounds. */
static double measure(word (*code)(word, word), bool locked)
{
    word fun = closure_make((closure_code)code, 0, NULL), words[ITEMS];
    double best = 1e9;
    word items;

    for (word i = 0; i < ITEMS; i++)
        words[i] = i;
    items = mock_vec(words, ITEMS);
    mock_set_locked(locked);
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now_ms(), took;

        (void)call_2("pmap-int", fun, items);
        took = now_ms() - begin;
        best = took < best ? took : best;
    }
    mock_set_locked(true);
    return best;
}

int main(int argc, char **argv)
{
    CHECK(argc > 1);
    mock_load(argv[1]);
    printf("computes          %7.1f ms\n", measure(computes, true));
    printf("allocates, no lock %6.1f ms\n", measure(allocates, false));
    printf("allocates, locked %7.1f ms\n", measure(allocates, true));
    return 0;
}
