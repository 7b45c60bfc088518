/*
 * Where a copy failed: a second walk over the source, after the copy has been
 * undone, that stops at the first culprit and tells the way to it. Slow is
 * good enough here; it is the path of a failure.
 *
 * The walk is depth-first with its own stack, whose frames are the path. Runs
 * of equal steps at the end of a node, as along a list, share one frame, so
 * that a long list does not make a deep stack. Shared objects are visited
 * once. If memory runs out, the path stays empty; the code says enough.
 */
#include "copy/copy.h"

#include "alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_MAX (UINT32_C(1) << 20)

struct frame {
    const brolga_type *type;
    const struct brolga__ctor *ctor; /* of a sum */
    struct brolga_closure_info info; /* of a closure */
    brolga_word value;
    uint64_t next;    /* the reference to visit next */
    uint64_t total;   /* references */
    uint64_t repeats; /* further steps like this one */
};

struct search {
    const struct brolga_model *model;
    struct frame *frame;
    uint32_t depth;
    uint32_t capacity;
    struct brolga__memo seen;
    struct brolga_copy_error *error;
};

/* What a visit found, besides an error. */
enum { PASS, FOLLOW };

static int culprit(struct search *s, int code, const char *text)
{
    (void)snprintf(s->error->text, sizeof(s->error->text), "%s", text);
    return code;
}

static int invalid(struct search *s, const brolga_type *type,
                   const char *problem)
{
    (void)snprintf(s->error->text, sizeof(s->error->text),
                   "%s where a value of type %.80s should be", problem,
                   type->name);
    return BROLGA_EINVAL;
}

/* --- one object --------------------------------------------------------- */

/* Checks the object's count, and whether it was visited before. */
static int visit_count(struct search *s, const brolga_type *type,
                       brolga_word word)
{
    int64_t count;

    if (brolga__is_small(s->model, word))
        return invalid(s, type, "a small number");
    count = brolga__load_relaxed(brolga__count(s->model, word));
    if (brolga__is_frozen(s->model, count))
        return PASS;
    if (count <= 0)
        return invalid(s, type, "an object that nobody refers to");
    if (count == 1)
        return FOLLOW;
    if (brolga__memo_find(&s->seen, word, count) != NULL)
        return PASS;
    return brolga__memo_add(&s->seen, word, count, 0) == BROLGA_OK
               ? FOLLOW
               : BROLGA_ENOMEM;
}

static int visit_sum(struct search *s, const brolga_type *type,
                     brolga_word word, struct frame *out)
{
    uint64_t tag = (uint64_t)brolga__fields(s->model, word)[0];

    if (tag >= type->ctor_count || type->ctors[tag]->fields == 0)
        return invalid(s, type, "an object with an impossible tag");
    out->ctor = type->ctors[tag];
    out->total = out->ctor->refs;
    return FOLLOW;
}

static int visit_closure(struct search *s, brolga_word word, struct frame *out)
{
    int code;
    const char *problem =
        brolga__check_closure(s->model, word, &out->info, &code);
    const char *name = out->info.name != NULL ? out->info.name : "unnamed";

    out->total = out->info.captures;
    if (problem == NULL)
        return FOLLOW;
    (void)snprintf(s->error->text, sizeof(s->error->text),
                   "%s: '%.40s' at code 0x%" PRIxPTR, problem, name,
                   brolga__code(s->model, word));
    return code;
}

static int visit_object(struct search *s, const brolga_type *type,
                        brolga_word word, struct frame *out)
{
    const char *problem = NULL;

    switch (type->shape) {
    case BROLGA__SPINE:
    case BROLGA__TREE:
    case BROLGA__SUM:
        return visit_sum(s, type, word, out);
    case BROLGA__CLOSURE:
        return visit_closure(s, word, out);
    case BROLGA__STRING:
        problem = brolga__check_string(s->model, word);
        break;
    default: /* The Vecs. */
        problem = brolga__check_vec(s->model, word);
        if (type->shape == BROLGA__VEC_REFS)
            out->total = (uint64_t)brolga__fields(s->model, word)[0];
        break;
    }
    return problem != NULL ? invalid(s, type, problem) : FOLLOW;
}

/* Looks at one word; fills `out` if there is something to follow. */
static int visit(struct search *s, const brolga_type *type, brolga_word word,
                 struct frame *out)
{
    int err;

    if (type->shape == BROLGA__GENERATED)
        type = type->plain;
    *out = (struct frame){.type = type, .value = word};
    if (type->shape == BROLGA__WORD ||
        (type->has_nullary && brolga__is_small(s->model, word)))
        return PASS;
    if (type->shape == BROLGA__HANDLE)
        return type->retain != NULL || word == 0
                   ? PASS
                   : culprit(s, BROLGA_EUNSENDABLE, type->refusal);
    if (type->shape == BROLGA__REFUSED)
        return culprit(s, BROLGA_EUNSENDABLE, type->refusal);
    err = visit_count(s, type, word);
    if (err == FOLLOW)
        err = visit_object(s, type, word, out);
    return err == FOLLOW && out->total == 0 ? PASS : err;
}

