/*
 * The table of handles, closing, and turns.
 *
 * A handle is a place in the table and the number of the times that the place
 * has been used: closing counts it up, so that the old handle names nothing.
 * Places are used again in the order in which they became free.
 *
 * Closing takes the record out of the table, so that no call can find it any
 * more, then wakes those who wait: for their turn, here; for the descriptor or
 * a child, on the loop's thread. A call that found the record before and starts
 * to wait after that is answered by the closed poll.
 *
 *   AF  A runtime's handles are seen whole by who finds rt->io set: release
 *       store in make_io() -> acquire load in io_get(); the same for io->loop.
 *   AG  A record's last user sees what the others did: the RMWs of `refs`.
 *   AH  A turn that is given, or ends, is seen by who waits for it: release
 *       store of waiter->state -> acquire load in turn_wait().
 */
#include "tasks/io_handle.h"

#include "alloc.h"

#include <string.h>
#include <uv.h>

/* So that a handle is positive as a word. */
#define USES_MAX UINT32_C(0x7fffffff)

struct place {
    struct brolga__record *record; /* NULL while it is free. */
    uint32_t uses;                 /* Of its present or next record, from 1. */
    uint32_t next_free;            /* Index + 1, or 0. */
};

struct brolga__io {
    struct brolga *rt;
    pthread_mutex_t lock; /* Leaf, but for the loop's creation. */
    struct place *places; /* lock, as all up to `loop`. */
    uint32_t count, capacity;
    uint32_t first_free, last_free;      /* Index + 1, or 0. */
    struct brolga__ioloop *_Atomic loop; /* NULL before its first use. */
};

/* --- a runtime's handles ------------------------------------------------ */

static void close_all(struct brolga__ioloop *loop, void *arg);

static void stop(struct brolga__io *io)
{
    struct brolga__ioloop *loop = brolga__load_relaxed(&io->loop);

    if (loop != NULL)
        brolga__ioloop_destroy(loop, close_all, io);
    else
        close_all(NULL, io);
    brolga__free(io->places);
    (void)pthread_mutex_destroy(&io->lock);
    brolga__free(io);
}

static struct brolga__io *make_io(struct brolga *rt)
{
    struct brolga__io *io;

    (void)pthread_mutex_lock(&rt->io_lock);
    io = brolga__load_relaxed(&rt->io);
    if (io == NULL) {
        io = brolga__alloc_zero(sizeof *io);
        if (io != NULL) {
            (void)pthread_mutex_init(&io->lock, NULL);
            io->rt = rt;
            rt->io_stop = stop;
            brolga__store_release(&rt->io, io); /* AF: io_get */
        }
    }
    (void)pthread_mutex_unlock(&rt->io_lock);
    return io;
}

static int io_get(struct brolga__io **out)
{
    brolga *rt = brolga_runtime();
    struct brolga__io *io;

    if (rt == NULL)
        return BROLGA_ESTATE;
    io = brolga__load_acquire(&rt->io); /* AF: make_io */
    if (io == NULL)
        io = make_io(rt);
    if (io == NULL)
        return BROLGA_ENOMEM;
    *out = io;
    return BROLGA_OK;
}

struct brolga__ioloop *brolga__record_loop(struct brolga__record *record)
{
    return brolga__load_acquire(&record->io->loop); /* AF: start_loop */
}

static int start_loop(struct brolga__io *io)
{
    struct brolga__ioloop *loop;
    int err = BROLGA_OK;

    if (brolga__load_acquire(&io->loop) != NULL) /* AF */
        return BROLGA_OK;
    (void)pthread_mutex_lock(&io->lock);
    if (brolga__load_relaxed(&io->loop) == NULL) {
        err = brolga__ioloop_create(&loop);
        if (err == BROLGA_OK) {
            brolga__store_relaxed(&io->rt->io_threads, 1); /* M: of a task */
            brolga__store_release(&io->loop, loop);        /* AF */
        }
    }
    (void)pthread_mutex_unlock(&io->lock);
    return err;
}

