/*
 * Brolga copy: types of values, and deep copies of them.
 *
 * A *model* says how a host language lays its values out: one 64-bit word a
 * value, heap objects with a size word and a reference count. A *registry* of
 * types belongs to one model; types are written in Cranelisp's notation, e.g.
 * "(List (Option String))", and compiled into shapes when they are first
 * parsed. Copying and dropping then need the type and the value only.
 *
 * A copy shares no object with its source, except frozen ones. Sharing inside
 * the value is kept: an object reached twice is copied once. Neither copying
 * nor dropping recurses, so a value may be as deep as memory allows.
 *
 * Threads: defining and parsing types of one registry is for one thread at a
 * time. Copying and dropping values of types that exist already may run on
 * any number of threads, also while others define new types.
 *
 * docs/values.md is the chapter on all this.
 */
#ifndef BROLGA_COPY_H
#define BROLGA_COPY_H

#include <brolga/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A registry of types, all of one model. */
typedef struct brolga_types brolga_types;

/** A set of leases: freeze.h. */
struct brolga_leases;

/** A type. Equal types of one registry are the same pointer. */
typedef struct brolga_type brolga_type;

/* An object whose count is at least this is frozen: nobody counts it, copies
 * it or frees it; copies of values that point to it point to it as well. So is
 * one whose count is 0, in models that say so. See freeze.h. */
#define BROLGA_FROZEN_MIN (INT64_C(1) << 61)

/* The largest `small_tags` of a model: no system has memory so low. */
#define BROLGA_SMALL_TAGS_MAX 65536

/* --- models ------------------------------------------------------------- */

/** What a closure's code address tells about its captures. */
struct brolga_closure_info {
    const char *name;                /* for messages; NULL: unnamed */
    size_t captures;                 /* how many words it captured */
    const brolga_type *const *types; /* of each; NULL in it: not known */
};

/** Memory by the block, for hosts that let Brolga write objects' headers. */
struct brolga_allocator {
    /* A block, aligned to 8 bytes or more, or NULL. */
    void *(*alloc)(size_t bytes, void *arg);
    /* Takes a block back; `bytes` is what it was made with, or 0 where no size
     * word tells, as of buffers. NULL: memory is left behind. */
    void (*free)(void *block, size_t bytes, void *arg);
    void *arg;
};

/**
 * How values of a host look in memory, and who makes and frees them. Start
 * from a preset and change what differs. Offsets are in bytes.
 *
 * A heap object has a count word, maybe a size word, and fields of one word
 * each. Sum types: [tag][field]...; a constructor without fields is its bare
 * tag if that is below `small_tags`. String: [bytes][UTF-8]. Vec:
 * [length][capacity][data]. Closure: code and captures as given below.
 */
struct brolga_model {
    const char *name;

    /* From the address that a value holds. */
    int32_t size_at;   /* the word with the object's bytes, header included */
    int32_t count_at;  /* the word with the reference count */
    int32_t fields_at; /* the first field */
    bool has_size;     /* is there a size word? closures are checked by it */

    /* From the first field. Words in between are copied as they are. */
    int32_t closure_code;
    int32_t closure_captures;

    /* A word below is never an address; 1024, at the most ..._MAX. */
    int32_t small_tags;

    /* Counts are changed by several threads at once, atomically. */
    bool atomic_counts;

    /* Each count is the number of references, and whoever sends a value has no
     * other way to its parts: an object with a count of 1 may be moved. */
    bool exact_counts;

    /* Code of the host leaves counts of 0 alone: those are frozen, and so are
     * the objects that brolga_freeze() makes. Else code may count whatever it
     * likes, and they begin with BROLGA_FROZEN_COUNT. */
    bool frozen_is_zero;

    /* (IO T) is a value, [0][T]; otherwise it is code and cannot be copied. */
    bool io_is_value;

    /* A type with one constructor of one field of type Int, Bool or Float (or
     * of such a type again) is that field's word. */
    bool flatten_scalars;

    /* Makes an object with `payload_bytes` bytes of fields, its count 1 and
     * its size word set; returns what a value that points to it holds, a
     * multiple of 8, or 0 if there is no memory. May be called by any thread
     * that copies. */
    brolga_word (*alloc)(int64_t payload_bytes, void *arg);
    /* Frees an object; NULL if the host cannot: then memory is left behind. */
    void (*free)(brolga_word value, void *arg);

