/* What differs by processor and is too small for a file of its own. */
#ifndef BROLGA_SRC_ARCH_H
#define BROLGA_SRC_ARCH_H

#include <stdint.h>

struct brolga_view;

/* Tells the processor that this thread spins. */
static inline void brolga__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/*
 * Drops the instructions that the calling processor has fetched ahead.
 *
 * New code is published behind a release store; who has read that, and then
 * does this, runs what was written, also where the system cannot make other
 * processors do so (BROLGA__SYNC_SAFEPOINTS). A processor gets to new code by a
 * view that was moved on it: brolga__view_adopt() does this; or because it
 * carries a task whose view was moved on another one: then its member has yet
 * to announce a round from behind the commit, or to come online, and does this
 * there; or by a thread's move to another processor, which the system makes
 * with one. x86-64 sees to it by itself.
 */
static inline void brolga__cpu_refetch(void)
{
#if defined(__aarch64__)
    __asm__ __volatile__("isb" : : : "memory");
#endif
}

/* A clock that costs little, in ticks of unknown length: some hundred megahertz
 * to some gigahertz. Not the same on all processors. */
static inline uint64_t brolga__cpu_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
}

/* Ticks that are tens of microseconds. */
#if defined(__x86_64__)
#define BROLGA__TICKS_LONG 65536
#else
#define BROLGA__TICKS_LONG 1024
#endif

/*
 * The address that a word may hold. On 64-bit Arm a stored return address may
 * carry a signature, and any pointer a tag, in its upper bits.
 */
static inline uintptr_t brolga__code_address(uintptr_t word)
{
#if defined(__aarch64__)
    return word & UINT64_C(0x0000ffffffffffff);
#else
    return word;
#endif
}

/* Gives the floating-point unit the state that functions expect: for a thread
 * that has left a function somewhere in its middle. */
static inline void brolga__cpu_reset_fp(void)
{
#if defined(__x86_64__)
    static const unsigned mxcsr = 0x1f80; /* No exception traps. */

    __asm__ __volatile__("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
#elif defined(__aarch64__)
    __asm__ __volatile__("msr fpcr, xzr\n\tmsr fpsr, xzr");
#endif
}

/* Two words that a switch hands to the other side, in registers. */
struct brolga__passed {
    void *by;
    uintptr_t what;
};

/*
 * Goes on where `load` was saved, and saves where this is; returns when someone
 * loads that, with what they pass. Callee-saved registers are saved by the
 * compiler, which sees them overwritten; so all that the caller holds lies on
 * its stack, at and above `*save`. Inline, because a switch in a function of
 * its own unbalances the processor's prediction of returns for all its callers.
 *
 * A stack that has not run is entered through brolga__ctx_start: ctx_<cpu>.S
 * has its frame. Nothing may be kept below the stack pointer (-mno-red-zone).
 */
#if defined(__x86_64__)
#ifdef __AVX512F__ /* With -march=native there may be more. */
#define BROLGA__AVX512_REGISTERS                                               \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",    \
        "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",         \
        "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#else
#define BROLGA__AVX512_REGISTERS
#endif
static inline __attribute__((always_inline)) struct brolga__passed
brolga__cpu_swap(uintptr_t *save, uintptr_t load, struct brolga__passed passed)
{
    __asm__ __volatile__(
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rbp\n\t"
        "pushq %%rax\n\t"
        "movq %%rsp, (%2)\n\t"
        "movq %3, %%rsp\n\t"
        "popq %%rax\n\t"
        "popq %%rbp\n\t"
        "jmpq *%%rax\n"
        "1:\n\t"
        : "+S"(passed.by), "+d"(passed.what), "+D"(save), "+c"(load)
        :
        : "rax", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
          "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
          BROLGA__AVX512_REGISTERS "cc", "memory");
    return passed;
}
#else
struct brolga__passed brolga__cpu_swap(uintptr_t *save, uintptr_t load,
                                       struct brolga__passed passed);
#endif

/* In got/view.c, for processors and systems that are not named below. */
void brolga__view_set_self_call(struct brolga_view *view);

/* Sets what brolga_view_self() returns on this thread. For the same reason as
 * that one, never through an address that was computed before a switch. */
#if defined(__ELF__) && defined(__x86_64__)
static inline void brolga__view_set_self(struct brolga_view *view)
{
    uintptr_t offset;

    __asm__ __volatile__("movq brolga_view_tls@gottpoff(%%rip), %0\n\t"
                         "movq %1, %%fs:(%0)"
                         : "=&r"(offset)
                         : "r"(view)
                         : "memory");
}
#elif defined(__ELF__) && defined(__aarch64__)
static inline void brolga__view_set_self(struct brolga_view *view)
{
    uintptr_t offset, base;

    __asm__ __volatile__("mrs %1, tpidr_el0\n\t"
                         "adrp %0, :gottprel:brolga_view_tls\n\t"
                         "ldr %0, [%0, #:gottprel_lo12:brolga_view_tls]\n\t"
                         "str %2, [%1, %0]"
                         : "=&r"(offset), "=&r"(base)
                         : "r"(view)
                         : "memory");
}
#else
static inline void brolga__view_set_self(struct brolga_view *view)
{
    brolga__view_set_self_call(view);
}
#endif

#endif