/* --- the table, under its lock ------------------------------------------ */

static int grow(struct brolga__io *io)
{
    uint32_t capacity = io->capacity * 2 + 16;
    struct place *places =
        brolga__realloc(io->places, capacity * sizeof *places);

    if (places == NULL)
        return BROLGA_ENOMEM;
    io->places = places;
    io->capacity = capacity;
    return BROLGA_OK;
}

/* An index + 1; 0 if there is no memory. */
static uint32_t take_place(struct brolga__io *io)
{
    uint32_t at = io->first_free;

    if (at != 0) {
        io->first_free = io->places[at - 1].next_free;
        if (io->first_free == 0)
            io->last_free = 0;
        return at;
    }
    if (io->count == io->capacity && grow(io) != BROLGA_OK)
        return 0;
    io->places[io->count].uses = 1;
    return ++io->count;
}

static void give_place(struct brolga__io *io, uint32_t at)
{
    struct place *place = &io->places[at - 1];

    place->record = NULL;
    place->uses = place->uses % USES_MAX + 1;
    place->next_free = 0;
    if (io->last_free != 0)
        io->places[io->last_free - 1].next_free = at;
    else
        io->first_free = at;
    io->last_free = at;
}

/* The place that a handle names, or 0. */
static uint32_t place_of(struct brolga__io *io, brolga_io handle)
{
    uint32_t at = (uint32_t)handle;

    if (at == 0 || at > io->count || io->places[at - 1].record == NULL ||
        io->places[at - 1].uses != handle >> 32)
        return 0;
    return at;
}

static int enter(struct brolga__io *io, struct brolga__record *record)
{
    uint32_t at;

    (void)pthread_mutex_lock(&io->lock);
    at = take_place(io);
    if (at != 0) {
        io->places[at - 1].record = record;
        record->handle = (brolga_io)io->places[at - 1].uses << 32 | at;
    }
    (void)pthread_mutex_unlock(&io->lock);
    return at != 0 ? BROLGA_OK : BROLGA_ENOMEM;
}

/* The table's reference becomes the caller's; NULL if it has been closed. */
static struct brolga__record *leave(struct brolga__io *io, brolga_io handle)
{
    struct brolga__record *record = NULL;
    uint32_t at;

    (void)pthread_mutex_lock(&io->lock);
    at = place_of(io, handle);
    if (at != 0) {
        record = io->places[at - 1].record;
        give_place(io, at);
    }
    (void)pthread_mutex_unlock(&io->lock);
    return record;
}

/* --- records ------------------------------------------------------------ */

int brolga__record_create(enum brolga__kind kind, struct brolga__record **out)
{
    struct brolga__record *record;
    struct brolga__io *io;
    int err = io_get(&io);

    if (err != BROLGA_OK)
        return err;
    /* Now, so that what can be waited on can also be closed. */
    err = kind == BROLGA__FILE ? BROLGA_OK : start_loop(io);
    if (err != BROLGA_OK)
        return err;
    record = brolga__alloc_zero(sizeof *record);
    if (record == NULL)
        return BROLGA_ENOMEM;
    record->io = io;
    record->kind = kind;
    record->fd = -1;
    brolga__store_relaxed(&record->refs, 2); /* Published by the lock. */
    for (int way = 0; way < 2; way++)
        brolga__list_init(&record->turn[way].waiting);
    err = enter(io, record);
    if (err != BROLGA_OK) {
        brolga__free(record);
        return err;
    }
    *out = record;
    return BROLGA_OK;
}

int brolga__record_find(brolga_io handle, int kinds,
                        struct brolga__record **out)
{
    struct brolga__io *io;
    uint32_t at;
    int err = io_get(&io);

