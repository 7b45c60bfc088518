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

#endif
