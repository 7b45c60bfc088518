/*
 * What session.c, change.c, round.c, commit.c, tier.c and back.c share: a
 * session and its files. Private to these; the other files of the layer know
 * nothing of sessions.
 */
#ifndef BROLGA_SRC_RELOAD_SESSION_H
#define BROLGA_SRC_RELOAD_SESSION_H

#include "reload/reload.h"

#include "list.h"

#include <brolga/look.h>

#include <pthread.h>

/*
 * A file in the course of a round:
 *
 *     idle --start--> building --ok--> built --load--> idle, with `next`
 *      ^                |  |
 *      |<---failed------+  +--changed meanwhile--> stale --look--> idle, dirty
 *
 * A change of the file takes it back to idle and dirty from anywhere.
 */
enum phase { PHASE_IDLE, PHASE_BUILDING, PHASE_STALE, PHASE_BUILT };

/* Why a file's newest content does not run. */
enum lock {
    LOCK_FREE,    /* It does, or is about to be tried. */
    LOCK_BUILD,   /* It does not compile: only a change of it, or of a header,
                    can help. */
    LOCK_REFUSED, /* It does not fit: a change of another file may help, so it
                     is part of every round. */
    LOCK_BACK     /* It was taken back: until it is saved again. */
};

struct source {
    struct brolga_reload *session;
    struct brolga__watch_file *file;
    struct brolga__watch_file **deps; /* Headers that the last build read. */
    size_t deps_count;

    /* What runs. Guarded by session->lock for other threads. */
    struct brolga__image *now;
    uint64_t version;
    enum lock lock;
    uint64_t fingerprint; /* Of the content that runs. */
    bool due;             /* What runs is of a fast build, and might be of a
                             full one. */

    /* This round. */
    enum phase phase;
    enum brolga_reload_why why;
    bool dirty;     /* To be built. */
    bool changed;   /* Its content is not what runs. */
    bool by_header; /* Nor is a header that it has read. */
    bool anew;      /* Its headers may be others now: build it in any case. */
    bool by_import; /* Built again only for what it imports. */
    bool adopted;   /* By the commit that is being told. */
    bool stale;     /* It has been told that what runs calls old code. */
    struct brolga__build *build;
    enum brolga__tier tier; /* Of the last build. */
    uint64_t build_ns;      /* When it began. */
    char *built;
    uint64_t built_fingerprint;
    uint64_t took_ns;
    struct brolga__image *next; /* Loaded, not committed. */
    bool staged;                /* `next` is the transaction's too. */
};

/*
 * A round goes from the first change to the commit or the refusal:
 *
 *     quiet --change--> building --all built--> committed, or refused: quiet
 *       ^                           |
 *       |                           +--too many versions--> waiting --room--^
 *       +---------------------change--------------------------+
 */
enum round { ROUND_QUIET, ROUND_BUILDING, ROUND_WAITING };

struct brolga_reload {
    brolga *rt;
    brolga_got *got;
    struct brolga_reload_opts opts; /* Its pointers are not used any more. */
    struct brolga__loop *loop;
    struct brolga__watch *watch;
    struct brolga__builder *builder;
    struct brolga__outlet *outlet;

    /* Guards the array and what runs, between the thread that runs the loop,
     * which alone writes, and any that asks. Nests in none; nothing is called
     * that could ask in turn. */
    pthread_mutex_t lock;
    struct source **sources; /* In the order of their paths. */
    size_t sources_count;

    /* The loop's thread only. */
    enum round round;
    uint64_t noticed_ns; /* The round's first change; 0 = the initial load. */
    bool loading;        /* brolga_reload_load() runs. */
    bool loaded;
    bool told_waiting;
    bool optimising;               /* The round is one of tier.c. */
    int load_err;                  /* The first error of the load... */
    struct brolga__text load_text; /* ...and what it says. */
    brolga_txn *txn;               /* While waiting. */
    struct brolga__list moments;   /* What ran when, oldest first; back.c */
    struct brolga__list states;    /* That have run; state.c */
    struct brolga__job *job;       /* Of the commit that is under way. */
    struct brolga__list kinds;     /* Of messages, that have run; message.c */
    struct brolga__registry *registry; /* Of their types; NULL: none yet. */
    bool messages_move; /* Channels change in the commit that is under way. */
    uint64_t guard_until_ns; /* A reload is taken back if tasks fail; 0: no. */
    uint64_t guard_failed;   /* Tasks that had failed before that. */

