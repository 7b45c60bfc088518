/*
 * Parallel collections: a closure for the elements of a (Vec a), on all
 * workers. Each call of the closure gets copies of its own, for compiled code
 * counts without atomics. A caller that has been canceled goes on alone, for
 * there is no result but the whole one.
 *
 * All results are outside. `vec` is borrowed.
 */
#ifndef TASKS_PAR_H
#define TASKS_PAR_H

#include "elements.h"

/* (Vec to), of what the closure, (Fn [from] to), returns for each. */
brolga_word par_map(unsigned from, unsigned to, brolga_word closure,
                    brolga_word vec);

/* The elements for which (Fn [a] Bool) says so, in their order. */
brolga_word par_filter(unsigned row, brolga_word closure, brolga_word vec);

/* identity + e0 + e1 + ..., where + is (Fn [a a] a) and associative. */
brolga_word par_reduce(unsigned row, brolga_word closure, brolga_word identity,
                       brolga_word vec);

#endif
