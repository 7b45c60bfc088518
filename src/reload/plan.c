/*
 * The plan: which of the new images can run beside what runs now.
 *
 * What would run of each file is its candidate, or, without one, what runs of
 * it now. A candidate does not fit if
 *
 *   - another file has a module of the same name,
 *   - an import of it names no export that would run, or one with another
 *     signature, or with types that lie otherwise in memory, or
 *   - it no longer offers, under the same signature, what a file that stays
 *     as it is imports, unless stale callers are allowed. Types must be the
 *     same in any case: one slot cannot serve two layouts.
 *
 * A candidate that does not fit is out, and then its old image counts, which
 * may make another one unfit: so the search is repeated until nothing changes.
 * Each turn but the last puts at least one out, hence at most count + 1 turns.
 *
 * No I/O, no state: what is told depends on the arguments only.
 */
#include "reload/layout.h"

#include <string.h>

struct check {
    struct brolga__plan_item *items;
    size_t count;
    bool allow_stale;
    brolga__plan_tell tell;
    void *arg;
};

static bool is_candidate(const struct brolga__plan_item *item)
{
    return item->next != NULL && !item->out;
}

/* What would run of a file. */
static const struct brolga__image *
effective(const struct brolga__plan_item *item)
{
    return is_candidate(item) ? item->next : item->now;
}

static const struct brolga__image *
find_module(const struct brolga__plan_item *items, size_t count,
            const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct brolga__image *image = effective(&items[i]);

        if (image != NULL && strcmp(image->module, name) == 0)
            return image;
    }
    return NULL;
}

static void add_where(struct brolga__text *text, const struct brolga__symbol *s)
{
    brolga__text_add(text, "%s:%d", s->file, s->line);
}

/* --- an import that leads nowhere --------------------------------------- */

static bool is_closer(const char *name, const char *than, const char *wanted)
{
    return than == NULL || brolga__text_distance(name, wanted) <
                               brolga__text_distance(than, wanted);
}

/* Suggests `name` if it is near enough to be what was meant. */
static void suggest(struct brolga__text *text, const char *name,
                    const char *wanted)
{
    size_t limit = strlen(wanted) / 3 + 1;

    if (name != NULL && brolga__text_distance(name, wanted) <= limit)
        brolga__text_add(text, "; did you mean '%s'?", name);
}

/* Whether a file's name, without ".c", is the module's. */
static bool is_file_of(const char *file, const char *module)
{
    const char *base = brolga__text_base(file);
    size_t bytes = strlen(module);

    return strncmp(base, module, bytes) == 0 && strcmp(base + bytes, ".c") == 0;
}

/* The import names a module that does not run. */
static void explain_module(const struct check *check, struct brolga__text *text,
                           const struct brolga__symbol *import)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < check->count; i++) {
        const struct brolga__plan_item *item = &check->items[i];
        const struct brolga__image *image = effective(item);

        if ((item->broken || item->out) &&
            is_file_of(item->file, import->module)) {
            brolga__text_add(text,
                             "module '%s' does not run, because %s is not in "
                             "order; mend that first",
                             import->module, item->file);
            return;
        }
        if (image != NULL && is_closer(image->module, nearest, import->module))
            nearest = image->module;
    }
    brolga__text_add(text, "there is no module '%s'", import->module);
    suggest(text, nearest, import->module);
    brolga__text_add(text,
                     "\n  add a file with BROLGA_MODULE(%s);, or name "
                     "another module here",
                     import->module);
}

static void list_exports(struct brolga__text *text,
                         const struct brolga__image *image)
{
    if (image->exports_count == 0) {
        brolga__text_add(text, "\n  %s exports nothing", image->file);
        return;
    }
    brolga__text_add(text, "\n  %s exports", image->file);
    for (size_t i = 0; i < image->exports_count; i++)
        brolga__text_add(text, "%s %s", i == 0 ? "" : ",",
                         image->exports[i].name);
}

/* The import names a function that its module lacks. */
static void explain_name(struct brolga__text *text,
                         const struct brolga__symbol *import,
                         const struct brolga__image *image)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < image->exports_count; i++)
        if (is_closer(image->exports[i].name, nearest, import->name))
            nearest = image->exports[i].name;
    brolga__text_add(text, "module '%s' exports no '%s'", import->module,
                     import->name);
    suggest(text, nearest, import->name);
    list_exports(text, image);
}

static bool same_signature(const struct brolga__symbol *import,
                           const struct brolga__symbol *export)
{
    return strcmp(export->signature, import->signature) == 0;
}

/* What is not known does not count. */
static bool same_types(const struct brolga__symbol *import,
                       const struct brolga__symbol *export)
{
    return import->layout == NULL || export->layout == NULL ||
           brolga__layout_fits(import->layout, export->layout) ||
           brolga__layout_fits(export->layout, import->layout);
}

