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
#define BROLGA_MODULE_ABI 3

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

/** State that outlives the build that declares it. */
struct brolga_module_state {
    const char *name;
    const char *type; /* As written. */
    size_t bytes;
    size_t align;
    const void *initial; /* What it is if it is not there yet. */
    void *place;         /* Of the file's pointer to it, which the loader
                            sets before the commit. */
    const char *file;
    int line;
    struct brolga_module_state *next;
};

/** A way from one layout of a state, or of messages, to another. */
struct brolga_module_migration {
    const char *state;
    const char *from; /* Types, as written. */
    const char *to;
    size_t from_bytes;
    size_t to_bytes;
    const char *symbol; /* The function's name, for debug information. */
    int (*code)(const void *from, void *to);
    const char *file;
    int line;
    struct brolga_module_migration *next;
};

/** Messages of a type. */
struct brolga_module_message {
    const char *name;
    const char *type; /* As written. */
    size_t bytes;
    size_t align;
    const char *symbol; /* A function's name, for debug information. */
    void *place;        /* Of the file's pointer to the type, which the loader
                           sets before the commit. */
    const char *file;
    int line;
    struct brolga_module_message *next;
};

/** What the file exports, imports and keeps, and what is to be called around
 * its reloads; constructors fill it. */
struct brolga_module_lists {
    struct brolga_module_export *exports;
    struct brolga_module_import *imports;
    struct brolga_module_state *states;
    struct brolga_module_migration *migrations;
    struct brolga_module_message *messages;
    int (*before)(char *why, size_t bytes);
    void (*after)(void);
    void (*called_off)(void);
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
    uint32_t state_bytes;
    uint32_t migration_bytes;
    uint32_t message_bytes;
    uint32_t lists_bytes;
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
        .state_bytes = sizeof(struct brolga_module_state),                     \
        .migration_bytes = sizeof(struct brolga_module_migration),             \
        .message_bytes = sizeof(struct brolga_module_message),                 \
        .lists_bytes = sizeof(struct brolga_module_lists),                     \
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

/* --- state --------------------------------------------------------------- */

/**
 * Declare state that survives reloads: `name` is a pointer to it, the same one
 * in every build whose type has the same layout. The first build that declares
 * it makes it what the initialiser says, or zeros.
 *
 *     BROLGA_STATE(struct cache, cache) = {.limit = 100};
 *     BROLGA_STATE(_Atomic long, calls);
 *
 * A build with another layout needs a BROLGA_MIGRATE(), or it is refused. What
 * the state points to is part of its layout. It must point to nothing in the
 * module: functions, literals and static variables belong to one build. An
 * array needs a typedef. The pointer is set before any function of the file
 * runs, but not yet in constructors.
 */
#define BROLGA_STATE(type_, name_)                                             \
    static type_ *name_ __attribute__((unused));                               \
    static type_ brolga_initial_##name_;                                       \
    static struct brolga_module_state brolga_state_##name_ = {                 \
        .name = #name_,                                                        \
        .type = #type_,                                                        \
        .bytes = sizeof(type_),                                                \
        .align = _Alignof(type_),                                              \
        .initial = (const void *)&brolga_initial_##name_,                      \
        .place = (void *)&name_,                                               \
        .file = __FILE__,                                                      \
        .line = __LINE__};                                                     \
    __attribute__((constructor)) static void brolga_link_state_##name_(void)   \
    {                                                                          \
        brolga_state_##name_.next = brolga_module_lists.states;                \
        brolga_module_lists.states = &brolga_state_##name_;                    \
    }                                                                          \
    static type_ brolga_initial_##name_

/**
 * Declare what a message looks like: `name` is a pointer to the type that
 * brolga_chan_create() takes. Files whose messages have this name and a layout
 * that fits get the same type, so declare it in the header that has the struct.
 *
 *     BROLGA_MESSAGE(struct line, line_type);
 *
 *     brolga_chan_create(line_type, &opts, &lines);
 *
 * When the struct changes, so do all channels of the type, behind a barrier:
 * what waits in them is converted by a BROLGA_MIGRATE() of this name, or the
 * reload is refused while something does wait (retype.h says what else is in
 * the way). Messages are copied byte by byte: they must point to nothing in a
 * module, and what they do point to is not looked after. Types belong to the
 * session, and last as long as the code of the modules that declare them. The
 * pointer is set before any function of the file runs, but not yet in
 * constructors.
 */
#define BROLGA_MESSAGE(type_, name_)                                           \
    static const brolga_type *name_ __attribute__((unused));                   \
    __attribute__((used)) static void brolga_layout_##name_(                   \
        const type_ *message __attribute__((unused)))                          \
    {                                                                          \
    }                                                                          \
    static struct brolga_module_message brolga_message_##name_ = {             \
        .name = #name_,                                                        \
        .type = #type_,                                                        \
        .bytes = sizeof(type_),                                                \
        .align = _Alignof(type_),                                              \
        .symbol = "brolga_layout_" #name_,                                     \
        .place = (void *)&name_,                                               \
        .file = __FILE__,                                                      \
        .line = __LINE__};                                                     \
    __attribute__((constructor)) static void brolga_link_message_##name_(void) \
    {                                                                          \
        brolga_message_##name_.next = brolga_module_lists.messages;            \
        brolga_module_lists.messages = &brolga_message_##name_;                \
    }                                                                          \
    struct brolga_module_message

