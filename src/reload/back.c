/*
 * Going back: to which version, and what runs of each file then.
 *
 * The GOT restores slots and units (got/past.c). What the session knows of each
 * file (the image that runs, and of which content) must go back with them, so
 * each commit of the session leaves a *moment*: all of that, as of its version.
 * Moments are kept for as long as the GOT keeps the version before the next
 * one.
 *
 * `back` of a moment is the version that one goes back to from it: the one
 * before its commit, or, if it was itself a way back, that of the moment that
 * it went to. So each step goes one reload further back. An optimised build of
 * what ran already is no step.
 */
#include "reload/session.h"

#include "alloc.h"
#include "plat.h"

#include <stdio.h>
#include <string.h>

/* Between looks for tasks that fail. */
#define LOOK_MS 10

struct piece {
    struct source *source;
    struct brolga__image *image; /* One reference; NULL: nothing ran. */
    uint64_t version;
    uint64_t fingerprint;
    bool due;
};

struct moment {
    struct brolga__list link; /* session->moments */
    uint64_t version;         /* From here on, until the next one. */
    uint64_t back;            /* 0: there is nothing before. */
    size_t count;
    struct piece piece[];
};

static struct moment *moment_of(struct brolga__list *node)
{
    return brolga__container_of(node, struct moment, link);
}

/* --- keeping moments ---------------------------------------------------- */

static void moment_free(struct moment *moment)
{
    for (size_t i = 0; i < moment->count; i++)
        brolga__image_unref(moment->piece[i].image);
    brolga__free(moment);
}

static void drop_first(struct brolga_reload *session)
{
    moment_free(moment_of(brolga__list_pop_front(&session->moments)));
}

static void drop_all(struct brolga_reload *session)
{
    while (!brolga__list_empty(&session->moments))
        drop_first(session);
}

void brolga__back_init(struct brolga_reload *session)
{
    brolga__list_init(&session->moments);
    (void)pthread_mutex_init(&session->back_turn, NULL);
    (void)pthread_mutex_init(&session->back_lock, NULL);
    (void)pthread_cond_init(&session->back_done, NULL);
}

void brolga__back_fini(struct brolga_reload *session)
{
    drop_all(session);
    (void)pthread_mutex_destroy(&session->back_turn);
    (void)pthread_mutex_destroy(&session->back_lock);
    (void)pthread_cond_destroy(&session->back_done);
}

/* Those before the one that the oldest version is of. */
static void drop_old(struct brolga_reload *session)
{
    struct brolga__list *moments = &session->moments;
    struct brolga_got_stats stats;

    brolga_got_stats(session->got, &stats);
    while (!brolga__list_empty(moments) && moments->next->next != moments &&
           moment_of(moments->next->next)->version <= stats.oldest_version)
        drop_first(session);
}

static void fill_piece(struct piece *piece, struct source *source)
{
    piece->source = source;
    piece->image = brolga__image_ref(source->now);
    piece->version = source->version;
    piece->fingerprint = source->fingerprint;
    piece->due = source->due;
}

static void note(struct brolga_reload *session, uint64_t version, uint64_t back)
{
    size_t count = session->sources_count;
    struct moment *moment =
        brolga__alloc(sizeof *moment + count * sizeof moment->piece[0]);

    if (moment == NULL) { /* What was is not to be mistaken for what is. */
        drop_all(session);
        return;
    }
    moment->version = version;
    moment->back = back;
    moment->count = count;
    for (size_t i = 0; i < count; i++)
        fill_piece(&moment->piece[i], session->sources[i]);
    brolga__list_push_back(&session->moments, &moment->link);
    drop_old(session);
}

/* What ran at a version; NULL: that is not known. */
static struct moment *find(struct brolga_reload *session, uint64_t version)
{
    struct moment *found = NULL;

    brolga__list_each (node, &session->moments)
        if (moment_of(node)->version <= version)
            found = moment_of(node);
    return found;
}

void brolga__back_note(struct brolga_reload *session, uint64_t version)
{
    const struct moment *current = find(session, UINT64_MAX);

    if (current == NULL)
        note(session, version, 0);
    else
        note(session, version,
             session->optimising ? current->back : version - 1);
}

