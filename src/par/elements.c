/*
 * The elements of a collection: found, and made fit to be used by others.
 *
 * While the caller waits nobody but the spans touches what it holds. An
 * element in which no object is referred to twice is reached by the span whose
 * turn it is and by no other, so its counts may be changed without care: it is
 * lent. All elements are looked at before the first one is used, in parallel,
 * and nothing is written meanwhile, neither by the look nor by the copies that
 * are made of the rest; so objects that several of these share do no harm.
 */
#include "par/par.h"

#include "alloc.h"

#include <string.h>

static size_t list_length(const brolga_type *type, brolga_word list)
{
    size_t count = 0;

    for (; brolga__list_is_node(type, list);
         list = *brolga__list_tail(type, list))
        count++;
    return count;
}

static int gather(struct brolga__elements *elements, brolga_word list)
{
    const brolga_type *type = elements->type;
    size_t count = list_length(type, list);

    if (count == 0)
        return BROLGA_OK;
    elements->gathered = brolga__alloc(count * sizeof(brolga_word));
    if (elements->gathered == NULL)
        return BROLGA_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        elements->gathered[i] = *brolga__list_head(type, list);
        list = *brolga__list_tail(type, list);
    }
    elements->at = elements->gathered;
    elements->count = count;
    return BROLGA_OK;
}

static void tell_unsendable(struct brolga__elements *elements, size_t index,
                            const struct brolga_copy_error *why)
{
    struct brolga_par_failure *failure = elements->failure;

    if (failure == NULL)
        return;
    brolga__lock_take(&elements->job.lock);
    if (failure->copy.code == BROLGA_OK || index < failure->index) {
        failure->index = index;
        failure->copy = *why;
    }
    brolga__lock_leave(&elements->job.lock);
}

static int look_at(struct brolga__span *span, size_t begin, size_t end)
{
    struct brolga__elements *elements =
        brolga__container_of(span->job, struct brolga__elements, job);
    const brolga_type *type = brolga__element_of(elements->type);

    for (size_t i = begin; i < end; i++) {
        struct brolga_copy_error why;
        int err;

        if (brolga__is_unique(type, elements->at[i]))
            continue;
        err = brolga_copy_with(type, &elements->at[i], &elements->copies[i],
                               &brolga__reading, &why);
        if (err == BROLGA_OK)
            continue;
        tell_unsendable(elements, i, &why);
        return err;
    }
    return BROLGA_OK;
}

/* The memory of the copies is zero pages until there are some. */
static int lend(struct brolga__elements *elements,
                const struct brolga_par_opts *opts)
{
    int err;

    elements->copies =
        brolga__alloc_zero(elements->count * sizeof(brolga_word));
    if (elements->copies == NULL)
        return BROLGA_ENOMEM;
    elements->job.count = elements->count;
    elements->job.opts = opts;
    elements->job.body = look_at;
    err = brolga__job_run(&elements->job, elements->failure);
    brolga__job_fini(&elements->job);
    return err;
}

int brolga__elements_open(struct brolga__elements *elements, brolga *rt,
                          const brolga_type *type, brolga_word in,
                          const struct brolga_par_opts *opts,
                          struct brolga_par_failure *failure)
{
    int err = BROLGA_OK;

    if (failure != NULL)
        *failure = (struct brolga_par_failure){.index = 0};
    *elements = (struct brolga__elements){
        .job = {.rt = rt}, .type = type, .failure = failure};
    switch (brolga__collection_of(type)) {
    case BROLGA__A_VEC:
        elements->at = brolga__vec_elements(type, in, &elements->count);
        break;
    case BROLGA__A_LIST:
        err = gather(elements, in);
        break;
    case BROLGA__NO_COLLECTION:
    default:
        return BROLGA_EINVAL;
    }
    if (err == BROLGA_OK && elements->count > 0 &&
        !brolga__counts_anywhere(brolga__element_of(type)) &&
        !(opts != NULL && opts->unique))
        err = lend(elements, opts);
    if (err != BROLGA_OK)
        brolga__elements_close(elements);
    return err;
}

