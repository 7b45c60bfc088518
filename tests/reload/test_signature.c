/*
 * Goal: two ways of writing the same parameter list give the same text, and
 * different types give different texts.
 * Method: tables of what the macros of module.h hand over, beside what the
 * loader must make of it.
 */
#include <criterion/criterion.h>

#include "alloc.h"
#include "reload/reload.h"

struct sample {
    const char *result;
    const char *params;
    const char *text;
};

static void check(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;

        cr_assert_eq(
            brolga__signature_make(samples[i].result, samples[i].params, &text),
            BROLGA_OK);
        cr_assert(strcmp(text, samples[i].text) == 0, "'%s' '%s': '%s'",
                  samples[i].result, samples[i].params, text);
        brolga__free(text);
    }
}

#define CHECK(...)                                                             \
    do {                                                                       \
        const struct sample samples[] = {__VA_ARGS__};                         \
        check(samples, sizeof samples / sizeof *samples);                      \
    } while (0)

Test(signature, names_of_parameters_do_not_count)
{
    CHECK({"int", "(int a, int b)", "int (int, int)"},
          {"int", "(int, int)", "int (int, int)"},
          {"void", "(const char *text)", "void (const char *)"},
          {"void", "(const foo x)", "void (const foo)"},
          {"void", "(foo const x)", "void (foo const)"},
          {"void", "(unsigned x)", "void (unsigned)"},
          {"void", "(unsigned long x)", "void (unsigned long)"},
          {"void", "(foo *const p)", "void (foo *const)"},
          {"void", "(brolga_word x)", "void (brolga_word)"});
}

Test(signature, a_type_alone_is_not_taken_for_a_name)
{
    CHECK({"int", "(foo)", "int (foo)"},
          {"int", "(const foo)", "int (const foo)"},
          {"int", "(foo const)", "int (foo const)"},
          {"int", "(struct foo)", "int (struct foo)"},
          {"int", "(const struct foo *)", "int (const struct foo *)"},
          {"int", "(unsigned long)", "int (unsigned long)"},
          {"int", "(volatile enum e)", "int (volatile enum e)"});
}

Test(signature, tags_of_structs_stay)
{
    CHECK({"struct a", "(struct b c)", "struct a (struct b)"},
          {"union u *", "(enum e kind)", "union u *(enum e)"},
          {"int", "(const struct b *c)", "int (const struct b *)"});
}

Test(signature, spacing_does_not_count)
{
    CHECK(
        {"int64_t", "( const  char*  p ,int n)", "int64_t (const char *, int)"},
        {"char*", "(char * * argv)", "char *(char **)"},
        {"char *", "(char **argv)", "char *(char **)"},
        {"unsigned  int", "(\n\tint a,\n\tint b)", "unsigned int (int, int)"});
}

Test(signature, an_empty_list_is_a_list_of_nothing)
{
    CHECK({"void", "()", "void (void)"}, {"void", "(void)", "void (void)"},
          {"void", "( )", "void (void)"},
          {"void", "(void *)", "void (void *)"});
}

Test(signature, function_pointers_lose_names_at_every_depth)
{
    CHECK({"int", "(int (*f)(int x, char *), void *arg)",
           "int (int (*)(int, char *), void *)"},
          {"int", "(int(*)(int, char*),void*)",
           "int (int (*)(int, char *), void *)"},
          {"void", "(void (*(*f)(int a))(long b))",
           "void (void (*(*)(int))(long))"});
}

Test(signature, arrays_lose_names_and_keep_lengths)
{
    CHECK({"int", "(int a[3])", "int (int[3])"},
          {"int", "(char *argv[])", "int (char *[])"},
          {"int", "(foo m[N][4])", "int (foo[N][4])"},
          {"int", "(foo [N])", "int (foo[N])"});
}

Test(signature, both_spellings_of_bool_are_one)
{
    CHECK({"_Bool", "(bool a)", "bool (bool)"},
          {"bool", "(_Bool)", "bool (bool)"});
}

Test(signature, variadic_lists_keep_their_dots)
{
    CHECK({"int", "(const char *format, ...)", "int (const char *, ...)"});
}

/* Goal: what a call would get wrong is never equal. */
Test(signature, different_types_differ)
{
    static const struct sample pairs[][2] = {
        {{"int", "(int)", ""}, {"long", "(int)", ""}},
        {{"int", "(int)", ""}, {"int", "(int *)", ""}},
        {{"int", "(int)", ""}, {"int", "(int, int)", ""}},
        {{"int", "(foo x)", ""}, {"int", "(bar x)", ""}},
        {{"int", "(struct a)", ""}, {"int", "(struct b)", ""}},
        {{"int", "(foo *p)", ""}, {"int", "(const foo *p)", ""}},
        {{"int", "(int a[3])", ""}, {"int", "(int a[4])", ""}},
        {{"int", "(int (*f)(int))", ""}, {"int", "(int (*f)(long))", ""}},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *a = NULL, *b = NULL;

        cr_assert_eq(
            brolga__signature_make(pairs[i][0].result, pairs[i][0].params, &a),
            BROLGA_OK);
        cr_assert_eq(
            brolga__signature_make(pairs[i][1].result, pairs[i][1].params, &b),
            BROLGA_OK);
        cr_assert(strcmp(a, b) != 0, "pair %zu: both are '%s'", i, a);
        brolga__free(a);
        brolga__free(b);
    }
}

/* Goal: the text never outgrows its block, whatever is written. */
Test(signature, odd_texts_are_survived)
{
    CHECK({"", "", ""}, {"x", "(", "x ("}, {"x", "(((((", "x ((((("},
          {"a*b*c", "(,,,)", "a *b *c (, , , )"});
}

Test(signature, no_memory_is_reported_and_nothing_leaks)
{
    int64_t live = brolga__alloc_live();
    char *text = NULL;

    brolga__alloc_fail_nth(1);
    cr_assert_eq(brolga__signature_make("int", "(int)", &text), BROLGA_ENOMEM);
    cr_assert_null(text);
    cr_assert_eq(brolga__alloc_live(), live);
}
