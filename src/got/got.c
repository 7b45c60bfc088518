/* GOTs: creation, destruction, queries. */
#include "got/txn.h"

#include "alloc.h"
#include "plat.h"

#include <string.h>

static void defaults(struct brolga_got_opts *opts)
{
    if (opts->slots_max == 0)
        opts->slots_max = 65536;
    if (opts->versions_max == 0)
        opts->versions_max = 8;
    if (opts->versions_max < 2) /* The current one and its successor. */
        opts->versions_max = 2;
    if (opts->retired_bytes_max == 0)
        opts->retired_bytes_max = (size_t)64 << 20;
}

static int first_version(struct brolga_got *got)
{
    struct brolga__version *version = brolga__version_take(got, 1);

    if (version == NULL)
        return BROLGA_ENOMEM;
    version->number = 1;
    version->published_ns = brolga__plat_now_ns();
    version->replaced_round = 0;
    atomic_init(&version->holds, 0);
    atomic_init(&version->announced, true);
    brolga__list_push_back(&got->versions, &version->link);
    got->version_count = 1;
    got->adopted = 1;
    atomic_init(&got->current, version);
    return BROLGA_OK;
}

int brolga_got_create(brolga_epoch *epoch, const struct brolga_got_opts *opts,
                      brolga_got **out)
{
    struct brolga_got *got = brolga__alloc_line(sizeof *got);

    if (got == NULL)
        return BROLGA_ENOMEM;
    got->epoch = epoch;
    if (opts != NULL)
        got->opts = *opts;
    defaults(&got->opts);
    got->dice = got->opts.stress_seed;
    atomic_init(&got->stamp, 1);
    atomic_init(&got->oldest_ns, UINT64_MAX);
    atomic_init(&got->lowest, UINTPTR_MAX);
    (void)pthread_mutex_init(&got->lock, NULL);
    (void)pthread_mutex_init(&got->reclaim_lock, NULL);
    (void)pthread_mutex_init(&got->barrier_lock, NULL);
    brolga__list_init(&got->versions);
    brolga__list_init(&got->units);
    brolga__list_init(&got->live);
    brolga__list_init(&got->retired);
    brolga__list_init(&got->kept);
    brolga__list_init(&got->pasts);
    if (brolga__slots_init(got) != BROLGA_OK ||
        first_version(got) != BROLGA_OK) {
        brolga_got_destroy(got);
        return BROLGA_ENOMEM;
    }
    *out = got;
    return BROLGA_OK;
}

static void free_units(struct brolga__list *units)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(units)) != NULL)
        brolga__unit_free(brolga__container_of(node, struct brolga_unit, link));
}

void brolga_got_destroy(brolga_got *got)
{
    struct brolga__suspects *set = brolga__load_relaxed(&got->suspects);
    struct brolga__list *node;

    brolga__pasts_free(got);
    free_units(&got->live);
    free_units(&got->retired);
    free_units(&got->kept);
    while ((node = brolga__list_pop_front(&got->versions)) != NULL)
        brolga__free(brolga__container_of(node, struct brolga__version, link));
    for (size_t i = 0; i < brolga__lengthof(got->spare); i++)
        brolga__free(got->spare[i]);
    brolga__slots_destroy(got);
    brolga__free(set);
    brolga__free(got->held);
    (void)pthread_mutex_destroy(&got->lock);
    (void)pthread_mutex_destroy(&got->reclaim_lock);
    (void)pthread_mutex_destroy(&got->barrier_lock);
    brolga__free(got);
}

uint64_t brolga_got_version(brolga_got *got)
{
    uint64_t number;

    (void)pthread_mutex_lock(&got->lock);
    number = brolga__load_relaxed(&got->current)->number;
    (void)pthread_mutex_unlock(&got->lock);
    return number;
}

static int find(struct brolga_got *got, const char *module, const char *symbol,
                const char *signature, brolga_slot *out)
{
    struct brolga__module *found = brolga__module_find(got, module);
    struct brolga__slot *first, *slot, *match = NULL;

    if (found == NULL)
        return BROLGA_ENOENT;
    first = slot = brolga__slot_any(got, found, symbol);
    for (; slot != NULL; slot = slot->sibling == first ? NULL : slot->sibling)
        if (slot->owner != NULL && !slot->removed &&
            (signature == NULL || strcmp(slot->signature, signature) == 0))
            match = slot;
    if (match == NULL)
        return BROLGA_ENOENT;
    *out = match->number;
    return BROLGA_OK;
}

int brolga_got_find(brolga_got *got, const char *module, const char *symbol,
                    const char *signature, brolga_slot *out)
{
    int err;

    (void)pthread_mutex_lock(&got->lock);
    err = find(got, module, symbol, signature, out);
    (void)pthread_mutex_unlock(&got->lock);
    return err;
}

static uint32_t length(const struct brolga__list *list)
{
    uint32_t count = 0;

    brolga__list_each (node, list)
        count++;
    return count;
}

void brolga_got_stats(brolga_got *got, struct brolga_got_stats *out)
{
    (void)pthread_mutex_lock(&got->lock);
    out->version = brolga__load_relaxed(&got->current)->number;
    out->versions_live = got->version_count;
    out->slots = got->slots_used;
    out->units_live = length(&got->live);
    out->units_retired = length(&got->retired);
    out->units_kept = length(&got->kept);
    out->retired_bytes = got->retired_bytes;
    out->oldest_version = out->version - got->past_count;
    out->commits = got->commits;
    out->units_reclaimed = got->reclaimed;
    (void)pthread_mutex_unlock(&got->lock);
}
