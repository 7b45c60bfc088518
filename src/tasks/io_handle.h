/*
 * Handles and what they name: one *record* for each open file, stream,
 * listener or process of a runtime.
 *
 * A record is kept by its place in the table, which closing empties, and by
 * each call that uses it at the moment. So a descriptor is never closed, and
 * its number never used again, under a call that has still to do with it.
 */
#ifndef BROLGA_SRC_TASKS_IO_HANDLE_H
#define BROLGA_SRC_TASKS_IO_HANDLE_H

#include <brolga/io.h>

#include "lock.h"
#include "tasks/loop.h"

/* Bits, so that a call can say which ones it is for. */
enum brolga__kind {
    BROLGA__FILE = 1,
    BROLGA__STREAM = 2,
    BROLGA__LISTENER = 4,
    BROLGA__PROCESS = 8
};

/* Whose turn it is to read, or to write. */
struct brolga__turn {
    bool taken;                  /* record->lock */
    struct brolga__list waiting; /* record->lock; the oldest first. */
};

struct brolga__record {
    struct brolga__io *io;
    brolga_io handle;
    enum brolga__kind kind;
    _Atomic uint32_t refs; /* The table's, and one for each call. */

    /* Written before the handle is known to anyone. */
    int fd; /* -1: none. */
    struct brolga__poll *poll;
    char *path; /* To be unlinked at the end, or NULL. */
    struct brolga__child *child;

    struct brolga__lock lock; /* Leaf. */
    bool closed;              /* record->lock */
    struct brolga__turn turn[2];

    struct brolga__call *closing; /* The loop's: who closes it, or NULL. */
};

/* A record with a handle and two references, the table's and the caller's.
 * BROLGA_OK, ENOMEM, ELIMIT; ESTATE outside tasks. */
int brolga__record_create(enum brolga__kind kind, struct brolga__record **out);
/* The record that a handle names, if it is of one of `kinds`; the caller gets a
 * reference. BROLGA_OK, ECLOSED, EINVAL, ESTATE. */
int brolga__record_find(brolga_io handle, int kinds,
                        struct brolga__record **out);
void brolga__record_unref(struct brolga__record *record);
/* Undoes brolga__record_create(): closes the handle, drops the reference. */
void brolga__record_discard(struct brolga__record *record);
/* Gives the record its descriptor; ENOMEM, and the descriptor is closed. */
int brolga__record_set_fd(struct brolga__record *record, int fd);

/* The loop of the record's runtime, which runs unless the record is a file. */
struct brolga__ioloop *brolga__record_loop(struct brolga__record *record);

/* Waits for the turn to read or to write. BROLGA_OK, ECLOSED, ETIMEOUT,
 * ECANCELED. */
int brolga__turn_take(struct brolga__record *record, enum brolga__way way,
                      const char *where, uint64_t deadline_ns);
void brolga__turn_give(struct brolga__record *record, enum brolga__way way);
/* Waits, with the turn, until the descriptor is ready. */
int brolga__record_wait(struct brolga__record *record, enum brolga__way way,
                        const char *where, uint64_t deadline_ns);

/* --- processes (io_process.c) ------------------------------------------- */

/* On the loop's thread: tells those who wait that the handle is closed. */
void brolga__child_close(struct brolga__child *child);
/* On the loop's thread, at its end: lets go of all children that run. */
void brolga__children_leave(struct brolga__ioloop *loop);
/* Drops the record's reference. */
void brolga__child_unref(struct brolga__child *child);

/* --- errors (io_error.c) ------------------------------------------------ */

/* Notes what libuv calls `error` for the calling task; returns our code. */
int brolga__io_fail(int error);
/* The same for an errno. */
int brolga__io_fail_errno(int error);

#endif
