/*
 * Check: what nobody else refers to is kept, the rest is copied.
 *
 * One walk over the value, in the order of a copy. A *slot* is where a
 * reference lies: the root's is the caller's, the others are fields of objects
 * that are kept. What a slot refers to is
 *
 *   frozen     passed on, with all behind it;
 *   unique     kept: its count is 1, and the only reference is this one. The
 *              walk goes on with its fields;
 *   shared     *replaced*: copied, with all behind it, and the slot is
 *              rewritten. It may be, for the object that it is a field of is
 *              unique, hence ours.
 *
 * All replacements go by one memo, so that sharing between them is kept. Their
 * originals lose the references only at the end, when nothing can fail any
 * more: the log of replacements is both what to drop then, and what to put back
 * after a failure. While everything is unique nothing is logged, and no memory
 * is needed, but for values in which more than 40 branches wait at a time.
 *
 * A shared object that only this value refers to, more than once, is replaced
 * too, and its original freed: counts alone do not tell it from others.
 *
 *   A  Whatever another thread did with an object before it gave up its
 *      reference comes before we change or pass on the object: its decrement in
 *      drop.c, or the host's -> the load that finds 1. As there, nobody else
 *      can raise a count of 1.
 */
#include "copy/copy.h"

#include "alloc.h"

#include <string.h>

/* A waiting slot, or a row of them. */
struct frame {
    const brolga_type *type;
    brolga_word *slot;
    size_t slots;
};

struct replaced {
    const brolga_type *type;
    brolga_word *slot;
    brolga_word original;
};

/* Objects between two pauses: some 20 us. */
#define PAUSE_OBJECTS 8192

#define FRAMES_INLINE   40
#define REPLACED_INLINE 4

struct checker {
    const struct brolga_model *model;
    struct frame *frame;
    uint32_t depth;
    uint32_t capacity;
    struct replaced *log;
    uint32_t logged;
    uint32_t log_capacity;
    uint64_t kept;
    uint64_t bytes;
    uint64_t header_bytes; /* of an object */
    uint64_t unpaused;     /* what was done at the last pause */
    int (*pause)(void *arg);
    void *pause_arg;
    int stopped_by;                 /* what a pause has returned that ends it */
    struct brolga_copy_opts pauses; /* for copies: by pause_now() */
    struct brolga__memo memo;
    struct replaced first_log[REPLACED_INLINE];
    struct frame first[FRAMES_INLINE];
};

/* What became of a slot: an error below 0, or one of these. */
enum {
    DONE, /* Nothing is left to be done for it. */
    KEPT, /* Its object stays; what is in it is still to be looked at. */
};

/* --- memory ------------------------------------------------------------- */

/* More room for an array that begins as `first`; NULL, with nothing changed,
 * if there is no memory. */
static void *grow(void *array, const void *first, size_t item_bytes,
                  uint32_t *capacity, uint32_t least)
{
    uint32_t wanted = *capacity;
    void *grown;

    while (wanted < least) {
        if (wanted > UINT32_MAX / 2)
            return NULL;
        wanted *= 2;
    }
    grown = brolga__realloc(array == first ? NULL : array, wanted * item_bytes);
    if (grown == NULL)
        return NULL;
    if (array == first)
        memcpy(grown, first, *capacity * item_bytes);
    *capacity = wanted;
    return grown;
}

/* Makes room, so that so many pushes cannot fail. */
static inline int reserve(struct checker *c, uint64_t frames)
{
    void *grown;

    if (brolga__likely(c->capacity - c->depth >= frames))
        return BROLGA_OK;
    if (frames > UINT32_MAX / 4)
        return BROLGA_ENOMEM;
    grown = grow(c->frame, c->first, sizeof(*c->frame), &c->capacity,
                 c->depth + (uint32_t)frames);
    if (grown == NULL)
        return BROLGA_ENOMEM;
    c->frame = grown;
    return BROLGA_OK;
}

