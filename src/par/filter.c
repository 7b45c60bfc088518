/*
 * Filter: the function marks the elements that stay, in parallel; then the
 * caller collects these. They are shared with the source, each with a reference
 * more, which only the caller may count.
 */
#include "par/par.h"

#include "alloc.h"

struct filter {
    struct brolga__job job;
    struct brolga__elements elements;
    union brolga__code code;
    brolga_slot slot;
    bool *stays;
};

static int filter_some(struct brolga__span *span, size_t begin, size_t end)
{
    struct filter *filter = brolga__container_of(span->job, struct filter, job);
    union brolga__code code = brolga__code_now(filter->code, filter->slot);
    const brolga_word *at = filter->elements.at,
                      *copies = filter->elements.copies;

    for (size_t i = begin; i < end; i++) {
        span->at = i;
        filter->stays[i] =
            code.fn(span->env, brolga__element(at, copies, i)) != 0;
    }
    return BROLGA_OK;
}

static int collect(struct filter *filter, const brolga_type *type,
                   brolga_word *out)
{
    const struct brolga__elements *elements = &filter->elements;
    brolga_word *kept =
        brolga__alloc((elements->count + 1) * sizeof(brolga_word));
    size_t count = 0;
    int err;

    if (kept == NULL)
        return BROLGA_ENOMEM;
    for (size_t i = 0; i < elements->count; i++)
        if (filter->stays[i])
            kept[count++] = elements->at[i];
    err = brolga__collect(type, kept, count, out);
    for (size_t i = 0; err == BROLGA_OK && i < count; i++)
        brolga__retain(brolga__element_of(type), kept[i]);
    brolga__free(kept);
    return err;
}

/* What stays must be able to have a reference more. */
static int check_elements(const struct brolga__elements *elements,
                          const brolga_type *type,
                          struct brolga_par_failure *failure)
{
    struct brolga_copy_error why = {.code = BROLGA_OK};
    size_t i = 0;

    if (brolga__can_retain(type))
        return BROLGA_OK;
    while (i < elements->count &&
           brolga__copy_why(type, elements->at[i], false, &why) == BROLGA_OK)
        i++;
    if (why.code != BROLGA_OK && failure != NULL) {
        failure->index = i;
        failure->copy = why;
    }
    return why.code;
}

static int run_filter(struct filter *filter, const brolga_type *type,
                      brolga_word *out, struct brolga_par_failure *failure)
{
    int err;

    filter->job.count = filter->elements.count;
    filter->stays = brolga__alloc_zero(filter->job.count + 1);
    if (filter->stays == NULL)
        return BROLGA_ENOMEM;
    err = brolga__job_run(&filter->job, failure);
    brolga__job_fini(&filter->job);
    if (err == BROLGA_OK)
        err = collect(filter, type, out);
    brolga__free(filter->stays);
    return err;
}

int brolga_pfilter(brolga *rt, const brolga_type *type, brolga_word in,
                   const struct brolga_par_fn *keep, brolga_word *out,
                   const struct brolga_par_opts *opts,
                   struct brolga_par_failure *failure)
{
    struct filter filter = {.job = {.rt = rt,
                                    .opts = opts,
                                    .body = filter_some,
                                    .env = keep->env,
                                    .env_type = keep->env_type},
                            .slot = keep->slot};
    int err;

    if (rt == NULL)
        return BROLGA_EINVAL;
    err = brolga__code_open(rt, (void (*)(void))keep->fn, keep->slot, keep->env,
                            keep->env_type, &filter.code);
    if (err != BROLGA_OK)
        return err;
    err = brolga__elements_open(&filter.elements, rt, type, in, opts, failure);
    if (err == BROLGA_OK) {
        err =
            check_elements(&filter.elements, brolga__element_of(type), failure);
        if (err == BROLGA_OK)
            err = run_filter(&filter, type, out, failure);
        brolga__elements_close(&filter.elements);
    }
    brolga__code_close(rt, keep->slot);
    return err;
}
