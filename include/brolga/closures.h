/*
 * Brolga closures: what the code of a closure tells about its captures.
 *
 * A closure in memory is a code address and some words. To copy it, one has to
 * know what the words are; to let go of old code, one has to know that no
 * closure can call it any more. A table of closures knows both: when a host
 * stages a unit, it enters each function in it that closures are made from. A
 * value model that uses the table (brolga_closures_model()) can copy, freeze,
 * send and drop closures, and each of them pins its unit. When the unit is
 * freed, so are its entries.
 *
 * Closures that the host's own code makes and ends are for the host to count:
 * brolga_closures_pin(), _unpin(). Then a unit is kept for exactly as long as
 * there is a closure of it, wherever it is.
 *
 * docs/values.md is the chapter on all this.
 */
#ifndef BROLGA_CLOSURES_H
#define BROLGA_CLOSURES_H

#include <brolga/base.h>
#include <brolga/copy.h>
#include <brolga/got.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A table of the functions that closures are made from. */
typedef struct brolga_closures brolga_closures;

/* Captures of one closure, at the most. */
#define BROLGA_CAPTURES_MAX 65536

/** A function that closures are made from. */
struct brolga_closure {
    const void *code; /* what its closures hold: where the function begins */
    const char *name; /* for messages; NULL: unnamed */
    size_t captures;
    /* Of each capture, its type or, where that is NULL or there is no such
     * array, its type as text. With neither, it is not known, and closures of
     * this function cannot cross. */
    const brolga_type *const *types;
    const char *const *texts;
};

/**
 * Create an empty table.
 *
 * Owns:     `*out` belongs to the caller; end it with
 *           brolga_closures_destroy().
 * Threads:  any.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_closures_create(brolga_closures **out);

/**
 * Destroy a table; NULL is ignored. All units with entries in it must have been
 * freed: destroy their GOT, or runtime, before.
 *
 * Threads:  any, when no other thread uses the table.
 */
BROLGA_API void brolga_closures_destroy(brolga_closures *closures);

/**
 * Have a model ask this table about closures; before a registry is created with
 * it.
 *
 * Owns:     the table must outlive the registry, and all values of it.
 * Threads:  any.
 */
BROLGA_API void brolga_closures_model(brolga_closures *closures,
                                      struct brolga_model *model);

/**
 * Enter functions of a unit: all of them, or none. They are there until the
 * unit is freed.
 *
 * Owns:     everything is copied; types must outlive the unit. `types` is the
 *           registry that texts are parsed in; NULL if there are none. `error`
 *           may be NULL; it says which text is wrong.
 * Threads:  any that can tell that the unit stays meanwhile: it has staged it,
 *           or pinned it. With texts, one at a time for a registry.
 * Returns:  BROLGA_OK; BROLGA_EINVAL for code outside of the unit, too many
 *           captures, or a text without a registry; BROLGA_EEXIST for code that
 *           has been entered; ETYPE, ELIMIT of the text; BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_closures_add(brolga_closures *closures, brolga_unit *unit,
                    brolga_types *types, const struct brolga_closure *closure,
                    size_t count, struct brolga_type_error *error);

/**
 * What is known about the closures of some code.
 *
 * Owns:     what `*out` points to is valid until the unit is freed.
 * Threads:  any that has a closure of it, or can tell that the unit stays.
 * Blocks:   no; takes no lock.
 * Returns:  BROLGA_OK or BROLGA_ENOENT.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_closures_find(brolga_closures *closures, const void *code,
                     struct brolga_closure_info *out);

/**
 * A closure of this code has been made: pins the unit.
 *
 * Threads:  any that runs the unit's code, or has a closure of it.
 * Blocks:   no; takes no lock.
 * Returns:  BROLGA_OK; BROLGA_ENOENT, with nothing pinned.
 */
BROLGA_API BROLGA_NODISCARD int brolga_closures_pin(brolga_closures *closures,
                                                    const void *code);

/**
 * A closure of this code is no more: ends one pin.
 *
 * Threads:  any.
 * Blocks:   no; takes no lock.
 * Returns:  BROLGA_OK or BROLGA_ENOENT.
 */
BROLGA_API int brolga_closures_unpin(brolga_closures *closures,
                                     const void *code);

/** How full a table is. */
struct brolga_closures_stats {
    size_t functions; /* now */
    size_t units;     /* with functions in it */
    size_t slots;     /* that it has room for, twice over */
    uint64_t entered; /* functions, ever */
};

/**
 * Look at a table.
 *
 * Threads:  any.
 * Blocks:   for a short lock.
 */
BROLGA_API void brolga_closures_stats(brolga_closures *closures,
                                      struct brolga_closures_stats *out);

#ifdef __cplusplus
}
#endif
#endif
