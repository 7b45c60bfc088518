/*
 * State: what modules keep through reloads, and what they have called around
 * them.
 *
 * The session has one memory for each state that ever ran, by module and name,
 * until it ends: a declaration that is taken out and put back finds it again.
 * Each image that declares the state has a pointer to it. While layouts agree,
 * all have the same memory. When a build's layout differs, migrations are
 * looked for, from the layout that the memory has to the build's, in the new
 * build and in the one that runs; the shortest chain is taken. It fills a fresh
 * memory, while all tasks stand, so nobody misses a write; code that is still
 * on a stack goes on with the old memory, which stays as long as that code.
 *
 * Going back to an image is no different: its layout, and its pointer, which
 * is then set behind the gate.
 *
 * What is to be done in one commit is a *job*. The task that migrates uses it
 * too, and might be left behind: hence its references, and the lock, by which
 * that task sets no pointer once the session has gone on.
 *
 *   A  The last user of a job sees what the others did: sub_acq_rel in
 *      job_unref, with itself.
 */
#include "reload/chain.h"
#include "reload/session.h"

#include "alloc.h"
#include "atomic.h"
#include "lock.h"

#include <stdio.h>
#include <string.h>

#define DEADLINE_MS 2000

/* A state that has run, or is about to. */
struct entry {
    struct brolga__list link; /* session->states */
    char *module, *name;
    struct brolga__memory *memory; /* NULL: it has not run. */
};

/* One state that gets another memory than its image has, or than the last build
 * had. */
struct move {
    struct entry *entry;
    struct brolga__state *state;
    struct brolga__memory *from, *to; /* Equal: only the pointer is set. */
    bool late;                        /* The pointer is set behind the gate. */
    struct brolga__chain chain;
};

struct brolga__job {
    struct brolga__lock lock; /* Guards the next two; nests in none. */
    bool over;
    bool placed; /* Late pointers have been set. */
    _Atomic uint32_t refs;
    struct brolga__image **images; /* What was and will be, in turn, each with
                                      a reference, or NULL. */
    size_t images_count;
    struct move *moves;
    size_t moves_count;
};

/* --- memory ------------------------------------------------------------- */

static struct brolga__memory *memory_ref(struct brolga__memory *memory)
{
    (void)brolga__add_relaxed(&memory->refs, 1); /* The caller has one. */
    return memory;
}

/* What the state is at first. */
static struct brolga__memory *make_memory(const struct brolga__state *state)
{
    struct brolga__memory *memory = brolga__alloc_zero(sizeof *memory);

    if (memory == NULL)
        return NULL;
    atomic_init(&memory->refs, 1);
    memory->bytes = state->bytes;
    memory->type = brolga__strdup(state->type);
    memory->at = brolga__alloc_line(state->bytes + 1); /* GNU C has empty. */
    if (state->layout != NULL)
        memory->layout = brolga__strdup(state->layout);
    if (memory->type == NULL || memory->at == NULL ||
        (state->layout != NULL && memory->layout == NULL)) {
        brolga__memory_unref(memory);
        return NULL;
    }
    memcpy(memory->at, state->initial, state->bytes);
    return memory;
}

static void set_place(struct brolga__state *state, void *at)
{
    memcpy(state->place, &at, sizeof at); /* Of a pointer of any type. */
}

