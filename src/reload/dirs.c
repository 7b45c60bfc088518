/*
 * The watcher's directories: whether they are there, what is new in them, and
 * which files an event is about.
 *
 * Directories are watched, not files: editors replace files, and a watch on a
 * file stays with the one that was replaced. A file that is a link is changed
 * in two places, and so both directories are watched.
 *
 * Two directories may be one (a link to it, a path with ".."): then an event
 * is for both.
 *
 * When the kernel had to drop events, or a directory has moved, every file
 * that may be concerned is touched: the look reads it then, whatever its size
 * and times.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include "reload/watch.h"

#include "alloc.h"
#include "plat.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names -------------------------------------------------------------- */

static bool has_ending(const char *name, const char *ending)
{
    size_t bytes = strlen(name), ending_bytes = strlen(ending);

    return bytes > ending_bytes &&
           strcmp(name + bytes - ending_bytes, ending) == 0;
}

/* Hidden files are not the user's: editors lock and back up by them. */
static bool is_source_name(const char *name)
{
    return name[0] != '.' && has_ending(name, ".c");
}

static bool is_header_name(const char *name)
{
    return name[0] != '.' && has_ending(name, ".h");
}

static void join_path(char *out, size_t bytes, const char *dir,
                      const char *name)
{
    bool here = strcmp(dir, ".") == 0;

    (void)snprintf(
        out, bytes, "%s%s%s", here ? "" : dir,
        here || has_ending(dir, "/") || strcmp(dir, "/") == 0 ? "" : "/", name);
}

/* --- what is new in them ------------------------------------------------ */

/* Takes a file that is there. Returns whether it is new. */
static bool take_entry(struct brolga__watch *watch, const struct dir *dir,
                       const char *name)
{
    enum brolga__watch_kind kind =
        is_source_name(name) ? BROLGA__WATCH_SOURCE : BROLGA__WATCH_HEADER;
    size_t before = watch->files_count;
    struct brolga__watch_file *file;
    char path[PATH_MAX];

    join_path(path, sizeof path, dir->path, name);
    if (brolga__watch_file(watch, path, kind, &file) != BROLGA_OK)
        watch->missed = true; /* The next sweep tries again. */
    return watch->files_count > before;
}

static bool list_dir(struct brolga__watch *watch, const struct dir *dir)
{
    uv_fs_t request;
    uv_dirent_t entry;
    bool found = false;

    if (!dir->listed || dir->gone)
        return false;
    if (uv_fs_scandir(watch->loop, &request, dir->path, 0, NULL) >= 0)
        while (uv_fs_scandir_next(&request, &entry) == 0)
            if (entry.type != UV_DIRENT_DIR &&
                (is_source_name(entry.name) || is_header_name(entry.name)))
                found |= take_entry(watch, dir, entry.name);
    uv_fs_req_cleanup(&request);
    return found;
}

/* --- events ------------------------------------------------------------- */

static void touch(struct brolga__watch_file *file, enum brolga__change change)
{
    file->touched = true;
    file->unheard = false;
    file->heard_ns = brolga__plat_now_ns();
    file->writer_ns = change == BROLGA__CHANGE_WRITTEN ? file->heard_ns : 0;
}

/* Nobody has told, for a while, who writes into its files. */
static void touch_all(struct brolga__watch *watch, const struct dir *dir)
{
    for (size_t i = 0; i < watch->files_count; i++) {
        if (watch->dirs[watch->files[i]->dir] != dir)
            continue;
        touch(watch->files[i], BROLGA__CHANGE_LOST);
        watch->files[i]->unheard = true;
    }
}

/* Whether a file of a directory is what an event names. */
static bool is_named(const struct brolga__watch_file *file, uint32_t dir,
                     const char *name)
{
    return (file->dir == dir &&
            strcmp(brolga__text_base(file->path), name) == 0) ||
           (file->target != NULL && file->target_dir == dir &&
            strcmp(file->target, name) == 0);
}

