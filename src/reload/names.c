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
    more[count].place = NULL;
    more[count].low = image->low + offset;
    more[count].high = more[count].low + bytes;
    image->functions_count++;
}

void brolga__names_read(struct brolga__image *image,
                        struct brolga__types *types)
{
    brolga__plat_functions(image->path, add_function, image);
    for (size_t i = 0; i < image->functions_count; i++)
        image->functions[i].place =
            brolga__types_place(types, image->functions[i].name);
}

void brolga__names_free(struct brolga__image *image)
{
    for (size_t i = 0; i < image->functions_count; i++) {
        brolga__free(image->functions[i].name);
        brolga__free(image->functions[i].place);
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
    else
        (void)snprintf(text, bytes, "%s (%s)", found->name,
                       found->place != NULL ? found->place
                                            : brolga__text_base(image->file));
    for (size_t i = 0; found != NULL && i < image->exports_count; i++)
        if ((uintptr_t)image->exports[i].code == found->low)
            (void)snprintf(text, bytes, "%s (%s:%d)", image->exports[i].name,
                           brolga__text_base(image->exports[i].file),
                           image->exports[i].line);
}
