/*
 * Audits of counts, for hosts in the making: the environment's BROLGA_DEBUG_RC
 * asks for them.
 *
 * Before each copy, check or move of a value all references within it are
 * counted. An object with more of them than its count says will be freed too
 * early, sooner or later; and one whose count is 1 might be moved while it is
 * still in use. The audit tells the object's type, and two ways to it: by the
 * last reference, which was one too many, and by the first.
 *
 * A value that is moved must be reachable from nowhere else: then a count above
 * the number of references is a mistake, too, if the model's counts are exact.
 *
 *   BROLGA_DEBUG_RC=1      the operation fails with BROLGA_EINVAL
 *   BROLGA_DEBUG_RC=abort  the program ends, for a debugger to look at
 *
 * Both write what was found to standard error, for those who do not look at
 * errors. An audit that runs out of memory finds nothing.
 */
#include "copy/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Atomic int32_t brolga__rc_wanted;

static int32_t wanted(void)
{
    int32_t now = brolga__load_relaxed(&brolga__rc_wanted);
    const char *text;

    if (now != BROLGA__RC_UNKNOWN)
        return now;
    text = getenv("BROLGA_DEBUG_RC");
    now = BROLGA__RC_OFF;
    if (text != NULL && strcmp(text, "abort") == 0)
        now = BROLGA__RC_ABORT;
    else if (text != NULL && text[0] != '\0' && strcmp(text, "0") != 0)
        now = BROLGA__RC_FAIL;
    /* Relaxed: whoever comes first, all find the same. */
    brolga__store_relaxed(&brolga__rc_wanted, now);
    return now;
}

/* Says what is wrong with an object, and the way to the first reference to it
 * that a walk meets. */
static void tell(const brolga_type *type, brolga_word word, brolga_word object,
                 const char *problem, struct brolga_copy_error *error)
{
    int64_t count = brolga__load_relaxed(brolga__count(type->model, object));
    struct brolga_copy_error first = {0}; /* Its text will name the type. */
    char path[80] = "?";                  /* The inner end, if it is long. */
    struct brolga__search s;

    brolga__search_begin(&s, type, &first);
    s.wanted = object;
    if (brolga__search_run(&s, type, word) != BROLGA_ENOMEM) {
        brolga__search_path(&s, path, sizeof(path));
        if (path[0] == '\0')
            (void)snprintf(path, sizeof(path), "the value itself");
    }
    brolga__search_end(&s);
    (void)snprintf(error->text, sizeof(error->text),
                   "%.30s 0x%" PRIx64 " counts %" PRId64 ", %.20s: first by %s",
                   first.text, (uint64_t)object, count, problem, path);
}

/* An object of a value that is moved to which something else refers, or 0. */
static brolga_word find_outside(const struct brolga__search *s)
{
    for (uint32_t i = 0; i < s->seen.count; i++) {
        const struct brolga__shared *e = &s->seen.entry[i];

        if (e->refs < e->count)
            return e->source;
    }
    return 0;
}

static int find(const brolga_type *type, brolga_word word, bool alone,
                struct brolga_copy_error *error)
{
    struct brolga__search s;
    brolga_word outside = 0;
    int err;

    brolga__search_begin(&s, type, error);
    s.audits = true;
    err = brolga__search_run(&s, type, word);
    if (s.found != 0) {
        brolga__search_path(&s, error->path, sizeof(error->path));
        tell(type, word, s.found, "is referred to more", error);
    } else if (alone && err == BROLGA_OK) {
        outside = find_outside(&s);
        if (outside != 0)
            tell(type, word, outside, "is not all within", error);
    }
    err = s.found != 0 || outside != 0 ? BROLGA_EINVAL : BROLGA_OK;
    brolga__search_end(&s);
    return err;
}

int brolga__audit(const brolga_type *type, brolga_word word, bool alone,
                  struct brolga_copy_error *error)
{
    struct brolga_copy_error found = {0};
    int err;

    if (wanted() == BROLGA__RC_OFF || type->shape == BROLGA__WORD)
        return BROLGA_OK;
    err = find(type, word, alone && type->model->exact_counts, &found);
    if (err == BROLGA_OK)
        return BROLGA_OK;
    found.code = err;
    (void)fprintf(stderr, "brolga: count audit of %s: %s%s%s\n", type->name,
                  found.path, found.path[0] != '\0' ? ": " : "", found.text);
    brolga__assert(wanted() != BROLGA__RC_ABORT);
    if (error != NULL)
        *error = found;
    return err;
}
