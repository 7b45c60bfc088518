/*
 * Sessions: the public functions, and the thread that runs the event loop.
 *
 * A session's loop is run by one thread at a time: by the caller of
 * brolga_reload_load(), then by the session's own. Other threads ask by a flag
 * and a wake; what they may read is guarded by session->lock.
 *
 *   A  A thread that asks -> the loop's thread: store_release of a flag in
 *      ask() -> swap_acquire in woken(), load_acquire in run(). Nothing else
 *      is handed over with it.
 */
#include "reload/session.h"

#include "alloc.h"
#include "atomic.h"
#include "plat.h"

#include <string.h>
#include <sys/stat.h>

#define QUIET_MS     15
#define QUIET_MAX_MS 200
#define SWEEP_MS     1000

void brolga__session_emit(struct brolga_reload *session,
                          struct brolga_reload_event *event)
{
    if (session->opts.on_event == NULL)
        return;
    event->version = brolga_got_version(session->got);
    session->opts.on_event(session->opts.arg, event);
}

/* --- what wakes the loop ------------------------------------------------ */

void brolga__session_ask(struct brolga_reload *session, _Atomic uint32_t *flag)
{
    brolga__store_release(flag, 1); /* A: swap in woken */
    brolga__loop_wake(session->loop);
}

static void tell_stuck(struct brolga_reload *session,
                       struct brolga__image *image)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_UNLOAD_REFUSED,
                                        .module = image->module,
                                        .file = image->file,
                                        .text = text.at};

    brolga__text_add(&text,
                     "an old build of %s was released, but the system keeps it "
                     "in memory\n"
                     "  this is harmless, but grows with each reload; look for "
                     "thread-local data with destructors, -z nodelete, or a "
                     "library that it links with",
                     image->file);
    brolga__session_emit(session, &event);
}

static void woken(void *arg)
{
    struct brolga_reload *session = arg;
    struct brolga__image *image;

    if (brolga__swap_acquire(&session->look_wanted, 0) != 0) /* A: ask */
        brolga__watch_look(session->watch);
    if (brolga__swap_acquire(&session->back_wanted, 0) != 0) /* A: ask */
        brolga__back_serve(session);
    if (brolga__swap_acquire(&session->again_wanted, 0) != 0) /* A: ask */
        brolga__again_serve(session);
    /* As many as have been released since; each turn takes one. */
    while ((image = brolga__outlet_take(session->outlet)) != NULL) {
        tell_stuck(session, image);
        brolga__image_unref(image);
    }
}

static void timed(void *arg)
{
    brolga__round_retry(arg);
    brolga__back_look(arg);
}

/* An image that is stuck; called by any thread. */
static void wake_for_outlet(void *arg)
{
    struct brolga_reload *session = arg;

    brolga__loop_wake(session->loop);
}

static void tell_watch_problem(void *arg, const char *directory,
                               const char *text)
{
    struct brolga_reload_event event = {
        .kind = BROLGA_RELOAD_WATCH_PROBLEM, .file = directory, .text = text};

    brolga__session_emit(arg, &event);
}

/* --- creation ----------------------------------------------------------- */

static uint32_t or_default(uint32_t value, uint32_t instead)
{
    return value == 0 ? instead : value;
}

static int add_path(struct brolga_reload *session, const char *path)
{
    struct brolga__watch_file *file;
    struct stat found;
    size_t bytes = strlen(path);
    char *trimmed;
    int err;

    if (stat(path, &found) != 0)
        return BROLGA_ENOENT;
    if (!S_ISDIR(found.st_mode))
        return brolga__watch_file(session->watch, path, BROLGA__WATCH_SOURCE,
                                  &file);
    trimmed = brolga__strdup(path);
    if (trimmed == NULL)
        return BROLGA_ENOMEM;
    while (bytes > 1 && trimmed[bytes - 1] == '/')
        trimmed[--bytes] = '\0';
    err = brolga__watch_dir(session->watch, trimmed);
    brolga__free(trimmed);
    return err;
}

static int add_paths(struct brolga_reload *session)
{
    int err = BROLGA_OK;

    for (size_t i = 0; err == BROLGA_OK && i < session->opts.paths_count; i++)
        err = add_path(session, session->opts.paths[i]);
    return err;
}

