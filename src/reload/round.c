/*
 * Rounds: from what has changed to files that are built.
 *
 * A round takes in every change that comes while it builds, and commits when
 * no build is left: so a burst of saves makes one version. A save during a
 * build ends that build; a stream of saves that is faster than the compiler
 * therefore delays the commit, rightly, since every build of it would be of
 * content that is gone.
 *
 * What is built is what was told by the watcher: after each build the files
 * that it read are hashed again, and if one has changed meanwhile, the result
 * is thrown away and the next look decides.
 *
 * What is built goes to commit.c, when no build is left.
 *
 * Invariant: here, source->next is set only while the round waits, and then it
 * is staged in session->txn.
 */
#include "reload/session.h"

#include "alloc.h"
#include "atomic.h"
#include "plat.h"

#include <string.h>
#include <unistd.h>

static void advance(struct brolga_reload *session);

/* --- telling ------------------------------------------------------------ */

static const char *module_of(const struct source *source)
{
    if (source->now != NULL)
        return source->now->module;
    return source->next != NULL ? source->next->module : NULL;
}

struct brolga_reload_event
brolga__source_event(const struct source *source,
                     enum brolga_reload_event_kind kind,
                     const struct brolga__text *text)
{
    return (struct brolga_reload_event){.kind = kind,
                                        .module = module_of(source),
                                        .file = source->file->path,
                                        .text = text->at};
}

static void emit(struct source *source, enum brolga_reload_event_kind kind,
                 const struct brolga__text *text)
{
    struct brolga_reload_event event = brolga__source_event(source, kind, text);

    brolga__session_emit(source->session, &event);
}

/* The first error of the initial load is what the call returns. */
void brolga__round_note_error(struct brolga_reload *session, int err,
                              const char *text)
{
    if (!session->loading || session->load_err != BROLGA_OK)
        return;
    session->load_err = err;
    brolga__text_add(&session->load_text, "%s", text);
}

static void set_lock(struct source *source, enum lock lock)
{
    (void)pthread_mutex_lock(&source->session->lock);
    source->lock = lock;
    (void)pthread_mutex_unlock(&source->session->lock);
}

/* Why the lock is there has been told. */
void brolga__source_lock(struct source *source, enum lock lock)
{
    static const char *const waits_for[] = {[LOCK_FREE] = "",
                                            [LOCK_BUILD] = "builds",
                                            [LOCK_REFUSED] = "fits",
                                            [LOCK_BACK] = "is saved again"};
    const char *until = waits_for[lock];
    const char *path = source->file->path;
    struct brolga__text text = {0};
    bool fresh = source->lock == LOCK_FREE;

    set_lock(source, lock);
    source->dirty = false;
    source->phase = PHASE_IDLE;
    if (!fresh)
        return;
    if (source->now == NULL)
        brolga__text_add(&text, "%s does not run until it %s", path, until);
    else
        brolga__text_add(
            &text, "v%llu runs on; %s is locked until it %s",
            (unsigned long long)brolga_got_version(source->session->got),
            source->now->module, until);
    emit(source, BROLGA_RELOAD_LOCKED, &text);
}

void brolga__source_unlock(struct source *source)
{
    struct brolga__text text = {0};

    if (source->lock == LOCK_FREE)
        return;
    set_lock(source, LOCK_FREE);
    brolga__text_add(&text, "%s is in order again", source->file->path);
    emit(source, BROLGA_RELOAD_UNLOCKED, &text);
}

/* --- what is on its way ------------------------------------------------- */

uint64_t brolga__source_fingerprint(const struct source *source)
{
    uint64_t mix = source->file->hash;

    for (size_t i = 0; i < source->deps_count; i++)
        mix = (mix ^ source->deps[i]->hash) * UINT64_C(0x9e3779b97f4a7c15) + i;
    return mix;
}

static void forget_built(struct source *source)
{
    if (source->built == NULL)
        return;
    (void)unlink(source->built);
    brolga__free(source->built);
    source->built = NULL;
}

/* Drops what is loaded but not committed. If it is staged, the transaction
 * closes it; if not, nobody else knows of it. */
void brolga__source_forget_next(struct source *source)
{
    struct brolga__image *next = source->next;

    if (next == NULL)
        return;
    source->next = NULL;
    if (source->staged)
        brolga__image_unref(next);
    else
        brolga__image_close(next);
    source->staged = false;
}

