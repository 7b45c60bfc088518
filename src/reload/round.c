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

/* What is in a directory that is gone waits until that is back. */
static bool is_dirty(const struct source *source)
{
    return source->dirty &&
           brolga__watch_is_there(source->session->watch, source->file);
}

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

void brolga__source_emit(struct source *source,
                         enum brolga_reload_event_kind kind,
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

void brolga__source_set_lock(struct source *source, enum lock lock)
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

    brolga__source_set_lock(source, lock);
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
    brolga__source_emit(source, BROLGA_RELOAD_LOCKED, &text);
}

void brolga__source_unlock(struct source *source)
{
    struct brolga__text text = {0};

    if (source->lock == LOCK_FREE)
        return;
    brolga__source_set_lock(source, LOCK_FREE);
    brolga__text_add(&text, "%s is in order again", source->file->path);
    brolga__source_emit(source, BROLGA_RELOAD_UNLOCKED, &text);
}

/* --- what is on its way ------------------------------------------------- */

uint64_t brolga__source_fingerprint(const struct source *source)
{
    uint64_t mix = source->file->hash;

    for (size_t i = 0; i < source->deps_count; i++) {
        const struct brolga__watch_file *header = source->deps[i];
        uint64_t hash = header->exists ? header->hash : 0; /* Gone. */

        mix = (mix ^ hash) * UINT64_C(0x9e3779b97f4a7c15) + i;
    }
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

void brolga__source_reset(struct source *source)
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
    brolga__source_reset(source);
    brolga__image_unref(source->now);
    brolga__free(source->deps);
    brolga__free(source);
}

void brolga__round_abandon_txn(struct brolga_reload *session)
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
    brolga__tier_abandon(session);
    brolga__round_abandon_txn(session);
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->phase != PHASE_IDLE)
            source->dirty = true;
        brolga__source_reset(source);
    }
    session->round = ROUND_QUIET;
}

/* --- all changes have been told ----------------------------------------- */

/* Content that runs already needs no build: an edit that was undone. */
static void drop_unchanged(struct source *source)
{
    if (!source->dirty || source->anew || source->phase != PHASE_IDLE ||
        source->now == NULL ||
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
        dirty |= is_dirty(source);
    }
    if (dirty)
        brolga__tier_abandon(session);
    if (dirty && session->noticed_ns == 0 && !session->loading)
        session->noticed_ns = noticed_ns;
    advance(session);
    brolga__tier_begin(session);
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

static size_t count_states(const struct brolga_reload *session,
                           bool (*chosen)(const struct source *source))
{
    size_t count = 0;

    for (size_t i = 0; i < session->sources_count; i++)
        if (chosen(session->sources[i]) && session->sources[i]->now != NULL)
            count += session->sources[i]->now->states_count +
                     session->sources[i]->now->messages_count;
    return count;
}

static void fill_states(struct brolga_reload_event *event,
                        struct brolga_reload_state *states,
                        const struct brolga__image *image)
{
    for (size_t k = 0; image != NULL && k < image->states_count; k++) {
        const struct brolga__state *state = &image->states[k];

        if (state->what == BROLGA_RELOAD_STATE_KEPT)
            continue;
        states[event->states_count++] =
            (struct brolga_reload_state){.module = image->module,
                                         .name = state->name,
                                         .what = state->what,
                                         .steps = state->steps};
    }
}

static void fill_messages(struct brolga_reload_event *event,
                          struct brolga_reload_state *states,
                          const struct brolga__image *image)
{
    for (size_t k = 0; image != NULL && k < image->messages_count; k++)
        if (image->messages[k].changed)
            states[event->states_count++] = (struct brolga_reload_state){
                .module = image->module,
                .name = image->messages[k].name,
                .what = BROLGA_RELOAD_MESSAGES_CHANGED,
                .steps = image->messages[k].steps};
}

/* One event about several files. */
void brolga__round_tell_modules(struct brolga_reload *session,
                                struct brolga_reload_event *event,
                                bool (*chosen)(const struct source *source))
{
    struct brolga_reload_module *modules =
        brolga__alloc((session->sources_count + 1) * sizeof *modules);
    struct brolga_reload_state *states = NULL;

    for (size_t i = 0; modules != NULL && i < session->sources_count; i++)
        if (chosen(session->sources[i]))
            fill_module(&modules[event->modules_count++], session->sources[i]);
    event->modules = modules;
    if (event->kind != BROLGA_RELOAD_BUILDING)
        states =
            brolga__alloc((count_states(session, chosen) + 1) * sizeof *states);
    for (size_t i = 0; states != NULL && i < session->sources_count; i++)
        if (chosen(session->sources[i])) {
            fill_states(event, states, session->sources[i]->now);
            fill_messages(event, states, session->sources[i]->now);
        }
    event->states = states;
    brolga__session_emit(session, event);
    brolga__free(states);
    brolga__free(modules);
}

static enum brolga_reload_why why_of(const struct source *source)
{
    if (source->now == NULL)
        return BROLGA_RELOAD_NEW;
    return source->changed ? BROLGA_RELOAD_CHANGED : BROLGA_RELOAD_REBUILT;
}

static void fail_save(struct source *source,
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

static void fail_build(struct source *source,
                       const struct brolga__build_result *result)
{
    if (source->session->optimising) {
        source->phase = PHASE_IDLE;
        brolga__tier_fail(source,
                          result->problem != NULL
                              ? result->problem
                              : "mend what its compiler says, and save it",
                          result);
    } else {
        fail_save(source, result);
    }
}

static void tell_warnings(struct source *source,
                          const struct brolga__build_result *result)
{
    const char *path = source->file->path;
    struct brolga__text text = {0};
    struct brolga_reload_event event;

    /* An optimised build has told them when it was a fast one. */
    if (result->output_bytes == 0 || source->session->optimising)
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

    if (!result->deps_known ||
        (!result->ok && result->deps_count < source->deps_count))
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

/* Whether all that the build has read was what was told. */
static bool is_fresh(const struct source *source)
{
    struct brolga__watch *watch = source->session->watch;
    uint64_t since = source->build_ns;

    if (!brolga__watch_is_fresh(watch, source->file, since))
        return false;
    for (size_t i = 0; i < source->deps_count; i++)
        if (!brolga__watch_is_fresh(watch, source->deps[i], since))
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

void brolga__source_start_build(struct source *source, enum brolga__tier tier,
                                bool later)
{
    struct brolga__build_result result = {.problem = "out of memory",
                                          .output = ""};

    source->tier = tier;
    source->dirty = false;
    source->anew = false;
    source->phase = PHASE_BUILDING;
    source->build_ns = brolga__plat_now_ns();
    if (brolga__build_start(source->session->builder, source->file->path, tier,
                            later, built, source, &source->build) != BROLGA_OK)
        fail_build(source, &result);
}

void brolga__round_start_builds(struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (!is_dirty(source))
            continue;
        source->why = why_of(source);
        brolga__source_start_build(source,
                                   session->opts.tiered ? BROLGA__TIER_FAST
                                                        : BROLGA__TIER_FULL,
                                   false);
    }
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
        dirty |= is_dirty(session->sources[i]);
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
