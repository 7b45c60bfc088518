/* Base of all layers: assertions and small helpers. Includes no other layer. */
#ifndef BROLGA_SRC_BASE_H
#define BROLGA_SRC_BASE_H

#include <brolga/base.h>

#define BROLGA__CACHE_LINE 64

/* Which sanitizer watches. */
#if defined(__SANITIZE_ADDRESS__)
#define BROLGA__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BROLGA__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BROLGA__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BROLGA__TSAN 1
#endif
#endif

#define brolga__likely(x)   __builtin_expect(!!(x), 1)
#define brolga__unlikely(x) __builtin_expect(!!(x), 0)

#define brolga__container_of(ptr, type, member)                                \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define brolga__lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Reports a broken invariant or a caller's mistake, and aborts. */
BROLGA_NORETURN void brolga__assert_failed(const char *expr, const char *file,
                                           int line);

/* O(1) checks: on in every build. */
#define brolga__assert(expr)                                                   \
    (brolga__likely(expr) ? (void)0                                            \
                          : brolga__assert_failed(#expr, __FILE__, __LINE__))

/* Checks that walk a structure: debug builds only. */
#ifdef BROLGA_DEBUG
#define brolga__check(expr) brolga__assert(expr)
#else
#define brolga__check(expr) ((void)sizeof(!(expr)))
#endif

/* `n` rounded up to a multiple of `multiple`. */
static inline size_t brolga__round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static inline uint64_t brolga__earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where a function's code lies; ISO C has no conversion to object pointers. */
static inline const void *brolga__function_address(void (*fn)(void))
{
    union {
        void (*fn)(void);
        const void *address;
    } cast = {fn};

    return cast.address;
}

#endif
