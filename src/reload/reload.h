/*
 * The door of the reload layer: what its files share.
 *
 *   signature.c  the text by which imports and exports are compared
 *   watch.c      which files have changed, and whether they are whole
 *   dirs.c       the directories that it watches
 *   build.c      compilers, several at a time
 *   command.c    what they are called with
 *   loop.c       the event loop that those two run on
 *   layout.c     comparing how types lie in memory; dwarf.c: finding it out
 *   load.c       images: what a built file holds, loading and unloading it
 *   plan.c       which of the new images fit together; pure
 *   report.c     texts and names
 *   change.c     what a change of a file means for others
 *   round.c      rounds: from what has changed to what is built
 *   state.c      what survives reloads, and what is called around them
 *   commit.c     from what is built to the commit, or to refusals
 *   tier.c       optimised builds of what runs already
 *   back.c       older versions, and what goes back to them
 *   again.c      the same builds once more, for a stress switch
 *   session.c    the public functions, and a session's life
 *
 * All but load.c's release of an image runs on one thread: the session's, or
 * the caller's of brolga_reload_load() before that one starts.
 */
#ifndef BROLGA_SRC_RELOAD_RELOAD_H
#define BROLGA_SRC_RELOAD_RELOAD_H

#include "base.h"

#include <brolga/reload.h>

#include <stddef.h>

/* The event loop, of libuv: only loop.c, watch.c, dirs.c and build.c know
 * what it is. */
struct uv_loop_s;

/* --- report.c: texts ---------------------------------------------------- */

/* A text that is cut off, never overrun, when it is full. */
struct brolga__text {
    size_t used;
    char at[4096];
};

void brolga__text_add(struct brolga__text *text, const char *format, ...)
    BROLGA_PRINTF(2, 3);

/* The line of the first error (or, if there is none, warning) that a compiler
 * reports in `file`; 0 if it names none. */
uint32_t brolga__text_error_line(const char *output, size_t bytes,
                                 const char *file);

/* How many single edits turn one name into the other; stops counting at a
 * small limit. For "did you mean". */
unsigned brolga__text_distance(const char *a, const char *b);

/* The last component of a path. */
const char *brolga__text_base(const char *path);

/* --- signature.c -------------------------------------------------------- */

/* Canonical text of a function's type, e.g. "int64_t (const char *, bool)".
 * The caller frees `*out`. BROLGA_OK or BROLGA_ENOMEM. */
int brolga__signature_make(const char *result, const char *params, char **out);

/* --- load.c: images ----------------------------------------------------- */

/* An export or an import, copied out of the loaded file. */
struct brolga__symbol {
    char *module; /* Of imports: whose function it is. */
    char *name;
    char *signature;
    char *layout; /* Of what it takes and returns; NULL: not known. */
    char *file;
    int line;
    const void *code;    /* Of exports. */
    brolga_slot *record; /* The module's own copy of the slot's number. Do not
                            touch once the image may be released. */
    brolga_slot slot;
};

/* A function of the code, exported or not, for reports. */
struct brolga__function {
    char *name;
    char *file; /* Where it is defined; NULL: not known, nor is the line. */
    int line;
    uintptr_t low;
    uintptr_t high;
};

/* Memory of a state; those who use it have a reference: images, and the
 * session. */
struct brolga__memory {
    _Atomic uint32_t refs;
    size_t bytes;
    char *type;   /* As written where it was made. */
    char *layout; /* NULL: not known. */
    void *at;
};

/* A state that the file declares. */
struct brolga__state {
    char *name;
    char *type;
    char *layout;
    char *file;
    int line;
    size_t bytes, align;
    const void *initial;                /* In the image. */
    void *place;                        /* The same: of the file's pointer. */
    struct brolga__memory *memory;      /* NULL: it is not staged yet. */
    enum brolga_reload_state_what what; /* Of the commit that is under way, */
    unsigned steps;                     /* or was the last one. */
};

/* A migration that the file declares. */
struct brolga__migration {
    char *state;
    char *from, *to;               /* Types. */
    char *from_layout, *to_layout; /* NULL: not known. */
    size_t from_bytes, to_bytes;
    int (*code)(const void *from, void *to);
};

