/*
 * Names: which function of an image an address is in, for reports. The system's
 * table has them, the debug information has where they are defined.
 */
#include "reload/layout.h"

#include "alloc.h"
#include "plat.h"

#include <stdio.h>
#include <string.h>

/* Without memory for one, a function has no name in reports; that is all. */
static void add_function(void *arg, const char *name, uintptr_t offset,
                         size_t bytes)
{
    struct brolga__image *image = arg;
    size_t count = image->functions_count;
    struct brolga__function *more = brolga__realloc(
        image->functions, (count + 1) * sizeof *image->functions);

    if (more == NULL)
        return;
    image->functions = more;
    more[count].name = brolga__strdup(name);
    if (more[count].name == NULL)
        return;
    more[count].file = NULL;
    more[count].line = 0;
    more[count].low = image->low + offset;
    more[count].high = more[count].low + bytes;
    image->functions_count++;
}

/* Whether a name is that of a function, or of a part of it that the compiler
 * has split off: "f.cold", "f.constprop.0". */
static bool is_of(const char *name, const char *function, size_t bytes)
{
    return strncmp(name, function, bytes) == 0 &&
           (name[bytes] == '\0' || name[bytes] == '.');
}

static void add_place(void *arg, const char *name, const char *file, int line)
{
    struct brolga__image *image = arg;
    size_t bytes = strlen(name);

    for (size_t i = 0; i < image->functions_count; i++) {
        struct brolga__function *function = &image->functions[i];

        if (function->file != NULL || !is_of(function->name, name, bytes))
            continue;
        function->file = brolga__strdup(file);
        function->line = line;
    }
}

void brolga__names_read(struct brolga__image *image,
                        struct brolga__types *types)
{
    brolga__plat_functions(image->path, add_function, image);
    brolga__types_functions(types, add_place, image);
}

void brolga__names_free(struct brolga__image *image)
{
    for (size_t i = 0; i < image->functions_count; i++) {
        brolga__free(image->functions[i].name);
        brolga__free(image->functions[i].file);
    }
    brolga__free(image->functions);
}

void brolga__image_describe(void *arg, const void *address, char *text,
                            size_t bytes)
{
    const struct brolga__image *image = arg;
    const struct brolga__function *found = NULL;

    for (size_t i = 0; i < image->functions_count; i++)
        if ((uintptr_t)address >= image->functions[i].low &&
            (uintptr_t)address < image->functions[i].high)
            found = &image->functions[i];
    if (found == NULL)
        (void)snprintf(text, bytes, "%s", "");
    else if (found->file == NULL)
        (void)snprintf(text, bytes, "%s (%s)", found->name,
                       brolga__text_base(image->file));
    else
        (void)snprintf(text, bytes, "%s (%s:%d)", found->name, found->file,
                       found->line);
    for (size_t i = 0; found != NULL && i < image->exports_count; i++)
        if ((uintptr_t)image->exports[i].code == found->low)
            (void)snprintf(text, bytes, "%s (%s:%d)", image->exports[i].name,
                           brolga__text_base(image->exports[i].file),
                           image->exports[i].line);
}
