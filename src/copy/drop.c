/*
 * Drop: gives up one reference and frees what is unreachable then.
 *
 * A dead object that leads further is ours, so the worklist is threaded
 * through the dead: a drop of any depth needs no memory and no stack.
 *
 *   count word       link: the next object's value | that object's kind
 *   DEAD_SUM         tag word = address of the brolga__ref to do next
 *   DEAD_VEC         capacity word = address of its type
 *   DEAD_CLOSURE     unchanged: the code word tells the captures
 *   DEAD_GENERATED   tag word = address of its constructor; for the host's
 *                    function the tag is put back
 *
 * A link of 0 ends the list. Values are multiples of 8, kinds are below 8.
 * From a dead sum the dropper goes on with the first field that leads to
 * another dead object; the sum waits on the list only if a further field may
 * lead somewhere. So a list is freed in a loop, and of a tree only nodes with
 * two subtrees wait.
 *
 * A pause comes when all that is left of the value is on the list.
 *
 *   A  Whatever other threads did with an object comes before its end: their
 *      decrement -> the load that finds 1, or the decrement that does. Nobody
 *      else can raise a count of 1, for nobody else has a reference. Models
 *      with plain counts need no such edge: one thread owns all references.
 */
#include "copy/copy.h"

#include <string.h>

enum dead {
    DEAD_SUM,
    DEAD_VEC,
    DEAD_CLOSURE,
    DEAD_GENERATED,
};

#define DEAD_MASK INT64_C(7)

/* Dead objects between two pauses. */
#define PAUSE_OBJECTS 8192

struct brolga_dropper {
    const struct brolga_model *model;
    const struct brolga__heap *heap;
    struct brolga__tally tally;
    int (*pause)(void *arg);
    void *pause_arg;
    uint32_t unpaused; /* dead since the last pause */
    brolga_word list;
};

/* Takes one of several references away; whether it was the last after all. */
__attribute__((noinline)) static bool
is_last_of_many(const struct brolga_model *model, _Atomic int64_t *word,
                int64_t count)
{
    if (brolga__is_frozen(model, count))
        return false;
    if (model->atomic_counts)
        count = brolga__sub_acq_rel(word, 1); /* A: both ends */
    else
        brolga__store_relaxed(word, count - 1);
    brolga__assert(count > 0); /* Else it was dropped more often than held. */
    return count == 1;
}

/* Takes one reference away; whether it was the last. The count of a dead
 * object is not written: it is about to be overwritten or freed. */
static inline bool is_last(const struct brolga_model *model, brolga_word value)
{
    _Atomic int64_t *word = brolga__count(model, value);
    int64_t count = brolga__load_acquire(word); /* A: sub in is_last_of_many */

    return brolga__likely(count == 1) || is_last_of_many(model, word, count);
}

static inline void list(struct brolga_dropper *d, brolga_word value,
                        enum dead kind)
{
    *brolga__word_at(value, d->model->count_at) = d->list;
    d->list = value | (brolga_word)kind;
}

/* Whether a dead Vec's elements die with it; its data may be frozen. */
static bool owns_data(const struct brolga_dropper *d, brolga_word data)
{
    if (data == 0)
        return false;
    return d->model->buffer_free != NULL || is_last(d->model, data);
}

/* The data of a Vec, given its fields. */
static void free_data(struct brolga_dropper *d, const brolga_word *field)
{
    if (d->model->buffer_alloc == NULL)
        brolga__tally_free(&d->tally, d->heap, field[2]);
    else
        brolga__buffer_free(d->heap, field[2]);
}

/* --- dead objects ------------------------------------------------------- */

static void end_vec(struct brolga_dropper *d, const brolga_type *type,
                    brolga_word value)
{
    brolga_word *field = brolga__fields(d->model, value);
    bool owns = owns_data(d, field[2]);

    if (owns && type->shape == BROLGA__VEC_REFS) {
        field[1] = (brolga_word)(uintptr_t)type;
        list(d, value, DEAD_VEC);
        return;
    }
    if (owns)
        free_data(d, field);
    brolga__tally_free(&d->tally, d->heap, value);
}

static const struct brolga__ctor *ctor_of(const brolga_type *type,
                                          brolga_word tag)
{
    brolga__assert((uint64_t)tag < type->ctor_count);
    return type->ctors[tag];
}

static void list_sum(struct brolga_dropper *d, brolga_word value,
                     const struct brolga__ref *next)
{
    brolga__fields(d->model, value)[0] = (brolga_word)(uintptr_t)next;
    list(d, value, DEAD_SUM);
}

/* A closure of unknown code is left behind: its captures cannot be told. */
static void end_closure(struct brolga_dropper *d, brolga_word value)
{
    struct brolga_closure_info info;
    int code;

    if (brolga__check_closure(d->model, value, &info, &code) == NULL)
        list(d, value, DEAD_CLOSURE);
}

static void end_generated(struct brolga_dropper *d, const brolga_type *type,
                          brolga_word value)
{
    brolga_word *field = brolga__fields(d->model, value);

    field[0] = (brolga_word)(uintptr_t)ctor_of(type, field[0]);
    list(d, value, DEAD_GENERATED);
}