/* Marks the files that an event names; false if it is none of ours. */
static bool touch_named(struct brolga__watch *watch, uint32_t dir,
                        enum brolga__change change, const char *name)
{
    bool known = watch->dirs[dir]->listed &&
                 (is_source_name(name) || is_header_name(name));

    for (size_t i = 0; i < watch->files_count; i++) {
        if (!is_named(watch->files[i], dir, name))
            continue;
        touch(watch->files[i], change);
        known = true;
    }
    return known;
}

static bool take_change(struct brolga__watch *watch, uint32_t dir,
                        enum brolga__change change, const char *name)
{
    if (name != NULL)
        return touch_named(watch, dir, change, name);
    watch->dirs[dir]->suspect = true;
    touch_all(watch, watch->dirs[dir]);
    return true;
}

static void on_change(void *arg, int id, enum brolga__change change,
                      const char *name)
{
    struct brolga__watch *watch = arg;
    bool known = false;

    for (uint32_t i = 0; i < watch->dirs_count; i++)
        if (change == BROLGA__CHANGE_LOST || watch->dirs[i]->id == id)
            known |= take_change(watch, i, change, name);
    if (known)
        brolga__watch_soon(watch);
}

void brolga__dirs_hear(struct brolga__watch *watch)
{
    if (watch->started && watch->notify >= 0)
        brolga__plat_notify_read(watch->notify, on_change, watch);
}

static void polled(uv_poll_t *poll, int status, int events)
{
    struct brolga__watch *watch = poll->data;

    (void)status; /* If it cannot be read, the sweep is left. */
    (void)events;
    brolga__dirs_hear(watch);
}

/* --- watching ----------------------------------------------------------- */

static void tell_problem(struct brolga__watch *watch, struct dir *dir,
                         const char *what, const char *advice)
{
    struct brolga__text text = {0};

    if (dir->told_problem)
        return;
    dir->told_problem = true;
    brolga__text_add(&text, "%s: %s\n  %s", dir->path, what, advice);
    watch->opts.on_problem(watch->opts.arg, dir->path, text.at);
}

/* Two may share a notification: it ends with the last. */
static void disarm(struct brolga__watch *watch, int id)
{
    for (size_t i = 0; i < watch->dirs_count; i++)
        if (watch->dirs[i]->id == id)
            return;
    if (id >= 0)
        brolga__plat_notify_remove(watch->notify, id);
}

/* If the notification is alive, it is what the system returns, and no event is
 * missed; so the old one ends after that. */
static void arm(struct brolga__watch *watch, struct dir *dir)
{
    int err = watch->notify, old = dir->id;

    dir->suspect = false;
    if (err >= 0)
        err = brolga__plat_notify_add(watch->notify, dir->path);
    dir->id = err;
    disarm(watch, old);
    if (err >= 0)
        dir->told_problem = false;
    else
        tell_problem(watch, dir, uv_strerror(err),
                     "changes are seen late, by a slow look; if too many files "
                     "are watched on this system, raise its limits "
                     "(fs.inotify.max_user_watches, max_user_instances)");
}

/* Sees whether the directory is there and still the one that is watched. */
static void check_dir(struct brolga__watch *watch, struct dir *dir)
{
    uv_stat_t stat;
    int err;

    if (!brolga__watch_stat(watch, dir->path, &stat, &err)) {
        if (!dir->gone)
            tell_problem(watch, dir, "the directory is gone",
                         "its modules run on as they are; watching goes on "
                         "when it is back");
        dir->gone = true;
        return;
    }
    if (!dir->gone && !dir->suspect && (dir->id >= 0 || !watch->started) &&
        dir->device == stat.st_dev && dir->inode == stat.st_ino)
        return;
    if (dir->gone || dir->inode != stat.st_ino || dir->device != stat.st_dev)
        touch_all(watch, dir);
    dir->gone = false;
    dir->device = stat.st_dev;
    dir->inode = stat.st_ino;
    if (watch->started)
        arm(watch, dir);
}

