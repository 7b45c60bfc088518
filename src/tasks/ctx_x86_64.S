/*
 * Context switch for x86-64, System V ABI.
 *
 * Frame that swap saves, from low to high addresses:
 *   r15 r14 r13 r12 rbx rbp return-address
 */
    .text

/* void brolga__ctx_swap(uintptr_t *save [rdi], uintptr_t load [rsi]) */
    .globl brolga__ctx_swap
    .hidden brolga__ctx_swap
    .type brolga__ctx_swap, @function
    .p2align 4
brolga__ctx_swap:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    pushq %r12
    .cfi_adjust_cfa_offset 8
    pushq %r13
    .cfi_adjust_cfa_offset 8
    pushq %r14
    .cfi_adjust_cfa_offset 8
    pushq %r15
    .cfi_adjust_cfa_offset 8
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    /* A jump: a ret would be predicted to go back where we came from. */
    popq %rcx
    jmp *%rcx
    .cfi_endproc
    .size brolga__ctx_swap, . - brolga__ctx_swap

/* The lowest frame of a fiber: r12 = entry, r13 = argument. */
    .globl brolga__ctx_start
    .hidden brolga__ctx_start
    .type brolga__ctx_start, @function
    .p2align 4
brolga__ctx_start:
    .cfi_startproc
    .cfi_undefined rip
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size brolga__ctx_start, . - brolga__ctx_start

/* void brolga__ctx_spill(void (*look)(void *, uintptr_t) [rdi], void * [rsi]) */
    .globl brolga__ctx_spill
    .hidden brolga__ctx_spill
    .type brolga__ctx_spill, @function
    .p2align 4
brolga__ctx_spill:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    pushq %r12
    .cfi_adjust_cfa_offset 8
    pushq %r13
    .cfi_adjust_cfa_offset 8
    pushq %r14
    .cfi_adjust_cfa_offset 8
    pushq %r15
    .cfi_adjust_cfa_offset 8
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rsp, %rsi
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    callq *%rax
    addq $56, %rsp
    .cfi_adjust_cfa_offset -56
    ret
    .cfi_endproc
    .size brolga__ctx_spill, . - brolga__ctx_spill

    .section .rodata
    .p2align 3
    .globl brolga__ctx_frame_words
    .hidden brolga__ctx_frame_words
brolga__ctx_frame_words:
    .quad 7
    .globl brolga__ctx_entry_word
    .hidden brolga__ctx_entry_word
brolga__ctx_entry_word:
    .quad 3
    .globl brolga__ctx_arg_word
    .hidden brolga__ctx_arg_word
brolga__ctx_arg_word:
    .quad 2
    .globl brolga__ctx_start_word
    .hidden brolga__ctx_start_word
brolga__ctx_start_word:
    .quad 6

    .section .note.GNU-stack, "", @progbits
