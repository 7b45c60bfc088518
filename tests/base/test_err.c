/*
 * Goal: every result code has its own number, name and sentence.
 * Method: the list of base.h once more, against the functions.
 */
#include <criterion/criterion.h>

#include "base.h"

#ifndef CRITERION_STAND_IN
#include <signal.h>
#endif

struct code {
    int number;
    const char *name;
    const char *text;
};

static const struct code codes[] = {
#define CODE(name, number, text) {number, "BROLGA_" #name, text},
    BROLGA_ERRORS(CODE)
#undef CODE
};

Test(err, every_code_has_its_name_and_sentence)
{
    for (size_t i = 0; i < brolga__lengthof(codes); i++) {
        cr_assert_str_eq(brolga_error_name(codes[i].number), codes[i].name);
        cr_assert_str_eq(brolga_strerror(codes[i].number), codes[i].text);
    }
}

Test(err, codes_are_distinct_and_negative_but_for_ok)
{
    for (size_t i = 0; i < brolga__lengthof(codes); i++) {
        cr_assert_eq(codes[i].number == BROLGA_OK, i == 0);
        cr_assert_leq(codes[i].number, 0);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(codes[i].number, codes[j].number);
    }
}

Test(err, other_numbers_are_unknown)
{
    static const int others[] = {1, 7, -99, -1000000, 2147483647};

    for (size_t i = 0; i < brolga__lengthof(others); i++) {
        cr_assert_str_eq(brolga_strerror(others[i]), "unknown code");
        cr_assert_str_eq(brolga_error_name(others[i]), "BROLGA_E?");
    }
}

#ifndef CRITERION_STAND_IN
Test(err, a_broken_invariant_aborts, .signal = SIGABRT)
{
    volatile int two = 2;

    brolga__assert(two == 3);
}
#endif