    /* Instead of the two above, which are not called then and may be NULL:
     * Brolga makes objects from these blocks and writes their headers, of
     * which words besides size and count are 0, and which lie in front of the
     * fields. The presets' buffers come from here, too. */
    const struct brolga_allocator *allocator;

    /* If set, the data of a Vec is no object but a bare buffer from here. */
    void *(*buffer_alloc)(int64_t bytes, void *arg);
    void (*buffer_free)(void *buffer, void *arg);

    /* Describes the closures made from the code at `code`: BROLGA_OK, or an
     * error if it is not known. What it points to must stay valid while any
     * closure of this code exists. NULL: no closure can be copied. */
    int (*closure_info)(uintptr_t code, struct brolga_closure_info *out,
                        void *arg);
    /* Called once for each closure that a copy makes, and once for each that
     * a drop ends: they keep the code loaded. May be NULL. */
    void (*closure_pin)(uintptr_t code, void *arg);
    void (*closure_unpin)(uintptr_t code, void *arg);

    void *arg;         /* for every callback above, */
    void *closure_arg; /* but for the closures' if this is not NULL */
};

/**
 * The model of Cranelisp of February 2026: values point to the first field,
 * behind a header of size and count; plain counts; closures [code][capture].
 *
 * Threads:  any.
 * Returns:  a model with Brolga's allocator and no knowledge of closures.
 */
BROLGA_API struct brolga_model brolga_model_cranelisp(void);

/**
 * The model of later Cranelisp: values point to the header, atomic counts,
 * closures [code][drop glue][capture]..., bare buffers under a Vec.
 *
 * Threads:  any.
 * Returns:  a model with Brolga's allocator and no knowledge of closures.
 */
BROLGA_API struct brolga_model brolga_model_cranelisp_later(void);

/**
 * What Brolga's own allocator of values is: "mimalloc", or "malloc" where the
 * library was built without it.
 *
 * Threads:  any.
 */
BROLGA_API const char *brolga_allocator_name(void);

/* --- types -------------------------------------------------------------- */

/** Where a type's text is wrong, and what to do about it. */
struct brolga_type_error {
    int code;        /* what the function returned */
    size_t offset;   /* bytes before the culprit */
    unsigned line;   /* from 1 */
    unsigned column; /* from 1, in bytes */
    char text[160];
};

/**
 * Create a registry that knows Int, Bool, Float, String, Bytes, (Vec a),
 * (Option a), (List a), (IO a) and (Fn [a ...] r).
 *
 * Owns:     `*out` belongs to the caller; end it with brolga_types_destroy().
 *           The model is copied; what its callbacks need must outlive it.
 * Threads:  any.
 * Returns:  BROLGA_OK, BROLGA_ENOMEM, or BROLGA_EINVAL for a model without
 *           `alloc` or `allocator`, with one buffer callback only, or with bad
 *           offsets or `small_tags`.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_types_create(const struct brolga_model *model, brolga_types **out);

/**
 * Destroy a registry and all its types; NULL is ignored.
 *
 * Threads:  any, when no other thread uses the registry or its types.
 */
BROLGA_API void brolga_types_destroy(brolga_types *types);

/**
 * Define sum types, e.g. "(deftype (Tree a) Tip (Fork [:(Tree a) left :a item
 * :(Tree a) right]))". Forms of one call may refer to each other. All of them
 * are defined, or none. Defining a type again in the same way does nothing.
 *
 * Owns:     nothing is kept of `text`. `error` may be NULL.
 * Threads:  one at a time for a registry.
 * Returns:  BROLGA_OK, BROLGA_ETYPE, BROLGA_EEXIST for a name that means
 *           something else already, BROLGA_ELIMIT or BROLGA_ENOMEM; `*error`
 *           says where and why.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_types_define(brolga_types *types, const char *text,
                    struct brolga_type_error *error);

/**
 * The type that a text names, e.g. "(Fn [Int (Vec String)] (Option Int))".
 *
 * Owns:     `*out` belongs to the registry. `error` may be NULL.
 * Threads:  one at a time for a registry.
 * Returns:  BROLGA_OK, BROLGA_ETYPE, BROLGA_ELIMIT for a type that is too
 *           large or grows without end, or BROLGA_ENOMEM; `*error` says where
 *           and why.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_type_parse(brolga_types *types, const char *text,
                  const brolga_type **out, struct brolga_type_error *error);

/**
 * Register a plain C struct: an element that is copied byte by byte. It can
 * cross on its own, but is no word, hence no part of another type.
 *
 * Owns:     `*out` belongs to the registry.
 * Threads:  one at a time for a registry.
 * Returns:  BROLGA_OK (also for the same again), BROLGA_EEXIST, BROLGA_EINVAL
 *           for a bad name, no bytes, or an alignment that is no power of two
 *           or does not divide `bytes`; BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int brolga_type_struct(brolga_types *types,
                                                   const char *name,
                                                   size_t bytes, size_t align,
                                                   const brolga_type **out);

/**
 * Register words that stand for something counted elsewhere, e.g. an end of a
 * channel. A copy is the same word, retained; a drop releases it. Without
 * `retain` such words cannot be copied; without `release` a drop does nothing.
 * The word 0 stands for no handle: it is copied and dropped without a call.
 *
 * Owns:     `*out` belongs to the registry.
 * Threads:  one at a time for a registry. The callbacks are called by any
 *           thread that copies or drops, and must not block.
 * Returns:  BROLGA_OK (also for the same again), BROLGA_EEXIST, BROLGA_EINVAL
 *           for a bad name, or BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_type_handle(brolga_types *types, const char *name,
                   void (*retain)(brolga_word word, void *arg),
                   void (*release)(brolga_word word, void *arg), void *arg,
                   const brolga_type **out);

/**
 * The type as text, e.g. "(List Int)"; parsing it gives the type back.
 *
 * Threads:  any.
 * Returns:  text that lives as long as the registry.
 */
