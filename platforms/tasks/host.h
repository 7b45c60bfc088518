/*
 * The host: its callbacks, and objects that are made by it.
 *
 * What compiled code is given was made by the host's own allocator, with a
 * count of 1, and belongs to that code from then on; the only exceptions are
 * handles (cells.h) and what is frozen. What compiled code gives us is borrowed
 * and copied before the call returns.
 *
 * Hosts of version 1 cannot free. What is made and then not wanted after all is
 * left behind there, and counted.
 */
#ifndef TASKS_HOST_H
#define TASKS_HOST_H

#include "abi.h"

#include <brolga/base.h>

/** A reference to an object's payload; its size and count lie in front. */
static inline brolga_word *fields(brolga_word object)
{
    return (brolga_word *)object;
}

/* Take over a host's callbacks. Called under the lock of manifest.c. */
void host_meet(const struct cranelisp_host *host);
void host_meet_v2(const struct cranelisp_host_v2 *host);

/* For models of values: make an object, free one. */
brolga_word host_alloc(int64_t payload_bytes, void *arg);
void host_free(brolga_word object, void *arg);

/* Bytes that could not be freed. */
uint64_t host_left_behind(void);
/* Modules that the host has loaded anew since the program began. */
uint64_t host_reloads(void);

/* (IO a): [0][value]. The value's reference goes into it. */
brolga_word host_io(brolga_word value);
/* (Option a): 0, or [1][value]. */
brolga_word host_some(brolga_word value);
/* (Vec a) of words, which it takes over. */
brolga_word host_vec(const brolga_word *words, size_t count);
brolga_word host_string(const char *text, size_t bytes);

/**
 * End the program, or, where a host of version 2 has a way to do so, the
 * evaluation: something is wrong that no result could express. Never returns;
 * if several tasks come here, the first one's message counts.
 */
BROLGA_NORETURN void host_refuse(const char *format, ...) BROLGA_PRINTF(1, 2);

/* Whether that has been done, and the process is about to end. */
bool host_has_refused(void);

#endif