struct brolga__form;
struct brolga__registry;

/* Messages that the file declares. */
struct brolga__message {
    char *name;
    char *type;
    char *layout;
    char *file;
    int line;
    size_t bytes, align;
    void *place;                     /* In the image: of the file's pointer. */
    const struct brolga__form *form; /* NULL: it is not staged yet. */
    bool changed;   /* By the commit that is under way, or was the last one, */
    unsigned steps; /* by so many migrations: told by one file of all. */
};

/*
 * One build of one file. Two owners at most: the session, as long as the image
 * is the file's current one, and Brolga's GOT, until the unit is released. The
 * tables are copies, so that they can be read after the code is gone.
 */
struct brolga__image {
    char *module;
    char *file; /* As the session shows it. */
    int line;   /* Of BROLGA_MODULE. */
    enum brolga_policy policy;
    struct brolga__symbol *exports;
    size_t exports_count;
    struct brolga__symbol *imports;
    size_t imports_count;
    struct brolga__function *functions;
    size_t functions_count;
    struct brolga__state *states;
    size_t states_count;
    struct brolga__migration *migrations;
    size_t migrations_count;
    struct brolga__message *messages;
    size_t messages_count;
    struct brolga__registry *registry; /* Of the messages' types, a reference;
                                          NULL: none is staged. */
    int (*before)(char *why, size_t bytes); /* NULL: none of these. */
    void (*after)(void);
    void (*called_off)(void);
    char *path;   /* Of the built file; unlinked, or kept for debuggers. */
    int copy;     /* The built file, kept open to load it again; or -1. */
    void *handle; /* Of dlopen. */
    uintptr_t low;
    uintptr_t high;
    struct brolga__outlet *outlet;
    _Atomic uint32_t refs;
};

/* Loads a built file. The file is removed in any case, unless `keep`. On
 * failure, BROLGA_EREFUSED (or ENOMEM), `why` says what to do, and `*line`
 * where. The caller owns one reference. */
int brolga__image_load(const char *path, const char *file, bool keep,
                       struct brolga__outlet *outlet,
                       struct brolga__image **out, struct brolga__text *why,
                       int *line);

/* Closes the code of an image that never came into use, or is released by the
 * GOT (`arg` is the image), and drops a reference. */
void brolga__image_close(void *arg);

/* Names the function at an address of an image (`arg`), and its place if it is
 * exported: "score (scorer.c:12)". "" if it is not known. */
void brolga__image_describe(void *arg, const void *address, char *text,
                            size_t bytes);

struct brolga_module_desc;

/* Fills the image's tables, from its file too, which must be there still.
 * BROLGA_OK or BROLGA_ENOMEM; what there is is freed with the image. */
int brolga__tables_copy(struct brolga__image *image,
                        const struct brolga_module_desc *desc);
void brolga__tables_free(struct brolga__image *image);

struct brolga__types;

/* The names of its functions, from the file and its debug information. Those
 * that there is no memory for have none. */
void brolga__names_read(struct brolga__image *image,
                        struct brolga__types *types);
void brolga__names_free(struct brolga__image *image);

/* One more reference, for who has one; NULL is passed on. */
struct brolga__image *brolga__image_ref(struct brolga__image *image);
/* Drops a reference to the tables only; NULL is ignored. */
void brolga__image_unref(struct brolga__image *image);

/* Drop a reference; NULL is ignored. */
void brolga__memory_unref(struct brolga__memory *memory);
void brolga__registry_unref(struct brolga__registry *registry);

/* Finds an export by name; NULL if there is none. */
const struct brolga__symbol *
brolga__image_export(const struct brolga__image *image, const char *name);

/*
 * Where images report that the system keeps them: they are released by other
 * threads, and may outlive the session.
 */
struct brolga__outlet;
typedef void (*brolga__outlet_fn)(void *arg);

/* `wake(arg)` is called, by any thread, when there is something to take. */
int brolga__outlet_create(brolga__outlet_fn wake, void *arg,
                          struct brolga__outlet **out);
