/*
 * Brolga base: version, visibility, result codes, time.
 *
 * Every function that can fail returns an int: BROLGA_OK (0) or one of the
 * negative codes below. Results come through out-pointers, which are left
 * untouched on failure. errno is neither set nor read by callers.
 *
 * Times are 64-bit nanoseconds of the monotonic clock; deadlines are absolute.
 */
#ifndef BROLGA_BASE_H
#define BROLGA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BROLGA_VERSION_MAJOR 0
#define BROLGA_VERSION_MINOR 1
#define BROLGA_VERSION_PATCH 0

/* The number of the binary interface: another one when a program that was
 * compiled with older headers would not fit the library any more. */
#define BROLGA_ABI 1

#if defined(__GNUC__)
#define BROLGA_API              __attribute__((visibility("default")))
#define BROLGA_NODISCARD        __attribute__((warn_unused_result))
#define BROLGA_NORETURN         __attribute__((noreturn))
#define BROLGA_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#else
#define BROLGA_API
#define BROLGA_NODISCARD
#define BROLGA_NORETURN
#define BROLGA_PRINTF(fmt, arg)
#endif

/**
 * The BROLGA_ABI that the library was compiled with. Whoever meets the library
 * only when it is loaded, such as a plug-in for a program that has a Brolga in
 * it, compares the two before it calls anything else.
 *
 * Threads:  any.
 */
BROLGA_API uint32_t brolga_abi(void);

/* One value of a word-based host language: an integer, the bits of a float,
 * or the address of a heap object. */
typedef int64_t brolga_word;

/* Every result code, once: name, number, what it says to a person. */
#define BROLGA_ERRORS(X)                                                       \
    X(OK, 0, "ok")                                                             \
    X(ENOMEM, -1, "out of memory")                                             \
    X(EINVAL, -2, "invalid argument")                                          \
    X(EAGAIN, -3, "would have to wait")                                        \
    X(ETIMEOUT, -4, "the deadline has passed")                                 \
    X(ECLOSED, -5, "the channel is closed")                                    \
    X(ECANCELED, -6, "canceled")                                               \
    X(EFAILED, -7, "the task failed")                                          \
    X(ENOENT, -8, "not found")                                                 \
    X(EEXIST, -9, "already defined")                                           \
    X(EBUSY, -10, "in use")                                                    \
    X(ELIMIT, -11, "a limit is reached")                                       \
    X(EREFUSED, -12, "refused; nothing has changed")                           \
    X(ETYPE, -13, "not a valid type")                                          \
    X(EUNSENDABLE, -14, "a value of this type cannot cross to another task")   \
    X(EIO, -15, "input or output failed")                                      \
    X(ENOTSUP, -16, "not supported here")                                      \
    X(EBUILD, -17, "the build failed")                                         \
    X(ESTATE, -18, "not allowed in this state")                                \
    X(EDEADLOCK, -19, "no task could run again")

enum brolga_error {
#define BROLGA_ERROR_ENUM(name, number, text) BROLGA_##name = (number),
    BROLGA_ERRORS(BROLGA_ERROR_ENUM)
#undef BROLGA_ERROR_ENUM
};

/**
 * The sentence that belongs to a result code.
 *
 * Threads:  any.
 * Returns:  static text, "unknown code" for any other number.
 */
BROLGA_API const char *brolga_strerror(int code);

/**
 * The name of a result code, e.g. "BROLGA_ENOMEM".
 *
 * Threads:  any.
 * Returns:  static text.
 */
BROLGA_API const char *brolga_error_name(int code);

/* A word that threads share: _Atomic is no part of C++, the layout is one. */
#ifdef __cplusplus
typedef int32_t brolga_shared_int;
#else
typedef _Atomic int32_t brolga_shared_int;
#endif

/* A deadline that never comes, and one that has always passed. */
#define BROLGA_FOREVER UINT64_MAX
#define BROLGA_NOW     UINT64_C(0)

#define BROLGA_US UINT64_C(1000)
#define BROLGA_MS UINT64_C(1000000)
#define BROLGA_S  UINT64_C(1000000000)

/**
 * The monotonic clock, in nanoseconds.
 *
 * Threads:  any.
 */
BROLGA_API uint64_t brolga_now_ns(void);

/**
 * The deadline that lies `delay_ns` from now; saturates at BROLGA_FOREVER.
 *
 * Threads:  any.
 */
BROLGA_API uint64_t brolga_after_ns(uint64_t delay_ns);

/**
 * Switches that make rare things happen often, for tests and for programs that
 * want to know whether they stand them. All are off if 0, and cost nothing
 * then.
 */
struct brolga_stress {
    uint32_t reload;     /* After so many safepoints, of all tasks together, a
                            reload with identical code. */
    uint32_t abort;      /* One in so many commits is refused, at some point of
                            it, with BROLGA_REFUSED_STRESS. */
    bool scan;           /* The reclaimer works all the time, and all stacks are
                            searched, also those that are known to be clean. */
    uint32_t quarantine; /* The address space of so many released shared objects
                            stays taken, and inaccessible: any use of them
                            crashes at once. For the rest of the process. */
    uint64_t seed;       /* For `abort`. */
};

/**
 * Read switches from a text such as "reload=1000,abort=7,scan=1,seed=3", as
 * BROLGA_STRESS in the environment and `brolga run --stress` have them.
 *
 * Threads:  any.
 * Returns:  BROLGA_OK, or BROLGA_EINVAL if any of it is wrong.
 */
BROLGA_API BROLGA_NODISCARD int brolga_stress_parse(const char *text,
                                                    struct brolga_stress *out);

#ifdef __cplusplus
}
#endif
#endif