/* --- references --------------------------------------------------------- */

static void end_sum(struct brolga_dropper *d, const brolga_type *type,
                    brolga_word value);
static void end_spine(struct brolga_dropper *d, const brolga_type *type,
                      brolga_word value);

static void drop_object(struct brolga_dropper *d, const brolga_type *type,
                        brolga_word word)
{
    if (brolga__is_small(d->model, word) || !is_last(d->model, word))
        return;
    if (type->shape == BROLGA__GENERATED && type->generated->drop == NULL)
        type = type->plain;
    switch (type->shape) {
    case BROLGA__GENERATED:
        end_generated(d, type, word);
        break;
    case BROLGA__STRING:
        brolga__tally_free(&d->tally, d->heap, word);
        break;
    case BROLGA__VEC_WORDS:
    case BROLGA__VEC_REFS:
        end_vec(d, type, word);
        break;
    case BROLGA__SPINE:
        end_spine(d, type, word);
        break;
    case BROLGA__TREE:
    case BROLGA__SUM:
        end_sum(d, type, word);
        break;
    case BROLGA__CLOSURE:
        end_closure(d, word);
        break;
    default:
        break; /* Refused: nobody knows what it holds. */
    }
}

static inline void drop_ref(struct brolga_dropper *d, const brolga_type *type,
                            brolga_word word)
{
    if (type->shape == BROLGA__WORD)
        return;
    if (type->shape != BROLGA__HANDLE)
        drop_object(d, type, word);
    else if (word != 0 && type->release != NULL)
        type->release(word, type->handle_arg);
}

/* --- dead sums ---------------------------------------------------------- */

/* The next field, from `ref` on, that may lead somewhere, or NULL. */
static inline const struct brolga__ref *find_open(const brolga_word *field,
                                                  const struct brolga__ref *ref)
{
    for (;; ref++) {
        if ((uint64_t)field[ref->field] >= ref->small)
            return ref;
        if (ref->is_last)
            return NULL;
    }
}

/* Drops the leaves of an object that has just died. Returns the first field
 * that may lead further; if there is none, the object is freed. */
static inline const struct brolga__ref *
open_sum(struct brolga_dropper *d, const brolga_type *type, brolga_word value)
{
    const brolga_word *field = brolga__fields(d->model, value);
    const struct brolga__ctor *ctor = ctor_of(type, field[0]);
    const struct brolga__ref *next = NULL;

    for (uint32_t i = 0; i < ctor->leaves; i++)
        drop_ref(d, ctor->ref[i].type, field[ctor->ref[i].field]);
    if (ctor->refs > ctor->leaves)
        next = find_open(field, &ctor->ref[ctor->leaves]);
    if (next == NULL)
        brolga__tally_free(&d->tally, d->heap, value);
    return next;
}

static void end_sum(struct brolga_dropper *d, const brolga_type *type,
                    brolga_word value)
{
    const struct brolga__ref *next = open_sum(d, type, value);

    if (next != NULL)
        list_sum(d, value, next);
}

/* A list, as far as it is dead: each turn frees an object, until the next
 * pause. They are all of a size, but a host may have made some larger. */
static void end_spine(struct brolga_dropper *d, const brolga_type *type,
                      brolga_word value)
{
    const struct brolga__ctor cons = *type->only;
    const uint32_t next = cons.ref[cons.leaves].field;
    const uint64_t small = cons.ref[cons.leaves].small;
    struct brolga__tally tally = {.is_ours = d->tally.is_ours,
                                  .mine = d->tally.mine};
    bool is_dead = true;

    for (; is_dead && d->unpaused < PAUSE_OBJECTS; d->unpaused++) {
        const brolga_word *field = brolga__fields(d->model, value);
        brolga_word dead = value;

        for (uint32_t i = 0; i < cons.leaves; i++)
            drop_ref(d, cons.ref[i].type, field[cons.ref[i].field]);
        value = field[next];
        brolga__tally_free(&tally, d->heap, dead);
        is_dead = (uint64_t)value >= small && is_last(d->model, value);
    }
    brolga__tally_add(&d->tally, &tally);
    if (is_dead)
        list_sum(d, value, cons.ref);
}

/* Frees a dead sum, or lets it wait if more than this field is left. */
static inline void leave_sum(struct brolga_dropper *d, brolga_word value,
                             const struct brolga__ref *ref)
{
    const struct brolga__ref *next =
        ref->is_last ? NULL
                     : find_open(brolga__fields(d->model, value), ref + 1);

    if (next == NULL)
        brolga__tally_free(&d->tally, d->heap, value);
    else
        list_sum(d, value, next);
}

/* Drops a word. If that ends a sum that leads further, returns the field to
 * go on with, else NULL. */
static inline const struct brolga__ref *
drop_down(struct brolga_dropper *d, const brolga_type *type, brolga_word word)
{
    if (type->shape != BROLGA__SUM && type->shape != BROLGA__TREE) {
        drop_ref(d, type, word);
        return NULL;
    }
    if (brolga__is_small(d->model, word) || !is_last(d->model, word))
        return NULL;
    return open_sum(d, type, word);
}

