/*
 * Files: libuv's calls of the file system, made on a thread of the pool. The
 * system has no other way to read a disk without blocking a thread.
 */
#include "tasks/io_handle.h"

#include "alloc.h"

#include <uv.h>

/* One request; which fields it uses depends on the function that runs. */
struct work {
    const char *path;
    int flags, mode;
    int fd;
    char *buffer;
    size_t bytes, done;
    uint64_t offset, size;
    int error; /* What libuv says; 0: none. */
};

static int open_flags(int flags)
{
    int uv = (flags & BROLGA_OPEN_WRITE) == 0  ? UV_FS_O_RDONLY
             : (flags & BROLGA_OPEN_READ) == 0 ? UV_FS_O_WRONLY
                                               : UV_FS_O_RDWR;

    if ((flags & BROLGA_OPEN_CREATE) != 0)
        uv |= UV_FS_O_CREAT;
    if ((flags & BROLGA_OPEN_EXCLUSIVE) != 0)
        uv |= UV_FS_O_EXCL;
    if ((flags & BROLGA_OPEN_TRUNCATE) != 0)
        uv |= UV_FS_O_TRUNC;
    return uv;
}

/* --- on the pool's threads ---------------------------------------------- */

static void do_open(void *arg)
{
    struct work *work = arg;
    uv_fs_t req;

    work->fd = uv_fs_open(NULL, &req, work->path, open_flags(work->flags),
                          work->mode, NULL);
    work->error = work->fd < 0 ? work->fd : 0;
    uv_fs_req_cleanup(&req);
}

static void do_close(void *arg)
{
    struct work *work = arg;
    uv_fs_t req;

    (void)uv_fs_close(NULL, &req, work->fd, NULL);
    uv_fs_req_cleanup(&req);
}

static void do_size(void *arg)
{
    struct work *work = arg;
    uv_fs_t req;

    work->error = uv_fs_fstat(NULL, &req, work->fd, NULL);
    if (work->error == 0)
        work->size = req.statbuf.st_size;
    uv_fs_req_cleanup(&req);
}

typedef int (*transfer_fn)(uv_loop_t *loop, uv_fs_t *req, uv_file fd,
                           const uv_buf_t bufs[], unsigned count,
                           int64_t offset, uv_fs_cb done);

/* The system moves at most so much at once, and libuv counts in an unsigned. */
#define AT_ONCE ((size_t)1 << 30)

/* Until all has been moved, nothing more can be, or an error. */
static void transfer(struct work *work, transfer_fn move)
{
    int moved = 1;

    while (work->done < work->bytes && moved > 0) {
        size_t left = work->bytes - work->done;
        uv_buf_t buf = uv_buf_init(work->buffer + work->done,
                                   left < AT_ONCE ? (unsigned)left : AT_ONCE);
        uv_fs_t req;

        moved = move(NULL, &req, work->fd, &buf, 1,
                     (int64_t)(work->offset + work->done), NULL);
        uv_fs_req_cleanup(&req);
        if (moved > 0)
            work->done += (size_t)moved;
        else
            work->error = moved;
    }
}

static void do_read(void *arg)
{
    transfer(arg, uv_fs_read);
}

static void do_write(void *arg)
{
    transfer(arg, uv_fs_write);
}

/* Makes room for one byte more than `bytes`, for the NUL. */
static bool make_room(struct work *work, size_t bytes)
{
    char *buffer = brolga__realloc(work->buffer, bytes + 1);

    if (buffer == NULL) {
        work->error = UV_ENOMEM;
        return false;
    }
    work->buffer = buffer;
    work->bytes = bytes;
    return true;
}

/* Reads to the end, whatever size the file says it has, or has had. Ends: the
 * room doubles up to `bytes_max`, which is kept in `size`. */
static void read_all(struct work *work, size_t bytes_max)
{
    size_t room = work->size < bytes_max ? (size_t)work->size + 1 : bytes_max;

    while (work->error == 0) {
        if (!make_room(work, room))
            return;
        transfer(work, uv_fs_read);
        if (work->done < work->bytes || work->bytes == bytes_max)
            return;
        room = room < bytes_max / 2 ? room * 2 : bytes_max;
    }
}