/* --- going back --------------------------------------------------------- */

static void tell_refused(struct brolga_reload *session,
                         const struct brolga_report *report)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_REFUSED,
                                        .text = text.at,
                                        .refusal = report->refusal,
                                        .report = report};

    brolga__text_add(&text, "not taken back: %s", report->text);
    brolga__session_emit(session, &event);
}

static int refuse(struct brolga_reload *session, struct brolga_report *report,
                  const char *why)
{
    *report =
        (struct brolga_report){.refusal = BROLGA_REFUSED_HISTORY,
                               .version = brolga_got_version(session->got)};
    (void)snprintf(report->text, sizeof report->text, "%s", why);
    tell_refused(session, report);
    return BROLGA_EREFUSED;
}

/* What ran of a file then; a file that came later did not. */
static struct piece piece_of(const struct moment *moment, struct source *source)
{
    for (size_t i = 0; i < moment->count; i++)
        if (moment->piece[i].source == source)
            return moment->piece[i];
    return (struct piece){.source = source};
}

static void set_now(struct source *source, const struct piece *piece)
{
    struct brolga__image *old = source->now;

    (void)pthread_mutex_lock(&source->session->lock);
    source->now = brolga__image_ref(piece->image);
    source->version = piece->version;
    (void)pthread_mutex_unlock(&source->session->lock);
    source->fingerprint = piece->fingerprint;
    source->due = piece->due;
    brolga__image_unref(old);
}

/* Whether the file is as it was when what runs was built. One that is on its
 * way into a round is left to that. */
static void settle_lock(struct source *source)
{
    if (source->dirty || source->phase != PHASE_IDLE || source->next != NULL ||
        !source->file->exists)
        return;
    source->changed = source->now == NULL ||
                      brolga__source_fingerprint(source) != source->fingerprint;
    if (source->changed)
        brolga__source_lock(source, LOCK_BACK);
    else
        brolga__source_unlock(source);
}

static bool is_adopted(const struct source *source)
{
    return source->adopted;
}

static void restore_all(struct brolga_reload *session,
                        const struct moment *moment)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        struct piece piece = piece_of(moment, source);

        source->adopted = source->now != piece.image;
        if (!source->adopted)
            continue;
        source->why = BROLGA_RELOAD_RESTORED;
        set_now(source, &piece);
    }
}

static void tell_back(struct brolga_reload *session, uint64_t version,
                      const struct brolga_report *report, const char *why)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_ROLLED_BACK,
                                        .text = text.at,
                                        .restored = version,
                                        .commit_ns = report->commit_ns,
                                        .report = report};

    brolga__text_add(&text, "back to v%llu, as v%llu%s%s",
                     (unsigned long long)version,
                     (unsigned long long)report->version,
                     why == NULL ? "" : ": ", why == NULL ? "" : why);
    brolga__round_tell_modules(session, &event, is_adopted);
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->adopted)
            settle_lock(source);
        source->adopted = false;
    }
}

/* What runs, and what ran then, of the files of which that is not the same. */
static size_t fill_changes(const struct brolga_reload *session,
                           const struct moment *moment,
                           struct brolga__replaced *changes)
{
    size_t count = 0;

    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        struct piece piece = piece_of(moment, source);

        if (source->now != piece.image)
            changes[count++] = (struct brolga__replaced){.was = source->now,
                                                         .will = piece.image};
    }
    return count;
}

static bool goes(const struct brolga__image *image,
                 const struct brolga__replaced *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].was == image)
            return true;
    return false;
}

/* With what comes back, and with what stays. */
static bool messages_fit(const struct brolga_reload *session,
                         const struct brolga__image *image,
                         const struct brolga__replaced *changes, size_t count,
                         struct brolga__text *why)
{
    int line;

    for (size_t i = 0; i < count; i++)
        if (!brolga__messages_fit(image, changes[i].will, why, &line))
            return false;
    for (size_t i = 0; i < session->sources_count; i++) {
        const struct brolga__image *now = session->sources[i]->now;

        if (!goes(now, changes, count) &&
            !brolga__messages_fit(image, now, why, &line))
            return false;
    }
    return true;
}

