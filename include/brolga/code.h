/*
 * Code memory: where a host's compiler puts what it compiles, so that it can be
 * published, called, and freed when nobody can be in it any more.
 *
 * A *code memory* is one range of addresses that is reserved once, so that all
 * code in it can reach all other by relative calls. A *block* of it is written
 * by the compiler, then *sealed*: from then on it can be run and not be written
 * any more. A *unit* (got.h) made from a sealed block gives it back when it is
 * freed. While a block is written it has another address than the one that it
 * will run at; no page is ever writable and executable at once.
 *
 * What is freed traps at once, on any use. Its addresses are used again after a
 * grace period only, and after all processors have been made to forget the
 * instructions that were there.
 *
 * What unwinders, debuggers and profilers are to know of a block is said with
 * the unit. They are told before it is published, and it is withdrawn before
 * the last grace period of the unit begins.
 */
#ifndef BROLGA_CODE_H
#define BROLGA_CODE_H

#include <brolga/got.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct brolga_code brolga_code;

struct brolga_code_opts {
    /* Addresses to reserve, for all code that there is at one time; 0 = 128
     * MiB, over which relative calls of all processors reach; at most 2 GiB.
     * Memory is used as blocks are made. */
    size_t reserve_bytes;
    /* Be so close to this address that 32-bit offsets reach it, such as a
     * function of the host; NULL: anywhere. */
    const void *near;
    /* Addresses of freed blocks are not used again before so many bytes have
     * been freed after them. Uses of freed code that come late trap then, too,
     * instead of running what is there by now. 0: after a grace period. */
    size_t quarantine_bytes;
    /* Write blocks where they will run, as if the system allowed no second
     * place: for hosts whose compilers cannot do with one. */
    bool one_place;
    /* Tell debuggers, by the interface that GDB has for that. They take longer
     * for each unit that lives. */
    bool debugger;
    /* Tell perf: by /tmp/perf-PID.map, which has one meaning for an address,
     * and perf reads for code in `one_place` only, so that this implies that;
     * or by jit-PID.dump in $JITDUMPDIR, or the current directory, which has
     * the code with its time (perf record -k mono; perf inject --jit). */
    bool perf_map;
    bool jitdump;
};

/** How other processors come to see new code. */
enum brolga_code_sync {
    BROLGA_CODE_SYNC_CORES,     /* Sealing makes all of them see it. */
    BROLGA_CODE_SYNC_SLOWLY,    /* The same, in milliseconds. */
    BROLGA_CODE_SYNC_SAFEPOINTS /* Tasks see it from their next safepoint on.
                                   So code must not be reached but by views, or
                                   by cells after a barrier commit. */
};

/**
 * Reserve memory for code that units of a GOT are made from.
 *
 * If two places for each block are to be had, that is how it is done; else, or
 * with `one_place`, a block is made to run where it was written
 * (brolga_code_stats() says which). `opts` may be NULL.
 *
 * Owns:     `*out` belongs to the caller; it must outlive the GOT.
 * Threads:  any.
 * Returns:  BROLGA_OK; BROLGA_EINVAL (too large), BROLGA_ENOMEM, BROLGA_ELIMIT
 *           (no room close to `near`), BROLGA_ENOTSUP (the system lets nothing
 *           run that was written), BROLGA_EIO (a profiler's file cannot be
 *           written).
 */
BROLGA_API BROLGA_NODISCARD int
brolga_code_create(brolga_got *got, const struct brolga_code_opts *opts,
                   brolga_code **out);

/**
 * Give the range back; NULL is ignored.
 *
 * Threads:  any, when no other thread uses it.
 * Returns:  BROLGA_OK, or BROLGA_EBUSY with nothing changed: there are blocks,
 *           or freed ones whose grace period is not over. Once the GOT and its
 *           epoch have been destroyed, or the runtime, only blocks are left
 *           that no unit was made from.
 */
BROLGA_API int brolga_code_destroy(brolga_code *code);

