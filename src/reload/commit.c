/*
 * The end of a round: what was built is loaded, checked and committed, or
 * refused with the reason.
 *
 * A file that fails is locked and the others go on, but users of a changed
 * header go together: while one of them fails, the others are held back, since
 * the two sides of a struct that the header defines would no longer agree.
 *
 * What the plan lets through, the GOT checks again when it commits; it refuses
 * for reasons of its own only, of which one goes away by itself: too many
 * versions or bytes of old code are alive. Then the transaction is kept and
 * tried again, and a newer save takes its place (brolga__change_file()).
 */
#include "reload/session.h"

#include "alloc.h"
#include "plat.h"

#include <string.h>
#include <unistd.h>

/* Between tries to commit while too many versions are alive. */
#define RETRY_MS 20

/* --- refusing ----------------------------------------------------------- */

static void refuse(struct source *source, enum brolga_refusal why,
                   const char *file, int line, const char *what,
                   const struct brolga_report *report)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event;

    if (source->session->optimising) {
        brolga__tier_fail(source, what, NULL);
        return;
    }
    brolga__text_add(&text, "%s", what);
    event = brolga__source_event(source, BROLGA_RELOAD_REFUSED, &text);
    event.file = file;
    event.line = line > 0 ? (uint32_t)line : 0;
    event.refusal = why;
    event.report = report;
    brolga__round_note_error(source->session, BROLGA_EREFUSED, text.at);
    brolga__session_emit(source->session, &event);
}

/* What is not the newest content, but another build of what runs, locks
 * nothing. */
static void lock(struct source *source)
{
    if (!source->session->optimising)
        brolga__source_lock(source, LOCK_REFUSED);
}

/* After refuse(), which needs the image for the module's name. */
static void give_up(struct source *source)
{
    brolga__source_forget_next(source);
    lock(source);
}

static void refuse_all(struct brolga_reload *session, enum brolga_refusal why,
                       const char *what, const struct brolga_report *report)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->next == NULL)
            continue;
        refuse(source, why, source->file->path, source->next->line, what,
               report);
        give_up(source);
    }
}

/* --- does it fit? ------------------------------------------------------- */

static void load(struct source *source)
{
    struct brolga_reload *session = source->session;
    const char *path = source->file->path;
    struct brolga__text why = {0};
    int line = 0, copy = brolga__again_keep(session, source->built);

    source->phase = PHASE_IDLE;
    if (brolga__image_load(source->built, path, session->opts.keep_files,
                           session->outlet, &source->next, &why,
                           &line) == BROLGA_OK) {
        source->next->copy = copy;
    } else {
        if (copy >= 0)
            (void)close(copy);
        refuse(source, BROLGA_REFUSED_LOAD, path, line, why.at, NULL);
        lock(source);
    }
    brolga__free(source->built);
    source->built = NULL;
}

static void load_all(struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->phase == PHASE_BUILT)
            load(session->sources[i]);
}

struct brolga__plan_item *brolga__plan_make(const struct brolga_reload *session)
{
    size_t count = session->sources_count;
    struct brolga__plan_item *items =
        brolga__alloc_zero((count + 1) * sizeof *items);

    for (size_t i = 0; items != NULL && i < count; i++) {
        const struct source *source = session->sources[i];

        items[i].file = source->file->path;
        items[i].now = source->now;
        items[i].next = source->next;
        items[i].broken = source->lock != LOCK_FREE;
    }
    return items;
}

/*
 * Builds again what imports something that changes under it. A file that does
 * not compile, or has been refused, was part of this round or cannot help.
 * Each file gets a `next` or a lock by it, so it happens once a round.
 */
static bool rebuild_importers(struct brolga_reload *session)
{
    struct brolga__plan_item *items = brolga__plan_make(session);
    bool found = false;

    for (size_t i = 0; items != NULL && i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (source->lock != LOCK_FREE || !source->file->exists ||
            !brolga__plan_importer(items, session->sources_count, i))
            continue;
        source->dirty = true;
        source->by_import = true;
        found = true;
    }
    brolga__free(items);
    return found;
}

/* Whether a user of a changed header cannot go with the others. */
static bool is_straggler(const struct source *source)
{
    return source->by_header && source->lock != LOCK_FREE &&
           source->next == NULL;
}

