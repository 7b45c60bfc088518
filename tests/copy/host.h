/*
 * A small host for the tests of the copy layer: a preset whose callbacks count
 * and can tell closures apart, and functions that build values by hand.
 * Header only; each test program has its own.
 */
#ifndef BROLGA_TESTS_COPY_HOST_H
#define BROLGA_TESTS_COPY_HOST_H

#include "alloc.h"

#include <brolga/copy.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOST_IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HOST_IS_SLOW 1
#endif
#endif

/* Elements of a deep value: ten times fewer under a sanitizer. */
#ifdef HOST_IS_SLOW
#define HOST_DEEP 1000000
#else
#define HOST_DEEP 10000000
#endif

#define HOST_CODES    4
#define HOST_CAPTURES 4

struct host_code {
    const char *name;
    size_t captures;
    const brolga_type *types[HOST_CAPTURES];
    int64_t pins;
};

struct host {
    struct brolga_model preset;
    brolga_types *types;
    struct host_code code[HOST_CODES];
    size_t codes;
    int64_t made; /* objects and buffers, ever */
    int64_t live; /* and now */
};

static inline brolga_word host_alloc(int64_t payload_bytes, void *arg)
{
    struct host *h = arg;
    brolga_word value = h->preset.alloc(payload_bytes, NULL);

    h->made += value != 0;
    h->live += value != 0;
    return value;
}

static inline void host_free(brolga_word value, void *arg)
{
    struct host *h = arg;

    h->live--;
    h->preset.free(value, NULL);
}

static inline void *host_buffer_alloc(int64_t bytes, void *arg)
{
    struct host *h = arg;
    void *buffer = h->preset.buffer_alloc(bytes, NULL);

    h->made += buffer != NULL;
    h->live += buffer != NULL;
    return buffer;
}

static inline void host_buffer_free(void *buffer, void *arg)
{
    struct host *h = arg;

    h->live--;
    h->preset.buffer_free(buffer, NULL);
}

/* The address of its record stands for a piece of code. */
static inline struct host_code *host_find_code(struct host *h, uintptr_t code)
{
    for (size_t i = 0; i < h->codes; i++)
        if ((uintptr_t)&h->code[i] == code)
            return &h->code[i];
    return NULL;
}

static inline int host_closure_info(uintptr_t code,
                                    struct brolga_closure_info *out, void *arg)
{
    const struct host_code *found = host_find_code(arg, code);

    if (found == NULL)
        return BROLGA_ENOENT;
    out->name = found->name;
    out->captures = found->captures;
    out->types = found->types;
    return BROLGA_OK;
}

static inline void host_pin(uintptr_t code, void *arg)
{
    host_find_code(arg, code)->pins++;
}

static inline void host_unpin(uintptr_t code, void *arg)
{
    host_find_code(arg, code)->pins--;
}

static inline void host_start(struct host *h, struct brolga_model preset)
{
    struct brolga_model model = preset;

    memset(h, 0, sizeof(*h));
    h->preset = preset;
    model.alloc = host_alloc;
    model.free = host_free;
    if (preset.buffer_alloc != NULL) {
        model.buffer_alloc = host_buffer_alloc;
        model.buffer_free = host_buffer_free;
    }
    model.closure_info = host_closure_info;
    model.closure_pin = host_pin;
    model.closure_unpin = host_unpin;
    model.arg = h;
    cr_assert_eq(brolga_types_create(&model, &h->types), BROLGA_OK);
}

/* Ends the host; every object of the test must be gone. */
static inline void host_stop(struct host *h)
{
    cr_assert_eq(h->live, 0, "%lld objects left\n", (long long)h->live);
    brolga_types_destroy(h->types);
    cr_assert_eq(brolga__alloc_live(), 0);
}

static inline const brolga_type *host_type(struct host *h, const char *text)
{
    struct brolga_type_error error = {0};
    const brolga_type *type = NULL;
    int err = brolga_type_parse(h->types, text, &type, &error);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", text, error.text);
    return type;
}

static inline void host_define(struct host *h, const char *text)
{
    struct brolga_type_error error = {0};
    int err = brolga_types_define(h->types, text, &error);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", text, error.text);
}

static inline brolga_word *host_fields(const struct host *h, brolga_word value)
{
    return (brolga_word *)(uintptr_t)(value + h->preset.fields_at);
}

