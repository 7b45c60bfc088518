/*
 * Profilers: two files that perf reads, each for the whole process.
 *
 *   /tmp/perf-PID.map   a line for each function: where it begins, its length,
 *                       its name, for as long as nobody says otherwise. So a
 *                       name may be wrong for samples from before.
 *   jit-PID.dump        a record for each function, with the time and the code;
 *                       perf finds the file because one page of it is mapped as
 *                       if it were to be run.
 *
 * Neither knows an end of code. A newer entry for an address takes it over: in
 * the dump it has a later time, and a number that is not used again.
 */
#include "code/code.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct file {
    int fd;
    uint32_t users;
};

/* Guards what follows; held while a file is written. Leaf. */
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;
static struct file map, dump;
static void *marker; /* The page of the dump. */
static uint64_t next_number;

/* --- files -------------------------------------------------------------- */

/* One of ours, not what somebody has put in its place. */
static bool is_ours(int fd)
{
    struct stat is;

    return fstat(fd, &is) == 0 && S_ISREG(is.st_mode) &&
           is.st_uid == geteuid() && is.st_nlink == 1;
}

static int open_file(struct file *file, const char *path, int flags)
{
    int fd = open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0 && !is_ours(fd)) {
        (void)close(fd);
        fd = -1;
    }
    file->fd = fd;
    return fd >= 0 ? BROLGA_OK : BROLGA_EIO;
}

/* All or nothing, as far as the system can do that. */
static int write_all(int fd, struct iovec *part, int parts)
{
    size_t bytes = 0;
    ssize_t written;

    for (int i = 0; i < parts; i++)
        bytes += part[i].iov_len;
    do
        written = writev(fd, part, parts);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)bytes ? BROLGA_OK : BROLGA_EIO;
}

static void close_file(struct file *file)
{
    (void)close(file->fd);
    file->fd = -1;
}

/* --- the map ------------------------------------------------------------ */

static int open_map(void)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    return open_file(&map, path, O_WRONLY | O_APPEND);
}

/* A line is one name: what would end it does not. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ')
            *text = '?';
}

static int write_line(uintptr_t low, size_t bytes, const char *name)
{
    char line[512];
    struct iovec part = {.iov_base = line};

    /* With room for the end of the line. */
    (void)snprintf(line, sizeof line - 1, "%zx %zx %s", (size_t)low, bytes,
                   name);
    make_plain(line);
    part.iov_len = strlen(line);
    line[part.iov_len++] = '\n';
    return write_all(map.fd, &part, 1);
}

/* --- the dump ----------------------------------------------------------- */

struct dump_head {
    uint32_t magic, version, bytes, machine, unused, pid;
    uint64_t time_ns, flags;
};

struct record_head {
    uint32_t kind, bytes;
    uint64_t time_ns;
};

struct load_record {
    struct record_head head;
    uint32_t pid, tid;
    uint64_t low, low_again, bytes, number;
};

enum { RECORD_LOAD = 0, RECORD_CLOSE = 3 };

static int begin_dump(void)
{
    struct dump_head head = {.magic = 0x4a695444,
                             .version = 1,
                             .bytes = sizeof head,
                             .machine = brolga__plat_machine(),
                             .pid = (uint32_t)getpid(),
                             .time_ns = brolga__plat_now_ns()};
    struct iovec part = {&head, sizeof head};

    if (write_all(dump.fd, &part, 1) != BROLGA_OK)
        return BROLGA_EIO;
    marker = mmap(NULL, brolga__plat_page_bytes(), PROT_READ | PROT_EXEC,
                  MAP_PRIVATE, dump.fd, 0);
    return marker != MAP_FAILED ? BROLGA_OK : BROLGA_EIO;
}

static int open_dump(void)
{
    const char *folder = getenv("JITDUMPDIR");
    char path[4096];
    int length;

    if (folder == NULL || folder[0] == '\0')
        folder = ".";
    length =
        snprintf(path, sizeof path, "%s/jit-%ld.dump", folder, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof path ||
        open_file(&dump, path, O_RDWR | O_TRUNC) != BROLGA_OK)
        return BROLGA_EIO;
    if (begin_dump() == BROLGA_OK)
        return BROLGA_OK;
    close_file(&dump);
    return BROLGA_EIO;
}

static void end_dump(void)
{
    struct record_head end = {RECORD_CLOSE, sizeof end, brolga__plat_now_ns()};
    struct iovec part = {&end, sizeof end};

    (void)write_all(dump.fd, &part, 1);
    (void)munmap(marker, brolga__plat_page_bytes());
}

static int write_record(uintptr_t low, size_t bytes, const char *name)
{
    struct load_record record = {
        .head = {.kind = RECORD_LOAD, .time_ns = brolga__plat_now_ns()},
        .pid = (uint32_t)getpid(),
        .tid = (uint32_t)brolga__plat_thread_id(),
        .low = low,
        .low_again = low,
        .bytes = bytes,
        .number = next_number++};
    struct iovec part[] = {{&record, sizeof record},
                           {(void *)name, strlen(name) + 1},
                           {(void *)low, bytes}};

    record.head.bytes =
        (uint32_t)(sizeof record + part[1].iov_len + part[2].iov_len);
    return write_all(dump.fd, part, 3);
}

/* --- both --------------------------------------------------------------- */

static int use(struct file *file, bool wanted, int (*open)(void))
{
    int err = BROLGA_OK;

    if (wanted && file->users == 0)
        err = open();
    if (wanted && err == BROLGA_OK)
        file->users++;
    return err;
}

/* Whether it was the last user. */
static bool unuse(struct file *file, bool wanted)
{
    return wanted && --file->users == 0;
}

static void close_map(const struct brolga_code_opts *opts)
{
    if (unuse(&map, opts->perf_map))
        close_file(&map);
}

int brolga__profiler_open(const struct brolga_code_opts *opts)
{
    int err;

    (void)pthread_mutex_lock(&files_lock);
    err = use(&map, opts->perf_map, open_map);
    if (err == BROLGA_OK) {
        err = use(&dump, opts->jitdump, open_dump);
        if (err != BROLGA_OK)
            close_map(opts);
    }
    (void)pthread_mutex_unlock(&files_lock);
    return err;
}

void brolga__profiler_close(const struct brolga_code_opts *opts)
{
    (void)pthread_mutex_lock(&files_lock);
    close_map(opts);
    if (unuse(&dump, opts->jitdump)) {
        end_dump();
        close_file(&dump);
    }
    (void)pthread_mutex_unlock(&files_lock);
}

static int add(const struct brolga_code_opts *opts, uintptr_t low, size_t bytes,
               const char *name)
{
    int err = BROLGA_OK;

    if (opts->perf_map)
        err = write_line(low, bytes, name);
    if (err == BROLGA_OK && opts->jitdump)
        err = write_record(low, bytes, name);
    return err;
}

int brolga__profiler_add(const struct brolga__block *block, const char *name)
{
    const struct brolga_code_opts *opts = &block->code->opts;
    uintptr_t low = (uintptr_t)block->public.run;
    int err = BROLGA_OK;

    if (!opts->perf_map && !opts->jitdump)
        return BROLGA_OK;
    (void)pthread_mutex_lock(&files_lock);
    if (block->function_count == 0)
        err = add(opts, low, block->public.bytes, name != NULL ? name : "unit");
    for (size_t i = 0; err == BROLGA_OK && i < block->function_count; i++)
        err = add(opts, low + block->functions[i].offset,
                  block->functions[i].bytes, block->functions[i].name);
    (void)pthread_mutex_unlock(&files_lock);
    return err;
}
