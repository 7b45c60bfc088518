/*
 * The atomic operations that Brolga uses, with the memory order in the name.
 *
 * A non-relaxed access carries the letter of its edge, e.g. "A: load in scan";
 * the head of the file lists the edges. There are no stand-alone fences:
 * ThreadSanitizer does not model them. Where a store must be ordered before a
 * later load, both sides are read-modify-writes of one word.
 */
#ifndef BROLGA_SRC_ATOMIC_H
#define BROLGA_SRC_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

#define brolga__load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define brolga__load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define brolga__store_relaxed(p, v)                                            \
    atomic_store_explicit((p), (v), memory_order_relaxed)
#define brolga__store_release(p, v)                                            \
    atomic_store_explicit((p), (v), memory_order_release)
#define brolga__add_relaxed(p, v)                                              \
    atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define brolga__add_release(p, v)                                              \
    atomic_fetch_add_explicit((p), (v), memory_order_release)
#define brolga__add_acq_rel(p, v)                                              \
    atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define brolga__sub_release(p, v)                                              \
    atomic_fetch_sub_explicit((p), (v), memory_order_release)
#define brolga__sub_acq_rel(p, v)                                              \
    atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define brolga__swap_acquire(p, v)                                             \
    atomic_exchange_explicit((p), (v), memory_order_acquire)
#define brolga__swap_release(p, v)                                             \
    atomic_exchange_explicit((p), (v), memory_order_release)
#define brolga__swap_acq_rel(p, v)                                             \
    atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define brolga__and_relaxed(p, v)                                              \
    atomic_fetch_and_explicit((p), (v), memory_order_relaxed)
#define brolga__or_relaxed(p, v)                                               \
    atomic_fetch_or_explicit((p), (v), memory_order_relaxed)
/* For store-then-load on both sides (a flag each way): the total order of the
 * sequentially consistent operations forbids that both sides miss the other. */
#define brolga__load_seq_cst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define brolga__swap_seq_cst(p, v)                                             \
    atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define brolga__add_seq_cst(p, v)                                              \
    atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define brolga__sub_seq_cst(p, v)                                              \
    atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst)
#define brolga__cas_seq_cst(p, expected, v)                                    \
    atomic_compare_exchange_strong_explicit(                                   \
        (p), (expected), (v), memory_order_seq_cst, memory_order_seq_cst)
/* Strong compare-and-swap; on failure `*expected` holds what was found, read
 * with acquire order. */
#define brolga__cas_acq_rel(p, expected, v)                                    \
    atomic_compare_exchange_strong_explicit(                                   \
        (p), (expected), (v), memory_order_acq_rel, memory_order_acquire)
#define brolga__cas_acquire(p, expected, v)                                    \
    atomic_compare_exchange_strong_explicit(                                   \
        (p), (expected), (v), memory_order_acquire, memory_order_relaxed)
#define brolga__cas_relaxed(p, expected, v)                                    \
    atomic_compare_exchange_strong_explicit(                                   \
        (p), (expected), (v), memory_order_relaxed, memory_order_relaxed)

#endif
