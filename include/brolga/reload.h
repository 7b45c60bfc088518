/*
 * Reload: C files that are compiled, loaded and swapped while they run.
 *
 * A *session* looks after a set of files, one module each (see module.h). It
 * watches them, compiles what has changed, loads the result under a private
 * name, checks every import against every export, and commits all changed
 * modules as one version of the runtime's GOT. A file that does not build, or
 * is refused, is *locked*: its last good code runs on until the file builds
 * and fits again; other modules go on.
 *
 * Whatever happens is told as events, each with a text for a person.
 */
#ifndef BROLGA_RELOAD_H
#define BROLGA_RELOAD_H

#include <brolga/base.h>
#include <brolga/got.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A session: files, their modules, and a thread that watches them. */
typedef struct brolga_reload brolga_reload;

/** What has happened. The comments name the fields that are filled in. */
enum brolga_reload_event_kind {
    /* A round of builds begins: modules. */
    BROLGA_RELOAD_BUILDING,
    /* A file does not compile: module (if it ever had one), file, line,
     * output, build_ns. */
    BROLGA_RELOAD_BUILD_FAILED,
    /* A file compiles with warnings: module, file, line, output. */
    BROLGA_RELOAD_BUILD_WARNED,
    /* A file builds but cannot run with the others: module, file, line; or
     * the GOT refused the commit: report. Nothing has changed. */
    BROLGA_RELOAD_REFUSED,
    /* New code runs: version, modules, states, build_ns, commit_ns, saved_ns;
     * report, if an after hook has failed, or tasks stood for a migration. */
    BROLGA_RELOAD_RELOADED,
    /* A file is locked from now on (BUILD_FAILED or REFUSED said why): module,
     * file, version that runs on. */
    BROLGA_RELOAD_LOCKED,
    /* It builds and fits again: module, file. RELOADED follows. */
    BROLGA_RELOAD_UNLOCKED,
    /* A new file: file. */
    BROLGA_RELOAD_FILE_ADDED,
    /* A file is gone; its module stays as it is: module, file. */
    BROLGA_RELOAD_FILE_REMOVED,
    /* An old build was released, but the system keeps it in memory: module,
     * file. */
    BROLGA_RELOAD_UNLOAD_REFUSED,
    /* Changes may be seen late, or not at all: file (a directory). */
    BROLGA_RELOAD_WATCH_PROBLEM,
    /* An older version runs again, as a new one: version, restored, modules,
     * states, commit_ns. */
    BROLGA_RELOAD_ROLLED_BACK,
    /* After a commit with allow_stale, each time until it has ended: module and
     * file of one that calls what is not in force any more; text names what. */
    BROLGA_RELOAD_STALE,
    /* It calls nothing of that kind any more: module, file. */
    BROLGA_RELOAD_STALE_ENDED,
    /* With `tiered`: the second build of a file failed, or does not fit; the
     * first one runs on: module, file, line, output, build_ns. */
    BROLGA_RELOAD_NOT_OPTIMISED
};

/** Why a module is part of a reload. */
enum brolga_reload_why {
    BROLGA_RELOAD_NEW,       /* It was not loaded before. */
    BROLGA_RELOAD_CHANGED,   /* Its file has changed. */
    BROLGA_RELOAD_REBUILT,   /* Something that it includes or imports has. */
    BROLGA_RELOAD_RESTORED,  /* It was taken back. */
    BROLGA_RELOAD_OPTIMISED, /* With `tiered`: the same content, built again. */
    BROLGA_RELOAD_AGAIN /* Nothing has: a stress switch wants it (base.h). */
};

/** What has become of a state (BROLGA_STATE()), or of messages
 * (BROLGA_MESSAGE()), in a reload. */
enum brolga_reload_state_what {
    BROLGA_RELOAD_STATE_NEW,       /* It begins as its initialiser says. */
    BROLGA_RELOAD_STATE_KEPT,      /* It is as it was. */
    BROLGA_RELOAD_STATE_MIGRATED,  /* It has another layout. */
    BROLGA_RELOAD_MESSAGES_CHANGED /* So have they, and their channels. */
};

/** One state, or the messages of one name, in events. */
struct brolga_reload_state {
    const char *module;
    const char *name;
    enum brolga_reload_state_what what;
    unsigned steps; /* How many migrations. Of messages 0, if there was no way,
                       and none that waited. */
};

