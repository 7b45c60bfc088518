/*
 * The types file: element types of a program's own.
 *
 *     (deftype Point "of a plane" [:Int x :Int y])
 *     (deftype (Tree a) Tip (Fork [:(Tree a) left :a item :(Tree a) right]))
 *     (family tree-int (Tree Int))
 *
 * Each type without parameters gets all families, with its name in lower case
 * and hyphens as the suffix (RenderJob: spawn-render-job), and so do the Vec,
 * Option and List of it (spawn-vec-render-job). `family` names any other type,
 * and the suffix for it. The definitions must be those of the program: the host
 * gives us names only. So the file may be one of the program's own, or a link
 * to it: other forms of the language are passed over.
 *
 * It is $CRANELISP_TASKS_TYPES, else platforms/tasks.types below the working
 * directory, beside the platform itself; without either there is nothing to do.
 */
#ifndef TASKS_TYPEFILE_H
#define TASKS_TYPEFILE_H

/* Read it, and add rows to the table of elements. A mistake is told on standard
 * error, with its place, and adds nothing. */
void typefile_read(void);

#endif