/* BROLGA_REFUSED_NOT if they do. */
static enum brolga_refusal do_fit(struct brolga_reload *session,
                                  const struct brolga__replaced *changes,
                                  size_t count, struct brolga__text *why)
{
    int line;

    for (size_t i = 0; i < count; i++) {
        const struct brolga__image *will = changes[i].will;

        if (!brolga__state_fits(session, changes[i].was, will, why, &line))
            return BROLGA_REFUSED_STATE;
        if (will != NULL && !messages_fit(session, will, changes, count, why))
            return BROLGA_REFUSED_MESSAGES;
    }
    return BROLGA_REFUSED_NOT;
}

static int commit_changes(struct brolga_reload *session, uint64_t version,
                          struct brolga__replaced *changes, size_t count,
                          struct brolga_report *report)
{
    brolga_txn *txn;
    int err = brolga_txn_begin(session->got, &txn);

    if (err != BROLGA_OK)
        return err;
    err = brolga_txn_restore(txn, version);
    if (err == BROLGA_OK)
        err = brolga__state_stage(session, txn, changes, count);
    if (err == BROLGA_OK)
        return brolga__state_commit(session, txn, report);
    brolga__state_drop(session);
    brolga_txn_abort(txn);
    return err;
}

/* BROLGA_OK, or EREFUSED with the report filled in. */
static int restore(struct brolga_reload *session, uint64_t version,
                   const struct moment *moment, struct brolga_report *report)
{
    struct brolga__replaced *changes =
        brolga__alloc_zero((session->sources_count + 1) * sizeof *changes);
    struct brolga__text why = {0};
    enum brolga_refusal refusal;
    size_t count;
    int err = BROLGA_EREFUSED;

    *report =
        (struct brolga_report){.refusal = BROLGA_REFUSED_MEMORY,
                               .version = brolga_got_version(session->got)};
    (void)snprintf(report->text, sizeof report->text, "out of memory");
    if (changes == NULL)
        return err;
    count = fill_changes(session, moment, changes);
    refusal = do_fit(session, changes, count, &why);
    if (refusal == BROLGA_REFUSED_NOT) {
        err = commit_changes(session, version, changes, count, report);
    } else {
        report->refusal = refusal;
        (void)snprintf(report->text, sizeof report->text, "%.1000s", why.at);
        err = BROLGA_EREFUSED;
    }
    brolga__free(changes);
    return err == BROLGA_OK ? BROLGA_OK : BROLGA_EREFUSED;
}

static int try_back(struct brolga_reload *session, uint64_t version,
                    const char *why, struct brolga_report *report)
{
    struct moment *current = find(session, UINT64_MAX), *moment;
    uint64_t back;
    int err;

    if (version == 0 && (current == NULL || current->back == 0))
        return refuse(session, report, "there is no reload to take back");
    if (version == 0)
        version = current->back;
    moment = find(session, version);
    if (moment == NULL)
        return refuse(session, report,
                      "what ran in that version is not known any more");
    do /* Until a stress switch lets it. */
        err = restore(session, version, moment, report);
    while (err == BROLGA_EREFUSED && report->refusal == BROLGA_REFUSED_STRESS);
    if (err != BROLGA_OK) {
        tell_refused(session, report);
        return err;
    }
    session->guard_until_ns = 0;
    back = moment->back;
    restore_all(session, moment);
    note(session, report->version, back);
    tell_back(session, version, report, why);
    brolga__stale_tell(session);
    return BROLGA_OK;
}

static int go_back(struct brolga_reload *session, uint64_t version,
                   const char *why, struct brolga_report *report)
{
    int err;

    brolga__tier_abandon(session);
    err = try_back(session, version, why, report);
    brolga__tier_begin(session);
    return err;
}

/* --- being asked -------------------------------------------------------- */

void brolga__back_serve(struct brolga_reload *session)
{
    struct brolga__back *back = &session->back;
    struct brolga_report report;
    int err;

    if (!back->pending) /* Written by who waits, before it asked (A). */
        return;
    err = go_back(session, back->version, NULL, &report);
    (void)pthread_mutex_lock(&session->back_lock);
    back->report = report;
    back->err = err;
    back->pending = false;
    (void)pthread_cond_broadcast(&session->back_done);
    (void)pthread_mutex_unlock(&session->back_lock);
}