/* `bytes` has the most that there may be; one more shows that it is longer. */
static void do_load(void *arg)
{
    struct work *work = arg;
    size_t bytes_max = work->bytes;

    do_open(work);
    if (work->error != 0)
        return;
    do_size(work);
    if (work->error == 0)
        read_all(work, bytes_max + 1);
    if (work->error == 0 && work->done > bytes_max)
        work->error = UV_EFBIG;
    do_close(work);
}

/* --- the tasks ---------------------------------------------------------- */

static int run(const char *where, void (*fn)(void *arg), struct work *work,
               uint64_t deadline_ns)
{
    int err = brolga__pool_run(where, fn, work, deadline_ns);

    if (err == BROLGA_OK && work->error != 0)
        err = brolga__io_fail(work->error);
    return err;
}

static int open_record(struct brolga__record *record, struct work *work,
                       uint64_t deadline_ns)
{
    int err = run("open", do_open, work, deadline_ns);

    if (err == BROLGA_OK)
        record->fd = work->fd;
    return err;
}

int brolga_file_open(const char *path, int flags, int mode,
                     uint64_t deadline_ns, brolga_io *out)
{
    struct work work = {.path = path, .flags = flags, .mode = mode};
    struct brolga__record *record;
    int err;

    if (path == NULL || (flags & (BROLGA_OPEN_READ | BROLGA_OPEN_WRITE)) == 0)
        return BROLGA_EINVAL;
    err = brolga__record_create(BROLGA__FILE, &record);
    if (err != BROLGA_OK)
        return err;
    err = open_record(record, &work, deadline_ns);
    if (err != BROLGA_OK) {
        brolga__record_discard(record);
        return err;
    }
    *out = record->handle;
    brolga__record_unref(record);
    return BROLGA_OK;
}

/* Runs `fn` with the file's descriptor. */
static int with_file(brolga_io file, const char *where, void (*fn)(void *arg),
                     struct work *work, uint64_t deadline_ns)
{
    struct brolga__record *record;
    int err = brolga__record_find(file, BROLGA__FILE, &record);

    if (err != BROLGA_OK)
        return err;
    work->fd = record->fd;
    err = run(where, fn, work, deadline_ns);
    brolga__record_unref(record);
    return err;
}

int brolga_file_read(brolga_io file, void *buffer, size_t bytes,
                     uint64_t offset, uint64_t deadline_ns, size_t *count)
{
    struct work work = {.buffer = buffer, .bytes = bytes, .offset = offset};
    int err = with_file(file, "file read", do_read, &work, deadline_ns);

    if (err == BROLGA_OK)
        *count = work.done;
    return err;
}

int brolga_file_write(brolga_io file, const void *buffer, size_t bytes,
                      uint64_t offset, uint64_t deadline_ns, size_t *written)
{
    /* libuv's buffers are for reading into, too; this one is only read. */
    union {
        const void *readable;
        char *any;
    } cast = {buffer};
    struct work work = {.buffer = cast.any, .bytes = bytes, .offset = offset};
    int err = with_file(file, "file write", do_write, &work, deadline_ns);

    if (written != NULL)
        *written = work.done;
    return err;
}

int brolga_file_size(brolga_io file, uint64_t deadline_ns, uint64_t *size)
{
    struct work work = {0};
    int err = with_file(file, "file size", do_size, &work, deadline_ns);

    if (err == BROLGA_OK)
        *size = work.size;
    return err;
}

int brolga_file_load(const char *path, size_t bytes_max, uint64_t deadline_ns,
                     char **data, size_t *count)
{
    struct work work = {.path = path, .flags = BROLGA_OPEN_READ};
    int err;

    if (path == NULL || bytes_max >= SIZE_MAX / 2)
        return BROLGA_EINVAL;
    work.bytes = bytes_max;
    err = run("file load", do_load, &work, deadline_ns);
    if (err != BROLGA_OK) {
        brolga__free(work.buffer);
        return err;
    }
    work.buffer[work.done] = '\0';
    *data = work.buffer;
    if (count != NULL)
        *count = work.done;
    return BROLGA_OK;
}

void brolga_file_unload(char *data)
{
    brolga__free(data);
}
