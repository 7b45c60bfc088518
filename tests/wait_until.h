/*
 * For what another thread will make true: wait_until(condition) looks until
 * the condition holds, and is false when it does not after a time that is long
 * enough for the slowest machine. No test depends on how long a pause takes.
 */
#ifndef BROLGA_TESTS_WAIT_UNTIL_H
#define BROLGA_TESTS_WAIT_UNTIL_H

#include <brolga/base.h>

#include <sched.h>
#include <time.h>

/* Longer than a sanitizer, an emulator and a busy machine together need. */
#define WAIT_LIMIT_NS (20 * BROLGA_S)

/* Gives the processor away; from the hundredth look on for 200 us. False when
 * the deadline has passed. */
static inline bool wait_pause(uint64_t deadline_ns, unsigned *looks)
{
    const struct timespec pause = {0, 200000};

    if (++*looks < 100)
        (void)sched_yield();
    else
        (void)nanosleep(&pause, NULL);
    return brolga_now_ns() < deadline_ns;
}

#define wait_until(condition)                                                  \
    __extension__({                                                            \
        uint64_t wait_deadline = brolga_after_ns(WAIT_LIMIT_NS);               \
        unsigned wait_looks = 0;                                               \
        bool wait_holds;                                                       \
                                                                               \
        while (!(wait_holds = (condition)) &&                                  \
               wait_pause(wait_deadline, &wait_looks))                         \
            continue;                                                          \
        wait_holds;                                                            \
    })

#endif
