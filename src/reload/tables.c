/*
 * The tables of an image: what its file exports, imports and keeps. They are
 * copies, so that nothing of the session points into the image but addresses of
 * its code, its records of slots, and its states' places.
 *
 *   A  The last user of a memory sees what the others did: sub_acq_rel in
 *      brolga__memory_unref, with itself.
 */
#include "reload/layout.h"

#include "alloc.h"
#include "atomic.h"

#include <brolga/module.h>

#include <stdio.h>
#include <string.h>

/* --- the end ------------------------------------------------------------ */

static void free_symbols(struct brolga__symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        brolga__free(symbols[i].module);
        brolga__free(symbols[i].name);
        brolga__free(symbols[i].signature);
        brolga__free(symbols[i].layout);
        brolga__free(symbols[i].file);
    }
    brolga__free(symbols);
}

void brolga__memory_unref(struct brolga__memory *memory)
{
    if (memory == NULL || brolga__sub_acq_rel(&memory->refs, 1) != 1) /* A */
        return;
    brolga__free(memory->type);
    brolga__free(memory->layout);
    brolga__free(memory->at);
    brolga__free(memory);
}

void brolga__tables_free(struct brolga__image *image)
{
    free_symbols(image->exports, image->exports_count);
    free_symbols(image->imports, image->imports_count);
    brolga__free(image->module);
    for (size_t i = 0; i < image->states_count; i++) {
        brolga__free(image->states[i].name);
        brolga__free(image->states[i].type);
        brolga__free(image->states[i].layout);
        brolga__free(image->states[i].file);
        brolga__memory_unref(image->states[i].memory);
    }
    brolga__free(image->states);
    for (size_t i = 0; i < image->migrations_count; i++) {
        brolga__free(image->migrations[i].state);
        brolga__free(image->migrations[i].from);
        brolga__free(image->migrations[i].to);
        brolga__free(image->migrations[i].from_layout);
        brolga__free(image->migrations[i].to_layout);
    }
    brolga__free(image->migrations);
    for (size_t i = 0; i < image->messages_count; i++) {
        brolga__free(image->messages[i].name);
        brolga__free(image->messages[i].type);
        brolga__free(image->messages[i].layout);
        brolga__free(image->messages[i].file);
    }
    brolga__free(image->messages);
    brolga__registry_unref(image->registry);
}

/* --- copying ------------------------------------------------------------ */

static int copy_symbol(struct brolga__symbol *to, const char *module,
                       const char *name, const char *result, const char *params,
                       const char *file, int line)
{
    to->line = line;
    to->name = brolga__strdup(name);
    to->file = brolga__strdup(file);
    if (to->name == NULL || to->file == NULL)
        return BROLGA_ENOMEM;
    if (module != NULL && (to->module = brolga__strdup(module)) == NULL)
        return BROLGA_ENOMEM;
    return brolga__signature_make(result, params, &to->signature);
}

/* Constructors run in the order of the source and push to the front, so the
 * arrays are filled from the end. */
static int copy_exports(struct brolga__image *image,
                        const struct brolga_module_lists *lists)
{
    size_t count = 0;

    for (const struct brolga_module_export *e = lists->exports; e; e = e->next)
        count++;
    image->exports = brolga__alloc_zero((count + 1) * sizeof *image->exports);
    if (image->exports == NULL)
        return BROLGA_ENOMEM;
    image->exports_count = count;
    for (struct brolga_module_export *e = lists->exports; e; e = e->next) {
        struct brolga__symbol *to = &image->exports[--count];

        if (copy_symbol(to, NULL, e->name, e->result, e->params, e->file,
                        e->line) != BROLGA_OK)
            return BROLGA_ENOMEM;
        to->code = (const void *)(uintptr_t)e->code;
        to->record = &e->slot;
    }
    return BROLGA_OK;
}

static int copy_imports(struct brolga__image *image,
                        const struct brolga_module_lists *lists)
{
    size_t count = 0;

    for (const struct brolga_module_import *i = lists->imports; i; i = i->next)
        count++;
    image->imports = brolga__alloc_zero((count + 1) * sizeof *image->imports);
    if (image->imports == NULL)
        return BROLGA_ENOMEM;
    image->imports_count = count;
    for (struct brolga_module_import *i = lists->imports; i; i = i->next) {
        struct brolga__symbol *to = &image->imports[--count];

        if (copy_symbol(to, i->module, i->name, i->result, i->params, i->file,
                        i->line) != BROLGA_OK)
            return BROLGA_ENOMEM;
        to->record = &i->slot;
    }
    return BROLGA_OK;
}

static int copy_state(struct brolga__state *to,
                      const struct brolga_module_state *from)
{
    to->line = from->line;
    to->bytes = from->bytes;
    to->align = from->align;
    to->initial = from->initial;
    to->place = from->place;
    to->name = brolga__strdup(from->name);
    to->type = brolga__strdup(from->type);
    to->file = brolga__strdup(from->file);
    return to->name == NULL || to->type == NULL || to->file == NULL
               ? BROLGA_ENOMEM
               : BROLGA_OK;
}

