/*
 * The watcher: which files have changed, and whether they are whole.
 *
 *            event, sweep                 all settled
 *    quiet -------------> burst --look--+--------------> told --> quiet
 *                           ^           |
 *                           +-- waits --+
 *
 * Directories are watched, not files: editors replace files, and a watch stays
 * with the file that was replaced. An event says only that something may have
 * changed, so any event leads to a look, after a quiet period; what has changed
 * is decided by the content's hash, never by times.
 *
 * A file is told once it is settled: not modified for a quiet period, or the
 * same in two looks that are a quiet period apart. An empty file, and one that
 * is gone, get more time: both are what saving often passes through. As long
 * as one file of a burst is not settled, the others wait with it, up to a
 * limit, so that files that are saved together are reloaded together.
 *
 * Events can get lost: the kernel's queue overflows, and a watch dies with its
 * directory, both without a word from the event loop's library. So a slow sweep
 * compares sizes and times with those of the last look. When it finds what no
 * event has told, it puts the directory's watch up anew.
 */
#include "reload/reload.h"

#include "alloc.h"
#include "plat.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uv.h>

/* In quiet periods: how long an empty file and a missing one get. */
#define EMPTY_PERIODS   10
#define MISSING_PERIODS 4

struct dir {
    struct brolga__watch *watch;
    char *path;
    uv_fs_event_t event;
    bool listed;  /* Its *.c and *.h are taken as they come. */
    bool armed;   /* The event handle is started. */
    bool suspect; /* The watch may be dead: put it up anew. */
    bool gone;
    bool told_problem;
    uint64_t device;
    uint64_t inode;
};

struct brolga__watch {
    uv_loop_t *loop;
    bool missed; /* There was no memory for a file. */
    struct brolga__watch_opts opts;
    uint64_t quiet_ns;
    uint64_t quiet_max_ns;
    uv_timer_t quiet;
    uv_timer_t sweep;
    uint32_t open_handles;
    bool started;
    uint64_t burst_ns; /* When the burst began; 0 = quiet. */
    struct dir **dirs;
    size_t dirs_count;
    struct brolga__watch_file **files;
    size_t files_count;
};

/* What a look says of a file. */
enum verdict { SAME, WAITS, READY };

static void quiet_over(uv_timer_t *timer);

/* --- the burst ---------------------------------------------------------- */

/* Looks when it has been quiet for a while, or has been loud for too long. */
static void look_later(struct brolga__watch *watch)
{
    uint64_t now = brolga__plat_now_ns();
    uint64_t delay = watch->quiet_ns;
    uint64_t latest;

    if (watch->burst_ns == 0)
        watch->burst_ns = now;
    latest = watch->burst_ns + watch->quiet_max_ns;
    if (now + delay > latest)
        delay = latest > now ? latest - now : watch->quiet_ns;
    uv_update_time(watch->loop);
    (void)uv_timer_start(&watch->quiet, quiet_over,
                         (delay + BROLGA_MS - 1) / BROLGA_MS, 0);
}

void brolga__watch_look(struct brolga__watch *watch)
{
    for (size_t i = 0; i < watch->files_count; i++)
        watch->files[i]->touched = true;
    look_later(watch);
}

/* --- reading ------------------------------------------------------------ */

static bool get_stat(struct brolga__watch *watch, const char *path,
                     uv_stat_t *stat, int *err)
{
    uv_fs_t request;

    *err = uv_fs_stat(watch->loop, &request, path, NULL);
    if (*err == 0)
        *stat = request.statbuf;
    uv_fs_req_cleanup(&request);
    return *err == 0;
}

/* FNV-1a of 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash of a file's content; BROLGA_EIO if it cannot be read. */
static int hash_file(const char *path, uint64_t *out)
{
    FILE *file = fopen(path, "re");
    uint64_t hash = HASH_START;
    char chunk[8192];
    size_t got;
    int err = BROLGA_OK;

    if (file == NULL)
        return BROLGA_EIO;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        hash = hash_bytes(hash, chunk, got);
    if (ferror(file))
        err = BROLGA_EIO;
    (void)fclose(file);
    *out = hash;
    return err;
}

static int64_t mtime_of(const uv_stat_t *stat)
{
    return (int64_t)stat->st_mtim.tv_sec * (int64_t)BROLGA_S +
           stat->st_mtim.tv_nsec;
}

