/*
 * Context switch for 64-bit Arm, AAPCS64.
 *
 * Frame that swap saves, from low to high addresses, 20 words:
 *   x19..x28 (10), x29 x30 (2), d8..d15 (8)
 */
    .text

/* struct brolga__passed [x0, x1] brolga__cpu_swap(uintptr_t *save [x0],
 *     uintptr_t load [x1], struct brolga__passed passed [x2, x3]) */
    .globl brolga__cpu_swap
    .hidden brolga__cpu_swap
    .type brolga__cpu_swap, %function
    .p2align 4
brolga__cpu_swap:
    .cfi_startproc
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    mov x0, x2
    mov x1, x3
    /* A jump: a ret would be predicted to go back where we came from. */
    br x30
    .cfi_endproc
    .size brolga__cpu_swap, . - brolga__cpu_swap

/* The lowest frame of a fiber: x19 = entry, x20 = argument. When the entry
 * returns, a branch leads on, so that calls and returns are in balance. */
    .globl brolga__ctx_start
    .hidden brolga__ctx_start
    .type brolga__ctx_start, %function
    .p2align 4
brolga__ctx_start:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, xzr
    mov x30, xzr
    mov x2, x1 /* What was passed: to x1, x2. */
    mov x1, x0
    mov x0, x20
    blr x19
    mov x30, xzr
    b brolga__ctx_done
    .cfi_endproc
    .size brolga__ctx_start, . - brolga__ctx_start

/* void brolga__ctx_spill(void (*look)(void *, uintptr_t) [x0], void * [x1]) */
    .globl brolga__ctx_spill
    .hidden brolga__ctx_spill
    .type brolga__ctx_spill, %function
    .p2align 4
brolga__ctx_spill:
    .cfi_startproc
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp d8, d9, [sp, #80]
    stp d10, d11, [sp, #96]
    stp d12, d13, [sp, #112]
    stp d14, d15, [sp, #128]
    stp x29, x30, [sp, #144]
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x9, x0
    mov x0, x1
    mov x1, sp
    blr x9
    ldp x29, x30, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size brolga__ctx_spill, . - brolga__ctx_spill

    .section .rodata
    .p2align 3
    .globl brolga__ctx_frame_words
    .hidden brolga__ctx_frame_words
brolga__ctx_frame_words:
    .quad 20
    .globl brolga__ctx_entry_word
    .hidden brolga__ctx_entry_word
brolga__ctx_entry_word:
    .quad 0
    .globl brolga__ctx_arg_word
    .hidden brolga__ctx_arg_word
brolga__ctx_arg_word:
    .quad 1
    .globl brolga__ctx_start_word
    .hidden brolga__ctx_start_word
brolga__ctx_start_word:
    .quad 11

    .section .note.GNU-stack, "", %progbits
