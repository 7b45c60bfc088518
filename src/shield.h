/*
 * Shields: sections of a thread in which a host's function runs while Brolga
 * holds a lock. A trap in there must not end the task alone, for the lock would
 * stay taken (tasks/trap.c). A shielded section does not switch stacks, so the
 * count is the thread's; it is read by a signal handler.
 */
#ifndef BROLGA_SRC_SHIELD_H
#define BROLGA_SRC_SHIELD_H

#include <stdbool.h>

/* They nest. */
void brolga__shield_raise(void);
void brolga__shield_lower(void);
/* Whether the calling thread is in such a section. */
bool brolga__shielded(void);

#endif
