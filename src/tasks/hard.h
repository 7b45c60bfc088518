/*
 * Rare paths, taken often: what a race test needs to come by them.
 *
 * In builds with BROLGA_DEBUG or ThreadSanitizer, and with BROLGA_HARD=1 in the
 * environment when a runtime is created, brolga__hard(n) is true once in n
 * times; otherwise it is false, and in other builds no code at all. Each use
 * must lead to something that may happen anyway.
 */
#ifndef BROLGA_SRC_TASKS_HARD_H
#define BROLGA_SRC_TASKS_HARD_H

#include "base.h"
#include "tasks/ctx.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(BROLGA_DEBUG) || defined(BROLGA__TSAN)
#define brolga__hard(one_in)                                                   \
    (brolga__unlikely(brolga__hard_on) && brolga__hard_drawn(one_in))

/* Written before there are tasks. */
extern bool brolga__hard_on;

bool brolga__hard_drawn(uint32_t one_in);
/* Stands still for a moment, long enough for another thread to act. */
void brolga__hard_pause(void);
#else
#define brolga__hard_on      false
#define brolga__hard(one_in) false
#define brolga__hard_pause() ((void)0)
#endif

/* Looks at the environment. */
void brolga__hard_init(void);

#endif