BROLGA_API const char *brolga_type_name(const brolga_type *type);

/**
 * Bytes of one element: 8 for every type but plain structs.
 *
 * Threads:  any.
 */
BROLGA_API size_t brolga_type_bytes(const brolga_type *type);

/**
 * Alignment of one element: 8 for every type but plain structs.
 *
 * Threads:  any.
 */
BROLGA_API size_t brolga_type_align(const brolga_type *type);

/**
 * Whether values are one word of the host, i.e. this is no plain struct.
 *
 * Threads:  any.
 */
BROLGA_API bool brolga_type_is_word(const brolga_type *type);

/**
 * Whether copying is copying the bytes, and dropping does nothing.
 *
 * Threads:  any.
 */
BROLGA_API bool brolga_type_is_plain(const brolga_type *type);

/**
 * A number for the type's layout and that of everything it contains: equal in
 * every registry and process, if definitions and model layout are equal.
 *
 * Threads:  any.
 */
BROLGA_API uint64_t brolga_type_fingerprint(const brolga_type *type);

/* --- objects ------------------------------------------------------------ */

/**
 * Make an object as a copy would, its count 1 and its size word set: for hosts
 * in C, and for code that copies.
 *
 * Owns:     the object belongs to the caller; its fields are not set.
 * Threads:  any.
 * Returns:  what a value that points to it holds, or 0 if there is no memory.
 */
BROLGA_API brolga_word brolga_object_make(const brolga_types *types,
                                          int64_t payload_bytes);

/**
 * Free one object, whatever its count, and nothing that it refers to. Does
 * nothing where the model cannot free.
 *
 * Owns:     the object is gone.
 * Threads:  any that owns it.
 */
BROLGA_API void brolga_object_free(const brolga_types *types,
                                   brolga_word value);

/* --- copy and drop ------------------------------------------------------ */

/** Why a value was not copied, and which part of it was in the way. */
struct brolga_copy_error {
    int code;       /* what the function returned */
    char path[192]; /* "field 2 of Cons -> capture 1 of closure render" */
    char text[160]; /* what is wrong there */
};

/**
 * Copy one element, deeply. The copy's objects are new, their counts are the
 * references from within the copy (1 for the root). The source is unchanged
 * when the call returns; in a model with plain counts it must belong to the
 * caller's thread, because shared objects are marked meanwhile.
 *
 * Owns:     `*to` belongs to the caller; end it with brolga_drop(). `error`
 *           may be NULL.
 * Threads:  any that owns the value.
 * Returns:  BROLGA_OK; BROLGA_EUNSENDABLE if a part cannot be copied;
 *           BROLGA_EINVAL for something that is no value of this type;
 *           BROLGA_ENOMEM. On failure nothing is left behind and `*to` is
 *           untouched.
 */
BROLGA_API BROLGA_NODISCARD int brolga_copy(const brolga_type *type,
                                            const void *from, void *to,
                                            struct brolga_copy_error *error);

