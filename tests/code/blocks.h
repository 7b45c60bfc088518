/*
 * What the tests of code memory share: the GOT's world, a code memory in it,
 * and blocks with the functions of jit.h at their beginning.
 */
#ifndef BROLGA_TESTS_CODE_BLOCKS_H
#define BROLGA_TESTS_CODE_BLOCKS_H

#include "got/world.h"

#include "code/code.h"

#include <brolga/code.h>

#include <fcntl.h>
#include <unistd.h>

static brolga_code *code;

static inline void code_open(const struct brolga_code_opts *opts)
{
    world_open();
    cr_assert_eq(brolga_code_create(got, opts, &code), BROLGA_OK);
}

/* Nothing is left when the GOT and its epoch are gone. */
static inline void code_close(void)
{
    world_close();
    cr_assert_eq(brolga_code_destroy(code), BROLGA_OK);
}

static inline struct brolga_code_stats code_now(void)
{
    struct brolga_code_stats stats;

    brolga_code_stats(code, &stats);
    return stats;
}

static inline struct brolga_code_block *allocated(size_t bytes)
{
    struct brolga_code_block *block = NULL;

    cr_assert_eq(brolga_code_alloc(code, bytes, &block), BROLGA_OK);
    return block;
}

static inline void write_constant(struct brolga_code_block *block,
                                  brolga_word value)
{
    char *at = block->write;

    memcpy(at, jit_constant_code, sizeof jit_constant_code);
    memcpy(at + JIT_CONSTANT_VALUE_AT, &value, sizeof value);
}

static inline void write_caller(struct brolga_code_block *block,
                                brolga_word value)
{
    char *at = block->write;

    memcpy(at, jit_caller_code, sizeof jit_caller_code);
    memcpy(at + JIT_CALLER_VALUE_AT, &value, sizeof value);
}

/* A sealed block that returns `value`. */
static inline struct brolga_code_block *sealed(brolga_word value)
{
    struct brolga_code_block *block = allocated(1);

    write_constant(block, value);
    cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
    return block;
}

static inline brolga_unit *code_staged(brolga_txn *txn,
                                       struct brolga_code_block *block,
                                       const struct brolga_code_unit_opts *opts)
{
    brolga_unit *unit = NULL;

    cr_assert_eq(brolga_code_unit(txn, block, opts, &unit), BROLGA_OK);
    return unit;
}

/* Publishes m.f as the function at the beginning of a sealed block. */
static inline brolga_slot published_block(struct brolga_code_block *block)
{
    struct brolga_code_unit_opts opts = {.name = "block",
                                         .policy = BROLGA_RECLAIM};
    brolga_txn *txn = begun();
    brolga_slot slot =
        defined(txn, code_staged(txn, block, &opts), "m", "f", INT_FN);

    committed(txn);
    return slot;
}

/* Whether the system can read there, without a trap. */
static inline bool readable(const void *at)
{
    int ends[2];
    ssize_t bytes;

    cr_assert_eq(pipe(ends), 0);
    bytes = write(ends[1], at, 1);
    close(ends[0]);
    close(ends[1]);
    return bytes == 1;
}

/* The same for writing: a zero at the end of the page. */
static inline bool writable(char *at)
{
    int ends[2];
    ssize_t bytes;

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "\0", 1), 1);
    bytes = read(ends[0], at + brolga__plat_page_bytes() - 1, 1);
    close(ends[0]);
    close(ends[1]);
    return bytes == 1;
}

/* Steps until nothing is retired any more; the member quiesces. */
static inline void reclaim_all(void)
{
    for (int i = 0; i < 20; i++) {
        brolga_epoch_quiesce(member);
        (void)brolga__got_reclaim(got);
    }
}

#endif
