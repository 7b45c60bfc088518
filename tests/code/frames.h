/*
 * Frame descriptions of the function of write_caller(), made by hand: what a
 * compiler would put into .eh_frame for its prologue and epilogue.
 */
#ifndef BROLGA_TESTS_CODE_FRAMES_H
#define BROLGA_TESTS_CODE_FRAMES_H

#include "code/blocks.h"

/* Where in the block they lie. */
#define FRAMES_AT 256

/* DW_CFA: advance, offset of a register; the rest are whole bytes. */
#define ADVANCE(n) (0x40 | (n))
#define OFFSET(r)  (0x80 | (r))
enum {
    DEF_CFA = 0x0c,
    DEF_CFA_REGISTER = 0x0d,
    DEF_CFA_OFFSET = 0x0e,
    PC_RELATIVE = 0x1b /* With 4 bytes. */
};

/* Lengths count what follows them. */
#if defined(__x86_64__)
enum { RSP = 7, RBP = 6, RA = 16 };
#define CALLER_BYTES sizeof jit_caller_code
static const uint8_t frames_code[] = {
    /* Common. */
    20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, RA, 1, PC_RELATIVE,
    DEF_CFA, RSP, 8, OFFSET(RA), 1, 0, 0,
    /* The function's. */
    32, 0, 0, 0, 28, 0, 0, 0, /* begin: */ 0, 0, 0, 0, /* bytes: */ 0, 0, 0, 0,
    0, ADVANCE(1), DEF_CFA_OFFSET, 16, OFFSET(RBP), 2, ADVANCE(3),
    DEF_CFA_REGISTER, RBP, ADVANCE(23), DEF_CFA, RSP, 8, 0, 0, 0, 0, 0, 0, 0,
    /* The end. */
    0, 0, 0, 0};
#elif defined(__aarch64__)
enum { SP = 31, FP = 29, LR = 30 };
#define CALLER_BYTES sizeof jit_caller_code
static const uint8_t frames_code[] = {
    /* Common: steps of 4 bytes. */
    16, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 4, 0x78, LR, 1, PC_RELATIVE,
    DEF_CFA, SP, 0,
    /* The function's. */
    32, 0, 0, 0, 24, 0, 0, 0, /* begin: */ 0, 0, 0, 0, /* bytes: */ 0, 0, 0, 0,
    0, ADVANCE(1), DEF_CFA_OFFSET, 16, OFFSET(FP), 2, OFFSET(LR), 1, ADVANCE(1),
    DEF_CFA_REGISTER, FP, ADVANCE(6), DEF_CFA, SP, 0, 0, 0, 0, 0, 0,
    /* The end. */
    0, 0, 0, 0};
#endif

/* Writes them for the caller at the beginning of the block. */
static inline void write_frames(struct brolga_code_block *block)
{
    uint8_t *at = (uint8_t *)block->write + FRAMES_AT;
    size_t fde = frames_code[0] + 4;
    uint32_t bytes = CALLER_BYTES;
    int32_t begin = -(int32_t)(FRAMES_AT + fde + 8);

    memcpy(at, frames_code, sizeof frames_code);
    memcpy(at + fde + 8, &begin, sizeof begin);
    memcpy(at + fde + 12, &bytes, sizeof bytes);
}

static inline struct brolga_code_block *sealed_with_frames(brolga_word value)
{
    struct brolga_code_block *block = allocated(1);

    write_caller(block, value);
    write_frames(block);
    cr_assert_eq(brolga_code_seal(block), BROLGA_OK);
    return block;
}

static inline struct brolga_code_unit_opts frames_opts(void)
{
    return (struct brolga_code_unit_opts){.name = "framed",
                                          .policy = BROLGA_RECLAIM,
                                          .frames_offset = FRAMES_AT,
                                          .frames_bytes = sizeof frames_code};
}

#endif
