/*
 * Changes, as the watcher tells them: which files of the session they make
 * dirty, that is, to be built. What is built or staged of a file that changes
 * is dropped, and so is an optimised build of any.
 */
#include "reload/session.h"

#include "alloc.h"

#include <string.h>

/* --- files -------------------------------------------------------------- */

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
        brolga__source_emit(source, BROLGA_RELOAD_FILE_ADDED, &text);
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
    brolga__source_emit(source, BROLGA_RELOAD_BUILD_FAILED, &text);
    brolga__source_lock(source, LOCK_BUILD);
}

static void tell_removed(struct source *source)
{
    struct brolga__text text = {0};
    const char *path = source->file->path;

    source->dirty = false;
    source->changed = false;
    source->by_header = false;
    brolga__source_set_lock(source, LOCK_FREE);
    if (source->now != NULL)
        brolga__text_add(&text,
                         "%s is gone; module '%s' runs on as it is until the "
                         "program ends",
                         path, source->now->module);
    else
        brolga__text_add(&text, "%s is gone", path);
    brolga__source_emit(source, BROLGA_RELOAD_FILE_REMOVED, &text);
}

static void take_source(struct source *source, enum brolga__watch_what what)
{
    brolga__source_reset(source);
    source->changed = true;
    source->by_import = false;
    if (what == BROLGA__WATCH_UNREADABLE)
        tell_unreadable(source);
    else if (what == BROLGA__WATCH_REMOVED)
        tell_removed(source);
    else
        source->dirty = true;
}

/* --- headers ------------------------------------------------------------ */

static bool depends_on(const struct source *source,
                       const struct brolga__watch_file *header)
{
    for (size_t i = 0; i < source->deps_count; i++)
        if (source->deps[i] == header)
            return true;
    return false;
}

/* Whether the source has read another header of that name: one that is new may
 * be found before it now. */
static bool may_prefer(const struct source *source,
                       const struct brolga__watch_file *header)
{
    const char *name = brolga__text_base(header->path);

    for (size_t i = 0; i < source->deps_count; i++)
        if (strcmp(brolga__text_base(source->deps[i]->path), name) == 0)
            return true;
    return false;
}

/* Those that have read the header are built again; and those that do not
 * build, since it may be what they lack. */
static void take_header(struct brolga_reload *session,
                        const struct brolga__watch_file *header,
                        enum brolga__watch_what what)
{
    bool is_new = what == BROLGA__WATCH_ADDED || what == BROLGA__WATCH_BACK;

    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        bool prefers = is_new && may_prefer(source, header);
        bool depends = prefers || depends_on(source, header);

        if (!source->file->exists || source->file->problem[0] != '\0' ||
            (!depends && source->lock != LOCK_BUILD))
            continue;
        brolga__source_reset(source);
        source->by_header |= depends;
        source->anew |= prefers;
        source->by_import = false;
        source->dirty = true;
    }
}

/* --- both --------------------------------------------------------------- */

void brolga__change_file(void *arg, struct brolga__watch_file *file,
                         enum brolga__watch_what what)
{
    struct brolga_reload *session = arg;
    struct source *source = source_of(file);

    brolga__tier_abandon(session);
    brolga__round_abandon_txn(session);
    if (file->kind == BROLGA__WATCH_HEADER) {
        take_header(session, file, what);
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
