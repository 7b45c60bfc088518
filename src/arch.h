/* What differs by processor and is too small for a file of its own. */
#ifndef BROLGA_SRC_ARCH_H
#define BROLGA_SRC_ARCH_H

#include <stdint.h>

/* Tells the processor that this thread spins. */
static inline void brolga__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
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

#endif
