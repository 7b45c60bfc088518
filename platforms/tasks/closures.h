/*
 * Closures of compiled code: [code][capture]...
 *
 * Nothing tells what captures are, so they cannot be copied; and compiled code
 * counts without atomics, may free what a `let` holds when that ends, and does
 * not count parameters that it captures. So before a closure is called by
 * another task, it and all that it reaches are made immortal: closure_pin()
 * gives each object a count so high that no counting ever frees it, and lost
 * counts do no harm. That is how frozen values of Brolga look, too, so that
 * they are sent by their address from then on.
 */
#ifndef TASKS_CLOSURES_H
#define TASKS_CLOSURES_H

#include "host.h"

/**
 * Make a closure, and whatever it reaches, immortal. To be called on the thread
 * that passed it, before anybody else can see it.
 *
 * What a word is can only be guessed. One that is a multiple of 8, and has in
 * front of it, in memory that can be written to, what could be a size and a
 * count, is taken for an object. An integer that looks so by accident has a
 * word changed that lies 8 bytes below where it points.
 */
void closure_pin(brolga_word closure);

/* Bytes of objects that were made immortal. */
uint64_t closures_pinned(void);

static inline brolga_word call0(brolga_word closure)
{
    return ((brolga_word(*)(brolga_word))fields(closure)[0])(closure);
}

static inline brolga_word call1(brolga_word closure, brolga_word a)
{
    return ((brolga_word(*)(brolga_word, brolga_word))fields(closure)[0])(
        closure, a);
}

static inline brolga_word call2(brolga_word closure, brolga_word a,
                                brolga_word b)
{
    return ((brolga_word(*)(brolga_word, brolga_word, brolga_word))fields(
        closure)[0])(closure, a, b);
}

#endif
