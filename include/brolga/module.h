/*
 * What a C file that is reloaded while it runs includes, first of all.
 *
 *     #include <brolga/module.h>
 *
 *     BROLGA_MODULE(counter);
 *     BROLGA_IMPORT(format, void, show, (int64_t n), (n));
 *
 *     BROLGA_EXPORT(int64_t, next, (int64_t n))
 *     {
 *         return n + 1;
 *     }
 *
 *     BROLGA_MAIN(argc, argv)
 *     {
 *         for (int64_t n = 0; !brolga_canceled(); n = next(n)) {
 *             show(n);
 *             brolga_sleep_until(brolga_after_ns(200 * BROLGA_MS));
 *         }
 *         return 0;
 *     }
 *
 * One file is one module. What it exports, other modules may import. A call of
 * an imported function goes through the view of the calling task: it reaches
 * the code that the task's version holds, and the newest code after the task's
 * next safepoint. A call of a function of the same file, exported or not, is a
 * plain C call and stays in the same build of the file.
 *
 * Macros take types as they are written; parameter names and spacing do not
 * count when the loader compares an import with the export. Every function
 * here is GNU C (constructor, unused), as gcc and clang have it.
 */
#ifndef BROLGA_MODULE_H
#define BROLGA_MODULE_H

#include <brolga/brolga.h>

/* The layout of the records below. A loader refuses any other. */
#define BROLGA_MODULE_ABI 1

/** An exported function, as the loader reads it. */
struct brolga_module_export {
    const char *name;
    const char *result; /* The type, as written. */
    const char *params; /* With the parentheses, as written. */
    const char *file;
    int line;
    void (*code)(void);
    brolga_slot slot; /* Written by the loader before the commit. */
    struct brolga_module_export *next;
};

/** An imported function. */
struct brolga_module_import {
    const char *module;
    const char *name;
    const char *result;
    const char *params;
    const char *file;
    int line;
    brolga_slot slot; /* Written by the loader before the commit. */
    struct brolga_module_import *next;
};

/** What the file exports and imports; constructors fill it. */
struct brolga_module_lists {
    struct brolga_module_export *exports;
    struct brolga_module_import *imports;
};

/** What may follow the name in BROLGA_MODULE(), as designated initialisers. */
struct brolga_module_opts {
    int reserved;
    /* BROLGA_KEEP (the default): old builds of the file stay in memory, so
     * that pointers to their data and literals stay good. BROLGA_RECLAIM: an
     * old build is unloaded once no stack holds an address in it; the file
     * promises that nothing else does (a literal kept in a heap object, a
     * callback given to a library). */
    enum brolga_policy policy;
};

/** The one symbol that a built module shows. */
struct brolga_module_desc {
    uint32_t abi;
    uint32_t desc_bytes;
    uint32_t export_bytes;
    uint32_t import_bytes;
    const char *name;
    const char *file;
    int line;
    struct brolga_module_opts opts;
    const struct brolga_module_lists *lists;
};

static struct brolga_module_lists brolga_module_lists __attribute__((unused));

/**
 * Name the file's module; exactly once a file, followed by a semicolon.
 *
 *     BROLGA_MODULE(scorer);
 *     BROLGA_MODULE(scorer, .policy = BROLGA_RECLAIM);
 */
#define BROLGA_MODULE(...) BROLGA_MODULE_(__VA_ARGS__, )

#define BROLGA_MODULE_(name_, ...)                                             \
    extern BROLGA_API const struct brolga_module_desc brolga_module;           \
    const struct brolga_module_desc brolga_module = {                          \
        .abi = BROLGA_MODULE_ABI,                                              \
        .desc_bytes = sizeof(struct brolga_module_desc),                       \
        .export_bytes = sizeof(struct brolga_module_export),                   \
        .import_bytes = sizeof(struct brolga_module_import),                   \
        .name = #name_,                                                        \
        .file = __FILE__,                                                      \
        .line = __LINE__,                                                      \
        .opts = {.reserved = 0, __VA_ARGS__},                                  \
        .lists = &brolga_module_lists}