/** One module, in events and for brolga_reload_each(). */
struct brolga_reload_module {
    const char *name; /* NULL before the file's first good build. */
    const char *file;
    enum brolga_reload_why why; /* In events only. */
    bool locked;
    enum brolga_policy policy;
    uint64_t version; /* The GOT's version that brought its code; 0 = none. */
};

struct brolga_reload_event {
    enum brolga_reload_event_kind kind;
    const char *module; /* NULL where it does not apply. */
    const char *file;   /* NULL where it does not apply. */
    uint32_t line;      /* 0 = no certain line. */
    const char *text;   /* One or more lines: what, and what to do. */
    const char *output; /* What the compiler printed, byte for byte. */
    size_t output_bytes;
    uint64_t version; /* The version that is current now. */
    const struct brolga_reload_module *modules;
    size_t modules_count;
    const struct brolga_reload_state *states; /* Of these modules, all but those
                                                 that are kept. */
    size_t states_count;
    uint64_t build_ns; /* The slowest compile of the round, or this one. */
    uint64_t restored; /* The version that was taken back to. */
    uint64_t commit_ns;
    uint64_t saved_ns; /* From the first save that was noticed until the
                              code was current; 0 in the initial load. */
    enum brolga_refusal refusal;        /* For REFUSED: why. */
    const struct brolga_report *report; /* NULL where it does not apply. */
};

enum brolga_reload_policy {
    BROLGA_RELOAD_AS_DECLARED, /* As each BROLGA_MODULE() says. */
    BROLGA_RELOAD_KEEP_ALL,
    BROLGA_RELOAD_RECLAIM_ALL
};

struct brolga_reload_opts {
    /* Files, and directories whose *.c are all taken (not their
     * subdirectories, nor names that begin with a dot). */
    const char *const *paths;
    size_t paths_count;
    const char *cc;          /* NULL = $CC, or "cc". May hold arguments. */
    const char *cflags;      /* Added after ours; split at white space. */
    const char *include_dir; /* That holds brolga/module.h; NULL = the
                                compiler finds it by itself. */
    uint32_t quiet_ms;       /* Without a save before a build; 0 = 15. */
    uint32_t quiet_max_ms;   /* In a stream of saves, at most; 0 = 200. */
    uint32_t sweep_ms;       /* Between looks that need no event; 0 = 1000. */
    uint32_t jobs;           /* Compilers at a time; 0 = one a processor. */
    bool bystander;          /* on_event() acts on no task: the session's
                                thread is a bystander (look.h). */
    enum brolga_reload_policy policy;
    /* Build each file twice: first so that it runs soon, then, while that runs
     * and nothing else is to be built, as the flags say. The second takes the
     * place of the first as a version of its own; to take a reload back takes
     * both back. Of a history it needs twice as many versions. */
    bool tiered;
    const char *fast; /* The compiler of first builds, which may hold arguments;
                         NULL or "" = `cc`, with -O0 behind all flags. */
    /* Let functions change their signatures, or go, though other modules import
     * them and cannot be built again with them: these go on calling the old
     * code. */
    bool allow_stale;
    /* Go back if so many of a hundred tasks fail within a time after a reload:
     * failed * 100 >= rollback_percent * (failed + live). 0 = never. */
    uint32_t rollback_percent;
    uint32_t rollback_window_ms; /* That time; 0 = 2000. */
    /* How long a reload that migrates state waits for all tasks to come to a
     * safepoint; 0 = 2000. */
    uint32_t state_deadline_ms;
    bool no_watch;   /* brolga_reload_start() watches nothing. */
    bool keep_files; /* Leave built files, for debuggers. */
    /* Called with no lock held, by the thread that runs brolga_reload_load(),
     * later by the session's own. What the event points to is valid during
     * the call. It must not call brolga_reload_stop() or _destroy(). */
    void (*on_event)(void *arg, const struct brolga_reload_event *event);
    void *arg;
};

