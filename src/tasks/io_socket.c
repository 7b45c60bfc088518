/* Sockets: where streams come from. Addresses are numeric or paths. */
#include "tasks/io_handle.h"

#include "alloc.h"
#include "plat.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

/* Connections that may wait to be accepted. */
#define BACKLOG 128

union address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un path;
    struct sockaddr_storage storage;
};

static int tcp_address(const char *text, uint16_t port, union address *out)
{
    memset(out, 0, sizeof *out);
    if (text == NULL)
        return BROLGA_EINVAL;
    if (uv_ip4_addr(text, port, &out->ip4) == 0 ||
        uv_ip6_addr(text, port, &out->ip6) == 0)
        return BROLGA_OK;
    return BROLGA_EINVAL;
}

static int path_address(const char *path, union address *out)
{
    memset(out, 0, sizeof *out);
    if (path == NULL || path[0] == '\0' ||
        strlen(path) >= sizeof out->path.sun_path)
        return BROLGA_EINVAL;
    out->path.sun_family = AF_UNIX;
    memcpy(out->path.sun_path, path, strlen(path));
    return BROLGA_OK;
}

static socklen_t address_bytes(const union address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return sizeof address->ip4;
    case AF_INET6:
        return sizeof address->ip6;
    default:
        return sizeof address->path;
    }
}

static void set_option(int fd, int level, int option)
{
    const int on = 1;

    (void)setsockopt(fd, level, option, &on, sizeof on);
}

/* --- records with a socket ---------------------------------------------- */

/* Makes a record of what plat.h returned: a descriptor, or -errno. */
static int adopt(struct brolga__record *record, int fd)
{
    if (fd < 0)
        return brolga__io_fail_errno(-fd);
    return brolga__record_set_fd(record, fd);
}

static int create_socket(enum brolga__kind kind, const union address *address,
                         struct brolga__record **out)
{
    struct brolga__record *record;
    int err = brolga__record_create(kind, &record);

    if (err != BROLGA_OK)
        return err;
    err = adopt(record, brolga__plat_socket(address->any.sa_family));
    if (err != BROLGA_OK) {
        brolga__record_discard(record);
        return err;
    }
    *out = record;
    return BROLGA_OK;
}

/* The end of each function that opens: the handle, or nothing. */
static int finish(struct brolga__record *record, int err, brolga_io *out)
{
    if (err != BROLGA_OK) {
        brolga__record_discard(record);
        return err;
    }
    *out = record->handle;
    brolga__record_unref(record);
    return BROLGA_OK;
}

/* --- listening ---------------------------------------------------------- */

static int bind_and_listen(struct brolga__record *record,
                           const union address *address)
{
    if (address->any.sa_family != AF_UNIX)
        set_option(record->fd, SOL_SOCKET, SO_REUSEADDR);
    if (bind(record->fd, &address->any, address_bytes(address)) != 0)
        return brolga__io_fail_errno(errno);
    if (address->any.sa_family == AF_UNIX) {
        record->path = brolga__strdup(address->path.sun_path);
        if (record->path == NULL) {
            (void)unlink(address->path.sun_path);
            return BROLGA_ENOMEM;
        }
    }
    if (listen(record->fd, BACKLOG) != 0)
        return brolga__io_fail_errno(errno);
    return BROLGA_OK;
}

static int listen_at(const union address *address, brolga_io *out)
{
    struct brolga__record *record;
    int err = create_socket(BROLGA__LISTENER, address, &record);

    if (err != BROLGA_OK)
        return err;
    return finish(record, bind_and_listen(record, address), out);
}

int brolga_tcp_listen(const char *text, uint16_t port, brolga_io *listener)
{
    union address address;
    int err = tcp_address(text, port, &address);

    return err != BROLGA_OK ? err : listen_at(&address, listener);
}

int brolga_pipe_listen(const char *path, brolga_io *listener)
{
    union address address;
    int err = path_address(path, &address);

    return err != BROLGA_OK ? err : listen_at(&address, listener);
}

static int local_port(int fd, uint16_t *port)
{
    union address address;
    socklen_t bytes = sizeof address;

    if (getsockname(fd, &address.any, &bytes) != 0)
        return brolga__io_fail_errno(errno);
    if (address.any.sa_family == AF_INET)
        *port = ntohs(address.ip4.sin_port);
    else if (address.any.sa_family == AF_INET6)
        *port = ntohs(address.ip6.sin6_port);
    else
        return BROLGA_EINVAL;
    return BROLGA_OK;
}

int brolga_tcp_port(brolga_io io, uint16_t *port)
{
    struct brolga__record *record;
    int err =
        brolga__record_find(io, BROLGA__STREAM | BROLGA__LISTENER, &record);

    if (err != BROLGA_OK)
        return err;
    err = local_port(record->fd, port);
    brolga__record_unref(record);
    return err;
}