    /* The thread, and what others ask of it. */
    pthread_t thread;
    bool started;
    _Atomic uint32_t stop_wanted;
    _Atomic uint32_t look_wanted;
    _Atomic uint32_t back_wanted;
    _Atomic uint32_t again_wanted;
    uint64_t again; /* Files that were loaded once more; names them. */

    /* A rollback that is asked for: one at a time. The lock guards what follows
     * and, for who asks, `started`. */
    pthread_mutex_t back_turn; /* back_lock nests in it. */
    pthread_mutex_t back_lock;
    pthread_cond_t back_done;
    struct brolga__back {
        bool pending;
        uint64_t version;
        struct brolga_report report;
        int err;
    } back;
};

/* Asks the loop's thread by one of the flags. */
void brolga__session_ask(struct brolga_reload *session, _Atomic uint32_t *flag);

/* Calls the host; no lock is held. */
void brolga__session_emit(struct brolga_reload *session,
                          struct brolga_reload_event *event);

/* --- change.c ----------------------------------------------------------- */

/* A file has changed. */
void brolga__change_file(void *arg, struct brolga__watch_file *file,
                         enum brolga__watch_what what);

/* --- round.c ------------------------------------------------------------ */

/* All changes that belong together have been told. */
void brolga__round_batch(void *arg, uint64_t noticed_ns);
/* A waiting transaction ends; its images are built again. */
void brolga__round_abandon_txn(struct brolga_reload *session);
/* Gives the round up; what it was about is dirty again. */
void brolga__round_abandon(struct brolga_reload *session);
/* Builds what is dirty. */
void brolga__round_start_builds(struct brolga_reload *session);
bool brolga__round_is_building(const struct brolga_reload *session);
/* The first error of the initial load is what the call returns. */
void brolga__round_note_error(struct brolga_reload *session, int err,
                              const char *text);
/* One event about the files that are chosen. */
void brolga__round_tell_modules(struct brolga_reload *session,
                                struct brolga_reload_event *event,
                                bool (*chosen)(const struct source *source));

/* An event about one file, to be filled in. */
struct brolga_reload_event
brolga__source_event(const struct source *source,
                     enum brolga_reload_event_kind kind,
                     const struct brolga__text *text);
void brolga__source_emit(struct source *source,
                         enum brolga_reload_event_kind kind,
                         const struct brolga__text *text);
void brolga__source_set_lock(struct source *source, enum lock lock);
/* Takes a file back to where nothing has been done for it. */
void brolga__source_reset(struct source *source);
void brolga__source_start_build(struct source *source, enum brolga__tier tier,
                                bool later);
/* Why the file is locked has been told before. */
void brolga__source_lock(struct source *source, enum lock lock);
void brolga__source_unlock(struct source *source);
/* Drops what is loaded but not committed. */
void brolga__source_forget_next(struct source *source);
void brolga__source_free(struct source *source);

/* What was built has been refused for no reason: all of it is dirty again. */
void brolga__round_once_more(struct brolga_reload *session);

/* --- commit.c ----------------------------------------------------------- */

/* Everything is built: sees what fits, and commits it. */
void brolga__round_finish(struct brolga_reload *session);
/* Commits what is loaded and fits. */
void brolga__round_commit(struct brolga_reload *session);
/* For the timer of a round that waits: tries again. */
void brolga__round_retry(struct brolga_reload *session);

/* --- tier.c ------------------------------------------------------------- */

