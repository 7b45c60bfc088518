/*
 * Parallel collections: one function for many elements, on all workers.
 *
 *     struct brolga_par_fn render = {.fn = render_one, .env = font};
 *
 *     err = brolga_pmap(rt, vec_of_page, pages, &render, vec_of_image, &images,
 *                       NULL, &why);
 *     if (err == BROLGA_EFAILED)
 *         printf("page %zu: %s\n", why.index, why.failure.message);
 *
 * A call cuts its elements into ranges, and those are done by tasks: a range
 * that has taken some tens of microseconds gives half of what is left to a
 * worker that has nothing to do. So cheap elements are done in large chunks, a
 * few of them without any other thread, and expensive ones one by one.
 *
 * **Lending.** The caller waits, so what it holds is at rest: elements are not
 * copied but lent to the task that is their turn, as long as no object in them
 * is referred to twice. (Where counts are atomic, and for words, all are lent.)
 * Others are copied before the first call. Results are not copied at all.
 *
 * What is frozen (freeze.h) is neither copied nor counted. The caller's leases
 * keep what the elements point into; they must also keep what results do.
 *
 * **Failures.** If the function fails on an element (brolga_panic(), a trap in
 * a unit), what has not begun is not begun, what was made is dropped, and the
 * call says which element it was.
 *
 * Between two chunks there is a safepoint: there a range is canceled, gives way
 * to other tasks, and moves to a new version of the code.
 *
 * docs/parallel.md is the chapter on all this.
 */
#ifndef BROLGA_PAR_H
#define BROLGA_PAR_H

#include <brolga/base.h>
#include <brolga/copy.h>
#include <brolga/scope.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a call is made; NULL stands for zeroes. */
struct brolga_par_opts {
    uint64_t deadline_ns; /* Absolute; 0 = none. */
    /* The caller knows that no object is referred to twice from the elements
     * and from `env`, as it made them itself: they are lent without a look. */
    bool unique;
    size_t chunk; /* Elements between two safepoints; 0 = as time tells. */
};

/** Which element failed, and how. */
struct brolga_par_failure {
    size_t index; /* From 0: the first of those that failed. */
    struct brolga_failure failure;
    struct brolga_copy_error copy; /* After BROLGA_EUNSENDABLE. */
};

/**
 * What is done to an element. The function borrows its arguments and returns a
 * reference of its own.
 *
 * Exactly one of `fn`, `slot`, or neither: then `env` is a closure, and its
 * code is called with it. A slot's newest code is called from chunk to chunk.
 *
 * `env` is what the function needs besides: a word, or a value of `env_type`.
 * A value is lent to one range; each range that is split off gets a copy.
 */
struct brolga_par_fn {
    brolga_word (*fn)(brolga_word env, brolga_word element);
    brolga_slot slot;
    brolga_word env;
    const brolga_type *env_type; /* NULL: a plain word. */
    /* For brolga_pmap(), may be set besides: the same for `count` elements in a
     * row, with the results in `out`. A compiler can inline the function there,
     * and use vector instructions. If it fails, nobody knows at which element:
     * the first of them is named, and no result of theirs is kept. */
    void (*many)(brolga_word env, const brolga_word *in, brolga_word *out,
                 size_t count);
};

/** The same for two elements. */
struct brolga_par_fn2 {
    brolga_word (*fn)(brolga_word env, brolga_word left, brolga_word right);
    brolga_slot slot;
    brolga_word env;
    const brolga_type *env_type;
};

/**
 * Call body(arg, begin, end) for chunks of the numbers from 0 to `count`, each
 * number in one of them, in parallel.
 *
 * Owns:     `arg` stays until the call returns. `opts`, `failure` may be NULL.
 * Threads:  any, tasks and others. The body runs on other tasks; it may do all
 *           that tasks may, call this included.
 * Blocks:   until all is done.
 * Returns:  BROLGA_OK; what a body has returned that is not BROLGA_OK: then
 *           what has not begun is not begun; BROLGA_EFAILED if a body failed:
 *           `failure->index` is the first number of its chunk;
 *           BROLGA_ECANCELED, BROLGA_ETIMEOUT, BROLGA_EDEADLOCK;
 *           BROLGA_ENOMEM, BROLGA_ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_pfor(brolga *rt, size_t count,
            int (*body)(void *arg, size_t begin, size_t end), void *arg,
            const struct brolga_par_opts *opts,
            struct brolga_par_failure *failure);

/**
 * Map: a collection of what the function returns for each element, in order.
 *
 * `from` and `to` are types (Vec ...) or (List ...), not necessarily the same
 * of the two.
 *
 * Owns:     `in` is borrowed; `*out` is the caller's to drop.
 * Threads:  any, tasks and others.
 * Blocks:   until all is done.
 * Returns:  as brolga_pfor(); BROLGA_EUNSENDABLE if an element had to be copied
 *           and could not be (`failure->index`, `failure->copy`);
 *           BROLGA_EINVAL for types that are no collections. `*out` is set on
 *           BROLGA_OK only.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_pmap(brolga *rt, const brolga_type *from, brolga_word in,
            const struct brolga_par_fn *fn, const brolga_type *to,
            brolga_word *out, const struct brolga_par_opts *opts,
            struct brolga_par_failure *failure);

/**
 * Filter: a collection of the same type, of the elements for which the function
 * returns something else than 0, in order. They are shared with `in`, not
 * copied: each has a reference more.
 *
 * Owns, Threads, Blocks: as brolga_pmap().
 * Returns:  as brolga_pmap(); BROLGA_EUNSENDABLE also for elements that cannot
 *           have one: handles that cannot be copied, and refused types.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_pfilter(brolga *rt, const brolga_type *type, brolga_word in,
               const struct brolga_par_fn *keep, brolga_word *out,
               const struct brolga_par_opts *opts,
               struct brolga_par_failure *failure);

/**
 * Reduce: identity + e0 + e1 + ..., where `+` is the function, which must be
 * associative; it need not be commutative. `identity` + x is x: it is copied
 * once for each range, and there are as many as it happens.
 *
 * Owns:     `in` and `identity` are borrowed; `*out`, of the elements' type, is
 *           the caller's to drop.
 * Threads, Blocks: as brolga_pmap().
 * Returns:  as brolga_pmap(); BROLGA_EUNSENDABLE also for an identity that
 *           cannot be copied.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_preduce(brolga *rt, const brolga_type *type, brolga_word in,
               const struct brolga_par_fn2 *fn, brolga_word identity,
               brolga_word *out, const struct brolga_par_opts *opts,
               struct brolga_par_failure *failure);

#ifdef __cplusplus
}
#endif
#endif
