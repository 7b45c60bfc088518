/*
 * Uniqueness: a walk that reads, and stops at the first object that something
 * else may refer to. So each object is met once, and it needs to remember none.
 *
 * On its way it can mark the objects of a task's heap (vheap.h). Then memory
 * for the walk is the heap's, and stays: a walk that takes the marks back needs
 * no more than the one that made them, and cannot fail. A turn marks when all
 * else in it has gone well, so that as many turns undo what some have done.
 */
#include "copy/copy.h"

#include "alloc.h"
#include "vheap.h"

#include <string.h>

/* Words of one type that are still to be looked at. */
struct row {
    const brolga_type *type;
    const brolga_word *word;
    size_t count;
};

#define ROWS_INLINE 32

/* Objects between two pauses: some 50 us. */
#define PAUSE_TURNS 8192

struct search {
    const struct brolga_model *model;
    struct brolga__uniques *how;
    struct row *row;
    uint32_t depth, capacity;
    int err;
    const void *found[2]; /* What this turn has found: at most a Vec. */
    unsigned found_count;
    struct row first[ROWS_INLINE];
};

/* --- rows --------------------------------------------------------------- */

static bool grow(struct search *s)
{
    bool is_first = s->row == s->first;
    size_t bytes = 2 * (size_t)s->capacity * sizeof(struct row);
    struct row *grown = NULL;

    if (s->capacity <= UINT32_MAX / 2 && s->how->heap != NULL)
        grown = brolga__vheap_scratch(s->how->heap, bytes);
    else if (s->capacity <= UINT32_MAX / 2)
        grown = brolga__realloc(is_first ? NULL : s->row, bytes);
    if (grown == NULL) {
        s->err = BROLGA_ENOMEM;
        return false;
    }
    if (is_first)
        memcpy(grown, s->first, sizeof s->first);
    s->row = grown;
    s->capacity *= 2;
    return true;
}

static bool push(struct search *s, const brolga_type *type,
                 const brolga_word *word, size_t count)
{
    if (count == 0 || !brolga__may_refer(type))
        return true;
    if (s->depth == s->capacity && !grow(s))
        return false;
    s->row[s->depth++] = (struct row){type, word, count};
    return true;
}

/* --- objects ------------------------------------------------------------ */

static void find(struct search *s, const void *at)
{
    s->found[s->found_count++] = at;
}

/* An object's count: is it ours alone; and if it is frozen there is no need to
 * look behind it. */
static bool is_single(struct search *s, brolga_word value, bool *frozen)
{
    _Atomic int64_t *word;
    int64_t count;

    if (brolga__is_small(s->model, value))
        return false;
    word = brolga__count(s->model, value);
    count = brolga__load_relaxed(word);
    *frozen = brolga__is_frozen(s->model, count);
    if (!*frozen)
        find(s, (const void *)word);
    return count == 1 || *frozen;
}

/* The data of a Vec, which may have some though it is empty. */
static bool look_at_data(struct search *s, brolga_word data, bool *frozen)
{
    if (s->model->buffer_alloc == NULL)
        return is_single(s, data, frozen);
    find(s, (const void *)brolga__word_at(data, 0));
    return true;
}

static bool look_at_vec(struct search *s, const brolga_type *type,
                        brolga_word value)
{
    const brolga_word *field = brolga__fields(s->model, value);
    bool frozen = false;

    if (brolga__check_vec(s->model, value) != NULL)
        return false;
    if (field[0] == 0 && (field[2] == 0 || s->how->heap == NULL))
        return true;
    if (!look_at_data(s, field[2], &frozen))
        return false;
    return field[0] == 0 || frozen || type->shape == BROLGA__VEC_WORDS ||
           push(s, type->element, brolga__elements(s->model, field[2]),
                (size_t)field[0]);
}

static bool look_at_sum(struct search *s, const brolga_type *type,
                        brolga_word value)
{
    const brolga_word *field = brolga__fields(s->model, value);
    uint64_t tag = (uint64_t)field[0];

    if (tag >= type->ctor_count)
        return false;
    for (uint32_t i = 0; i < type->ctors[tag]->refs; i++) {
        const struct brolga__ref *ref = &type->ctors[tag]->ref[i];

        /* The ends of lists and trees need no turn of their own. */
        if ((uint64_t)field[ref->field] >= ref->small &&
            !push(s, ref->type, &field[ref->field], 1))
            return false;
    }
    return true;
}