static int copy_states(struct brolga__image *image,
                       const struct brolga_module_lists *lists)
{
    size_t count = 0;

    for (const struct brolga_module_state *s = lists->states; s; s = s->next)
        count++;
    image->states = brolga__alloc_zero((count + 1) * sizeof *image->states);
    if (image->states == NULL)
        return BROLGA_ENOMEM;
    image->states_count = count;
    for (const struct brolga_module_state *s = lists->states; s; s = s->next)
        if (copy_state(&image->states[--count], s) != BROLGA_OK)
            return BROLGA_ENOMEM;
    return BROLGA_OK;
}

static int copy_migration(struct brolga__migration *to,
                          const struct brolga_module_migration *from,
                          struct brolga__types *types)
{
    to->from_bytes = from->from_bytes;
    to->to_bytes = from->to_bytes;
    to->code = from->code;
    to->state = brolga__strdup(from->state);
    to->from = brolga__strdup(from->from);
    to->to = brolga__strdup(from->to);
    to->from_layout = brolga__types_pointee(types, from->symbol, 1);
    to->to_layout = brolga__types_pointee(types, from->symbol, 2);
    return to->state == NULL || to->from == NULL || to->to == NULL
               ? BROLGA_ENOMEM
               : BROLGA_OK;
}

static int copy_migrations(struct brolga__image *image,
                           const struct brolga_module_lists *lists,
                           struct brolga__types *types)
{
    const struct brolga_module_migration *m;
    size_t count = 0;

    for (m = lists->migrations; m; m = m->next)
        count++;
    image->migrations =
        brolga__alloc_zero((count + 1) * sizeof *image->migrations);
    if (image->migrations == NULL)
        return BROLGA_ENOMEM;
    image->migrations_count = count;
    for (m = lists->migrations; m; m = m->next)
        if (copy_migration(&image->migrations[--count], m, types) != BROLGA_OK)
            return BROLGA_ENOMEM;
    return BROLGA_OK;
}

static int copy_message(struct brolga__message *to,
                        const struct brolga_module_message *from,
                        struct brolga__types *types)
{
    to->line = from->line;
    to->bytes = from->bytes;
    to->align = from->align;
    to->place = from->place;
    to->name = brolga__strdup(from->name);
    to->type = brolga__strdup(from->type);
    to->file = brolga__strdup(from->file);
    to->layout = brolga__types_pointee(types, from->symbol, 1);
    return to->name == NULL || to->type == NULL || to->file == NULL
               ? BROLGA_ENOMEM
               : BROLGA_OK;
}

static int copy_messages(struct brolga__image *image,
                         const struct brolga_module_lists *lists,
                         struct brolga__types *types)
{
    const struct brolga_module_message *m;
    size_t count = 0;

    for (m = lists->messages; m; m = m->next)
        count++;
    image->messages = brolga__alloc_zero((count + 1) * sizeof *image->messages);
    if (image->messages == NULL)
        return BROLGA_ENOMEM;
    image->messages_count = count;
    for (m = lists->messages; m; m = m->next)
        if (copy_message(&image->messages[--count], m, types) != BROLGA_OK)
            return BROLGA_ENOMEM;
    return BROLGA_OK;
}

/* What is not known stays NULL; then names and sizes do. */
static void read_layouts(struct brolga__image *image,
                         struct brolga__types *types)
{
    char name[256];

    for (size_t i = 0; i < image->states_count; i++) {
        (void)snprintf(name, sizeof name, "brolga_initial_%s",
                       image->states[i].name);
        image->states[i].layout = brolga__types_variable(types, name);
    }
    for (size_t i = 0; i < image->exports_count; i++)
        image->exports[i].layout =
            brolga__types_function(types, image->exports[i].name);
    for (size_t i = 0; i < image->imports_count; i++)
        image->imports[i].layout =
            brolga__types_function(types, image->imports[i].name);
}

int brolga__tables_copy(struct brolga__image *image,
                        const struct brolga_module_desc *desc)
{
    struct brolga__types *types;
    int err = brolga__types_open(image->path, &types), starved;

    if (err != BROLGA_OK)
        return err;
    image->module = brolga__strdup(desc->name);
    image->line = desc->line;
    image->policy = desc->opts.policy;
    image->before = desc->lists->before;
    image->after = desc->lists->after;
    image->called_off = desc->lists->called_off;
    err = image->module == NULL ? BROLGA_ENOMEM
                                : copy_exports(image, desc->lists);
    if (err == BROLGA_OK)
        err = copy_imports(image, desc->lists);
    if (err == BROLGA_OK)
        err = copy_states(image, desc->lists);
    if (err == BROLGA_OK)
        err = copy_migrations(image, desc->lists, types);
    if (err == BROLGA_OK)
        err = copy_messages(image, desc->lists, types);
    if (err == BROLGA_OK) {
        read_layouts(image, types);
        brolga__names_read(image, types);
    }
    starved = brolga__types_close(types);
    return err == BROLGA_OK ? starved : err;
}

const struct brolga__symbol *
brolga__image_export(const struct brolga__image *image, const char *name)
{
    for (size_t i = 0; i < image->exports_count; i++)
        if (strcmp(image->exports[i].name, name) == 0)
            return &image->exports[i];
    return NULL;
}