/* Takes a file back to where nothing has been done for it. */
static void reset(struct source *source)
{
    if (source->build != NULL)
        brolga__build_cancel(source->build);
    source->build = NULL;
    forget_built(source);
    brolga__source_forget_next(source);
    source->phase = PHASE_IDLE;
}

void brolga__source_free(struct source *source)
{
    reset(source);
    if (source->now != NULL)
        brolga__image_unref(source->now);
    brolga__free(source->deps);
    brolga__free(source);
}

/* A waiting transaction ends; its images are built again. */
static void abandon_txn(struct brolga_reload *session)
{
    if (session->txn == NULL)
        return;
    brolga_txn_abort(session->txn); /* Closes the images that are staged. */
    session->txn = NULL;
    for (size_t i = 0; i < session->sources_count; i++) {
        if (session->sources[i]->next == NULL)
            continue;
        brolga__source_forget_next(session->sources[i]);
        session->sources[i]->dirty = true;
    }
    session->round = ROUND_QUIET; /* The batch that comes begins another. */
}

void brolga__round_abandon(struct brolga_reload *session)
{
    abandon_txn(session);
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->phase != PHASE_IDLE)
            source->dirty = true;
        reset(source);
    }
    session->round = ROUND_QUIET;
}

/* --- what the watcher tells --------------------------------------------- */

static struct source *source_of(const struct brolga__watch_file *file)
{
    return file->user;
}

static int insert_source(struct brolga_reload *session, struct source *source)
{
    size_t count = session->sources_count, at = count;
    struct source **more = brolga__alloc((count + 1) * sizeof *more);
    struct source **old = session->sources;

    if (more == NULL)
        return BROLGA_ENOMEM;
    while (at > 0 && strcmp(old[at - 1]->file->path, source->file->path) > 0)
        at--;
    for (size_t i = 0; i < at; i++)
        more[i] = old[i];
    for (size_t i = at; i < count; i++)
        more[i + 1] = old[i];
    more[at] = source;
    (void)pthread_mutex_lock(&session->lock);
    session->sources = more;
    session->sources_count = count + 1;
    (void)pthread_mutex_unlock(&session->lock);
    brolga__free(old);
    return BROLGA_OK;
}

/* Without memory the file is not known, and is tried again when it changes. */
static struct source *add_source(struct brolga_reload *session,
                                 struct brolga__watch_file *file)
{
    struct source *source = brolga__alloc_zero(sizeof *source);
    struct brolga__text text = {0};

    if (source == NULL)
        return NULL;
    source->session = session;
    source->file = file;
    if (insert_source(session, source) != BROLGA_OK) {
        brolga__free(source);
        return NULL;
    }
    file->user = source;
    if (!session->loading) {
        brolga__text_add(&text, "%s is new", file->path);
        emit(source, BROLGA_RELOAD_FILE_ADDED, &text);
    }
    return source;
}

static void tell_unreadable(struct source *source)
{
    const struct brolga__watch_file *file = source->file;
    struct brolga__text text = {0};

    brolga__text_add(&text,
                     "%s: cannot be read: %s\n"
                     "  make it a readable file, or move it away",
                     file->path, file->problem);
    brolga__round_note_error(source->session, BROLGA_EBUILD, text.at);
    emit(source, BROLGA_RELOAD_BUILD_FAILED, &text);
    brolga__source_lock(source, LOCK_BUILD);
}

static void tell_removed(struct source *source)
{
    struct brolga__text text = {0};
    const char *path = source->file->path;

    source->dirty = false;
    source->changed = false;
    source->by_header = false;
    set_lock(source, LOCK_FREE);
    if (source->now != NULL)
        brolga__text_add(&text,
                         "%s is gone; module '%s' runs on as it is until the "
                         "program ends",
                         path, source->now->module);
    else
        brolga__text_add(&text, "%s is gone", path);
    emit(source, BROLGA_RELOAD_FILE_REMOVED, &text);
}

static void take_source(struct source *source, enum brolga__watch_what what)
{
    reset(source);
    source->changed = true;
    source->by_import = false;
    if (what == BROLGA__WATCH_UNREADABLE)
        tell_unreadable(source);
    else if (what == BROLGA__WATCH_REMOVED)
        tell_removed(source);
    else
        source->dirty = true;
}