/**
 * Define a function that other modules may import; the body follows.
 *
 *     BROLGA_EXPORT(int64_t, score, (brolga_word line))
 *     {
 *         ...
 *     }
 */
#define BROLGA_EXPORT(ret, name_, params_)                                     \
    BROLGA_EXPORT_(ret, name_, name_, #name_, #ret, #params_, params_)         \
    static ret name_ params_

/**
 * Define the function that `brolga run` starts as a task; the body follows.
 * What it returns becomes the command's exit status.
 */
#define BROLGA_MAIN(argc_, argv_)                                              \
    BROLGA_EXPORT_(int, brolga_main, main, "main", "int", "(int, char **)",    \
                   (int, char **))                                             \
    static int brolga_main(int argc_ __attribute__((unused)),                  \
                           char **argv_ __attribute__((unused)))

/* Declares `fn`, and links its record into the list before main. The function
 * has no name outside the file, so that the file's own calls stay in it. */
#define BROLGA_EXPORT_(ret, fn, symbol, name_, result_, params_, types)        \
    static ret fn types;                                                       \
    static struct brolga_module_export brolga_record_##symbol = {              \
        .name = name_,                                                         \
        .result = result_,                                                     \
        .params = params_,                                                     \
        .file = __FILE__,                                                      \
        .line = __LINE__};                                                     \
    __attribute__((constructor)) static void brolga_link_##symbol(void)        \
    {                                                                          \
        brolga_record_##symbol.code = (void (*)(void))fn;                      \
        brolga_record_##symbol.next = brolga_module_lists.exports;             \
        brolga_module_lists.exports = &brolga_record_##symbol;                 \
    }

/**
 * Declare a function of another module; `args_` are the parameters' names as a
 * call passes them, and a semicolon follows.
 *
 *     BROLGA_IMPORT(scorer, int64_t, score, (brolga_word line), (line));
 *     BROLGA_IMPORT(table, void, reset, (void), ());
 *
 * It may be called by tasks only. (ISO C has no conversion from an object's
 * address to a function's, nor a return of nothing's value; gcc and clang do.)
 */
#define BROLGA_IMPORT(module_, ret, name_, params_, args_)                     \
    static struct brolga_module_import brolga_record_##name_ = {               \
        .module = #module_,                                                    \
        .name = #name_,                                                        \
        .result = #ret,                                                        \
        .params = #params_,                                                    \
        .file = __FILE__,                                                      \
        .line = __LINE__};                                                     \
    __attribute__((constructor)) static void brolga_link_##name_(void)         \
    {                                                                          \
        brolga_record_##name_.next = brolga_module_lists.imports;              \
        brolga_module_lists.imports = &brolga_record_##name_;                  \
    }                                                                          \
    BROLGA_QUIET_BEGIN_                                                        \
    __attribute__((unused)) static inline ret name_ params_                    \
    {                                                                          \
        return ((ret(*) params_)(uintptr_t)brolga_view_self()                  \
                    ->slots[brolga_record_##name_.slot])args_;                 \
    }                                                                          \
    BROLGA_QUIET_END_                                                          \
    struct brolga_module_import

#define BROLGA_QUIET_BEGIN_                                                    \
    _Pragma("GCC diagnostic push")                                             \
        _Pragma("GCC diagnostic ignored \"-Wpedantic\"")
#define BROLGA_QUIET_END_ _Pragma("GCC diagnostic pop")

/**
 * The slot of a function that this file imports or exports, for
 * brolga_spawn_slot(), brolga_spawn_loop() and brolga_spawn_each(). It is 0
 * until the file's first commit, so use it in functions, not in initialisers.
 */
#define BROLGA_SLOT(name_) (brolga_record_##name_.slot)

#endif
