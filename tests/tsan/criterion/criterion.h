/*
 * A stand-in for the part of Criterion that our tests use, for builds in which
 * Criterion itself cannot run: it aborts under ThreadSanitizer, and is not
 * packaged for cross builds. The tests of one file run one after the other in
 * one process; a failed assertion ends the process with status 1.
 *
 * `.timeout` (seconds) is honoured by alarm(), `.init` and `.fini` are called,
 * `.disabled` skips. Signals and exit codes are not checked: such tests are
 * compiled only where CRITERION_STAND_IN is not defined.
 */
#ifndef BROLGA_TESTS_STAND_IN_CRITERION_H
#define BROLGA_TESTS_STAND_IN_CRITERION_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRITERION_STAND_IN 1

struct stand_in_test {
    const char *suite;
    const char *name;
    void (*run)(void);
    void (*init)(void);
    void (*fini)(void);
    double timeout;
    bool disabled;
    const char *description;
    struct stand_in_test *next;
};

/* Defined by criterion/main.c. */
void stand_in_register(struct stand_in_test *test);
void stand_in_fail(const char *file, int line, const char *what);

#define Test(Suite, Name, ...)                                                 \
    static void stand_in_##Suite##_##Name(void);                               \
    __attribute__((constructor)) static void stand_in_add_##Suite##_##Name(    \
        void)                                                                  \
    {                                                                          \
        static struct stand_in_test test = {.suite = #Suite,                   \
                                            .name = #Name,                     \
                                            .run =                             \
                                                stand_in_##Suite##_##Name,     \
                                            __VA_ARGS__};                      \
        stand_in_register(&test);                                              \
    }                                                                          \
    static void stand_in_##Suite##_##Name(void)

#define stand_in_check(ok, what, ...)                                          \
    do {                                                                       \
        if (!(ok)) {                                                           \
            fprintf(stderr, "" __VA_ARGS__);                                   \
            stand_in_fail(__FILE__, __LINE__, what);                           \
        }                                                                      \
    } while (0)

#define cr_assert(c, ...) stand_in_check(c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) stand_in_check(!(c), "not " #c, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)                                                \
    stand_in_check((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)                                               \
    stand_in_check((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)                                                \
    stand_in_check((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)                                               \
    stand_in_check((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)                                                \
    stand_in_check((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)                                               \
    stand_in_check((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...)                                                 \
    stand_in_check((p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...)                                             \
    stand_in_check((p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                            \
    stand_in_check(strcmp((a), (b)) == 0, #a " is the text " #b, __VA_ARGS__)
#define cr_assert_fail(...) stand_in_check(0, "reached", __VA_ARGS__)
#define cr_log_info(...)    fprintf(stderr, __VA_ARGS__)

#endif
