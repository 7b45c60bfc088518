/*
 * Blocking work and input/output for tasks: functions that block a thread,
 * files, child processes, sockets. The calling task parks; its worker runs
 * others meanwhile. All functions are for tasks of any kind (fibers, threads
 * of their own, attached threads) and return BROLGA_ESTATE elsewhere.
 *
 * What is open is named by a handle, a positive number that fits a word and is
 * not used again: a handle that has been closed is refused, never mistaken for
 * another. Any task of the runtime may use it, and several at once.
 *
 * Deadlines are absolute. A call first does what can be done at once; only one
 * that would have to wait fails with BROLGA_ETIMEOUT or, in a task that has
 * been canceled, with BROLGA_ECANCELED. Work for a pool thread (files, and
 * brolga_blocking()) always waits: a task that has been canceled does none.
 *
 * A library that was built without BROLGA_IO has brolga_blocking() only.
 */
#ifndef BROLGA_IO_H
#define BROLGA_IO_H

#include <brolga/base.h>
#include <brolga/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- functions that block ----------------------------------------------- */

typedef brolga_word (*brolga_blocking_fn)(void *arg);

/**
 * Call fn(arg) on a thread of a bounded pool (`blocking_threads` of struct
 * brolga_opts; started as they are needed), and wait for its result.
 *
 * `fn` is no task: it must not call through a view nor panic, and may call
 * only what is for any thread. If it lies in a unit, the unit is pinned until
 * it has returned.
 *
 * Owns:     `arg` stays the caller's; `fn` has returned or will not be called
 *           when this returns.
 * Threads:  tasks.
 * Blocks:   until `fn` has returned. The deadline and cancellation count until
 *           it starts; once it runs it is awaited and its result returned. A
 *           safepoint.
 * Returns:  BROLGA_OK; ETIMEOUT or ECANCELED: `fn` has not been called; ELIMIT
 *           (no thread to be had), ESTATE. `result` may be NULL.
 */
BROLGA_API int brolga_blocking(brolga_blocking_fn fn, void *arg,
                               uint64_t deadline_ns, brolga_word *result);

/* --- handles ------------------------------------------------------------ */

/** A file, stream, listener or process; 0 names none. */
typedef uint64_t brolga_io;

/**
 * Close a handle of any kind. Tasks that wait on it get BROLGA_ECLOSED; so
 * does every later call with the handle. A process that runs goes on to run.
 *
 * What the system knows it by is closed by the last call that uses it, which
 * is this one unless another is about to return. Handles that are open when
 * the runtime is destroyed are closed then.
 *
 * Threads:  tasks.
 * Blocks:   for a moment, also in a task that has been canceled. A safepoint.
 * Returns:  BROLGA_OK, or BROLGA_ECLOSED if it has been closed before.
 */
BROLGA_API int brolga_io_close(brolga_io io);

/**
 * What the system said about the calling task's last failure in this header,
 * e.g. "connection refused"; codes are fewer than the system's errors.
 *
 * Threads:  tasks.
 * Returns:  static text; "" if the system has refused nothing yet.
 */
BROLGA_API const char *brolga_io_error(void);

/* --- files -------------------------------------------------------------- */

/*
 * Each runs on a thread of the pool of brolga_blocking(), with the same rules:
 * what fails with ETIMEOUT or ECANCELED has not been begun, and what has been
 * begun is awaited.
 */

enum brolga_open {
    BROLGA_OPEN_READ = 1,
    BROLGA_OPEN_WRITE = 2,
    BROLGA_OPEN_CREATE = 4,    /* If it does not exist. */
    BROLGA_OPEN_EXCLUSIVE = 8, /* With CREATE: BROLGA_EEXIST if it does. */
    BROLGA_OPEN_TRUNCATE = 16
};

/**
 * Open a file; `flags` of enum brolga_open, and the permissions (e.g. 0644) of
 * one that is created.
 *
 * Owns:     `*out` ends with brolga_io_close().
 * Blocks:   see above.
 * Returns:  BROLGA_OK, ENOENT, EEXIST, EREFUSED (no permission), EINVAL,
 *           ELIMIT, EIO, ETIMEOUT, ECANCELED.
 */
BROLGA_API BROLGA_NODISCARD int brolga_file_open(const char *path, int flags,
                                                 int mode, uint64_t deadline_ns,
                                                 brolga_io *out);

/**
 * Read `bytes` bytes from an offset, fewer only at the end of the file.
 *
 * Blocks:   see above.
 * Returns:  BROLGA_OK with the number in `*count`; or as brolga_file_open().
 */
