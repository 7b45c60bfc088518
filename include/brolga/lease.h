/*
 * Brolga leases: who keeps frozen values (<brolga/freeze.h>) while they cross.
 *
 * A message that points into regions has a lease on each of them. Whoever
 * receives it has these leases from then on: the task that receives, until it
 * ends, or, outside of tasks, the thread. So a frozen value stays for as long
 * as somebody who was sent it may read it, and nobody counts.
 *
 * A task that lives long keeps all that it was ever sent; it can let go of what
 * it does not use any more (brolga_lease_compact()).
 *
 * A send looks into the value, and finds the regions that are really in it. A
 * give does not look: the value takes along leases on all regions that the
 * giver has one on; if that is an attached thread, also those that it had
 * before it was attached.
 *
 * A message with leases is told by its lowest bit: so what a host gives must be
 * an address that is a multiple of 8, or below BROLGA_SMALL_TAGS_MAX, unless it
 * is of a type of words. That matters only for values that cannot be copied:
 * all others are so by their model.
 *
 * Only messages carry leases. The argument and the result of a task, or of a
 * fork, do not: who starts it keeps what the argument points into, for as long
 * as it has no lease of its own, and a result that points into a region needs
 * the joiner's lease.
 */
#ifndef BROLGA_LEASE_H
#define BROLGA_LEASE_H

#include <brolga/base.h>
#include <brolga/copy.h>
#include <brolga/freeze.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Let the calling task keep a region until it ends; outside of tasks, the
 * calling thread.
 *
 * Owns:     the caller's lease is gone on BROLGA_OK, and still the caller's
 *           otherwise. NULL is ignored.
 * Threads:  any.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_lease_keep(brolga_region *region);

/** A value that is still in use. */
struct brolga_root {
    const brolga_type *type;
    brolga_word word;
};

/**
 * Say what the calling task, or thread, still uses: from then on it has leases
 * on the regions that these values point into, and on no others. The values are
 * walked, but for what is frozen in them. What else points into those regions
 * has to be dropped before.
 *
 * Owns:     the values stay the caller's, and are only read.
 * Threads:  any; of each region somebody must have a lease.
 * Returns:  BROLGA_OK; BROLGA_ENOMEM, with all leases as before.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_lease_compact(const struct brolga_root *roots, size_t count);

/**
 * How many regions the calling task, or thread, has leases on.
 *
 * Threads:  any.
 */
BROLGA_API size_t brolga_lease_count(void);

#ifdef __cplusplus
}
#endif
#endif
