/*
 * Where the runtime comes from: the one difference between the two files that
 * are made from these sources. tasks.so has a Brolga of its own (own.c);
 * tasks-host.so is for hosts that have one (theirs.c).
 */
#ifndef TASKS_RUNTIME_H
#define TASKS_RUNTIME_H

#include <brolga/brolga.h>

/* Whether the library is the one that this was compiled for; says so if not.
 * To be asked before anything else of it is called. */
bool runtime_fits(void);

/* The runtime, when it is needed first. Called once. */
brolga *runtime_get(void);

#endif