/* --- accepting ---------------------------------------------------------- */

/* One that gave up before it was accepted is not ours to report. */
static bool try_again(int error)
{
    return error == EINTR || error == ECONNABORTED;
}

static int accept_one(struct brolga__record *listener, uint64_t deadline_ns,
                      int *out)
{
    int err = BROLGA_OK;

    while (err == BROLGA_OK) {
        int fd = brolga__plat_accept(listener->fd);

        if (fd >= 0) {
            *out = fd;
            return BROLGA_OK;
        }
        if (fd == -EAGAIN || fd == -EWOULDBLOCK)
            err = brolga__record_wait(listener, BROLGA__READING, "accept",
                                      deadline_ns);
        else if (!try_again(-fd))
            err = brolga__io_fail_errno(-fd);
    }
    return err;
}

static int accept_into(struct brolga__record *listener,
                       struct brolga__record *stream, uint64_t deadline_ns)
{
    int fd = -1;
    int err =
        brolga__turn_take(listener, BROLGA__READING, "accept", deadline_ns);

    if (err != BROLGA_OK)
        return err;
    err = accept_one(listener, deadline_ns, &fd);
    brolga__turn_give(listener, BROLGA__READING);
    if (err != BROLGA_OK)
        return err;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY); /* Local sockets refuse. */
    return brolga__record_set_fd(stream, fd);
}

int brolga_io_accept(brolga_io handle, uint64_t deadline_ns, brolga_io *stream)
{
    struct brolga__record *listener, *record;
    int err = brolga__record_find(handle, BROLGA__LISTENER, &listener);

    if (err != BROLGA_OK)
        return err;
    /* First, so that no connection is lost for want of memory. */
    err = brolga__record_create(BROLGA__STREAM, &record);
    if (err == BROLGA_OK)
        err =
            finish(record, accept_into(listener, record, deadline_ns), stream);
    brolga__record_unref(listener);
    brolga_safepoint();
    return err;
}

/* --- connecting --------------------------------------------------------- */

/* How the connection came out that the socket has been waited for. */
static int connected(int fd)
{
    int error = 0;
    socklen_t bytes = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
        error = errno;
    return error == 0 ? BROLGA_OK : brolga__io_fail_errno(error);
}

static int connect_to(struct brolga__record *record,
                      const union address *address, uint64_t deadline_ns)
{
    int err;

    if (connect(record->fd, &address->any, address_bytes(address)) == 0)
        return BROLGA_OK;
    if (errno != EINPROGRESS && errno != EINTR)
        return brolga__io_fail_errno(errno);
    err = brolga__record_wait(record, BROLGA__WRITING, "connect", deadline_ns);
    return err == BROLGA_OK ? connected(record->fd) : err;
}

static int connect_stream(const union address *address, uint64_t deadline_ns,
                          brolga_io *out)
{
    struct brolga__record *record;
    int err = create_socket(BROLGA__STREAM, address, &record);

    if (err != BROLGA_OK)
        return err;
    err = connect_to(record, address, deadline_ns);
    if (err == BROLGA_OK && address->any.sa_family != AF_UNIX)
        set_option(record->fd, IPPROTO_TCP, TCP_NODELAY);
    err = finish(record, err, out);
    brolga_safepoint();
    return err;
}

int brolga_tcp_connect(const char *text, uint16_t port, uint64_t deadline_ns,
                       brolga_io *stream)
{
    union address address;
    int err = tcp_address(text, port, &address);

    return err != BROLGA_OK ? err
                            : connect_stream(&address, deadline_ns, stream);
}

int brolga_pipe_connect(const char *path, brolga_io *stream)
{
    union address address;
    int err = path_address(path, &address);

    return err != BROLGA_OK ? err
                            : connect_stream(&address, BROLGA_NOW, stream);
}

int brolga_pipe_pair(brolga_io pair[2])
{
    struct brolga__record *record[2];
    uv_os_sock_t fds[2];
    int err = brolga__record_create(BROLGA__STREAM, &record[0]);

    if (err != BROLGA_OK)
        return err;
    err = brolga__record_create(BROLGA__STREAM, &record[1]);
    if (err != BROLGA_OK) {
        brolga__record_discard(record[0]);
        return err;
    }
    err =
        uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
    if (err != 0) {
        err = brolga__io_fail(err);
    } else {
        int other = brolga__record_set_fd(record[1], fds[1]);

        err = brolga__record_set_fd(record[0], fds[0]);
        if (err == BROLGA_OK)
            err = other;
    }
    for (int i = 0; i < 2; i++) {
        brolga_io handle;

        if (finish(record[i], err, &handle) == BROLGA_OK)
            pair[i] = handle;
    }
    return err;
}
