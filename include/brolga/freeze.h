/*
 * Brolga freeze: values that many tasks read and nobody copies.
 *
 * Freezing a value copies it, deeply, into a *region*: memory of its own, in
 * which every count is so high that no counting ever frees an object. From then
 * on nobody owns the objects. A copy of a value that points to them points to
 * them as well, whatever their size, and a drop leaves them alone, though it
 * reads their counts to tell.
 *
 * A region lives as long as somebody has a *lease* on it, and then goes as a
 * whole. Messages and tasks have leases: <brolga/lease.h>. Those who work
 * without channels keep theirs in a `struct brolga_leases`.
 *
 * Compiled code may go on counting references to frozen objects, also from many
 * threads at once and without atomics: nothing depends on what it writes. Hosts
 * whose code tests for it can have counts that are never written, too
 * (frozen_is_zero in struct brolga_model).
 *
 * docs/values.md is the chapter on all this.
 */
#ifndef BROLGA_FREEZE_H
#define BROLGA_FREEZE_H

#include <brolga/base.h>
#include <brolga/copy.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Frozen objects that live and go together. Counted leases. */
typedef struct brolga_region brolga_region;

/** What the counts of frozen objects are at first, but for hosts that want 0:
 * no thread can count it down to 0, or up to a negative number, in years. */
#define BROLGA_FROZEN_COUNT (INT64_C(1) << 62)

/* --- freezing ----------------------------------------------------------- */

/**
 * Copy one word, deeply, into a region of its own. What is frozen in it already
 * is not copied: the new region has a lease on that one. If nothing is left to
 * copy, the region is the one that the word points into, or NULL if there is
 * none.
 *
 * Owns:     the source stays the caller's, and unchanged. `*out` needs no drop.
 *           `*region` is one lease; end it with brolga_region_release().
 *           Closures in the region keep their code, and handles what they stand
 *           for, until the region goes. `opts` and `error` may be NULL;
 *           `leases` in the options is not used.
 * Threads:  any that owns the value.
 * Returns:  as brolga_copy_with(); BROLGA_EINVAL for a plain struct or a
 *           handle.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_freeze(const brolga_type *type, brolga_word word, brolga_word *out,
              brolga_region **region, const struct brolga_copy_opts *opts,
              struct brolga_copy_error *error);

/**
 * Whether values can be frozen, or point to what is: not plain words, structs
 * or handles.
 *
 * Threads:  any.
 */
BROLGA_API bool brolga_type_can_freeze(const brolga_type *type);

/* --- regions ------------------------------------------------------------ */

/**
 * Take one more lease; NULL is ignored.
 *
 * Owns:     end it with brolga_region_release().
 * Threads:  any that has a lease, or knows that somebody keeps one.
 * Returns:  `region`.
 */
BROLGA_API brolga_region *brolga_region_retain(brolga_region *region);

/**
 * End a lease; NULL is ignored. The last one frees the region, ends its leases
 * on others, and gives back what its closures and handles kept.
 *
 * Threads:  any.
 */
BROLGA_API void brolga_region_release(brolga_region *region);

/**
 * The region that an object lies in.
 *
 * Threads:  any; somebody must keep a lease on it.
 * Blocks:   no; two loads.
 * Returns:  NULL if it lies in none: frozen objects of the host's own do not.
 */
BROLGA_API brolga_region *brolga_region_of(const brolga_type *type,
                                           brolga_word word);

/** A region, for reports. */
struct brolga_region_info {
    uint64_t id;      /* from 1, never used again */
    uint64_t made_ns; /* when, by brolga_now_ns() */
    uint64_t leases;  /* now */
    size_t bytes;     /* all its memory */
    size_t objects;   /* and buffers */
    size_t kept;      /* pins of code and handles that it keeps */
    size_t others;    /* regions that it has a lease on */
    char type[48];    /* of the value, cut short */
};

/**
 * Look at one region.
 *
 * Threads:  any that has a lease.
 */
BROLGA_API void brolga_region_look(const brolga_region *region,
                                   struct brolga_region_info *out);

/**
 * Look at all regions of the process, the oldest first.
 *
 * Owns:     at most `room` records are written to `out`, which may be NULL if
 *           `room` is 0.
 * Threads:  any.
 * Blocks:   for a short lock.
 * Returns:  how many regions there are.
 */
BROLGA_API size_t brolga_regions_list(struct brolga_region_info *out,
                                      size_t room);

/* --- sets of leases ----------------------------------------------------- */

/** One lease on each of some regions. Zeroed, it is empty. It may be moved, not
 * copied. A copy takes leases if it is given a set (struct brolga_copy_opts):
 * for copies that leave the task whose leases keep those of the source. */
struct brolga_leases {
    uint32_t count;
    /* Brolga's own. */
    uint32_t slots;
    brolga_region *only;
    brolga_region **slot;
};

/**
 * Take a lease on a region, unless it is in the set.
 *
 * Threads:  the set's owner.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM, and then the set is as before.
 */
BROLGA_API BROLGA_NODISCARD int brolga_leases_add(struct brolga_leases *leases,
                                                  brolga_region *region);

/**
 * Whether a region is in the set.
 *
 * Threads:  the set's owner.
 */
BROLGA_API bool brolga_leases_has(const struct brolga_leases *leases,
                                  const brolga_region *region);

/**
 * Walk through a set: start with `*at` = 0.
 *
 * Threads:  the set's owner.
 * Returns:  the next region, or NULL.
 */
BROLGA_API brolga_region *brolga_leases_next(const struct brolga_leases *leases,
                                             size_t *at);

/**
 * Move the leases of `from` to `to`.
 *
 * Threads:  the owner of both.
 * Returns:  BROLGA_OK, and `from` is empty; or BROLGA_ENOMEM, and both are as
 *           before.
 */
BROLGA_API BROLGA_NODISCARD int brolga_leases_move(struct brolga_leases *to,
                                                   struct brolga_leases *from);

/**
 * End all leases of a set, which is empty then.
 *
 * Threads:  the set's owner.
 */
BROLGA_API void brolga_leases_end(struct brolga_leases *leases);

/**
 * Take leases on all regions that a value points into. The value is only read,
 * and walked but for what is frozen. What is no value of the type is left out.
 *
 * Owns:     leases are added to the set, which on failure has some of them.
 * Threads:  any that owns the value and the set.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_leases_collect(struct brolga_leases *leases, const brolga_type *type,
                      brolga_word word);

#ifdef __cplusplus
}
#endif
#endif