static struct entry *find_entry(struct brolga_reload *session,
                                const char *module, const char *name)
{
    brolga__list_each (node, &session->states) {
        struct entry *entry = brolga__container_of(node, struct entry, link);

        if (strcmp(entry->module, module) == 0 &&
            strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

static void free_entry(struct entry *entry)
{
    brolga__memory_unref(entry->memory);
    brolga__free(entry->module);
    brolga__free(entry->name);
    brolga__free(entry);
}

static struct entry *get_entry(struct brolga_reload *session,
                               const char *module, const char *name)
{
    struct entry *entry = find_entry(session, module, name);

    if (entry != NULL)
        return entry;
    entry = brolga__alloc_zero(sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->module = brolga__strdup(module);
    entry->name = brolga__strdup(name);
    if (entry->module == NULL || entry->name == NULL) {
        free_entry(entry);
        return NULL;
    }
    brolga__list_push_back(&session->states, &entry->link);
    return entry;
}

void brolga__states_init(struct brolga_reload *session)
{
    brolga__list_init(&session->states);
}

void brolga__states_fini(struct brolga_reload *session)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(&session->states)) != NULL)
        free_entry(brolga__container_of(node, struct entry, link));
}

/* --- do they fit? ------------------------------------------------------- */

static struct brolga__shape shape_of(const struct brolga__state *state)
{
    return (struct brolga__shape){state->layout, state->type, state->bytes};
}

static struct brolga__shape shape_of_memory(const struct brolga__memory *memory)
{
    return (struct brolga__shape){memory->layout, memory->type, memory->bytes};
}

static bool memory_fits(const struct brolga__memory *memory,
                        const struct brolga__state *state)
{
    return brolga__shape_fits(shape_of_memory(memory), shape_of(state));
}

static struct brolga__chain find_chain(const struct brolga__memory *memory,
                                       const struct brolga__state *state,
                                       const struct brolga__image *was,
                                       const struct brolga__image *will)
{
    return brolga__chain_find(shape_of_memory(memory), shape_of(state),
                              state->name, was, will);
}

static void explain(struct brolga__text *why, const struct brolga__state *state,
                    const struct brolga__memory *memory)
{
    brolga__text_add(why, "%s:%d: state '%s' has another layout: ", state->file,
                     state->line, state->name);
    brolga__shape_explain(why, shape_of_memory(memory), shape_of(state));
    brolga__chain_advise(why, state->name, state->type);
}

/* An old build that is unloaded takes its literals along. */
static bool points_inside(const struct brolga__image *image,
                          const struct brolga__state *state)
{
    uintptr_t word;

    for (size_t at = 0; at + sizeof word <= state->bytes; at += sizeof word) {
        memcpy(&word, (const char *)state->initial + at, sizeof word);
        if (word >= image->low && word < image->high)
            return true;
    }
    return false;
}

static bool state_fits(struct brolga_reload *session,
                       const struct brolga__image *was,
                       const struct brolga__image *will,
                       const struct brolga__state *state,
                       struct brolga__text *why)
{
    const struct entry *entry = find_entry(session, will->module, state->name);

    if (entry != NULL && entry->memory != NULL)
        if (!memory_fits(entry->memory, state) &&
            find_chain(entry->memory, state, was, will).steps == 0) {
            explain(why, state, entry->memory);
            return false;
        }
    if (state->align > BROLGA__CACHE_LINE) {
        brolga__text_add(why, "%s:%d: state '%s' is aligned to more than %d",
                         state->file, state->line, state->name,
                         BROLGA__CACHE_LINE);
        return false;
    }
    if (will->policy != BROLGA_RECLAIM || will->handle == NULL ||
        !points_inside(will, state))
        return true;
    brolga__text_add(why,
                     "%s:%d: state '%s' begins with a pointer into the module, "
                     "which may be unloaded\n"
                     "  copy what it points to to the heap, or leave "
                     "BROLGA_RECLAIM out",
                     state->file, state->line, state->name);
    return false;
}

bool brolga__state_fits(struct brolga_reload *session,
                        const struct brolga__image *was,
                        const struct brolga__image *will,
                        struct brolga__text *why, int *line)
{
    for (size_t i = 0; will != NULL && i < will->states_count; i++)
        if (!state_fits(session, was, will, &will->states[i], why)) {
            *line = will->states[i].line;
            return false;
        }
    return true;
}

/* --- a job -------------------------------------------------------------- */

static void free_move(struct move *move)
{
    brolga__chain_end(&move->chain);
    brolga__memory_unref(move->from);
    brolga__memory_unref(move->to);
}

static void job_unref(void *arg)
{
    struct brolga__job *job = arg;

    if (brolga__sub_acq_rel(&job->refs, 1) != 1) /* A */
        return;
    for (size_t i = 0; i < job->moves_count; i++)
        free_move(&job->moves[i]);
    for (size_t i = 0; i < job->images_count; i++)
        brolga__image_unref(job->images[i]);
    brolga__free(job->moves);
    brolga__free(job->images);
    brolga__free(job);
}

static size_t count_states(const struct brolga__replaced *changes, size_t count)
{
    size_t states = 0;

    for (size_t i = 0; i < count; i++)
        if (changes[i].will != NULL)
            states += changes[i].will->states_count;
    return states;
}

static struct brolga__job *make_job(const struct brolga__replaced *changes,
                                    size_t count)
{
    struct brolga__job *job = brolga__alloc_zero(sizeof *job);

    if (job == NULL)
        return NULL;
    atomic_init(&job->refs, 1);
    job->moves = brolga__alloc_zero((count_states(changes, count) + 1) *
                                    sizeof *job->moves);
    job->images = brolga__alloc_zero((2 * count + 1) * sizeof(void *));
    if (job->moves == NULL || job->images == NULL) {
        job_unref(job);
        return NULL;
    }
    for (size_t i = 0; i < 2 * count; i++) {
        const struct brolga__replaced *change = &changes[i / 2];
        job->images[job->images_count++] =
            brolga__image_ref(i % 2 == 0 ? change->was : change->will);
    }
    return job;
}

static int run_chain(const struct move *move, char *why, size_t bytes)
{
    const struct brolga__migration *failed =
        brolga__chain_run(&move->chain, move->from->at, move->to->at);

    if (failed == NULL)
        return BROLGA_OK;
    (void)snprintf(why, bytes,
                   "the migration of state '%s' from %s to %s failed",
                   move->state->name, failed->from, failed->to);
    return BROLGA_EFAILED;
}

/* In a task, while all others stand. */
static int migrate(void *arg, char *why, size_t bytes)
{
    struct brolga__job *job = arg;

    for (size_t i = 0; i < job->moves_count; i++)
        if (run_chain(&job->moves[i], why, bytes) != BROLGA_OK)
            return BROLGA_EFAILED;
    brolga__lock_take(&job->lock);
    for (size_t i = 0; !job->over && i < job->moves_count; i++)
        if (job->moves[i].late)
            set_place(job->moves[i].state, job->moves[i].to->at);
    job->placed = !job->over;
    brolga__lock_leave(&job->lock);
    return BROLGA_OK;
}

/* --- staging ------------------------------------------------------------ */

static int make_chain(struct move *move, const struct brolga__image *was,
                      const struct brolga__image *will)
{
    move->chain = find_chain(move->from, move->state, was, will);
    if (move->chain.steps == 0)
        return BROLGA_EREFUSED;
    move->to = make_memory(move->state);
    return move->to == NULL ? BROLGA_ENOMEM : brolga__chain_begin(&move->chain);
}

/* The image has run, and has a memory, or is new and gets one. */
static void give_memory(struct move *move)
{
    struct brolga__state *state = move->state;

    move->late = state->memory != NULL;
    if (move->late)
        return;
    state->memory = memory_ref(move->to);
    set_place(state, state->memory->at);
}

static int stage_move(struct brolga__job *job, struct entry *entry,
                      struct brolga__state *state,
                      const struct brolga__replaced *change)
{
    struct move *move = &job->moves[job->moves_count++];
    int err = BROLGA_OK;

    move->entry = entry;
    move->state = state;
    move->from = memory_ref(entry->memory);
    if (memory_fits(entry->memory, state))
        move->to = memory_ref(entry->memory);
    else
        err = make_chain(move, change->was, change->will);
    if (err == BROLGA_OK)
        give_memory(move);
    return err;
}

static int stage_state(struct brolga_reload *session, struct brolga__job *job,
                       const struct brolga__replaced *change,
                       struct brolga__state *state)
{
    struct entry *entry = get_entry(session, change->will->module, state->name);

    if (entry == NULL)
        return BROLGA_ENOMEM;
    state->what = BROLGA_RELOAD_STATE_KEPT;
    state->steps = 0;
    if (entry->memory == NULL) { /* It begins. */
        state->what = BROLGA_RELOAD_STATE_NEW;
        if (state->memory == NULL)
            state->memory = make_memory(state);
        if (state->memory == NULL)
            return BROLGA_ENOMEM;
    } else if (!memory_fits(entry->memory, state) ||
               (state->memory != NULL && state->memory != entry->memory)) {
        int err = stage_move(job, entry, state, change);

        state->steps = job->moves[job->moves_count - 1].chain.steps;
        if (state->steps > 0)
            state->what = BROLGA_RELOAD_STATE_MIGRATED;
        return err;
    } else if (state->memory == NULL) {
        state->memory = memory_ref(entry->memory);
    }
    set_place(state, state->memory->at);
    return BROLGA_OK;
}

static int stage_job(brolga_txn *txn, struct brolga__job *job)
{
    const struct brolga_hooks hooks = {
        .name = "state", .migrate = migrate, .release = job_unref, .arg = job};
    int err;

    (void)brolga__add_relaxed(&job->refs, 1); /* The hook's. */
    err = brolga_txn_hook(txn, &hooks);
    if (err != BROLGA_OK)
        job_unref(job);
    return err;
}

/* --- what modules have called ------------------------------------------- */

/* The arguments of a module's hooks: what runs, and what will. */
struct pair {
    struct brolga__image *was, *will;
};

static int before(void *arg, char *why, size_t bytes)
{
    const struct pair *pair = arg;

    return pair->was->before == NULL ? BROLGA_OK
                                     : pair->was->before(why, bytes);
}

static void after(void *arg)
{
    const struct pair *pair = arg;

    pair->will->after();
}

static void called_off(void *arg)
{
    const struct pair *pair = arg;

    pair->was->called_off();
}

static void free_pair(void *arg)
{
    struct pair *pair = arg;

    brolga__image_unref(pair->was);
    brolga__image_unref(pair->will);
    brolga__free(pair);
}

static int stage_hooks(brolga_txn *txn, const struct brolga__replaced *change)
{
    struct brolga_hooks hooks = {.release = free_pair};
    struct pair *pair;
    int err;

    if (change->was == NULL) /* It takes nobody's place. */
        return BROLGA_OK;
    hooks.name = change->was->module;
    hooks.before = change->was->before != NULL ? before : NULL;
    hooks.called_off = change->was->called_off != NULL ? called_off : NULL;
    if (change->will != NULL && change->will->after != NULL)
        hooks.after = after;
    if (hooks.before == NULL && hooks.called_off == NULL && hooks.after == NULL)
        return BROLGA_OK;
    hooks.arg = pair = brolga__alloc(sizeof *pair);
    if (pair == NULL)
        return BROLGA_ENOMEM;
    *pair = (struct pair){.was = brolga__image_ref(change->was),
                          .will = brolga__image_ref(change->will)};
    err = brolga_txn_hook(txn, &hooks);
    if (err != BROLGA_OK)
        free_pair(pair);
    return err;
}

static const struct brolga__image *
image_of(const struct brolga__replaced *change)
{
    return change->was != NULL ? change->was : change->will;
}

static bool imports_from(const struct brolga__image *image,
                         const struct brolga__image *other)
{
    for (size_t i = 0; image != other && i < image->imports_count; i++)
        if (strcmp(image->imports[i].module, other->module) == 0)
            return true;
    return false;
}

/* Whether none of those that are left exports what this one imports. */
static bool may_go(const struct brolga__replaced *changes, size_t count,
                   size_t i)
{
    for (size_t k = 0; k < count; k++)
        if (!changes[k].ordered &&
            imports_from(image_of(&changes[i]), image_of(&changes[k])))
            return false;
    return true;
}

/* The next in the order of imports, the first of those in a circle. */
static size_t pick(const struct brolga__replaced *changes, size_t count)
{
    size_t first = count;

    for (size_t i = 0; i < count; i++) {
        if (changes[i].ordered)
            continue;
        if (may_go(changes, count, i))
            return i;
        if (first == count)
            first = i;
    }
    return first;
}

static int stage_all_hooks(brolga_txn *txn, struct brolga__replaced *changes,
                           size_t count)
{
    int err = BROLGA_OK;

    for (size_t n = 0; err == BROLGA_OK && n < count; n++) {
        size_t i = pick(changes, count);

        changes[i].ordered = true;
        err = stage_hooks(txn, &changes[i]);
    }
    return err;
}

/* --- the commit --------------------------------------------------------- */

int brolga__state_stage(struct brolga_reload *session, brolga_txn *txn,
                        struct brolga__replaced *changes, size_t count)
{
    struct brolga__job *job = make_job(changes, count);
    int err = BROLGA_OK;

    if (job == NULL)
        return BROLGA_ENOMEM;
    session->job = job;
    for (size_t i = 0; i < count; i++) {
        struct brolga__image *will = changes[i].will;

        for (size_t k = 0;
             err == BROLGA_OK && will != NULL && k < will->states_count; k++)
            err = stage_state(session, job, &changes[i], &will->states[k]);
    }
    if (err == BROLGA_OK)
        err = brolga__messages_stage(session, txn, changes, count);
    if (err == BROLGA_OK)
        err = stage_all_hooks(txn, changes, count);
    if (err == BROLGA_OK && job->moves_count > 0)
        err = stage_job(txn, job);
    return err;
}

/* An image that has run before has the memory of the move, or had it. */
static void settle_late(struct move *move, bool committed, bool placed)
{
    struct brolga__state *state = move->state;

    if (committed) {
        brolga__memory_unref(state->memory);
        state->memory = memory_ref(move->to);
    } else if (placed) {
        set_place(state, state->memory->at);
    }
}

/* What runs now has the memory that all have from now on. */
static void keep_memory(struct brolga_reload *session,
                        const struct brolga__image *will)
{
    for (size_t k = 0; k < will->states_count; k++) {
        struct brolga__memory *memory = will->states[k].memory;
        struct entry *entry =
            find_entry(session, will->module, will->states[k].name);

        if (entry->memory == memory)
            continue;
        brolga__memory_unref(entry->memory);
        entry->memory = memory_ref(memory);
    }
}

static void settle(struct brolga_reload *session, struct brolga__job *job,
                   bool committed)
{
    brolga__lock_take(&job->lock);
    job->over = true;
    brolga__lock_leave(&job->lock);
    for (size_t i = 0; i < job->moves_count; i++)
        if (job->moves[i].late)
            settle_late(&job->moves[i], committed, job->placed);
    for (size_t i = 1; committed && i < job->images_count; i += 2)
        if (job->images[i] != NULL)
            keep_memory(session, job->images[i]);
}

static void end_job(struct brolga_reload *session, bool committed)
{
    struct brolga__job *job = session->job;

    session->job = NULL;
    brolga__messages_settle(session, committed);
    if (job == NULL)
        return;
    settle(session, job, committed);
    job_unref(job);
}

void brolga__state_drop(struct brolga_reload *session)
{
    end_job(session, false);
}

static void explain_barrier(const char *what, struct brolga_report *report)
{
    char who[sizeof report->text];

    (void)snprintf(who, sizeof who, "%s", report->text);
    (void)snprintf(report->text, sizeof report->text,
                   "%s, but %.800s\n"
                   "  it is tried again with the next save",
                   what, who);
}

int brolga__state_commit(struct brolga_reload *session, brolga_txn *txn,
                         struct brolga_report *report)
{
    uint32_t ms = session->opts.state_deadline_ms;
    int err;

    if (session->job->moves_count > 0 || session->messages_move)
        err = brolga_txn_commit_barrier(
            txn, brolga_after_ns((ms == 0 ? DEADLINE_MS : ms) * BROLGA_MS),
            report);
    else
        err = brolga_txn_commit(txn, report);
    if (report->refusal == BROLGA_REFUSED_BARRIER)
        explain_barrier(session->messages_move
                            ? "messages can be converted only while no task "
                              "runs old code"
                            : "state can be migrated only while no task runs",
                        report);
    if (report->refusal == BROLGA_REFUSED_MESSAGES)
        brolga__messages_explain(session, report);
    end_job(session, err == BROLGA_OK);
    return err;
}
