/*
 * Element types: what channels carry, tasks return and collections hold. One
 * table has them all; each row gets every family of functions (families.c).
 *
 * Rows are numbered at compile time, for the code of a function that needs to
 * know its type is one address a row: a host of version 1 calls it without
 * anything that could tell. The first rows are the built-in types; the spare
 * ones are for types that a program brings (typefile.c).
 *
 * A row has its type twice. Values *inside* are in Brolga's own memory: what is
 * in channels, results that nobody has asked for yet, partial results. Values
 * *outside* are in the host's, and are compiled code's. A value crosses by a
 * copy from one to the other; so whatever ends inside can be freed, though a
 * host of version 1 frees nothing.
 */
#ifndef TASKS_ELEMENTS_H
#define TASKS_ELEMENTS_H

#include <brolga/copy.h>

/* Symbol, suffix of names, type. */
#define BUILT_IN_ELEMENTS(X)                                                   \
    X(int, "int", "Int")                                                       \
    X(float, "float", "Float")                                                 \
    X(bool, "bool", "Bool")                                                    \
    X(string, "string", "String")                                              \
    X(vec_int, "vec-int", "(Vec Int)")                                         \
    X(vec_float, "vec-float", "(Vec Float)")                                   \
    X(vec_bool, "vec-bool", "(Vec Bool)")                                      \
    X(vec_string, "vec-string", "(Vec String)")                                \
    X(option_int, "option-int", "(Option Int)")                                \
    X(option_float, "option-float", "(Option Float)")                          \
    X(option_bool, "option-bool", "(Option Bool)")                             \
    X(option_string, "option-string", "(Option String)")                       \
    X(list_int, "list-int", "(List Int)")                                      \
    X(list_float, "list-float", "(List Float)")                                \
    X(list_bool, "list-bool", "(List Bool)")                                   \
    X(list_string, "list-string", "(List String)")

#define SPARE_ROW(X, n)                                                        \
    X(spare_##n##0, 0, 0)                                                      \
    X(spare_##n##1, 0, 0)                                                      \
    X(spare_##n##2, 0, 0)                                                      \
    X(spare_##n##3, 0, 0)                                                      \
    X(spare_##n##4, 0, 0)                                                      \
    X(spare_##n##5, 0, 0)                                                      \
    X(spare_##n##6, 0, 0)                                                      \
    X(spare_##n##7, 0, 0)

#define SPARE_ELEMENTS(X)                                                      \
    SPARE_ROW(X, 0)                                                            \
    SPARE_ROW(X, 1)                                                            \
    SPARE_ROW(X, 2)                                                            \
    SPARE_ROW(X, 3)                                                            \
    SPARE_ROW(X, 4)                                                            \
    SPARE_ROW(X, 5)                                                            \
    SPARE_ROW(X, 6)                                                            \
    SPARE_ROW(X, 7)                                                            \
    SPARE_ROW(X, 8)                                                            \
    SPARE_ROW(X, 9)                                                            \
    SPARE_ROW(X, a)                                                            \
    SPARE_ROW(X, b)                                                            \
    SPARE_ROW(X, c)                                                            \
    SPARE_ROW(X, d)                                                            \
    SPARE_ROW(X, e)                                                            \
    SPARE_ROW(X, f)

#define ALL_ELEMENTS(X) BUILT_IN_ELEMENTS(X) SPARE_ELEMENTS(X)

enum element_row {
#define ELEMENT_ENUM(id, suffix, type) ELEMENT_##id,
    ALL_ELEMENTS(ELEMENT_ENUM)
#undef ELEMENT_ENUM
        ELEMENTS_MAX
};

#define ELEMENTS_BUILT_IN ELEMENT_spare_00
/* Between two of these there are pmap-int-to-string and its like. */
#define ELEMENTS_SCALAR   ELEMENT_vec_int

struct element {
    const char *symbol; /* "vec_int" */
    const char *suffix; /* "vec-int" */
    const char *text;   /* "(Vec Int)" */
    const brolga_type *inside;
    const brolga_type *outside;
    const brolga_type *vec_inside; /* A (Vec a) of it. */
    bool plain;                    /* The word is all of it. */
};

/**
 * Make the registries and the built-in rows; again, does nothing.
 *
 * Returns:  BROLGA_OK or BROLGA_ENOMEM.
 */
int elements_init(void);

/* How many rows there are, and one of them. Fixed once the first manifest has
 * been given out. */
unsigned elements_count(void);
const struct element *element_at(unsigned row);

/**
 * Define sum types in both registries.
 *
 * Returns:  as brolga_types_define().
 */
int elements_define(const char *text, struct brolga_type_error *error);

/**
 * Add a row for a type, with a suffix of its own. Both texts are copied.
 *
 * Returns:  BROLGA_OK; as brolga_type_parse(); BROLGA_EEXIST for a suffix that
 *           is taken; BROLGA_ELIMIT: all rows are; BROLGA_EINVAL for a type
 *           that is no word.
 */
int elements_add(const char *suffix, const char *text,
                 struct brolga_type_error *error);

/* --- crossing ----------------------------------------------------------- */

/* None of these fails: where a value cannot be copied the program is refused.
 * The source is only read, so that several tasks may do it at a time. */

/* From compiled code: the copy is inside, and ours. */
brolga_word element_in(const struct element *element, brolga_word word);
/* To compiled code: the copy is outside, and theirs. Of either kind. */
brolga_word element_out(const struct element *element, brolga_word word);
/* The same, and the original, which is inside, is dropped. */
brolga_word element_pass(const struct element *element, brolga_word word);
/* A value that is inside goes. */
void element_drop(const struct element *element, brolga_word word);

#endif
