/*
 * What stress switches need below all layers: the dice of forced aborts, and
 * the quarantine of code that has been released.
 *
 * Address space in quarantine is inaccessible, so that any use of old code or
 * its data crashes at once, and belongs to nobody else meanwhile. It is of a
 * fixed number of pieces: the oldest one is given back for each that comes.
 * Whoever unmaps code asks whether it is on, and hands over instead.
 */
#ifndef BROLGA_SRC_STRESS_H
#define BROLGA_SRC_STRESS_H

#include <brolga/base.h>

/* Draws from a state of the caller's: true once in `one_in` times, or never
 * if that is 0. */
bool brolga__stress_drawn(uint64_t *state, uint32_t one_in);

/* From now on so many pieces are kept, at least; a runtime asks for it. There
 * is no way back, as pieces belong to no runtime. */
void brolga__quarantine_open(uint32_t pieces);
bool brolga__quarantine_is_open(void);
/* Takes over [low, low + bytes), which has just been unmapped, unless somebody
 * else has it already. */
void brolga__quarantine_unmapped(uintptr_t low, size_t bytes);
/* The same of a mapping, which is the caller's no more. False, and nothing has
 * changed: it is not open. */
bool brolga__quarantine_mapped(void *base, size_t bytes);

#endif
