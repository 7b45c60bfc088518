/* Where no debug information can be read: the texts of types and their sizes
 * must do. */
#include "reload/layout.h"

int brolga__types_open(const char *path, struct brolga__types **out)
{
    (void)path;
    *out = NULL;
    return BROLGA_OK;
}

int brolga__types_close(struct brolga__types *types)
{
    (void)types;
    return BROLGA_OK;
}

char *brolga__types_variable(struct brolga__types *types, const char *name)
{
    (void)types;
    (void)name;
    return NULL;
}

char *brolga__types_pointee(struct brolga__types *types, const char *function,
                            unsigned parameter)
{
    (void)types;
    (void)function;
    (void)parameter;
    return NULL;
}

void brolga__types_functions(struct brolga__types *types,
                             void (*visit)(void *arg, const char *name,
                                           const char *file, int line),
                             void *arg)
{
    (void)types;
    (void)visit;
    (void)arg;
}

char *brolga__types_function(struct brolga__types *types, const char *function)
{
    (void)types;
    (void)function;
    return NULL;
}
