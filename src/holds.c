#include "holds.h"

#include "alloc.h"
#include "base.h"

#define BUCKETS_MIN 16

static struct brolga__hold **bucket_of(const struct brolga__holds_of *holds,
                                       const void *object)
{
    uint64_t hash =
        ((uint64_t)(uintptr_t)object >> 4) * UINT64_C(0x9e3779b97f4a7c15);

    return &holds->bucket[hash >> 32 & (holds->buckets - 1)];
}

/* Room for one more, so that buckets have about one each. */
static int grow(struct brolga__holds_of *holds)
{
    struct brolga__holds_of grown = {.count = holds->count};

    if (holds->count < holds->buckets)
        return BROLGA_OK;
    if (holds->buckets > UINT32_MAX / 4)
        return BROLGA_ENOMEM;
    grown.buckets = holds->buckets == 0 ? BUCKETS_MIN : 2 * holds->buckets;
    grown.bucket = brolga__alloc_zero(grown.buckets * sizeof(*grown.bucket));
    if (grown.bucket == NULL)
        return BROLGA_ENOMEM;
    for (uint32_t i = 0; i < holds->buckets; i++)
        while (holds->bucket[i] != NULL) { /* Each turn moves one. */
            struct brolga__hold *hold = holds->bucket[i];
            struct brolga__hold **to = bucket_of(&grown, hold->object);

            holds->bucket[i] = hold->next;
            hold->next = *to;
            *to = hold;
        }
    brolga__free(holds->bucket);
    *holds = grown;
    return BROLGA_OK;
}

int brolga__holds_add(struct brolga__holds_of *holds,
                      const struct brolga__hold *hold)
{
    struct brolga__hold *added = brolga__alloc(sizeof(*added));
    struct brolga__hold **bucket;

    if (added == NULL || grow(holds) != BROLGA_OK) {
        brolga__free(added);
        return BROLGA_ENOMEM;
    }
    bucket = bucket_of(holds, hold->object);
    *added = *hold;
    added->next = *bucket;
    *bucket = added;
    holds->count++;
    return BROLGA_OK;
}

void brolga__holds_forget(struct brolga__holds_of *holds, const void *object)
{
    struct brolga__hold **link = bucket_of(holds, object);

    while (*link != NULL) { /* Each turn frees one, or goes on to the next. */
        struct brolga__hold *hold = *link;

        if (hold->object != object) {
            link = &hold->next;
            continue;
        }
        *link = hold->next;
        holds->count--;
        brolga__free(hold);
    }
}

void brolga__holds_end(struct brolga__holds_of *holds,
                       bool (*ends)(const void *object))
{
    for (uint32_t i = 0; i < holds->buckets; i++)
        while (holds->bucket[i] != NULL) { /* Each turn frees one. */
            struct brolga__hold *hold = holds->bucket[i];

            holds->bucket[i] = hold->next;
            if (ends != NULL && ends(hold->object))
                hold->release(hold->word, hold->arg);
            brolga__free(hold);
        }
    brolga__free(holds->bucket);
    *holds = (struct brolga__holds_of){.count = 0};
}