/* Forgets the session; the last image frees the rest. */
void brolga__outlet_close(struct brolga__outlet *outlet);
/* Takes an image that could not be unloaded, or NULL; the caller unrefs it. */
struct brolga__image *brolga__outlet_take(struct brolga__outlet *outlet);

/* --- plan.c: do they fit? ----------------------------------------------- */

/* What the plan knows of one file. */
struct brolga__plan_item {
    const char *file;
    const struct brolga__image *now;  /* What runs; NULL = nothing. */
    const struct brolga__image *next; /* What would run; NULL = no change. */
    bool broken;                      /* It does not build at present. */
    bool out;                         /* Result: `next` does not fit. */
};

typedef void (*brolga__plan_tell)(void *arg, size_t item,
                                  enum brolga_refusal why, const char *file,
                                  int line, const char *text);

/*
 * Marks every candidate that does not fit with what would run beside it, and
 * tells why. What is left fits together. With `allow_stale`, what stays as it
 * is may go on importing what a candidate has no more.
 */
void brolga__plan_check(struct brolga__plan_item *items, size_t count,
                        bool allow_stale, brolga__plan_tell tell, void *arg);

/* Writes what item `i` imports of what runs that is not there as it was, a line
 * each; returns how many. */
size_t brolga__plan_stale(const struct brolga__plan_item *items, size_t count,
                          size_t i, struct brolga__text *text);

/* Whether item `i`, which has no candidate, imports something that a candidate
 * no longer offers as it was: rebuild it with them. */
bool brolga__plan_importer(const struct brolga__plan_item *items, size_t count,
                           size_t i);

/* --- loop.c: where everything happens ----------------------------------- */

struct brolga__loop;

/* `on_wake` follows a brolga__loop_wake(), `on_timer` a brolga__loop_timer();
 * both are called by the thread that runs the loop. */
int brolga__loop_create(void (*on_wake)(void *arg), void (*on_timer)(void *arg),
                        void *arg, struct brolga__loop **out);
struct uv_loop_s *brolga__loop_uv(struct brolga__loop *loop);
/* The only function here that any thread may call. */
void brolga__loop_wake(struct brolga__loop *loop);
/* Calls on_timer once, `delay_ms` from now. */
void brolga__loop_timer(struct brolga__loop *loop, uint64_t delay_ms);
/* Waits for something to happen, and handles it. */
void brolga__loop_step(struct brolga__loop *loop);
/* Waits for handles that are being closed, and frees the loop. */
void brolga__loop_destroy(struct brolga__loop *loop);

/* --- watch.c: what has changed? ----------------------------------------- */

enum brolga__watch_kind { BROLGA__WATCH_SOURCE, BROLGA__WATCH_HEADER };

enum brolga__watch_what {
    BROLGA__WATCH_ADDED,
    BROLGA__WATCH_CHANGED,
    BROLGA__WATCH_REMOVED,
    BROLGA__WATCH_BACK,      /* Removed before; the same content is back. */
    BROLGA__WATCH_UNREADABLE /* `file->problem` says why. */
};

/* A file whose content is followed. The session reads the first group. */
struct brolga__watch_file {
    char *path;
    enum brolga__watch_kind kind;
    bool told;         /* The session knows of it. */
    bool exists;       /* As last told. */
    uint64_t hash;     /* Of the content, or the problem, that was last told. */
    char problem[128]; /* "" or why it cannot be read. */
    void *user;

    /* watch.c's own. */
    uint32_t dir;
    uint32_t target_dir; /* Of what it leads to, if it is a link... */
    char *target;        /* ...and its name there. */
    bool touched;        /* An event named it: read it even if it looks same. */
    bool unheard;        /* No event did, and yet it has changed. */
    bool ready;          /* To be told by this look. */
    uint64_t heard_ns;   /* The last event that named it, or its directory. */
    uint64_t writer_ns;  /* When one who has it open wrote; 0 = nobody has. */
    uint64_t bytes;      /* These three as of the last look. */
    int64_t ctime_ns;
    uint64_t inode;
    bool missing;       /* Not there at the last look. */
    uint64_t seen_hash; /* What the last looks saw, if it is not told yet. */
    uint64_t seen_ns;   /* Since when; 0 = nothing is pending. */
};

