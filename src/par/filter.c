/*
 * Filter: the function marks the elements that stay, in parallel; then the
 * caller collects these. They are shared with the source, each with a reference
 * more, which only the caller may count.
 */
#include "par/par.h"

#include "alloc.h"

struct filter {
    struct brolga__over over;
    bool *stays;
};

static int filter_some(struct brolga__span *span, size_t begin, size_t end)
{
    struct filter *filter =
        brolga__container_of(span->job, struct filter, over.job);
    union brolga__code code = brolga__code_now(&filter->over);
    const brolga_word *at = filter->over.elements.at,
                      *copies = filter->over.elements.copies;

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
    const struct brolga__elements *elements = &filter->over.elements;
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

    filter->stays = brolga__alloc_zero(filter->over.elements.count + 1);
    if (filter->stays == NULL)
        return BROLGA_ENOMEM;
    err = brolga__over_run(&filter->over, failure);
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
    const struct brolga__fn code = {(void (*)(void))keep->fn, keep->slot,
                                    keep->env, keep->env_type};
    struct filter filter;
    int err;

    err = brolga__over_open(&filter.over, rt, type, in, &code, filter_some,
                            opts, failure);
    if (err != BROLGA_OK)
        return err;
    err = check_elements(&filter.over.elements, brolga__element_of(type),
                         failure);
    if (err == BROLGA_OK)
        err = run_filter(&filter, type, out, failure);
    brolga__over_close(&filter.over);
    return err;
}
