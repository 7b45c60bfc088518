/*
 * Child processes. libuv's handle of a child, its number and its end belong to
 * the loop's thread, which reaps it: so a signal cannot reach another process
 * that got the number meanwhile.
 *
 * A child is kept by its record and, until it has ended, by the loop: a handle
 * that is closed leaves the child running and its end to be taken.
 *
 * Its pipes are pairs of sockets, so that writing to a child that has gone is
 * an error and not a signal.
 */
#include "tasks/io_handle.h"

#include "alloc.h"
#include "plat.h"

#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Written by the loop's thread only. */
struct brolga__child {
    uv_process_t uv;
    _Atomic uint32_t refs; /* The record's, and the loop's. */
    bool running;
    bool closed;                 /* Its handle. */
    struct brolga_exit exit;     /* Once it does not run. */
    struct brolga__list waiting; /* Calls of wait(). */
    struct brolga__list link;    /* Among those that run, or none. */
    struct brolga__call *spawn;  /* To be answered, with `spawned`. */
    int spawned;
};

void brolga__child_unref(struct brolga__child *child)
{
    if (brolga__sub_acq_rel(&child->refs, 1) == 1) /* AG */
        brolga__free(child);
}

/* --- waiting ------------------------------------------------------------ */

struct wait {
    struct brolga__call call;
    struct brolga__list link; /* child->waiting */
    struct brolga__child *child;
    struct brolga_exit *out;
};

static void answer_all(struct brolga__child *child, int result)
{
    struct brolga__list *link;

    while ((link = brolga__list_pop_front(&child->waiting)) != NULL) {
        struct wait *wait = brolga__container_of(link, struct wait, link);

        if (result == BROLGA_OK)
            *wait->out = child->exit;
        brolga__call_answer(&wait->call, result);
    }
}

static void undo_wait(struct brolga__call *call)
{
    struct wait *wait = brolga__container_of(call, struct wait, call);

    brolga__list_remove(&wait->link);
}

static void run_wait(struct brolga__ioloop *loop,
                     struct brolga__message *message)
{
    struct wait *wait = brolga__container_of(message, struct wait, call.start);
    struct brolga__child *child = wait->child;

    (void)loop;
    brolga__list_push_back(&child->waiting, &wait->link);
    if (child->closed)
        answer_all(child, BROLGA_ECLOSED);
    else if (!child->running)
        answer_all(child, BROLGA_OK);
}

void brolga__child_close(struct brolga__child *child)
{
    child->closed = true;
    answer_all(child, BROLGA_ECLOSED);
}

int brolga_process_wait(brolga_io process, uint64_t deadline_ns,
                        struct brolga_exit *out)
{
    struct brolga__record *record;
    struct brolga_exit end;
    struct wait wait = {.out = &end};
    int err = brolga__record_find(process, BROLGA__PROCESS, &record);

    if (err != BROLGA_OK)
        return err;
    wait.child = record->child;
    wait.call.start.run = run_wait;
    wait.call.undo = undo_wait;
    err = brolga__call(brolga__record_loop(record), &wait.call, "process wait",
                       deadline_ns);
    brolga__record_unref(record);
    if (err == BROLGA_OK)
        *out = end;
    brolga_safepoint();
    return err;
}

/* --- killing ------------------------------------------------------------ */

struct kill {
    struct brolga__call call;
    struct brolga__child *child;
    int signal;
    int error;
};

static void run_kill(struct brolga__ioloop *loop,
                     struct brolga__message *message)
{
    struct kill *kill = brolga__container_of(message, struct kill, call.start);

    (void)loop;
    kill->error = UV_ESRCH;
    if (kill->child->running)
        kill->error = uv_process_kill(&kill->child->uv, kill->signal);
    brolga__call_answer(&kill->call, BROLGA_OK);
}

int brolga_process_kill(brolga_io process, int signal)
{
    struct kill kill = {.signal = signal};
    struct brolga__record *record;
    int err = brolga__record_find(process, BROLGA__PROCESS, &record);

    if (err != BROLGA_OK)
        return err;
    kill.child = record->child;
    kill.call.start.run = run_kill;
    err = brolga__call(brolga__record_loop(record), &kill.call, "process kill",
                       BROLGA_FOREVER);
    brolga__record_unref(record);
    if (err == BROLGA_OK && kill.error != 0)
        err = brolga__io_fail(kill.error);
    brolga_safepoint();
    return err;
}

/* --- on the loop's thread ----------------------------------------------- */

struct spawn {
    struct brolga__call call;
    struct brolga__child *child;
    uv_process_options_t options;
    uv_stdio_container_t stdio[3];
    int error;
};

static void on_closed(uv_handle_t *handle)
{
    struct brolga__child *child =
        brolga__container_of(handle, struct brolga__child, uv);
    struct brolga__call *spawn = child->spawn;

    brolga__child_unref(child);
    if (spawn != NULL)
        brolga__call_answer(spawn, BROLGA_OK);
}

static void let_go(struct brolga__child *child)
{
    brolga__list_remove(&child->link);
    uv_close((uv_handle_t *)&child->uv, on_closed);
}

static void on_exit_of(uv_process_t *handle, int64_t code, int signal)
{
    struct brolga__child *child =
        brolga__container_of(handle, struct brolga__child, uv);

    child->running = false;
    child->exit.code = code;
    child->exit.signal = signal;
    answer_all(child, BROLGA_OK);
    let_go(child);
}

static void run_spawn(struct brolga__ioloop *loop,
                      struct brolga__message *message)
{
    struct spawn *spawn =
        brolga__container_of(message, struct spawn, call.start);
    struct brolga__child *child = spawn->child;