static bool look_at_closure(struct search *s, brolga_word value)
{
    struct brolga_closure_info info;
    int code;

    if (brolga__check_closure(s->model, value, &info, &code) != NULL)
        return false;
    for (size_t i = 0; i < info.captures; i++)
        if (!push(s, info.types[i], &brolga__captures(s->model, value)[i], 1))
            return false;
    return true;
}

static bool look_at(struct search *s, const brolga_type *type,
                    brolga_word value)
{
    bool frozen;

    if (type->shape == BROLGA__GENERATED)
        type = type->plain;
    if (type->shape == BROLGA__HANDLE || type->shape == BROLGA__WORD ||
        (type->has_nullary && brolga__is_small(s->model, value)))
        return true;
    if (type->shape == BROLGA__REFUSED || !is_single(s, value, &frozen))
        return false;
    if (frozen)
        return true;
    switch (type->shape) {
    case BROLGA__STRING:
        return true;
    case BROLGA__VEC_WORDS:
    case BROLGA__VEC_REFS:
        return look_at_vec(s, type, value);
    case BROLGA__SPINE:
    case BROLGA__TREE:
    case BROLGA__SUM:
        return look_at_sum(s, type, value);
    case BROLGA__CLOSURE:
        return look_at_closure(s, value);
    default:
        return false;
    }
}

/* --- the walk ----------------------------------------------------------- */

static int pause_if_due(const struct brolga__uniques *how)
{
    if (how->pause == NULL || how->turns % PAUSE_TURNS != 0)
        return BROLGA_OK;
    return how->pause(how->pause_arg);
}

/* What is left of a turn that went well; false if that ends the walk. */
static inline bool turned(struct search *s)
{
    struct brolga__uniques *how = s->how;

    for (unsigned i = 0; how->heap != NULL && i < s->found_count; i++)
        brolga__vheap_keep(how->heap, s->found[i], how->kept);
    how->turns++;
    s->err = pause_if_due(how);
    return s->err == BROLGA_OK && how->turns < how->turns_max;
}

static bool fail(struct search *s)
{
    if (s->err == BROLGA_OK)
        s->err = BROLGA_EBUSY;
    return false;
}

/* A list of words: a turn for each object, and nothing ever waits. */
static bool turn_spine(struct search *s, const struct brolga__ctor *cons,
                       brolga_word list)
{
    const uint32_t next = cons->ref[0].field;
    const uint64_t small = cons->ref[0].small;

    while ((uint64_t)list >= small) { /* Ends: each object is met once. */
        const brolga_word *field = brolga__fields(s->model, list);
        bool frozen;

        s->found_count = 0;
        if (!is_single(s, list, &frozen) ||
            (!frozen && field[0] != (brolga_word)cons->tag))
            return fail(s);
        if (!turned(s))
            return false;
        if (frozen)
            break;
        list = field[next];
    }
    return true;
}

/* Looks at the next word; false if that ends the walk. */
static bool turn(struct search *s)
{
    struct row *top = &s->row[s->depth - 1];
    brolga_word next = *top->word++;
    const brolga_type *type = top->type;

    if (--top->count == 0)
        s->depth--;
    if (type->shape == BROLGA__SPINE && type->only->leaves == 0)
        return turn_spine(s, type->only, next);
    s->found_count = 0;
    return look_at(s, type, next) ? turned(s) : fail(s);
}

int brolga__uniques_walk(const brolga_type *type, brolga_word word,
                         struct brolga__uniques *how)
{
    struct search s;

    s.model = type->model;
    s.how = how;
    s.row = s.first;
    s.depth = 0;
    s.capacity = ROWS_INLINE;
    s.err = BROLGA_OK;
    how->turns = 0;
    (void)push(&s, type, &word, 1);
    /* Ends: every object is looked at once, or found to be shared. */
    if (how->turns_max > 0)
        while (s.depth > 0 && turn(&s))
            continue;
    if (s.row != s.first && how->heap == NULL)
        brolga__free(s.row);
    return s.err;
}

bool brolga__is_unique(const brolga_type *type, brolga_word word)
{
    struct brolga__uniques how = {.turns_max = UINT64_MAX};

    return brolga__uniques_walk(type, word, &how) == BROLGA_OK;
}
