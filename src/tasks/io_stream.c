/*
 * Streams: reading and writing sockets.
 *
 * The task makes the system call itself, which never waits. When there is
 * nothing to read or no room to write, the loop says when to try again. So
 * there is no buffer of ours that a deadline or a cancel could lose: what has
 * not been read lies in the kernel, and what has been written is counted.
 */
#include "tasks/io_handle.h"

#include <errno.h>
#include <sys/socket.h>

static bool would_wait(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* A record with its turn. */
static int begin(brolga_io stream, enum brolga__way way, const char *where,
                 uint64_t deadline_ns, struct brolga__record **out)
{
    int err = brolga__record_find(stream, BROLGA__STREAM, out);

    if (err != BROLGA_OK)
        return err;
    err = brolga__turn_take(*out, way, where, deadline_ns);
    if (err != BROLGA_OK)
        brolga__record_unref(*out);
    return err;
}

static void end(struct brolga__record *record, enum brolga__way way)
{
    brolga__turn_give(record, way);
    brolga__record_unref(record);
}

/* --- reading ------------------------------------------------------------ */

/* BROLGA_EAGAIN: there is nothing yet. */
static int try_read(int fd, void *buffer, size_t bytes, size_t *count)
{
    ssize_t n;

    do
        n = recv(fd, buffer, bytes, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return would_wait(errno) ? BROLGA_EAGAIN : brolga__io_fail_errno(errno);
    *count = (size_t)n;
    return BROLGA_OK;
}

static int read_some(struct brolga__record *record, void *buffer, size_t bytes,
                     uint64_t deadline_ns, size_t *count)
{
    int err;

    while ((err = try_read(record->fd, buffer, bytes, count)) ==
           BROLGA_EAGAIN) {
        err = brolga__record_wait(record, BROLGA__READING, "read", deadline_ns);
        if (err != BROLGA_OK)
            break;
    }
    return err;
}

int brolga_io_read(brolga_io stream, void *buffer, size_t bytes,
                   uint64_t deadline_ns, size_t *count)
{
    struct brolga__record *record;
    int err;

    if (bytes == 0)
        return BROLGA_EINVAL;
    err = begin(stream, BROLGA__READING, "read", deadline_ns, &record);
    if (err != BROLGA_OK)
        return err;
    err = read_some(record, buffer, bytes, deadline_ns, count);
    end(record, BROLGA__READING);
    brolga_safepoint();
    return err;
}

/* --- writing ------------------------------------------------------------ */

/* Moves `done` on. BROLGA_EAGAIN: there is no room now. */
static int try_write(int fd, const char *buffer, size_t bytes, size_t *done)
{
    ssize_t n;

    do
        n = send(fd, buffer + *done, bytes - *done,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return would_wait(errno) ? BROLGA_EAGAIN : brolga__io_fail_errno(errno);
    *done += (size_t)n;
    return BROLGA_OK;
}

static int write_all(struct brolga__record *record, const char *buffer,
                     size_t bytes, uint64_t deadline_ns, size_t *done)
{
    int err = BROLGA_OK;

    while (*done < bytes && err == BROLGA_OK) {
        err = try_write(record->fd, buffer, bytes, done);
        if (err == BROLGA_EAGAIN)
            err = brolga__record_wait(record, BROLGA__WRITING, "write",
                                      deadline_ns);
    }
    return err;
}

int brolga_io_write(brolga_io stream, const void *buffer, size_t bytes,
                    uint64_t deadline_ns, size_t *written)
{
    struct brolga__record *record;
    size_t done = 0;
    int err = begin(stream, BROLGA__WRITING, "write", deadline_ns, &record);

    if (err == BROLGA_OK) {
        err = write_all(record, buffer, bytes, deadline_ns, &done);
        end(record, BROLGA__WRITING);
        brolga_safepoint();
    }
    if (written != NULL)
        *written = done;
    return err;
}

int brolga_io_shutdown(brolga_io stream, uint64_t deadline_ns)
{
    struct brolga__record *record;
    int err = begin(stream, BROLGA__WRITING, "shutdown", deadline_ns, &record);

    if (err != BROLGA_OK)
        return err;
    if (shutdown(record->fd, SHUT_WR) != 0)
        err = brolga__io_fail_errno(errno);
    end(record, BROLGA__WRITING);
    brolga_safepoint();
    return err;
}