static bool stat_differs(const struct brolga__watch_file *file,
                         const uv_stat_t *stat)
{
    return file->missing || file->bytes != stat->st_size ||
           file->mtime_ns != mtime_of(stat) || file->inode != stat->st_ino;
}

static void keep_stat(struct brolga__watch_file *file, const uv_stat_t *stat)
{
    file->missing = false;
    file->bytes = stat->st_size;
    file->mtime_ns = mtime_of(stat);
    file->inode = stat->st_ino;
}

/* --- the look at one file ----------------------------------------------- */

/* Whether a file was modified a quiet period ago or before. Clocks that are
 * set back make it look newer, and then the second look decides. */
static bool is_old(const struct brolga__watch *watch, const uv_stat_t *stat)
{
    struct timespec now;
    int64_t now_ns;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    now_ns = (int64_t)now.tv_sec * (int64_t)BROLGA_S + now.tv_nsec;
    return now_ns - mtime_of(stat) >= (int64_t)watch->quiet_ns;
}

static bool is_settled(const struct brolga__watch *watch,
                       const struct brolga__watch_file *file,
                       const uv_stat_t *stat, uint64_t now)
{
    uint64_t seen_for = now - file->seen_ns;

    if (stat->st_size == 0)
        return seen_for >= EMPTY_PERIODS * watch->quiet_ns;
    return seen_for >= watch->quiet_ns || is_old(watch, stat);
}

static enum verdict examine_missing(const struct brolga__watch *watch,
                                    struct brolga__watch_file *file,
                                    uint64_t now)
{
    if (!file->missing) {
        file->missing = true;
        file->seen_ns = now;
    }
    file->touched = false;
    if (!file->exists) {
        file->seen_ns = 0;
        return SAME;
    }
    return now - file->seen_ns >= MISSING_PERIODS * watch->quiet_ns ? READY
                                                                    : WAITS;
}

/* The content's hash, or the problem's, which counts as content. */
static uint64_t read_content(struct brolga__watch_file *file,
                             const uv_stat_t *stat, int stat_err)
{
    uint64_t hash;

    file->problem[0] = '\0';
    if (stat_err != 0)
        (void)snprintf(file->problem, sizeof file->problem, "%s",
                       uv_strerror(stat_err));
    else if ((stat->st_mode & S_IFMT) != S_IFREG)
        (void)snprintf(file->problem, sizeof file->problem,
                       "it is not a regular file");
    else if (hash_file(file->path, &hash) == BROLGA_OK)
        return hash;
    else
        (void)snprintf(file->problem, sizeof file->problem,
                       "permission denied, or an error of the disk");
    return ~hash_bytes(HASH_START, file->problem, strlen(file->problem));
}

static enum verdict examine(struct brolga__watch *watch,
                            struct brolga__watch_file *file, uint64_t now)
{
    uv_stat_t stat = {0};
    bool differs;
    uint64_t hash;
    int err;

    if (watch->dirs[file->dir]->gone)
        return SAME; /* It is told of the directory. */
    if (!get_stat(watch, file->path, &stat, &err) &&
        (err == UV_ENOENT || err == UV_ENOTDIR))
        return examine_missing(watch, file, now);
    differs = stat_differs(file, &stat);
    if (!differs && !file->touched && file->seen_ns == 0 && file->told)
        return SAME;
    file->touched = false;
    hash = read_content(file, &stat, err);
    keep_stat(file, &stat);
    if (file->told && file->exists && hash == file->hash) {
        file->seen_ns = 0;
        return SAME;
    }
    if (file->seen_ns == 0 || file->seen_hash != hash || differs) {
        file->seen_hash = hash;
        file->seen_ns = now;
    }
    return is_settled(watch, file, &stat, now) ? READY : WAITS;
}

/* --- telling ------------------------------------------------------------ */

static enum brolga__watch_what what_of(const struct brolga__watch_file *file)
{
    if (file->missing)
        return BROLGA__WATCH_REMOVED;
    if (file->problem[0] != '\0')
        return BROLGA__WATCH_UNREADABLE;
    if (!file->told)
        return BROLGA__WATCH_ADDED;
    if (!file->exists && file->hash == file->seen_hash)
        return BROLGA__WATCH_BACK;
    return BROLGA__WATCH_CHANGED;
}

static void tell_file(struct brolga__watch *watch,
                      struct brolga__watch_file *file)
{
    enum brolga__watch_what what = what_of(file);

