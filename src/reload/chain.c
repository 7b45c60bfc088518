#include "reload/chain.h"

#include "alloc.h"

#include <string.h>

/* --- shapes ------------------------------------------------------------- */

bool brolga__shape_fits(struct brolga__shape was, struct brolga__shape is)
{
    if (was.layout != NULL && is.layout != NULL)
        return brolga__layout_fits(was.layout, is.layout);
    return was.bytes == is.bytes && (was.type == NULL || is.type == NULL ||
                                     strcmp(was.type, is.type) == 0);
}

void brolga__shape_explain(struct brolga__text *text, struct brolga__shape was,
                           struct brolga__shape is)
{
    if (was.layout != NULL && is.layout != NULL)
        brolga__layout_explain(text, was.layout, is.layout);
    else
        brolga__text_add(text, "it was %s, %zu bytes, and is %s, %zu bytes",
                         was.type, was.bytes, is.type, is.bytes);
}

void brolga__chain_advise(struct brolga__text *text, const char *name,
                          const char *type)
{
    brolga__text_add(text,
                     "\n  keep the old type in the file under another name, "
                     "and say how one becomes the other:\n"
                     "  BROLGA_MIGRATE(%s, old_type, from, %s, to) { "
                     "to->field = from->field; return BROLGA_OK; }",
                     name, type);
}

/* --- finding ------------------------------------------------------------ */

/* Migrations of the images that may have them. */
struct search {
    const struct brolga__image *images[2];
    const char *name;
    struct brolga__shape from;
    const struct brolga__migration *found[64];
    int before[64]; /* The one that leads to it; -1: none. */
    int count;
};

static struct brolga__shape shape_from(const struct brolga__migration *step)
{
    return (struct brolga__shape){step->from_layout, step->from,
                                  step->from_bytes};
}

static struct brolga__shape shape_to(const struct brolga__migration *step)
{
    return (struct brolga__shape){step->to_layout, step->to, step->to_bytes};
}

static bool is_known(const struct search *search,
                     const struct brolga__migration *migration)
{
    for (int i = 0; i < search->count; i++)
        if (search->found[i] == migration)
            return true;
    return false;
}

/* The old type has another name in the file by now, so that names do not help
 * to find where a chain begins. */
static bool leads_on(const struct search *search, int last,
                     const struct brolga__migration *next)
{
    struct brolga__shape begin = shape_from(next);

    if (last >= 0)
        return brolga__shape_fits(shape_to(search->found[last]), begin);
    begin.type = NULL;
    return brolga__shape_fits(search->from, begin);
}

static void extend(struct search *search, int last)
{
    for (int k = 0; k < 2; k++) {
        const struct brolga__image *image = search->images[k];

        for (size_t i = 0; image != NULL && i < image->migrations_count; i++) {
            const struct brolga__migration *next = &image->migrations[i];

            if (strcmp(next->state, search->name) != 0 ||
                search->count == (int)brolga__lengthof(search->found) ||
                is_known(search, next) || !leads_on(search, last, next))
                continue;
            search->found[search->count] = next;
            search->before[search->count++] = last;
        }
    }
}

/* Looks at what one step more reaches, until one leads there. */
struct brolga__chain brolga__chain_find(struct brolga__shape from,
                                        struct brolga__shape to,
                                        const char *name,
                                        const struct brolga__image *was,
                                        const struct brolga__image *will)
{
    struct search search = {.images = {will, was}, .name = name, .from = from};
    struct brolga__chain chain = {.steps = 0};
    unsigned steps = 0;
    int end = 0;

    extend(&search, -1);
    while (end < search.count &&
           !brolga__shape_fits(shape_to(search.found[end]), to))
        extend(&search, end++);
    if (end == search.count)
        return chain;
    for (int i = end; i >= 0; i = search.before[i])
        steps++;
    if (steps > BROLGA__CHAIN_MAX)
        return chain;
    chain.steps = steps;
    for (unsigned k = steps; k > 0; end = search.before[end])
        chain.step[--k] = search.found[end];
    return chain;
}

/* --- taking it ---------------------------------------------------------- */

int brolga__chain_begin(struct brolga__chain *chain)
{
    for (unsigned i = 0; i + 1 < chain->steps; i++) {
        chain->between[i] = brolga__alloc_line(chain->step[i]->to_bytes + 1);
        if (chain->between[i] == NULL)
            return BROLGA_ENOMEM;
    }
    return BROLGA_OK;
}

void brolga__chain_end(struct brolga__chain *chain)
{
    for (unsigned i = 0; i < chain->steps; i++)
        brolga__free(chain->between[i]);
    chain->steps = 0;
}

const struct brolga__migration *
brolga__chain_run(const struct brolga__chain *chain, const void *from, void *to)
{
    for (unsigned i = 0; i < chain->steps; i++) {
        const struct brolga__migration *step = chain->step[i];
        void *next = to;

        if (i + 1 < chain->steps) {
            next = chain->between[i];
            memset(next, 0, step->to_bytes);
        }
        if (step->code(from, next) != BROLGA_OK)
            return step;
        from = next;
    }
    return NULL;
}