BROLGA_API BROLGA_NODISCARD int brolga_file_read(brolga_io file, void *buffer,
                                                 size_t bytes, uint64_t offset,
                                                 uint64_t deadline_ns,
                                                 size_t *count);

/**
 * Write all bytes at an offset.
 *
 * Blocks:   see above.
 * Returns:  BROLGA_OK; or as brolga_file_open(), and then `*written`, if not
 *           NULL, says how many bytes at the beginning have been written.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_file_write(brolga_io file, const void *buffer, size_t bytes,
                  uint64_t offset, uint64_t deadline_ns, size_t *written);

/**
 * The size of an open file.
 *
 * Blocks:   see above.
 * Returns:  BROLGA_OK, or as brolga_file_open().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_file_size(brolga_io file, uint64_t deadline_ns, uint64_t *size);

/**
 * Read a whole file of at most `bytes_max` bytes. A NUL that is not counted
 * follows the data.
 *
 * Owns:     `*data` ends with brolga_file_unload().
 * Blocks:   see above.
 * Returns:  BROLGA_OK, ELIMIT (it is longer), ENOMEM, or as
 *           brolga_file_open(). `count` may be NULL.
 */
BROLGA_API BROLGA_NODISCARD int brolga_file_load(const char *path,
                                                 size_t bytes_max,
                                                 uint64_t deadline_ns,
                                                 char **data, size_t *count);

/** Free what brolga_file_load() returned; NULL is ignored. Threads: any. */
BROLGA_API void brolga_file_unload(char *data);

/* --- streams ------------------------------------------------------------ */

/*
 * TCP connections, connections to local sockets, and the pipes of children.
 * Reads and writes of one stream may run at once. Several reads wait in the
 * order in which they came, and so do several writes: each write's bytes stay
 * together.
 */

/**
 * Read what is there, at least one byte, at most `bytes` (which is not 0).
 *
 * A read that fails has taken nothing: what comes later is there for the next.
 *
 * Threads:  tasks.
 * Blocks:   until something is there, the stream's end, the deadline, or
 *           cancellation. A safepoint.
 * Returns:  BROLGA_OK with `*count` bytes, 0 at the end of the stream;
 *           ETIMEOUT, ECANCELED, ECLOSED (by brolga_io_close()), EIO (the
 *           connection is lost), EINVAL, ENOMEM, ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int brolga_io_read(brolga_io stream, void *buffer,
                                               size_t bytes,
                                               uint64_t deadline_ns,
                                               size_t *count);

/**
 * Write all bytes.
 *
 * Threads:  tasks.
 * Blocks:   until the system has taken the last one, the deadline, or
 *           cancellation. A safepoint.
 * Returns:  as brolga_io_read(). `*written`, if not NULL, is set in any case:
 *           that many bytes at the beginning are on their way, no others.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_io_write(brolga_io stream, const void *buffer, size_t bytes,
                uint64_t deadline_ns, size_t *written);

/**
 * End the writing side, after the writes that wait: the other side reads the
 * stream's end. Reading goes on.
 *
 * Threads:  tasks.
 * Blocks:   for those writes, the deadline, or cancellation. A safepoint.
 * Returns:  BROLGA_OK, or as brolga_io_read().
 */
BROLGA_API int brolga_io_shutdown(brolga_io stream, uint64_t deadline_ns);

/**
 * Wait for a connection.
 *
 * Owns:     `*stream` ends with brolga_io_close().
 * Threads:  tasks, several at once.
 * Blocks:   until there is one, the deadline, or cancellation. A safepoint.
 * Returns:  BROLGA_OK, or as brolga_io_read().
 */
BROLGA_API BROLGA_NODISCARD int
brolga_io_accept(brolga_io listener, uint64_t deadline_ns, brolga_io *stream);

/**
 * Accept TCP connections at a numeric address, IPv4 or IPv6. Port 0 is any
 * that is free: brolga_tcp_port() says which.
 *
 * Owns:     `*listener` ends with brolga_io_close().
 * Threads:  tasks.
 * Blocks:   no.
 * Returns:  BROLGA_OK, EBUSY (the port is in use), EINVAL (no numeric
 *           address), EREFUSED (no permission), ENOMEM, ELIMIT, EIO.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_tcp_listen(const char *address, uint16_t port, brolga_io *listener);

/**
 * The local port of a TCP listener or stream.
 *
 * Threads:  tasks.
 * Returns:  BROLGA_OK, ECLOSED, EINVAL (not a TCP socket).
 */