static int create_watch(struct brolga_reload *session)
{
    const struct brolga_reload_opts *opts = &session->opts;
    struct brolga__watch_opts watch_opts = {
        .quiet_ms = or_default(opts->quiet_ms, QUIET_MS),
        .quiet_max_ms = or_default(opts->quiet_max_ms, QUIET_MAX_MS),
        .sweep_ms = or_default(opts->sweep_ms, SWEEP_MS),
        .arg = session,
        .on_file = brolga__change_file,
        .on_batch = brolga__round_batch,
        .on_problem = tell_watch_problem,
    };

    return brolga__watch_create(brolga__loop_uv(session->loop), &watch_opts,
                                &session->watch);
}

static int create_builder(struct brolga_reload *session)
{
    const struct brolga_reload_opts *opts = &session->opts;
    struct brolga__build_opts build_opts = {.cc = opts->cc,
                                            .cflags = opts->cflags,
                                            .include_dir = opts->include_dir,
                                            .fast = opts->fast,
                                            .jobs = opts->jobs};

    return brolga__builder_create(brolga__loop_uv(session->loop), &build_opts,
                                  &session->builder);
}

static int create_parts(struct brolga_reload *session)
{
    int err = brolga__loop_create(woken, timed, session, &session->loop);

    if (err == BROLGA_OK)
        err = create_watch(session);
    if (err == BROLGA_OK)
        err = create_builder(session);
    if (err == BROLGA_OK)
        err = brolga__outlet_create(wake_for_outlet, session, &session->outlet);
    return err == BROLGA_OK ? add_paths(session) : err;
}

int brolga_reload_create(brolga *rt, const struct brolga_reload_opts *opts,
                         brolga_reload **out)
{
    struct brolga_reload *session;
    int err;

    if (rt == NULL || opts == NULL || opts->paths_count == 0)
        return BROLGA_EINVAL;
    session = brolga__alloc_zero(sizeof *session);
    if (session == NULL)
        return BROLGA_ENOMEM;
    session->rt = rt;
    session->got = brolga_runtime_got(rt);
    session->opts = *opts;
    (void)pthread_mutex_init(&session->lock, NULL);
    brolga__back_init(session);
    brolga__states_init(session);
    brolga__messages_init(session);
    err = create_parts(session);
    if (err != BROLGA_OK) {
        brolga_reload_destroy(session);
        return err;
    }
    session->opts.paths = NULL; /* The caller's; the parts have copies. */
    session->opts.cc = NULL;
    session->opts.cflags = NULL;
    session->opts.include_dir = NULL;
    session->opts.fast = NULL;
    *out = session;
    return BROLGA_OK;
}

/* Also of a session that was not created wholly. */
void brolga_reload_destroy(brolga_reload *session)
{
    brolga_reload_stop(session);
    brolga__back_fini(session);
    for (size_t i = 0; i < session->sources_count; i++)
        brolga__source_free(session->sources[i]);
    brolga__states_fini(session);
    brolga__messages_fini(session);
    if (session->outlet != NULL)
        brolga__outlet_close(session->outlet);
    if (session->builder != NULL)
        brolga__builder_destroy(session->builder);
    if (session->watch != NULL)
        brolga__watch_destroy(session->watch);
    if (session->loop != NULL)
        brolga__loop_destroy(session->loop);
    brolga__free(session->sources);
    (void)pthread_mutex_destroy(&session->lock);
    brolga__free(session);
}

/* --- the initial load --------------------------------------------------- */

static void fill_report(const struct brolga_reload *session,
                        struct brolga_report *report)
{
    size_t bytes = session->load_text.used;

    *report =
        (struct brolga_report){.version = brolga_got_version(session->got)};
    if (bytes >= sizeof report->text)
        bytes = sizeof report->text - 1;
    memcpy(report->text, session->load_text.at, bytes);
}

