/*
 * Contexts for x86-64, System V ABI. The switch is brolga__cpu_swap(), arch.h.
 *
 * Frame that it saves, from low to high addresses: where to go on, rbp.
 */
    .text

/* The lowest frame of a fiber. On the stack: entry, argument;
 * what was passed is in rsi and rdx already, as the entry wants it. When that
 * returns, a jump leads on, so that calls and returns are in balance. */
    .globl brolga__ctx_start
    .hidden brolga__ctx_start
    .type brolga__ctx_start, @function
    .p2align 4
brolga__ctx_start:
    .cfi_startproc
    .cfi_undefined rip
    popq %rax
    popq %rdi
    xorl %ebp, %ebp
    callq *%rax
    pushq $0
    jmp brolga__ctx_done
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
    .quad 4
    .globl brolga__ctx_entry_word
    .hidden brolga__ctx_entry_word
brolga__ctx_entry_word:
    .quad 2
    .globl brolga__ctx_arg_word
    .hidden brolga__ctx_arg_word
brolga__ctx_arg_word:
    .quad 3
    .globl brolga__ctx_start_word
    .hidden brolga__ctx_start_word
brolga__ctx_start_word:
    .quad 0

    .section .note.GNU-stack, "", @progbits
