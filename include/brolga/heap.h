/*
 * Brolga heaps: memory of a task's own, which goes with it if it fails.
 *
 * A task that is spawned with `heap` in its options makes its objects in a heap
 * of its own: those that its code makes through the preset's `alloc`, copies
 * that it makes for itself, collections, results of checks. If it fails, all of
 * them are gone at once, without a walk; nothing has to be dropped before. If
 * it ends well they stay, and each goes with its last reference, as always.
 *
 * What leaves the task survives it. Messages that are copied are not made in
 * the heap. Of those that are moved, or checked, the objects are marked as
 * *kept*, in a walk; a value in which something is shared is copied instead.
 * What others get by other ways is the host's to mark: brolga_heap_keep().
 *
 * What a task receives lies where its sender made it, and is no part of its
 * heap, unless it takes it in: brolga_heap_adopt().
 *
 * Only Brolga's own memory is in heaps: a host that brings an allocator has no
 * use for them. docs/values.md is the chapter on all this.
 */
#ifndef BROLGA_HEAP_H
#define BROLGA_HEAP_H

#include <brolga/base.h>
#include <brolga/copy.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Mark the objects of a value as kept: they outlive the calling task, however
 * it ends. For values that others get by other ways than channels, such as the
 * argument of a task that does not end before the caller. Does nothing without
 * a heap. Sends do it by themselves.
 *
 * Owns:     whoever has the value must drop it, even if the caller fails.
 * Threads:  any that owns the value.
 * Returns:  BROLGA_OK; BROLGA_EBUSY, with nothing marked, if some part of the
 *           value has several references, or its count cannot be told: then a
 *           copy can be made outside of the heap, by a send; BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_heap_keep(const brolga_type *type,
                                                 brolga_word word);

/**
 * Take a value into the caller's heap: a copy in it, and a drop of the
 * original. For values that were received, so that they, too, are gone if the
 * task fails. Does nothing without a heap.
 *
 * Owns:     one reference: that of the caller at `at`. On BROLGA_OK it is to
 *           the value that stands there then. Of the options only the pauses
 *           count; `opts` and `error` may be NULL.
 * Threads:  any that owns the value. It may go on on another thread after a
 *           pause.
 * Returns:  as brolga_copy_with(); on failure everything is as it was.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_heap_adopt(const brolga_type *type, void *at,
                  const struct brolga_copy_opts *opts,
                  struct brolga_copy_error *error);

/**
 * Say what an object of the caller's heap holds besides memory: when the object
 * ends with the heap, release(word, arg) is called, after the task's handlers,
 * by whoever ends the task. When it is dropped it is forgotten, for the drop
 * gives back what the type says. Copies do this for their closures and handles;
 * it is for objects that a host makes by itself. Does nothing for objects that
 * lie elsewhere.
 *
 * Owns:     `release` must not block, and be callable until the task has ended.
 * Threads:  any that owns the object.
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_heap_hold(const void *object,
                 void (*release)(brolga_word word, void *arg), void *arg,
                 brolga_word word);

/**
 * Whether an address lies in an object of the calling task's heap.
 *
 * Threads:  any.
 */
BROLGA_API bool brolga_heap_has(const void *object);

/**
 * Bytes of address space that the heaps of all tasks take, in blocks of 64 KiB,
 * also of tasks that have ended and left objects. What is never touched takes
 * no memory.
 *
 * Threads:  any.
 */
BROLGA_API size_t brolga_heaps_bytes(void);

#ifdef __cplusplus
}
#endif
#endif