static inline void push(struct checker *c, const brolga_type *type,
                        brolga_word *slot, size_t slots)
{
    c->frame[c->depth++] = (struct frame){type, slot, slots};
}

static int log_slot(struct checker *c, const brolga_type *type,
                    brolga_word *slot)
{
    void *grown;

    if (c->logged == c->log_capacity) {
        grown = grow(c->log, c->first_log, sizeof(*c->log), &c->log_capacity,
                     c->logged + 1);
        if (grown == NULL)
            return BROLGA_ENOMEM;
        c->log = grown;
    }
    c->log[c->logged++] = (struct replaced){type, slot, *slot};
    return BROLGA_OK;
}

/* --- pauses ------------------------------------------------------------- */

/* Remembers why the check ends, so that everything in between sees an error. */
static int pause_now(void *arg)
{
    struct checker *c = arg;
    int err = c->pause(c->pause_arg);

    if (err == BROLGA_OK)
        return BROLGA_OK;
    c->stopped_by = err;
    return BROLGA_ECANCELED;
}

/* References to shared objects take as long as objects, at least; copies that
 * are long have pauses of their own. */
static int pause_if_due(struct checker *c)
{
    uint64_t done = c->kept + c->logged;

    if (c->pause == NULL || done - c->unpaused < PAUSE_OBJECTS)
        return DONE;
    c->unpaused = done;
    return pause_now(c);
}

/* --- references --------------------------------------------------------- */

static int replace(struct checker *c, const brolga_type *type,
                   brolga_word *slot)
{
    int err = log_slot(c, type, slot);

    return err == BROLGA_OK
               ? brolga__copy_slot(type, slot, &c->pauses, &c->memo)
               : err;
}

/* The same where the count is not 1. A count that is broken is the copier's to
 * find. */
__attribute__((noinline)) static int pass_shared(struct checker *c,
                                                 const brolga_type *type,
                                                 brolga_word *slot,
                                                 int64_t count)
{
    int err =
        brolga__is_frozen(c->model, count) ? BROLGA_OK : replace(c, type, slot);

    return err == BROLGA_OK ? DONE : err;
}

/* Looks at the object in a slot: KEPT, DONE, or an error. */
static inline int look(struct checker *c, const brolga_type *type,
                       brolga_word *slot)
{
    int64_t count;

    if (brolga__unlikely(brolga__is_small(c->model, *slot)))
        return BROLGA_EINVAL;
    count = brolga__load_acquire(brolga__count(c->model, *slot)); /* A */
    return brolga__likely(count == 1) ? KEPT
                                      : pass_shared(c, type, slot, count);
}

static inline void count_kept(struct checker *c, int64_t payload_bytes)
{
    c->kept++;
    c->bytes += (uint64_t)payload_bytes + c->header_bytes;
}

/* Bare buffers have no header. */
static void count_data(struct checker *c, int64_t bytes)
{
    count_kept(c, bytes);
    if (c->model->buffer_alloc != NULL)
        c->bytes -= c->header_bytes;
}

/* --- objects that lead nowhere ------------------------------------------ */

static int check_string(struct checker *c, const brolga_type *type,
                        brolga_word *slot)
{
    int seen = look(c, type, slot);

    if (seen != KEPT)
        return seen;
    if (brolga__check_string(c->model, *slot) != NULL)
        return BROLGA_EINVAL;
    count_kept(c, 8 + brolga__fields(c->model, *slot)[0]);
    return DONE;
}

/* Whether a unique header's data has another owner, or is frozen. Bare buffers
 * have none but the header. */
static bool is_shared_data(const struct checker *c, brolga_word data,
                           bool *is_frozen)
{
    int64_t count = 1;

    if (c->model->buffer_alloc == NULL && !brolga__is_small(c->model, data))
        count = brolga__load_acquire(brolga__count(c->model, data)); /* A */
    *is_frozen = brolga__is_frozen(c->model, count);
    return count != 1 && !*is_frozen;
}