/** How to copy; zero is the default. */
struct brolga_copy_opts {
    /* Called when about `pause_bytes` bytes have been copied since it was
     * called last, so that a large value does not hold others up: it may let
     * them run, but must return. Meanwhile nobody may touch the value: its
     * shared objects are marked. BROLGA_OK goes on; anything else ends the
     * copy, which then leaves nothing behind and returns that. */
    int (*pause)(void *arg);
    void *arg;
    size_t pause_bytes; /* 0: 256 KiB, some 50 us */

    /* A promise that no object of the value is reached twice and none is
     * frozen. Counts are not looked at then. */
    bool is_tree;

    /* Write nothing to the source, not even for a while: then several threads
     * may copy values that share objects, as long as nobody changes these.
     * Costs more where objects are shared. */
    bool reads_only;

    /* If set, leases on the regions that the copy points into are added; on
     * failure it is as before. See freeze.h. */
    struct brolga_leases *leases;
};

/**
 * Copy one element as brolga_copy() does, with options; NULL for the defaults.
 *
 * Owns:     as brolga_copy().
 * Threads:  any that owns the value. It may go on on another thread after a
 *           pause.
 * Returns:  as brolga_copy(), and what `pause` returned.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_copy_with(const brolga_type *type, const void *from, void *to,
                 const struct brolga_copy_opts *opts,
                 struct brolga_copy_error *error);

/**
 * Copy one word: brolga_copy() for every type but plain structs.
 *
 * Owns:     `*out` belongs to the caller; end it with brolga_drop_word().
 * Threads:  any that owns the value.
 * Returns:  as brolga_copy().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_copy_word(const brolga_type *type, brolga_word word, brolga_word *out,
                 struct brolga_copy_error *error);

/**
 * Give up one reference to an element's value; objects that nobody refers to
 * any more are freed. Needs no memory and cannot fail. Closures of unknown
 * code lose the reference only: their memory is left behind, for nobody can
 * tell what they captured.
 *
 * Owns:     the caller's reference is gone; the bytes at `at` are unchanged.
 * Threads:  any that owns the value.
 */
BROLGA_API void brolga_drop(const brolga_type *type, const void *at);

/**
 * Drop an element as brolga_drop() does, with pauses: `pause` is called about
 * every 8192 objects, and its result is ignored. Nobody else can reach what is
 * being dropped.
 *
 * Owns:     the caller's reference is gone; the bytes at `at` are unchanged.
 * Threads:  any that owns the value. It may go on on another thread after a
 *           pause.
 */
BROLGA_API void brolga_drop_with(const brolga_type *type, const void *at,
                                 int (*pause)(void *arg), void *arg);

/**
 * Drop one word: brolga_drop() for every type but plain structs.
 *
 * Owns:     the caller's reference is gone.
 * Threads:  any that owns the value.
 */
BROLGA_API void brolga_drop_word(const brolga_type *type, brolga_word word);

/* --- check -------------------------------------------------------------- */

/** What a check has found. */
struct brolga_check_stats {
    uint64_t kept;         /* objects that nothing else refers to: they stay */
    uint64_t kept_bytes;   /* theirs */
    uint64_t replaced;     /* references to shared objects, now to copies */
    uint64_t copied_bytes; /* of all that was copied */
    bool copied; /* All was copied, because the model's counts do not tell. */
};

/**
 * Make one element's value the caller's alone, without copying what is so
 * already. Objects that nothing else refers to stay where they are; those that
 * something else may refer to are replaced by copies, and lose the value's
 * references. So the result is equal, and reaches nothing that anybody else
 * reaches, but for frozen parts: it may go to another task.
 *
 * Handles stay what they are, also those that cannot be copied, unless they
 * lie in a shared object. Closures that stay keep their pins. A Vec whose data
 * is shared is copied as a whole; one that stays keeps its capacity.
 *
 * In a model without `exact_counts` this is a copy, and a drop of the original.
 * Nobody may use any part of the value meanwhile, not even to read it.
 *
 * Owns:     one reference: that of the caller at `at`. On BROLGA_OK it is to
 *           the value that stands there then. `stats` and `error` may be NULL.
 * Threads:  any that owns the value.
 * Returns:  as brolga_copy(). On failure everything is as it was, `*at` and
 *           `*stats` too.
 */
BROLGA_API BROLGA_NODISCARD int brolga_check(const brolga_type *type, void *at,
                                             struct brolga_check_stats *stats,
                                             struct brolga_copy_error *error);