BROLGA_API BROLGA_NODISCARD int brolga_tcp_port(brolga_io io, uint16_t *port);

/**
 * Connect to a numeric address. Small writes are not delayed (TCP_NODELAY).
 *
 * Owns:     `*stream` ends with brolga_io_close().
 * Threads:  tasks.
 * Blocks:   until the connection is made or refused, the deadline, or
 *           cancellation. A safepoint.
 * Returns:  BROLGA_OK, EREFUSED, EINVAL, ETIMEOUT, ECANCELED, ENOMEM, ELIMIT,
 *           EIO.
 */
BROLGA_API BROLGA_NODISCARD int brolga_tcp_connect(const char *address,
                                                   uint16_t port,
                                                   uint64_t deadline_ns,
                                                   brolga_io *stream);

/**
 * Accept connections at a path of the file system (a local socket). The path
 * is unlinked when the listener is closed.
 *
 * Returns:  as brolga_tcp_listen(); EBUSY if the path exists.
 */
BROLGA_API BROLGA_NODISCARD int brolga_pipe_listen(const char *path,
                                                   brolga_io *listener);

/**
 * Connect to a path that someone listens at.
 *
 * Threads:  tasks.
 * Blocks:   no. A safepoint.
 * Returns:  BROLGA_OK, ENOENT, EREFUSED (nobody listens), EAGAIN (too many
 *           connections wait to be accepted), EINVAL, ENOMEM, ELIMIT, EIO.
 */
BROLGA_API BROLGA_NODISCARD int brolga_pipe_connect(const char *path,
                                                    brolga_io *stream);

/**
 * Two streams that are connected with each other.
 *
 * Owns:     each ends with brolga_io_close().
 * Threads:  tasks. Blocks: no.
 * Returns:  BROLGA_OK, ENOMEM, ELIMIT.
 */
BROLGA_API BROLGA_NODISCARD int brolga_pipe_pair(brolga_io pair[2]);

/* --- child processes ---------------------------------------------------- */

enum brolga_stdio {
    BROLGA_STDIO_INHERIT, /* What this process has there. */
    BROLGA_STDIO_NULL,    /* /dev/null */
    BROLGA_STDIO_PIPE     /* A stream to or from this process. */
};

struct brolga_process_opts {
    const char *const *argv;    /* Ends with NULL; argv[0] is searched for in
                                   PATH unless it has a slash. */
    const char *const *env;     /* "NAME=value", ends with NULL; NULL: ours. */
    const char *cwd;            /* NULL: ours. */
    enum brolga_stdio stdio[3]; /* Its input, output and error output. */
};

/**
 * Start a child process. `pipes[i]` becomes a stream where `stdio[i]` asks for
 * one, else 0; `pipes` may be NULL if none does.
 *
 * Once a child has been started the runtime handles SIGCHLD, which the host
 * must neither take over nor block; it waits for its own children only.
 *
 * Owns:     `*process` and the pipes end with brolga_io_close().
 * Threads:  tasks.
 * Blocks:   until the child runs its program or has failed to. A safepoint.
 * Returns:  BROLGA_OK, ENOENT, EREFUSED (not executable), EINVAL, ENOMEM,
 *           ELIMIT, ECANCELED, EIO.
 */
BROLGA_API BROLGA_NODISCARD int
brolga_process_spawn(const struct brolga_process_opts *opts, brolga_io *process,
                     brolga_io pipes[3]);

/** How a process ended. */
struct brolga_exit {
    int64_t code; /* Of exit(). */
    int signal;   /* That killed it, else 0. */
};

/**
 * Wait until a child has ended; also again, and several at once.
 *
 * Threads:  tasks.
 * Blocks:   until it has, the deadline, or cancellation. A safepoint.
 * Returns:  BROLGA_OK, ETIMEOUT, ECANCELED, ECLOSED, EINVAL.
 */
BROLGA_API BROLGA_NODISCARD int brolga_process_wait(brolga_io process,
                                                    uint64_t deadline_ns,
                                                    struct brolga_exit *out);

/**
 * Send a signal to a child. It goes to that child or to nobody: never to
 * another process that has got its number.
 *
 * Threads:  tasks.
 * Blocks:   for a moment, also in a task that has been canceled. A safepoint.
 * Returns:  BROLGA_OK, BROLGA_ENOENT (it has ended), ECLOSED, EINVAL.
 */
BROLGA_API int brolga_process_kill(brolga_io process, int signal);

#ifdef __cplusplus
}
#endif
#endif