/* The header and the data of a Vec, without its elements. Data that another
 * header points to, too, is replaced together with the header. */
static int check_vec_top(struct checker *c, const brolga_type *type,
                         brolga_word *slot)
{
    int seen = look(c, type, slot);
    const brolga_word *field;
    bool is_frozen;

    if (seen != KEPT)
        return seen;
    if (brolga__check_vec(c->model, *slot) != NULL)
        return BROLGA_EINVAL;
    field = brolga__fields(c->model, *slot);
    if (is_shared_data(c, field[2], &is_frozen)) {
        int err = replace(c, type, slot);

        return err == BROLGA_OK ? DONE : err;
    }
    count_kept(c, 24);
    if (is_frozen)
        return DONE;
    if (field[0] > 0)
        count_data(c, 8 * field[0]);
    return KEPT;
}

/* --- sums --------------------------------------------------------------- */

/* The object of a sum without what its fields refer to. */
static inline int check_top(struct checker *c, const brolga_type *type,
                            brolga_word *slot, const struct brolga__ctor **ctor)
{
    uint64_t tag;
    int seen;

    if (type->has_nullary && brolga__is_small(c->model, *slot))
        return DONE;
    seen = look(c, type, slot);
    if (brolga__unlikely(seen != KEPT))
        return seen;
    tag = (uint64_t)brolga__fields(c->model, *slot)[0];
    if (brolga__unlikely(tag >= type->ctor_count) ||
        brolga__unlikely(type->ctors[tag]->fields == 0))
        return BROLGA_EINVAL;
    *ctor = type->ctors[tag];
    count_kept(c, (*ctor)->payload_bytes);
    return KEPT;
}

/* A slot of a type that is a leaf. KEPT means no more than DONE here. A handle
 * goes along with the object that it is in. */
static int check_leaf(struct checker *c, const brolga_type *type,
                      brolga_word *slot)
{
    const struct brolga__ctor *ctor;

    switch (type->shape) {
    case BROLGA__STRING:
        return check_string(c, type, slot);
    case BROLGA__VEC_WORDS:
        return check_vec_top(c, type, slot);
    case BROLGA__SUM:
        return check_top(c, type, slot, &ctor);
    case BROLGA__HANDLE:
    case BROLGA__WORD:
        return DONE;
    default:
        return BROLGA_EUNSENDABLE;
    }
}

/* Checks the leaves of an object; DONE or an error. */
static inline int check_leaves(struct checker *c, brolga_word *field,
                               const struct brolga__ctor *ctor)
{
    for (uint32_t i = 0; i < ctor->leaves; i++) {
        const struct brolga__ref *ref = &ctor->ref[i];
        int seen = check_leaf(c, ref->type, &field[ref->field]);

        if (brolga__unlikely(seen < 0))
            return seen;
    }
    return DONE;
}

/* Leaves the rest for later, so that there can be a pause before. */
static int wait_here(struct checker *c, const brolga_type *type,
                     brolga_word *slot)
{
    if (reserve(c, 1) != BROLGA_OK)
        return BROLGA_ENOMEM;
    push(c, type, slot, 1);
    return DONE;
}

/* A list: one object after the other, and nothing ever waits but what is left
 * at a pause. */
static int check_spine(struct checker *c, const brolga_type *type,
                       brolga_word *slot)
{
    const struct brolga__ctor *cons = type->only;
    uint32_t next = cons->ref[cons->leaves].field;
    uint64_t kept = 0;
    int seen = DONE;

    /* Ends: every turn goes on to another object of a finite value. */
    while (seen >= 0 && !brolga__is_small(c->model, *slot)) {
        brolga_word *field;

        if (brolga__unlikely(kept == PAUSE_OBJECTS)) {
            seen = wait_here(c, type, slot);
            break;
        }
        seen = look(c, type, slot);
        if (brolga__unlikely(seen != KEPT))
            break;
        field = brolga__fields(c->model, *slot);
        if (brolga__unlikely(field[0] != (brolga_word)cons->tag))
            return BROLGA_EINVAL;
        kept++;
        seen = check_leaves(c, field, cons);
        slot = &field[next];
    }
    c->kept += kept;
    c->bytes += kept * ((uint64_t)cons->payload_bytes + c->header_bytes);
    return seen;
}

