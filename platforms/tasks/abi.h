/*
 * The platform ABI of Cranelisp: what a host and a platform's DLL tell each
 * other. Version 1 is what hosts of February 2026 have; version 2 is a proposal
 * of ours, which a DLL can offer besides.
 *
 * Every value of the language is one 64-bit word, and every function takes and
 * returns such words in the C convention. Texts are UTF-8 with a length, not
 * ended by a NUL. The host copies all texts of a manifest before it goes on,
 * and keeps code addresses only. No pointer may be NULL, also of what is empty,
 * but those of parameter names where there are none.
 *
 * Version 1. The host looks up `cranelisp_platform_manifest` and calls it with
 * its callbacks, which lie on its stack: whoever needs them later copies them.
 * The manifest comes back by value. The host may call again at any time, for
 * each module that names the platform.
 *
 * Version 2. A host that knows it looks up `cranelisp_platform_manifest_v2`
 * first, and takes version 1 where there is none: neither side need know of the
 * other. Every struct begins with its size, so that fields can be added at the
 * end; who reads one looks whether it is long enough. What it adds:
 *
 *   - signatures may have type variables, `(Fn [(Chan a) a] (IO Int))`, each of
 *     which is quantified over the whole signature;
 *   - `free`, so that what a DLL makes and nobody gets need not be left behind;
 *   - `panic`, by which a DLL ends an evaluation as a failed match does;
 *   - hooks for panics, reloads and the shutdown of the host, any of which may
 *     be NULL on either side.
 */
#ifndef TASKS_ABI_H
#define TASKS_ABI_H

#include <stddef.h>
#include <stdint.h>

/* --- version 1 ---------------------------------------------------------- */

/** A function, as the host's compiler learns of it. */
struct cranelisp_fn {
    const char *name; /* In programs: "send-int". */
    size_t name_bytes;
    const char *symbol; /* Of the code: "cranelisp_send". */
    size_t symbol_bytes;
    void (*code)(void); /* Of its own type: see `params`. */
    uint32_t params;    /* Words that it takes; it returns one. */
    const char *type;   /* "(Fn [(Chan Int) Int] (IO Int))" */
    size_t type_bytes;
    const char *doc;
    size_t doc_bytes;
    const char *const *param_names; /* As many as `params`. */
    const size_t *param_name_bytes;
    size_t param_name_count;
};

struct cranelisp_host {
    int64_t (*alloc)(int64_t payload_bytes);
};

struct cranelisp_manifest {
    uint32_t abi; /* 1 */
    const char *name;
    size_t name_bytes;
    const char *version;
    size_t version_bytes;
    const struct cranelisp_fn *fns;
    size_t fn_count;
};

#define CRANELISP_API __attribute__((visibility("default")))

CRANELISP_API struct cranelisp_manifest
cranelisp_platform_manifest(const struct cranelisp_host *host);

/* --- version 2 ---------------------------------------------------------- */

/** When a hook for reloads is called. */
enum cranelisp_reload {
    CRANELISP_RELOAD_BEGINS, /* A module is about to be compiled again. */
    CRANELISP_RELOAD_DONE,   /* Its new code is in force. */
    CRANELISP_RELOAD_FAILED  /* Its old code stays. */
};

/**
 * What a host offers. Setters are called while the entry point runs, so that
 * the host can tell whose hook it is; it keeps one of each kind for a platform.
 * When the entry point runs again, another hook takes its place, or NULL takes
 * it back.
 */
struct cranelisp_host_v2 {
    uint32_t bytes;   /* Of this struct, as the host knows it. */
    uint32_t version; /* 2 */
    int64_t (*alloc)(int64_t payload_bytes);
    /* Frees one object, whatever its count, and nothing behind it. */
    int64_t (*free)(int64_t object);
    /* Reports an error of the calling thread's evaluation and ends it. Does not
     * return. */
    void (*panic)(const char *text, size_t bytes);
    /* The hook is called on the thread that panics, before the host acts. If it
     * returns, the host does what it always did. */
    void (*on_panic)(void (*hook)(const char *text, size_t bytes));
    /* The hook is called by the thread that compiles. */
    void (*on_reload)(void (*hook)(enum cranelisp_reload what,
                                   const char *module, size_t bytes));
    /* The hook is called when nothing of the program runs on the host's own
     * threads any more, and before code, tables or libraries are given back.
     * The host goes on when it has returned. */
    void (*on_shutdown)(void (*hook)(void));
};

struct cranelisp_manifest_v2 {
    uint32_t bytes; /* Of this struct, as the DLL knows it. */
    uint32_t abi;   /* 2 */
    const char *name;
    size_t name_bytes;
    const char *version;
    size_t version_bytes;
    const struct cranelisp_fn *fns;
    size_t fn_bytes; /* Of one, so that these can grow, too. */
    size_t fn_count;
};

/* Static storage; never NULL. */
CRANELISP_API const struct cranelisp_manifest_v2 *
cranelisp_platform_manifest_v2(const struct cranelisp_host_v2 *host);

/* --- what the layouts must be on every 64-bit system -------------------- */

_Static_assert(sizeof(struct cranelisp_fn) == 104, "a function of version 1");
_Static_assert(offsetof(struct cranelisp_fn, symbol) == 16, "symbol");
_Static_assert(offsetof(struct cranelisp_fn, code) == 32, "code");
_Static_assert(offsetof(struct cranelisp_fn, params) == 40, "params");
_Static_assert(offsetof(struct cranelisp_fn, type) == 48, "type");
_Static_assert(offsetof(struct cranelisp_fn, doc) == 64, "doc");
_Static_assert(offsetof(struct cranelisp_fn, param_names) == 80, "names");
_Static_assert(offsetof(struct cranelisp_fn, param_name_bytes) == 88, "bytes");
_Static_assert(offsetof(struct cranelisp_fn, param_name_count) == 96, "count");
_Static_assert(sizeof(struct cranelisp_host) == 8, "callbacks of version 1");
_Static_assert(sizeof(struct cranelisp_manifest) == 56, "a manifest");
_Static_assert(offsetof(struct cranelisp_manifest, name) == 8, "name");
_Static_assert(offsetof(struct cranelisp_manifest, version) == 24, "version");
_Static_assert(offsetof(struct cranelisp_manifest, fns) == 40, "functions");
_Static_assert(offsetof(struct cranelisp_manifest, fn_count) == 48, "count");
_Static_assert(sizeof(struct cranelisp_host_v2) == 56, "callbacks");
_Static_assert(offsetof(struct cranelisp_host_v2, alloc) == 8, "alloc");
_Static_assert(offsetof(struct cranelisp_host_v2, on_shutdown) == 48, "last");
_Static_assert(sizeof(struct cranelisp_manifest_v2) == 64, "a manifest");
_Static_assert(offsetof(struct cranelisp_manifest_v2, fn_count) == 56, "count");

#endif