    if (err != BROLGA_OK)
        return err;
    (void)pthread_mutex_lock(&io->lock);
    at = place_of(io, handle);
    if (at == 0) {
        err = handle == 0 ? BROLGA_EINVAL : BROLGA_ECLOSED;
    } else if ((io->places[at - 1].record->kind & kinds) == 0) {
        err = BROLGA_EINVAL;
    } else {
        *out = io->places[at - 1].record;
        (void)brolga__add_relaxed(&(*out)->refs, 1); /* The table has one. */
    }
    (void)pthread_mutex_unlock(&io->lock);
    return err;
}

static void close_fd(int fd)
{
    uv_fs_t req;

    (void)uv_fs_close(NULL, &req, fd, NULL);
    uv_fs_req_cleanup(&req);
}

static void unlink_path(const char *path)
{
    uv_fs_t req;

    (void)uv_fs_unlink(NULL, &req, path, NULL);
    uv_fs_req_cleanup(&req);
}

void brolga__record_unref(struct brolga__record *record)
{
    if (brolga__sub_acq_rel(&record->refs, 1) > 1) /* AG */
        return;
    if (record->path != NULL)
        unlink_path(record->path);
    if (record->fd >= 0)
        close_fd(record->fd);
    if (record->child != NULL)
        brolga__child_unref(record->child);
    brolga__poll_free(record->poll);
    brolga__free(record->path);
    brolga__free(record);
}

int brolga__record_set_fd(struct brolga__record *record, int fd)
{
    record->poll = brolga__poll_create(fd);
    if (record->poll == NULL) {
        close_fd(fd);
        return BROLGA_ENOMEM;
    }
    record->fd = fd;
    return BROLGA_OK;
}

void brolga__record_discard(struct brolga__record *record)
{
    (void)brolga_io_close(record->handle);
    brolga__record_unref(record);
}

/* --- turns -------------------------------------------------------------- */

enum turn_state { WAITING, GIVEN, ENDED };

struct turn_waiter {
    struct brolga__list link; /* record->lock */
    brolga_task *task;
    _Atomic uint32_t state; /* enum turn_state; written under the lock. */
};

/* Under the record's lock: the waiter out of the list, with its answer. The
 * waiter may be gone when this returns; its task is to be unparked. */
static brolga_task *end_wait(struct brolga__list *link, enum turn_state state)
{
    struct turn_waiter *waiter =
        brolga__container_of(link, struct turn_waiter, link);
    brolga_task *task = waiter->task;

    brolga__list_remove(link);
    brolga__store_release(&waiter->state, state); /* AH: turn_wait */
    return task;
}

static int result_of(enum turn_state state)
{
    return state == GIVEN ? BROLGA_OK : BROLGA_ECLOSED;
}

/* Leaves the list unless the waiter has been answered. */
static int turn_withdraw(struct brolga__record *record,
                         struct turn_waiter *waiter, int err)
{
    uint32_t state;

    brolga__lock_take(&record->lock);
    state = brolga__load_relaxed(&waiter->state);
    brolga__list_remove(&waiter->link);
    brolga__lock_leave(&record->lock);
    return state == WAITING ? err : result_of(state);
}

static int turn_wait(struct brolga__record *record, struct turn_waiter *waiter,
                     const char *where, uint64_t deadline_ns)
{
    uint32_t state;

    while ((state = brolga__load_acquire(&waiter->state)) == WAITING) { /* AH */
        int err = brolga__park(where, deadline_ns);

        if (err != BROLGA_OK)
            return turn_withdraw(record, waiter, err);
    }
    return result_of(state);
}

int brolga__turn_take(struct brolga__record *record, enum brolga__way way,
                      const char *where, uint64_t deadline_ns)
{
    struct turn_waiter waiter = {.task = brolga__self()};
    struct brolga__turn *turn = &record->turn[way];
    bool waits = false;
    int err = BROLGA_OK;

    brolga__lock_take(&record->lock);
    if (record->closed)
        err = BROLGA_ECLOSED;
    else if (!turn->taken)
        turn->taken = true;
    else {
        waits = true;
        brolga__list_push_back(&turn->waiting, &waiter.link);
    }
    brolga__lock_leave(&record->lock);
    return waits ? turn_wait(record, &waiter, where, deadline_ns) : err;
}

