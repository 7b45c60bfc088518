/*
 * The second tier: what runs of a fast build is built again as the user's
 * flags say, at a low priority, and replaced by that.
 *
 * It is a round like others (round.c, commit.c), of files that have not
 * changed, but one that nobody waits for:
 *
 * - It begins when no other is to be made, and any change that is told ends it;
 *   what it was about is due again afterwards. So an edit never waits for it,
 *   and nothing of it is published beside content that is newer.
 * - What fails in it is told, once for each save, and changes nothing: no file
 *   is locked by it.
 * - At a cap it waits, and says nothing.
 * - To take a save back takes both of its tiers back: the moment of an
 *   optimised version leads back to where that of the fast one does (back.c).
 *   And tasks that fail are counted since the save, not since this.
 *
 * Invariant: while session->optimising, no source is dirty that could be built,
 * and each one that has a build, a built file or a `next` is `due`.
 */
#include "reload/session.h"

#include "alloc.h"

#include <string.h>

/* Whether an optimised build would be one of what runs. */
static bool is_due(const struct source *source)
{
    return source->due && source->lock == LOCK_FREE && !source->dirty &&
           source->phase == PHASE_IDLE && source->next == NULL &&
           source->file->exists &&
           brolga__watch_is_there(source->session->watch, source->file) &&
           brolga__source_fingerprint(source) == source->fingerprint;
}

static bool is_building(const struct source *source)
{
    return source->phase == PHASE_BUILDING;
}

void brolga__tier_begin(struct brolga_reload *session)
{
    struct brolga_reload_event event = {.kind = BROLGA_RELOAD_BUILDING,
                                        .text = "optimising"};
    bool any = false;

    if (!session->opts.tiered || session->loading ||
        session->round != ROUND_QUIET)
        return;
    session->optimising = true;
    for (size_t i = 0; i < session->sources_count; i++) {
        struct source *source = session->sources[i];

        if (!is_due(source))
            continue;
        source->why = BROLGA_RELOAD_OPTIMISED;
        brolga__source_start_build(source, BROLGA__TIER_FULL, true);
        any |= source->phase == PHASE_BUILDING;
    }
    session->optimising = any;
    if (!any)
        return;
    session->round = ROUND_BUILDING;
    brolga__round_tell_modules(session, &event, is_building);
}

void brolga__tier_abandon(struct brolga_reload *session)
{
    if (!session->optimising)
        return;
    session->optimising = false;
    session->round = ROUND_QUIET;
    if (session->txn != NULL)
        brolga_txn_abort(session->txn); /* Closes the images. */
    session->txn = NULL;
    for (size_t i = 0; i < session->sources_count; i++)
        brolga__source_reset(session->sources[i]);
}

void brolga__tier_fail(struct source *source, const char *what,
                       const struct brolga__build_result *result)
{
    struct brolga__text text = {0};
    struct brolga_reload_event event;

    source->due = false;
    brolga__text_add(&text,
                     "%s: cannot be optimised, and runs on as it was built "
                     "first\n  %s",
                     source->file->path, what);
    event = brolga__source_event(source, BROLGA_RELOAD_NOT_OPTIMISED, &text);
    if (result != NULL) {
        event.line = brolga__text_error_line(
            result->output, result->output_bytes, source->file->path);
        event.output = result->output;
        event.output_bytes = result->output_bytes;
        event.build_ns = result->took_ns;
    }
    brolga__session_emit(source->session, &event);
}