struct brolga__watch_opts {
    uint32_t quiet_ms;
    uint32_t quiet_max_ms;
    uint32_t sweep_ms;
    void *arg;
    /* Tells one file. Called between looks, on the loop's thread. */
    void (*on_file)(void *arg, struct brolga__watch_file *file,
                    enum brolga__watch_what what);
    /* All changes that belong together have been told. `noticed_ns` is when
     * the first of them was noticed. */
    void (*on_batch)(void *arg, uint64_t noticed_ns);
    void (*on_problem)(void *arg, const char *directory, const char *text);
};

struct brolga__watch;

/* BROLGA_OK or BROLGA_ENOMEM. */
int brolga__watch_create(struct uv_loop_s *loop,
                         const struct brolga__watch_opts *opts,
                         struct brolga__watch **out);
/* Takes a directory whose *.c are sources and whose *.h are headers. */
int brolga__watch_dir(struct brolga__watch *watch, const char *path);
/* Takes a file; returns the one that is there if it is known already. It is
 * told when a look has found it. */
int brolga__watch_file(struct brolga__watch *watch, const char *path,
                       enum brolga__watch_kind kind,
                       struct brolga__watch_file **out);
/* Takes a header that a build has read: what it holds now counts as told. */
int brolga__watch_header(struct brolga__watch *watch, const char *path,
                         struct brolga__watch_file **out);
/* Reads everything at once and tells all files as added; no quiet period.
 * BROLGA_OK, or BROLGA_ENOMEM: there may be others. */
int brolga__watch_scan(struct brolga__watch *watch);
/* Whether the content on disk is what was last told, and has been so since. */
bool brolga__watch_is_fresh(struct brolga__watch *watch,
                            const struct brolga__watch_file *file,
                            uint64_t since_ns);
/* False while its directory is gone: nothing is told of it then. */
bool brolga__watch_is_there(const struct brolga__watch *watch,
                            const struct brolga__watch_file *file);
/* Reads all files after a quiet period, as if they had been saved. */
void brolga__watch_look(struct brolga__watch *watch);
/* Starts and stops events and sweeps. */
void brolga__watch_start(struct brolga__watch *watch);
void brolga__watch_stop(struct brolga__watch *watch);
/* Ends it; handles close when the loop runs on, and the memory goes then. */
void brolga__watch_destroy(struct brolga__watch *watch);

/* --- build.c: compilers ------------------------------------------------- */

struct brolga__build_opts {
    const char *cc;          /* NULL = $CC, or "cc". */
    const char *cflags;      /* May be NULL. */
    const char *include_dir; /* May be NULL. */
    const char *fast;        /* Of fast builds; blank = `cc`, with -O0. */
    uint32_t jobs;           /* At a time. */
};

enum brolga__tier {
    BROLGA__TIER_FULL, /* As the user's flags say. */
    BROLGA__TIER_FAST  /* Whatever is built soonest. */
};

struct brolga__build_result {
    bool ok;
    const char *problem; /* Why there is no output: no compiler, ... or NULL. */
    const char *output;  /* What it printed. */
    size_t output_bytes;
    const char *built; /* The file made; the callback's to remove. */
    bool deps_known;
    const char *const *deps; /* Headers that it read, without the system's. */
    size_t deps_count;
    uint64_t took_ns;
};

struct brolga__builder;
struct brolga__build;
typedef void (*brolga__build_fn)(void *arg,
                                 const struct brolga__build_result *result);

int brolga__builder_create(struct uv_loop_s *loop,
                           const struct brolga__build_opts *opts,
                           struct brolga__builder **out);
/* Ends every compiler, tells nobody, and removes the directory. Handles close
 * when the loop runs on, and the memory goes then. */
void brolga__builder_destroy(struct brolga__builder *builder);
/* Starts or queues a build of `source`; `done` is called once, later, on the
 * loop's thread, unless the build is canceled. Builds that nobody waits for
 * (`later`) are started after all others, at a low priority. */
int brolga__build_start(struct brolga__builder *builder, const char *source,
                        enum brolga__tier tier, bool later,
                        brolga__build_fn done, void *arg,
                        struct brolga__build **out);
void brolga__build_cancel(struct brolga__build *build);

#endif
