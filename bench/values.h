/*
 * Values for benchmarks, in the model of Cranelisp. Who includes this has the
 * model in `model`.
 */
#ifndef BROLGA_BENCH_VALUES_H
#define BROLGA_BENCH_VALUES_H

#include "bench.h"

#include <brolga/copy.h>

static struct brolga_model model;

static inline brolga_word *fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

/* 0, 1, ..., count - 1 */
static inline brolga_word make_list(uint64_t count)
{
    brolga_word first = 0, *to = &first;

    for (uint64_t i = 0; i < count; i++) {
        *to = model.alloc(24, model.arg);
        bench_check(*to != 0, "memory for a value");
        fields(*to)[0] = 1; /* Cons */
        fields(*to)[1] = (brolga_word)i;
        to = &fields(*to)[2];
    }
    *to = 0; /* Nil */
    return first;
}

#endif