/* The i-th reference of a frame. */
static brolga_word child(const struct search *s, const struct frame *f,
                         uint64_t i, const brolga_type **type)
{
    const brolga_word *field = brolga__fields(s->model, f->value);

    if (f->ctor != NULL) {
        *type = f->ctor->ref[i].type;
        return field[f->ctor->ref[i].field];
    }
    if (f->type->shape == BROLGA__CLOSURE) {
        *type = f->info.types[i];
        return brolga__captures(s->model, f->value)[i];
    }
    *type = f->type->element;
    return brolga__elements(s->model, field[2])[i];
}

/* --- the stack ---------------------------------------------------------- */

static bool is_same_step(const struct frame *a, const struct frame *b)
{
    return a->type == b->type && a->ctor == b->ctor && a->ctor != NULL &&
           a->next == a->total && b->next == b->total;
}

/* The top frame repeats the one below it, and neither will be needed to go on:
 * keep one of the two. */
static void merge(struct search *s)
{
    struct frame *top = &s->frame[s->depth - 1];

    if (s->depth < 2 || !is_same_step(top - 1, top))
        return;
    top[-1].repeats += top->repeats + 1;
    s->depth--;
}

static int push(struct search *s, const struct frame *frame)
{
    if (s->depth == s->capacity) {
        uint32_t capacity = s->capacity == 0 ? 64 : 2 * s->capacity;
        struct frame *grown = NULL;

        if (capacity <= FRAMES_MAX)
            grown = brolga__realloc(s->frame, capacity * sizeof(*grown));
        if (grown == NULL)
            return BROLGA_ENOMEM;
        s->frame = grown;
        s->capacity = capacity;
    }
    s->frame[s->depth++] = *frame;
    return BROLGA_OK;
}

/* Goes on with the top frame's next reference, or drops the frame. */
static int step(struct search *s)
{
    struct frame *top = &s->frame[s->depth - 1];
    const brolga_type *type;
    struct frame found;
    brolga_word word;
    int err;

    if (top->next == top->total) {
        s->depth--;
        return PASS;
    }
    word = child(s, top, top->next, &type);
    top->next++;
    err = visit(s, type, word, &found);
    if (err != FOLLOW)
        return err;
    merge(s);
    return push(s, &found);
}

/* --- the text ----------------------------------------------------------- */

/* "field 2 of Cons", "element 1 of Vec", "capture 1 of closure render". */
static void write_step(const struct frame *f, char *text, size_t bytes)
{
    char times[32] = "";

    if (f->repeats > 0)
        (void)snprintf(times, sizeof(times), " (%" PRIu64 " times)",
                       f->repeats + 1);
    if (f->ctor != NULL)
        (void)snprintf(text, bytes, "field %u of %.40s%s",
                       f->ctor->ref[f->next - 1].field, f->ctor->name, times);
    else if (f->type->shape == BROLGA__CLOSURE)
        (void)snprintf(text, bytes, "capture %" PRIu64 " of closure %.40s",
                       f->next, f->info.name ? f->info.name : "unnamed");
    else
        (void)snprintf(text, bytes, "element %" PRIu64 " of Vec", f->next);
}

/* The last steps that fit, from the outside in. */
static void write_path(const struct search *s, char *path, size_t bytes)
{
    static const char more[] = "... -> ";
    uint32_t first = s->depth;
    size_t used = sizeof(more);
    char text[96];

    while (first > 0) {
        write_step(&s->frame[first - 1], text, sizeof(text));
        used += strlen(text) + 4;
        if (used > bytes)
            break;
        first--;
    }
    path[0] = '\0';
    if (first > 0)
        (void)snprintf(path, bytes, "%s", more);
    for (uint32_t i = first; i < s->depth; i++) {
        size_t at = strlen(path);

        write_step(&s->frame[i], text, sizeof(text));
        (void)snprintf(path + at, bytes - at, "%s%s", text,
                       i + 1 < s->depth ? " -> " : "");
    }
}

void brolga__path_find(const brolga_type *type, brolga_word word,
                       struct brolga_copy_error *error)
{
    struct search s = {.model = type->model, .error = error};
    struct frame root;
    int err;

    brolga__memo_init(&s.seen, s.model, true);
    err = visit(&s, type, word, &root);
    if (err == FOLLOW)
        err = push(&s, &root);
    while (err >= 0 && s.depth > 0) /* Each turn uses up a reference. */
        err = step(&s);
    if (err == BROLGA_ENOMEM)
        (void)snprintf(error->text, sizeof(error->text),
                       "no memory to tell where");
    else
        write_path(&s, error->path, sizeof(error->path));
    brolga__memo_free(&s.seen);
    brolga__free(s.frame);
}