static void explain_types(struct brolga__text *text,
                          const struct brolga__symbol *import,
                          const struct brolga__symbol *export)
{
    brolga__text_add(text, "\n  ");
    brolga__layout_explain(text, import->layout, export->layout);
    brolga__text_add(text, "\n  imported, as it was, at ");
    add_where(text, import);
    brolga__text_add(text, "\n  exported, as it is, at ");
    add_where(text, export);
    brolga__text_add(text, "\n  put the type into a header that both include; "
                           "both run together once they agree");
}

static void explain_signature(struct brolga__text *text,
                              const struct brolga__symbol *import,
                              const struct brolga__symbol *export)
{
    if (same_signature(import, export)) {
        brolga__text_add(text,
                         "'%s.%s' is imported with types of another layout",
                         import->module, import->name);
        explain_types(text, import, export);
        return;
    }
    brolga__text_add(text,
                     "'%s.%s' is imported with another signature than it has",
                     import->module, import->name);
    brolga__text_add(text, "\n  imported as %s  at ", import->signature);
    add_where(text, import);
    brolga__text_add(text, "\n  exported as %s  at ", export->signature);
    add_where(text, export);
    brolga__text_add(text, "\n  change one of them; both run together once "
                           "they agree");
}

/* Whether an import is not served, and why. */
static enum brolga_refusal why_unserved(const struct check *check,
                                        const struct brolga__symbol *import,
                                        struct brolga__text *text)
{
    const struct brolga__image *image =
        find_module(check->items, check->count, import->module);
    const struct brolga__symbol *export =
        image == NULL ? NULL : brolga__image_export(image, import->name);

    if (export != NULL && same_signature(import, export) &&
        same_types(import, export))
        return BROLGA_REFUSED_NOT;
    brolga__text_add(text, "%s:%d: ", import->file, import->line);
    if (image == NULL)
        explain_module(check, text, import);
    else if (export == NULL)
        explain_name(text, import, image);
    else
        explain_signature(text, import, export);
    return export == NULL ? BROLGA_REFUSED_IMPORT : BROLGA_REFUSED_SIGNATURE;
}

static bool imports_fit(const struct check *check, size_t i)
{
    const struct brolga__image *next = check->items[i].next;
    bool fit = true;

    for (size_t k = 0; k < next->imports_count; k++) {
        const struct brolga__symbol *import = &next->imports[k];
        struct brolga__text text = {0};
        enum brolga_refusal why = why_unserved(check, import, &text);

        if (why == BROLGA_REFUSED_NOT)
            continue;
        check->tell(check->arg, i, why, import->file, import->line, text.at);
        fit = false;
    }
    return fit;
}

/* --- a name that is taken ----------------------------------------------- */

/* Whether file `j` has a better right to the module's name than candidate `i`:
 * it has had it, or comes first. */
static bool has_better_right(const struct check *check, size_t j, size_t i)
{
    const struct brolga__image *other = check->items[j].now;
    const struct brolga__image *mine = check->items[i].now;
    const char *name = check->items[i].next->module;

    if (other != NULL && strcmp(other->module, name) == 0)
        return true;
    if (mine != NULL && strcmp(mine->module, name) == 0)
        return false;
    return j < i;
}

static bool name_fits(const struct check *check, size_t i)
{
    const struct brolga__image *next = check->items[i].next;

    for (size_t j = 0; j < check->count; j++) {
        const struct brolga__image *other = effective(&check->items[j]);
        struct brolga__text text = {0};

        if (j == i || other == NULL ||
            strcmp(other->module, next->module) != 0 ||
            !has_better_right(check, j, i))
            continue;
        brolga__text_add(&text,
                         "%s:%d: module '%s' is %s already (%s:%d)\n"
                         "  give one of the two another name in "
                         "BROLGA_MODULE()",
                         next->file, next->line, next->module, other->file,
                         other->file, other->line);
        check->tell(check->arg, i, BROLGA_REFUSED_DUPLICATE, next->file,
                    next->line, text.at);
        return false;
    }
    return true;
}

/* --- an export that others need as it was ------------------------------- */

/* Whether an image, which may be NULL, has what the import needs. */
static bool offers(const struct brolga__image *image,
                   const struct brolga__symbol *import)
{
    const struct brolga__symbol *export;

    if (image == NULL || strcmp(image->module, import->module) != 0)
        return false;
    export = brolga__image_export(image, import->name);
    return export != NULL && same_signature(import, export) &&
           same_types(import, export);
}

/* Whether the candidate would no longer offer what the import needs, but what
 * runs does: a stale import is not its fault. */
