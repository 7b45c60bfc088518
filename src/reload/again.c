/*
 * The stress switch `reload` (base.h), as far as it is a session's business:
 * the builds that run are loaded once more under new names, and committed
 * together, as if every file had been saved and compiled to the same.
 *
 * For that each image keeps the built file open, whose name has gone. What is
 * not at rest is left to its round: the next time will do.
 */
#include "reload/session.h"

#include "alloc.h"
#include "atomic.h"
#include "tasks/tasks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool brolga__again_is_wanted(const struct brolga_reload *session)
{
    return session->rt->opts.stress.reload != 0;
}

/* By the reclaimer, under a lock of the runtime's. */
static void ask(void *arg)
{
    struct brolga_reload *session = arg;

    brolga__session_ask(session, &session->again_wanted);
}

void brolga__again_start(struct brolga_reload *session)
{
    if (brolga__again_is_wanted(session))
        brolga__stress_reloader(session->rt, ask, session);
}

void brolga__again_stop(struct brolga_reload *session)
{
    if (brolga__again_is_wanted(session))
        brolga__stress_reloader(session->rt, NULL, NULL);
}

int brolga__again_keep(const struct brolga_reload *session, const char *built)
{
    return brolga__again_is_wanted(session) ? open(built, O_RDONLY | O_CLOEXEC)
                                            : -1;
}

/* --- loading once more -------------------------------------------------- */

static bool copy_bytes(int from, int to)
{
    char bytes[16384];
    off_t at = 0;
    ssize_t count;

    while ((count = pread(from, bytes, sizeof bytes, at)) > 0) {
        if (write(to, bytes, (size_t)count) != count)
            return false;
        at += count;
    }
    return count == 0;
}

/* Beside where the builder puts its files. */
static bool copy_to(const char *path, int from)
{
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (to < 0)
        return false;
    ok = copy_bytes(from, to);
    ok = close(to) == 0 && ok;
    if (!ok)
        (void)unlink(path);
    return ok;
}

static void load_again(struct source *source)
{
    struct brolga_reload *session = source->session;
    const struct brolga__image *now = source->now;
    struct brolga__text path = {0}, why = {0};
    int line;

    brolga__text_add(&path, "%.*s/again-%llu.so",
                     (int)(brolga__text_base(now->path) - 1 - now->path),
                     now->path, (unsigned long long)session->again++);
    if (!copy_to(path.at, now->copy))
        return;
    if (brolga__image_load(path.at, source->file->path, true, session->outlet,
                           &source->next, &why, &line) == BROLGA_OK)
        source->next->copy = brolga__again_keep(session, path.at);
    (void)unlink(path.at);
    source->why = BROLGA_RELOAD_AGAIN;
    source->took_ns = 0;
    source->built_fingerprint = source->fingerprint;
}

static bool is_at_rest(const struct source *source)
{
    return source->now != NULL && source->now->copy >= 0 &&
           source->lock == LOCK_FREE && source->phase == PHASE_IDLE &&
           !source->dirty && source->next == NULL;
}

void brolga__again_serve(struct brolga_reload *session)
{
    bool any = false;

    if (session->round != ROUND_QUIET || session->loading)
        return;
    for (size_t i = 0; i < session->sources_count; i++)
        if (is_at_rest(session->sources[i])) {
            load_again(session->sources[i]);
            any |= session->sources[i]->next != NULL;
        }
    if (any)
        brolga__round_commit(session);
}