/* The slot that waits on top; the stack has more frames than `depth`. */
static inline brolga_word *pop_slot(struct checker *c)
{
    return c->frame[--c->depth].slot;
}

/* A binary tree: down to the left, and the right waits if it leads on. */
static int check_tree(struct checker *c, const brolga_type *type,
                      brolga_word *slot)
{
    const struct brolga__ctor *fork = type->only;
    uint32_t left = fork->ref[fork->leaves].field;
    uint32_t right = fork->ref[fork->leaves + 1].field;
    const struct brolga_model *model = c->model;
    uint32_t depth = c->depth;
    uint64_t kept = 0;
    int seen = DONE;

    if (brolga__is_small(model, *slot))
        return DONE;
    for (;;) { /* Ends: each object of a finite value is met once. */
        brolga_word *field = brolga__fields(model, *slot);

        if (brolga__unlikely(kept == PAUSE_OBJECTS)) {
            seen = wait_here(c, type, slot);
            break;
        }
        seen = look(c, type, slot);
        if (brolga__likely(seen == KEPT)) {
            if (brolga__unlikely(field[0] != (brolga_word)fork->tag))
                return BROLGA_EINVAL;
            kept++;
            seen = check_leaves(c, field, fork);
            if (brolga__unlikely(reserve(c, 1) != BROLGA_OK))
                seen = BROLGA_ENOMEM;
            if (brolga__unlikely(seen < 0))
                break;
            /* Not pushed if it leads nowhere, without a branch that nobody
             * can predict. */
            c->frame[c->depth] = (struct frame){type, &field[right], 1};
            c->depth += !brolga__is_small(model, field[right]);
            slot = &field[left];
            if (!brolga__is_small(model, *slot))
                continue;
        } else if (seen < 0) {
            break;
        }
        seen = DONE;
        if (c->depth == depth)
            break;
        slot = pop_slot(c);
    }
    c->kept += kept;
    c->bytes += kept * ((uint64_t)fork->payload_bytes + c->header_bytes);
    return seen;
}

/* The field to go on with, the first one that leads further, or NULL; the
 * others wait. There is room for the frames. */
static inline const struct brolga__ref *
push_open(struct checker *c, brolga_word *field,
          const struct brolga__ctor *ctor)
{
    const struct brolga__ref *first = NULL;

    for (uint32_t i = ctor->refs; i-- > ctor->leaves;) {
        const struct brolga__ref *ref = &ctor->ref[i];

        if ((uint64_t)field[ref->field] < ref->small)
            continue;
        if (first != NULL)
            push(c, first->type, &field[first->field], 1);
        first = ref;
    }
    return first;
}

/* Checks an object of a sum. Returns DONE, an error, or KEPT with *type and
 * *slot at what to go on with. */
static inline int check_sum(struct checker *c, const brolga_type **type,
                            brolga_word **slot)
{
    const struct brolga__ctor *ctor;
    const struct brolga__ref *next;
    brolga_word *field;
    int seen = check_top(c, *type, *slot, &ctor);

    if (seen != KEPT)
        return seen;
    field = brolga__fields(c->model, **slot);
    seen = check_leaves(c, field, ctor);
    if (brolga__unlikely(seen < 0))
        return seen;
    if (brolga__unlikely(reserve(c, ctor->refs) != BROLGA_OK))
        return BROLGA_ENOMEM;
    next = push_open(c, field, ctor);
    if (next == NULL)
        return DONE;
    *type = next->type;
    *slot = &field[next->field];
    return KEPT;
}

