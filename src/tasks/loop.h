/*
 * The loop: one thread that runs libuv's event loop, started at first use.
 *
 * Tasks send it messages. A *call* is a message whose sender waits for an
 * answer; it lies in the sender's frame. All that libuv knows is touched by the
 * loop's thread only.
 *
 * Tasks read and write descriptors themselves and never block in it; the loop
 * tells them when to try again (a *poll*), and looks after child processes.
 */
#ifndef BROLGA_SRC_TASKS_LOOP_H
#define BROLGA_SRC_TASKS_LOOP_H

#include "tasks/tasks.h"

struct uv_loop_s;
struct brolga__ioloop;

struct brolga__message {
    struct brolga__message *next;
    /* On the loop's thread. The message may be gone when it returns. */
    void (*run)(struct brolga__ioloop *loop, struct brolga__message *message);
};

/* Starts the loop's thread: BROLGA_OK, ENOMEM, ELIMIT. */
int brolga__ioloop_create(struct brolga__ioloop **out);
/* Ends the thread, once every libuv handle but its own is being closed:
 * `close` is called on the thread to see to that. */
void brolga__ioloop_destroy(struct brolga__ioloop *loop,
                            void (*close)(struct brolga__ioloop *loop,
                                          void *arg),
                            void *arg);
struct uv_loop_s *brolga__ioloop_uv(struct brolga__ioloop *loop);
/* Where io_process.c keeps the children that run; for the loop's thread. */
struct brolga__list *brolga__ioloop_children(struct brolga__ioloop *loop);
/* Messages of one sender arrive in the order in which it sent them. */
void brolga__ioloop_send(struct brolga__ioloop *loop,
                         struct brolga__message *message);

/* --- calls -------------------------------------------------------------- */

struct brolga__call {
    struct brolga__message start, withdraw;
    /* Takes the call out of wherever `start` has put it to wait; on the
     * loop's thread, for a call that has not been answered. */
    void (*undo)(struct brolga__call *call);
    brolga_task *task;
    int result;             /* Written before `state`. */
    bool answered;          /* The loop's. */
    _Atomic uint32_t state; /* See loop.c. */
};

/*
 * Sends a call and waits for its answer, which it returns. With `undo` NULL the
 * call is awaited whatever happens; else the deadline or cancellation takes it
 * back, and this returns ETIMEOUT or ECANCELED: in that case the loop's thread
 * has done nothing for it.
 */
int brolga__call(struct brolga__ioloop *loop, struct brolga__call *call,
                 const char *where, uint64_t deadline_ns);

/* On the loop's thread: the answer, once. The call is gone then. */
void brolga__call_answer(struct brolga__call *call, int result);

/* --- polls: when is a descriptor ready? --------------------------------- */

enum brolga__way { BROLGA__READING, BROLGA__WRITING };

struct brolga__poll;

/* A poll of a descriptor that is open until the poll is closed. */
struct brolga__poll *brolga__poll_create(int fd);
/* Waits until reading or writing may make progress, or would fail; by one task
 * at a time for each. BROLGA_OK, ETIMEOUT, ECANCELED; ECLOSED when the poll is
 * closed meanwhile or has been; EIO, ENOMEM when the system cannot. */
int brolga__poll_wait(struct brolga__ioloop *loop, struct brolga__poll *poll,
                      enum brolga__way way, const char *where,
                      uint64_t deadline_ns);
/* On the loop's thread: answers those who wait with ECLOSED, and calls
 * closed(arg) there when the loop has nothing to do with the descriptor any
 * more. Once for each poll. */
void brolga__poll_close(struct brolga__ioloop *loop, struct brolga__poll *poll,
                        void (*closed)(void *arg), void *arg);
/* Frees a poll that has been closed, or that nobody has waited on. */
void brolga__poll_free(struct brolga__poll *poll);

#endif
