/*
 * Fibers for floors, 64-bit Arm, AAPCS64. A frame, from low to high addresses:
 *   x19..x28 x29 x30 d8..d15, 20 words; it goes on at x30
 */
    .text

/* void *bench_fiber_frame(void *top [x0], void (*fn)(void) [x1]) */
    .globl bench_fiber_frame
    .type bench_fiber_frame, %function
    .p2align 4
bench_fiber_frame:
    sub x0, x0, #160
    stp xzr, x1, [x0, #80]
    ret
    .size bench_fiber_frame, . - bench_fiber_frame

/* void bench_fiber_swap(void **save [x0], void *load [x1]) */
    .globl bench_fiber_swap
    .type bench_fiber_swap, %function
    .p2align 4
bench_fiber_swap:
    sub sp, sp, #160
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
    br x30
    .size bench_fiber_swap, . - bench_fiber_swap

    .section .note.GNU-stack, "", %progbits
