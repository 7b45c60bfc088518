/*
 * Layouts: how a C type lies in memory, as text that can be compared, and what
 * is read from the compiler's debug information to make it.
 *
 * A layout has a line for the type and for each field, in the order of memory:
 *
 *     path TAB offset TAB kind TAB name of the type NEWLINE
 *
 * The path is as one would write it after the variable: "" is the whole,
 * ".entry->key[]" an element's. The offset counts from where the last pointer
 * on the path leads. The kind is what counts of a type: "signed 8", "struct
 * 24", "ptr". Names of types do not count, so that a copy of a struct under
 * another name has the same layout. What pointers lead to belongs to it; a
 * struct that was met before is named by the path at which it was.
 */
#ifndef BROLGA_SRC_RELOAD_LAYOUT_H
#define BROLGA_SRC_RELOAD_LAYOUT_H

#include "reload/reload.h"

/* --- layout.c: comparing; pure ------------------------------------------ */

/* Whether what was made with one layout can be used with the other as it is:
 * they are equal, but an enum may have more values than it had, and what one of
 * them knows nothing of but that a pointer leads to it may be anything. */
bool brolga__layout_fits(const char *was, const char *is);

/* Adds the first difference: "field 'count' was int at 8, is long at 8". */
void brolga__layout_explain(struct brolga__text *text, const char *was,
                            const char *is);

/* --- dwarf.c, or no_dwarf.c: the debug information of a built file ------ */

struct brolga__types;

/* BROLGA_OK, with NULL where there is none, or this build cannot read it;
 * BROLGA_ENOMEM. */
int brolga__types_open(const char *path, struct brolga__types **out);
/* Returns BROLGA_ENOMEM if something that was asked for was not found for want
 * of memory. */
int brolga__types_close(struct brolga__types *types);

/*
 * All three: the layout, which the caller frees; NULL if the debug information
 * does not say. `types` may be NULL.
 */
char *brolga__types_variable(struct brolga__types *types, const char *name);
/* Of what a function's parameter points to; 1 is the first. */
char *brolga__types_pointee(struct brolga__types *types, const char *function,
                            unsigned parameter);
/* Of all parameters and the result: paths begin with "parameter 1" or
 * "result". */
char *brolga__types_function(struct brolga__types *types, const char *function);

/* Visits every function that the file defines, with the name of the source file
 * and the line. `types` may be NULL. */
void brolga__types_functions(struct brolga__types *types,
                             void (*visit)(void *arg, const char *name,
                                           const char *file, int line),
                             void *arg);

#endif
