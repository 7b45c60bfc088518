/*
 * Freezing: an ordinary copy (walk.c) whose objects come from a region.
 *
 * The copier is given a model that is the host's but for what makes objects,
 * and what pins code: those write down in the region what it has to give back
 * at its end. So there is nothing to unwind when a freeze fails: the region is
 * ended. The counts are biased from the beginning; the copier leaves those of a
 * region alone.
 *
 * Why code that counts without atomics, from many threads, does no harm to such
 * an object: its count is one aligned word, which is loaded and stored as a
 * whole. Each store writes a value that was there before, plus or minus one. So
 * after n of them the word is within n of where it began, and it takes 2^61
 * until somebody may see a count that is not frozen: decades of nothing else.
 */
#include "copy/region.h"

#include <stdio.h>
#include <string.h>

struct freezer {
    struct brolga_model model; /* what the copier is given; `arg` is this */
    struct brolga__heap heap;
    const struct brolga_model *host;
    brolga_region *region;
    int32_t low;   /* where an object begins, from its value */
    int32_t high;  /* where it ends at the least */
    int64_t count; /* of every object */
    bool has_gap;
};

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* --- the model ---------------------------------------------------------- */

static brolga_word make(int64_t payload_bytes, void *arg)
{
    const struct freezer *f = arg;
    const struct brolga_model *host = f->host;
    int64_t high = host->fields_at + payload_bytes;
    unsigned char *at;
    brolga_word value;

    if (high < f->high)
        high = f->high;
    at = brolga__region_alloc(f->region, (size_t)(high - f->low));
    if (brolga__unlikely(at == NULL))
        return 0;
    value = (brolga_word)(uintptr_t)at - f->low;
    if (brolga__unlikely(f->has_gap))
        memset(at, 0, (size_t)((int64_t)host->fields_at - f->low));
    if (host->has_size)
        *brolga__word_at(value, host->size_at) =
            payload_bytes + host->fields_at - brolga__base_at(host);
    /* Relaxed: nobody else knows the object yet. */
    brolga__store_relaxed(brolga__count(host, value), f->count);
    f->region->info.objects++;
    return value;
}

static void *make_buffer(int64_t bytes, void *arg)
{
    const struct freezer *f = arg;

    f->region->info.objects++;
    return brolga__region_alloc(f->region, (size_t)bytes);
}

/* Its memory goes with the region. */
static void forget(brolga_word value, void *arg)
{
    (void)value;
    (void)arg;
}

static void forget_buffer(void *buffer, void *arg)
{
    (void)buffer;
    (void)arg;
}

static int describe(uintptr_t code, struct brolga_closure_info *out, void *arg)
{
    const struct freezer *f = arg;

    return f->host->closure_info(code, out, brolga__closure_arg(f->host));
}

static void pin(uintptr_t code, void *arg)
{
    const struct freezer *f = arg;

    if (f->host->closure_pin != NULL &&
        brolga__region_keep_code(f->region, code))
        f->host->closure_pin(code, brolga__closure_arg(f->host));
}

/* Whether there are words in front of the fields besides size and count. */
static bool has_gap(const struct freezer *f)
{
    const struct brolga_model *host = f->host;
    int32_t known = (host->has_size && host->size_at < host->fields_at) +
                    (host->count_at < host->fields_at);

    return host->fields_at - f->low > 8 * known;
}

static void init(struct freezer *f, const brolga_type *type,
                 brolga_region *region)
{
    const struct brolga_model *host = type->model;

    f->host = host;
    f->region = region;
    f->count = host->frozen_is_zero ? 0 : BROLGA_FROZEN_COUNT;
    f->low = brolga__base_at(host);
    f->high = most(host->fields_at, host->count_at + 8);
    if (host->has_size)
        f->high = most(f->high, host->size_at + 8);
    f->has_gap = has_gap(f);
    f->model = *host;
    f->model.arg = f;
    f->model.closure_arg = NULL;
    f->model.allocator = NULL;
    f->model.alloc = make;
    f->model.free = forget;
    if (host->buffer_alloc != NULL) {
        f->model.buffer_alloc = make_buffer;
        f->model.buffer_free = forget_buffer;
    }
    if (host->closure_info != NULL)
        f->model.closure_info = describe;
    f->model.closure_pin = pin;
    f->model.closure_unpin = NULL;
    brolga__heap_init(&f->heap, &f->model);
}

/* --- the whole ---------------------------------------------------------- */

bool brolga_type_can_freeze(const brolga_type *type)
{
    return type->shape != BROLGA__WORD && type->shape != BROLGA__STRUCT &&
           type->shape != BROLGA__HANDLE;
}

/* Without objects of its own, a region is not needed: the one that the word
 * points into, if any, is what matters. */
static brolga_region *settle(brolga_region *region)
{
    brolga_region *other;
    size_t at = 0;

    if (region->info.objects > 0) {
        brolga__region_publish(region);
        return region;
    }
    other = brolga_region_retain(brolga_leases_next(&region->others, &at));
    brolga__region_destroy(region);
    return other;
}

static void say(struct brolga_copy_error *error, int code, const char *text)
{
    if (error == NULL)
        return;
    *error = (struct brolga_copy_error){.code = code};
    (void)snprintf(error->text, sizeof(error->text), "%s", text);
}

static int freeze(const brolga_type *type, brolga_word word, brolga_word *out,
                  brolga_region **region, const struct brolga_copy_opts *opts,
                  struct brolga_copy_error *error)
{
    struct brolga_copy_opts how = {.pause = NULL};
    brolga_region *made = brolga__region_create(type);
    struct freezer freezer;
    brolga_word copy;
    uint64_t bytes;
    int err = BROLGA_ENOMEM;

    say(error, err, "out of memory"); /* If it is not something else. */
    if (made == NULL)
        return err;
    init(&freezer, type, made);
    if (opts != NULL)
        how = *opts;
    how.leases = &made->others;
    err = brolga__copy_to(&freezer.heap, made, type, word, &copy, &how, &bytes,
                          error);
    if (err == BROLGA_OK && made->failed)
        err = BROLGA_ENOMEM;
    if (err != BROLGA_OK) {
        brolga__region_destroy(made);
        return err;
    }
    *out = copy;
    *region = settle(made);
    return BROLGA_OK;
}

int brolga_freeze(const brolga_type *type, brolga_word word, brolga_word *out,
                  brolga_region **region, const struct brolga_copy_opts *opts,
                  struct brolga_copy_error *error)
{
    if (brolga_type_can_freeze(type))
        return freeze(type, word, out, region, opts, error);
    if (type->shape != BROLGA__WORD) {
        say(error, BROLGA_EINVAL, "nothing that can be frozen");
        return BROLGA_EINVAL;
    }
    *out = word;
    *region = NULL;
    return BROLGA_OK;
}
