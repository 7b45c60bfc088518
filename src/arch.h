/* What differs by processor and is too small for a file of its own. */
#ifndef BROLGA_SRC_ARCH_H
#define BROLGA_SRC_ARCH_H

/* Tells the processor that this thread spins. */
static inline void brolga__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
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