/* See the head: users of a changed header go together. */
static void hold_back(struct brolga_reload *session)
{
    const struct source *straggler = NULL;

    for (size_t i = 0; i < session->sources_count; i++)
        if (is_straggler(session->sources[i]))
            straggler = session->sources[i];
    for (size_t i = 0; straggler != NULL && i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        struct brolga__text text = {0};

        if (source->next == NULL || !source->by_header)
            continue;
        brolga__text_add(&text,
                         "%s: held back, because a header has changed, and %s, "
                         "which includes it too, is not in order\n"
                         "  mend that file; both run together then",
                         source->file->path, straggler->file->path);
        refuse(source, BROLGA_REFUSED_HEADER, source->file->path, 0, text.at,
               NULL);
        give_up(source);
    }
}

/* A file that was built again only for its imports is not at fault: what it
 * imports is refused as well, with both places in the text. */
static void tell_misfit(void *arg, size_t item, enum brolga_refusal why,
                        const char *file, int line, const char *text)
{
    struct brolga_reload *session = arg;

    if (!session->sources[item]->by_import)
        refuse(session->sources[item], why, file, line, text, NULL);
}

static void drop_misfit(struct source *source)
{
    if (source->by_import)
        brolga__source_forget_next(source);
    else
        give_up(source);
}

static void check_plan(struct brolga_reload *session)
{
    struct brolga__plan_item *items = brolga__plan_make(session);

    if (items == NULL) {
        refuse_all(session, BROLGA_REFUSED_MEMORY, "out of memory", NULL);
        return;
    }
    brolga__plan_check(items, session->sources_count, session->opts.allow_stale,
                       tell_misfit, session);
    for (size_t i = 0; i < session->sources_count; i++)
        if (items[i].out)
            drop_misfit(session->sources[i]);
    brolga__free(items);
}

/* Those whose states have another layout, and no migration. */
static void check_states(struct brolga_reload *session)
{
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];
        struct brolga__text why = {0};
        int line = 0;

        if (source->next == NULL ||
            brolga__state_fits(session, source->now, source->next, &why, &line))
            continue;
        refuse(source, BROLGA_REFUSED_STATE, source->file->path, line, why.at,
               NULL);
        give_up(source);
    }
}

/* What would run of a file. */
static const struct brolga__image *image_of(const struct source *source)
{
    return source->next != NULL ? source->next : source->now;
}

static bool messages_fit(const struct source *source, struct brolga__text *why,
                         int *line)
{
    const struct brolga_reload *session = source->session;

    for (size_t i = 0; i < session->sources_count; i++) {
        const struct source *other = session->sources[i];

        if (!brolga__messages_fit(source->next,
                                  other != source ? image_of(other) : NULL, why,
                                  line))
            return false;
    }
    return true;
}

/* Who is refused runs as before, and that may not fit another one. */
static void check_messages(struct brolga_reload *session)
{
    bool again = true;

    while (again) { /* At most once for each file, and once more. */
        again = false;
        for (size_t i = 0; i < session->sources_count; i++) {
            struct source *source = session->sources[i];
            struct brolga__text why = {0};
            int line = 0;

            if (source->next == NULL || messages_fit(source, &why, &line))
                continue;
            refuse(source, BROLGA_REFUSED_MESSAGES, source->file->path, line,
                   why.at, NULL);
            give_up(source);
            again = true;
        }
    }
}

/* Importers that were built again in vain are dropped silently. Returns
 * whether there is something to commit. */
static bool keep_purpose(struct brolga_reload *session)
{
    bool purpose = false;

    for (size_t i = 0; i < session->sources_count; i++)
        purpose |= session->sources[i]->next != NULL &&
                   !session->sources[i]->by_import;
    for (size_t i = 0; !purpose && i < session->sources_count; i++)
        brolga__source_forget_next(session->sources[i]);
    return purpose;
}

/* --- the commit --------------------------------------------------------- */

static enum brolga_policy policy_of(const struct source *source)
{
    switch (source->session->opts.policy) {
    case BROLGA_RELOAD_KEEP_ALL:
        return BROLGA_KEEP;
    case BROLGA_RELOAD_RECLAIM_ALL:
        return BROLGA_RECLAIM;
    case BROLGA_RELOAD_AS_DECLARED:
        break;
    }
    return source->next->policy;
}

static int stage_symbols(brolga_txn *txn, brolga_unit *unit,
                         struct brolga__image *image)
{
    int err = BROLGA_OK;

    for (size_t i = 0; err == BROLGA_OK && i < image->exports_count; i++) {
        struct brolga__symbol *export = &image->exports[i];

        err = brolga_txn_define(txn, unit, image->module, export->name,
                                export->signature, export->code, &export->slot);
        if (err == BROLGA_OK)
            *export->record = export->slot;
    }
    for (size_t i = 0; err == BROLGA_OK && i < image->imports_count; i++) {
        struct brolga__symbol *import = &image->imports[i];
        struct brolga__text where = {0};

        brolga__text_add(&where, "%s:%d", import->file, import->line);
        err = brolga_txn_import(txn, unit, import->module, import->name,
                                import->signature, where.at, &import->slot);
        if (err == BROLGA_OK)
            *import->record = import->slot;
    }
    return err;
}