void brolga__back_cancel(struct brolga_reload *session)
{
    (void)pthread_mutex_lock(&session->back_lock);
    session->started = false;
    if (session->back.pending) {
        session->back.err = BROLGA_ESTATE;
        session->back.pending = false;
        (void)pthread_cond_broadcast(&session->back_done);
    }
    (void)pthread_mutex_unlock(&session->back_lock);
}

/* By the session's thread, which runs. With back_lock. */
static int ask_thread(struct brolga_reload *session, uint64_t version,
                      struct brolga_report *report)
{
    struct brolga__back *back = &session->back;

    *back = (struct brolga__back){.pending = true, .version = version};
    brolga__session_ask(session, &session->back_wanted);
    while (back->pending)
        (void)pthread_cond_wait(&session->back_done, &session->back_lock);
    *report = back->report;
    return back->err;
}

int brolga_reload_rollback(brolga_reload *session, uint64_t version,
                           struct brolga_report *report)
{
    struct brolga_report local = {0};
    int err = BROLGA_OK;
    bool asked;

    if (report == NULL)
        report = &local;
    (void)pthread_mutex_lock(&session->back_turn);
    (void)pthread_mutex_lock(&session->back_lock);
    asked = session->started;
    if (asked)
        err = ask_thread(session, version, report);
    (void)pthread_mutex_unlock(&session->back_lock);
    if (!asked)
        err = go_back(session, version, NULL, report);
    (void)pthread_mutex_unlock(&session->back_turn);
    return err;
}

/* --- tasks that fail ---------------------------------------------------- */

void brolga__back_guard(struct brolga_reload *session, uint64_t failed)
{
    uint32_t window_ms = session->opts.rollback_window_ms;

    if (session->opts.rollback_percent == 0 || session->loading)
        return;
    session->guard_failed = failed;
    session->guard_until_ns =
        brolga_after_ns((window_ms == 0 ? 2000 : window_ms) * BROLGA_MS);
    brolga__loop_timer(session->loop, LOOK_MS);
}

static void take_back(struct brolga_reload *session, uint64_t failed,
                      uint64_t all)
{
    struct brolga_report report;
    char why[96];

    (void)snprintf(why, sizeof why,
                   "%llu of %llu tasks have failed since the reload",
                   (unsigned long long)failed, (unsigned long long)all);
    session->guard_until_ns = 0;
    (void)go_back(session, 0, why, &report);
}

void brolga__back_look(struct brolga_reload *session)
{
    uint64_t failed, all;

    if (session->guard_until_ns == 0)
        return;
    failed = brolga_tasks_failed(session->rt) - session->guard_failed;
    all = failed + brolga_tasks_live(session->rt);
    if (failed > 0 && failed * 100 >= session->opts.rollback_percent * all)
        take_back(session, failed, all);
    else if (brolga_now_ns() < session->guard_until_ns)
        brolga__loop_timer(session->loop, LOOK_MS);
    else
        session->guard_until_ns = 0;
}

/* --- stale callers ------------------------------------------------------ */

static void tell_stale(struct source *source,
                       enum brolga_reload_event_kind kind,
                       const struct brolga__text *text)
{
    struct brolga_reload_event event = brolga__source_event(source, kind, text);

    source->stale = kind == BROLGA_RELOAD_STALE;
    brolga__session_emit(source->session, &event);
}

void brolga__stale_tell(struct brolga_reload *session)
{
    struct brolga__plan_item *items;

    if (!session->opts.allow_stale)
        return;
    items = brolga__plan_make(session);
    for (size_t i = 0; items != NULL && i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        struct brolga__text text = {0};

        if (brolga__plan_stale(items, session->sources_count, i, &text) > 0) {
            tell_stale(source, BROLGA_RELOAD_STALE, &text);
        } else if (source->stale) {
            brolga__text_add(&text, "%s calls no old code any more",
                             source->file->path);
            tell_stale(source, BROLGA_RELOAD_STALE_ENDED, &text);
        }
    }
    brolga__free(items);
}