/**
 * Check one element as brolga_check() does, with pauses: only `pause` and `arg`
 * of the options count. It is called every 8192 objects or so, and in copies of
 * what is shared as by brolga_copy_with(); also while originals are dropped,
 * where it cannot stop anything any more. NULL: none.
 *
 * Owns:     as brolga_check().
 * Threads:  any that owns the value. It may go on on another thread after a
 *           pause.
 * Returns:  as brolga_check(), and what `pause` returned: then everything is as
 *           it was.
 */
BROLGA_API BROLGA_NODISCARD int brolga_check_with(
    const brolga_type *type, void *at, const struct brolga_copy_opts *opts,
    struct brolga_check_stats *stats, struct brolga_copy_error *error);

/**
 * Check one word: brolga_check() for every type but plain structs.
 *
 * Owns:     on BROLGA_OK the reference in `word` has become that in `*out`;
 *           otherwise it is as it was, and `*out` is untouched.
 * Threads:  any that owns the value.
 * Returns:  as brolga_check().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_check_word(const brolga_type *type, brolga_word word, brolga_word *out,
                  struct brolga_check_stats *stats,
                  struct brolga_copy_error *error);

/* --- generated functions ------------------------------------------------ */

/*
 * A host may copy and drop values of a type by functions of its own, e.g. ones
 * that its compiler generates, which know fields and constructors without
 * looking them up. They work inside values of other types, and others' values
 * inside theirs, and sharing is kept across all borders, by one rule:
 *
 *   Only an object whose count is 1 may be copied or followed by a generated
 *   function: it is reached once. Any other word goes to
 *   brolga_copier_later(), which does what Brolga would have done.
 *
 * Brolga itself calls a function only for such objects. Nothing here recurses:
 * what a function hands over is done when it has returned.
 */

/** A copy that is under way. */
typedef struct brolga_copier brolga_copier;

/** A drop that is under way. */
typedef struct brolga_dropper brolga_dropper;

/** Functions for one type; either may be NULL. */
struct brolga_generated {
    /* Copies the object `from`, whose count is 1, and puts the copy into `*to`.
     * Returns BROLGA_OK or an error. After an error `*to` is 0, or an object
     * whose references are 0, copies, or handed over. */
    int (*copy)(brolga_copier *copier, brolga_word from, brolga_word *to,
                void *arg);
    /* Ends the object `dead`, to which nobody refers any more: gives up what
     * it refers to, and frees it. Where a copy or a parallel call has failed,
     * a reference may be 0, whatever its type: brolga_dropper_word() ignores
     * that, brolga_dropper_is_last() must not be asked. */
    void (*drop)(brolga_dropper *dropper, brolga_word dead, void *arg);
    void *arg;
};

/**
 * Register functions for a sum type whose objects refer to others.
 *
 * Owns:     the functions must stay callable while values of `type` exist.
 * Threads:  one at a time for a registry, and nobody copies or drops meanwhile.
 * Returns:  BROLGA_OK (also for the same again), BROLGA_EEXIST for others,
 *           BROLGA_EINVAL for another type, BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_type_generated(brolga_types *types, const brolga_type *type,
                      const struct brolga_generated *functions);

/** A new object, its count 1 and its size word set; 0 if there is no memory.
 * For generated copies. */
BROLGA_API brolga_word brolga_copier_make(brolga_copier *copier,
                                          int64_t payload_bytes);

/**
 * Hand a slot over that holds a word of the source, of that type: it gets its
 * copy when the generated function has returned; the last one that was handed
 * over is the first to be done.
 *
 * Owns:     `*slot` lies in an object of the copy, and belongs to the copier.
 * Threads:  that of the generated copy that calls it.
 * Returns:  BROLGA_OK, or BROLGA_ENOMEM: then `*slot` is 0.
 */
BROLGA_API BROLGA_NODISCARD int brolga_copier_later(brolga_copier *copier,
                                                    const brolga_type *type,
                                                    brolga_word *slot);

/** Whether it is time for a pause: then a generated copy should hand over what
 * is left, and return. */
BROLGA_API bool brolga_copier_is_due(const brolga_copier *copier);

/** Give up a reference to an object, for generated drops; true if it was the
 * last: then the caller has to end the object. */
BROLGA_API bool brolga_dropper_is_last(brolga_dropper *dropper,
                                       brolga_word object);

/** Give up a reference of any type, for generated drops. */
BROLGA_API void brolga_dropper_word(brolga_dropper *dropper,
                                    const brolga_type *type, brolga_word word);

/** Free an object and nothing that it refers to, for generated drops. */
BROLGA_API void brolga_dropper_free(brolga_dropper *dropper,
                                    brolga_word object);

#ifdef __cplusplus
}
#endif
#endif
