/*
 * The least that a task can be: a stack and a saved stack pointer. Floors are
 * made of it. No checks, no scheduler, one thread.
 */
#ifndef BROLGA_BENCH_FIBER_H
#define BROLGA_BENCH_FIBER_H

#include <stddef.h>

/* Smallest stack for a function that calls nothing big. */
#define BENCH_FIBER_BYTES_MIN 512

struct bench_fiber {
    void *sp; /* Where it goes on; in the fiber itself: garbage. */
};

/* In fiber_<cpu>.S. The first puts the frame of a fiber that has not begun
 * below `top` and returns where it ends. */
void *bench_fiber_frame(void *top, void (*fn)(void));
void bench_fiber_swap(void **save, void *load);

/**
 * Prepare a fiber that begins in fn() when it is first switched to. `fn` never
 * returns. The stack is the caller's; it begins and ends at multiples of 16.
 */
static inline void bench_fiber_prepare(struct bench_fiber *fiber, void *stack,
                                       size_t bytes, void (*fn)(void))
{
    fiber->sp = bench_fiber_frame((char *)stack + bytes, fn);
}

/** Leave `from` and go on in `to`. */
static inline void bench_fiber_switch(struct bench_fiber *from,
                                      struct bench_fiber *to)
{
    bench_fiber_swap(&from->sp, to->sp);
}

#endif