    /* A signal tells of its end, which some thread must take; libuv's handler
     * takes the place of the host's. */
    brolga__plat_thread_hear_children();
    (void)brolga__add_relaxed(&child->refs, 1); /* The loop's. */
    spawn->options.exit_cb = on_exit_of;
    spawn->error =
        uv_spawn(brolga__ioloop_uv(loop), &child->uv, &spawn->options);
    if (spawn->error != 0) { /* It is a handle all the same. */
        child->spawn = &spawn->call;
        let_go(child);
        return;
    }
    child->running = true;
    brolga__list_push_back(brolga__ioloop_children(loop), &child->link);
    brolga__call_answer(&spawn->call, BROLGA_OK);
}

void brolga__children_leave(struct brolga__ioloop *loop)
{
    struct brolga__list *running = brolga__ioloop_children(loop);

    while (!brolga__list_empty(running))
        let_go(brolga__container_of(running->next, struct brolga__child, link));
}

/* --- starting ----------------------------------------------------------- */

static int child_create(struct brolga__record *record)
{
    struct brolga__child *child = brolga__alloc_zero(sizeof *child);

    if (child == NULL)
        return BROLGA_ENOMEM;
    brolga__store_relaxed(&child->refs, 1);
    brolga__list_init(&child->waiting);
    brolga__list_init(&child->link);
    record->child = child;
    return BROLGA_OK;
}

/* The pipes of one start: our ends as records, the child's as descriptors. */
struct pipes {
    struct brolga__record *record[3];
    int theirs[3];
};

static int open_pipe(struct pipes *pipes, int i)
{
    uv_os_sock_t fds[2];
    int err = brolga__record_create(BROLGA__STREAM, &pipes->record[i]);

    if (err != BROLGA_OK)
        return err;
    err = uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, 0);
    if (err != 0)
        return brolga__io_fail(err);
    pipes->theirs[i] = fds[1];
    return brolga__record_set_fd(pipes->record[i], fds[0]);
}

static int describe_stdio(const struct brolga_process_opts *opts,
                          struct spawn *spawn, struct pipes *pipes)
{
    for (int i = 0; i < 3; i++) {
        uv_stdio_container_t *stdio = &spawn->stdio[i];
        int err = BROLGA_OK;

        stdio->flags = UV_IGNORE;
        if (opts->stdio[i] == BROLGA_STDIO_PIPE)
            err = open_pipe(pipes, i);
        if (err != BROLGA_OK)
            return err;
        if (opts->stdio[i] != BROLGA_STDIO_NULL) {
            stdio->flags = UV_INHERIT_FD;
            stdio->data.fd = pipes->theirs[i] >= 0 ? pipes->theirs[i] : i;
        }
    }
    return BROLGA_OK;
}

/* libuv takes arrays of plain pointers, and reads them only. */
static char **plain(const char *const *words)
{
    union {
        const char *const *readable;
        char **any;
    } cast = {words};

    return cast.any;
}

static int start(struct brolga__record *record,
                 const struct brolga_process_opts *opts, struct pipes *pipes)
{
    struct spawn spawn = {.child = record->child};
    int err = describe_stdio(opts, &spawn, pipes);

    if (err != BROLGA_OK)
        return err;
    spawn.options.file = opts->argv[0];
    spawn.options.args = plain(opts->argv);
    spawn.options.env = plain(opts->env);
    spawn.options.cwd = opts->cwd;
    spawn.options.stdio = spawn.stdio;
    spawn.options.stdio_count = 3;
    spawn.call.start.run = run_spawn;
    err = brolga__call(brolga__record_loop(record), &spawn.call, "spawn",
                       BROLGA_FOREVER);
    if (err == BROLGA_OK && spawn.error != 0)
        err = brolga__io_fail(spawn.error);
    return err;
}

/* Our ends become handles or go; the child's ends are its own now. */
static void finish_pipes(struct pipes *pipes, int err, brolga_io out[3])
{
    for (int i = 0; i < 3; i++) {
        struct brolga__record *record = pipes->record[i];

        if (pipes->theirs[i] >= 0)
            (void)close(pipes->theirs[i]);
        if (err == BROLGA_OK && out != NULL)
            out[i] = record != NULL ? record->handle : 0;
        if (record == NULL)
            continue;
        if (err == BROLGA_OK)
            brolga__record_unref(record);
        else
            brolga__record_discard(record);
    }
}

static int check(const struct brolga_process_opts *opts, const brolga_io *pipes)
{
    if (opts == NULL || opts->argv == NULL || opts->argv[0] == NULL)
        return BROLGA_EINVAL;
    for (int i = 0; i < 3; i++)
        if (opts->stdio[i] == BROLGA_STDIO_PIPE && pipes == NULL)
            return BROLGA_EINVAL;
    return brolga_cancel_reason();
}

int brolga_process_spawn(const struct brolga_process_opts *opts,
                         brolga_io *process, brolga_io pipes[3])
{
    struct pipes made = {.theirs = {-1, -1, -1}};
    struct brolga__record *record;
    int err = check(opts, pipes);

    if (err != BROLGA_OK)
        return err;
    err = brolga__record_create(BROLGA__PROCESS, &record);
    if (err != BROLGA_OK)
        return err;
    err = child_create(record);
    if (err == BROLGA_OK)
        err = start(record, opts, &made);
    finish_pipes(&made, err, pipes);
    if (err != BROLGA_OK) {
        brolga__record_discard(record);
        return err;
    }
    *process = record->handle;
    brolga__record_unref(record);
    brolga_safepoint();
    return BROLGA_OK;
}