/**
 * Create a session over some files. Nothing is built or watched yet.
 *
 * Owns:     `*out` belongs to the caller; it must end before the runtime.
 *           `opts` and all that it points to are copied.
 * Returns:  BROLGA_OK; BROLGA_EINVAL (no path), BROLGA_ENOENT (a path does
 *           not exist), BROLGA_EIO (no temporary directory, no event loop),
 *           BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_reload_create(brolga *rt, const struct brolga_reload_opts *opts,
                     brolga_reload **out);

/**
 * Build, load and commit every file, once. All errors are told as events, not
 * only the first.
 *
 * Threads:  one that is not a task; before brolga_reload_start().
 * Blocks:   until the compilers are done.
 * Returns:  BROLGA_OK if every file runs now; BROLGA_ENOENT (no file at all);
 *           BROLGA_EBUILD (a file does not build), BROLGA_EREFUSED (a file
 *           does not fit): the first error is in `report`, which may be NULL,
 *           and the files that are in order run all the same, unless they
 *           import from those that are not; BROLGA_ESTATE, BROLGA_ENOMEM.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_reload_load(brolga_reload *session, struct brolga_report *report);

/**
 * Start the session's thread: from here on, saves become running code.
 *
 * Returns:  BROLGA_OK, BROLGA_ESTATE (started already), BROLGA_ELIMIT (no
 *           thread to be had).
 */
BROLGA_API BROLGA_NODISCARD int brolga_reload_start(brolga_reload *session);

/**
 * Stop the thread; builds under way are ended and forgotten. Harmless when it
 * is not running. The session may be started again.
 *
 * Threads:  not from an event.
 * Blocks:   until the thread has ended; no event is told after that.
 */
BROLGA_API void brolga_reload_stop(brolga_reload *session);

/**
 * Stop, forget the files and remove the temporary directory. Loaded code
 * stays: it belongs to the runtime.
 *
 * Threads:  not from an event.
 * Blocks:   as brolga_reload_stop().
 */
BROLGA_API void brolga_reload_destroy(brolga_reload *session);

/**
 * Look at every file now, without waiting for an event or a sweep.
 *
 * Threads:  any.
 * Blocks:   no; the look happens on the session's thread.
 */
BROLGA_API void brolga_reload_look(brolga_reload *session);

/**
 * Go back to an older version of the GOT, as brolga_got_rollback() does; 0: the
 * one before the last reload, and if that has been taken back already, the one
 * before that. The runtime's GOT must keep a history.
 *
 * A file whose newest content does not run by this is locked until it is saved
 * again.
 *
 * Threads:  any, but not from an event; not during brolga_reload_load().
 *           `report` may be NULL.
 * Blocks:   until the session's thread has done it.
 * Returns:  BROLGA_OK; BROLGA_EREFUSED, and the report says why;
 *           BROLGA_ESTATE: the session was stopped meanwhile.
 */
BROLGA_API int brolga_reload_rollback(brolga_reload *session, uint64_t version,
                                      struct brolga_report *report);

/**
 * Find the slot of an exported function; `module` may be NULL: whichever
 * module exports the symbol.
 *
 * Threads:  any.
 * Blocks:   for a short lock.
 * Returns:  BROLGA_OK; BROLGA_ENOENT; BROLGA_EEXIST (`module` is NULL and
 *           more than one exports it).
 */
BROLGA_API BROLGA_NODISCARD int brolga_reload_find(brolga_reload *session,
                                                   const char *module,
                                                   const char *symbol,
                                                   brolga_slot *out);

/**
 * Visit every file of the session, in the order of their names.
 *
 * Threads:  any; `visit` must not call this session.
 * Blocks:   for a short lock.
 * Returns:  the number of files.
 */
BROLGA_API size_t brolga_reload_each(
    brolga_reload *session,
    void (*visit)(void *arg, const struct brolga_reload_module *module),
    void *arg);

/** A word for an event's kind: "reloaded", "build-failed", ... Threads: any. */
BROLGA_API const char *
brolga_reload_event_name(enum brolga_reload_event_kind kind);

/** A word for that: "new", "kept", "migrated". Threads: any. */
BROLGA_API const char *
brolga_reload_state_name(enum brolga_reload_state_what what);

/** A word for a reason: "new", "changed", "optimised", ... Threads: any. */
BROLGA_API const char *brolga_reload_why_name(enum brolga_reload_why why);

#ifdef __cplusplus
}
#endif
#endif
