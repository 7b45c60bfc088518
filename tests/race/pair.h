/*
 * A pair of functions that a transaction always changes together, and those who
 * call it: both must be of the same transaction, and none may be older than the
 * last one. Who includes this says how the two are called, before:
 *
 *     static brolga_word call_left(void);
 *     static brolga_word call_right(void);
 */
#ifndef BROLGA_TESTS_RACE_PAIR_H
#define BROLGA_TESTS_RACE_PAIR_H

#include "race/race.h"

struct caller {
    uint64_t random;
    uint64_t calls;
    brolga_word last;
};

/* Calls the pair a few times without a safepoint in between. */
static void call_pairs(struct caller *caller)
{
    unsigned times = (unsigned)(race_random(&caller->random) % 8) + 1;
    brolga_word first = call_left();

    race_check(first >= caller->last, "%lld after %lld", (long long)first,
               (long long)caller->last);
    caller->last = first;
    for (unsigned i = 0; i < times; i++) {
        brolga_word a = call_left(), b = call_right();

        race_check(a == first && b == first, "torn: %lld %lld in %lld",
                   (long long)a, (long long)b, (long long)first);
        caller->calls += 2;
    }
}

#endif