/* --- other objects that lead further ------------------------------------ */

static int check_vec(struct checker *c, const brolga_type *type,
                     brolga_word *slot)
{
    int seen = check_vec_top(c, type, slot);
    const brolga_word *field;

    if (seen != KEPT)
        return seen;
    field = brolga__fields(c->model, *slot);
    if (field[0] == 0)
        return DONE;
    if (reserve(c, 1) != BROLGA_OK)
        return BROLGA_ENOMEM;
    push(c, type->element, brolga__elements(c->model, field[2]),
         (size_t)field[0]);
    return DONE;
}

/* A closure that is kept keeps its pin, too. */
static int check_closure(struct checker *c, const brolga_type *type,
                         brolga_word *slot)
{
    struct brolga_closure_info info;
    brolga_word *capture;
    int seen = look(c, type, slot);
    int code;

    if (seen != KEPT)
        return seen;
    if (brolga__check_closure(c->model, *slot, &info, &code) != NULL)
        return code;
    if (reserve(c, info.captures) != BROLGA_OK)
        return BROLGA_ENOMEM;
    count_kept(c, c->model->closure_captures + 8 * (int64_t)info.captures);
    capture = brolga__captures(c->model, *slot);
    for (size_t i = info.captures; i-- > 0;)
        if (brolga__may_refer(info.types[i]))
            push(c, info.types[i], &capture[i], 1);
    return DONE;
}

/* Functions that a host has generated copy and drop, but do not check: a type
 * with such functions is checked as if it had none. */
static inline const brolga_type *plain_of(const brolga_type *type)
{
    return brolga__unlikely(type->shape == BROLGA__GENERATED) ? type->plain
                                                              : type;
}

/* --- the whole ---------------------------------------------------------- */

/* Does a slot, and then the first field of what it refers to, and so on until
 * there is none: DONE or an error. What is left waits. */
static int check_slot(struct checker *c, const brolga_type *type,
                      brolga_word *slot)
{
    int seen = KEPT;

    /* Ends: every turn goes on to another object of a finite value. */
    type = plain_of(type);
    while (seen == KEPT && type->shape == BROLGA__SUM) {
        seen = check_sum(c, &type, &slot);
        type = plain_of(type);
    }
    if (seen != KEPT)
        return seen;
    switch (type->shape) {
    case BROLGA__SPINE:
        return check_spine(c, type, slot);
    case BROLGA__TREE:
        return check_tree(c, type, slot);
    case BROLGA__VEC_REFS:
        return check_vec(c, type, slot);
    case BROLGA__CLOSURE:
        return check_closure(c, type, slot);
    default:
        return check_leaf(c, type, slot);
    }
}

/* Until nothing waits. */
static int run(struct checker *c)
{
    int err = DONE;

    while (err >= 0 && c->depth > 0) {
        struct frame *top = &c->frame[c->depth - 1];
        const brolga_type *type = top->type;
        brolga_word *slot = top->slot++;

        if (--top->slots == 0)
            c->depth--;
        err = check_slot(c, type, slot);
        if (err >= 0)
            err = pause_if_due(c);
    }
    return err < 0 ? err : BROLGA_OK;
}

/* Gives up the references to what was replaced; or, after a failure, puts them
 * back and drops the copies. With pauses, which cannot stop it. */
static void settle(struct checker *c, int err)
{
    brolga__memo_settle(&c->memo);
    brolga__memo_free(&c->memo);
    for (uint32_t i = 0; i < c->logged; i++) {
        struct replaced *r = &c->log[i];
        brolga_word dead = err == BROLGA_OK ? r->original : *r->slot;

        if (err != BROLGA_OK)
            *r->slot = r->original;
        brolga_drop_with(r->type, &dead, c->pause, c->pause_arg);
        if (c->pause != NULL && (i + 1) % PAUSE_OBJECTS == 0)
            (void)c->pause(c->pause_arg);
    }
    if (c->log != c->first_log)
        brolga__free(c->log);
    if (c->frame != c->first)
        brolga__free(c->frame);
}

