/*
 * Small values that share parts with each other, for tests that send them about
 * and count every object: lists of options, (List (Option Int)), in the model
 * of Cranelisp with exact counts. Whoever includes this says what `check` is.
 */
#ifndef BROLGA_TESTS_CHAN_VALUES_H
#define BROLGA_TESTS_CHAN_VALUES_H

#include "atomic.h"

#include <brolga/chan.h>

#include <string.h>

static struct brolga_model values_preset;
static brolga_types *values_types;
static const brolga_type *values_type;
static _Atomic int64_t values_live; /* objects */

static inline brolga_word values_alloc(int64_t bytes, void *arg)
{
    brolga_word value = values_preset.alloc(bytes, arg);

    if (value != 0)
        (void)brolga__add_relaxed(&values_live, 1);
    return value;
}

static inline void values_free(brolga_word value, void *arg)
{
    (void)brolga__add_relaxed(&values_live, -1);
    values_preset.free(value, arg);
}

static inline int values_open(void)
{
    struct brolga_model model = values_preset = brolga_model_cranelisp();
    int err;

    model.alloc = values_alloc;
    model.free = values_free;
    model.exact_counts = true;
    err = brolga_types_create(&model, &values_types);
    return err != BROLGA_OK
               ? err
               : brolga_type_parse(values_types, "(List (Option Int))",
                                   &values_type, NULL);
}

static inline brolga_word *values_fields(brolga_word value)
{
    return (brolga_word *)(uintptr_t)value;
}

static inline int64_t *values_count(brolga_word value)
{
    return &values_fields(value)[-1];
}

static inline brolga_word values_share(brolga_word value)
{
    if (value != 0)
        ++*values_count(value);
    return value;
}

static inline brolga_word values_make(size_t words, const brolga_word *word)
{
    brolga_word value = values_alloc((int64_t)words * 8, NULL);

    memcpy(values_fields(value), word, words * 8);
    return value;
}

static inline brolga_word values_cons(brolga_word head, brolga_word tail)
{
    return values_make(3, (brolga_word[]){1, head, tail});
}

static inline brolga_word values_some(brolga_word item)
{
    return values_make(2, (brolga_word[]){1, item});
}

/* The n-th part of a list that goes on for so long, or its end. */
static inline brolga_word values_tail(brolga_word list, uint64_t n)
{
    for (; n > 0 && list != 0; n--)
        list = values_fields(list)[2];
    return list;
}

/* A list of up to seven items that takes heads and a tail from another one. */
static inline brolga_word values_build(uint64_t (*random)(uint64_t *state),
                                       uint64_t *state, brolga_word other)
{
    uint64_t length = 1 + random(state) % 6;
    brolga_word list = 0;

    if (random(state) % 3 == 0)
        list = values_share(values_tail(other, random(state) % 4));
    for (; length > 0; length--) {
        brolga_word from = values_tail(other, random(state) % 5), head = 0;

        if (from != 0 && random(state) % 3 == 0)
            head = values_share(values_fields(from)[1]);
        else if (random(state) % 4 != 0)
            head = values_some((brolga_word)(random(state) % 1000));
        list = values_cons(head, list);
    }
    return list;
}

/* What the items are, in their order. */
static inline uint64_t values_digest(brolga_word list)
{
    uint64_t digest = 7;

    for (; list != 0; list = values_fields(list)[2]) {
        brolga_word head = values_fields(list)[1];

        digest = digest * 31 +
                 (head == 0 ? 5 : (uint64_t)values_fields(head)[1] + 11);
    }
    return digest;
}

/* Changes every item: whoever owns a list alone may do so. */
static inline void values_scribble(brolga_word list)
{
    for (; list != 0; list = values_fields(list)[2]) {
        values_fields(list)[0] = 1;
        if (values_fields(list)[1] != 0)
            values_fields(values_fields(list)[1])[1]++;
    }
}

static inline bool values_is_unique(brolga_word list)
{
    for (; list != 0; list = values_fields(list)[2]) {
        brolga_word head = values_fields(list)[1];

        if (*values_count(list) != 1 || (head != 0 && *values_count(head) != 1))
            return false;
    }
    return true;
}

#endif
