/*
 * Searches. Where a copy failed: a second walk over the source, after the copy
 * has been undone, that stops at the first culprit and tells the way to it.
 * audit.c looks for other culprits in the same way. Slow is good enough here;
 * it is the path of a failure.
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

/* What a visit found, besides an error. */
enum { PASS, FOLLOW };

static int culprit(struct brolga__search *s, int code, const char *text)
{
    (void)snprintf(s->error->text, sizeof(s->error->text), "%s", text);
    return code;
}

static int invalid(struct brolga__search *s, const brolga_type *type,
                   const char *problem)
{
    (void)snprintf(s->error->text, sizeof(s->error->text),
                   "%s where a value of type %.80s should be", problem,
                   type->name);
    return BROLGA_EINVAL;
}

/* --- one object --------------------------------------------------------- */

/* Another reference to an object, in an audit. Every object is visited once,
 * whatever its count says. */
static int audit_count(struct brolga__search *s, const brolga_type *type,
                       brolga_word word, int64_t count)
{
    struct brolga__shared *seen = brolga__memo_find(&s->seen, word, count);

    if (seen == NULL)
        return brolga__memo_add(&s->seen, word, count, 0) == BROLGA_OK
                   ? FOLLOW
                   : BROLGA_ENOMEM;
    if (++seen->refs <= seen->count)
        return PASS;
    s->found = word;
    return invalid(s, type, "an object with more references than it counts");
}

/* Checks the object's count, and whether it was visited before. */
static int visit_count(struct brolga__search *s, const brolga_type *type,
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
    if (s->audits)
        return audit_count(s, type, word, count);
    if (count == 1)
        return FOLLOW;
    if (brolga__memo_find(&s->seen, word, count) != NULL)
        return PASS;
    return brolga__memo_add(&s->seen, word, count, 0) == BROLGA_OK
               ? FOLLOW
               : BROLGA_ENOMEM;
}

static int visit_sum(struct brolga__search *s, const brolga_type *type,
                     brolga_word word, struct brolga__step *out)
{
    uint64_t tag = (uint64_t)brolga__fields(s->model, word)[0];

    if (tag >= type->ctor_count || type->ctors[tag]->fields == 0)
        return invalid(s, type, "an object with an impossible tag");
    out->ctor = type->ctors[tag];
    out->total = out->ctor->refs;
    return FOLLOW;
}

static int visit_closure(struct brolga__search *s, brolga_word word,
                         struct brolga__step *out)
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

/* The data of a Vec, where that is an object of its own. */
static int visit_data(struct brolga__search *s, const brolga_type *type,
                      brolga_word data, struct brolga__step *out)
{
    if (s->model->buffer_alloc != NULL || brolga__is_small(s->model, data))
        return FOLLOW;
    if (brolga__load_relaxed(brolga__count(s->model, data)) != 1)
        out->is_shared = true;
    if (s->wanted != 0 && data == s->wanted)
        return culprit(s, BROLGA_EINVAL, "data of a Vec");
    return s->audits ? visit_count(s, type, data) : FOLLOW;
}

static int visit_vec(struct brolga__search *s, const brolga_type *type,
                     brolga_word word, struct brolga__step *out)
{
    const brolga_word *field = brolga__fields(s->model, word);
    const char *problem = brolga__check_vec(s->model, word);

    if (problem != NULL)
        return invalid(s, type, problem);
    if (type->shape == BROLGA__VEC_REFS)
        out->total = (uint64_t)field[0];
    return visit_data(s, type, field[2], out);
}

static int visit_object(struct brolga__search *s, const brolga_type *type,
                        brolga_word word, struct brolga__step *out)
{
    const char *problem;

    switch (type->shape) {
    case BROLGA__SPINE:
    case BROLGA__TREE:
    case BROLGA__SUM:
        return visit_sum(s, type, word, out);
    case BROLGA__CLOSURE:
        return visit_closure(s, word, out);
    case BROLGA__STRING:
        problem = brolga__check_string(s->model, word);
        return problem != NULL ? invalid(s, type, problem) : FOLLOW;
    default:
        return visit_vec(s, type, word, out);
    }
}

/* A handle can be copied if it can be retained, or else stays what it is with
 * the object that it is in. */
static bool passes_handle(const struct brolga__search *s,
                          const brolga_type *type, brolga_word word,
                          bool in_shared)
{
    return word == 0 || type->retain != NULL || (s->keeps && !in_shared);
}

/* Looks at one word; fills `out` if there is something to follow. `in_shared`:
 * it lies in an object that will be copied in any case. */
static int visit(struct brolga__search *s, const brolga_type *type,
                 brolga_word word, bool in_shared, struct brolga__step *out)
{
    int err;

    if (type->shape == BROLGA__GENERATED)
        type = type->plain;
    *out = (struct brolga__step){
        .type = type, .value = word, .is_shared = in_shared};
    if (type->shape == BROLGA__WORD ||
        (type->has_nullary && brolga__is_small(s->model, word)))
        return PASS;
    if (type->shape == BROLGA__HANDLE)
        return passes_handle(s, type, word, in_shared)
                   ? PASS
                   : culprit(s, BROLGA_EUNSENDABLE, type->refusal);
    if (type->shape == BROLGA__REFUSED)
        return culprit(s, BROLGA_EUNSENDABLE, type->refusal);
    if (s->wanted != 0 && word == s->wanted)
        return culprit(s, BROLGA_EINVAL, type->name);
    err = visit_count(s, type, word);
    if (err != FOLLOW)
        return err;
    if (brolga__load_relaxed(brolga__count(s->model, word)) != 1)
        out->is_shared = true;
    err = visit_object(s, type, word, out);
    return err == FOLLOW && out->total == 0 ? PASS : err;
}