int brolga_reload_load(brolga_reload *session, struct brolga_report *report)
{
    if (session->started || session->loaded)
        return BROLGA_ESTATE;
    session->loaded = true;
    session->loading = true;
    session->load_err = BROLGA_OK;
    if (brolga__watch_scan(session->watch) != BROLGA_OK)
        brolga__round_note_error(session, BROLGA_ENOMEM,
                                 brolga_strerror(BROLGA_ENOMEM));
    /* Each step waits for a compiler; the round ends when all have ended. */
    while (session->round != ROUND_QUIET)
        brolga__loop_step(session->loop);
    session->loading = false;
    if (session->sources_count == 0 && session->load_err == BROLGA_OK) {
        session->load_err = BROLGA_ENOENT;
        brolga__text_add(&session->load_text,
                         "there is no .c file\n"
                         "  add one that begins with #include "
                         "<brolga/module.h> and BROLGA_MODULE(name);");
    }
    if (report != NULL)
        fill_report(session, report);
    return session->load_err;
}

/* --- the thread --------------------------------------------------------- */

static void *run(void *arg)
{
    struct brolga_reload *session = arg;

    brolga__plat_thread_name("brolga reload");
    brolga__plat_thread_hear_children(); /* Compilers. */
    if (session->opts.bystander)
        brolga_bystander_enter(session->rt);
    if (!session->opts.no_watch)
        brolga__watch_start(session->watch);
    brolga__tier_begin(session); /* Of what the load has built. */
    while (brolga__load_acquire(&session->stop_wanted) == 0) /* A: ask */
        brolga__loop_step(session->loop);
    if (session->opts.bystander)
        brolga_bystander_leave(session->rt);
    return NULL;
}

int brolga_reload_start(brolga_reload *session)
{
    if (session->started)
        return BROLGA_ESTATE;
    brolga__store_relaxed(&session->stop_wanted, 0); /* No thread yet. */
    if (!brolga__plat_thread_start(&session->thread, NULL, run, session))
        return BROLGA_ELIMIT;
    (void)pthread_mutex_lock(&session->back_lock);
    session->started = true;
    (void)pthread_mutex_unlock(&session->back_lock);
    brolga__again_start(session);
    return BROLGA_OK;
}

void brolga_reload_stop(brolga_reload *session)
{
    if (!session->started)
        return;
    brolga__again_stop(session);
    brolga__session_ask(session, &session->stop_wanted);
    (void)pthread_join(session->thread, NULL);
    brolga__back_cancel(session);
    brolga__watch_stop(session->watch);
    brolga__round_abandon(session);
}

void brolga_reload_look(brolga_reload *session)
{
    brolga__session_ask(session, &session->look_wanted);
}

/* --- questions ---------------------------------------------------------- */

/* The export of one module, if it is asked for; NULL if not. */
static const struct brolga__symbol *
export_of(const struct source *source, const char *module, const char *symbol)
{
    if (source->now == NULL ||
        (module != NULL && strcmp(source->now->module, module) != 0))
        return NULL;
    return brolga__image_export(source->now, symbol);
}

int brolga_reload_find(brolga_reload *session, const char *module,
                       const char *symbol, brolga_slot *out)
{
    const struct brolga__symbol *found = NULL;
    bool twice = false;
    int err = BROLGA_ENOENT;

    (void)pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < session->sources_count; i++) {
        const struct brolga__symbol *export =
            export_of(session->sources[i], module, symbol);

        twice |= export != NULL && found != NULL;
        if (export != NULL)
            found = export;
    }
    if (twice) {
        err = BROLGA_EEXIST;
    } else if (found != NULL) {
        *out = found->slot;
        err = BROLGA_OK;
    }
    (void)pthread_mutex_unlock(&session->lock);
    return err;
}

static struct brolga_reload_module describe(const struct source *source)
{
    struct brolga_reload_module module = {
        .file = source->file->path,
        .locked = source->lock != LOCK_FREE,
        .version = source->version,
    };

    if (source->now != NULL) {
        module.name = source->now->module;
        module.policy = source->now->policy;
    }
    return module;
}

size_t brolga_reload_each(
    brolga_reload *session,
    void (*visit)(void *arg, const struct brolga_reload_module *module),
    void *arg)
{
    size_t count;

    (void)pthread_mutex_lock(&session->lock);
    count = session->sources_count;
    for (size_t i = 0; i < count; i++) {
        struct brolga_reload_module module = describe(session->sources[i]);

        visit(arg, &module);
    }
    (void)pthread_mutex_unlock(&session->lock);
    return count;
}