static bool is_broken_by(const struct brolga__symbol *import,
                         const struct brolga__plan_item *item)
{
    return offers(item->now, import) && !offers(item->next, import);
}

static void explain_break(struct brolga__text *text,
                          const struct brolga__symbol *import,
                          const struct brolga__image *next)
{
    const struct brolga__symbol *export =
        strcmp(next->module, import->module) == 0
            ? brolga__image_export(next, import->name)
            : NULL;

    if (export == NULL) {
        brolga__text_add(text,
                         "%s:%d: '%s.%s' is gone, but %s:%d imports it\n"
                         "  bring it back, or remove the import first",
                         next->file, next->line, import->module, import->name,
                         import->file, import->line);
        return;
    }
    if (same_signature(import, export)) {
        brolga__text_add(text,
                         "%s:%d: a type of '%s.%s' has changed, but %s:%d "
                         "was built with the old one",
                         export->file, export->line, import->module,
                         import->name, import->file, import->line);
        explain_types(text, import, export);
        return;
    }
    brolga__text_add(text,
                     "%s:%d: the signature of '%s.%s' has changed, but "
                     "%s:%d imports the old one",
                     export->file, export->line, import->module, import->name,
                     import->file, import->line);
    brolga__text_add(text, "\n  exported as %s  at ", export->signature);
    add_where(text, export);
    brolga__text_add(text, "\n  imported as %s  at ", import->signature);
    add_where(text, import);
    brolga__text_add(text, "\n  change the import too; both run together once "
                           "they agree");
}

/* Tells what candidate `i` breaks in file `j`, which stays as it is. */
static bool spares(const struct check *check, size_t i, size_t j)
{
    const struct brolga__image *stays = check->items[j].now;
    const struct brolga__image *next = check->items[i].next;
    bool fit = true;

    for (size_t k = 0; k < stays->imports_count; k++) {
        const struct brolga__symbol *import = &stays->imports[k];
        const struct brolga__symbol *export;
        struct brolga__text text = {0};

        export = strcmp(next->module, import->module) == 0
                     ? brolga__image_export(next, import->name)
                     : NULL;
        if (!is_broken_by(import, &check->items[i]) ||
            (check->allow_stale &&
             (export == NULL || !same_signature(import, export))))
            continue;
        explain_break(&text, import, next);
        check->tell(check->arg, i, BROLGA_REFUSED_IMPORTERS, next->file,
                    export == NULL ? next->line : export->line, text.at);
        fit = false;
    }
    return fit;
}

static bool importers_fit(const struct check *check, size_t i)
{
    bool fit = true;

    for (size_t j = 0; j < check->count; j++)
        if (j != i && check->items[j].now != NULL &&
            !is_candidate(&check->items[j]))
            fit &= spares(check, i, j);
    return fit;
}

/* --- all together ------------------------------------------------------- */

void brolga__plan_check(struct brolga__plan_item *items, size_t count,
                        bool allow_stale, brolga__plan_tell tell, void *arg)
{
    struct check check = {.items = items,
                          .count = count,
                          .allow_stale = allow_stale,
                          .tell = tell,
                          .arg = arg};
    bool settled;

    do {
        settled = true;
        for (size_t i = 0; i < count; i++) {
            if (!is_candidate(&items[i]))
                continue;
            if (!name_fits(&check, i) || !imports_fit(&check, i) ||
                !importers_fit(&check, i)) {
                items[i].out = true;
                settled = false;
            }
        }
    } while (!settled);
}

bool brolga__plan_importer(const struct brolga__plan_item *items, size_t count,
                           size_t i)
{
    const struct brolga__image *now = items[i].now;

    if (now == NULL || items[i].next != NULL)
        return false;
    for (size_t k = 0; k < now->imports_count; k++)
        for (size_t j = 0; j < count; j++)
            if (j != i && is_candidate(&items[j]) &&
                is_broken_by(&now->imports[k], &items[j]))
                return true;
    return false;
}

size_t brolga__plan_stale(const struct brolga__plan_item *items, size_t count,
                          size_t i, struct brolga__text *text)
{
    const struct brolga__image *now = items[i].now;
    size_t stale = 0;

    for (size_t k = 0; now != NULL && k < now->imports_count; k++) {
        const struct brolga__symbol *import = &now->imports[k];
        bool offered = false;

        for (size_t j = 0; !offered && j < count; j++)
            offered = offers(items[j].now, import);
        if (offered)
            continue;
        brolga__text_add(text, "%s%s:%d: goes on calling the old '%s.%s', %s",
                         stale == 0 ? "" : "\n", import->file, import->line,
                         import->module, import->name, import->signature);
        stale++;
    }
    return stale;
}