static int stage(brolga_txn *txn, struct source *source)
{
    struct brolga__image *image = source->next;
    struct brolga_unit_opts opts = {
        .name = image->module,
        .text = (const void *)image->low,
        .text_bytes = image->high - image->low,
        .policy = policy_of(source),
        .release = brolga__image_close,
        .describe = brolga__image_describe,
        .arg = image,
    };
    brolga_unit *unit;
    int err;

    image->policy = opts.policy;
    err = brolga_txn_unit(txn, &opts, &unit);
    if (err != BROLGA_OK)
        return err;
    (void)brolga__image_ref(image); /* The GOT's. */
    source->staged = true;
    err = brolga_txn_replace(txn, image->module);
    /* The file's module may have another name now. */
    if (err == BROLGA_OK && source->now != NULL &&
        strcmp(source->now->module, image->module) != 0)
        err = brolga_txn_replace(txn, source->now->module);
    return err == BROLGA_OK ? stage_symbols(txn, unit, image) : err;
}

static int stage_all(struct brolga_reload *session)
{
    int err = brolga_txn_begin(session->got, &session->txn);

    if (err == BROLGA_OK && session->opts.allow_stale)
        brolga_txn_allow_stale(session->txn);
    for (size_t i = 0; err == BROLGA_OK && i < session->sources_count; i++)
        if (session->sources[i]->next != NULL)
            err = stage(session->txn, session->sources[i]);
    return err;
}

static bool is_adopted(const struct source *source)
{
    return source->adopted;
}

/* What has been committed runs now. */
static void adopt(struct source *source, uint64_t version)
{
    struct brolga__image *old = source->now;

    (void)pthread_mutex_lock(&source->session->lock);
    source->now = source->next;
    source->version = version;
    (void)pthread_mutex_unlock(&source->session->lock);
    source->next = NULL;
    source->staged = false;
    source->adopted = true;
    source->fingerprint = source->built_fingerprint;
    source->due = source->tier == BROLGA__TIER_FAST;
    source->changed = false;
    source->by_header = false;
    brolga__image_unref(old);
}

static void adopt_all(struct brolga_reload *session, uint64_t version)
{
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->next != NULL)
            adopt(session->sources[i], version);
}

/* Names what runs, and how long the slowest build took. */
static void sum_up(struct source *source, struct brolga_reload_event *event,
                   struct brolga__text *text)
{
    if (source->took_ns > event->build_ns)
        event->build_ns = source->took_ns;
    brolga__text_add(text, "%s%s (%s)", text->used == 0 ? "" : ", ",
                     source->now->module, brolga_reload_why_name(source->why));
}

static void sum_up_messages(const struct source *source,
                            struct brolga__text *text)
{
    for (size_t k = 0; k < source->now->messages_count; k++)
        if (source->now->messages[k].changed)
            brolga__text_add(text, "; messages '%s' converted",
                             source->now->messages[k].name);
}

static void sum_up_states(const struct source *source,
                          struct brolga__text *text)
{
    for (size_t k = 0; k < source->now->states_count; k++)
        if (source->now->states[k].what == BROLGA_RELOAD_STATE_MIGRATED)
            brolga__text_add(text, "; state '%s' migrated",
                             source->now->states[k].name);
}

static void tell_reloaded(struct brolga_reload *session,
                          const struct brolga_report *report)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_RELOADED,
                                        .text = text.at,
                                        .commit_ns = report->commit_ns,
                                        .report = report};

    if (session->noticed_ns != 0)
        event.saved_ns = brolga__plat_now_ns() - session->noticed_ns;
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (!source->adopted)
            continue;
        sum_up(source, &event, &text);
        brolga__source_unlock(source);
    }
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->adopted) {
            sum_up_states(session->sources[i], &text);
            sum_up_messages(session->sources[i], &text);
        }
    if (report->after[0] != '\0')
        brolga__text_add(&text, "\n  but %s", report->after);
    brolga__round_tell_modules(session, &event, is_adopted);
    for (size_t i = 0; i < session->sources_count; i++)
        session->sources[i]->adopted = false;
}

static void end_round(struct brolga_reload *session)
{
    session->round = ROUND_QUIET;
    session->noticed_ns = 0;
    session->told_waiting = false;
    session->optimising = false;
    for (size_t i = 0; i < session->sources_count; i++)
        session->sources[i]->by_import = false;
}

