/*
 * Versions: tables, and the first stage of reclamation.
 *
 *   I  A version whose holds are 0 is read by nobody: release subtraction in
 *      brolga__version_unhold() -> acquire load in nobody_can_name().
 */
#include "got/got.h"

#include "alloc.h"
#include "plat.h"

#include <stdio.h>
#include <stdlib.h>

/* A slot without code is called only by code that should not exist any more;
 * going on would jump through NULL, so say what happened instead. */
static void missing(void)
{
    fprintf(stderr, "brolga: call through a slot that is not defined\n");
    abort();
}

const void *brolga__version_missing(void)
{
    union {
        void (*function)(void);
        const void *address;
    } cast = {missing};

    return cast.address;
}

static struct brolga__version *allocate(uint32_t slots)
{
    uint32_t capacity = 1024;
    struct brolga__version *version;

    while (capacity < slots)
        capacity *= 2;
    version =
        brolga__alloc(sizeof *version + capacity * sizeof version->slots[0]);
    if (version == NULL)
        return NULL;
    version->capacity = capacity;
    version->used = 0;
    for (uint32_t i = 0; i < capacity; i++)
        version->slots[i] = brolga__version_missing();
    return version;
}

/* Tables are used again: touching fresh pages would cost a commit more than
 * copying does. */
struct brolga__version *brolga__version_take(struct brolga_got *got,
                                             uint32_t slots)
{
    for (size_t i = 0; i < brolga__lengthof(got->spare); i++) {
        struct brolga__version *version = got->spare[i];

        if (version != NULL && version->capacity >= slots) {
            got->spare[i] = NULL;
            return version;
        }
    }
    return allocate(slots);
}

void brolga__version_put(struct brolga_got *got,
                         struct brolga__version *version)
{
    for (size_t i = 0; i < brolga__lengthof(got->spare); i++) {
        if (got->spare[i] == NULL) {
            got->spare[i] = version;
            return;
        }
    }
    brolga__free(version);
}

bool brolga__version_any(struct brolga_got *got, uint64_t first, uint64_t last)
{
    brolga__list_each (node, &got->versions) {
        struct brolga__version *version =
            brolga__container_of(node, struct brolga__version, link);

        if (version->number >= first && version->number <= last)
            return true;
    }
    return false;
}

bool brolga__versions_held(struct brolga_got *got)
{
    brolga__list_each (node, &got->versions)
        if (brolga__load_acquire(
                &brolga__container_of(node, struct brolga__version, link)
                     ->holds) != 0) /* I: unhold */
            return true;
    return false;
}

static bool nobody_can_name(struct brolga_got *got,
                            struct brolga__version *version)
{
    return version->replaced_round != 0 &&
           brolga__epoch_passed(got->epoch, version->replaced_round) &&
           brolga__load_acquire(&version->holds) == 0; /* I: unhold */
}

bool brolga__versions_reclaim(struct brolga_got *got)
{
    struct brolga__list *node = got->versions.next;

    /* All of them, not only the newest: holds end in any order. */
    while (node != &got->versions) {
        struct brolga__version *version =
            brolga__container_of(node, struct brolga__version, link);

        node = node->next;
        if (!nobody_can_name(got, version))
            continue;
        brolga__list_remove(&version->link);
        got->version_count--;
        brolga__version_put(got, version);
    }
    return got->version_count > 1;
}
