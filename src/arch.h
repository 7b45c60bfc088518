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

#endif