/* The i-th reference of a frame. */
static brolga_word child(const struct brolga__search *s,
                         const struct brolga__step *f, uint64_t i,
                         const brolga_type **type)
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

static bool is_same_step(const struct brolga__step *a,
                         const struct brolga__step *b)
{
    return a->type == b->type && a->ctor == b->ctor && a->ctor != NULL &&
           a->next == a->total && b->next == b->total;
}

/* The top frame repeats the one below it, and neither will be needed to go on:
 * keep one of the two. */
static void merge(struct brolga__search *s)
{
    struct brolga__step *top = &s->step[s->depth - 1];

    if (s->depth < 2 || !is_same_step(top - 1, top))
        return;
    top[-1].repeats += top->repeats + 1;
    s->depth--;
}

static int push(struct brolga__search *s, const struct brolga__step *frame)
{
    if (s->depth == s->capacity) {
        uint32_t capacity = s->capacity == 0 ? 64 : 2 * s->capacity;
        struct brolga__step *grown = NULL;

        if (capacity <= FRAMES_MAX)
            grown = brolga__realloc(s->step, capacity * sizeof(*grown));
        if (grown == NULL)
            return BROLGA_ENOMEM;
        s->step = grown;
        s->capacity = capacity;
    }
    s->step[s->depth++] = *frame;
    return BROLGA_OK;
}

/* Goes on with the top frame's next reference, or drops the frame. */
static int step(struct brolga__search *s)
{
    struct brolga__step *top = &s->step[s->depth - 1];
    const brolga_type *type;
    struct brolga__step found;
    brolga_word word;
    int err;

    if (top->next == top->total) {
        s->depth--;
        return PASS;
    }
    word = child(s, top, top->next, &type);
    top->next++;
    err = visit(s, type, word, top->is_shared, &found);
    if (err == BROLGA_EUNSENDABLE && (s->audits || s->wanted != 0))
        return PASS; /* Somebody else's business. */
    if (err != FOLLOW)
        return err;
    merge(s);
    return push(s, &found);
}

/* --- the text ----------------------------------------------------------- */

/* "field 2 of Cons", "element 1 of Vec", "capture 1 of closure render". */
static void write_step(const struct brolga__step *f, char *text, size_t bytes)
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
void brolga__search_path(const struct brolga__search *s, char *path,
                         size_t bytes)
{
    static const char more[] = "... -> ";
    uint32_t first = s->depth;
    size_t used = sizeof(more);
    char text[96];

    while (first > 0) {
        write_step(&s->step[first - 1], text, sizeof(text));
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

        write_step(&s->step[i], text, sizeof(text));
        (void)snprintf(path + at, bytes - at, "%s%s", text,
                       i + 1 < s->depth ? " -> " : "");
    }
}

/* --- the whole ---------------------------------------------------------- */

void brolga__search_begin(struct brolga__search *s, const brolga_type *type,
                          struct brolga_copy_error *error)
{
    *s = (struct brolga__search){.model = type->model, .error = error};
    brolga__memo_init(&s->seen, s->model, true);
}

int brolga__search_run(struct brolga__search *s, const brolga_type *type,
                       brolga_word word)
{
    struct brolga__step root;
    int err = visit(s, type, word, false, &root);

    if (err == FOLLOW)
        err = push(s, &root);
    while (err >= 0 && s->depth > 0) /* Each turn uses up a reference. */
        err = step(s);
    return err < 0 ? err : BROLGA_OK;
}

void brolga__search_end(struct brolga__search *s)
{
    brolga__memo_free(&s->seen);
    brolga__free(s->step);
}

static void fill(struct brolga_copy_error *error, int code, const char *text)
{
    *error = (struct brolga_copy_error){.code = code};
    (void)snprintf(error->text, sizeof(error->text), "%s", text);
}

int brolga__copy_why(const brolga_type *type, brolga_word word, bool keeps,
                     struct brolga_copy_error *error)
{
    struct brolga__search s;
    int err;

    *error = (struct brolga_copy_error){.code = BROLGA_OK};
    brolga__search_begin(&s, type, error);
    s.keeps = keeps;
    err = brolga__search_run(&s, type, word);
    if (err == BROLGA_ENOMEM)
        fill(error, err, "no memory to tell where");
    else if (err != BROLGA_OK)
        brolga__search_path(&s, error->path, sizeof(error->path));
    error->code = err;
    brolga__search_end(&s);
    return err;
}

void brolga__copy_explain(const brolga_type *type, brolga_word word, int code,
                          bool keeps, struct brolga_copy_error *error)
{
    if (error == NULL)
        return;
    if (code == BROLGA_ENOMEM)
        fill(error, code, "out of memory");
    else if (brolga__copy_why(type, word, keeps, error) == BROLGA_OK)
        fill(error, code, "stopped in a pause");
    error->code = code;
}