/* A dead sum from the field on that it waited for, and then down. */
static void finish_sum(struct brolga_dropper *d, brolga_word value)
{
    const struct brolga__ref *ref =
        (void *)(uintptr_t)brolga__fields(d->model, value)[0];

    for (;;) { /* Each turn goes on to an object that was alive before. */
        brolga_word word = brolga__fields(d->model, value)[ref->field];
        const brolga_type *type = ref->type;

        leave_sum(d, value, ref);
        ref = drop_down(d, type, word);
        if (ref == NULL)
            return;
        value = word;
        if (brolga__unlikely(++d->unpaused >= PAUSE_OBJECTS)) {
            list_sum(d, value, ref);
            return;
        }
    }
}

/* --- the worklist ------------------------------------------------------- */

static void pause_now(struct brolga_dropper *d)
{
    d->unpaused = 0;
    if (d->pause != NULL)
        (void)d->pause(d->pause_arg);
}

static void finish_vec(struct brolga_dropper *d, brolga_word value)
{
    const brolga_word *field = brolga__fields(d->model, value);
    const brolga_type *type = (void *)(uintptr_t)field[1];
    const brolga_word *element = brolga__elements(d->model, field[2]);

    /* Last first, so that the first is done first. */
    for (brolga_word i = field[0]; i-- > 0;) {
        drop_ref(d, type->element, element[i]);
        if (brolga__unlikely(++d->unpaused >= PAUSE_OBJECTS))
            pause_now(d);
    }
    free_data(d, field);
    brolga__tally_free(&d->tally, d->heap, value);
}

static void finish_closure(struct brolga_dropper *d, brolga_word value)
{
    const brolga_word *capture = brolga__captures(d->model, value);
    uintptr_t code = brolga__code(d->model, value);
    struct brolga_closure_info info;
    int err;

    /* It was described when it was listed. */
    brolga__assert(brolga__check_closure(d->model, value, &info, &err) == NULL);
    for (size_t i = info.captures; i-- > 0;)
        drop_ref(d, info.types[i], capture[i]);
    if (d->model->closure_unpin != NULL)
        d->model->closure_unpin(code, brolga__closure_arg(d->model));
    brolga__tally_free(&d->tally, d->heap, value);
}

static void finish_generated(struct brolga_dropper *d, brolga_word value)
{
    brolga_word *tag = brolga__fields(d->model, value);
    const struct brolga__ctor *ctor = (void *)(uintptr_t)*tag;
    const struct brolga_generated *by = ctor->type->generated;

    *tag = ctor->tag;
    *brolga__word_at(value, d->model->count_at) = 1;
    by->drop(d, value, by->arg);
}

static void run(struct brolga_dropper *d)
{
    while (d->list != 0) { /* Each turn frees an object, or has one field of
                            * its own less to do. */
        if (brolga__unlikely(++d->unpaused >= PAUSE_OBJECTS))
            pause_now(d);
        brolga_word value = d->list & ~DEAD_MASK;
        enum dead kind = (enum dead)(d->list & DEAD_MASK);

        d->list = *brolga__word_at(value, d->model->count_at);
        if (kind == DEAD_SUM)
            finish_sum(d, value);
        else if (kind == DEAD_VEC)
            finish_vec(d, value);
        else if (kind == DEAD_CLOSURE)
            finish_closure(d, value);
        else
            finish_generated(d, value);
    }
}

/* --- for generated drops ------------------------------------------------ */

bool brolga_dropper_is_last(brolga_dropper *d, brolga_word object)
{
    return is_last(d->model, object);
}

void brolga_dropper_word(brolga_dropper *d, const brolga_type *type,
                         brolga_word word)
{
    drop_ref(d, type, word);
}

void brolga_dropper_free(brolga_dropper *d, brolga_word object)
{
    brolga__tally_free(&d->tally, d->heap, object);
}

/* --- the whole ---------------------------------------------------------- */

static void drop_word(const brolga_type *type, brolga_word word,
                      int (*pause)(void *arg), void *arg)
{
    struct brolga_dropper d = {.model = type->model,
                               .heap = type->heap,
                               .pause = pause,
                               .pause_arg = arg};

    brolga__tally_begin(&d.tally, d.heap);
    drop_ref(&d, type, word);
    run(&d);
    brolga__tally_end(&d.tally);
}

void brolga_drop_with(const brolga_type *type, const void *at,
                      int (*pause)(void *arg), void *arg)
{
    brolga_word word;

    if (type->shape == BROLGA__STRUCT)
        return;
    memcpy(&word, at, sizeof(word));
    drop_word(type, word, pause, arg);
}

void brolga_drop(const brolga_type *type, const void *at)
{
    brolga_drop_with(type, at, NULL, NULL);
}

void brolga_drop_word(const brolga_type *type, brolga_word word)
{
    brolga__assert(type->shape != BROLGA__STRUCT);
    drop_word(type, word, NULL, NULL);
}