static bool depends_on(const struct source *source,
                       const struct brolga__watch_file *header)
{
    for (size_t i = 0; i < source->deps_count; i++)
        if (source->deps[i] == header)
            return true;
    return false;
}

/* Those that have read the header are built again; and those that do not
 * build, since it may be what they lack. */
static void take_header(struct brolga_reload *session,
                        const struct brolga__watch_file *header)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        bool depends = depends_on(source, header);

        if (!source->file->exists || source->file->problem[0] != '\0' ||
            (!depends && source->lock != LOCK_BUILD))
            continue;
        reset(source);
        source->by_header |= depends;
        source->by_import = false;
        source->dirty = true;
    }
}

void brolga__round_file(void *arg, struct brolga__watch_file *file,
                        enum brolga__watch_what what)
{
    struct brolga_reload *session = arg;
    struct source *source = source_of(file);

    abandon_txn(session);
    if (file->kind == BROLGA__WATCH_HEADER) {
        take_header(session, file);
        return;
    }
    if (source == NULL)
        source = add_source(session, file);
    if (source != NULL)
        take_source(source, what);
    else
        brolga__round_note_error(session, BROLGA_ENOMEM,
                                 brolga_strerror(BROLGA_ENOMEM));
}

/* Content that runs already needs no build: an edit that was undone. */
static void drop_unchanged(struct source *source)
{
    if (!source->dirty || source->phase != PHASE_IDLE || source->now == NULL ||
        brolga__source_fingerprint(source) != source->fingerprint)
        return;
    source->dirty = false;
    source->changed = false;
    source->by_header = false;
    brolga__source_unlock(source);
}

void brolga__round_batch(void *arg, uint64_t noticed_ns)
{
    struct brolga_reload *session = arg;
    bool dirty = false;

    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->phase == PHASE_STALE) {
            source->phase = PHASE_IDLE;
            source->dirty = true;
        }
        drop_unchanged(source);
        dirty |= source->dirty;
    }
    if (dirty && session->noticed_ns == 0 && !session->loading)
        session->noticed_ns = noticed_ns;
    advance(session);
}

/* --- building ----------------------------------------------------------- */

static void fill_module(struct brolga_reload_module *out,
                        const struct source *source)
{
    *out = (struct brolga_reload_module){
        .name = module_of(source),
        .file = source->file->path,
        .why = source->why,
        .locked = source->lock != LOCK_FREE,
        .version = source->version,
    };
    if (source->now != NULL)
        out->policy = source->now->policy;
}

/* One event about several files. */
void brolga__round_tell_modules(struct brolga_reload *session,
                                struct brolga_reload_event *event,
                                bool (*chosen)(const struct source *source))
{
    struct brolga_reload_module *modules =
        brolga__alloc((session->sources_count + 1) * sizeof *modules);

    for (size_t i = 0; modules != NULL && i < session->sources_count; i++)
        if (chosen(session->sources[i]))
            fill_module(&modules[event->modules_count++], session->sources[i]);
    event->modules = modules;
    brolga__session_emit(session, event);
    brolga__free(modules);
}

static bool is_dirty(const struct source *source)
{
    return source->dirty;
}

static enum brolga_reload_why why_of(const struct source *source)
{
    if (source->now == NULL)
        return BROLGA_RELOAD_NEW;
    return source->changed ? BROLGA_RELOAD_CHANGED : BROLGA_RELOAD_REBUILT;
}

static void fail_build(struct source *source,
                       const struct brolga__build_result *result)
{
    const char *path = source->file->path;
    uint32_t line =
        brolga__text_error_line(result->output, result->output_bytes, path);
    struct brolga__text text = {0};
    struct brolga_reload_event event;

    brolga__text_add(&text, "%s", path);
    if (line != 0)
        brolga__text_add(&text, ":%u", line);
    if (result->problem != NULL)
        brolga__text_add(&text, ": cannot be built: %s", result->problem);
    else
        brolga__text_add(&text, ": does not compile; mend it and save it");
    event = brolga__source_event(source, BROLGA_RELOAD_BUILD_FAILED, &text);
    event.line = line;
    event.output = result->output;
    event.output_bytes = result->output_bytes;
    event.build_ns = result->took_ns;
    brolga__round_note_error(source->session, BROLGA_EBUILD, text.at);
    brolga__session_emit(source->session, &event);
    brolga__source_lock(source, LOCK_BUILD);
}