static inline brolga_word *host_count(const struct host *h, brolga_word value)
{
    return (brolga_word *)(uintptr_t)(value + h->preset.count_at);
}

/* One more reference to an object. */
static inline brolga_word host_share(struct host *h, brolga_word value)
{
    ++*host_count(h, value);
    return value;
}

static inline brolga_word host_object(struct host *h, size_t words,
                                      const brolga_word *word)
{
    brolga_word value = host_alloc((int64_t)words * 8, h);

    cr_assert_neq(value, 0);
    memcpy(host_fields(h, value), word, words * 8);
    return value;
}

#define HOST_OBJECT(h, ...)                                                    \
    host_object((h), sizeof((brolga_word[]){__VA_ARGS__}) / 8,                 \
                (const brolga_word[]){__VA_ARGS__})

static inline brolga_word host_cons(struct host *h, brolga_word head,
                                    brolga_word tail)
{
    return HOST_OBJECT(h, 1, head, tail);
}

static inline brolga_word host_some(struct host *h, brolga_word item)
{
    return HOST_OBJECT(h, 1, item);
}

static inline brolga_word host_string(struct host *h, const char *text)
{
    size_t bytes = strlen(text);
    brolga_word value = host_alloc(8 + (int64_t)bytes, h);

    cr_assert_neq(value, 0);
    host_fields(h, value)[0] = (brolga_word)bytes;
    memcpy(host_fields(h, value) + 1, text, bytes);
    return value;
}

static inline brolga_word *host_items(const struct host *h, brolga_word vec)
{
    brolga_word data = host_fields(h, vec)[2];

    return h->preset.buffer_alloc != NULL ? (brolga_word *)(uintptr_t)data
                                          : host_fields(h, data);
}

/* A Vec with room for `capacity` elements, of which `length` are given. */
static inline brolga_word host_vec(struct host *h, size_t length,
                                   size_t capacity, const brolga_word *item)
{
    brolga_word data = 0, vec;

    if (capacity > 0 && h->preset.buffer_alloc != NULL)
        data =
            (brolga_word)(uintptr_t)host_buffer_alloc((int64_t)capacity * 8, h);
    else if (capacity > 0)
        data = host_alloc((int64_t)capacity * 8, h);
    vec = HOST_OBJECT(h, (brolga_word)length, (brolga_word)capacity, data);
    if (length > 0)
        memcpy(host_items(h, vec), item, length * 8);
    return vec;
}

static inline struct host_code *host_add_code(struct host *h, const char *name,
                                              size_t captures,
                                              const char *const *types)
{
    struct host_code *code = &h->code[h->codes++];

    code->name = name;
    code->captures = captures;
    for (size_t i = 0; i < captures; i++)
        code->types[i] = types[i] ? host_type(h, types[i]) : NULL;
    return code;
}

static inline brolga_word *host_captures(const struct host *h,
                                         brolga_word closure)
{
    return host_fields(h, closure) + h->preset.closure_captures / 8;
}

/* A closure as the host's own code makes it, which pins its code. */
static inline brolga_word host_closure(struct host *h, struct host_code *code,
                                       const brolga_word *capture)
{
    brolga_word value =
        host_alloc(h->preset.closure_captures + (int64_t)code->captures * 8, h);

    cr_assert_neq(value, 0);
    memset(host_fields(h, value), 0, (size_t)h->preset.closure_captures);
    host_fields(h, value)[0] = (brolga_word)(uintptr_t)code;
    if (capture != NULL)
        memcpy(host_captures(h, value), capture, code->captures * 8);
    code->pins++;
    return value;
}

static inline brolga_word host_copy(const brolga_type *type, brolga_word word)
{
    struct brolga_copy_error error = {0};
    brolga_word copy = 0;
    int err = brolga_copy_word(type, word, &copy, &error);

    cr_assert_eq(err, BROLGA_OK, "%s: %s\n", error.path, error.text);
    return copy;
}

/* Runs a test body once for each preset. */
static inline void host_each_preset(void (*body)(struct host *h))
{
    struct host h;

    host_start(&h, brolga_model_cranelisp());
    body(&h);
    host_stop(&h);
    host_start(&h, brolga_model_cranelisp_later());
    body(&h);
    host_stop(&h);
}

#endif