/** A block of code memory. Written by Brolga only. */
struct brolga_code_block {
    void *write;     /* Where it can be written, as long as it can be. */
    const void *run; /* Where it will run: its addresses mean this place. */
    size_t bytes;    /* Of both: whole pages, zeroed. */
};

/**
 * Take a block of at least so many bytes.
 *
 * Owns:     `*out` ends with brolga_code_free(), or goes into a unit.
 * Threads:  any; a block is used by one thread at a time.
 * Returns:  BROLGA_OK; BROLGA_EINVAL (0 bytes), BROLGA_ENOMEM, BROLGA_ELIMIT:
 *           the range has no room for it, also as long as freed addresses wait.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_code_alloc(brolga_code *code, size_t bytes,
                  struct brolga_code_block **out);

/**
 * End the writing of a block and let it run: from here on `write` is NULL, and
 * `run` can be read and called, by all who hear of it from now on.
 *
 * Threads:  any.
 * Blocks:   for some microseconds; longer where brolga_code_stats() says so.
 * Returns:  BROLGA_OK; BROLGA_ESTATE (it is sealed); BROLGA_ENOMEM: then it can
 *           only be freed.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_code_seal(struct brolga_code_block *block);

/**
 * Free a block that no unit was made from; NULL is ignored. Nobody may run it,
 * nor begin to.
 *
 * Threads:  any.
 * Blocks:   for a short lock, and the system's work on memory.
 */
BROLGA_API void brolga_code_free(struct brolga_code_block *block);

/** A function in a block. */
struct brolga_code_function {
    const char *name;
    size_t offset; /* From the beginning of the block. */
    size_t bytes;
    const char *file; /* Where it comes from; NULL: not known. */
    int line;
};

struct brolga_code_unit_opts {
    const char *name; /* As in struct brolga_unit_opts. */
    enum brolga_policy policy;
    /* Called before the block is given back; may be NULL. */
    void (*release)(void *arg);
    void *arg;
    /* What is there, for reports, debuggers and profilers. */
    const struct brolga_code_function *functions;
    size_t function_count;
    /* Where in the block descriptions of its frames lie, for unwinders: a
     * section .eh_frame with an entry of length 0 as its end; `frames_bytes` is
     * 0 if there is none. At a multiple of 8. */
    size_t frames_offset, frames_bytes;
    /* An object file that debuggers are to read, with addresses as they are;
     * NULL: one with the functions' names. Copied. */
    const void *object;
    size_t object_bytes;
};

/**
 * Stage a unit whose text is a sealed block: brolga_txn_unit(). Unwinders,
 * debuggers and profilers are told of it.
 *
 * Owns:     the block belongs to the unit from here on, and `release` is called
 *           when that is freed. On failure it stays the caller's, and nobody
 *           has been told of it, but for a line in a profiler's file.
 *           Everything else is copied.
 * Returns:  as brolga_txn_unit(); BROLGA_ESTATE (the block is not sealed, or in
 *           a unit), BROLGA_EINVAL also for functions or frames that do not lie
 *           in the block, or frames that are not in order; BROLGA_ENOTSUP:
 *           there is no unwinder to tell of frames; BROLGA_EIO: a profiler's
 *           file cannot be written.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_code_unit(brolga_txn *txn, struct brolga_code_block *block,
                 const struct brolga_code_unit_opts *opts, brolga_unit **out);

/** How full a code memory is. */
struct brolga_code_stats {
    size_t reserved_bytes; /* Addresses. */
    size_t used_bytes;     /* Of these, blocks that were not freed. */
    size_t waiting_bytes;  /* And freed ones that are not used again yet. */
    uint32_t blocks;       /* That were not freed. */
    uint64_t allocated;    /* Blocks, ever. */
    bool two_places;       /* Blocks are written in another place. */
    enum brolga_code_sync sync;
};

/**
 * Look at a code memory.
 *
 * Threads:  any.
 * Blocks:   for a short lock.
 */
BROLGA_API void brolga_code_stats(brolga_code *code,
                                  struct brolga_code_stats *out);

#ifdef __cplusplus
}
#endif
#endif