void brolga__turn_give(struct brolga__record *record, enum brolga__way way)
{
    struct brolga__turn *turn = &record->turn[way];
    brolga_task *next = NULL;

    brolga__lock_take(&record->lock);
    if (brolga__list_empty(&turn->waiting))
        turn->taken = false;
    else
        next = end_wait(turn->waiting.next, GIVEN);
    brolga__lock_leave(&record->lock);
    if (next != NULL)
        brolga__unpark(next);
}

/* The oldest of those who wait for a turn that will not come, or NULL. */
static brolga_task *end_one_turn(struct brolga__record *record)
{
    brolga_task *task = NULL;

    brolga__lock_take(&record->lock);
    record->closed = true;
    for (int way = 0; way < 2 && task == NULL; way++)
        if (!brolga__list_empty(&record->turn[way].waiting))
            task = end_wait(record->turn[way].waiting.next, ENDED);
    brolga__lock_leave(&record->lock);
    return task;
}

static void end_turns(struct brolga__record *record)
{
    brolga_task *task;

    /* Ends: once `closed` is set nobody begins to wait. */
    while ((task = end_one_turn(record)) != NULL)
        brolga__unpark(task);
}

int brolga__record_wait(struct brolga__record *record, enum brolga__way way,
                        const char *where, uint64_t deadline_ns)
{
    return brolga__poll_wait(brolga__record_loop(record), record->poll, way,
                             where, deadline_ns);
}

/* --- closing ------------------------------------------------------------ */

struct closing {
    struct brolga__call call;
    struct brolga__record *record;
};

/* The loop has nothing more to do with the record. */
static void closed(void *arg)
{
    struct brolga__record *record = arg;
    struct brolga__call *call = record->closing;

    brolga__record_unref(record);
    if (call != NULL)
        brolga__call_answer(call, BROLGA_OK);
}

static void close_on_loop(struct brolga__ioloop *loop,
                          struct brolga__record *record)
{
    if (record->child != NULL)
        brolga__child_close(record->child);
    if (record->poll != NULL)
        brolga__poll_close(loop, record->poll, closed, record);
    else
        closed(record);
}

static void run_close(struct brolga__ioloop *loop,
                      struct brolga__message *message)
{
    struct closing *closing =
        brolga__container_of(message, struct closing, call.start);

    closing->record->closing = &closing->call;
    close_on_loop(loop, closing->record);
}

/* With the table's reference, which ends here. */
static int close_record(struct brolga__record *record)
{
    struct closing closing = {.record = record};

    end_turns(record);
    if (record->poll == NULL && record->child == NULL) { /* Nobody waits. */
        brolga__record_unref(record);
        return BROLGA_OK;
    }
    closing.call.start.run = run_close;
    return brolga__call(brolga__record_loop(record), &closing.call, "close",
                        BROLGA_FOREVER);
}

int brolga_io_close(brolga_io handle)
{
    struct brolga__record *record;
    struct brolga__io *io;
    int err = io_get(&io);

    if (err != BROLGA_OK)
        return err;
    record = leave(io, handle);
    if (record == NULL)
        return BROLGA_ECLOSED;
    err = close_record(record);
    brolga_safepoint();
    return err;
}

/* At the end of the runtime; on the loop's thread, if there is a loop. No task
 * lives, so nobody waits. */
static void close_all(struct brolga__ioloop *loop, void *arg)
{
    struct brolga__io *io = arg;

    for (uint32_t i = 0; i < io->count; i++) {
        struct brolga__record *record = io->places[i].record;

        if (record == NULL)
            continue;
        io->places[i].record = NULL;
        if (loop != NULL)
            close_on_loop(loop, record);
        else
            brolga__record_unref(record);
    }
    if (loop != NULL)
        brolga__children_leave(loop);
}