/**
 * Define how a state, or a message, gets from one layout to another: by a
 * function that reads `from` and fills `to`, which begins as the state's
 * initialiser says, if it is of the state's type, and else as zeros. The body
 * follows; it returns BROLGA_OK, or else the reload is refused.
 *
 *     BROLGA_MIGRATE(cache, struct cache_v1, from, struct cache, to)
 *     {
 *         to->count = from->count;
 *         return BROLGA_OK;
 *     }
 *
 * The old type is written down beside the new one, under any name: layouts are
 * compared, not names. Migrations form chains: keep old ones in the file, so
 * that a build that skips a version still finds its way.
 *
 * It runs while no task runs, and must be short. It may take pointers over from
 * `from`, which is read by nobody else then; what is left on stacks of old code
 * goes on with the old copy.
 */
#define BROLGA_MIGRATE(state_, from_type_, from_, to_type_, to_)               \
    BROLGA_MIGRATE_(state_, from_type_, from_, to_type_, to_, __LINE__)
#define BROLGA_MIGRATE_(state_, from_type_, from_, to_type_, to_, line_)       \
    BROLGA_MIGRATE__(state_, from_type_, from_, to_type_, to_, line_)
#define BROLGA_MIGRATE__(state_, from_type_, from_, to_type_, to_, line_)      \
    static int brolga_migrate_##state_##_##line_(const from_type_ *from_,      \
                                                 to_type_ *to_);               \
    static int brolga_migration_##state_##_##line_(const void *from_,          \
                                                   void *to_)                  \
    {                                                                          \
        return brolga_migrate_##state_##_##line_(from_, to_);                  \
    }                                                                          \
    static struct brolga_module_migration                                      \
        brolga_record_migrate_##state_##_##line_ = {                           \
            .state = #state_,                                                  \
            .from = #from_type_,                                               \
            .to = #to_type_,                                                   \
            .from_bytes = sizeof(from_type_),                                  \
            .to_bytes = sizeof(to_type_),                                      \
            .symbol = "brolga_migrate_" #state_ "_" #line_,                    \
            .code = brolga_migration_##state_##_##line_,                       \
            .file = __FILE__,                                                  \
            .line = __LINE__};                                                 \
    __attribute__((                                                            \
        constructor)) static void brolga_link_migrate_##state_##_##line_(void) \
    {                                                                          \
        brolga_record_migrate_##state_##_##line_.next =                        \
            brolga_module_lists.migrations;                                    \
        brolga_module_lists.migrations =                                       \
            &brolga_record_migrate_##state_##_##line_;                         \
    }                                                                          \
    static int brolga_migrate_##state_##_##line_(const from_type_ *from_,      \
                                                 to_type_ *to_)

/* --- around reloads ------------------------------------------------------ */

/**
 * Define what is called, in the running build, before another build of the file
 * takes its place, or an older one is brought back. It returns BROLGA_OK, or
 * else vetoes the reload, for the reason that it writes to `why_`. The body
 * follows; once a file.
 *
 *     BROLGA_BEFORE_RELOAD(why, bytes)
 *     {
 *         if (*orders > 0)
 *             return snprintf(why, bytes, "%ld orders are open", *orders);
 *         return BROLGA_OK;
 *     }
 *
 * This and the next two run as tasks, outside of all locks, for 1 s at most;
 * files whose functions others import come last here, and first afterwards.
 */
#define BROLGA_BEFORE_RELOAD(why_, bytes_)                                     \
    static int brolga_before_reload(char *, size_t);                           \
    BROLGA_LINK_(before, brolga_before_reload)                                 \
    static int brolga_before_reload(char *why_ __attribute__((unused)),        \
                                    size_t bytes_ __attribute__((unused)))

/** Define what is called in a build that has taken the place of another. The
 * body follows; once a file. */
#define BROLGA_AFTER_RELOAD()                                                  \
    static void brolga_after_reload(void);                                     \
    BROLGA_LINK_(after, brolga_after_reload)                                   \
    static void brolga_after_reload(void)

/** Define what is called in the running build if, after its
 * BROLGA_BEFORE_RELOAD() has agreed, the reload was refused all the same. The
 * body follows; once a file. */
#define BROLGA_RELOAD_CALLED_OFF()                                             \
    static void brolga_reload_called_off(void);                                \
    BROLGA_LINK_(called_off, brolga_reload_called_off)                         \
    static void brolga_reload_called_off(void)

#define BROLGA_LINK_(field_, fn_)                                              \
    __attribute__((constructor)) static void brolga_link_##field_##_hook(void) \
    {                                                                          \
        brolga_module_lists.field_ = fn_;                                      \
    }

#endif