/* Too many old versions are alive: this is told once, and tried again until
 * one of them is gone. */
static void wait_for_room(struct brolga_reload *session,
                          const struct brolga_report *report)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_REFUSED,
                                        .text = text.at,
                                        .refusal = report->refusal,
                                        .report = report};

    session->round = ROUND_WAITING;
    brolga__loop_timer(session->loop, RETRY_MS);
    if (session->told_waiting || session->optimising)
        return;
    session->told_waiting = true;
    brolga__text_add(&text,
                     "the reload waits: %s\n"
                     "  it follows when a task lets go of an old version",
                     report->text);
    brolga__session_emit(session, &event);
}

static int stage_states(struct brolga_reload *session)
{
    struct brolga__replaced *changes =
        brolga__alloc_zero((session->sources_count + 1) * sizeof *changes);
    size_t count = 0;
    int err;

    if (changes == NULL)
        return BROLGA_ENOMEM;
    for (size_t i = 0; i < session->sources_count; i++)
        if (session->sources[i]->next != NULL)
            changes[count++] =
                (struct brolga__replaced){.was = session->sources[i]->now,
                                          .will = session->sources[i]->next};
    err = brolga__state_stage(session, session->txn, changes, count);
    brolga__free(changes);
    return err;
}

/* The transaction could not be staged wholly. */
static void drop_txn(struct brolga_reload *session, int err)
{
    enum brolga_refusal why = err == BROLGA_ELIMIT     ? BROLGA_REFUSED_LIMIT
                              : err == BROLGA_EREFUSED ? BROLGA_REFUSED_STATE
                                                       : BROLGA_REFUSED_MEMORY;

    brolga__state_drop(session);
    if (session->txn != NULL)
        brolga_txn_abort(session->txn);
    session->txn = NULL;
    refuse_all(session, why, brolga_strerror(err), NULL);
    end_round(session);
}

/* Commits the transaction, or waits, or gives up. */
static void commit(struct brolga_reload *session)
{
    struct brolga_report report = {0};
    uint64_t failed;
    int err;

    if (brolga_txn_check(session->txn, &report) != BROLGA_OK &&
        report.refusal == BROLGA_REFUSED_LIMIT && !session->loading) {
        wait_for_room(session, &report);
        return;
    }
    /* Now, and not before: what runs may have been taken back meanwhile. */
    err = stage_states(session);
    if (err != BROLGA_OK) {
        drop_txn(session, err);
        return;
    }
    failed = brolga_tasks_failed(session->rt); /* Until now. */
    if (brolga__state_commit(session, session->txn, &report) == BROLGA_OK) {
        adopt_all(session, report.version);
        brolga__back_note(session, report.version);
        tell_reloaded(session, &report);
        if (!session->optimising) { /* Else both are as they were. */
            brolga__stale_tell(session);
            brolga__back_guard(session, failed);
        }
    } else if (report.refusal == BROLGA_REFUSED_STRESS) {
        session->txn = NULL;
        if (session->optimising)
            brolga__tier_abandon(session); /* It is begun anew. */
        else
            brolga__round_once_more(session);
        return;
    } else {
        refuse_all(session, report.refusal, report.text, &report);
    }
    session->txn = NULL;
    end_round(session);
}

void brolga__round_retry(struct brolga_reload *session)
{
    if (session->round != ROUND_WAITING)
        return;
    commit(session);
    brolga__tier_begin(session);
}

void brolga__round_commit(struct brolga_reload *session)
{
    int err = stage_all(session);

    if (err == BROLGA_OK)
        commit(session);
    else
        drop_txn(session, err);
}

static void load_and_commit(struct brolga_reload *session)
{
    load_all(session);
    if (!session->optimising && rebuild_importers(session)) {
        brolga__round_start_builds(session);
        if (brolga__round_is_building(session))
            return;
    }
    check_plan(session);
    check_states(session);
    check_messages(session);
    hold_back(session);
    check_plan(session); /* Without what is held back, others may not fit. */
    check_messages(session);
    if (!keep_purpose(session)) {
        end_round(session);
        return;
    }
    brolga__round_commit(session);
}

/* Everything is built: see what fits, and commit it. A module that is loaded
 * may have a constructor, which may act on tasks. */
void brolga__round_finish(struct brolga_reload *session)
{
    brolga_outside_enter(session->rt);
    load_and_commit(session);
    brolga_outside_leave(session->rt);
    brolga__tier_begin(session);
}
