/*
 * The shared objects of one copy: which there are, where their copies lie, how
 * often the copy refers to them, and what their count was.
 *
 * Invariant, with marked counts: an entry i that is not settled has
 * count(entry[i].source) == -(i + 1), and no other object has that count.
 * A count that is negative without such an entry is a broken value.
 */
#include "copy/copy.h"

#include "alloc.h"

#include <string.h>

void brolga__memo_init(struct brolga__memo *memo,
                       const struct brolga_model *model, bool hashed)
{
    memo->model = model;
    memo->entry = memo->first;
    memo->count = 0;
    memo->capacity = BROLGA__MEMO_INLINE;
    memo->slot = NULL;
    memo->slots = 0;
    memo->hashed = hashed;
    memo->keeps_counts = false;
    memo->made_bytes = 0;
}

/* The slot of `source`, or the empty one where it belongs. The table is never
 * more than half full, so the search ends. */
static uint32_t *find_slot(const struct brolga__memo *memo, brolga_word source)
{
    uint64_t hash = ((uint64_t)source >> 3) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t i = (uint32_t)(hash >> 32) & (memo->slots - 1);

    while (memo->slot[i] != 0 &&
           memo->entry[memo->slot[i] - 1].source != source)
        i = (i + 1) & (memo->slots - 1);
    return &memo->slot[i];
}

struct brolga__shared *brolga__memo_find(struct brolga__memo *memo,
                                         brolga_word source, int64_t count)
{
    uint32_t index;

    if (memo->hashed) {
        index = memo->slots == 0 ? 0 : *find_slot(memo, source);
    } else {
        if (count >= 0 || count < -(int64_t)memo->count)
            return NULL;
        index = (uint32_t)-count;
    }
    if (index == 0 || memo->entry[index - 1].source != source)
        return NULL;
    return &memo->entry[index - 1];
}

static int grow_entries(struct brolga__memo *memo)
{
    uint32_t capacity = memo->capacity * 2;
    bool is_first = memo->entry == memo->first;
    struct brolga__shared *grown;

    if (capacity > UINT32_MAX / 4)
        return BROLGA_ENOMEM;
    grown = brolga__realloc(is_first ? NULL : memo->entry,
                            capacity * sizeof(*grown));
    if (grown == NULL)
        return BROLGA_ENOMEM;
    if (is_first)
        memcpy(grown, memo->first, sizeof(memo->first));
    memo->entry = grown;
    memo->capacity = capacity;
    return BROLGA_OK;
}

static int grow_slots(struct brolga__memo *memo)
{
    uint32_t slots =
        memo->slots == 0 ? 4 * BROLGA__MEMO_INLINE : 2 * memo->slots;
    uint32_t *slot = brolga__alloc_zero(slots * sizeof(*slot));

    if (slot == NULL)
        return BROLGA_ENOMEM;
    brolga__free(memo->slot);
    memo->slot = slot;
    memo->slots = slots;
    for (uint32_t i = 0; i < memo->count; i++)
        *find_slot(memo, memo->entry[i].source) = i + 1;
    return BROLGA_OK;
}

int brolga__memo_add(struct brolga__memo *memo, brolga_word source,
                     int64_t count, brolga_word copy)
{
    int err = BROLGA_OK;

    if (memo->count == memo->capacity)
        err = grow_entries(memo);
    if (err == BROLGA_OK && memo->hashed && memo->count * 2 >= memo->slots)
        err = grow_slots(memo);
    if (err != BROLGA_OK)
        return err;
    memo->entry[memo->count++] = (struct brolga__shared){
        .source = source, .copy = copy, .count = count, .refs = 1};
    if (memo->hashed)
        *find_slot(memo, source) = memo->count;
    else
        brolga__store_relaxed(brolga__count(memo->model, source),
                              -(int64_t)memo->count);
    return BROLGA_OK;
}

void brolga__memo_settle(struct brolga__memo *memo)
{
    for (uint32_t i = 0; i < memo->count; i++) {
        const struct brolga__shared *e = &memo->entry[i];

        if (!memo->hashed)
            brolga__store_relaxed(brolga__count(memo->model, e->source),
                                  e->count);
        if (!memo->keeps_counts)
            brolga__store_relaxed(brolga__count(memo->model, e->copy), e->refs);
    }
}

void brolga__memo_free(struct brolga__memo *memo)
{
    if (memo->entry != memo->first)
        brolga__free(memo->entry);
    brolga__free(memo->slot);
}