static void tell_warnings(struct source *source,
                          const struct brolga__build_result *result)
{
    const char *path = source->file->path;
    struct brolga__text text = {0};
    struct brolga_reload_event event;

    if (result->output_bytes == 0)
        return;
    brolga__text_add(&text, "%s: compiles, with warnings", path);
    event = brolga__source_event(source, BROLGA_RELOAD_BUILD_WARNED, &text);
    event.line =
        brolga__text_error_line(result->output, result->output_bytes, path);
    event.output = result->output;
    event.output_bytes = result->output_bytes;
    event.build_ns = result->took_ns;
    brolga__session_emit(source->session, &event);
}

/* Follows the headers that a build has read. A compiler that fails early may
 * list none; the old list is better than that. */
static void take_deps(struct source *source,
                      const struct brolga__build_result *result)
{
    struct brolga__watch_file **deps;
    size_t count = 0;

    if (!result->ok && result->deps_count < source->deps_count)
        return;
    deps = brolga__alloc((result->deps_count + 1) * sizeof *deps);
    if (deps == NULL)
        return;
    for (size_t i = 0; i < result->deps_count; i++)
        if (brolga__watch_header(source->session->watch, result->deps[i],
                                 &deps[count]) == BROLGA_OK)
            count++;
    brolga__free(source->deps);
    source->deps = deps;
    source->deps_count = count;
}

/* Whether all that the build has read is still what was told. */
static bool is_fresh(const struct source *source)
{
    if (!brolga__watch_is_fresh(source->file))
        return false;
    for (size_t i = 0; i < source->deps_count; i++)
        if (!brolga__watch_is_fresh(source->deps[i]))
            return false;
    return true;
}

static void built(void *arg, const struct brolga__build_result *result)
{
    struct source *source = arg;

    source->build = NULL;
    take_deps(source, result);
    source->took_ns = result->took_ns;
    if (!is_fresh(source)) {
        (void)unlink(result->built);
        source->phase = PHASE_STALE;
        brolga__watch_look(source->session->watch);
        return;
    }
    source->phase = PHASE_BUILT;
    source->built = result->ok ? brolga__strdup(result->built) : NULL;
    source->built_fingerprint = brolga__source_fingerprint(source);
    if (source->built == NULL) {
        (void)unlink(result->built);
        fail_build(source, result);
    } else {
        tell_warnings(source, result);
    }
    advance(source->session);
}

static void start_build(struct source *source)
{
    struct brolga__build_result result = {.problem = "out of memory",
                                          .output = ""};

    source->why = why_of(source);
    source->dirty = false;
    source->phase = PHASE_BUILDING;
    if (brolga__build_start(source->session->builder, source->file->path, built,
                            source, &source->build) != BROLGA_OK)
        fail_build(source, &result);
}

void brolga__round_start_builds(struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->dirty)
            start_build(session->sources[i]);
}

bool brolga__round_is_building(const struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->phase == PHASE_BUILDING ||
            session->sources[i]->phase == PHASE_STALE)
            return true;
    return false;
}

/* --- the course of a round ---------------------------------------------- */

/* A round begins: what was refused may fit with what comes. */
static void begin(struct brolga_reload *session)
{
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_BUILDING,
                                        .text = "building"};

    session->round = ROUND_BUILDING;
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->lock == LOCK_REFUSED && source->file->exists)
            source->dirty = true;
        source->why = why_of(source);
    }
    brolga__round_tell_modules(session, &event, is_dirty);
}

static void advance(struct brolga_reload *session)
{
    bool dirty = false;

    for (size_t i = 0; i < session->sources_count; i++)
        dirty |= session->sources[i]->dirty;
    if (session->round == ROUND_QUIET && dirty)
        begin(session);
    if (session->round != ROUND_BUILDING)
        return;
    brolga__round_start_builds(session);
    if (!brolga__round_is_building(session))
        brolga__round_finish(session);
}

/* The round goes on where its builds begin; what was only loaded again needs
 * none. */
void brolga__round_once_more(struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->next == NULL)
            continue;
        brolga__source_forget_next(source);
        source->dirty = source->why != BROLGA_RELOAD_AGAIN;
    }
    session->round = ROUND_QUIET;
    advance(session);
}