    file->exists = !file->missing;
    if (file->exists)
        file->hash = file->seen_hash; /* A removed file keeps its last one. */
    file->told = true;
    file->seen_ns = 0;
    watch->opts.on_file(watch->opts.arg, file, what);
}

/* Reads every file; returns whether one of them is not settled yet. */
static bool examine_all(struct brolga__watch *watch, uint64_t now)
{
    bool waits = false;

    for (size_t i = 0; i < watch->files_count; i++) {
        struct brolga__watch_file *file = watch->files[i];
        enum verdict verdict = examine(watch, file, now);

        file->ready = verdict == READY;
        waits |= verdict == WAITS;
    }
    return waits;
}

/* One look at everything; `at_once` takes files as they are. */
static void look(struct brolga__watch *watch, bool at_once)
{
    uint64_t now = brolga__plat_now_ns();
    uint64_t noticed = watch->burst_ns;
    bool waits = examine_all(watch, now);

    if (waits && !at_once && now < watch->burst_ns + watch->quiet_max_ns) {
        look_later(watch);
        return;
    }
    for (size_t i = 0; i < watch->files_count; i++)
        if (watch->files[i]->ready ||
            (at_once && watch->files[i]->seen_ns != 0))
            tell_file(watch, watch->files[i]);
    if (waits && !at_once)
        look_later(watch);
    else
        watch->burst_ns = 0;
    watch->opts.on_batch(watch->opts.arg, noticed);
}

/* --- directories -------------------------------------------------------- */

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

static struct brolga__watch_file *find_file(struct brolga__watch *watch,
                                            const char *path)
{
    for (size_t i = 0; i < watch->files_count; i++)
        if (strcmp(watch->files[i]->path, path) == 0)
            return watch->files[i];
    return NULL;
}

static void join_path(char *out, size_t bytes, const char *dir,
                      const char *name)
{
    bool here = strcmp(dir, ".") == 0;

    (void)snprintf(
        out, bytes, "%s%s%s", here ? "" : dir,
        here || has_ending(dir, "/") || strcmp(dir, "/") == 0 ? "" : "/", name);
}

/* Takes what is new in a directory. Returns whether there was something. */
static bool list_dir(struct brolga__watch *watch, const struct dir *dir)
{
    uv_fs_t request;
    uv_dirent_t entry;
    char path[4096];
    bool found = false;

    if (!dir->listed || dir->gone)
        return false;
    if (uv_fs_scandir(watch->loop, &request, dir->path, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            struct brolga__watch_file *file;
            bool source = is_source_name(entry.name);

            if ((!source && !is_header_name(entry.name)) ||
                entry.type == UV_DIRENT_DIR)
                continue;
            join_path(path, sizeof path, dir->path, entry.name);
            if (find_file(watch, path) != NULL)
                continue;
            if (brolga__watch_file(watch, path,
                                   source ? BROLGA__WATCH_SOURCE
                                          : BROLGA__WATCH_HEADER,
                                   &file) == BROLGA_OK)
                found = true;
            else /* The next sweep tries again. */
                watch->missed = true;
        }
    }
    uv_fs_req_cleanup(&request);
    return found;
}

static void touch_all(struct brolga__watch *watch, const struct dir *dir)
{
    for (size_t i = 0; i < watch->files_count; i++)
        if (watch->dirs[watch->files[i]->dir] == dir)
            watch->files[i]->touched = true;
}

/* Marks the file that an event names; false if it is none of ours. */
static bool touch_named(struct brolga__watch *watch, const struct dir *dir,
                        const char *name)
{
    bool known = dir->listed && (is_source_name(name) || is_header_name(name));

    for (size_t i = 0; i < watch->files_count; i++) {
        struct brolga__watch_file *file = watch->files[i];

        if (watch->dirs[file->dir] == dir &&
            strcmp(brolga__text_base(file->path), name) == 0) {
            file->touched = true;
            known = true;
        }
    }
    return known;
}

static void on_event(uv_fs_event_t *handle, const char *name, int events,
                     int status)
{
    struct dir *dir = handle->data;
    struct brolga__watch *watch = dir->watch;

    (void)events;
    /* The directory itself is named when it was moved or removed, and then
     * the watch goes with it, or dies. */
    if (status < 0 || name == NULL ||
        strcmp(name, brolga__text_base(dir->path)) == 0) {
        dir->suspect = true;
        touch_all(watch, dir);
        look_later(watch);
    } else if (touch_named(watch, dir, name)) {
        look_later(watch);
    }
}

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