/* If nothing else is to be done: optimised builds of what runs unoptimised. */
void brolga__tier_begin(struct brolga_reload *session);
/* Gives up what that has begun; it is due again. */
void brolga__tier_abandon(struct brolga_reload *session);
/* One cannot be made, or does not fit. `result` may be NULL. */
void brolga__tier_fail(struct source *source, const char *what,
                       const struct brolga__build_result *result);

/* --- state.c ------------------------------------------------------------ */

/* What a commit does to one file. */
struct brolga__replaced {
    struct brolga__image *was, *will; /* NULL: nothing. */
    bool ordered;                     /* Scratch. */
};

void brolga__states_init(struct brolga_reload *session);
void brolga__states_fini(struct brolga_reload *session);
/* Whether the states of `will` can be had; if not, why, and the line. */
bool brolga__state_fits(struct brolga_reload *session,
                        const struct brolga__image *was,
                        const struct brolga__image *will,
                        struct brolga__text *why, int *line);
/* Gives all that will run its states and the types of its messages, and stages
 * what has to be called. To be
 * followed by one of the next two, whatever it returns: BROLGA_OK, or an error
 * of staging; EREFUSED, if they do not fit any more. */
int brolga__state_stage(struct brolga_reload *session, brolga_txn *txn,
                        struct brolga__replaced *changes, size_t count);
/* Commits the transaction: a barrier, if states or messages move. */
int brolga__state_commit(struct brolga_reload *session, brolga_txn *txn,
                         struct brolga_report *report);
/* The transaction has not come about, and ended. */
void brolga__state_drop(struct brolga_reload *session);

/* --- message.c ---------------------------------------------------------- */

void brolga__messages_init(struct brolga_reload *session);
void brolga__messages_fini(struct brolga_reload *session);
/* Whether an image's messages can be sent, and look like those of the same
 * names in another that would run beside it, or NULL; if not, why, and where.
 */
bool brolga__messages_fit(const struct brolga__image *image,
                          const struct brolga__image *other,
                          struct brolga__text *why, int *line);
/* For state.c: gives all that will run their types, and stages what becomes of
 * channels; to be followed by brolga__messages_settle(). */
int brolga__messages_stage(struct brolga_reload *session, brolga_txn *txn,
                           const struct brolga__replaced *changes,
                           size_t count);
void brolga__messages_settle(struct brolga_reload *session, bool committed);
/* Adds what to do to a refusal on account of messages. */
void brolga__messages_explain(struct brolga_reload *session,
                              struct brolga_report *report);

/* --- again.c ------------------------------------------------------------ */

bool brolga__again_is_wanted(const struct brolga_reload *session);
/* From now on, until it is stopped, the session is asked. */
void brolga__again_start(struct brolga_reload *session);
void brolga__again_stop(struct brolga_reload *session);
/* Keeps a built file open, if it may be wanted again; else -1. */
int brolga__again_keep(const struct brolga_reload *session, const char *built);
/* Does what was asked for. */
void brolga__again_serve(struct brolga_reload *session);

/* --- back.c ------------------------------------------------------------- */

void brolga__back_init(struct brolga_reload *session);
void brolga__back_fini(struct brolga_reload *session);
/* A commit of the session has made this version. If it is an optimised one, the
 * way back from it is that from the one before. */
void brolga__back_note(struct brolga_reload *session, uint64_t version);
/* Tasks that fail since that commit may take it back; so many had before. */
void brolga__back_guard(struct brolga_reload *session, uint64_t failed);
/* For the timer: looks whether they do. */
void brolga__back_look(struct brolga_reload *session);
/* Does what was asked for. */
void brolga__back_serve(struct brolga_reload *session);
/* The thread has ended: who has asked is told so. */
void brolga__back_cancel(struct brolga_reload *session);

/* Tells who calls what is not in force any more, and who does so no more. */
void brolga__stale_tell(struct brolga_reload *session);
/* The plan's view of the session; NULL without memory. */
struct brolga__plan_item *
brolga__plan_make(const struct brolga_reload *session);
/* Of the content of a file, and of what it includes, as last told. */
uint64_t brolga__source_fingerprint(const struct source *source);

#endif