bool brolga__dirs_check(struct brolga__watch *watch)
{
    bool found = false;

    /* Listing adds files, whose directories are known. */
    for (size_t i = 0; i < watch->dirs_count; i++) {
        check_dir(watch, watch->dirs[i]);
        found |= list_dir(watch, watch->dirs[i]);
    }
    return found;
}

void brolga__dirs_start(struct brolga__watch *watch)
{
    for (size_t i = 0; i < watch->dirs_count; i++)
        arm(watch, watch->dirs[i]);
    if (watch->notify >= 0)
        (void)uv_poll_start(&watch->poll, UV_READABLE, polled);
}

/* Events that are left in the descriptor name what is not there any more, or
 * are a look too many. */
void brolga__dirs_stop(struct brolga__watch *watch)
{
    if (watch->notify >= 0)
        (void)uv_poll_stop(&watch->poll);
    for (size_t i = 0; i < watch->dirs_count; i++) {
        int id = watch->dirs[i]->id;

        watch->dirs[i]->id = -1;
        disarm(watch, id);
    }
}

/* --- which there are ---------------------------------------------------- */

static int add_dir(struct brolga__watch *watch, const char *path, bool listed,
                   uint32_t *out)
{
    struct dir *dir;

    for (uint32_t i = 0; i < watch->dirs_count; i++) {
        if (strcmp(watch->dirs[i]->path, path) != 0)
            continue;
        watch->dirs[i]->listed |= listed;
        *out = i;
        return BROLGA_OK;
    }
    dir = brolga__alloc_zero(sizeof *dir);
    if (dir == NULL || (dir->path = brolga__strdup(path)) == NULL ||
        !brolga__watch_grow(&watch->dirs, watch->dirs_count)) {
        if (dir != NULL)
            brolga__free(dir->path);
        brolga__free(dir);
        return BROLGA_ENOMEM;
    }
    dir->id = -1;
    dir->listed = listed;
    *out = (uint32_t)watch->dirs_count;
    watch->dirs[watch->dirs_count++] = dir;
    check_dir(watch, dir);
    return BROLGA_OK;
}

int brolga__watch_dir(struct brolga__watch *watch, const char *path)
{
    uint32_t index;

    return add_dir(watch, path, true, &index);
}

int brolga__dirs_add_of(struct brolga__watch *watch, const char *path,
                        uint32_t *out)
{
    size_t bytes = (size_t)(brolga__text_base(path) - path);
    char *dir;
    int err;

    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    dir = brolga__strdup(bytes == 0 ? "." : path);
    if (dir == NULL)
        return BROLGA_ENOMEM;
    if (bytes != 0)
        dir[bytes] = '\0';
    err = add_dir(watch, dir, false, out);
    brolga__free(dir);
    return err;
}

/* Without memory, or for what leads nowhere, the sweep is left. */
void brolga__dirs_follow(struct brolga__watch *watch,
                         struct brolga__watch_file *file)
{
    char real[PATH_MAX];
    char *before = file->target;
    size_t dir_before = file->target_dir;
    uv_fs_t request;
    bool is_link = uv_fs_lstat(watch->loop, &request, file->path, NULL) == 0 &&
                   (request.statbuf.st_mode & S_IFMT) == S_IFLNK;

    uv_fs_req_cleanup(&request);
    file->target = NULL;
    if (is_link && realpath(file->path, real) != NULL &&
        brolga__dirs_add_of(watch, real, &file->target_dir) == BROLGA_OK)
        file->target = brolga__strdup(brolga__text_base(real));
    /* Somebody may have it open, and no event has told of that. */
    if (file->target != NULL &&
        (before == NULL || strcmp(before, file->target) != 0 ||
         dir_before != file->target_dir))
        file->unheard = true;
    brolga__free(before);
}

void brolga__dirs_free(struct brolga__watch *watch)
{
    for (size_t i = 0; i < watch->dirs_count; i++) {
        brolga__free(watch->dirs[i]->path);
        brolga__free(watch->dirs[i]);
    }
    brolga__free(watch->dirs);
}