void brolga__elements_close(struct brolga__elements *elements)
{
    const brolga_type *type = brolga__element_of(elements->type);

    for (size_t i = 0; elements->copies != NULL && i < elements->count; i++)
        if (elements->copies[i] != 0)
            brolga_drop_word(type, elements->copies[i]);
    brolga__free(elements->copies);
    brolga__free(elements->gathered);
}

/* --- collections from values -------------------------------------------- */

/* Frees the nodes of a list, not what is in them. */
static void unmake_list(const brolga_type *type, brolga_word list)
{
    for (brolga_word node = list; brolga__list_is_node(type, node);
         node = *brolga__list_tail(type, node))
        *brolga__list_head(type, node) = 0;
    brolga_drop_word(type, list);
}

static int collect_list(const brolga_type *type, const brolga_word *values,
                        size_t count, brolga_word *out)
{
    brolga_word list = 0, *end = &list;

    for (size_t i = 0; i < count; i++) {
        brolga_word node = brolga__list_make(type, values[i]);

        if (node == 0) {
            unmake_list(type, list);
            return BROLGA_ENOMEM;
        }
        *end = node;
        end = brolga__list_tail(type, node);
    }
    *out = list;
    return BROLGA_OK;
}

int brolga__collect(const brolga_type *type, const brolga_word *values,
                    size_t count, brolga_word *out)
{
    brolga_word *at;
    brolga_word vec;

    if (brolga__collection_of(type) == BROLGA__A_LIST)
        return collect_list(type, values, count, out);
    vec = brolga__vec_make(type, count, &at);
    if (vec == 0)
        return BROLGA_ENOMEM;
    if (count > 0)
        memcpy(at, values, count * sizeof *values);
    *out = vec;
    return BROLGA_OK;
}

/* --- code and elements -------------------------------------------------- */

static int open_code(brolga *rt, const struct brolga__fn *fn,
                     union brolga__code *out)
{
    out->address = brolga__function_address(fn->fn);
    if (fn->fn != NULL)
        return fn->slot == 0 ? BROLGA_OK : BROLGA_EINVAL;
    if (fn->slot != 0)
        return brolga__slot_enter(rt->got, fn->slot);
    if (fn->env_type == NULL || !brolga__is_closure(fn->env_type))
        return BROLGA_EINVAL;
    out->address = brolga__closure_code(fn->env_type, fn->env);
    return BROLGA_OK;
}

static void close_code(brolga *rt, brolga_slot slot)
{
    if (slot != 0)
        brolga__slot_leave(rt->got, slot);
}

int brolga__over_open(struct brolga__over *over, brolga *rt,
                      const brolga_type *type, brolga_word in,
                      const struct brolga__fn *fn,
                      int (*body)(struct brolga__span *, size_t, size_t),
                      const struct brolga_par_opts *opts,
                      struct brolga_par_failure *failure)
{
    int err;

    if (rt == NULL)
        return BROLGA_EINVAL;
    over->job = (struct brolga__job){.rt = rt,
                                     .opts = opts,
                                     .body = body,
                                     .env = fn->env,
                                     .env_type = fn->env_type};
    over->slot = fn->slot;
    err = open_code(rt, fn, &over->code);
    if (err != BROLGA_OK)
        return err;
    err = brolga__elements_open(&over->elements, rt, type, in, opts, failure);
    if (err != BROLGA_OK)
        close_code(rt, fn->slot);
    return err;
}

int brolga__over_run(struct brolga__over *over,
                     struct brolga_par_failure *failure)
{
    int err;

    over->job.count = over->elements.count;
    err = brolga__job_run(&over->job, failure);
    brolga__job_fini(&over->job);
    return err;
}

void brolga__over_close(struct brolga__over *over)
{
    brolga__elements_close(&over->elements);
    close_code(over->job.rt, over->slot);
}
