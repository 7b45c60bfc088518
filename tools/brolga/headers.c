/*
 * Where the headers lie that modules include: beside the library if that is
 * installed, else in the source tree that the command was built from.
 */
#define _GNU_SOURCE      /* dladdr() */
#define _DARWIN_C_SOURCE /* the same */
#include "tool.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

static bool has_headers(const char *directory)
{
    struct text path = {0};
    bool found;

    text_printf(&path, "%s/brolga/module.h", directory);
    found = access(path.data, R_OK) == 0;
    text_free(&path);
    return found;
}

/* The directory of the library; "." if it cannot be told. */
static void put_library_directory(struct text *text)
{
    const char *end;
    Dl_info info;

    if (!dladdr((const void *)(uintptr_t)brolga_create, &info) ||
        !info.dli_fname || !(end = strrchr(info.dli_fname, '/'))) {
        text_put(text, ".");
        return;
    }
    text_add(text, info.dli_fname, (size_t)(end - info.dli_fname));
}

const char *headers_find(struct text *text)
{
    /* From lib, and from a lib with one folder per processor. */
    static const char *const steps[] = {"/../include", "/../../include"};

    for (size_t i = 0; i < 2; i++) {
        text_free(text);
        put_library_directory(text);
        text_put(text, steps[i]);
        if (has_headers(text->data))
            return text->data;
    }
    return has_headers(BROLGA_SOURCE_INCLUDE) ? BROLGA_SOURCE_INCLUDE : NULL;
}
