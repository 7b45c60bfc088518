/*
 * Changes of files on Linux: inotify.
 *
 * What it tells of a file is the name in the directory that is watched: writes
 * by another name (a hard link, a mount elsewhere, another machine's network
 * file system, a mapping of the file) are not told.
 */
#define _GNU_SOURCE
#include "plat.h"

#include "base.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A change of the directory itself. */
#define SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

int brolga__plat_notify_open(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int brolga__plat_notify_add(int fd, const char *path)
{
    int directory =
        inotify_add_watch(fd, path,
                          IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                              IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);

    return directory < 0 ? -errno : directory;
}

void brolga__plat_notify_remove(int fd, int directory)
{
    (void)inotify_rm_watch(fd, directory);
}

static enum brolga__change change_of(uint32_t mask)
{
    if (mask & IN_Q_OVERFLOW)
        return BROLGA__CHANGE_LOST;
    if (mask & SELF)
        return BROLGA__CHANGE_SELF;
    if (mask & IN_MODIFY)
        return BROLGA__CHANGE_WRITTEN;
    if (mask & IN_CLOSE_WRITE)
        return BROLGA__CHANGE_CLOSED;
    return BROLGA__CHANGE_OTHER;
}

static void tell_all(const char *at, size_t bytes, brolga__change_fn *tell,
                     void *arg)
{
    /* Each turn consumes a record; the kernel gives whole ones only. */
    for (const char *end = at + bytes; at < end;) {
        struct inotify_event event;

        memcpy(&event, at, sizeof event);
        at += sizeof event;
        /* Attributes of the directory itself come without a name. */
        if (event.len > 0 || (event.mask & (SELF | IN_Q_OVERFLOW)) != 0)
            tell(arg, event.wd, change_of(event.mask),
                 event.len > 0 ? at : NULL);
        at += event.len;
    }
}

void brolga__plat_notify_read(int fd, brolga__change_fn *tell, void *arg)
{
    alignas(struct inotify_event) char bytes[16384];
    ssize_t got;

    /* A stream of changes that never ends is one that is read in turns: what
     * the kernel's queue held, a few times over, is enough for this one. */
    for (int turn = 0; turn < 64; turn++) {
        got = read(fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        tell_all(bytes, (size_t)got, tell, arg);
    }
}
