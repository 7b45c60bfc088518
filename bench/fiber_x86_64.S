/*
 * Fibers for floors, x86-64, System V ABI. A frame, from low to high addresses:
 *   r15 r14 r13 r12 rbx rbp where-it-goes-on
 */
    .text

/* void *bench_fiber_frame(void *top [rdi], void (*fn)(void) [rsi]): the stack
 * pointer stands in fn() as it would after a call. */
    .globl bench_fiber_frame
    .type bench_fiber_frame, @function
    .p2align 4
bench_fiber_frame:
    leaq -64(%rdi), %rax
    movq %rsi, 48(%rax)
    movq $0, 56(%rax)
    ret
    .size bench_fiber_frame, . - bench_fiber_frame

/* void bench_fiber_swap(void **save [rdi], void *load [rsi]) */
    .globl bench_fiber_swap
    .type bench_fiber_swap, @function
    .p2align 4
bench_fiber_swap:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
    .size bench_fiber_swap, . - bench_fiber_swap

    .section .note.GNU-stack, "", @progbits
