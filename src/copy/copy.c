/* The entries of the copier: copies, with leases and without, into the common
 * memory or into a region. */
#include "copy/copier.h"

static const struct brolga_copy_opts no_opts = {.pause = NULL};

int brolga__copy_slot(const brolga_type *type, brolga_word *slot,
                      const struct brolga_copy_opts *pauses,
                      struct brolga__memo *memo)
{
    struct brolga_copier c;
    int err;

    brolga__copier_begin(&c, type->heap, pauses, NULL, memo);
    push(&c, type, slot, 1);
    err = brolga__copier_run(&c);
    if (err < 0)
        brolga__copier_unwind(&c);
    brolga__copier_end(&c);
    if (c.is_stopped)
        return c.stopped_by;
    return err < 0 ? err : BROLGA_OK;
}

static void explain(const brolga_type *type, brolga_word word, int err,
                    bool is_stopped, struct brolga_copy_error *error)
{
    if (!is_stopped)
        brolga__copy_explain(type, word, err, false, error);
    else if (error != NULL)
        *error = (struct brolga_copy_error){.code = err,
                                            .text = "stopped in a pause"};
}

int brolga__copy_to(const struct brolga__heap *heap, brolga_region *region,
                    const brolga_type *type, brolga_word word, brolga_word *out,
                    const struct brolga_copy_opts *opts, uint64_t *bytes,
                    struct brolga_copy_error *error)
{
    brolga_word copy = word;
    struct brolga__memo memo;
    struct brolga_copier c;
    int err;

    err = brolga__audit_copy(type, word, error);
    if (err != BROLGA_OK)
        return err;
    brolga__memo_init(&memo, type->model,
                      opts->reads_only || type->model->atomic_counts);
    memo.keeps_counts = region != NULL;
    brolga__copier_begin(&c, heap, opts, region, &memo);
    push(&c, type, &copy, 1);
    err = brolga__copier_run(&c);
    if (err < 0)
        brolga__copier_unwind(&c);
    brolga__copier_end(&c);
    brolga__memo_settle(&memo);
    brolga__memo_free(&memo);
    *bytes = memo.made_bytes;
    if (err >= 0) {
        *out = copy;
        return BROLGA_OK;
    }
    if (c.is_stopped)
        err = c.stopped_by;
    if (region == NULL)
        brolga_drop_word(type, copy);
    explain(type, word, err, c.is_stopped, error);
    return err;
}

/* A copy with leases, which are added when nothing can fail any more. */
static int copy_leased(const brolga_type *type, brolga_word word,
                       brolga_word *out, const struct brolga_copy_opts *opts,
                       uint64_t *bytes, struct brolga_copy_error *error)
{
    struct brolga_leases more = {.count = 0};
    struct brolga_copy_opts leased = *opts;
    int err;

    leased.leases = &more;
    err = brolga__copy_to(type->heap, NULL, type, word, out, &leased, bytes,
                          error);
    if (err == BROLGA_OK && more.count > 0) {
        err = brolga_leases_move(opts->leases, &more);
        if (err != BROLGA_OK) {
            brolga_drop_word(type, *out);
            explain(type, word, err, false, error);
        }
    }
    brolga_leases_end(&more);
    return err;
}

static int copy_word(const brolga_type *type, brolga_word word,
                     brolga_word *out, const struct brolga_copy_opts *opts,
                     uint64_t *bytes, struct brolga_copy_error *error)
{
    if (opts->leases != NULL)
        return copy_leased(type, word, out, opts, bytes, error);
    return brolga__copy_to(type->heap, NULL, type, word, out, opts, bytes,
                           error);
}

int brolga__copy_sized(const brolga_type *type, const void *from, void *to,
                       const struct brolga_copy_opts *opts, uint64_t *bytes,
                       struct brolga_copy_error *error)
{
    brolga_word word, copy;
    int err;

    *bytes = 0;
    if (brolga_type_is_plain(type)) {
        memcpy(to, from, type->bytes);
        return BROLGA_OK;
    }
    memcpy(&word, from, sizeof(word));
    err = copy_word(type, word, &copy, opts != NULL ? opts : &no_opts, bytes,
                    error);
    if (err == BROLGA_OK)
        memcpy(to, &copy, sizeof(copy));
    return err;
}

int brolga_copy_with(const brolga_type *type, const void *from, void *to,
                     const struct brolga_copy_opts *opts,
                     struct brolga_copy_error *error)
{
    uint64_t bytes;

    return brolga__copy_sized(type, from, to, opts, &bytes, error);
}

int brolga_copy(const brolga_type *type, const void *from, void *to,
                struct brolga_copy_error *error)
{
    return brolga_copy_with(type, from, to, NULL, error);
}

int brolga_copy_word(const brolga_type *type, brolga_word word,
                     brolga_word *out, struct brolga_copy_error *error)
{
    brolga__assert(type->shape != BROLGA__STRUCT);
    return brolga_copy_with(type, &word, out, NULL, error);
}