static void arm(struct brolga__watch *watch, struct dir *dir)
{
    int err;

    if (dir->armed)
        (void)uv_fs_event_stop(&dir->event);
    err = uv_fs_event_start(&dir->event, on_event, dir->path, 0);
    dir->armed = err == 0;
    dir->suspect = false;
    if (err == 0)
        dir->told_problem = false;
    else
        tell_problem(watch, dir, uv_strerror(err),
                     "changes are seen late, by a slow look; if too many files "
                     "are watched on this system, raise its limit "
                     "(fs.inotify.max_user_watches)");
}

/* Sees whether the directory is there and still the one that is watched. */
static void check_dir(struct brolga__watch *watch, struct dir *dir)
{
    uv_stat_t stat;
    int err;

    if (!get_stat(watch, dir->path, &stat, &err)) {
        if (!dir->gone)
            tell_problem(watch, dir, "the directory is gone",
                         "its modules run on as they are; watching goes on "
                         "when it is back");
        dir->gone = true;
        return;
    }
    if (!dir->gone && !dir->suspect && dir->armed &&
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

/* Everything that a look needs to know of directories. */
static bool check_dirs(struct brolga__watch *watch)
{
    bool found = false;

    /* Listing adds files, whose directories are known. */
    for (size_t i = 0; i < watch->dirs_count; i++) {
        check_dir(watch, watch->dirs[i]);
        found |= list_dir(watch, watch->dirs[i]);
    }
    return found;
}

static void quiet_over(uv_timer_t *timer)
{
    struct brolga__watch *watch = timer->data;

    (void)check_dirs(watch);
    look(watch, false);
}

/* --- the sweep ---------------------------------------------------------- */

/* Whether a file is not as the last look left it. */
static bool has_moved_on(struct brolga__watch *watch,
                         struct brolga__watch_file *file)
{
    uv_stat_t stat;
    int err;

    if (watch->dirs[file->dir]->gone)
        return false;
    if (!get_stat(watch, file->path, &stat, &err))
        return !file->missing && (err == UV_ENOENT || err == UV_ENOTDIR);
    return stat_differs(file, &stat);
}

static void sweep(uv_timer_t *timer)
{
    struct brolga__watch *watch = timer->data;
    bool found;

    if (watch->burst_ns != 0)
        return; /* A look is due anyway. */
    found = check_dirs(watch);
    for (size_t i = 0; i < watch->files_count; i++) {
        struct brolga__watch_file *file = watch->files[i];

        if (!file->touched && !has_moved_on(watch, file))
            continue;
        if (!file->touched)
            watch->dirs[file->dir]->suspect = true; /* It did not tell. */
        file->touched = true;
        found = true;
    }
    if (found)
        look_later(watch);
}

/* --- what there is to watch --------------------------------------------- */

/* Room for one more pointer in an array of `count`. */
static bool grow(void *array, size_t count)
{
    void **at, *more;

    memcpy(&at, array, sizeof at);
    more = brolga__realloc(at, (count + 1) * sizeof *at);
    if (more == NULL)
        return false;
    memcpy(array, &more, sizeof more);
    return true;
}

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
        !grow(&watch->dirs, watch->dirs_count)) {
        if (dir != NULL)
            brolga__free(dir->path);
        brolga__free(dir);
        return BROLGA_ENOMEM;
    }
    (void)uv_fs_event_init(watch->loop, &dir->event); /* Cannot fail. */
    watch->open_handles++;
    dir->watch = watch;
    dir->event.data = dir;
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

/* The directory of a path, as a path. */
static int add_dir_of(struct brolga__watch *watch, const char *path,
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

/* Takes a header's content as known: a build has read it. */
static void read_now(struct brolga__watch *watch,
                     struct brolga__watch_file *file)
{
    uv_stat_t stat = {0};
    int err;

    if (!get_stat(watch, file->path, &stat, &err) && err == UV_ENOENT)
        return;
    file->hash = read_content(file, &stat, err);
    keep_stat(file, &stat);
    file->exists = true;
    file->told = true;
}

int brolga__watch_file(struct brolga__watch *watch, const char *path,
                       enum brolga__watch_kind kind,
                       struct brolga__watch_file **out)
{
    struct brolga__watch_file *file = find_file(watch, path);

    if (file != NULL) {
        *out = file;
        return BROLGA_OK;
    }
    file = brolga__alloc_zero(sizeof *file);
    if (file == NULL || (file->path = brolga__strdup(path)) == NULL ||
        add_dir_of(watch, path, &file->dir) != BROLGA_OK ||
        !grow(&watch->files, watch->files_count)) {
        if (file != NULL)
            brolga__free(file->path);
        brolga__free(file);
        return BROLGA_ENOMEM;
    }
    file->kind = kind;
    file->missing = true; /* Nobody has looked yet. */
    watch->files[watch->files_count++] = file;
    *out = file;
    return BROLGA_OK;
}

int brolga__watch_header(struct brolga__watch *watch, const char *path,
                         struct brolga__watch_file **out)
{
    int err = brolga__watch_file(watch, path, BROLGA__WATCH_HEADER, out);

    if (err == BROLGA_OK && !(*out)->told)
        read_now(watch, *out);
    return err;
}

bool brolga__watch_is_fresh(const struct brolga__watch_file *file)
{
    uint64_t hash;

    if (!file->told || !file->exists || file->problem[0] != '\0')
        return true; /* Nothing was told that could be out of date. */
    return hash_file(file->path, &hash) == BROLGA_OK && hash == file->hash;
}

int brolga__watch_scan(struct brolga__watch *watch)
{
    watch->missed = false;
    (void)check_dirs(watch);
    look(watch, true);
    return watch->missed ? BROLGA_ENOMEM : BROLGA_OK;
}

/* --- life --------------------------------------------------------------- */

int brolga__watch_create(struct uv_loop_s *loop,
                         const struct brolga__watch_opts *opts,
                         struct brolga__watch **out)
{
    struct brolga__watch *watch = brolga__alloc_zero(sizeof *watch);

    if (watch == NULL)
        return BROLGA_ENOMEM;
    watch->loop = loop;
    watch->opts = *opts;
    watch->quiet_ns = opts->quiet_ms * BROLGA_MS;
    watch->quiet_max_ns = opts->quiet_max_ms * BROLGA_MS;
    (void)uv_timer_init(loop, &watch->quiet); /* These cannot fail. */
    (void)uv_timer_init(loop, &watch->sweep);
    watch->open_handles = 2;
    watch->quiet.data = watch;
    watch->sweep.data = watch;
    *out = watch;
    return BROLGA_OK;
}

void brolga__watch_start(struct brolga__watch *watch)
{
    watch->started = true;
    for (size_t i = 0; i < watch->dirs_count; i++)
        arm(watch, watch->dirs[i]);
    (void)uv_timer_start(&watch->sweep, sweep, watch->opts.sweep_ms,
                         watch->opts.sweep_ms);
    brolga__watch_look(watch); /* No event told of saves until now. */
}

void brolga__watch_stop(struct brolga__watch *watch)
{
    watch->started = false;
    for (size_t i = 0; i < watch->dirs_count; i++) {
        (void)uv_fs_event_stop(&watch->dirs[i]->event);
        watch->dirs[i]->armed = false;
    }
    (void)uv_timer_stop(&watch->sweep);
    (void)uv_timer_stop(&watch->quiet);
    watch->burst_ns = 0;
}

static void handle_closed(uv_handle_t *handle, struct brolga__watch *watch)
{
    (void)handle;
    if (--watch->open_handles != 0)
        return;
    for (size_t i = 0; i < watch->dirs_count; i++) {
        brolga__free(watch->dirs[i]->path);
        brolga__free(watch->dirs[i]);
    }
    for (size_t i = 0; i < watch->files_count; i++) {
        brolga__free(watch->files[i]->path);
        brolga__free(watch->files[i]);
    }
    brolga__free(watch->dirs);
    brolga__free(watch->files);
    brolga__free(watch);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_closed(handle, handle->data);
}

static void event_closed(uv_handle_t *handle)
{
    struct dir *dir = handle->data;

    handle_closed(handle, dir->watch);
}

void brolga__watch_destroy(struct brolga__watch *watch)
{
    brolga__watch_stop(watch);
    uv_close((uv_handle_t *)&watch->quiet, timer_closed);
    uv_close((uv_handle_t *)&watch->sweep, timer_closed);
    for (size_t i = 0; i < watch->dirs_count; i++)
        uv_close((uv_handle_t *)&watch->dirs[i]->event, event_closed);
}
