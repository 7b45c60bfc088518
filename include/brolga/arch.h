/*
 * What differs by processor and system, for the inline parts of the headers.
 * This is the only public header that may ask what it is compiled for.
 */
#ifndef BROLGA_ARCH_H
#define BROLGA_ARCH_H

#include <brolga/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct brolga_view;

/**
 * The view of the task that runs on this thread; NULL outside tasks.
 *
 * A task may wake up on another thread, and compilers keep the address of a
 * thread-local variable across calls. So this is read anew every time: through
 * an instruction that the compiler may not merge, or through a call.
 *
 * Threads:  any.
 */
#if defined(__ELF__) && defined(__x86_64__)
static inline struct brolga_view *brolga_view_self(void)
{
    struct brolga_view *view;

    __asm__ __volatile__("movq brolga_view_tls@gottpoff(%%rip), %0\n\t"
                         "movq %%fs:(%0), %0"
                         : "=r"(view)
                         :
                         : "memory");
    return view;
}
#elif defined(__ELF__) && defined(__aarch64__)
static inline struct brolga_view *brolga_view_self(void)
{
    struct brolga_view *view, *base;

    __asm__ __volatile__("mrs %1, tpidr_el0\n\t"
                         "adrp %0, :gottprel:brolga_view_tls\n\t"
                         "ldr %0, [%0, #:gottprel_lo12:brolga_view_tls]\n\t"
                         "ldr %0, [%1, %0]"
                         : "=&r"(view), "=&r"(base)
                         :
                         : "memory");
    return view;
}
#else
/** What brolga_view_self() calls here. Threads: any. */
BROLGA_API struct brolga_view *brolga_view_self_call(void);
static inline struct brolga_view *brolga_view_self(void)
{
    return brolga_view_self_call();
}
#endif

#ifdef __cplusplus
}
#endif
#endif
