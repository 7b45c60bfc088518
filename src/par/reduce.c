/*
 * Reduce: each span folds its elements into a partial result; the caller puts
 * these together, in the order of the elements.
 */
#include "par/par.h"

#include "alloc.h"

#include <stdlib.h>

/* What a span has come to; linked in the order in which spans began. */
struct brolga__partial {
    size_t first; /* The index of its first element. */
    brolga_word value;
    bool owned; /* The value is to be dropped. */
    struct brolga__partial *next;
};

struct reduce {
    struct brolga__over over;
    brolga_word identity; /* A copy, which spans only read. */
    const brolga_type *element;
    struct brolga__partial *partials; /* job.lock */
    size_t count;                     /* Of these; job.lock */
};

/* A partial result that is the identity so far. All spans copy the same value,
 * at the same time, without writing to it. */
static int begin_partial(struct reduce *reduce, size_t first,
                         struct brolga__partial **out)
{
    struct brolga__partial *partial = brolga__alloc_zero(sizeof *partial);
    int err;

    if (partial == NULL)
        return BROLGA_ENOMEM;
    partial->first = first;
    err = brolga_copy_with(reduce->element, &reduce->identity, &partial->value,
                           &brolga__reading, NULL);
    if (err != BROLGA_OK) {
        brolga__free(partial);
        return err;
    }
    partial->owned = true;
    brolga__lock_take(&reduce->over.job.lock);
    partial->next = reduce->partials;
    reduce->partials = partial;
    reduce->count++;
    brolga__lock_leave(&reduce->over.job.lock);
    *out = partial;
    return BROLGA_OK;
}

static void fold(struct reduce *reduce, struct brolga__partial *partial,
                 brolga_word env, union brolga__code code, brolga_word right)
{
    brolga_word left = partial->value;

    /* If the function fails, the old value is still there to be dropped. */
    partial->value = code.fn2(env, left, right);
    brolga_drop_word(reduce->element, left);
}

static int reduce_some(struct brolga__span *span, size_t begin, size_t end)
{
    struct reduce *reduce =
        brolga__container_of(span->job, struct reduce, over.job);
    union brolga__code code = brolga__code_now(&reduce->over);
    const brolga_word *at = reduce->over.elements.at,
                      *copies = reduce->over.elements.copies;
    int err = BROLGA_OK;

    if (span->partial == NULL)
        err = begin_partial(reduce, begin, &span->partial);
    if (err != BROLGA_OK)
        return err;
    for (size_t i = begin; i < end; i++) {
        span->at = i;
        fold(reduce, span->partial, span->env, code,
             brolga__element(at, copies, i));
    }
    return BROLGA_OK;
}

/* --- putting the partial results together ------------------------------- */

static int by_first(const void *a, const void *b)
{
    const struct brolga__partial *const *left = a, *const *right = b;

    return ((*left)->first > (*right)->first) -
           ((*left)->first < (*right)->first);
}

/* The last job: it has one span, so that a failure is not the caller's. */
struct joining {
    struct brolga__job job;
    struct reduce *reduce;
    struct brolga__partial **sorted;
};

static int join_some(struct brolga__span *span, size_t begin, size_t end)
{
    struct joining *joining =
        brolga__container_of(span->job, struct joining, job);
    struct reduce *reduce = joining->reduce;
    union brolga__code code = brolga__code_now(&reduce->over);

    for (size_t i = begin; i < end; i++) {
        span->at = i;
        fold(reduce, joining->sorted[0], span->env, code,
             joining->sorted[i + 1]->value);
    }
    return BROLGA_OK;
}

static int join_partials(struct reduce *reduce, brolga_word *out,
                         struct brolga_par_failure *failure)
{
    static const struct brolga_par_opts in_one = {.chunk = SIZE_MAX};
    struct joining joining = {.job = {.rt = reduce->over.job.rt,
                                      .count = reduce->count - 1,
                                      .opts = &in_one,
                                      .body = join_some,
                                      .env = reduce->over.job.env,
                                      .env_type = reduce->over.job.env_type},
                              .reduce = reduce};
    size_t n = 0;
    int err;

    joining.sorted = brolga__alloc(reduce->count * sizeof *joining.sorted);
    if (joining.sorted == NULL)
        return BROLGA_ENOMEM;
    for (struct brolga__partial *p = reduce->partials; p != NULL; p = p->next)
        joining.sorted[n++] = p;
    qsort(joining.sorted, n, sizeof *joining.sorted, by_first);
    err = brolga__job_run(&joining.job, failure);
    brolga__job_fini(&joining.job);
    if (err == BROLGA_OK) {
        *out = joining.sorted[0]->value;
        joining.sorted[0]->owned = false;
    } else if (err == BROLGA_EFAILED && failure != NULL) {
        failure->index = joining.sorted[failure->index + 1]->first;
    }
    brolga__free(joining.sorted);
    return err;
}

static void free_partials(struct reduce *reduce)
{
    while (reduce->partials != NULL) {
        struct brolga__partial *partial = reduce->partials;

        reduce->partials = partial->next;
        if (partial->owned)
            brolga_drop_word(reduce->element, partial->value);
        brolga__free(partial);
    }
}

/* The caller's identity may share objects with the environment, or with the
 * elements, whose counts spans change: they have a copy of it. */
static int run_reduce(struct reduce *reduce, brolga_word *out,
                      struct brolga_par_failure *failure)
{
    int err =
        brolga_copy_word(reduce->element, reduce->identity, &reduce->identity,
                         failure != NULL ? &failure->copy : NULL);

    if (err != BROLGA_OK)
        return err;
    if (reduce->over.elements.count == 0) {
        *out = reduce->identity;
        return BROLGA_OK;
    }
    err = brolga__over_run(&reduce->over, failure);
    if (err == BROLGA_OK)
        err = join_partials(reduce, out, failure);
    free_partials(reduce);
    brolga_drop_word(reduce->element, reduce->identity);
    return err;
}

int brolga_preduce(brolga *rt, const brolga_type *type, brolga_word in,
                   const struct brolga_par_fn2 *fn, brolga_word identity,
                   brolga_word *out, const struct brolga_par_opts *opts,
                   struct brolga_par_failure *failure)
{
    const struct brolga__fn code = {(void (*)(void))fn->fn, fn->slot, fn->env,
                                    fn->env_type};
    struct reduce reduce = {.identity = identity};
    int err;

    err = brolga__over_open(&reduce.over, rt, type, in, &code, reduce_some,
                            opts, failure);
    if (err != BROLGA_OK)
        return err;
    reduce.element = brolga__element_of(type);
    err = run_reduce(&reduce, out, failure);
    brolga__over_close(&reduce.over);
    return err;
}
