/*
 * A host for platforms, in C, that does to the letter what Cranelisp of
 * February 2026 does: how it loads a platform, how its heap counts and frees,
 * how compiled code calls closures and ends a `let`. It stops at once where the
 * real host would go on with broken memory.
 *
 *   - Callbacks lie on the stack of the loader, and are overwritten after the
 *     call. The manifest comes by value, its texts are copied at once.
 *   - Objects: [size][count] payload; every live one is known, under a lock,
 *     and to free another is an abort. Freed memory is overwritten.
 *   - Counts are plain words. Words below 1024 are tags.
 *   - Closures: [code][capture]...; freeing one does not count its captures.
 */
#ifndef TESTS_PLATFORMS_MOCK_H
#define TESTS_PLATFORMS_MOCK_H

#include "../../platforms/tasks/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t word;

/* Ends the test; says where. */
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            mock_fail(__FILE__, __LINE__, #condition);                         \
    } while (0)
__attribute__((noreturn)) void mock_fail(const char *file, int line,
                                         const char *what);

/* --- the heap ----------------------------------------------------------- */

word mock_alloc(int64_t payload_bytes);
word mock_free(word object);
size_t mock_live(void);
bool mock_is_live(word object);
/* Whether allocating takes a lock, as the real host does; for measurements.
 * Without it nothing is known of live objects. */
void mock_set_locked(bool locked);

static inline word *at(word object)
{
    return (word *)object;
}

void mock_inc(word object);
/* One less; whether that was the last. */
bool mock_dec(word object);

/* --- types -------------------------------------------------------------- */

enum kind {
    INT,
    FLOAT,
    BOOL,
    STRING,
    VEC,
    OPTION,
    LIST,
    IO,
    OPAQUE, /* Chan, Task: [tag][word] */
    POINT,  /* (deftype Point (Point [:Int x :Int y])) */
    COLOUR, /* (deftype Colour Red Green Blue) */
    TREE /* (deftype (Tree a) Tip (Fork [:(Tree a) l :a item :(Tree a) r])) */
};

struct type {
    enum kind kind;
    const struct type *arg;
};

/* The type that a text names; it is never freed. */
const struct type *type_of(const char *text);

/* A value that a seed decides. */
word value_make(const struct type *type, uint64_t *seed);
bool value_equal(const struct type *type, word a, word b);
uint64_t value_hash(const struct type *type, word value);
/* Whether this heap has made all of it, and nobody else has a count of it. */
bool value_is_own(const struct type *type, word value);
/* As the end of a `let`: a count less, and what that frees. */
void value_drop(const struct type *type, word value);

word mock_string(const char *text);
word mock_vec(const word *words, size_t count);
word mock_io(word value);

/* What an IO holds. The IO is left behind, as a match leaves it. */
static inline word io_value(word io)
{
    return at(io)[1];
}

/* --- closures ----------------------------------------------------------- */

typedef void (*closure_code)(void);

word closure_make(closure_code code, size_t captures, const word *words);

/* The capture with that index. */
static inline word capture(word closure, size_t index)
{
    return at(closure)[1 + index];
}

/* --- the platform ------------------------------------------------------- */

/* Loads it; as often as one likes. */
void mock_load(const char *path);
void mock_load_v2(const char *path);

/* How many functions it has, and one of them. */
size_t mock_fn_count(void);
const struct cranelisp_fn *mock_fn(size_t index);
/* By name; the test ends if there is none. Counts as tried. */
const struct cranelisp_fn *mock_find(const char *name);
/* What the platform's file has under a symbol; NULL: nothing. */
closure_code mock_symbol(const char *name);
/* A name that nobody has looked for, or NULL. */
const char *mock_untried(void);

word call_0(const char *name);
word call_1(const char *name, word a);
word call_2(const char *name, word a, word b);
word call_3(const char *name, word a, word b, word c);

/* Hooks that the platform has set, of version 2. */
extern void (*mock_on_shutdown)(void);
extern void (*mock_on_panic)(const char *text, size_t bytes);
extern void (*mock_on_reload)(enum cranelisp_reload what, const char *module,
                              size_t bytes);
/* What it has reported by the host's panic, and frees by the host's free. */
extern size_t mock_frees;

#endif