static int check_root(const brolga_type *type, brolga_word *root,
                      const struct brolga_copy_opts *opts,
                      struct brolga_check_stats *stats)
{
    struct checker c;
    int err;

    c.model = type->model;
    c.frame = c.first;
    c.depth = 0;
    c.capacity = FRAMES_INLINE;
    c.log = c.first_log;
    c.logged = 0;
    c.log_capacity = REPLACED_INLINE;
    c.kept = c.bytes = c.unpaused = 0;
    c.pause = opts != NULL ? opts->pause : NULL;
    c.pause_arg = opts != NULL ? opts->arg : NULL;
    c.stopped_by = BROLGA_OK;
    c.pauses = (struct brolga_copy_opts){
        .pause = c.pause != NULL ? pause_now : NULL, .arg = &c};
    c.header_bytes = (uint64_t)type->heap->header_bytes;
    brolga__memo_init(&c.memo, c.model, c.model->atomic_counts);
    push(&c, type, root, 1);
    err = run(&c);
    if (c.stopped_by != BROLGA_OK)
        err = c.stopped_by;
    settle(&c, err);
    *stats = (struct brolga_check_stats){.kept = c.kept,
                                         .kept_bytes = c.bytes,
                                         .replaced = c.logged,
                                         .copied_bytes = c.memo.made_bytes};
    return err;
}

/* For models whose counts do not tell. */
static int copy_and_drop(const brolga_type *type, brolga_word *root,
                         const struct brolga_copy_opts *opts,
                         struct brolga_check_stats *stats,
                         struct brolga_copy_error *error)
{
    brolga_word copy;
    uint64_t bytes;
    int err = brolga__copy_sized(type, root, &copy, opts, &bytes, error);

    if (err != BROLGA_OK)
        return err;
    brolga_drop_with(type, root, opts != NULL ? opts->pause : NULL,
                     opts != NULL ? opts->arg : NULL);
    *root = copy;
    *stats = (struct brolga_check_stats){.copied_bytes = bytes, .copied = true};
    return BROLGA_OK;
}

static int check_exact(const brolga_type *type, brolga_word *root,
                       const struct brolga_copy_opts *opts,
                       struct brolga_check_stats *stats,
                       struct brolga_copy_error *error)
{
    int err = brolga__audit_copy(type, *root, error);

    if (err != BROLGA_OK)
        return err;
    err = check_root(type, root, opts, stats);
    if (err != BROLGA_OK)
        brolga__copy_explain(type, *root, err, true, error);
    return err;
}

int brolga_check_with(const brolga_type *type, void *at,
                      const struct brolga_copy_opts *opts,
                      struct brolga_check_stats *stats,
                      struct brolga_copy_error *error)
{
    struct brolga_check_stats found = {0};
    brolga_word word;
    int err;

    if (!brolga_type_is_plain(type)) {
        memcpy(&word, at, sizeof(word));
        err = type->model->exact_counts
                  ? check_exact(type, &word, opts, &found, error)
                  : copy_and_drop(type, &word, opts, &found, error);
        if (err != BROLGA_OK)
            return err;
        memcpy(at, &word, sizeof(word));
    }
    if (stats != NULL)
        *stats = found;
    return BROLGA_OK;
}

int brolga_check(const brolga_type *type, void *at,
                 struct brolga_check_stats *stats,
                 struct brolga_copy_error *error)
{
    return brolga_check_with(type, at, NULL, stats, error);
}

int brolga_check_word(const brolga_type *type, brolga_word word,
                      brolga_word *out, struct brolga_check_stats *stats,
                      struct brolga_copy_error *error)
{
    int err;

    brolga__assert(type->shape != BROLGA__STRUCT);
    err = brolga_check_with(type, &word, NULL, stats, error);
    if (err == BROLGA_OK)
        *out = word;
    return err;
}
